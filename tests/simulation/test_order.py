"""Per key what goes out is what came in, in order and once, whatever happens (promises P3, P4, P5).

Two nodes with sixteen workers each over one ledger. Destinations refuse, throttle, are away, are slow and lose answers;
deliveries are held and let go; nodes die at any of their steps and come back, or stay dead; the store fails; Redis loses its
memory.
Everything but the reactions of the product is drawn by Hypothesis.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
import redis.asyncio as redis
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway import repair
from gateway.clock import SECOND
from gateway.delivery.limits import Breaker, Limit
from gateway.delivery.retry import Retry
from gateway.faults import NotPossibleNow
from gateway.settings import RouteSettings
from gateway.states import OPEN_DELIVERY
from gateway.store import deliveries
from gateway.store.engine import Store, open_store
from tests.conftest import HandClock
from tests.simulation.loop import SimulatedLoop, simulate
from tests.simulation.world import Node, Peer, draws, queue_paper, without_fsync

WORKERS = 16
LEASE_S = 30
QUIET_S = 300
"""After so long nothing more goes wrong."""
_runs = itertools.count()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    opened = open_store(f"sqlite:///{tmp_path_factory.mktemp('order') / 'ledger.db'}")
    without_fsync(opened)
    yield opened
    opened.close()


WEIGHTS = st.fixed_dictionaries(
    {
        "yes": st.just(6),
        "unreachable": st.integers(0, 6),
        "refused": st.integers(0, 2),
        "throttled": st.integers(0, 2),
        "lost": st.integers(0, 4),
        "gone": st.integers(0, 4),
    }
)


@dataclass(frozen=True)
class Accident:
    at_s: float
    what: str
    which: int
    """Of the deliveries or nodes, modulo how many there are."""
    length: int
    """Steps until a node dies, or how long something lasts, in seconds."""


ACCIDENTS = st.builds(
    Accident,
    st.floats(0, QUIET_S - 1, allow_nan=False).map(lambda s: round(s, 2)),
    st.sampled_from(("hold", "die", "die", "stay dead", "store fails", "forget")),
    st.integers(0, 60),
    st.integers(0, 90),
)


@dataclass
class Course:
    """One run: what is delivered when, what goes wrong, and what is seen."""

    store: Store
    papers: list[tuple[float, int]]
    """Second, and whose it is."""
    weights: dict[str, int]
    accidents: list[Accident]
    seed: int
    can_be_asked: bool
    redis_url: str
    clock: HandClock = field(default_factory=HandClock)
    made: list[str] = field(default_factory=list)
    deaths: int = 0

    def __post_init__(self) -> None:
        self.name = f"d{next(_runs)}"
        self.quiet_at = self.clock.now() + QUIET_S * SECOND
        chance = random.Random(self.seed)
        plan = draws(chance, self.weights, lambda: self.clock.now() >= self.quiet_at)
        self.peer = Peer(self.clock, plan, self.can_be_asked)
        self.route = RouteSettings(
            self.name,
            basis="law",
            retry=Retry(first=timedelta(seconds=5), cap=timedelta(seconds=60), give_up_after=timedelta(days=1)),
            limit=Limit(in_flight=WORKERS),
            breaker=Breaker(failures=5, open_for=timedelta(seconds=20)),
        )

    async def run(self) -> None:
        self.nodes = {name: self._node(name) for name in ("n1", "n2")}
        plan: list[tuple[float, Any]] = [(at, self._paper(whose)) for at, whose in self.papers]
        plan += [(accident.at_s, self._happens(accident)) for accident in self.accidents]
        try:
            work = [asyncio.create_task(self._at(at, what)) for at, what in plan]
            await asyncio.gather(*work)
            await asyncio.sleep(max(0, self.quiet_at - self.clock.now()) / SECOND)
            for _ in range(120):
                for node in self.nodes.values():
                    node.check()
                if not self._open():
                    break
                await asyncio.sleep(10)
        finally:
            for node in self.nodes.values():
                await node.bury()

    async def _at(self, seconds: float, what: Any) -> None:
        await asyncio.sleep(seconds)
        await what

    def _node(self, name: str) -> Node:
        node = Node(
            name, self.store, self.clock, {self.name: self.peer}, {self.name: self.route},
            redis=self.redis_url, lease_s=LEASE_S, poll_s=15,
        )  # fmt: skip
        node.start()
        return node

    async def _paper(self, whose: int) -> None:
        key = b"%d" % whose
        (one,) = queue_paper(self.store, self.clock, (self.name,), key)
        self.peer.order_key[one] = key
        self.made.append(one)
        for node in self.nodes.values():
            node.ring()

    async def _happens(self, accident: Accident) -> None:
        node = list(self.nodes.values())[accident.which % 2]
        match accident.what:
            case "hold":
                await self._hold(accident)
            case "die" | "stay dead":
                if not node.die_after(accident.length):
                    return
                await node.dead.wait()
                self.deaths += 1
                await asyncio.sleep(3 if accident.what == "die" else 4 * LEASE_S)
                await node.bury()
                self.nodes[node.name] = self._node(node.name)
            case "store fails":
                node.store_fails_for = accident.length % 7
            case "forget" if self.redis_url:
                loop = asyncio.get_running_loop()
                assert isinstance(loop, SimulatedLoop)
                with loop.real():
                    async with redis.Redis.from_url(self.redis_url) as admin:
                        await admin.flushall()

    async def _hold(self, accident: Accident) -> None:
        if not self.made:
            return
        one = self.made[accident.which % len(self.made)]
        with contextlib.suppress(NotPossibleNow):
            self.store.write_now(lambda c: repair.hold(c, one, "lan.nt", "", self.clock))
            await asyncio.sleep(accident.length)
            self.store.write_now(lambda c: repair.release(c, one, "lan.nt", "", self.clock))

    def _open(self) -> list[str]:
        rows = self.store.read_now(lambda c: deliveries.listing(c, destination=self.name, states=OPEN_DELIVERY))
        return [row.id for row in rows]

    def judge(self) -> None:
        rows = self.store.read_now(lambda c: deliveries.listing(c, destination=self.name))
        states = {row.id: row.state for row in rows}
        assert self._open() == [], "stuck"
        assert set(states) == set(self.made), "lost"
        arrived = self.peer.arrived
        assert len(arrived) == len(set(arrived)), "doubled"
        assert self.peer.wrong == []
        last: dict[bytes, str] = {}
        for one in arrived:
            key = self.peer.order_key[one]
            assert last.get(key, "") < one, "out of order"
            last[key] = one
        accepted = {one for one, state in states.items() if state == "accepted"}
        assert accepted <= set(arrived), "accepted and never arrived"
        if self.can_be_asked:
            assert accepted == set(arrived)
            assert all(self.weights["refused"] for state in states.values() if state == "error")


def play(
    store: Store,
    papers: list[tuple[float, int]],
    weights: dict[str, int],
    accidents: list[Accident],
    seed: int,
    can_be_asked: bool,
    redis_url: str = "",
) -> None:
    course = Course(store, papers, weights, accidents, seed, can_be_asked, redis_url)
    simulate(course.clock, course.run())
    course.judge()


COURSE = {
    "papers": st.lists(st.tuples(st.floats(0, 250).map(lambda s: round(s, 1)), st.integers(0, 4)), min_size=1, max_size=60),
    "weights": WEIGHTS,
    "accidents": st.lists(ACCIDENTS, max_size=10),
    "seed": st.integers(0, 2**32),
    "can_be_asked": st.booleans(),
}  # fmt: skip


def calmly(examples: int) -> settings:
    calm = (HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large)
    return settings(max_examples=examples, suppress_health_check=calm)


@calmly(15)
@given(**COURSE)
def test_order_on_the_ledger(store: Store, **course: Any) -> None:
    play(store, **course)


@calmly(15)
@given(**COURSE)
def test_order_with_redis(store: Store, redis_url: str, **course: Any) -> None:
    play(store, **course, redis_url=redis_url)


@pytest.mark.nightly
@calmly(400)
@given(**COURSE)
def test_order_on_the_ledger_at_length(store: Store, **course: Any) -> None:
    play(store, **course)


@pytest.mark.nightly
@calmly(400)
@given(**COURSE)
def test_order_with_redis_at_length(store: Store, redis_url: str, **course: Any) -> None:
    play(store, **course, redis_url=redis_url)


PLAIN: dict[str, Any] = {
    "papers": [(n / 10, 0) for n in range(20)],
    "weights": {"yes": 2, "unreachable": 2, "refused": 0, "throttled": 0, "lost": 2, "gone": 2},
    "accidents": [Accident(2.0, "store fails", 0, 3), Accident(3.0, "die", 1, 20)],
    "seed": 1,
    "can_be_asked": True,
}


def test_what_these_tests_would_see(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A queue that knows no order, and a blind resend."""
    play(store, **PLAIN)
    with monkeypatch.context() as patch:
        patch.setattr(deliveries, "_blocked", lambda: sa.false())
        with pytest.raises(AssertionError, match=r"two of one key|out of order"):
            play(store, **PLAIN)
    with monkeypatch.context() as patch:
        patch.setattr(Peer, "find", _knows_nothing)
        with pytest.raises(AssertionError, match="doubled"):
            play(store, **PLAIN)


async def _knows_nothing(*_: Any) -> None:
    return None
