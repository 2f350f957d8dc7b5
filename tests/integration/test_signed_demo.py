"""The day on which people sign: three kinds of key, a token lost at midday, every paper verified by strangers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gateway.cli import demo_people, demo_token
from gateway.cli.demo_signing import Incident
from gateway.cli.demo_signing_report import SigningFigures
from gateway.cli.demo_verify import Verified
from mappings.bhyt.check_in_file import CHECK_IN
from tests.servers import need
from tests.site import cli_json


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    need(demo_token.module() and shutil.which("xmlsec1"), "SoftHSM or xmlsec1")
    command = [sys.executable, "-m", "gateway.cli", "demo", "--sign", "--json"]
    command += ["--folder", str(tmp_path_factory.mktemp("demo"))]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)
    assert done.stdout, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == (0 if found["closes"] else 1)
    return found


@pytest.mark.nightly
def test_the_day_closes(day: dict[str, Any]) -> None:
    assert day["unexpected"] == []
    assert [balance for balance in day["balances"] if not balance["closes"]] == []
    asked_again = (CHECK_IN, "unchanged")  # by every order, and most visits have theirs
    made = {
        name: sum(n for state, n in states.items() if (name, state) != asked_again)
        for name, states in day["papers"].items()
    }
    gaps = day["expected_gaps"]
    assert made == {name: count + gaps.get(name, 0) for name, count in day["expected_papers"].items()}
    assert day["closes"]


@pytest.mark.nightly
def test_three_kinds_of_key_signed_every_paper_in_order(day: dict[str, Any]) -> None:
    by_role = {one["role"]: one for one in day["signing"]["signatures"]}
    assert {role: one["kind"] for role, one in by_role.items()} == {
        "treating_doctor": "pkcs12",
        "head_of_department": "pkcs11",
        "deputy_head": "remote",
        "seal": "remote",
    }
    signed = sum(states["signed"] for states in day["papers"].values())
    assert by_role["treating_doctor"]["people"] > 10
    assert by_role["treating_doctor"]["signatures"] == signed
    assert by_role["head_of_department"]["signatures"] + by_role["deputy_head"]["signatures"] == signed
    verified = day["signing"]["verified"]
    assert verified["incomplete"] == []
    assert verified["verdicts"] == {"valid": len(list((Path(day["folder"]) / "papers").iterdir()))}
    assert verified["xmlsec1"][0] > 3 * signed
    assert verified["xmlsec1"][1] == 0


@pytest.mark.nightly
def test_the_lost_token_signs_nothing_more(day: dict[str, Any]) -> None:
    incident, verified = day["signing"]["incident"], day["signing"]["verified"]
    assert min(incident["waiting"], incident["signed_before"]) > 0
    assert incident["refused"] == {"LT5102": incident["waiting"]}
    assert (incident["signed_after"], verified["after"]) == (0, 0)
    assert verified["before"] == incident["signed_before"]
    assert verified["outside"] == "invalid LT5071"


@pytest.mark.nightly
def test_the_register_tells_the_story(day: dict[str, Any]) -> None:
    config = str(Path(day["folder"]) / "config")
    held = {one["holder"]["code"]: one["state"] for one in cli_json("certs", "list", "--config", config)}
    assert held.pop(demo_people.HEAD) == "suspended"
    assert set(held.values()) == {"active"}
    events = cli_json("certs", "events", demo_people.HEAD, "--config", config)
    told = {one["event"] for one in events}
    assert {"enrol", "request", "issue", "hand_over", "commit", "activate", "incident", "suspend"} <= told
    assert "other_device" not in told, "the number handed over is the one that the token states"


@pytest.mark.nightly
def test_no_secret_is_told(day: dict[str, Any]) -> None:
    folder = Path(day["folder"])
    secrets = [path.read_text().strip() for path in (folder / "config" / "secrets").iterdir()]
    told = [path for path in folder.iterdir() if path.is_file()]
    assert {path.name for path in told} >= {"node.log", "sandbox.log", "enrolment.txt", "staff.csv"}
    for path in told:
        assert not [one for one in secrets if one in path.read_text(encoding="utf-8")], path.name
    log = (folder / "node.log").read_text(encoding="utf-8")
    assert "Traceback" not in log
    assert " ERROR " not in log


INCIDENT = Incident("2026-11-21T12:00:00+00:00", "1a", 4, 3, {"LT5102": 3}, 0, "suspended/x.xml")
VERIFIED = Verified({"valid": 9}, [], (9, 0), 4, 0, "invalid LT5071")


@pytest.mark.parametrize(
    ("incident", "verified"),
    [
        ({"signed_after": 1}, {}),
        ({"refused": {"LT5102": 2}}, {}),
        ({}, {"verdicts": {"valid": 8, "undecided": 1}}),
        ({}, {"incomplete": ["x.cda.xml"]}),
        ({}, {"xmlsec1": (8, 1)}),
        ({}, {"before": 3}),
        ({}, {"after": 1}),
        ({}, {"outside": "valid"}),
    ],
)
def test_whatever_is_wrong_the_day_does_not_close(incident: dict[str, Any], verified: dict[str, Any]) -> None:
    assert SigningFigures((), INCIDENT, VERIFIED).closes
    wrong = SigningFigures((), Incident(**vars(INCIDENT) | incident), Verified(**vars(VERIFIED) | verified))
    assert not wrong.closes


def test_without_a_token_the_head_has_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", os.devnull)
    assert demo_token.module() == ""
    kinds = {one.code: one.kind for one in demo_people.staff(with_token=False)}
    assert kinds[demo_people.HEAD] == "pkcs12"
