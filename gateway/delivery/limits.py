"""How much a destination gets at once, and when it is left alone for a while.

Values and pure state only; the worker owns one `Gate` per destination and asks it before every claim.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import timedelta

from gateway.clock import SECOND


@dataclass(frozen=True)
class Limit:
    """What a destination bears."""

    in_flight: int = 4
    """Requests at the same time."""
    per_minute: int = 0
    """Requests started within any sixty seconds; 0 = no limit."""

    def __post_init__(self) -> None:
        if self.in_flight < 1:
            raise ValueError("in_flight: 1 or more")
        if self.per_minute < 0:
            raise ValueError("per_minute: 0 or more")


@dataclass(frozen=True)
class Breaker:
    """When a destination counts as down."""

    failures: int = 5
    """Transient failures in a row that open the breaker."""
    open_for: timedelta = timedelta(minutes=1)
    """How long nothing is tried then; afterwards one delivery goes first to see."""

    def __post_init__(self) -> None:
        if self.failures < 1:
            raise ValueError("failures: 1 or more")


class Gate:
    """Answer how many deliveries may start now, and when to ask again."""

    def __init__(self, limit: Limit, breaker: Breaker) -> None:
        self._limit = limit
        self._breaker = breaker
        self._started: deque[int] = deque()
        self._failures = 0
        self.closed_until = 0
        """The destination asked to wait, or is down: nothing before this instant."""
        self.running = 0

    def room(self, now: int) -> int:
        """Return how many attempts may start at `now`."""
        if now < self.closed_until:
            return 0
        if self._failures >= self._breaker.failures:
            return max(0, 1 - self.running)
        room = self._limit.in_flight - self.running
        if self._limit.per_minute:
            while self._started and self._started[0] <= now - 60 * SECOND:
                self._started.popleft()
            room = min(room, self._limit.per_minute - len(self._started))
        return max(0, room)

    def opens_at(self, now: int) -> int:
        """Return when `room` may be more than now, for a reason of time; `now` when time alone changes nothing."""
        if now < self.closed_until:
            return self.closed_until
        if self._limit.per_minute and len(self._started) >= self._limit.per_minute:
            return self._started[0] + 60 * SECOND
        return now

    def start(self, now: int) -> None:
        self.running += 1
        if self._limit.per_minute:
            self._started.append(now)

    def end(self) -> None:
        self.running -= 1

    def answered(self) -> None:
        """Note that the destination is alive, whatever it said."""
        self._failures = 0

    def failed(self, now: int) -> None:
        """Note a transient failure."""
        self._failures += 1
        if self._failures >= self._breaker.failures:
            self.closed_until = max(self.closed_until, now + round(self._breaker.open_for.total_seconds() * SECOND))

    def throttled(self, until: int) -> None:
        """Note that the destination asked everybody to wait."""
        self.closed_until = max(self.closed_until, until)

    @property
    def is_open(self) -> bool:
        """Whether the breaker has opened: the destination counts as down."""
        return self._failures >= self._breaker.failures
