"""A queue that is watched: it does what the queue behind it does, and counts what every try led to."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from sqlalchemy.engine import Row

from connectors.contract import Outbound, Receipt
from gateway import meters
from gateway.clock import Clock
from gateway.delivery.queue import Queue, Taken
from mappings.formats.faults import Fault


class Observed:
    """Implements `gateway.delivery.queue.Queue` by means of another one."""

    def __init__(self, queue: Queue, clock: Clock) -> None:
        self._queue = queue
        self._clock = clock
        self._sent: dict[str, float] = {}

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
            self._sent[row.id] = time.monotonic()
        return mine

    async def accept(self, row: Row[Any], receipt: Receipt) -> None:
        started = self._sent.pop(row.id, None)
        await self._queue.accept(row, receipt)
        self._ended(row, "accept", "none", started)
        late = 0 < row.deadline_at < self._clock.now()
        meters.count(meters.ARRIVED, destination=row.destination, punctual="late" if late else "in_time")

    async def fail(self, row: Row[Any], event: str, fault: Fault, due_at: int) -> None:
        started = self._sent.pop(row.id, None)
        await self._queue.fail(row, event, fault, due_at)
        self._ended(row, event, fault.fault_class.value, started)

    async def postpone(self, row: Row[Any], fault: Fault, due_at: int) -> None:
        await self._queue.postpone(row, fault, due_at)
        self._ended(row, "postpone", fault.fault_class.value, None)

    async def give_back(self, row: Row[Any]) -> None:
        await self._queue.give_back(row)

    def forget(self, row: Row[Any]) -> None:
        self._sent.pop(row.id, None)
        self._queue.forget(row)

    async def pause(self, destination: str, reason: str) -> None:
        await self._queue.pause(destination, reason)

    async def close(self) -> None:
        await self._queue.close()

    async def heartbeat(self) -> None:
        await self._queue.heartbeat()

    def _ended(self, row: Row[Any], event: str, fault_class: str, started: float | None) -> None:
        meters.count(meters.DELIVERIES, destination=row.destination, event=event, fault_class=fault_class)
        if started is not None:
            meters.observe(meters.REQUEST, time.monotonic() - started, destination=row.destination)
