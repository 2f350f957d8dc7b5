"""A ledger, destinations that follow a plan, and nodes that can die at any of their steps: all of it on simulated time.

Nodes are the product's own Worker and queue. They share one database, which takes no time, and every touch of it or of Redis is
a step at which a node may die: from then on nothing of that node goes on, as after SIGKILL.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Connection

from connectors.contract import Outbound, Receipt
from connectors.faults import CannotAsk, Refused, Throttled, Uncertain, Unreachable
from gateway.clock import SECOND
from gateway.delivery.redis_queue import RedisQueue
from gateway.delivery.sql_queue import SqlQueue
from gateway.delivery.worker import Worker
from gateway.faults import StoreUnavailable
from gateway.settings import Route, RouteSettings
from gateway.store import deliveries, documents, messages
from gateway.store.documents import NewDocument
from gateway.store.engine import Store
from gateway.store.ids import uuid7
from gateway.store.sealed import Keyring, new_key_line
from tests.conftest import HandClock
from tests.integration.gateway.test_store import new_message
from tests.simulation.loop import SimulatedLoop

KEYRING = Keyring.parse(new_key_line("k"))
BODY = b"<signed/>"


def without_fsync(store: Store) -> None:
    """Spare a SQLite database its fsyncs; what is simulated here is no power cut."""
    if store.dialect == "sqlite":
        event.listen(store.engine, "connect", lambda raw, _: raw.execute("PRAGMA synchronous=OFF"))
        store.engine.dispose()


def queue_paper(
    store: Store, clock: HandClock, destinations: tuple[str, ...], key: bytes, days: float = 1
) -> list[str]:
    """Store a signed document with a queued delivery to each destination; its deadline is so many days away."""
    message = new_message()
    now = clock.now()

    def unit(connection: Connection) -> list[str]:
        messages.insert_all(connection, [message])
        deadline = now + round(days * 86_400) * SECOND
        new = NewDocument("discharge_paper", uuid7(), "his", message.id, "p1", key, now, deadline)
        document = documents.insert(connection, new)
        documents.move(connection, document, "compose")
        sealed = KEYRING.seal(BODY, f"{document}/cda")
        documents.put_rendition(connection, document, "cda", "application/xml", BODY, sealed, signed=True)
        documents.move(connection, document, "sign", signed_at=now)
        return [deliveries.insert(connection, document, to, key, "law", now, "queued") for to in destinations]

    return store.write_now(unit)


Answer = str
"""`yes`, `unreachable`, `refused`, `throttled`, `lost` (it arrived, the answer did not), `gone` (it did not arrive, and
nobody can tell)."""


@dataclass
class Peer:
    """A destination that counts by key what arrives, as the sandbox does."""

    clock: HandClock
    plan: Callable[[Outbound], tuple[Answer, float]]
    """What happens to a request, and how many seconds it takes."""
    can_be_asked: bool = True
    tried_at: list[int] = field(default_factory=list)
    arrived: list[str] = field(default_factory=list)
    """Keys in the order in which they arrived, repeats too."""
    arrived_at: dict[str, int] = field(default_factory=dict)
    order_key: dict[str, bytes] = field(default_factory=dict)
    """Delivery → whose it is; filled by who makes deliveries."""
    on_the_wire: list[tuple[str, Node]] = field(default_factory=list)
    most_together: int = 0
    wrong: list[str] = field(default_factory=list)
    """What must never be, seen from here."""

    async def deliver_from(self, node: Node, document: Outbound) -> Receipt:
        mine = self.order_key.get(document.key, document.key.encode())
        living = [key for key, sender in self.on_the_wire if not sender.dead.is_set()]
        if mine in {self.order_key.get(key, key.encode()) for key in living}:
            self.wrong.append(f"two of one key on the wire: {document.key}")
        self.tried_at.append(self.clock.now())
        entry = (document.key, node)
        self.on_the_wire.append(entry)
        self.most_together = max(self.most_together, len(living) + 1)
        try:
            return await self._answer(document)
        finally:
            self.on_the_wire.remove(entry)

    async def _answer(self, document: Outbound) -> Receipt:
        answer, seconds = self.plan(document)
        if answer in ("yes", "lost"):
            self.arrived.append(document.key)
            self.arrived_at.setdefault(document.key, self.clock.now())
        await asyncio.sleep(seconds)
        if answer == "yes":
            return Receipt(f"R-{document.key}", b"{}", {})
        raise {
            "unreachable": Unreachable(),
            "refused": Refused(detail="205"),
            "throttled": Throttled(retry_after=timedelta(seconds=7)),
            "lost": Uncertain(),
            "gone": Uncertain(),
        }[answer]

    async def find(self, document: Outbound) -> Receipt | None:
        await asyncio.sleep(0.1)
        if not self.can_be_asked:
            raise CannotAsk()
        return Receipt(f"R-{document.key}", b"{}", {}) if document.key in self.arrived_at else None


@dataclass
class Line:
    """A peer as one node reaches it."""

    peer: Peer
    node: Node

    async def deliver(self, document: Outbound) -> Receipt:
        return await self.peer.deliver_from(self.node, document)

    async def find(self, document: Outbound) -> Receipt | None:
        return await self.peer.find(document)

    async def close(self) -> None:
        return None


class Dead(BaseException):
    """Ends what is left of a node that died, once the simulation is over."""


class NodeStore:
    """What a node sees of the shared database: no time passes in it, and every touch is a step."""

    def __init__(self, store: Store, node: Node) -> None:
        self._store = store
        self._node = node
        self.engine = store.engine

    async def write(self, unit: Callable[[Connection], Any]) -> Any:
        return await self._touch(self._store.write_now, unit)

    async def read(self, query: Callable[[Connection], Any]) -> Any:
        return await self._touch(self._store.read_now, query)

    async def write_each(self, function: Callable[[Connection, list[Any]], list[Any]], item: Any) -> Any:
        return (await self.write(lambda connection: function(connection, [item])))[0]

    async def read_each(self, query: Callable[[Connection, list[Any]], list[Any]], item: Any) -> Any:
        return (await self.read(lambda connection: query(connection, [item])))[0]

    async def _touch(self, touch: Callable[[Any], Any], work: Any) -> Any:
        await self._node.step()
        if self._node.store_fails_for:
            self._node.store_fails_for -= 1
            raise StoreUnavailable(detail="OperationalError")
        done = touch(work)
        await asyncio.sleep(0)
        await self._node.step()
        return done


class Node:
    """One node: a worker per destination, a queue, heartbeats."""

    def __init__(
        self,
        name: str,
        store: Store,
        clock: HandClock,
        peers: Mapping[str, Peer],
        routes: Mapping[str, RouteSettings],
        *,
        redis: str = "",
        lease_s: int = 30,
        poll_s: float = 1.0,
    ) -> None:
        self.name = name
        self._lease_s = lease_s
        self._poll_s = poll_s
        self._steps_left: int | None = None
        self.dead = asyncio.Event()
        self._over = False
        self.store_fails_for = 0
        own = NodeStore(store, self)
        rules = {to: route.rules("Asia/Ho_Chi_Minh") for to, route in routes.items()}
        common: Any = (own, KEYRING, clock, name, lease_s * SECOND, "01999", rules)
        self.queue: SqlQueue = RedisQueue(redis, str(store.engine.url), *common) if redis else SqlQueue(*common)
        if isinstance(self.queue, RedisQueue):
            self._make_steps_of(self.queue)
        self._clock = clock
        self.wake = {to: asyncio.Event() for to in routes}
        self.workers = {
            to: Worker(Route(to, route, SimpleNamespace(takes="cda")), Line(peers[to], self), self.queue, clock)
            for to, route in routes.items()
        }
        for worker in self.workers.values():
            worker._jitter.seed(name)  # the same in every run
        self._tasks: list[asyncio.Task[None]] = []
        store.write_now(lambda connection: deliveries.expire(connection, clock.now(), node=name))

    def _make_steps_of(self, queue: RedisQueue) -> None:
        def stepped(call: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
            async def step(*arguments: Any, **named: Any) -> Any:
                await self.step()
                loop = asyncio.get_running_loop()
                assert isinstance(loop, SimulatedLoop)
                with loop.real():
                    done = await call(*arguments, **named)
                await self.step()
                return done

            return step

        client: Any = queue._client
        client.execute_command = stepped(client.execute_command)
        pipeline = client.pipeline

        def stepped_pipeline(**named: Any) -> Any:
            pipe = pipeline(**named)
            pipe.execute = stepped(pipe.execute)
            return pipe

        client.pipeline = stepped_pipeline

    async def step(self) -> None:
        """Go on, unless this node is dead by now; then nothing that it was about to do is ever done."""
        if self._steps_left is not None:
            self._steps_left -= 1
            if self._steps_left < 0:
                self.dead.set()
        if self._over:
            raise Dead
        if self.dead.is_set():
            await asyncio.Event().wait()

    def die_after(self, steps: int) -> bool:
        """Die so many steps from now; False when that is decided already."""
        if self._steps_left is not None:
            return False
        self._steps_left = steps
        return True

    def start(self) -> None:
        self._tasks = [
            asyncio.create_task(worker.run(self.wake[to], self._poll_s)) for to, worker in self.workers.items()
        ]
        self._tasks.append(asyncio.create_task(self._heartbeat()))

    async def _heartbeat(self) -> None:
        while True:
            await asyncio.sleep(self._lease_s / 3)
            try:
                await self.queue.heartbeat()
            except StoreUnavailable:
                continue

    def ring(self) -> None:
        for event_ in self.wake.values():
            event_.set()

    def check(self) -> None:
        """Fail when a loop of this node ended by itself."""
        for task in self._tasks:
            if task.done() and not self._over:
                task.result()
                raise AssertionError("a loop of the node ended")

    async def bury(self) -> None:
        """Drop whatever is left of this node, without letting it do anything more."""
        self._over = True
        self.dead.set()
        running = [task for worker in self.workers.values() for task in worker._tasks._running]
        everything = [*self._tasks, *running]
        while left := [task for task in everything if not task.done()]:
            for task in left:
                task.cancel()
            await asyncio.wait(left, timeout=1)
        for task in everything:
            if not task.cancelled():
                task.exception()
        if isinstance(self.queue, RedisQueue):
            await self.queue._client.connection_pool.disconnect()


def draws(chance: random.Random, answers: Mapping[Answer, int], until: Callable[[], bool]) -> Callable[[Outbound], Any]:
    """Return a plan that draws answers by weight while `until` does not hold, and says yes afterwards."""
    names, weights = list(answers), list(answers.values())

    def plan(_document: Outbound) -> tuple[Answer, float]:
        if until():
            return "yes", 0.2
        return chance.choices(names, weights)[0], chance.choice((0.05, 0.2, 1.0, 25.0))

    return plan
