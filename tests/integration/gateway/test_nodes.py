"""Nodes on one ledger: who counts as dead, who takes over, what a death counts for, and how a node leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy.engine import Connection

from gateway import relief, repair
from gateway.clock import SECOND
from gateway.faults import NodeRunning, StoreUnavailable
from gateway.membership import LOOKS, Membership
from gateway.store import actions, deliveries, documents, messages, nodes, schema
from gateway.store.engine import Store, open_store
from tests.conftest import HandClock
from tests.integration.gateway.test_delivery import queue_paper
from tests.integration.gateway.test_store import new_message
from tests.servers import wait_until

LEASE = 30 * SECOND


@pytest.fixture
def stores(store_url: str) -> Iterator[tuple[Store, Store]]:
    """Two processes' doors to one ledger."""
    opened = open_store(store_url), open_store(store_url)
    yield opened
    for one in opened:
        one.close()


class Two:
    """Two nodes, n1 that will fall silent and n2 that looks."""

    def __init__(self, stores: tuple[Store, Store], clock: HandClock) -> None:
        self.clock = clock
        self.relieved: list[str] = []
        self.first = Membership(stores[0], clock, "n1", ("all",), LEASE, self._note)
        self.second = Membership(stores[1], clock, "n2", ("work",), LEASE, self._note)
        self.ledger = stores[1]

    async def _note(self, name: str) -> None:
        self.relieved.append(name)

    async def join(self) -> None:
        await self.first.join()
        await self.second.join()
        self.relieved.clear()

    async def look(self, times: int) -> None:
        for _ in range(times):
            self.clock.forward(1)
            await self.second.beat()

    def state(self, name: str = "n1") -> str:
        row = self.ledger.read_now(lambda c: nodes.get(c, name))
        assert row is not None
        return str(row.state)


def killed(store: Store) -> None:
    """Do what the system does for a killed process: let go of its name."""
    claim = store._claims.pop("n1")
    if store.dialect == "postgresql":
        claim.invalidate()
    claim.close()
    wait_until(lambda: not store.is_claimed("n1"))  # the server hears of it a moment later


def hold(store: Store, clock: HandClock, owner: str = "n1") -> tuple[str, str]:
    """Let a node hold a message and a delivery; return their ids."""
    message = new_message(received_at=clock.now())
    store.write_now(lambda c: messages.insert_all(c, [message]))
    delivery = queue_paper(store, clock, key=message.id.encode()[-16:])
    taken(store, clock, owner)
    return message.id, delivery


def taken(store: Store, clock: HandClock, owner: str = "n1") -> tuple[list[Any], list[Any]]:
    now = clock.now()
    lease: Any = {"owner": owner, "now": now, "until": now + LEASE, "limit": 10}
    return (
        store.write_now(lambda c: messages.take_received(c, **lease)),
        store.write_now(lambda c: deliveries.take_queued(c, "portal", **lease)),
    )


def message_of(store: Store, message_id: str) -> Any:
    return store.read_now(lambda c: messages.get(c, message_id))


def delivery_of(store: Store, delivery_id: str) -> Any:
    return store.read_now(lambda c: deliveries.get(c, delivery_id))


def test_a_dead_process_is_relieved_after_three_missed_beats(stores: tuple[Store, Store], clock: HandClock) -> None:
    async def main() -> tuple[str, str]:
        two = Two(stores, clock)
        await two.join()
        held = hold(stores[0], clock)
        assert taken(stores[0], clock) == ([], [])
        await two.look(2)
        killed(stores[0])
        await two.look(LOOKS - 3)
        assert two.state() == "running"
        await two.look(1)
        assert two.state() == "dead"
        assert two.relieved == ["n1"]
        await two.look(5)
        assert two.relieved == ["n1"]
        return held

    message, delivery = asyncio.run(main())
    ours, theirs = message_of(stores[1], message), delivery_of(stores[1], delivery)
    assert (ours.state, ours.lease_owner, ours.deaths) == ("received", "", 1)
    assert (theirs.state, theirs.lease_owner, theirs.deaths) == ("queued", "", 1)


def test_a_silent_process_that_lives_counts_as_dead_only_after_its_lease(
    stores: tuple[Store, Store], clock: HandClock
) -> None:
    async def main() -> None:
        two = Two(stores, clock)
        await two.join()
        await two.look(LOOKS + 25)
        assert two.state() == "running"
        await two.first.beat()
        await two.look(30)
        assert two.state() == "running"
        await two.look(1)
        assert two.state() == "dead"
        await two.first.beat()  # it had only been silent
        assert two.state() == "running"
        await two.look(LOOKS)
        assert two.relieved == ["n1"]

    asyncio.run(main())


