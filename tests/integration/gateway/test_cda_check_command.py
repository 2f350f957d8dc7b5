"""`lienthong cda check`: schema and rules, for people and as JSON, exit code 1 when one file does not pass."""

from __future__ import annotations

import json
from pathlib import Path

from tests.site import cli

PAPER = Path(__file__).resolve().parents[2] / "golden/papers/discharge_paper/inpatient/expected.cda.xml"


def test_a_paper_passes() -> None:
    done = cli("cda", "check", str(PAPER))
    assert done.returncode == 0, done.stderr
    assert "ĐẠT" in done.stdout
    assert "discharge_paper" in done.stdout


def test_a_paper_passes_the_schema(corpora: Path) -> None:
    done = cli("cda", "check", "--schema", str(corpora / "cda-schema/normative"), str(PAPER), "--json")
    assert done.returncode == 0, done.stdout
    (told,) = json.loads(done.stdout)
    assert told == {"file": str(PAPER), "valid": True, "paper": "discharge_paper", "problems": [], "fault": None}


def test_what_is_wrong_is_told(tmp_path: Path, corpora: Path) -> None:
    empty = tmp_path / "empty.xml"
    empty.write_text(PAPER.read_text(encoding="utf-8").replace("<realmCode", "<realmCodes"), encoding="utf-8")
    hostile = tmp_path / "hostile.xml"
    hostile.write_text("<!DOCTYPE x><x/>", encoding="utf-8")
    done = cli("cda", "check", "--schema", str(corpora / "cda-schema"), str(empty), str(hostile), "--json")
    assert done.returncode == 1
    broken, refused = json.loads(done.stdout)
    assert {one["rule"] for one in broken["problems"]} == {"SCHEMAV_ELEMENT_CONTENT", "header-realm"}
    assert refused["fault"]["code"].startswith("LT")


def test_a_folder_without_schema_and_an_unknown_paper_are_wrong_usage(tmp_path: Path) -> None:
    assert cli("cda", "check", "--schema", str(tmp_path), str(PAPER)).returncode == 2
    assert cli("cda", "check", "--paper", "nothing", str(PAPER)).returncode == 2
