"""`lienthong find`: messages, documents and deliveries by any number that has to do with them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from gateway.records import message_search
from gateway.records.message_search import KINDS, Found
from gateway.store import deliveries, schema, search_schema
from tests.conftest import HandClock
from tests.integration.gateway.desk import Desk, Inline, evn, message, pid, pv1
from tests.site import cli, cli_json

CARD = "HS4010123456789"
POOL: Any = Inline()


@pytest.fixture
def desk(tmp_path: Path, store_url: str, clock: HandClock) -> Iterator[Desk]:
    made = Desk(tmp_path / "site", store_url, clock)
    yield made
    made.store.close()


def find(desk: Desk, value: str, *kinds: str, limit: int = 50) -> Found:
    return desk.store.read_now(lambda c: message_search.find(c, desk.keyring, value, kinds or KINDS, limit))


def ids(found: Found) -> list[str]:
    return [row.id for row in found.messages]


def fill(desk: Desk) -> int:
    return asyncio.run(message_search.fill(desk.plan, desk.store, POOL))


def admitted(desk: Desk, number: str, visit: str, control_id: str, *more: str) -> str:
    return desk.send(message("ADT^A01", control_id, evn(), pid(number), pv1(visit), *more))


def discharged(desk: Desk, number: str, visit: str, control_id: str) -> str:
    admitted(desk, number, visit, f"{control_id}a")
    stay = pv1(visit).split("|")
    stay[36:37] = ["01"]
    return desk.send(message("ADT^A03", control_id, evn(), pid(number), "|".join((*stay, "20261121090000"))))


def test_by_every_number_in_a_message(desk: Desk) -> None:
    card = "IN1|1|BHYT" + "|" * 34 + CARD
    first = admitted(desk, "BN1", "LK1", "c1", card)
    second = admitted(desk, "BN1", "LK2", "c2")
    order = desk.send(message("ORM^O01", "c3", pid("BN2"), "ORC|NW|CD7^HIS|PK7^LIS", "OBR|1|CD7^HIS|PK8^LIS|X^Y^L"))
    assert ids(find(desk, "bn1")) == [second, first]
    assert find(desk, "BN1").kinds == ["patient"]
    assert ids(find(desk, "LK1", "encounter")) == [first]
    assert ids(find(desk, "LK1", "patient", "order")) == []
    assert ids(find(desk, CARD)) == ids(find(desk, CARD[-10:])) == [first]
    for number in ("CD7", "PK7", "PK8"):
        assert (ids(find(desk, number)), find(desk, number).kinds) == ([order], ["order"])
    assert (ids(find(desk, "c2")), find(desk, "c2").kinds) == ([second], ["control"])
    assert (ids(find(desk, first.upper())), find(desk, first).kinds) == ([first], ["message"])
    assert find(desk, "BN9") == Found(messages=[], documents=[], deliveries=[])


def test_only_the_newest_and_says_that_there_are_more(desk: Desk) -> None:
    sent = [admitted(desk, "BN1", f"LK{n}", f"c{n}") for n in range(3)]
    found = find(desk, "BN1", limit=2)
    assert (ids(found), found.more) == (sent[:0:-1], True)
    assert find(desk, "BN1", limit=3).more is False


def test_the_table_holds_no_number(desk: Desk) -> None:
    admitted(desk, "BN1", "LK1", "c1")
    stored = desk.store.read_now(lambda c: list(c.execute(sa.select(search_schema.message_key))))
    assert len(stored) == 3, "patient, encounter, control"
    assert all(len(row.key) == 16 for row in stored)


def test_what_was_refused_and_what_older_versions_stored(desk: Desk) -> None:
    mapped = admitted(desk, "BN1", "LK1", "c1")
    repeat = desk.ask(message("ADT^A01", "c1", evn(), pid("BN1"), pv1("LK1"))).message_id
    unknown = desk.send(message("ZZZ^Z01", "c2", pid("BN1")))
    rubbish = desk.ask(b"no message").message_id
    assert ids(find(desk, "BN1")) == [mapped]
    assert (fill(desk), fill(desk)) == (3, 0)
    assert ids(find(desk, "BN1")) == [unknown, repeat, mapped]
    assert ids(find(desk, "c1")) == [repeat, mapped]
    assert rubbish is not None
    desk.store.write_now(lambda c: c.execute(sa.delete(search_schema.message_key)))
    desk.store.write_now(lambda c: c.execute(sa.update(schema.message).values(keyed=False)))
    assert fill(desk) == 4
    assert ids(find(desk, "LK1")) == [repeat, mapped]


def test_a_message_that_waits_is_left_to_the_pipeline(desk: Desk) -> None:
    waiting = desk.ask(message("ADT^A01", "c1", evn(), pid("BN1"), pv1("LK1"))).message_id
    assert fill(desk) == 0
    desk.work()
    assert (ids(find(desk, "BN1")), fill(desk)) == ([waiting], 0)


def test_documents_and_deliveries(desk: Desk, tmp_path: Path) -> None:
    asked = discharged(desk, "BN1", "LK1", "c1")
    (paper,) = find(desk, "LK1").documents
    assert paper.message_id == asked

    def send(connection: Connection) -> set[str]:
        places = ("portal", "axis")
        return {deliveries.insert(connection, paper.id, place, b"k", "law", 1, "pending") for place in places}

    places = desk.store.write_now(send)
    assert {row.id for row in find(desk, "BN1").deliveries} == places
    for number in ("BN1", "LK1", "c1", asked, paper.id, *places):
        found = find(desk, number)
        assert [row.id for row in found.documents] == [paper.id], number
        assert asked in ids(found), number
    (sent, *_) = places
    assert [row.id for row in find(desk, sent).deliveries] == [sent]
    desk.store.write_now(
        lambda c: c.execute(sa.update(schema.delivery).where(schema.delivery.c.id == sent).values(reference="GD/9"))
    )
    assert [row.id for row in find(desk, "GD/9").deliveries] == [sent]
    assert find(desk, "GD/9").kinds == ["delivery"]
    assert find(desk, "", "delivery").deliveries == []


def test_documents_about_the_person_under_another_number(desk: Desk) -> None:
    discharged(desk, "BN1", "LK1", "c1")
    (paper,) = find(desk, "BN1").documents
    desk.send(message("ADT^A40", "c9", evn(), pid("BN2"), "MRG|BN1^^^01999^PI"))
    found = find(desk, "BN2")
    assert [row.id for row in found.documents] == [paper.id]


def test_the_command(desk: Desk, tmp_path: Path) -> None:
    at = ("--config", str(tmp_path / "site"))
    first = admitted(desk, "BN1", "LK1", "c1")
    told = cli_json("find", "BN1", *at)
    assert (told["found_as"], told["more"], [m["id"] for m in told["messages"]]) == (["patient"], False, [first])
    assert first in cli("find", "BN1", "--kind", "patient", *at, check=True).stdout
    assert cli("find", "BN1", "--kind", "order", *at).returncode == 1
    assert cli("find", "BN1", "--kind", "name", *at).returncode == 2
