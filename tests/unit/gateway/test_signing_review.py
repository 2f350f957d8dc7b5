"""What is told of a policy under which the director does not sign on deaths and on records of high legal value."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gateway.configuration import load
from gateway.signing_review import doubts
from tests.site import cli, write_site

SEAL = '[[policy.step]]\nrole = "seal"\n'
DIRECTOR = '[[policy]]\n[[policy.step]]\nrole = "director"\n{more}\n' + SEAL
SIGNER = '\n[[signer]]\ncode = "GD1"\nname = "Trần Văn Giám"\nroles = ["director"]\n'
WHEN = 'when = ["death", "high_legal_value"]'
IN_PERSON = 'in_person = ["death", "high_legal_value"]'


def told(folder: Path, policies: str) -> list[str]:
    return [one.detail for one in doubts(load(write_site(folder, policies=policies, signers=SIGNER)))]


@pytest.mark.parametrize(
    ("policies", "reason"),
    [
        ("", "no step for the director"),
        ("[[policy]]\n" + SEAL, "no step for the director"),
        (DIRECTOR.format(more='when = ["patient_request"]'), "no step for the director"),
        (DIRECTOR.format(more=WHEN), "somebody may stand in for the director (in_person)"),
        (
            DIRECTOR.format(more=f'{WHEN}\n{IN_PERSON}\nmay_be_skipped_by = ["director"]'),
            "the director's step may be left out",
        ),
        (DIRECTOR.format(more=f"{WHEN}\n{IN_PERSON}"), ""),
        (DIRECTOR.format(more=IN_PERSON), ""),
    ],
)
def test_a_death_is_signed_by_the_director(policies: str, reason: str, tmp_path: Path) -> None:
    found = told(tmp_path, policies)
    assert "discharge_paper, death" in {one.partition(":")[0] for one in found} or not reason
    assert {one.partition(": ")[2] for one in found} == ({reason} if reason else set())


def test_papers_of_high_legal_value_are_those_that_the_hospital_names(tmp_path: Path) -> None:
    policy = DIRECTOR.format(more='when = ["death"]\nin_person = ["death"]')
    assert told(tmp_path / "a", policy) == []
    named = 'high_legal_value = ["referral"]\n' + policy
    assert told(tmp_path / "b", named) == ["referral, high_legal_value: no step for the director"]


def test_check_warns_and_goes_on(tmp_path: Path) -> None:
    folder = write_site(tmp_path, policies="[[policy]]\n" + SEAL)
    done = cli("check", "-c", str(folder), "--no-probe", "--json")
    assert done.returncode == 0, done.stdout
    told_of = json.loads(done.stdout)
    assert told_of["problems"] == []
    assert {one["code"] for one in told_of["warnings"]} == {"LT1018"}
    shown = cli("check", "-c", str(folder), "--no-probe")
    assert shown.returncode == 0
    assert "LT1018 signing.toml: discharge_paper, death" in shown.stdout.replace("\n", " ")
