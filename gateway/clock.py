"""Time as the gateway sees it: a clock that tests can hold in their hand."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from datetime import time as clock_time
from typing import Protocol


class Clock(Protocol):
    def now(self) -> int:
        """Microseconds since 1970-01-01 UTC."""
        ...


class SystemClock:
    def now(self) -> int:
        return time.time_ns() // 1000


class Watched:
    """A clock that remembers the latest instant it told, so that one set back is noticed however short it was ahead."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.latest = 0

    def now(self) -> int:
        now = self._clock.now()
        self.latest = max(self.latest, now)
        return now

    def start_anew(self) -> None:
        """Take what the clock says now for right."""
        self.latest = self._clock.now()


def watched(clock: Clock) -> Watched:
    """Give a clock that remembers; one that already does is shared."""
    return clock if isinstance(clock, Watched) else Watched(clock)


def to_datetime(instant: int) -> datetime:
    """Turn a stored instant into an aware datetime in UTC."""
    return datetime.fromtimestamp(instant / 1_000_000, tz=UTC)


def end_of_day(instant: int, zone: tzinfo) -> int:
    """Return the midnight at the end of the day on which an instant lies."""
    day = to_datetime(instant).astimezone(zone).date() + timedelta(days=1)
    return to_instant(datetime.combine(day, clock_time(), zone))


def to_instant(moment: datetime) -> int:
    """Turn an aware datetime into a stored instant."""
    return int(moment.timestamp() * 1_000_000)


SECOND = 1_000_000
VIETNAM = timezone(timedelta(hours=7))
"""Vietnam's zone, in which people and programs are told when something was."""


def moment(instant: int | None) -> str:
    """Show a stored instant to people."""
    return "" if not instant else to_datetime(instant).astimezone(VIETNAM).strftime("%d/%m/%Y %H:%M:%S")


def iso(instant: int | None) -> str | None:
    """Tell a stored instant to programs; None when there is none."""
    return None if not instant else to_datetime(instant).astimezone(VIETNAM).isoformat(timespec="milliseconds")
