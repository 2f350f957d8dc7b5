"""Golden pairs: `<message>/<case>/input.hl7` must give `expected.json`: resources, coverage, notices.

A new case is a new folder. `pytest tests/golden --accept` writes what comes out and shows the difference.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from decimal import Decimal
from difflib import unified_diff
from pathlib import Path
from typing import Any

import pytest

from mappings.fhir import problems
from mappings.formats import er7
from mappings.hl7v2 import Context, map_message
from mappings.hl7v2.messages import mappers
from mappings.outcome import Coverage, Outcome

HERE = Path(__file__).resolve().parent
CASES = sorted(path.parent for path in HERE.glob("*/*/input.hl7"))
CONTEXT = Context(facility="01032")


def written(outcome: Outcome) -> str:
    """Write an outcome as text that shows every digit of a decimal."""

    def plain(value: Any) -> str:
        assert isinstance(value, Decimal), type(value)
        return f"@@{value}@@"

    content = {
        "patient": outcome.patient_id,
        "encounter": outcome.encounter_id,
        "identity": [asdict(change) for change in outcome.identity],
        "cleared": outcome.cleared,
        **({"assumed": outcome.assumed} if outcome.assumed else {}),
        "resources": sorted(outcome.resources, key=lambda r: (r["resourceType"], r["id"])),
        "about": outcome.about,
        "coverage": asdict(outcome.coverage),
        "notices": [asdict(notice) for notice in outcome.notices],
    }
    text = json.dumps(content, ensure_ascii=False, indent=1, default=plain)
    return re.sub(r'"@@([^"]*)@@"', r"\1", text) + "\n"


def test_there_are_cases() -> None:
    messages = {case.parent.name for case in CASES}
    adt = {trigger.lower().replace("^", "_") for trigger in mappers() if trigger.startswith("ADT^")}
    assert len(adt) >= 53
    assert adt | {"oru_r01", "ref_i12", "siu_s12"} <= messages


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}/{case.name}")
def test_pair(case: Path, accept: bool) -> None:
    outcome = map_message(er7.Message.parse((case / "input.hl7").read_bytes()), CONTEXT)
    found = written(outcome)
    target = case / "expected.json"
    expected = target.read_text(encoding="utf-8") if target.exists() else ""
    difference = "\n".join(unified_diff(expected.splitlines(), found.splitlines(), "expected", "found", lineterm=""))
    if difference and accept:
        target.write_text(found, encoding="utf-8")
        print(difference)  # noqa: T201  (what was accepted must be seen)
        return
    assert not difference, f"{case}\n{difference}"


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}/{case.name}")
def test_resources_are_valid(case: Path) -> None:
    outcome = map_message(er7.Message.parse((case / "input.hl7").read_bytes()), CONTEXT)
    for resource in outcome.resources:
        assert problems(resource) == [], f"{resource['resourceType']}/{resource['id']}"


def test_the_comparison_sees_a_lost_digit() -> None:
    kept = Outcome(resources=[{"resourceType": "X", "id": "1", "value": Decimal("4.50")}], coverage=Coverage())
    assert '"value": 4.50' in written(kept)
