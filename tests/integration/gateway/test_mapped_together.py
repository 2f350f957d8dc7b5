"""Messages that are mapped at the same time are stored in one turn of the writer: each as if it had come alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from gateway.pipeline import Pipeline
from gateway.records import resources
from gateway.store import messages
from mappings.formats import json
from mappings.formats.faults import Fault
from tests.conftest import HandClock
from tests.integration.gateway.desk import Desk, Inline, evn, message, pid

OBX = "OBX|1|NM|HGB^Hemoglobin^L||13.5|g/dL|||||F"


@pytest.fixture
def desk(tmp_path: Path, clock: HandClock) -> Desk:
    made = Desk(tmp_path / "site", f"sqlite:///{tmp_path / 'ledger.db'}", clock, accept=("ADT", "ORU"), produce=())
    pool: Any = Inline()
    made.pipeline = Pipeline(made.plan, made.store, pool, clock, "n1", ring=lambda: None, parallel=8)
    return made


@pytest.fixture
def groups(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count how many messages each turn of the writer stores."""
    found: list[int] = []
    store = desk.pipeline._commit_each

    def counting(connection: Any, done: Any) -> Any:
        found.append(len(done))
        return store(connection, done)

    monkeypatch.setattr(desk.pipeline, "_commit_each", counting)
    return found


def result(number: int, doctor: str) -> bytes:
    who = pid(f"BN{number}", f"Trần^An {number}", "19800305")
    return message("ORU^R01^ORU_R01", str(number), who, f"OBR|1||F{number}|PANEL^P^L||||||||||||{doctor}", OBX)


def take_in(desk: Desk, *several: bytes) -> None:
    for one in several:
        assert desk.ask(one).positive
        desk.clock.forward(1)
    desk.work()


def states(desk: Desk) -> list[str]:
    return [one.state for one in reversed(desk.store.read_now(lambda c: messages.listing(c, limit=0)))]


def versions(desk: Desk, reference: str) -> list[tuple[int, bool]]:
    type_, _, id_ = reference.partition("/")
    query = text("SELECT version, current FROM resource WHERE type = :type AND id = :id ORDER BY version")
    return [
        (row.version, bool(row.current))
        for row in desk.store.read_now(lambda c: list(c.execute(query, {"type": type_, "id": id_})))
    ]


def test_what_several_messages_tell_of_one_doctor_are_versions_of_one_resource(desk: Desk, groups: list[int]) -> None:
    told = [result(number, f"D1^Bác sĩ {'ABCDE'[number]}") for number in range(5)]
    take_in(desk, *told)
    assert max(groups) > 1
    assert states(desk) == ["mapped"] * 5
    observation = desk.of(desk.patient("BN4"), "Observation")
    assert len(observation) == 1
    doctors = [one for one in desk.record(desk.patient("BN4")) if one["resourceType"] == "Practitioner"]
    (doctor,) = doctors
    assert "E" in json.dumps(doctor["name"]).decode()
    assert versions(desk, f"Practitioner/{doctor['id']}") == [(n, n == 5) for n in range(1, 6)]


def test_a_confirmation_beside_what_it_confirms_counts(desk: Desk, groups: list[int]) -> None:
    take_in(desk, *(result(number, "D1^Bác sĩ A") for number in range(3)))
    assert max(groups) > 1
    doctors = [one for one in desk.record(desk.patient("BN2")) if one["resourceType"] == "Practitioner"]
    assert versions(desk, f"Practitioner/{doctors[0]['id']}") == [(1, True)]


def test_one_that_cannot_be_stored_spoils_no_other(
    desk: Desk, groups: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    save = resources.save

    def failing(connection: Any, keyring: Any, told: Any, said: Any, now: int, known: Any = None) -> Any:
        if any("BN2" in json.dumps(one).decode() for one in told):
            raise Fault(detail="planted")
        return save(connection, keyring, told, said, now, known)

    monkeypatch.setattr(resources, "save", failing)
    take_in(desk, *(result(number, "D1^Bác sĩ A") for number in range(5)))
    assert max(groups) > 1
    assert states(desk) == ["mapped", "mapped", "error", "mapped", "mapped"]


def test_a_merge_among_others_is_seen_by_those_after_it(desk: Desk, groups: list[int]) -> None:
    for number in ("BN1", "BN9"):
        desk.send(message("ADT^A01^ADT_A01", f"A{number}", evn(), pid(number, "Trần^An"), "PV1|1|I"))
    merge = message("ADT^A40^ADT_A39", "M1", evn(), pid("BN1", "Trần^An"), "MRG|BN9")
    take_in(desk, result(3, "D1^A"), merge, result(4, "D1^A"))
    assert states(desk) == ["mapped"] * 5
    assert desk.get(desk.patient("BN9"))["active"] is False
