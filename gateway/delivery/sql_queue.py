"""The queue on the ledger itself: rows with leases and heartbeats, on SQLite or PostgreSQL."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import msgspec
from sqlalchemy.engine import Connection, Row

from connectors.contract import Outbound, Receipt
from connectors.faults import CannotAsk, NotArrived, Refused, Throttled
from gateway import visit_steps
from gateway.clock import SECOND, Clock, to_datetime, watched
from gateway.delivery.limits import Rules, after_start, is_down, opens_at, room
from gateway.delivery.queue import Taken
from gateway.faults import NothingThere, StoreFault
from gateway.pictures import StudyPictures
from gateway.signing_forms import base_kind
from gateway.store import actions, clock_back, deliveries, destinations, dispatch, documents
from gateway.store.engine import Store
from gateway.store.leases import BACK
from gateway.store.objects import Objects
from gateway.store.sealed import Keyring
from mappings.documents import imaging_study
from mappings.formats.faults import Fault, FaultClass

log = logging.getLogger("lienthong.queue")
T = TypeVar("T")

ANSWERS = (Refused, NotArrived)
"""Faults that only a destination that works can be the cause of."""

AGAIN_S = 1.0
"""After how long it is tried again to write down an outcome when the store is away."""
PATIENCE = 3600
"""How often; after that the lease runs out and the destination is asked."""
MEETINGS = 50
"""How often a failure that meets another node at the destination's row is tried again before it goes uncounted."""