def test_a_store_that_was_away_makes_nobody_dead(
    stores: tuple[Store, Store], clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        two = Two(stores, clock)
        await two.join()
        await two.look(LOOKS - 1)
        killed(stores[0])

        asked = asyncio.Event()

        async def away(_unit: object) -> None:
            asked.set()
            raise StoreUnavailable()

        with monkeypatch.context() as broken:
            broken.setattr(stores[1], "write", away)
            running = asyncio.create_task(two.second.run())
            await asked.wait()
            running.cancel()
            await asyncio.wait([running])
        clock.forward(60)
        await two.look(LOOKS - 1)
        assert two.state() == "running"
        await two.first.beat()  # it claims its name again
        await two.look(LOOKS)
        assert two.state() == "running"
        assert stores[1].is_claimed("n1")

    asyncio.run(main())


def test_the_next_life_of_a_node_counts_the_death_of_the_one_before(
    stores: tuple[Store, Store], clock: HandClock
) -> None:
    message, _ = hold(stores[0], clock)

    async def main() -> None:
        two = Two(stores, clock)
        await two.first.join()
        with pytest.raises(NodeRunning):
            await Membership(stores[1], clock, "n1", ("all",), LEASE, two._note).join()
        killed(stores[0])
        await Membership(stores[1], clock, "n1", ("all",), LEASE, two._note).join()

    stores[0].write_now(lambda c: nodes.start(c, "n1", "an earlier life", "all", "0", "0013", 1))
    asyncio.run(main())
    # once for the life that held it; the one between held nothing
    assert message_of(stores[1], message).deaths == 1


def test_a_node_that_leaves_hands_over_and_nothing_is_suspected(stores: tuple[Store, Store], clock: HandClock) -> None:
    async def main() -> tuple[str, str]:
        two = Two(stores, clock)
        await two.join()
        held = hold(stores[0], clock)
        await two.first.drain()
        assert two.state() == "draining"
        await two.first.leave()
        assert two.state() == "stopped"
        return held

    message, delivery = asyncio.run(main())
    assert [row.id for rows in taken(stores[1], clock, "n2") for row in rows] == [message, delivery]
    assert message_of(stores[1], message).deaths == delivery_of(stores[1], delivery).deaths == 0


def test_a_second_death_alone_sends_to_the_error_queue_and_retry_lets_it_go(
    stores: tuple[Store, Store], clock: HandClock
) -> None:
    store = stores[0]
    message, delivery = hold(store, clock)
    store.write_now(lambda c: c.execute(schema.document.update().values(state="signed", signed_at=1)))
    assert store.write_now(lambda c: relief.take_back(c, "n1", clock.now())) == []
    taken(store, clock)
    assert store.write_now(lambda c: relief.take_back(c, "n1", clock.now())) == [message, delivery]
    for row in (message_of(store, message), delivery_of(store, delivery)):
        assert (row.state, row.fault_code, row.lease_owner, row.deaths) == ("error", 8109, "", 2)
    for one in (message, delivery):
        store.write_now(lambda c, one=one: repair.retry(c, one, "lan", "đã sửa", clock))  # type: ignore[misc]
    for row in (message_of(store, message), delivery_of(store, delivery)):
        assert (row.state, row.deaths) == ("received" if row.id == message else "uncertain", 0)
    assert [act.verb for act in store.read_now(lambda c: actions.of_target(c, message))] == ["poison", "reprocess"]


def test_what_was_on_the_wire_is_asked_about_before_it_is_judged(stores: tuple[Store, Store], clock: HandClock) -> None:
    store = stores[0]
    _, delivery = hold(store, clock)
    store.write_now(lambda c: relief.take_back(c, "n1", clock.now()))
    taken(store, clock)
    store.write_now(lambda c: deliveries.move(c, delivery, "send", "n1"))
    assert delivery not in store.write_now(lambda c: relief.take_back(c, "n1", clock.now()))
    assert (delivery_of(store, delivery).state, delivery_of(store, delivery).deaths) == ("uncertain", 2)
    lease: Any = {"owner": "n1", "now": clock.now(), "until": clock.now() + LEASE, "limit": 10}
    assert store.write_now(lambda c: deliveries.take_uncertain(c, "portal", **lease))
    assert store.write_now(lambda c: relief.take_back(c, "n1", clock.now())) == [delivery]


def test_deliveries_of_a_deadly_paper_follow_it(stores: tuple[Store, Store], clock: HandClock) -> None:
    store = stores[0]
    delivery = queue_paper(store, clock)
    document = delivery_of(store, delivery).document_id

    def due(connection: Connection) -> None:
        held: Any = {"lease_owner": "n1", "lease_until": 1}
        connection.execute(schema.document.update().values(state="due", deaths=1, **held))
        connection.execute(schema.delivery.update().values(state="pending"))

    store.write_now(due)
    assert store.write_now(lambda c: relief.take_back(c, "n1", clock.now())) == [document]
    assert store.read_now(lambda c: documents.get(c, document)).state == "error"
    assert (delivery_of(store, delivery).state, delivery_of(store, delivery).fault_code) == ("error", 8109)
