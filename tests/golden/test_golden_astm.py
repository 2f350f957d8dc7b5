"""Golden pairs of instruments: `astm/<case>/input.astm` must give `expected.json`; a `*.toml` beside it is a site's dialect.

A new case is a new folder. `pytest tests/golden --accept` writes what comes out and shows the difference.
"""

from __future__ import annotations

from collections.abc import Iterator
from difflib import unified_diff
from pathlib import Path

import pytest

from mappings.fhir import problems
from mappings.formats import astm
from mappings.lab import profiles
from mappings.lab.astm import map_message, read
from mappings.lab.context import Context
from mappings.outcome import Outcome
from tests.golden.test_golden import written

HERE = Path(__file__).resolve().parent
CASES = sorted(path.parent for path in HERE.glob("astm/*/input.astm"))


@pytest.fixture(autouse=True)
def _usual_profiles() -> Iterator[None]:
    yield
    profiles.use(())


def mapped(case: Path) -> tuple[astm.Message, Outcome]:
    profiles.use(profiles.parse(path.stem, path.read_text(encoding="utf-8")) for path in case.glob("*.toml"))
    message = astm.Message.parse((case / "input.astm").read_bytes())
    return message, map_message(read(message), Context(facility="01032"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_pair(case: Path, accept: bool) -> None:
    found = written(mapped(case)[1])
    target = case / "expected.json"
    expected = target.read_text(encoding="utf-8") if target.exists() else ""
    difference = "\n".join(unified_diff(expected.splitlines(), found.splitlines(), "expected", "found", lineterm=""))
    if difference and accept:
        target.write_text(found, encoding="utf-8")
        print(difference)  # noqa: T201  (what was accepted must be seen)
        return
    assert not difference, f"{case}\n{difference}"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_populated_field_is_accounted_for_and_every_resource_is_sound(case: Path) -> None:
    message, outcome = mapped(case)
    coverage = outcome.coverage
    populated = {record.where(n) for record in message.records for n in record.populated()}
    assert {*coverage.mapped, *coverage.ignored, *coverage.unknown} == populated
    assert coverage.total == len(populated)
    assert [problem for resource in outcome.resources for problem in problems(resource)] == []
