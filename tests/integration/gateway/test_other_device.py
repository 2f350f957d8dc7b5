"""A key that signs in another device than the hand-over record names: told once, or refused where the settings say so."""

from __future__ import annotations

import base64
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from gateway import signing_run, steps
from gateway.certificates import binding, lists, procedure
from gateway.certificates.register import find
from gateway.configuration import load
from gateway.faults import ConfigInvalid, DeviceDiffers, HandOverMissing, ReasonMissing
from gateway.proof import pages
from gateway.signing_relay import Relay, Who
from signing.certificates import load_roots
from tests.integration.gateway.faces import House, program
from tests.integration.gateway.test_papers import discharge, rows
from tests.unit.signing.forge_pdf import base

RECORDED = "T-1"
"""What `Register.hand_over` writes."""
ME = Who("BS1", "lan", "PC-12")


@pytest.fixture
def house(tmp_path: Path) -> House:
    made = House(tmp_path / "config")
    made.desk.send(discharge("1"))
    return made


def begin(house: House, device: str, other_device: Literal["tell", "refuse"] = "tell") -> Any:
    """Begin a sitting of the doctor on the page, whose token states `device`."""
    signing = replace(house.plan.signing, other_device=other_device)
    relay = Relay(replace(house.plan, signing=signing), house.desk.store, house.clock)
    tasks = [one["id"] for one in relay.work("BS1") if one["state"] != "waiting"]
    chain = [house.people["BS1"].certificate.public_bytes(Encoding.DER)]
    handed = relay.begin(ME, tasks, chain, ["RS256", "ES256"], device)
    relay.end(ME, handed.ticket)
    return handed


def told(house: House, code: str = "BS1") -> list[tuple[str, str]]:
    events = house.desk.store.read_now(lambda c: lists.events(c, code))
    return [(one["event"], one["reason"]) for one in events if "device" in one["event"]]


@pytest.mark.parametrize("stated", ["", "T-1", "t1", " T 1 ", "0000T1"])
def test_the_device_that_was_handed_over_signs(stated: str, house: House) -> None:
    handed = begin(house, stated, "refuse")
    assert (len(handed.papers), handed.refused) == (1, {})
    assert told(house) == []


def test_another_one_is_told_once(house: House) -> None:
    for stated in ("X9", "X9", "Y8"):
        assert len(begin(house, stated).papers) == 1
    assert told(house) == [
        ("other_device", "device Y8, handed over T-1"),
        ("other_device", "device X9, handed over T-1"),
    ]


def test_another_one_is_refused_where_the_settings_say_so(house: House) -> None:
    handed = begin(house, "X9", "refuse")
    (fault,) = handed.refused.values()
    assert isinstance(fault, DeviceDiffers)
    assert (handed.papers, fault.detail) == ({}, "device X9, handed over T-1")
    assert told(house) == []


def test_the_record_is_corrected_with_a_reason(house: House) -> None:
    def correct(serial: str, reason: str) -> Any:
        return house.register.do(lambda c: procedure.device(c, house.register.act(reason), "BS1", serial))

    with pytest.raises(ReasonMissing):
        correct("X9", "")
    with pytest.raises(HandOverMissing):
        correct(" ", "số dán trên vỏ")
    assert correct("X9", "số dán trên vỏ")["device"]["serial"] == "X9"
    assert len(begin(house, "X9", "refuse").papers) == 1
    assert told(house) == [("device", "số dán trên vỏ")]
    row = house.desk.store.read_now(lambda c: find(c, "BS1"))
    assert row.state == "active", "nothing else changes"


def test_a_sitting_on_this_machine_is_asked_too(house: House) -> None:
    class OnToken:
        chain = (house.people["BS1"].certificate,)
        algorithms = ("RS256", "ES256")
        device = "X9"

    key: Any = OnToken()
    plan = replace(house.plan, signing=replace(house.plan.signing, other_device="refuse"))
    sitting = signing_run.Run(plan, house.desk.store, house.clock, "BS1", key, "lan", "PC-12")
    outcome = sitting.sign()
    ((_, fault),) = outcome.failed
    assert isinstance(fault, DeviceDiffers)


def test_programs_and_pages_are_told_of_another_one(house: House) -> None:
    body = {
        "chain": [base64.b64encode(house.people["BS1"].certificate.public_bytes(Encoding.DER)).decode()],
        "algorithms": ["RS256", "ES256"],
    }
    with house.open() as address, program(address) as client:
        (task,) = [one["id"] for one in client.get("/api/sign/tasks?holder=BS1").json() if one["state"] != "waiting"]
        for stated, differs in (("T 1", None), ("X9", {"stated": "X9", "handed_over": RECORDED})):
            asked = {**body, "tasks": [task], "device": stated}
            handed = client.post("/api/sign/sittings?holder=BS1", json=asked).json()
            assert handed["other_device"] == differs
            client.post("/api/sign/sittings/end?holder=BS1", json={"ticket": handed["ticket"]})


def sealing(folder: Path, other_device: str, device: str, monkeypatch: pytest.MonkeyPatch) -> House:
    """Let a node seal with a key whose device states `device`, where T-1 was handed over."""
    house = House(folder, policies='[[policy]]\n[[policy.step]]\nrole = "seal"\n')
    register, data = house.register, (house.plan.folder / "keys" / "facility.pem").read_bytes()
    register.holder("01999", "Bệnh viện Đa khoa Thử Nghiệm", "organisation", "seal")
    found = register.requested("01999")
    register.step("approve", found)
    roots = load_roots(house.plan.signing.trust)
    register.do(lambda c: binding.issue(c, register.get(found), data, roots, register.act()))
    register.hand_over(found, received_by="Lê Thị Lan")
    register.commit("01999")
    register.step("activate", found)
    object.__setattr__(house.plan.signing, "other_device", other_device)
    for module in (steps, pages):
        monkeypatch.setattr(module, "device_of", lambda _: device)
    house.desk.send(discharge("1"))
    return house


@pytest.mark.parametrize(("device", "events"), [("t1", []), ("X9", [("other_device", "device X9, handed over T-1")])])
def test_the_seal_of_the_node_is_asked_too(
    device: str, events: list[tuple[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = sealing(tmp_path / "config", "tell", device, monkeypatch)
    (row,) = rows(house.desk)
    assert row.state == "signed"
    pages.issue(house.plan, house.desk.store, house.clock, row.id, "lan", lambda: base())
    assert told(house, "01999") == events


def test_a_seal_in_another_device_seals_nothing_where_the_settings_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = sealing(tmp_path / "config", "refuse", "X9", monkeypatch)
    (row,) = rows(house.desk)
    assert (row.state, row.fault_code) == ("error", DeviceDiffers.code)
    with pytest.raises(DeviceDiffers):
        pages.issue(house.plan, house.desk.store, house.clock, row.id, "lan", lambda: base())
    assert told(house, "01999") == []


def test_the_setting_is_checked(tmp_path: Path) -> None:
    house = House(tmp_path / "config")
    file = house.plan.folder / "node.toml"
    before = file.read_text()
    file.write_text(before.replace("[signing]\n", '[signing]\nother_device = "refuse"\n'))
    assert load(house.plan.folder).signing.other_device == "refuse"
    file.write_text(before.replace("[signing]\n", '[signing]\nother_device = "ask"\n'))
    with pytest.raises(ConfigInvalid) as caught:
        load(house.plan.folder)
    assert [one.where.partition(":")[2].partition(":")[0] for one in caught.value.problems] != []
