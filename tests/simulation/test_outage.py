"""One destination is away for 72 hours; what is probed, who suffers, what is told, and how it ends.

Requirement: promises P4 and P5; S2.14.
"""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from connectors.contract import Outbound
from gateway.clock import SECOND
from gateway.delivery import limits
from gateway.delivery.limits import Breaker, Limit
from gateway.delivery.retry import Retry
from gateway.ops.reports import completeness
from gateway.settings import RouteSettings
from gateway.store import deliveries
from gateway.store.engine import Store, open_store
from tests.conftest import HandClock
from tests.simulation.loop import simulate
from tests.simulation.world import Node, Peer, queue_paper, without_fsync

HOUR = 3600 * SECOND
OUTAGE = 72 * HOUR
PROBE_S = 600
FAILURES = 5
CAP_S = 900
IN_FLIGHT = 8
SERVICE_S = 0.25
TOGETHER = 5
"""Papers that fall due at the same moment."""


def route(name: str) -> RouteSettings:
    return RouteSettings(
        name,
        basis="law",
        retry=Retry(first=timedelta(seconds=5), cap=timedelta(seconds=CAP_S), give_up_after=timedelta(days=7)),
        limit=Limit(in_flight=IN_FLIGHT),
        breaker=Breaker(failures=FAILURES, open_for=timedelta(seconds=PROBE_S)),
    )


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(f"sqlite:///{tmp_path / 'ledger.db'}")
    without_fsync(opened)
    yield opened
    opened.close()


@dataclass
class Outage:
    """Papers come in over 72 hours, each for the portal, which is away, and for the axis, which is not."""

    store: Store
    clock: HandClock
    papers: int
    redis: str
    portal: Peer = field(init=False)
    axis: Peer = field(init=False)
    made: dict[str, int] = field(default_factory=dict)
    """Delivery → when it was made."""
    nodes: list[Node] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.began = self.clock.now()
        self.ends = self.began + OUTAGE

        def away(_document: Outbound) -> tuple[str, float]:
            return ("unreachable", 5.0) if self.clock.now() < self.ends else ("yes", SERVICE_S)

        self.portal = Peer(self.clock, away)
        self.axis = Peer(self.clock, lambda _document: ("yes", SERVICE_S))

    async def run(self) -> None:
        peers = {"portal": self.portal, "axis": self.axis}
        routes = {name: route(name) for name in peers}
        self.nodes = [
            Node(name, self.store, self.clock, peers, routes, redis=self.redis, lease_s=600, poll_s=600)
            for name in ("n1", "n2")
        ]
        try:
            for node in self.nodes:
                node.start()
            await self._papers_come()
            await asyncio.sleep((self.ends - self.clock.now()) / SECOND)
            self.told = self.overdue()
            while await self._unfinished():  # noqa: ASYNC110 - of simulated time
                await asyncio.sleep(10)
            self.drained_at = max(self.portal.arrived_at.values())
        finally:
            for node in self.nodes:
                await node.bury()

    async def _papers_come(self) -> None:
        chance = random.Random(72)
        times = sorted(chance.uniform(0, OUTAGE / SECOND) for _ in range(self.papers // TOGETHER))
        for at in times:
            await asyncio.sleep(max(0.0, at - (self.clock.now() - self.began) / SECOND))
            for _ in range(TOGETHER):
                self._paper(b"%d" % chance.randrange(self.papers // 10))
            for node in self.nodes:
                node.ring()

    def _paper(self, key: bytes) -> None:
        made = queue_paper(self.store, self.clock, ("portal", "axis"), key)
        for one, peer in zip(made, (self.portal, self.axis), strict=True):
            self.made[one] = self.clock.now()
            peer.order_key[one] = key

    async def _unfinished(self) -> int:
        for node in self.nodes:
            node.check()
        return sum(self.store.read_now(deliveries.waiting).values())

    def overdue(self) -> set[str]:
        found = self.store.read_now(lambda c: completeness(c, 0, 10**17, self.clock.now()))
        return {one.id for one in found.missing if one.overdue}


def judge(outage: Outage) -> None:
    portal, axis = outage.portal, outage.axis
    to_portal = [one for one in outage.made if one in portal.order_key]
    before = [at for at in portal.tried_at if at < outage.ends]
    probes = before[FAILURES + IN_FLIGHT :]
    assert min(later - earlier for earlier, later in pairwise(probes)) >= PROBE_S * SECOND, "probed too often"
    assert len(before) <= OUTAGE // (PROBE_S * SECOND) + FAILURES + IN_FLIGHT

    slowest = max(at - outage.made[one] for one, at in axis.arrived_at.items())
    assert slowest < 10 * SECOND, "a destination that is well suffers"

    late = {one for one in to_portal if outage.made[one] + 24 * HOUR < outage.ends}
    assert outage.told == late, "the list of what is overdue is wrong"
    assert outage.overdue() == set()

    for peer in (portal, axis):
        assert peer.wrong == []
        assert len(peer.arrived) == len(set(peer.arrived)) == outage.papers
        last: dict[bytes, str] = {}
        for one in peer.arrived:
            assert last.get(peer.order_key[one], "") < one, "order"
            last[peer.order_key[one]] = one
    drained = (outage.drained_at - outage.ends) / SECOND
    assert drained < PROBE_S + CAP_S + 2 * outage.papers * SERVICE_S / IN_FLIGHT
    sys.stdout.write(
        f"72 h away, {outage.papers} deliveries: {len(before)} attempts, drained in {drained:.0f} s; "
        f"{len(late)} overdue were told; the other destination's slowest {slowest / SECOND:.2f} s\n"
    )


def play(store: Store, clock: HandClock, papers: int, redis: str = "") -> None:
    outage = Outage(store, clock, papers, redis)
    simulate(clock, outage.run())
    judge(outage)


def test_72_hours_on_the_ledger_alone(store: Store, clock: HandClock) -> None:
    play(store, clock, 2000)


def test_72_hours_with_redis(store: Store, clock: HandClock, redis_url: str) -> None:
    play(store, clock, 500, redis_url)


def test_a_breaker_that_never_opens_would_be_seen(
    store: Store, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "is_down", lambda *_: False)
    monkeypatch.setattr(sys.modules[__name__], "OUTAGE", 4 * HOUR)
    with pytest.raises(AssertionError, match="probed too often"):
        play(store, clock, 20)


@pytest.mark.nightly
def test_72_hours_with_many_deliveries(store: Store, clock: HandClock) -> None:
    play(store, clock, 20_000)


@pytest.mark.nightly
def test_72_hours_with_many_deliveries_and_redis(store: Store, clock: HandClock, redis_url: str) -> None:
    play(store, clock, 20_000, redis_url)
