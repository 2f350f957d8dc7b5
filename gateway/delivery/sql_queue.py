"""The queue on the ledger itself: rows with leases and heartbeats, on SQLite or PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy.engine import Connection, Row

from connectors.contract import Outbound, Receipt
from gateway.clock import Clock, to_datetime
from gateway.faults import NothingThere
from gateway.store import deliveries, documents
from gateway.store.engine import Store
from gateway.store.sealed import Keyring
from mappings.formats.faults import Fault, FaultClass


class SqlQueue:
    """Implements `gateway.delivery.queue.Queue`. `lease` is in microseconds."""

    def __init__(self, store: Store, keyring: Keyring, clock: Clock, owner: str, lease: int, facility: str) -> None:
        self._store = store
        self._keyring = keyring
        self._clock = clock
        self._owner = owner
        self._lease = lease
        self._facility = facility
        self._held: set[str] = set()

    async def take(self, destination: str, limit: int) -> list[Row[Any]]:
        return await self._take(deliveries.take_queued, destination, limit)

    async def take_uncertain(self, destination: str, limit: int) -> list[Row[Any]]:
        return await self._take(deliveries.take_uncertain, destination, limit)

    async def _take(self, take: Any, destination: str, limit: int) -> list[Row[Any]]:
        now = self._clock.now()
        rows: list[Row[Any]] = await self._store.write(
            lambda connection: take(
                connection, destination, owner=self._owner, now=now, until=now + self._lease, limit=limit
            )
        )
        self._held.update(row.id for row in rows)
        return rows

    async def next_due(self, destination: str) -> int | None:
        return await self._store.read(lambda connection: deliveries.next_due(connection, destination))

    async def load(self, row: Row[Any], renditions: Sequence[str]) -> Outbound:
        def query(connection: Connection) -> tuple[Row[Any], Row[Any] | None]:
            return (
                documents.get(connection, row.document_id),
                documents.first_signed(connection, row.document_id, renditions),
            )

        document, found = await self._store.read(query)
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
        )

    async def send(self, row: Row[Any]) -> bool:
        return await self._store.write(lambda connection: deliveries.move(connection, row.id, "send", self._owner))

    async def accept(self, row: Row[Any], receipt: Receipt) -> None:
        now = self._clock.now()
        facts = msgspec.json.encode(dict(receipt.facts)).decode()

        def unit(connection: Connection) -> None:
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

    async def fail(self, row: Row[Any], event: str, fault: Fault, due_at: int) -> None:
        now = self._clock.now()
        counted = 0 if fault.fault_class is FaultClass.THROTTLED else 1

        def unit(connection: Connection) -> None:
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
        await self._finish(row, lambda connection: deliveries.postpone(connection, row.id, self._owner, fault, due_at))

    async def _finish(self, row: Row[Any], unit: Any) -> None:
        try:
            await self._store.write(unit)
        finally:
            self._held.discard(row.id)

    async def heartbeat(self) -> None:
        now = self._clock.now()
        held = sorted(self._held)

        def unit(connection: Connection) -> None:
            if held:
                deliveries.heartbeat(connection, held, self._owner, now + self._lease)
            deliveries.expire(connection, now)

        await self._store.write(unit)
