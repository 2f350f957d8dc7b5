"""The command line over the judges, and how the judges are pinned."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from conformance.validators import __main__ as command
from conformance.validators import bench
from conformance.validators.finding import NotInstalled, write
from conformance.validators.lines import JudgeFailed, LineJudge
from conformance.validators.sources import bundles
from tests.judges.sample import PLANTED, sound

ROOT = Path(__file__).resolve().parents[2]
VALIDATORS = ROOT / "conformance" / "validators"
WRONG = next(error for error in PLANTED if error.name == "wrong display")


def test_sound_bundles_end_with_zero(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.json").write_text(write(sound()))
    assert command.main([str(tmp_path), "--judge", "terminology"]) == 0
    assert capsys.readouterr().out == "1 judged, 0 findings\n"


def test_findings_end_with_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [
        {"file": "one.hl7", "outcome": "mapped", "bundle": sound()},
        {"file": "two.hl7", "outcome": "fault", "bundle": None},
        {"file": "three.hl7", "outcome": "mapped", "bundle": WRONG.bundle()},
    ]
    mapped = tmp_path / "mapped.ndjson"
    mapped.write_text("".join(write(line) + "\n" for line in lines))
    assert command.main([str(mapped), "--judge", "terminology", "--judge", "references", "--json"]) == 1
    (found,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (found["judge"], found["name"]) == ("terminology", "three.hl7")
    assert found["path"] == "Bundle.entry[0].Patient.maritalStatus.coding[0]"


@pytest.mark.parametrize("content", ["", "{", "[1]", "MSH|^~\\&|"])
def test_what_cannot_be_judged_ends_with_two(content: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.json").write_text(content)
    assert command.main([str(tmp_path)]) == 2
    assert capsys.readouterr().err


def test_digits_survive_reading(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"resourceType": "Observation", "valueQuantity": {"value": 4.50}}')
    ((_, text),) = bundles(tmp_path)
    assert b'"value":4.50' in text


def test_a_judge_that_is_not_there_says_how_to_get_it() -> None:
    with pytest.raises(NotInstalled, match=r"sh deploy/judges\.sh"):
        LineJudge(["/nowhere/python", "worker.py"])


def test_a_judge_that_ends_is_an_error_and_no_acceptance() -> None:
    with LineJudge(["true"]) as judge, pytest.raises(JudgeFailed):
        judge.check(["{}"])


def test_every_package_is_pinned_by_hash_and_by_no_address() -> None:
    lock = (VALIDATORS / "node" / "package-lock.json").read_text(encoding="utf-8")
    packages = {name: one for name, one in json.loads(lock)["packages"].items() if name}
    assert all(one["integrity"].startswith("sha512-") for one in packages.values())
    assert '"resolved"' not in lock
    wanted = json.loads((VALIDATORS / "node" / "package.json").read_bytes())["dependencies"]
    assert not [version for version in wanted.values() if re.match(r"[\^~*<>]", version)]


def test_workers_are_where_the_commands_say() -> None:
    assert all(Path(words[1]).is_file() for words in bench.OUTSIDE.values())
