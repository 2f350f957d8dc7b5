"""What one node does for all: daily jobs and the watch over deadlines, by whoever holds the lease `scheduler`.

A job writes in transactions that begin with the fence it is given, so a node that only believes that it leads changes
nothing. Every job may be done twice; that it was done is kept, so that a new leader does not begin the day again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from sqlalchemy.engine import Connection

from gateway.clock import SECOND, Clock
from gateway.faults import LeadershipLost
from gateway.safe_log import describe
from gateway.store import leadership, nodes
from gateway.store.engine import Store
from mappings.formats.faults import Fault

log = logging.getLogger("lienthong.scheduler")

NAME = "scheduler"
AGAIN = 60 * SECOND
"""After how long a job that failed is tried again."""
DAY_S = 86_400

Fence = Callable[[Connection], None]
"""Raise LeadershipLost in a transaction of a node that does not lead any more."""


@dataclass(frozen=True)
class Job:
    name: str
    every_s: int
    run: Callable[[Fence], Awaitable[None]]


class Scheduler:
    """`lease` is in microseconds."""

    def __init__(self, store: Store, clock: Clock, owner: str, lease: int, jobs: Sequence[Job]) -> None:
        self._store = store
        self._clock = clock
        self._owner = owner
        self._lease = lease
        self._jobs = jobs
        self._token = 0
        self._running: dict[str, asyncio.Task[None]] = {}
        self._not_before: dict[str, int] = {}

    @property
    def leads(self) -> bool:
        """Whether this node believes that it leads."""
        return bool(self._token)

    async def run(self) -> None:
        """Lead when nobody else does, until cancelled; then give the lease back."""
        try:
            while True:
                try:
                    await self.turn()
                except Fault as fault:
                    log.error("scheduler: %s", fault)
                await asyncio.sleep(self._lease / SECOND / 6)
        finally:
            await self._stop()
            token, self._token = self._token, 0
            if token:
                try:
                    await self._store.write(lambda connection: leadership.release(connection, NAME, token))
                except Fault as fault:
                    log.error("scheduler: %s", fault)

    async def turn(self) -> None:
        """Take or renew the lease, and start what is due."""
        now = self._clock.now()
        until, token = now + self._lease, self._token

        def unit(connection: Connection) -> tuple[int, dict[str, int]]:
            if token and leadership.renew(connection, NAME, token, until):
                return token, nodes.ran(connection)
            return leadership.take(connection, NAME, self._owner, now, until), nodes.ran(connection)

        self._token, ran = await self._store.write(unit)
        if token and self._token != token:
            log.warning("another node leads" if not self._token else "leadership was lost and taken again")
            await self._stop()
        if not self._token:
            return
        for job in self._jobs:
            due = ran.get(job.name, -job.every_s * SECOND) + job.every_s * SECOND
            if job.name not in self._running and max(due, self._not_before.get(job.name, 0)) <= now:
                self._running[job.name] = asyncio.create_task(self._do(job, self._token))

    async def settle(self) -> None:
        """Wait for the jobs that run."""
        if self._running:
            await asyncio.wait(list(self._running.values()))

    async def _do(self, job: Job, token: int) -> None:
        def fence(connection: Connection) -> None:
            leadership.require(connection, NAME, token)

        def done(connection: Connection) -> None:
            fence(connection)
            nodes.put_ran(connection, job.name, self._owner, self._clock.now())

        try:
            await job.run(fence)
            await self._store.write(done)
        except LeadershipLost as fault:
            log.warning("%s: %s", job.name, fault)
        except Exception as error:  # noqa: BLE001 - one job must not end the others
            log.error("%s: %s", job.name, error if isinstance(error, Fault) else describe(error))
            self._not_before[job.name] = self._clock.now() + AGAIN
        finally:
            self._running.pop(job.name, None)

    async def _stop(self) -> None:
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
