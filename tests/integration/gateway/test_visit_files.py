"""Files of the insurance interface at the door: a message for each visit, all or none of them, each byte kept."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import random
from datetime import date
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import sqlalchemy as sa

from connectors.contract import Answer
from gateway.faults import StoreUnavailable
from gateway.store import messages
from gateway.store.search_schema import message_key
from mappings.bhyt.envelope import envelope
from mappings.bhyt.rows import rows_to_xml
from mappings.bhyt.tables import table
from mappings.bhyt.visits import read_visits
from mappings.hl7v2.business_keys import looked_for
from tests.conftest import HandClock
from tests.integration.gateway.desk import Desk
from tests.unit.bhyt import generated


def visit_file(person: str = "BN1", number: str = "LK-1", ended: str = "202611051530") -> bytes:
    row = generated.row(table("XML1"), random.Random(number))
    row |= {"MA_LK": number, "MA_BN": person, "NGAY_RA": ended}
    return envelope("01999", date(2026, 11, 6), [("XML1", rows_to_xml(table("XML1"), [row]))])


def several(*files: bytes) -> bytes:
    inner = b"".join(one.partition(b"<DANHSACHHOSO>")[2].partition(b"</DANHSACHHOSO>")[0] for one in files)
    head, _, rest = files[0].partition(b"<DANHSACHHOSO>")
    tail = rest.partition(b"</DANHSACHHOSO>")[2]
    head = head.replace(b"<SOLUONGHOSO>1<", b"<SOLUONGHOSO>%d<" % len(files))
    return head + b"<DANHSACHHOSO>" + inner + b"</DANHSACHHOSO>" + tail


@pytest.fixture
def desk(tmp_path: Path, clock: HandClock) -> Desk:
    return Desk(tmp_path / "site", f"sqlite:///{tmp_path / 'ledger.db'}", clock, accept=("GDBHYT", "ADT"))


def rows(desk: Desk) -> list[Any]:
    return list(reversed(desk.store.read_now(lambda connection: messages.listing(connection))))


def told(answer: Answer) -> dict[str, Any]:
    (frame,) = answer.frames
    content: dict[str, Any] = json.loads(frame)
    return content


def kept(desk: Desk, message_id: str) -> bytes:
    return desk.keyring.open(desk.store.read_now(lambda connection: messages.body(connection, message_id)), message_id)


def test_a_visit_is_a_message(desk: Desk) -> None:
    raw = visit_file()
    answer = desk.ask(raw)
    (row,) = rows(desk)
    assert answer.positive
    assert told(answer) == {"answer": "AA", "message": row.id, "visits": [row.id], "repeats": [], "faults": []}
    assert (row.type, row.sender, row.version, row.state) == ("GDBHYT^3176", "01999", "1931", "received")
    assert row.control_id == row.sha256 == hashlib.sha256(raw).hexdigest()
    assert kept(desk, row.id) == raw


@pytest.mark.parametrize(("ended", "type_"), [("202412310800", "GDBHYT^4750"), ("202311010800", "GDBHYT^4750")])
def test_the_end_of_the_visit_names_the_version(desk: Desk, ended: str, type_: str) -> None:
    desk.ask(visit_file(ended=ended))
    assert [row.type for row in rows(desk)] == [type_]


def test_a_file_of_several_visits_is_kept_and_each_visit_is_a_message(desk: Desk) -> None:
    raw = several(visit_file("BN1", "LK-1"), visit_file("BN2", "LK-2"), visit_file("BN1", "LK-3"))
    answer = desk.ask(raw)
    whole, *parts = rows(desk)
    assert (whole.type, whole.state) == ("GDBHYT^FILE", "kept")
    assert kept(desk, whole.id) == raw
    assert [row.state for row in parts] == ["received"] * 3
    assert [row.control_id for row in parts] == [f"{whole.sha256}#{n}" for n in (1, 2, 3)]
    assert told(answer)["visits"] == [row.id for row in parts]
    for number, row in enumerate(parts, 1):
        (content,) = [kept(desk, row.id).partition(b"<NOIDUNGFILE>")[2].partition(b"<")[0]]
        assert f"<MA_LK>LK-{number}</MA_LK>".encode() in base64.b64decode(content)


def test_visits_of_one_person_wait_for_each_other(desk: Desk) -> None:
    desk.ask(several(visit_file("BN1", "LK-1"), visit_file("BN2", "LK-2"), visit_file("BN1", "LK-3")))

    def keys(connection: Any) -> list[bytes]:
        return [bytes(messages.get(connection, row.id).order_key) for row in rows(desk)[1:]]

    one, two, three = desk.store.read_now(keys)
    assert one == three
    assert one != two


def test_the_same_file_again_is_a_repeat(desk: Desk) -> None:
    raw = several(visit_file("BN1", "LK-1"), visit_file("BN2", "LK-2"))
    first, second = desk.ask(raw), desk.ask(raw)
    assert second.positive
    assert len(told(second)["repeats"]) == 3
    assert told(second)["repeats"][0] == told(first)["message"]
    assert [row.state for row in rows(desk)] == ["kept", "received", "received", "duplicate", "duplicate", "duplicate"]


def test_a_corrected_visit_is_another_message(desk: Desk) -> None:
    desk.ask(visit_file())
    answer = desk.ask(visit_file(ended="202611051600"))
    assert answer.positive
    assert [row.state for row in rows(desk)] == ["received", "received"]


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"<GIAMDINHHS><cut", 3001),
        (b"\xef\xbb\xbf <html/>", 3305),
        (b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b 'c'>]><GIAMDINHHS/>", 3001),
        (visit_file()[:-40], 3001),
        ("<GIAMDINHHS/>".encode("utf-16"), 3305),
    ],
)
def test_what_cannot_be_read_is_kept_and_refused(desk: Desk, raw: bytes, code: int) -> None:
    answer = desk.ask(raw)
    (row,) = rows(desk)
    assert not answer.positive
    assert answer.message_id == row.id
    assert (row.state, row.type, row.fault_code) == ("error", "XML", code)
    assert [fault["code"] for fault in told(answer)["faults"]] == [f"LT{code}"]
    assert told(answer)["faults"][0]["text"]
    assert kept(desk, row.id) == raw


def test_a_channel_that_does_not_take_them_says_so(tmp_path: Path, clock: HandClock) -> None:
    desk = Desk(tmp_path / "site", f"sqlite:///{tmp_path / 'ledger.db'}", clock, accept=("ADT",))
    answer = desk.ask(visit_file())
    assert not answer.positive
    assert [(row.state, row.fault_code) for row in rows(desk)] == [("error", 2203)]


def test_a_store_that_fails_keeps_nothing_and_says_try_again(desk: Desk) -> None:
    with patch.object(desk.store, "write", side_effect=StoreUnavailable()):
        answer = desk.ask(visit_file())
    assert (answer.positive, answer.message_id) == (False, None)
    assert told(answer)["answer"] == "AR"
    assert rows(desk) == []


def test_hl7_goes_its_own_way(desk: Desk) -> None:
    answer = asyncio.run(desk.intake.receive(b"MSH|^~\\&|HIS|01999|||2026||ADT^A04|1|P|2.5.1\r", "p"))
    assert answer.frames[0].startswith(b"MSH|")


def test_a_visit_becomes_a_record_that_is_found_by_its_numbers(desk: Desk) -> None:
    message_id = desk.send(visit_file())
    row = desk.state(message_id)
    assert (row.state, row.fault_code) == ("mapped", 0)
    patient, encounter = desk.get(desk.patient("BN1")), desk.of(desk.patient("BN1"), "Encounter")[0]
    assert patient["meta"]["source"] == f"urn:uuid:{message_id}"
    assert "LK-1" in [one["value"] for one in encounter["identifier"]]
    (listed,) = rows(desk)
    assert listed.mapped > 20
    fields = populated(visit_file())
    assert listed.mapped + listed.ignored + listed.unknown == fields
    for kind, number in (("patient", "bn1"), ("encounter", "LK-1"), ("control", row.control_id)):
        assert found(desk, kind, number) == ([message_id] if kind != "control" else []), kind


def test_a_file_of_several_visits_maps_each(desk: Desk) -> None:
    desk.send(several(visit_file("BN1", "LK-1"), visit_file("BN2", "LK-2")))
    assert [row.state for row in rows(desk)] == ["kept", "mapped", "mapped"]
    assert desk.get(desk.patient("BN2"))["resourceType"] == "Patient"


def populated(raw: bytes) -> int:
    (visit,) = read_visits(raw)
    return sum(1 for table_rows in visit.tables.values() for row in table_rows for text in row.values() if text)


def found(desk: Desk, kind: str, number: str) -> list[str]:
    (value,) = looked_for(kind, number)
    key = desk.keyring.search_key("message", f"{kind}|{value}")
    query = sa.select(message_key.c.message_id).where(message_key.c.key == key)
    return list(desk.store.read_now(lambda connection: list(connection.scalars(query))))
