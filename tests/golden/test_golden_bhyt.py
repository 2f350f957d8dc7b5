"""Golden pairs of insurance files: `insurance_visit/<case>/input.xml` must give `expected.json`, and come back as it was.

The inputs are the made-up visits of `tests/unit/bhyt/clean.py`. `pytest tests/golden --accept` writes what comes out.
"""

from __future__ import annotations

from datetime import date
from difflib import unified_diff
from pathlib import Path

import pytest

from mappings.bhyt.fhir import record_to_visit, visit_to_outcome
from mappings.bhyt.files import visit_to_file
from mappings.bhyt.visits import read_visits
from mappings.fhir import problems
from tests.golden.test_golden import written
from tests.unit.bhyt import clean

HERE = Path(__file__).resolve().parent / "insurance_visit"


@pytest.mark.parametrize("name", clean.VISITS)
def test_pair(name: str, accept: bool) -> None:
    case = HERE / name
    source = case / "input.xml"
    if accept:
        case.mkdir(parents=True, exist_ok=True)
        source.write_bytes(clean.file_of(clean.VISITS[name]()))
    data = source.read_bytes()
    (visit,) = read_visits(data)
    outcome = visit_to_outcome(visit)
    found = written(outcome)
    target = case / "expected.json"
    if accept:
        target.write_text(found, encoding="utf-8")
    expected = target.read_text(encoding="utf-8")
    difference = "\n".join(unified_diff(expected.splitlines(), found.splitlines(), "expected", "found", lineterm=""))
    assert not difference, difference
    assert [problem for resource in outcome.resources for problem in problems(resource)] == []
    back = record_to_visit(list(outcome.resources), outcome.encounter_id, decision="3176", facility=clean.FACILITY)
    assert visit_to_file(back, decision="3176", made_on=visit.made_on or date.min) == data


def test_every_visit_of_the_folder_is_read() -> None:
    assert {path.parent.name for path in HERE.glob("*/input.xml")} == set(clean.VISITS)
