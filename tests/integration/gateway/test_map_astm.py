"""`lienthong map` takes records of laboratory instruments, framed or not; a site's folder alone adds a dialect."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

from tests.integration.gateway.test_map_command import KEYS, lines, sums_hold
from tests.site import cli, write_site

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "astm"


def test_corpus(corpora: Path) -> None:
    """As it is, with the comments of the repositories that hold it."""
    told = lines(str(corpora / "astm"))
    assert len(told) == 21
    assert {one["type"] for one in told} == {"ASTM^RESULT", "ASTM^CONTROL", "ASTM^QUERY"}
    for one in told:
        assert set(one) == KEYS
        assert one["outcome"] == "mapped", one["faults"]
        assert sums_hold(one), one["file"]
        assert (one["bundle"] is None) == (one["type"] == "ASTM^QUERY")
    assert sum(one["coverage"]["unknown"] for one in told) <= 3


def test_comments_around_the_records_of_a_sample_are_left_out(tmp_path: Path) -> None:
    plain = (GOLDEN / "site_dialect" / "input.astm").read_bytes()
    head, rest = re.split(rb"(?<=[\r\n])", plain, maxsplit=1)
    (tmp_path / "plain.astm").write_bytes(plain)
    (tmp_path / "said.astm").write_bytes(b"# What it shows:\n#\n\n" + head + b"# the person\n" + rest)
    said, without = (one | {"file": ""} for one in reversed(lines(str(tmp_path))))
    assert said["coverage"]["populated"]
    assert said == without


def test_controls_are_on_no_person(corpora: Path) -> None:
    for one in lines(str(corpora / "astm" / "records" / "qc-control-results__openelis.astm")):
        resources = [entry["resource"] for entry in one["bundle"]["entry"]]
        observations = [each for each in resources if each["resourceType"] == "Observation"]
        assert observations
        assert all(each["subject"]["reference"].startswith("Device/") for each in observations)
        assert not {"Patient", "DiagnosticReport", "ServiceRequest"} & {each["resourceType"] for each in resources}


def of_zenlab(config: Path) -> dict[str, Any]:
    done = cli("map", str(GOLDEN / "site_dialect" / "input.astm"), "--json", "-c", str(config))
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def test_a_new_dialect_is_a_file_in_the_folder_of_the_site(tmp_path: Path) -> None:
    config = write_site(tmp_path)
    before = of_zenlab(config)
    assert "valueQuantity" not in json.dumps(before["bundle"])
    own = config / "site" / "lab"
    own.mkdir(parents=True)
    shutil.copy(GOLDEN / "site_dialect" / "zenlab.toml", own)
    after = of_zenlab(config)
    (observation,) = [
        entry["resource"] for entry in after["bundle"]["entry"] if entry["resource"]["resourceType"] == "Observation"
    ]
    assert observation["valueQuantity"]["value"] == 5.60
    assert observation["status"] == "final"
    assert "26030500031" in json.dumps(after["bundle"])


def test_a_dialect_that_cannot_be_used_is_a_problem_with_file(tmp_path: Path) -> None:
    config = write_site(tmp_path)
    own = config / "site" / "lab"
    own.mkdir(parents=True)
    (own / "odd.toml").write_text('[places]\n"Q" = "R-3x"\n', encoding="utf-8")
    done = cli("check", "--json", "-c", str(config))
    assert done.returncode == 1
    assert "site/lab/odd.toml" in done.stdout


def test_a_message_that_was_cut_off_is_no_message(tmp_path: Path) -> None:
    whole = (GOLDEN / "site_dialect" / "input.astm").read_bytes()
    cut = tmp_path / "cut.astm"
    records, end, _ = re.split(rb"([\r\n]L\|)", whole)
    assert end
    cut.write_bytes(records[:-3])
    done = cli("map", str(cut), "--json")
    told = json.loads(done.stdout)
    assert [one["code"] for one in told["faults"]] == ["LT2150"]
    assert told["bundle"] is None
