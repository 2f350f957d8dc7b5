"""The lease of leadership, cell by cell on both engines, and a node that believes that it leads when it does not."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy.engine import Connection

from gateway import states
from gateway.clock import SECOND
from gateway.faults import LeadershipLost
from gateway.ops.scheduler import AGAIN, DAY_S, Fence, Job, Scheduler
from gateway.store import leadership, nodes
from gateway.store.engine import Store, open_store
from tests.conftest import HandClock

LEASE = 30 * SECOND


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    opened = open_store(store_url)
    yield opened
    opened.close()


class Table:
    """One lease, brought into each state, with every event tried by the holder of the newest token and by an older one."""

    def __init__(self, store: Store, clock: HandClock) -> None:
        self.store = store
        self.clock = clock

    def do(self, act: Callable[[Connection], Any]) -> Any:
        return self.store.write_now(act)

    def state(self) -> str:
        return leadership.state_of(self.store.read_now(lambda c: leadership.get(c, "x")), self.clock.now())

    def bring(self, state: str) -> tuple[int, int]:
        """Return the newest token and the one before."""
        self.do(lambda c: leadership.release_of(c, "a"))
        self.do(lambda c: leadership.release_of(c, "b"))
        old = self.take("a")
        self.do(lambda c: leadership.release(c, "x", old))
        token = self.take("b")
        if state == "free":
            self.do(lambda c: leadership.release(c, "x", token))
        if state == "lapsed":
            self.clock.at += LEASE
        assert self.state() == state
        return token, old

    def take(self, holder: str) -> int:
        now = self.clock.now()
        return int(self.do(lambda c: leadership.take(c, "x", holder, now, now + LEASE)))

    def act(self, token: int) -> bool:
        try:
            self.do(lambda c: leadership.require(c, "x", token))
        except LeadershipLost:
            return False
        return True

    def happens(self, event: str, token: int) -> bool:
        """Do what an event stands for; tell whether it took place."""
        now = self.clock.now()
        if event == "take":
            return self.take("c") > token
        if event == "lapse":
            was, self.clock.at = self.state(), self.clock.at + LEASE
            return was == "held"
        verbs: dict[str, Callable[[Connection], bool]] = {
            "renew": lambda c: leadership.renew(c, "x", token, now + LEASE),
            "release": lambda c: leadership.release(c, "x", token),
        }
        return bool(self.do(verbs[event]))


@pytest.mark.parametrize(
    ("state", "event"),
    list(itertools.product(sorted(states.states(states.LEASE)), sorted(states.events(states.LEASE)))),
)
def test_every_cell_of_the_lease(store: Store, clock: HandClock, state: str, event: str) -> None:
    table = Table(store, clock)
    token, _ = table.bring(state)
    allowed = (state, event) in states.LEASE
    assert table.happens(event, token) == allowed
    assert table.state() == (states.LEASE[state, event] if allowed else state)


@pytest.mark.parametrize(("state", "event"), list(itertools.product(("free", "held", "lapsed"), ("renew", "release"))))
def test_an_older_token_may_do_nothing(store: Store, clock: HandClock, state: str, event: str) -> None:
    table = Table(store, clock)
    _, old = table.bring(state)
    assert not table.happens(event, old)
    assert table.state() == state


@pytest.mark.parametrize("state", sorted(states.states(states.LEASE)))
def test_who_may_act_for_all(store: Store, clock: HandClock, state: str) -> None:
    table = Table(store, clock)
    token, old = table.bring(state)
    assert table.act(token) == (state != "free")
    assert not table.act(old)
    assert table.state() == state


def test_two_nodes_that_believe_they_lead_do_no_harm(store: Store, clock: HandClock) -> None:
    """The first falls asleep in the middle of its job, until the second has taken over and done it."""
    behind = HandClock(clock.at)
    written: list[str] = []
    asleep, wake = asyncio.Event(), asyncio.Event()

    def job_of(name: str) -> Job:
        async def run(fence: Fence) -> None:
            if name == "a":
                asleep.set()
                await wake.wait()

            def unit(connection: Connection) -> None:
                fence(connection)
                nodes.put_ran(connection, "written", name, clock.now())

            await store.write(unit)
            written.append(name)

        return Job("daily", DAY_S, run)

    async def main() -> None:
        first = Scheduler(store, behind, "a", LEASE, [job_of("a")])
        second = Scheduler(store, clock, "b", LEASE, [job_of("b")])
        await first.turn()
        await second.turn()
        assert (first.leads, second.leads) == (True, False)
        await asleep.wait()
        clock.at += LEASE  # only in the second's world: the clock of the first stands still
        await second.turn()
        await second.settle()
        assert (first.leads, second.leads) == (True, True)
        wake.set()
        await first.settle()
        assert written == ["b"]
        await first.turn()
        assert (first.leads, second.leads) == (False, True)

    asyncio.run(main())
    assert store.read_now(nodes.ran).keys() == {"daily", "written"}


def test_a_new_leader_does_not_begin_the_day_again(store: Store, clock: HandClock) -> None:
    done: list[str] = []

    def job_of(name: str) -> Job:
        async def run(_: Fence) -> None:
            done.append(name)

        return Job("daily", DAY_S, run)

    async def main() -> None:
        first = Scheduler(store, clock, "a", LEASE, [job_of("a")])
        await first.turn()
        await first.settle()
        clock.forward(31)
        second = Scheduler(store, clock, "b", LEASE, [job_of("b")])
        await second.turn()
        await second.settle()
        assert done == ["a"]
        clock.forward(DAY_S)
        await second.turn()
        await second.settle()
        assert done == ["a", "b"]

    asyncio.run(main())


def test_a_failed_job_waits_and_leadership_ends_with_the_node(store: Store, clock: HandClock) -> None:
    tried: list[int] = []

    async def run(_: Fence) -> None:
        tried.append(clock.now())
        raise ValueError("a bug")

    async def main() -> None:
        leading = Scheduler(store, clock, "a", LEASE, [Job("daily", DAY_S, run)])
        for _ in range(3):
            await leading.turn()
            await leading.settle()
            clock.at += AGAIN // 2
        assert len(tried) == 2
        running = asyncio.create_task(leading.run())
        await asyncio.sleep(0)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(main())
    row = store.read_now(lambda c: leadership.get(c, "scheduler"))
    assert leadership.state_of(row, clock.now()) == "free"
