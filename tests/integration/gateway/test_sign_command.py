"""`lienthong sign` beside a ledger: what waits for whom, sign, refuse, skip, the PIN that nobody wrote down."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from conformance.sandbox.ca import DemoCA
from gateway.certificates import binding
from gateway.clock import SystemClock
from signing.certificates import load_roots
from tests.conftest import HandClock
from tests.integration.gateway.certificates import Register
from tests.integration.gateway.desk import Desk
from tests.integration.gateway.test_papers import FOLDER, discharge, rows
from tests.site import PASSWORD, cli, cli_json

PEOPLE = {"BS1": ("Lê Quang Minh", "treating_doctor", "doctor"), "TK1": ("Đỗ Thị Năm", "head_of_department", "head")}
SIGNER = """
[[signer]]
code = "{code}"
name = "{name}"
roles = ["{role}"]
licence = "{licence}"
key = {{ kind = "pkcs12", file = "keys/{code}.p12"{password} }}
"""
POLICY = """
[[policy]]
[[policy.step]]
name = "doctor"
role = "treating_doctor"
[[policy.step]]
name = "head"
role = "head_of_department"
may_be_skipped_by = ["treating_doctor"]
[[policy.step]]
role = "seal"
"""


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A ledger of today with one paper, and two people of the register; the doctor's password is written nowhere."""
    folder = tmp_path / "config"
    (folder / "keys").mkdir(parents=True)
    ca, tables = DemoCA(tmp_path / "ca"), ""
    certificates = {}
    for code, (name, role, _) in PEOPLE.items():
        identity = ca.issue(name)
        (folder / "keys" / f"{code}.p12").write_bytes(identity.pkcs12(PASSWORD))
        certificates[code] = identity.certificate.public_bytes(Encoding.PEM)
        licence, password = ("000123/HNO-CCHN", "") if code == "BS1" else ("", ', password = "secret:keys"')
        tables += SIGNER.format(code=code, name=name, role=role, licence=licence, password=password)
    clock = HandClock(SystemClock().now() - 60_000_000)
    url = f"sqlite:///{folder}/ledger.db"
    desk = Desk(folder, url, clock, destinations=FOLDER, policies=POLICY, signers=tables, ca=ca)
    register = Register(desk.store, clock)
    for code, (name, _, role) in PEOPLE.items():
        register.holder(code, name, roles=role)
        found = register.requested(code)
        register.step("approve", found)
        data, roots = certificates[code], load_roots(desk.plan.signing.trust)
        register.do(lambda c, f=found, d=data, r=roots: binding.issue(c, register.get(f), d, r, register.act()))
        register.hand_over(found)
        register.commit(code)
        register.step("activate", found)
    desk.send(discharge("1"))
    return desk


def listed(desk: Desk, *arguments: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = cli_json("sign", "list", *arguments, "--config", str(desk.plan.folder))
    return found


def sign(desk: Desk, code: str, *arguments: str, password: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "ignore", "-m", "gateway.cli", "sign", "run", "--holder", code]
    command += ["--config", str(desk.plan.folder), *arguments]
    return subprocess.run(command, input=password + "\n", capture_output=True, text=True, timeout=120, check=False)


def test_the_list_says_why_a_paper_waits_and_for_whom(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    doctor, head, seal = listed(desk)
    assert (doctor["state"], doctor["waits_for"], doctor["after"]) == ("ready", ["BS1"], [])
    assert (head["state"], head["waits_for"], head["after"]) == ("waiting", ["TK1"], ["doctor"])
    assert (seal["state"], seal["waits_for"], seal["after"]) == ("waiting", [], ["doctor", "head"])
    assert [task["step"] for task in listed(desk, "--holder", "TK1")] == ["head"]
    assert [task["overdue"] for task in listed(desk, "--overdue", "--holder", "BS1")] == [True]
    assert listed(desk, "--paper", "referral") == []
    shown = cli("sign", "list", "--config", str(desk.plan.folder)).stdout
    assert "chờ bước trước" in shown
    assert "QUÁ HẠN" in shown


def test_a_pin_that_is_not_written_is_asked_for(desk: Desk) -> None:
    wrong = sign(desk, "BS1", password="something else")
    assert (wrong.returncode, "LT5002" in wrong.stderr) == (1, True)
    assert "something else" not in wrong.stderr + wrong.stdout
    done = sign(desk, "BS1", "--json", password=PASSWORD)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout[done.stdout.index("{") :])
    assert (said["signed"], said["left"], said["failed"]) == (1, 0, [])
    written = [path for path in desk.plan.folder.rglob("*") if path.is_file() and "secrets" not in path.parts]
    assert not any(PASSWORD.encode() in path.read_bytes() for path in written), "the ledger least of all"


def test_two_people_sign_and_the_node_seals(desk: Desk) -> None:
    assert sign(desk, "BS1", password=PASSWORD).returncode == 0
    done = sign(desk, "TK1")
    assert "1/1 discharge_paper" in done.stderr
    assert "đã ký 1, không ký được 0, còn lại 0" in done.stdout
    desk.clock.forward(120)
    desk.work()
    assert rows(desk)[0].state == "signed"
    assert listed(desk) == []


def test_what_cannot_be_signed_is_told_and_the_exit_code_says_so(desk: Desk) -> None:
    (head,) = listed(desk, "--holder", "TK1")
    done = sign(desk, "TK1", "--task", head["id"])
    assert (done.returncode, "LT5141" in done.stderr) == (1, True)
    assert "LT5140" in sign(desk, "XX1").stderr


def test_refusing_and_leaving_out_need_a_reason(desk: Desk) -> None:
    folder = str(desk.plan.folder)
    (doctor,) = listed(desk, "--holder", "BS1")
    assert cli("sign", "refuse", doctor["id"], "--holder", "BS1", "-c", folder).returncode == 2
    assert sign(desk, "BS1", password=PASSWORD).returncode == 0
    (head,) = listed(desk, "--holder", "TK1")
    assert cli("sign", "skip", head["id"], "--holder", "TK1", "-r", "vắng", "-c", folder).returncode == 1
    assert cli("sign", "skip", head["id"], "--holder", "BS1", "-r", "vắng", "-c", folder).returncode == 0
    desk.clock.forward(120)
    desk.work()
    assert rows(desk)[0].state == "signed"


def test_a_refused_paper_is_sent_back(desk: Desk) -> None:
    (doctor,) = listed(desk, "--holder", "BS1")
    done = cli("sign", "refuse", doctor["id"], "--holder", "BS1", "-r", "sai thuốc", "-c", str(desk.plan.folder))
    assert done.returncode == 0, done.stderr
    assert [row.state for row in rows(desk)] == ["returned", "due"]
    assert rows(desk)[1].id in done.stdout
