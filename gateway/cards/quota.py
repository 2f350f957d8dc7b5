"""How many card look-ups an account bears: counted over all nodes, stopped when it is too many, until a person lets them go on.

An account that asks too much is restricted by the insurer, or was stolen; both want a person. The minute is counted as the
limits of deliveries are (`gateway.delivery.limits`), in a row beside the destination's; the day by the look-ups kept.

Requirement: S4.1
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from datetime import datetime
from datetime import time as clock_time
from typing import Protocol

from sqlalchemy.engine import Connection

from gateway import meters
from gateway.clock import Clock, to_datetime, to_instant
from gateway.delivery.limits import after_start, recent
from gateway.faults import FaceBusy, LookupsStopped
from gateway.store import actions, card_lookups, destinations
from gateway.store.engine import Store
from gateway.store.ids import uuid7
from mappings.formats.dates import zone_of

log = logging.getLogger("lienthong.cards")

_TRIES, _WAIT_S = 100, 0.02


class Limits(Protocol):
    """What the settings of a destination say about look-ups."""

    @property
    def lookups_per_minute(self) -> int: ...

    @property
    def lookups_per_day(self) -> int: ...

    @property
    def usual_lookups_per_day(self) -> int: ...


@dataclass(frozen=True)
class Asking:
    """Who asks what, as far as it is kept."""

    actor: str
    moment: str
    question: bytes
    encounter_id: str = ""
    patient_id: str = ""


def row_name(route: str) -> str:
    """Name the row, and what is paused and resumed, of a destination's look-ups."""
    return f"{route}/cards"[:64]


def day_begin(now: int, zone: str) -> int:
    """Return the midnight before an instant."""
    where = zone_of(zone)
    return to_instant(datetime.combine(to_datetime(now).astimezone(where).date(), clock_time(), where))


class Quota:
    """The look-ups of one destination."""

    def __init__(self, store: Store, clock: Clock, route: str, limits: Limits, zone: str) -> None:
        self._store = store
        self._clock = clock
        self._route = route
        self._limits = limits
        self._zone = zone

    async def take(self, asking: Asking) -> str:
        """Count one look-up that is about to leave; return the id it is kept by.

        Raises LookupsStopped when look-ups are stopped, or are stopped now because this one is too many; FaceBusy when other
        nodes ask so much at once that it cannot be counted.
        """
        for _ in range(_TRIES):
            found = await self._store.write(lambda connection: self._count(connection, asking))
            if isinstance(found, str):
                return found
            if found is not None:
                meters.count(meters.LOOKUPS, destination=self._route, outcome="stopped")
                raise found
            await asyncio.sleep(_WAIT_S)
        raise FaceBusy(self._route)

    def _count(self, connection: Connection, asking: Asking) -> str | LookupsStopped | None:
        name, now = row_name(self._route), self._clock.now()
        load = destinations.lock(connection, name)
        if load is None:
            return None
        if load.paused:
            return LookupsStopped(self._route, load.paused)
        today = card_lookups.count_since(connection, self._route, day_begin(now, self._zone))
        reason = self._too_many(sum(recent(load, now).values()), today)
        if reason:
            destinations.pause(connection, name, at=now, actor="quota", reason=reason)
            actions.insert(connection, at=now, actor="quota", verb="pause", target=name, reason=reason)
            fault = LookupsStopped(self._route, reason)
            log.error("card look-ups are stopped: %s", fault)
            return fault
        if today == self._limits.usual_lookups_per_day:
            log.warning("%s: more card look-ups than on a usual day (%d)", self._route, today)
            meters.count(meters.LOOKUPS, destination=self._route, outcome="unusual")
        destinations.put_started(connection, name, after_start(load, 1, now))
        row_id = uuid7()
        card_lookups.insert(
            connection,
            row_id,
            at=now,
            destination=self._route,
            actor=asking.actor,
            moment=asking.moment,
            question=asking.question,
            encounter_id=asking.encounter_id,
            patient_id=asking.patient_id,
        )
        return row_id

    def _too_many(self, minute: int, today: int) -> str:
        if minute >= self._limits.lookups_per_minute:
            return f"more than {self._limits.lookups_per_minute} look-ups within a minute"
        if today >= self._limits.lookups_per_day:
            return f"more than {self._limits.lookups_per_day} look-ups on one day"
        return ""
