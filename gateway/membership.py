"""One node among others on a ledger: it claims its name, says that it lives, and relieves those that died.

A node is dead when nobody holds its name any more (the system lets go of it with the process) and it has been silent for a
moment, or when it has been silent for a whole `lease`, as when its machine is gone. Silence is a number that does not grow
while this node looks, so that no clock of another machine is believed. Whoever notices first takes back what the dead one held;
of several that notice, one does.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy.engine import Connection, Row

from gateway import __version__, relief
from gateway.clock import SECOND, Clock
from gateway.faults import StoreFault
from gateway.ops.scheduler import NAME as SCHEDULER
from gateway.store import leadership, migrate, nodes
from gateway.store.engine import Store
from gateway.store.ids import uuid7

log = logging.getLogger("lienthong.node")

LOOKS = 4
"""Times that a node is seen with the same number before it may count as dead: three of its heartbeats have failed."""
SILENT = 5 * SECOND
"""After how long without a heartbeat people are told that a node is silent."""
LEAVE_S = 5.0
"""How long saying goodbye may take when the ledger is away."""


@dataclass(frozen=True)
class _Seen:
    run: str
    beat: int
    at: int
    looks: int


class Membership:
    """`lease` is in microseconds; `relieved` is awaited with the name of each node whose work was taken back."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        name: str,
        roles: tuple[str, ...],
        lease: int,
        relieved: Callable[[str], Awaitable[None]],
    ) -> None:
        self._store = store
        self._clock = clock
        self._name = name
        self._roles = " ".join(roles)
        self._lease = lease
        self._relieved = relieved
        self._run = uuid7()
        self._revision = migrate.newest()
        self._unfinished = False
        self._seen: dict[str, _Seen] = {}
        self.beat_s = min(1.0, lease / SECOND / 6)

    async def join(self) -> None:
        """Claim the name, take back what its last life held, and enter the list of nodes.

        Raises NodeRunning when the name is taken, and SchemaTooNew when this code may not work on the ledger any more.
        """
        self._store.claim_node(self._name)
        now = self._clock.now()
        guilty = await self._store.write(lambda connection: self._enter(connection, now))
        _tell(guilty)
        await self._relieved(self._name)
        await self._store.aside(self._finish_schema)

    def _enter(self, connection: Connection, now: int) -> list[str]:
        before = nodes.get(connection, self._name)
        guilty: list[str] = []
        if before is not None and nodes.move(connection, self._name, before.run, "die"):
            guilty = relief.take_back(connection, self._name, now)
        relief.hand_over(connection, self._name, now)
        nodes.start(connection, self._name, self._run, self._roles, __version__, self._revision, now)
        return guilty

    async def run(self) -> None:
        """Say that this node lives and look after the others, until cancelled. Raises NodeRunning when the name was taken."""
        while True:
            try:
                await self.beat()
            except StoreFault as fault:
                self._seen.clear()  # nobody could say that he lives
                log.error("heartbeat: %s", fault)
            await asyncio.sleep(self.beat_s)

    async def beat(self) -> None:
        """Say once that this node lives, and relieve whoever is found dead."""
        await self._store.aside(lambda: self._store.claim_node(self._name))
        now = self._clock.now()

        def unit(connection: Connection) -> tuple[bool, list[Row[Any]]]:
            return nodes.beat(connection, self._name, self._run, now), nodes.listing(connection)

        alive, known = await self._store.write(unit)
        if not alive:
            await self._revive()
        for row in known:
            if row.name != self._name and row.state in nodes.LIVING and await self._is_dead(row, now):
                await self._relieve(row, now)
        if self._unfinished and not any(row.state in nodes.LIVING and row.revision < self._revision for row in known):
            await self._store.aside(self._finish_schema)

    async def _revive(self) -> None:
        """Go on after another node took this one for dead: what it held is not its any more."""
        log.warning("this node counted as dead; what it held was taken back")
        if not await self._store.write(lambda connection: nodes.move(connection, self._name, self._run, "revive")):
            now = self._clock.now()
            await self._store.write(lambda connection: self._enter(connection, now))

    async def _is_dead(self, row: Row[Any], now: int) -> bool:
        before = self._seen.get(row.name)
        if before is None or (before.run, before.beat) != (row.run, row.beat):
            self._seen[row.name] = _Seen(row.run, row.beat, now, 1)
            return False
        seen = _Seen(before.run, before.beat, before.at, before.looks + 1)
        self._seen[row.name] = seen
        if seen.looks < LOOKS:
            return False
        if now - seen.at >= self._lease:
            return True
        return not await self._store.aside(lambda: self._store.is_claimed(row.name))

    async def _relieve(self, row: Row[Any], now: int) -> None:
        def unit(connection: Connection) -> list[str] | None:
            if not nodes.move(connection, row.name, row.run, "die", row.beat):
                return None  # it lives, or another node was faster
            return relief.take_back(connection, row.name, now)

        guilty = await self._store.write(unit)
        if guilty is None:
            return
        log.warning("node %s died; what it held is taken back", row.name)
        _tell(guilty)
        await self._relieved(row.name)

    def _finish_schema(self) -> None:
        behind = migrate.finish(self._store.engine)
        self._unfinished = bool(behind)
        if behind:
            log.info("the schema waits for older nodes to end: %s", ", ".join(behind))

    async def drain(self) -> None:
        """Say that this node takes nothing more."""
        await self._last("drain")

    async def leave(self) -> None:
        """Hand over what is still held, and leave the list of the living."""
        await self._last("stop")

    async def _last(self, event: str) -> None:
        now = self._clock.now()

        def unit(connection: Connection) -> None:
            nodes.move(connection, self._name, self._run, event)
            if event == "stop":
                relief.hand_over(connection, self._name, now)

        try:
            async with asyncio.timeout(LEAVE_S):
                await self._store.write(unit)
        except (TimeoutError, StoreFault) as fault:
            log.error("%s: %s; other nodes take over once this one is gone", event, fault)


def overview(connection: Connection, now: int) -> list[dict[str, Any]]:
    """Tell of each node what it is, what it holds and whether it leads; `silent`: it should live, and says nothing."""
    lease = leadership.get(connection, SCHEDULER)
    leader = lease.holder if lease is not None and leadership.state_of(lease, now) == "held" else ""
    held = nodes.held(connection)
    return [
        {
            "name": row.name,
            "roles": row.roles.split(),
            "state": row.state,
            "silent": row.state in nodes.LIVING and now - row.seen_at > SILENT,
            "version": row.version,
            "revision": row.revision,
            "leads": row.name == leader,
            "started_at": row.started_at,
            "seen_at": row.seen_at,
            "holds": held.get(row.name, {}),
        }
        for row in nodes.listing(connection)
    ]


def _tell(guilty: list[str]) -> None:
    for item_id in guilty:
        log.error("%s went to the error queue: it outlived two processes that held it", item_id)
