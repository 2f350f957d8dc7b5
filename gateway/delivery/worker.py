"""Carry queued deliveries to one destination: claim, send, keep the receipt or decide what follows.

    queued ─▶ claimed ─▶ sending ─┬─▶ accepted                      the destination's own yes, kept as evidence
                                  ├─▶ queued (later)                transient, throttled: backoff, Retry-After, breaker
                                  ├─▶ error                         a clear no, or given up: the error queue
                                  └─▶ uncertain ─ ask ─▶ accepted / queued / error

One worker per destination and node. What the destination is asked to bear (in flight, per minute, breaker, hours, a pause) is
the queue's business, for all nodes together. Requirement: S3.13–S3.16.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Coroutine
from typing import Any

from sqlalchemy.engine import Row

from connectors.contract import Destination, Interruptible, Receipt
from connectors.faults import CannotAsk, NotArrived
from gateway.clock import SECOND, Clock
from gateway.delivery.answers import judged, pauses
from gateway.delivery.queue import Queue, Taken
from gateway.delivery.retry import Decision, decide
from gateway.faults import InternalFault, ItemDeadly, StoreFault
from gateway.safe_log import describe
from gateway.settings import Route
from gateway.store.leases import DEADLY
from gateway.tasks import TaskSet
from mappings.formats.faults import Fault, FaultClass

log = logging.getLogger("lienthong.delivery")

BUSY_S = 0.02
"""After how long it is looked again when another node was taking."""


class Worker:
    def __init__(self, route: Route, destination: Destination, queue: Queue, clock: Clock) -> None:
        self._name = route.name
        self._route = route.common
        self._renditions = route.renditions
        self._destination = destination
        self._queue = queue
        self._clock = clock
        self._tasks = TaskSet(self._route.limit.in_flight)
        self._jitter = random.Random(self._name)  # noqa: S311 - spreads retries, guards nothing
        self._said = ""
        self._free = asyncio.Event()
        self._busy = False

    async def run(self, wake: asyncio.Event, poll_s: float = 1.0) -> None:
        """Deliver until cancelled; then let what is on the wire come back, and what may take long end where it can go on."""
        try:
            while True:
                wake.clear()
                self._free.clear()
                if await self._step():
                    continue
                await self._idle(wake, poll_s)
        finally:
            if isinstance(self._destination, Interruptible):
                self._destination.interrupt()
            await self._tasks.drain()

    async def _step(self) -> bool:
        """Start what may start now; False when there was nothing."""
        if not self._tasks.free:
            return False
        try:
            taken = await self._queue.take(self._name, self._tasks.free)
        except StoreFault as fault:
            log.error("%s: %s", self._name, fault)
            return False
        self._say(taken)
        self._busy = taken.busy
        for row in taken.to_ask:
            self._start(row, self._ask(row))
        for row in taken.to_send:
            self._start(row, self._attempt(row))
        return bool(taken)

    def _say(self, taken: Taken) -> None:
        """Log once that a destination is down or paused, and once that it is not any more."""
        if taken.busy:
            return
        now = f"paused: {taken.paused}" if taken.paused else "down" if taken.down else ""
        if now != self._said:
            log.warning("%s is %s", self._name, now or "back")
            self._said = now

    async def _idle(self, wake: asyncio.Event, poll_s: float) -> None:
        """Wait for a bell, a free place, or the time at which something may change; at most `poll_s`."""
        seconds = poll_s
        if self._busy:
            seconds = BUSY_S * (1 + self._jitter.random())
        elif self._tasks.free:
            try:
                due = await self._queue.next_due(self._name)
            except StoreFault:
                due = None
            now = self._clock.now()
            if due is not None and due > now:
                seconds = min(seconds, (due - now) / SECOND)
        waiters = {asyncio.ensure_future(event.wait()) for event in (wake, self._free)}
        try:
            await asyncio.wait(waiters, timeout=max(seconds, 0.005), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for waiter in waiters:
                waiter.cancel()

    def _start(self, row: Row[Any], work: Coroutine[Any, Any, None]) -> None:
        self._tasks.start(self._counted(row, work))

    async def _counted(self, row: Row[Any], work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        finally:
            self._queue.forget(row)
            self._free.set()

    async def _attempt(self, row: Row[Any]) -> None:
        try:
            document = await self._queue.load(row, self._renditions)
            if not await self._queue.send(row):
                return
        except StoreFault as fault:
            log.error("%s: %s", self._name, fault)
            await self._queue.give_back(row)
            return
        except Fault as fault:
            await self._queue.send(row)
            await self._queue.fail(row, "refuse", fault, 0)
            return
        try:
            receipt = await self._destination.deliver(document)
        except Fault as fault:
            await self._failed(row, fault)
        except Exception as error:  # noqa: BLE001 - a bug of ours after sending began: nobody knows what arrived
            log.error("%s: %s", self._name, describe(error))
            await self._queue.fail(row, "lose", InternalFault(), self._clock.now())
        else:
            await self._queue.accept(row, receipt)

    async def _failed(self, row: Row[Any], fault: Fault) -> None:
        answer = judged(fault, self._route.answers)
        if isinstance(answer, Receipt):
            await self._queue.accept(row, answer)
            return
        if pauses(fault, self._route.answers):
            await self._queue.pause(self._name, str(fault))
        if answer.fault_class is FaultClass.REFUSED:
            log.warning("%s refused: %s", self._name, answer)
        decision = self._decide(row, answer, answer.fault_class)
        await self._queue.fail(row, decision.event, answer, decision.due_at)

    async def _ask(self, row: Row[Any]) -> None:
        """Find out what became of a request whose answer was lost, or of earlier ones before a person's resend.

        Where that cannot be asked, the person has decided: a resend that was not tried yet is sent.
        """
        try:
            document = await self._queue.load(row, self._renditions)
            receipt = await self._destination.find(document)
        except CannotAsk as fault:
            wanted = self._route.at_least_once or (row.resent_at is not None and row.attempts == 0)
            await self._not_there(row, "retry" if wanted else "refuse", fault)
        except Exception as error:  # noqa: BLE001 - a bug of ours leaves open what became of it, and does not end the asking
            if not isinstance(error, Fault):
                log.error("%s: %s", self._name, describe(error))
            what = error if isinstance(error, Fault) else InternalFault()
            decision = self._decide(row, what, FaultClass.TRANSIENT)
            if decision.event == "refuse":
                await self._queue.fail(row, "refuse", what, 0)
            else:
                await self._queue.postpone(row, what, decision.due_at)
        else:
            if receipt is None:
                await self._not_there(row, "retry", NotArrived())
            else:
                await self._queue.accept(row, receipt)

    async def _not_there(self, row: Row[Any], event: str, fault: Fault) -> None:
        """Send what was lost again: the first time at once, later as after any other failure."""
        decision = Decision(event, self._clock.now())
        if event == "retry" and row.deaths >= DEADLY:
            decision, fault = Decision("refuse"), ItemDeadly()
        elif event == "retry" and row.attempts > 1:
            decision = self._decide(row, fault, FaultClass.TRANSIENT, failures=row.attempts - 1)
        await self._queue.fail(row, decision.event, fault, decision.due_at)

    def _decide(self, row: Row[Any], fault: Fault, fault_class: FaultClass, failures: int = 0) -> Decision:
        return decide(
            fault_class,
            self._route.retry,
            failures=failures or row.attempts + 1,
            created_at=row.resent_at or row.created_at,
            now=self._clock.now(),
            jitter=self._jitter.random(),
            retry_after=getattr(fault, "retry_after", None),
        )
