"""A queue that is watched: it does what the queue behind it does, and counts and traces what every try led to."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from sqlalchemy.engine import Row

from connectors.contract import Outbound, Receipt
from gateway import meters
from gateway.clock import Clock
from gateway.delivery.queue import Queue, Taken
from gateway.tracing import OFF, Moment, Tracer
from mappings.formats.faults import Fault


class Observed:
    """Implements `gateway.delivery.queue.Queue` by means of another one."""

    def __init__(
        self,
        queue: Queue,
        clock: Clock,
        tracer: Tracer = OFF,
        message_of: Callable[[str], Awaitable[str]] | None = None,
    ) -> None:
        """`message_of` gives the message that a document was made of; without it nothing is traced."""
        self._queue = queue
        self._clock = clock
        self._tracer = tracer
        self._message_of = message_of if tracer is not OFF else None
        self._sent: dict[str, tuple[float, int]] = {}

    async def take(self, destination: str, limit: int) -> Taken:
        taken = await self._queue.take(destination, limit)
        if not taken.busy:
            meters.show(meters.DOWN, float(taken.down), destination=destination)
        return taken

    async def next_due(self, destination: str) -> int | None:
        return await self._queue.next_due(destination)

    async def load(self, row: Row[Any], renditions: Sequence[str]) -> Outbound:
        return await self._queue.load(row, renditions)

    async def send(self, row: Row[Any]) -> bool:
        mine = await self._queue.send(row)
        if mine:
            self._sent[row.id] = time.monotonic(), self._clock.now()
        return mine

    async def accept(self, row: Row[Any], receipt: Receipt) -> None:
        started = self._sent.pop(row.id, None)
        await self._queue.accept(row, receipt)
        await self._ended(row, "accept", None, started)
        late = 0 < row.deadline_at < self._clock.now()
        meters.count(meters.ARRIVED, destination=row.destination, punctual="late" if late else "in_time")

    async def fail(self, row: Row[Any], event: str, fault: Fault, due_at: int) -> None:
        started = self._sent.pop(row.id, None)
        await self._queue.fail(row, event, fault, due_at)
        await self._ended(row, event, fault, started)

    async def postpone(self, row: Row[Any], fault: Fault, due_at: int) -> None:
        await self._queue.postpone(row, fault, due_at)
        await self._ended(row, "postpone", fault, None)

    async def give_back(self, row: Row[Any]) -> None:
        await self._queue.give_back(row)

    async def pause(self, destination: str, reason: str) -> None:
        await self._queue.pause(destination, reason)

    def forget(self, row: Row[Any]) -> None:
        self._sent.pop(row.id, None)
        self._queue.forget(row)

    async def relieve(self, owner: str) -> None:
        await self._queue.relieve(owner)

    async def close(self) -> None:
        await self._queue.close()

    async def heartbeat(self) -> None:
        await self._queue.heartbeat()

    async def _ended(self, row: Row[Any], event: str, fault: Fault | None, started: tuple[float, int] | None) -> None:
        fault_class = "none" if fault is None else fault.fault_class.value
        meters.count(meters.DELIVERIES, destination=row.destination, event=event, fault_class=fault_class)
        if started is not None:
            meters.observe(meters.REQUEST, time.monotonic() - started[0], destination=row.destination)
        if self._message_of is not None:
            try:
                message_id = await self._message_of(row.document_id)
            except Fault:
                return  # a trace with a hole
            self._trace(message_id, row, event, fault, self._clock.now() if started is None else started[1])

    def _trace(self, message_id: str, row: Row[Any], event: str, fault: Fault | None, since: int) -> None:
        now, key = self._clock.now(), f"delivery/{row.id}"
        said: dict[str, str | int] = {
            "lienthong.delivery": row.id,
            "lienthong.document": row.document_id,
            "lienthong.destination": row.destination,
        }
        one = {**said, "lienthong.event": event, "lienthong.attempt": row.attempts + 1}
        self._tracer.span(message_id, "attempt", since, now, one, parent=key, kind="client", fault=fault)
        if fault is None:
            moments = [
                Moment(name, at, {}) for name, at in (("warned", row.warned_at), ("breached", row.breached_at)) if at
            ]
            moments.append(Moment("receipt", now, {}))
            above = f"document/{row.document_id}"
            self._tracer.span(message_id, "delivery", row.created_at, now, said, key=key, parent=above, moments=moments)
