"""Watch the clocks of papers: say once that a deadline is near, and once that it is past, of every delivery and signature.

A delivery's clock runs from the event to the destination's yes and stands on its row; a signature's on its task. The node that
leads watches; should two, who says something first takes it from the other. A yes that came after the deadline is late for
ever, also when no node ran at the time. One line of the log tells of all papers to a destination together, so that an outage is
no flood.

Requirement: S3.8, S3.15, S3.16
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy.engine import Connection

from gateway import meters, signing_tasks
from gateway.clock import Clock
from gateway.settings import Plan
from gateway.store import deadlines as rows
from gateway.store.engine import Store

log = logging.getLogger("lienthong.deadlines")

BATCH = 500
"""Deliveries in one transaction."""
_WORDS = {"warned": "near their deadline", "breached": "past their deadline"}


@dataclass(frozen=True)
class Told:
    """What was said about one delivery."""

    id: str
    destination: str
    paper: str
    event: str
    """`warned` or `breached`."""


class Watch:
    """Looks at all clocks of a ledger."""

    def __init__(self, plan: Plan, store: Store, clock: Clock) -> None:
        self._plan = plan
        self._store = store
        self._clock = clock

    async def watch(self, fence: Callable[[Connection], None]) -> None:
        """Say what is to be said now; `fence` raises in a transaction of a node that may not."""
        await self.look(fence)

    async def look(self, fence: Callable[[Connection], None] = lambda _: None) -> list[Told]:
        """Say what is to be said now; return what was said about deliveries."""
        now = self._clock.now()

        def of_signatures(connection: Connection) -> list[tuple[str, str]]:
            fence(connection)
            return signing_tasks.tell(connection, self._plan, now)

        def of_deliveries(connection: Connection) -> tuple[bool, list[Told]]:
            fence(connection)
            return tell(connection, now)

        for role, event in await self._store.write(of_signatures):
            meters.count(meters.TASK_DEADLINES, role=role, event=event)
        said: list[Told] = []
        more = True
        while more:
            more, told = await self._store.write(of_deliveries)
            said += told
        for one in said:
            meters.count(meters.DEADLINES, destination=one.destination, paper=one.paper, event=one.event)
        _log(said)
        return said


def tell(connection: Connection, now: int) -> tuple[bool, list[Told]]:
    """Note what is to be said about some deliveries; return whether there may be more, and what was said."""
    found = rows.deliveries_to_tell(connection, now, BATCH)
    said = []
    for row in found:
        ended = row.state == "accepted"
        if ended and row.accepted_at <= row.deadline_at:
            rows.told_of(connection, row, notice_at=None)
            continue
        changes = rows.next_notice(row, now, after=None if ended else rows.SAID)
        if rows.told_of(connection, row, **changes):
            event = "breached" if "breached_at" in changes else "warned"
            said.append(Told(row.id, row.destination, row.paper, event))
    return len(found) == BATCH, said


def _log(said: Sequence[Told]) -> None:
    for (destination, event), n in sorted(Counter((one.destination, one.event) for one in said).items()):
        of_these = [one for one in said if (one.destination, one.event) == (destination, event)]
        papers = ", ".join(f"{n} {paper}" for paper, n in sorted(Counter(one.paper for one in of_these).items()))
        log.warning("%s: %d deliveries are %s (%s), first %s", destination, n, _WORDS[event], papers, of_these[0].id)
