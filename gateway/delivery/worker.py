"""Carry queued deliveries to one destination: claim, send, keep the receipt or decide what follows.

    queued ─▶ claimed ─▶ sending ─┬─▶ accepted                      the destination's own yes, kept as evidence
                                  ├─▶ queued (later)                transient, throttled: backoff, Retry-After, breaker
                                  ├─▶ error                         a clear no, or given up: the error queue
                                  └─▶ uncertain ─ ask ─▶ accepted / queued / error

One worker per destination and node. What the destination is asked to bear (in flight, per minute, breaker) is counted per
node. Requirement: S3.13–S3.16.
"""

from __future__ import annotations

import asyncio
import logging
import random
from typing import Any

from sqlalchemy.engine import Row

from connectors.contract import Destination
from connectors.faults import CannotAsk, Throttled
from gateway.clock import SECOND, Clock
from gateway.delivery.limits import Gate
from gateway.delivery.queue import Queue
from gateway.delivery.retry import decide
from gateway.faults import InternalFault, StoreFault
from gateway.safe_log import describe
from gateway.settings import Route
from gateway.tasks import TaskSet
from mappings.formats.faults import Fault, FaultClass

log = logging.getLogger("lienthong.delivery")


class Worker:
    def __init__(self, route: Route, destination: Destination, queue: Queue, clock: Clock) -> None:
        self._name = route.name
        self._route = route.common
        self._renditions = route.renditions
        self._destination = destination
        self._queue = queue
        self._clock = clock
        self._gate = Gate(self._route.limit, self._route.breaker)
        self._tasks = TaskSet(self._route.limit.in_flight)
        self._jitter = random.Random(self._name)  # noqa: S311 - spreads retries, guards nothing
        self._said_down = False
        self._free = asyncio.Event()

    async def run(self, wake: asyncio.Event, poll_s: float = 1.0) -> None:
        """Deliver until cancelled; then let what is on the wire come back."""
        try:
            while True:
                wake.clear()
                self._free.clear()
                if await self._step():
                    continue
                await self._idle(wake, poll_s)
        finally:
            await self._tasks.drain()

    async def _step(self) -> bool:
        """Start what may start now; False when there was nothing."""
        room = self._gate.room(self._clock.now())
        if not room:
            return False
        try:
            rows = await self._queue.take_uncertain(self._name, room)
            for row in rows:
                self._start(self._ask(row))
            room -= len(rows)
            queued = await self._queue.take(self._name, room) if room else []
            for row in queued:
                self._start(self._attempt(row))
        except StoreFault as fault:
            log.error("%s: %s", self._name, fault)
            return False
        return bool(rows or queued)

    async def _idle(self, wake: asyncio.Event, poll_s: float) -> None:
        """Wait for a bell, a free place, or the time at which something may change; at most `poll_s`."""
        now = self._clock.now()
        opens = self._gate.opens_at(now)
        seconds = poll_s if opens <= now else min(poll_s, (opens - now) / SECOND)
        if opens <= now:
            try:
                due = await self._queue.next_due(self._name)
            except StoreFault:
                due = None
            if due is not None and due > now:
                seconds = min(seconds, (due - now) / SECOND)
        waiters = {asyncio.ensure_future(event.wait()) for event in (wake, self._free)}
        try:
            await asyncio.wait(waiters, timeout=max(seconds, 0.005), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for waiter in waiters:
                waiter.cancel()

    def _start(self, work: Any) -> None:
        self._gate.start(self._clock.now())
        self._tasks.start(self._counted(work))

    async def _counted(self, work: Any) -> None:
        try:
            await work
        finally:
            self._gate.end()
            self._free.set()

    async def _attempt(self, row: Row[Any]) -> None:
        try:
            document = await self._queue.load(row, self._renditions)
        except Fault as fault:
            await self._queue.send(row)
            await self._queue.fail(row, "refuse", fault, 0)
            return
        if not await self._queue.send(row):
            return
        try:
            receipt = await self._destination.deliver(document)
        except Fault as fault:
            await self._failed(row, fault)
        except Exception as error:  # noqa: BLE001 - a bug of ours after sending began: nobody knows what arrived
            log.error("%s: %s", self._name, describe(error))
            await self._queue.fail(row, "lose", InternalFault(), self._clock.now())
        else:
            self._alive()
            await self._queue.accept(row, receipt)

    async def _failed(self, row: Row[Any], fault: Fault) -> None:
        now = self._clock.now()
        self._note(fault, now)
        decision = decide(
            fault.fault_class,
            self._route.retry,
            failures=row.attempts + 1,
            created_at=row.created_at,
            now=now,
            jitter=self._jitter.random(),
            retry_after=getattr(fault, "retry_after", None),
        )
        if isinstance(fault, Throttled):
            self._gate.throttled(decision.due_at)
        await self._queue.fail(row, decision.event, fault, decision.due_at)

    async def _ask(self, row: Row[Any]) -> None:
        """Find out what became of a request whose answer was lost."""
        try:
            document = await self._queue.load(row, self._renditions)
            receipt = await self._destination.find(document)
        except CannotAsk as fault:
            await self._queue.fail(row, "refuse", fault, 0)
        except Fault as fault:
            now = self._clock.now()
            self._note(fault, now)
            decision = decide(
                FaultClass.TRANSIENT,
                self._route.retry,
                failures=row.attempts + 1,
                created_at=row.created_at,
                now=now,
                jitter=self._jitter.random(),
                retry_after=getattr(fault, "retry_after", None),
            )
            if decision.event == "refuse":
                await self._queue.fail(row, "refuse", fault, 0)
            else:
                await self._queue.postpone(row, fault, decision.due_at)
        else:
            self._alive()
            if receipt is None:
                await self._queue.fail(row, "retry", InternalFault(), self._clock.now())
            else:
                await self._queue.accept(row, receipt)

    def _note(self, fault: Fault, now: int) -> None:
        """Count transient failures for the breaker; say once that a destination is down, and once that it is back."""
        if fault.fault_class is FaultClass.TRANSIENT:
            self._gate.failed(now)
            if self._gate.is_open and not self._said_down:
                self._said_down = True
                log.warning("%s is down: %s", self._name, fault)
        elif fault.fault_class is FaultClass.REFUSED:
            self._alive()
            log.warning("%s refused: %s", self._name, fault)

    def _alive(self) -> None:
        self._gate.answered()
        if self._said_down:
            self._said_down = False
            log.warning("%s is back", self._name)