class SqlQueue:
    """Implements `gateway.delivery.queue.Queue`. `lease` is in microseconds."""

    def __init__(
        self,
        store: Store,
        keyring: Keyring,
        clock: Clock,
        owner: str,
        lease: int,
        facility: str,
        rules: Mapping[str, Rules],
        objects: Objects | None = None,
    ) -> None:
        """`objects` is where the pictures of studies are; needed where destinations take pictures."""
        self._objects = objects
        self._store = store
        self._keyring = keyring
        self._clock = watched(clock)
        self._owner = owner
        self._lease = lease
        self._facility = facility
        self._rules = rules
        self._held: dict[str, Row[Any]] = {}
        """What this node works on, as it was taken last."""
        self._taking = 0
        """Claims of which it is not known yet what they hold."""
        self._failing: set[str] = set()
        """Destinations that failed last; only of these is it written down that they answer again."""
        self._suspect = ""
        """What outlived a node that held it, and is under way."""

    async def take(self, destination: str, limit: int) -> Taken:
        now = self._clock.now()
        rules = self._rules[destination]
        lease: dict[str, Any] = {"owner": self._owner, "now": now, "until": now + self._lease}

        def unit(connection: Connection) -> Taken:
            load = destinations.lock(connection, destination)
            if load is None:
                return Taken(busy=True)
            down = is_down(rules, load)
            if load.failures:
                self._failing.add(destination)
            free = room(rules, load, 0, now)
            if free:
                free = min(limit, room(rules, load, deliveries.running(connection, destination, now), now))
            if not free:
                return Taken(down=down, paused=load.paused)
            to_ask = deliveries.take_uncertain(connection, destination, limit=free, **lease)
            free -= len(to_ask)
            to_send = deliveries.take_queued(connection, destination, limit=free, **lease) if free else []
            if rules.limit.per_minute and (to_ask or to_send):
                destinations.put_started(connection, destination, after_start(load, len(to_ask) + len(to_send), now))
            return Taken(to_ask, to_send, down, load.paused)

        return await self._one_suspect(await self._claim(unit), now)

    async def _claim(self, unit: Callable[[Connection], Taken]) -> Taken:
        """Take by `unit`, but nothing to ask about that this node is asking about: its clock ran ahead of the lease."""
        self._taking += 1
        try:
            taken = await self._store.write(unit)
            taken = replace(taken, to_ask=[row for row in taken.to_ask if row.id not in self._held])
            self._held.update((row.id, row) for row in (*taken.to_ask, *taken.to_send))
        finally:
            self._taking -= 1
        return taken

    async def _one_suspect(self, taken: Taken, now: int) -> Taken:
        """Give back every suspect but one, and that one too while another is under way."""
        suspects = [row for row in (*taken.to_ask, *taken.to_send) if row.deaths]
        if not suspects:
            return taken
        if not self._suspect:
            self._suspect = suspects.pop(0).id
        if suspects:
            await self._set_aside(suspects, now + BACK)
        left = {row.id for row in suspects}
        to_ask, to_send = ([row for row in rows if row.id not in left] for rows in (taken.to_ask, taken.to_send))
        return replace(taken, to_ask=to_ask, to_send=to_send)

    async def _set_aside(self, rows: Sequence[Row[Any]], due_at: int) -> None:
        ids = [row.id for row in rows]
        await self._persist(
            lambda: self._store.write(lambda connection: deliveries.set_aside(connection, ids, self._owner, due_at))
        )
        for row in rows:
            self._let_go(row)

    async def next_due(self, destination: str) -> int | None:
        now = self._clock.now()

        def query(connection: Connection) -> tuple[str, int | None]:
            load = destinations.load_of(destinations.get(connection, destination))
            due = None if load.paused else deliveries.next_due(connection, destination)
            if due is None:
                return load.paused, None
            return "", max(due, opens_at(self._rules[destination], load, max(due, now)))

        paused, due = await self._store.read(query)
        self._noticed(destination, paused)
        return due

    def _noticed(self, destination: str, paused: str) -> None:
        """Take note of whether a destination is paused."""

    async def load(self, row: Row[Any], renditions: Sequence[str]) -> Outbound:
        found = await self._store.read_each(documents.final_all, (row.document_id, tuple(renditions)))
        if not found:
            raise NothingThere(where=row.document_id, detail=renditions[-1])
        body, *beside = (self._keyring.open(one.body, f"{row.document_id}/{one.kind}") for one in found)
        media_type = str(found[0].media_type)
        if base_kind(found[0].kind) == "gdbhyt" and ";" not in media_type:
            media_type = visit_steps.media_type(body) + ("; corrects=1" if found[0].version > 1 else "")
        pictures = None
        if found[0].kind == imaging_study.RENDITION and self._objects is not None:
            pictures = StudyPictures(body, self._objects)
        return Outbound(
            key=row.id,
            kind=found[0].paper,
            body=body,
            media_type=media_type,
            sha256=found[0].sha256,
            created_at=to_datetime(row.created_at),
            facility=self._facility,
            signature=beside[0] if beside else b"",
            pictures=pictures,
        )

    async def send(self, row: Row[Any]) -> bool:
        return await self._store.write_each(dispatch.send_all, (row.id, self._owner))

    async def accept(self, row: Row[Any], receipt: Receipt) -> None:
        now = self._clock.now()
        facts = msgspec.json.encode(dict(receipt.facts)).decode()
        sealed = self._keyring.seal(receipt.evidence, f"receipt/{row.id}")
        back = row.destination if row.destination in self._failing else ""
        yes = dispatch.Accepted(row.id, self._owner, now, receipt.reference, facts, sealed, back)
        await self._persist(lambda: self._store.write_each(dispatch.accept_all, yes))
        self._failing.discard(row.destination)

    async def fail(self, row: Row[Any], event: str, fault: Fault, due_at: int) -> None:
        now = self._clock.now()
        # what was asked about was counted when its answer was lost
        counted = 0 if fault.fault_class is FaultClass.THROTTLED or isinstance(fault, (NotArrived, CannotAsk)) else 1
        survived = {"deaths": 0} if row.state == "claimed" else {}

        def unit(connection: Connection, must: bool) -> bool:
            if not self._note(connection, row.destination, fault, due_at, now) and must:
                return False
            if deliveries.move(
                connection,
                row.id,
                event,
                self._owner,
                fault,
                due_at=due_at or now,
                attempts=row.attempts + counted,
                **survived,
            ):
                deliveries.put_attempt(
                    connection, row.id, ended_at=now, event=event, fault=fault, facts="{}", sealed=None
                )
            return True

        await self._persist_counted(unit)
        self._let_go(row)

    async def postpone(self, row: Row[Any], fault: Fault, due_at: int) -> None:
        now = self._clock.now()

        def unit(connection: Connection, must: bool) -> bool:
            if not self._note(connection, row.destination, fault, due_at, now) and must:
                return False
            deliveries.postpone(connection, row.id, self._owner, fault, due_at)
            return True

        await self._persist_counted(unit)
        self._let_go(row)

    async def give_back(self, row: Row[Any]) -> None:
        await self._persist(
            lambda: self._store.write(lambda connection: deliveries.give_back(connection, row.id, self._owner))
        )
        self._let_go(row)

    def _let_go(self, row: Row[Any]) -> None:
        """Hold a delivery no longer, unless it was taken again since."""
        if self._held.get(row.id) is row:
            del self._held[row.id]

    def forget(self, row: Row[Any]) -> None:
        self._let_go(row)
        if self._suspect == row.id:
            self._suspect = ""

    def _note(self, connection: Connection, destination: str, fault: Fault, due_at: int, now: int) -> bool:
        """Note what a fault says of its destination; False when another node is at that and it is to be tried again."""
        if isinstance(fault, Throttled):
            destinations.throttled(connection, destination, due_at)
        elif isinstance(fault, ANSWERS):
            if destination in self._failing:
                destinations.answered(connection, destination)
        elif fault.fault_class in (FaultClass.TRANSIENT, FaultClass.UNCERTAIN):
            self._failing.add(destination)
            return destinations.failed(connection, destination, self._rules[destination], now)
        return True

    async def pause(self, destination: str, reason: str) -> None:
        now = self._clock.now()

        def unit(connection: Connection) -> None:
            if destinations.pause(connection, destination, at=now, actor=self._owner, reason=reason):
                actions.insert(connection, at=now, actor=self._owner, verb="pause", target=destination, reason=reason)

        await self._store.write(unit)

    async def _persist(self, write: Callable[[], Awaitable[T]]) -> T:
        """Write down what happened at the destination, also when the store is away for a while: it is known only here."""
        for tries in range(PATIENCE):
            try:
                return await write()
            except StoreFault as fault:
                if not tries:
                    log.error("an outcome waits for the store: %s", fault)
                await asyncio.sleep(AGAIN_S)
        return await write()

    async def _persist_counted(self, unit: Callable[[Connection, bool], bool]) -> None:
        for _ in range(MEETINGS):
            if await self._persist(lambda: self._store.write(lambda connection: unit(connection, True))):
                return
            await asyncio.sleep(random.uniform(0.002, 0.02))  # noqa: S311 - so that two nodes do not keep step
        await self._persist(lambda: self._store.write(lambda connection: unit(connection, False)))

    async def relieve(self, owner: str) -> None:
        return None

    async def close(self) -> None:
        return None

    async def heartbeat(self) -> None:
        now = self._clock.now()
        back = self._is_set_back(now)

        def unit(connection: Connection) -> None:
            held = list(self._held)
            if back:
                clock_back.forget(connection, now, now + self._lease)
            if held:
                deliveries.heartbeat(connection, held, self._owner, now + self._lease)
            # what a claim has just taken is not among what is held yet
            deliveries.expire(connection, now, spared=self._owner if self._taking else "")

        await self._store.write(unit)
        if back:
            self._clock.start_anew()

    def _is_set_back(self, now: int) -> bool:
        return now < self._clock.latest - SECOND
