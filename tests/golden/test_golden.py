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
from pkgutil import iter_modules
from typing import Any

import pytest

from mappings.fhir import problems
from mappings.formats import er7
from mappings.hl7v2 import Context, map_message, mappers, segments, trigger_of
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


def _message(case: Path) -> er7.Message:
    return er7.Message.parse((case / "input.hl7").read_bytes())


def test_every_message_type_has_a_pair() -> None:
    seen = {trigger_of(_message(case)) for case in CASES}
    whole = {name for trigger in seen for name in (trigger, trigger.partition("^")[0])}
    assert set(mappers()) - whole == set()


def test_every_segment_has_a_pair() -> None:
    """One of its own where anything of it is mapped; HEADER_SEGMENTS are in every pair, or in every answer."""
    names = {entry.name for entry in iter_modules(segments.__path__)}
    assert names - {segment.name.lower() for case in CASES for segment in _message(case).segments} == set()
    own = {case.parent.name.removeprefix("segment_") for case in CASES if case.parent.name.startswith("segment_")}
    mapped = {name for name in names if (known := segments.tables(name.upper())) and known.mapped}
    assert mapped - own - HEADER_SEGMENTS == set()


HEADER_SEGMENTS = {"msh", "evn", "msa"}


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
