"""The queue on the ledger itself: rows with leases and heartbeats, on SQLite or PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy.engine import Connection, Row

from connectors.contract import Outbound, Receipt
from connectors.faults import Refused, Throttled
from gateway.clock import Clock, to_datetime
from gateway.delivery.limits import Rules, after_start, is_down, opens_at, room
from gateway.delivery.queue import Taken
from gateway.faults import NothingThere
from gateway.store import actions, deliveries, destinations, documents
from gateway.store.engine import Store
from gateway.store.sealed import Keyring
from mappings.formats.faults import Fault, FaultClass


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
    ) -> None:
        self._store = store
        self._keyring = keyring
        self._clock = clock
        self._owner = owner
        self._lease = lease
        self._facility = facility
        self._rules = rules
        self._held: set[str] = set()
        self._failing: set[str] = set()
        """Destinations that failed last; only of these is it written down that they answer again."""

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

        taken = await self._store.write(unit)
        self._held.update(row.id for row in (*taken.to_ask, *taken.to_send))
        return taken

    async def next_due(self, destination: str) -> int | None:
        now = self._clock.now()

        def query(connection: Connection) -> int | None:
            load = destinations.load_of(destinations.get(connection, destination))
            due = None if load.paused else deliveries.next_due(connection, destination)
            return None if due is None else max(due, opens_at(self._rules[destination], load, max(due, now)))

        return await self._store.read(query)

    async def load(self, row: Row[Any], renditions: Sequence[str]) -> Outbound:
        def query(connection: Connection) -> tuple[Row[Any], Row[Any] | None, Row[Any] | None]:
            found = documents.first_signed(connection, row.document_id, renditions)
            beside = found and documents.first_signed(connection, row.document_id, (documents.beside(found.kind),))
            return documents.get(connection, row.document_id), found, beside

        document, found, beside = await self._store.read(query)
        if found is None:
            raise NothingThere(where=row.document_id, detail=renditions[-1])
        return Outbound(
            key=row.id,
            kind=document.paper,
            body=self._keyring.open(found.body, f"{row.document_id}/{found.kind}"),
            media_type=found.media_type,
            sha256=found.sha256,
            created_at=to_datetime(row.created_at),
            facility=self._facility,
            signature=b"" if beside is None else self._keyring.open(beside.body, f"{row.document_id}/{beside.kind}"),
        )

    async def send(self, row: Row[Any]) -> bool:
        return await self._store.write(lambda connection: deliveries.move(connection, row.id, "send", self._owner))

    async def accept(self, row: Row[Any], receipt: Receipt) -> None:
        now = self._clock.now()
        facts = msgspec.json.encode(dict(receipt.facts)).decode()
        was_failing = row.destination in self._failing

        def unit(connection: Connection) -> None:
            if was_failing:
                destinations.answered(connection, row.destination)
            moved = deliveries.move(
                connection, row.id, "accept", self._owner, accepted_at=now, reference=receipt.reference
            )
            # a yes is kept even when the lease was lost: it is evidence
            sealed = self._keyring.seal(receipt.evidence, f"receipt/{row.id}")
            deliveries.put_attempt(
                connection,
                row.id,
                ended_at=now,
                event="accept" if moved else "late_accept",
                fault=None,
                facts=facts,
                sealed=sealed,
            )

        await self._finish(row, unit)
        self._failing.discard(row.destination)

    async def fail(self, row: Row[Any], event: str, fault: Fault, due_at: int) -> None:
        now = self._clock.now()
        counted = 0 if fault.fault_class is FaultClass.THROTTLED else 1

        def unit(connection: Connection) -> None:
            self._note(connection, row.destination, fault, due_at, now)
            if deliveries.move(
                connection,
                row.id,
                event,
                self._owner,
                fault,
                due_at=due_at or now,
                attempts=row.attempts + counted,
            ):
                deliveries.put_attempt(
                    connection, row.id, ended_at=now, event=event, fault=fault, facts="{}", sealed=None
                )

        await self._finish(row, unit)

    async def postpone(self, row: Row[Any], fault: Fault, due_at: int) -> None:
        now = self._clock.now()

        def unit(connection: Connection) -> None:
            self._note(connection, row.destination, fault, due_at, now)
            deliveries.postpone(connection, row.id, self._owner, fault, due_at)

        await self._finish(row, unit)

    def _note(self, connection: Connection, destination: str, fault: Fault, due_at: int, now: int) -> None:
        if isinstance(fault, Throttled):
            destinations.throttled(connection, destination, due_at)
        elif fault.fault_class in (FaultClass.TRANSIENT, FaultClass.UNCERTAIN):
            destinations.failed(connection, destination, self._rules[destination], now)
            self._failing.add(destination)
        elif isinstance(fault, Refused) and destination in self._failing:
            destinations.answered(connection, destination)

    async def pause(self, destination: str, reason: str) -> None:
        now = self._clock.now()

        def unit(connection: Connection) -> None:
            if destinations.pause(connection, destination, at=now, actor=self._owner, reason=reason):
                actions.insert(connection, at=now, actor=self._owner, verb="pause", target=destination, reason=reason)

        await self._store.write(unit)

    async def _finish(self, row: Row[Any], unit: Any) -> None:
        try:
            await self._store.write(unit)
        finally:
            self._held.discard(row.id)

    async def close(self) -> None:
        return None

    async def heartbeat(self) -> None:
        now = self._clock.now()
        held = sorted(self._held)

        def unit(connection: Connection) -> None:
            if held:
                deliveries.heartbeat(connection, held, self._owner, now + self._lease)
            deliveries.expire(connection, now)

        await self._store.write(unit)
