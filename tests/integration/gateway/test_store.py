"""The store on both engines: group commit, leases, order, migrations."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import event
from sqlalchemy.engine import Connection

from gateway.faults import NodeRunning, StoreUnavailable
from gateway.store import (
    card_schema,
    codes,
    deliveries,
    dispatch,
    documents,
    image_schema,
    job_schema,
    leases,
    messages,
    resources,
    schema,
    search_schema,
)
from gateway.store import engine as engine_module
from gateway.store.documents import NewDocument
from gateway.store.engine import Store, _call, _Unit, make_engine, open_store
from gateway.store.ids import uuid7
from gateway.store.messages import NewMessage
from gateway.store.raw import Raw, padded
from gateway.store.resources import Version
from tests.servers import wait_until


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    opened = open_store(store_url)
    yield opened
    opened.close()


def new_message(key: bytes = b"k", dedupe: bytes | None = None, **changes: object) -> NewMessage:
    message = NewMessage(
        id=uuid7(),
        channel="his",
        received_at=10,
        peer="127.0.0.1:1",
        sender="HIS|01999",
        control_id="1",
        type="ADT^A01",
        version="2.5.1",
        size=3,
        sha256="0" * 64,
        body=b"abc",
        dedupe_key=dedupe,
        order_key=key,
        state="received",
        answer="AA",
    )
    return replace(message, **changes)  # type: ignore[arg-type]


def take(store: Store, now: int = 100, limit: int = 10, owner: str = "n1") -> list[str]:
    return [
        row.id
        for row in store.write_now(
            lambda c: messages.take_received(c, owner=owner, now=now, until=now + 50, limit=limit)
        )
    ]


def test_many_writers_share_commits_and_each_gets_its_own_result(store: Store) -> None:
    async def main() -> list[str]:
        def unit(connection: Connection, name: str) -> str:
            messages.insert_all(connection, [new_message(control_id=name)])
            return name

        return await asyncio.gather(*(store.write(lambda c, n=str(n): unit(c, n)) for n in range(300)))  # type: ignore[misc]

    assert asyncio.run(main()) == [str(n) for n in range(300)]
    assert store.read_now(lambda c: c.scalar(sa.select(sa.func.count()).select_from(schema.message))) == 300


def test_threads_that_wait_share_commits_too(store: Store) -> None:
    sizes: list[int] = []
    begun, gate = threading.Event(), threading.Event()

    def batch(connection: Connection, items: list[int]) -> list[int]:
        sizes.append(len(items))
        if 13 in items:
            raise ValueError("mine")
        return [item * 2 for item in items]

    def held(connection: Connection) -> None:
        begun.set()
        assert gate.wait(20)

    with ThreadPoolExecutor(9) as threads:
        holding = threads.submit(store.write_waiting, held, 20)
        assert begun.wait(20)
        waiting = [threads.submit(store.write_each_waiting, batch, n, 20) for n in range(8)]
        wait_until(lambda: store._writer_waits and store._units.qsize() == 7)
        gate.set()
        assert [one.result() for one in waiting] == [n * 2 for n in range(8)]
        holding.result()
        assert sizes == [8]
        with pytest.raises(ValueError, match="mine"):
            store.write_each_waiting(batch, 13, 20)


def test_a_thread_waits_no_longer_than_it_said(store: Store) -> None:
    begun, gate = threading.Event(), threading.Event()

    def held(connection: Connection) -> None:
        begun.set()
        assert gate.wait(20)

    with ThreadPoolExecutor(1) as threads:
        holding = threads.submit(store.write_waiting, held, 20)
        try:
            assert begun.wait(20)
            with pytest.raises(TimeoutError):
                store.write_waiting(lambda connection: None, 0.01)
        finally:
            gate.set()
        holding.result()


def test_a_thread_that_waits_alone_writes_itself_and_others_are_not_passed_over(store: Store) -> None:
    written: list[str] = []

    def unit(connection: Connection) -> None:
        written.append(threading.current_thread().name)

    store.write_waiting(unit, 20)
    assert written == [threading.current_thread().name]
    with ThreadPoolExecutor(1, "queued") as threads:
        with store._turn:
            queued = threads.submit(store.write_waiting, unit, 20)
            wait_until(lambda: store._writer_waits and store._units.empty())
            assert not store._write_here(_Unit(_call, unit, Future(), None))
        queued.result(20)
    assert written[1:] == ["store-write"]


def test_a_thread_that_comes_after_the_end_is_told(store_url: str) -> None:
    store = open_store(store_url)
    store.close()
    with pytest.raises(StoreUnavailable, match="closed"):
        store.write_waiting(lambda connection: None, 20)


def test_a_failing_unit_does_not_spoil_the_others(store: Store) -> None:
    async def main() -> list[object]:
        def good(connection: Connection) -> str:
            messages.insert_all(connection, [new_message()])
            return "good"

        def bad(connection: Connection) -> str:
            messages.insert_all(connection, [new_message()])
            raise ValueError("mine")

        return list(await asyncio.gather(*(store.write(u) for u in (good, bad, good)), return_exceptions=True))

    first, second, third = asyncio.run(main())
    assert (first, third) == ("good", "good")
    assert isinstance(second, ValueError)
    assert store.read_now(lambda c: c.scalar(sa.select(sa.func.count()).select_from(schema.message))) == 2


@pytest.mark.parametrize("known", [True, False], ids=["the writer has its connection", "it has to connect anew"])
def test_a_store_that_somebody_keeps_locked_is_waited_for_once_by_all_who_came_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    monkeypatch.setattr(engine_module, "_LOCKED_S", 0.2)
    store = open_store(f"sqlite:///{tmp_path}/ledger.db")
    commit, tries = store._commit, []

    def counted(group: list[_Unit], *more: int) -> list[_Unit]:
        tries.append(len(group))
        return commit(group, *more)

    async def several() -> list[object]:
        def doubled(connection: Connection, items: list[int]) -> list[int]:
            return [item * 2 for item in items]

        return await asyncio.gather(*(store.write_each(doubled, n) for n in range(5)), return_exceptions=True)

    monkeypatch.setattr(store, "_commit", counted)
    try:
        if known:
            asyncio.run(several())
        tries.clear()
        with closing(sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            found = asyncio.run(several())
            other.execute("ROLLBACK")
        assert [type(one) for one in found] == [StoreUnavailable] * 5
        assert tries == [5]
        assert asyncio.run(several()) == [0, 2, 4, 6, 8], "and it goes on afterwards"
    finally:
        store.close()


def test_a_database_fault_is_told_without_values(store: Store) -> None:
    message = new_message(control_id="secret-name")

    async def main() -> None:
        await store.write(lambda c: messages.insert_all(c, [message]))
        await store.write(lambda c: c.execute(schema.message.insert(), messages._values(message)))

    with pytest.raises(StoreUnavailable) as caught:
        asyncio.run(main())
    assert "secret-name" not in str(caught.value)


def test_schema_of_migrations_is_the_schema_of_the_code(store_url: str) -> None:
    open_store(store_url).close()
    engine = make_engine(store_url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        for other in (job_schema.job, search_schema.message_key, image_schema.study, card_schema.card_lookup):
            assert other.metadata is schema.metadata
        assert compare_metadata(context, schema.metadata) == []
    engine.dispose()


def test_one_process_per_node_name(store_url: str) -> None:
    first, second = open_store(store_url), open_store(store_url)
    try:
        first.claim_node("n1")
        second.claim_node("n2")
        with pytest.raises(NodeRunning):
            second.claim_node("n1")
    finally:
        first.close()
        second.close()


def test_of_each_key_only_the_oldest_is_taken_and_only_once(store: Store) -> None:
    a1, a2, b1 = (new_message(key=key) for key in (b"a", b"a", b"b"))
    for message in (a1, a2, b1):
        store.write_now(lambda c, m=message: messages.insert_all(c, [m]))  # type: ignore[misc]
    assert take(store) == [a1.id, b1.id]
    assert take(store) == []
    assert store.write_now(lambda c: messages.move(c, a1.id, "map"))
    assert take(store) == [a2.id]
    assert take(store, now=151) == [a2.id, b1.id] or take(store, now=151) == []


def test_a_lease_that_ran_out_is_taken_by_another(store: Store) -> None:
    message = new_message()
    store.write_now(lambda c: messages.insert_all(c, [message]))
    assert take(store, now=100) == [message.id]
    assert take(store, now=149, owner="n2") == []
    assert take(store, now=150, owner="n2") == [message.id]


def test_a_message_in_error_holds_nobody(store: Store) -> None:
    first, second = new_message(key=b"a", state="error", answer="AE"), new_message(key=b"a")
    for message in (first, second):
        store.write_now(lambda c, m=message: messages.insert_all(c, [m]))  # type: ignore[misc]
    assert take(store) == [second.id]


def test_a_dedupe_key_is_taken_once(store: Store) -> None:
    first, again = new_message(dedupe=b"d"), new_message(dedupe=b"d")
    other, third = new_message(dedupe=b"d", sha256="1" * 64), new_message(dedupe=b"e")
    outcomes = store.write_now(lambda c: messages.insert_all(c, [first, again]))
    outcomes += store.write_now(lambda c: messages.insert_all(c, [other, third]))
    assert [earlier and earlier.id for earlier in outcomes] == [None, first.id, first.id, None]
    rows = [store.read_now(lambda c, i=m.id: messages.get(c, i)) for m in (first, again, other, third)]  # type: ignore[misc]
    assert [row.state for row in rows] == ["received", "duplicate", "error", "received"]
    assert [row.answer for row in rows] == ["AA", "AA", "AE", "AA"]
    assert [row.repeats_id for row in rows] == [None, first.id, first.id, None]


def make_delivery(store: Store, key: bytes = b"p", destination: str = "portal", state: str = "queued") -> str:
    message = new_message()

    def unit(connection: Connection) -> str:
        messages.insert_all(connection, [message])
        document = documents.insert(
            connection, NewDocument("discharge_paper", "Encounter/1", "his", message.id, "p1", key, 1, 2)
        )
        return deliveries.insert(connection, document, destination, key, "law", 10, state)

    return store.write_now(unit)


def take_deliveries(store: Store, now: int = 100) -> list[str]:
    rows = store.write_now(lambda c: deliveries.take_queued(c, "portal", owner="n1", now=now, until=now + 50, limit=10))
    return [row.id for row in rows]


@pytest.mark.parametrize("state", ["pending", "uncertain", "held", "claimed", "sending", "queued"])
def test_an_open_delivery_keeps_later_ones_of_its_key_waiting(store: Store, state: str) -> None:
    make_delivery(store, b"a", state=state)
    make_delivery(store, b"a")
    other = make_delivery(store, b"b")
    elsewhere = make_delivery(store, b"a", destination="axis")
    taken = take_deliveries(store)
    assert other in taken
    assert elsewhere not in taken
    assert len(taken) == (2 if state == "queued" else 1)


@pytest.mark.parametrize("state", ["accepted", "error", "withheld", "closed"])
def test_a_settled_delivery_holds_nobody(store: Store, state: str) -> None:
    make_delivery(store, b"a", state=state)
    later = make_delivery(store, b"a")
    assert take_deliveries(store) == [later]


def test_a_dead_workers_deliveries_come_back(store: Store) -> None:
    claimed, sending = make_delivery(store, b"a"), make_delivery(store, b"b")
    assert take_deliveries(store) == [claimed, sending]
    assert store.write_now(lambda c: deliveries.move(c, sending, "send", "n1"))
    assert not store.write_now(lambda c: deliveries.move(c, sending, "accept", "n2"))
    assert store.write_now(lambda c: deliveries.expire(c, 120)) == 0
    assert store.write_now(lambda c: deliveries.expire(c, 151)) == 2
    states = {row.id: row.state for row in store.read_now(lambda c: deliveries.listing(c))}
    assert states == {claimed: "queued", sending: "uncertain"}


def test_versions_of_a_paper_are_linked(store: Store) -> None:
    message = new_message()
    new = NewDocument("referral", "ServiceRequest/1", "his", message.id, "p1", b"k", 1, 2)

    def unit(connection: Connection) -> list[str]:
        messages.insert_all(connection, [message])
        return [documents.insert(connection, new) for _ in range(3)]

    first, second, third = store.write_now(unit)
    rows = [store.read_now(lambda c, i=i: documents.get(c, i)) for i in (first, second, third)]  # type: ignore[misc]
    assert [(row.version, row.replaces_id) for row in rows] == [(1, None), (2, first), (3, second)]


def test_codes_are_counted_once_per_message_and_the_newest_words_stay(store: Store) -> None:
    glucose, rare = ("urn:site", "GLU", "OBX-3", "Đường"), ("urn:site", "X9", "OBX-3", "Hiếm")
    store.write_now(lambda c: codes.count(c, [([glucose, glucose, rare], 10)]))
    store.write_now(lambda c: codes.count(c, [([(*glucose[:3], "Đường huyết")], 20)]))
    store.write_now(lambda c: codes.count(c, [([], 30)]))
    rows = store.read_now(lambda c: codes.listing(c))
    assert [(row.code, row.display, row.messages, row.first_at, row.last_at) for row in rows] == [
        ("GLU", "Đường huyết", 2, 10, 20),
        ("X9", "Hiếm", 1, 10, 10),
    ]
    assert len(store.read_now(lambda c: codes.listing(c, 1))) == 1


def test_what_may_wait_is_taken_when_nothing_else_is_due(store: Store) -> None:
    low = [new_message(key=bytes([n]), priority=1) for n in range(5)]
    store.write_now(lambda c: messages.insert_all(c, low))
    urgent = [new_message(key=b"P"), new_message(key=b"Q")]
    store.write_now(lambda c: messages.insert_all(c, urgent))
    assert take(store, limit=2) == [one.id for one in urgent]
    assert take(store, limit=3) == [one.id for one in low[:3]]
    late = new_message(key=b"R")
    store.write_now(lambda c: messages.insert_all(c, [late]))
    assert take(store, limit=9) == [late.id, *(one.id for one in low[3:])]


@pytest.mark.parametrize(
    ("ask", "most"),
    [
        (lambda c, n: resources.current(c, [(f"Type{n % 7}", f"r{one}") for one in range(n)]), 1),
        (lambda c, n: messages.bodies(c, [f"m{one}" for one in range(n)]), 7),
        (lambda c, n: dispatch.send_all(c, [(f"d{one}", "n1") for one in range(n)]), 7),
        (lambda c, n: leases.extend(c, schema.message, [f"m{one}" for one in range(n)], "n1", 9), 7),
    ],
)
def test_lists_of_many_lengths_are_few_statements(store: Store, ask: Callable[..., Any], most: int) -> None:
    texts: set[str] = set()
    event.listen(store.engine, "before_cursor_execute", lambda _c, _cursor, text, *_: texts.add(text))
    bound = Raw._bound

    def noted(raw: Raw, connection: Connection, rows: Sequence[dict[str, Any]]) -> tuple[str, list[Any]]:
        text, values = bound(raw, connection, rows)
        texts.add(text)
        return text, values

    with mock.patch.object(Raw, "_bound", noted):
        for length in range(1, 60):
            store.write_now(partial(ask, n=length))
    assert 0 < len({text for text in texts if not text.startswith("BEGIN")}) <= most


@pytest.mark.parametrize(
    ("given", "length"), [([], 0), (["a"], 1), (["a", "b", "c"], 4), ([*"abcd"], 4), ([*"abcde"], 8)]
)
def test_a_padded_list_holds_the_same(given: list[str], length: int) -> None:
    found = padded(given)
    assert len(found) == length
    assert found[: len(given)] == given
    assert set(found) == set(given)


def version(type_: str, id_: str, number: int = 1) -> Version:
    return Version(type_, id_, number, "p1", "m1", 5, 10, bytes([number]), b"body of %d" % number)


def test_the_newest_versions_are_found_by_type_and_id(store: Store) -> None:
    store.write_now(lambda c: messages.insert_all(c, [replace(new_message(), id="m1")]))
    told = [version(type_, id_) for type_ in ("Encounter", "Observation") for id_ in ("a", "b", "c")]
    store.write_now(lambda c: resources.put_all(c, told))
    store.write_now(lambda c: resources.put_all(c, [version("Encounter", "b", 2)]))
    keys = [("Encounter", "b"), ("Observation", "c"), ("Observation", "z"), ("Encounter", "b")]
    expected = [version("Encounter", "b", 2), version("Observation", "c")]
    assert sorted(store.read_now(lambda c: resources.current(c, keys)), key=lambda one: one.type) == expected
    assert store.read_now(lambda c: resources.current(c, [])) == []
    assert store.read_now(lambda c: resources.earlier(c, "Encounter", "b")) == [version("Encounter", "b")]
