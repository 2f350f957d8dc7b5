"""Golden pairs of studies: the headers and facts of `dicom/<case>/input.json` must give `expected.json`.

The inputs are the made-up studies of `tests/unit/dicom/studies.py`. `pytest tests/golden --accept` writes what comes out.
"""

from __future__ import annotations

import json
from difflib import unified_diff
from pathlib import Path

import pytest

from mappings.dicom.body import Entry, join
from mappings.dicom.study import study_to_outcome
from mappings.fhir import problems
from tests.golden.test_golden import written
from tests.unit.dicom import studies
from tests.unit.dicom.samples import CONTEXT

HERE = Path(__file__).resolve().parent / "dicom"


@pytest.mark.parametrize("name", studies.STUDIES)
def test_pair(name: str, accept: bool) -> None:
    case = HERE / name
    source = case / "input.json"
    made = json.dumps(
        [{"attributes": one.attributes, "facts": one.facts} for one in studies.STUDIES[name]()],
        ensure_ascii=False,
        indent=1,
    )
    if accept:
        case.mkdir(parents=True, exist_ok=True)
        source.write_text(made + "\n", encoding="utf-8")
    read = json.loads(source.read_text(encoding="utf-8"))
    assert read == json.loads(made)
    outcome = study_to_outcome(join([Entry(one["attributes"], one["facts"]) for one in read]), CONTEXT)
    found = written(outcome)
    target = case / "expected.json"
    expected = target.read_text(encoding="utf-8") if target.exists() else ""
    difference = "\n".join(unified_diff(expected.splitlines(), found.splitlines(), "expected", "found", lineterm=""))
    if difference and accept:
        target.write_text(found, encoding="utf-8")
        print(difference)  # noqa: T201  (what was accepted must be seen)
        return
    assert not difference, difference
    assert [problem for resource in outcome.resources for problem in problems(resource)] == []


def test_every_study_of_the_folder_is_read() -> None:
    assert {path.parent.name for path in HERE.glob("*/input.json")} == set(studies.STUDIES)
