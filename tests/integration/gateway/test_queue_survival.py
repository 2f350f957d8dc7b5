"""What a queue makes of trouble beside the destination: a store or Redis that fails in the middle, a clock that jumps."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from connectors.contract import Outbound, Receipt
from connectors.faults import NotArrived, Throttled, Uncertain, Unreachable
from gateway import repair
from gateway.delivery.redis_queue import RedisQueue
from gateway.delivery.worker import Worker
from gateway.faults import StoreUnavailable
from gateway.settings import Route
from gateway.store import destinations, schema
from gateway.store.engine import Store, open_store
from tests.conftest import HandClock
from tests.integration.gateway.test_delivery import (
    ROUTE,
    YES,
    Peer,
    events,
    go_on,
    make_worker,
    new_queue,
    no,
    queue_paper,
    redis_store,
    rows,
    run,
    store,
    work,
)

__all__ = ["redis_store", "store"]


class Failing:
    """Let the next calls of a queue's store fail, once so many have gone well."""

    def __init__(self, queue: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left: dict[str, int] = {}
        self.well: dict[str, int] = {}
        own = queue._store
        faces = {name: self._face(name, getattr(own, name)) for name in ("write", "write_each", "read", "read_each")}
        monkeypatch.setattr(queue, "_store", SimpleNamespace(**faces, engine=own.engine))

    def _face(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        kind = name.removesuffix("_each")

        async def face(*arguments: Any) -> Any:
            if self.well.get(kind, 0):
                self.well[kind] -= 1
            elif self.left.get(kind, 0):
                self.left[kind] -= 1
                raise StoreUnavailable(detail="OperationalError")
            return await call(*arguments)

        return face


async def after_the_lease(worker: Worker, clock: HandClock) -> None:
    for _ in range(2):
        for _ in range(4):
            clock.forward(10)
            await worker._queue.heartbeat()
        await go_on(worker)


@pytest.mark.parametrize("what", ["read", "write"])
def test_a_store_that_fails_before_sending_costs_a_lease_and_nothing_else(
    store: Store, clock: HandClock, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """Not the error queue, and not held for ever by heartbeats of a node that has dropped it."""
    delivery = queue_paper(store, clock)
    peer = Peer()

    async def main() -> None:
        worker = make_worker(store, clock, peer, "n1")
        failing = Failing(worker._queue, monkeypatch)
        assert await worker._step()
        failing.left = {what: 1}
        await worker._tasks.drain()
        assert peer.seen == []
        await after_the_lease(worker, clock)

    run(main())
    assert rows(store)[delivery].state == "accepted"
    assert len(peer.seen) == 1


def test_a_yes_is_kept_although_the_store_is_away_when_it_comes(
    store: Store, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    delivery = queue_paper(store, clock)

    async def main() -> None:
        async def yes_while_the_store_is_away(document: Outbound) -> Receipt:
            failing.left = {"write": 3}
            return YES

        worker = make_worker(store, clock, Peer(yes_while_the_store_is_away), "n1")
        monkeypatch.setattr("gateway.delivery.sql_queue.AGAIN_S", 0.001)
        failing = Failing(worker._queue, monkeypatch)
        await go_on(worker)

    run(main())
    assert rows(store)[delivery].state == "accepted"
    assert events(store, delivery) == ["accept"]


def test_what_outlived_a_node_is_not_forgotten_when_the_store_fails_as_it_is_set_aside(
    store: Store, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [queue_paper(store, clock, b"%d" % n) for n in range(3)]
    store.write_now(lambda c: c.execute(schema.delivery.update().values(deaths=1)))
    peer = Peer()

    async def main() -> None:
        worker = make_worker(store, clock, peer, "n1")
        monkeypatch.setattr("gateway.delivery.sql_queue.AGAIN_S", 0.001)
        failing = Failing(worker._queue, monkeypatch)
        failing.well, failing.left = {"write": 1}, {"write": 1}
        for _ in range(6):
            await go_on(worker)
            await after_the_lease(worker, clock)

    run(main())
    assert sorted(document.key for document in peer.seen) == made


def test_a_bug_of_ours_while_asking_leaves_it_uncertain_and_is_tried_again(store: Store, clock: HandClock) -> None:
    delivery = queue_paper(store, clock)
    peer = Peer(no(Uncertain()), answers=(ZeroDivisionError("Nguyễn Văn A"), YES))

    async def main() -> None:
        worker = await work(store, clock, peer)
        assert rows(store)[delivery].state == "uncertain"
        await after_the_lease(worker, clock)

    run(main())
    assert rows(store)[delivery].state == "accepted"
    assert len(peer.seen) == 1


def test_what_ends_during_a_heartbeat_is_not_counted_as_under_way_again(redis_store: Store, clock: HandClock) -> None:
    """Else each heartbeat takes away a place, for a lease; and a heartbeat that breaks ends the node."""
    made = [queue_paper(redis_store, clock, b"%d" % n) for n in range(6)]

    async def main() -> None:
        queue = new_queue(redis_store, clock)
        assert isinstance(queue, RedisQueue)
        taken = list((await queue.take("portal", 3)).to_send)
        for row in taken:
            await queue.send(row)
        read = queue._store.read

        async def slow_read(query: Any) -> Any:
            queue._store.read = read  # type: ignore[method-assign]
            found = await read(query)
            while taken:
                await queue.accept(taken.pop(), YES)
            return found

        queue._store.read = slow_read  # type: ignore[method-assign]
        await queue.heartbeat()
        assert not taken
        more = await queue.take("portal", 3)
        assert len(more.to_send) == 3

    run(main())
    assert len(made) == 6


def test_a_redis_full_of_old_names_costs_no_waiting(redis_store: Store, clock: HandClock) -> None:
    done = [queue_paper(redis_store, clock, b"%d" % n) for n in range(3)]

    async def main() -> None:
        queue = new_queue(redis_store, clock)
        assert isinstance(queue, RedisQueue)
        peer = Peer()
        worker = Worker(Route("portal", ROUTE, SimpleNamespace(takes="cda")), peer, queue, clock)
        await go_on(worker)
        for n in range(200):
            await queue._client.xadd(queue._keys("portal")[0], {"id": done[n % 3]})
        new = queue_paper(redis_store, clock)
        await go_on(worker)
        assert sorted(document.key for document in peer.seen) == [*done, new]

    run(main())


def test_what_waits_long_is_named_once(redis_store: Store, clock: HandClock) -> None:
    for n in range(8):
        queue_paper(redis_store, clock, b"%d" % n)
    peer = Peer(*[no(Unreachable())] * 500)

    async def main() -> None:
        worker = await work(redis_store, clock, peer)
        for _ in range(40):
            clock.forward(700)
            await go_on(worker)
        queue = worker._queue
        assert isinstance(queue, RedisQueue)
        assert await queue._client.xlen(queue._keys("portal")[0]) <= 8

    run(main())
    assert len(peer.seen) < 60


def test_whoever_lets_a_destination_go_on_finds_it_tried_at_once(store: Store, clock: HandClock) -> None:
    delivery = queue_paper(store, clock)
    peer = Peer(no(Throttled(retry_after=timedelta(hours=2))))

    async def main() -> None:
        worker = await work(store, clock, peer)
        await store.write(lambda c: repair.pause(c, "portal", "lan.nt", "bảo trì", clock))
        await go_on(worker)
        assert await worker._queue.next_due("portal") is None
        await store.write(lambda c: repair.resume(c, "portal", "lan.nt", "xong", clock))
        second = queue_paper(store, clock, b"q")
        await go_on(worker)
        assert [document.key for document in peer.seen] == [delivery, second]

    run(main())


def test_a_failed_probe_counts_although_another_node_holds_the_destination(store_url: str, clock: HandClock) -> None:
    """Else the breaker does not close again, and the destination gets one probe after the other."""
    if not store_url.startswith("postgresql"):
        pytest.skip("SQLite has one writer")
    opened = open_store(store_url)
    try:
        for n in range(4):
            queue_paper(opened, clock, b"%d" % n)

        async def main() -> None:
            queue = new_queue(opened, clock)
            rows_ = list((await queue.take("portal", 3)).to_send)
            for row in rows_:
                await queue.send(row)
            other = opened.engine.connect()
            destinations.lock(other, "portal")
            failing = [asyncio.create_task(queue.fail(row, "retry", Unreachable(), clock.now())) for row in rows_]
            await asyncio.sleep(0.2)
            other.rollback()
            other.close()
            await asyncio.gather(*failing)
            load = destinations.load_of(opened.read_now(lambda c: destinations.get(c, "portal")))
            assert load.failures == 3

        run(main())
    finally:
        opened.close()


def test_a_clock_that_is_set_back_stops_nothing(store: Store, clock: HandClock) -> None:
    """What was due, closed or leased by the old time is not waited for by the new one."""
    for n in range(6):
        queue_paper(store, clock, b"%d" % n)
    dead_one = queue_paper(store, clock, b"dead")
    peer = Peer(*[no(Unreachable())] * 6)

    async def main() -> None:
        worker = await work(store, clock, peer)
        await worker._queue.heartbeat()
        seen = len(peer.seen)
        peer.script = []
        clock.forward(-2 * 3600)
        await worker._queue.heartbeat()
        for _ in range(4):
            clock.forward(31)
            await worker._queue.heartbeat()
            await go_on(worker)
        assert len(peer.seen) - seen >= 7

    run(main())
    assert {row.state for row in rows(store).values()} == {"accepted"}
    assert dead_one in rows(store)


def test_a_clock_that_was_ahead_between_two_heartbeats_stops_nothing(store: Store, clock: HandClock) -> None:
    queue_paper(store, clock)
    peer = Peer(no(Unreachable()))

    async def main() -> None:
        worker = make_worker(store, clock, peer, "n1")
        await worker._queue.heartbeat()
        clock.forward(1800)
        await go_on(worker)
        clock.forward(-1800 + 1)
        await worker._queue.heartbeat()
        await go_on(worker)
        assert len(peer.seen) == 2

    run(main())
    assert {row.state for row in rows(store).values()} == {"accepted"}


def test_a_clock_that_jumps_ahead_gives_nothing_of_ours_away(store: Store, clock: HandClock) -> None:
    delivery = queue_paper(store, clock)
    peer = Peer()

    async def main() -> None:
        async def slow(document: Outbound) -> Receipt:
            clock.forward(3 * 86_400)
            await worker._queue.heartbeat()
            return YES

        peer.script = [slow]
        worker = make_worker(store, clock, peer, "n1")
        await go_on(worker)

    run(main())
    assert rows(store)[delivery].state == "accepted"
    assert len(peer.seen) == 1


def test_a_clock_that_jumps_ahead_has_nothing_asked_about_twice(store: Store, clock: HandClock) -> None:
    """A second question whose answer comes late would take back what is sent again by then."""
    queue_paper(store, clock)
    peer = Peer(no(Uncertain()))

    async def main() -> None:
        queue = new_queue(store, clock)
        worker = make_worker(store, clock, peer, "n1")
        await worker._step()
        await worker._tasks.drain()
        (row,) = (await queue.take("portal", 3)).to_ask
        clock.forward(3 * 86_400)
        assert not await queue.take("portal", 3)
        await queue.fail(row, "retry", NotArrived(), clock.now())
        assert len((await queue.take("portal", 3)).to_send) == 1

    run(main())


def test_a_clock_that_jumps_ahead_while_deliveries_are_taken_frees_none_of_them(
    store: Store, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    delivery = queue_paper(store, clock)

    async def main() -> None:
        queue: Any = new_queue(store, clock)
        own, begun = queue._claim, asyncio.Event()

        async def claim(unit: Any) -> Any:
            asyncio.get_running_loop().call_soon(begun.set)
            return await own(unit)

        monkeypatch.setattr(queue, "_claim", claim)
        taking = asyncio.create_task(queue.take("portal", 1))
        await begun.wait()
        clock.forward(3 * 86_400)
        await asyncio.gather(taking, queue.heartbeat())
        assert rows(store)[delivery].state == "claimed"
        assert await queue.send(taking.result().to_send[0])

    run(main())


def test_what_is_taken_again_before_it_was_let_go_is_kept_by_heartbeats(store: Store, clock: HandClock) -> None:
    delivery = queue_paper(store, clock)

    async def main() -> None:
        queue = new_queue(store, clock)
        (first,) = (await queue.take("portal", 1)).to_send
        await queue.send(first)
        await queue.fail(first, "retry", Unreachable(), clock.now())
        (again,) = (await queue.take("portal", 1)).to_send
        queue.forget(first)
        await queue.send(again)
        for _ in range(3):
            clock.forward(20)
            await queue.heartbeat()
        assert rows(store)[delivery].state == "sending"

    run(main())


def test_of_two_who_hold_the_same_delivery_one_sends(store: Store, clock: HandClock) -> None:
    queue_paper(store, clock)

    async def main() -> None:
        queue = new_queue(store, clock)
        (row,) = (await queue.take("portal", 1)).to_send
        assert [*await asyncio.gather(queue.send(row), queue.send(row))] == [True, False]
        assert not await queue.send(row)

    run(main())
