"""Golden pairs of tables of results: `results/<case>/input.*` with `layout.toml` must give `reports.json`.

`pytest tests/golden --accept` writes what comes out.
"""

from __future__ import annotations

import json
import tomllib
from difflib import unified_diff
from pathlib import Path

import pytest

from mappings.fhir import problems
from mappings.hl7v2 import Context
from mappings.lab.layout import parse_layout
from mappings.lab.report import report_to_outcome
from mappings.lab.rows import split_reports
from tests.golden.test_golden import written
from tests.unit.lab.tables import CAME

HERE = Path(__file__).resolve().parent / "results"


@pytest.mark.parametrize("case", sorted(path.parent for path in HERE.glob("*/layout.toml")), ids=lambda case: case.name)
def test_pair(case: Path, accept: bool) -> None:
    layout = parse_layout(tomllib.loads((case / "layout.toml").read_text(encoding="utf-8")))
    (source,) = case.glob("input.*")
    outcomes = [
        report_to_outcome(one.body, layout, Context("01999"), {})
        for one in split_reports(source.read_bytes(), layout, CAME)
    ]
    assert [problem for one in outcomes for resource in one.resources for problem in problems(resource)] == []
    found = "[\n" + ",\n".join(written(one).strip() for one in outcomes) + "\n]\n"
    target = case / "reports.json"
    if accept:
        target.write_text(found, encoding="utf-8")
    expected = target.read_text(encoding="utf-8")
    difference = "\n".join(unified_diff(expected.splitlines(), found.splitlines(), "expected", "found", lineterm=""))
    assert not difference, difference
    assert len(json.loads(expected)) == len(outcomes) > 0
