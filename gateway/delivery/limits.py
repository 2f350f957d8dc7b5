"""How much a destination gets at once, and when it is left alone for a while.

Values and pure functions only. What all nodes know together of a destination is its `Load`; a queue keeps it where every node
sees it and asks here before every claim.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

from gateway.clock import SECOND
from gateway.delivery.hours import Hours


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


@dataclass(frozen=True)
class Rules:
    """What one destination bears, and when."""

    limit: Limit = field(default_factory=Limit)
    breaker: Breaker = field(default_factory=Breaker)
    hours: Hours = field(default_factory=Hours)


@dataclass(frozen=True)
class Load:
    """What all nodes know of one destination."""

    failures: int = 0
    """Transient failures since it last answered."""
    closed_until: int = 0
    """It asked to wait, or is down: nothing before this instant."""
    started: Mapping[int, int] = field(default_factory=dict)
    """Second since 1970 → requests started in it, of the last minute; kept only where there is a limit."""
    paused: str = ""
    """Why a person, or an answer that says so, stopped it."""


def room(rules: Rules, load: Load, running: int, now: int) -> int:
    """Return how many requests may start at `now` beside the `running` ones of all nodes."""
    if load.paused or opens_at(rules, load, now) > now:
        return 0
    if is_down(rules, load):
        return max(0, 1 - running)
    free = rules.limit.in_flight - running
    if rules.limit.per_minute:
        free = min(free, rules.limit.per_minute - sum(recent(load, now).values()))
    return max(0, free)


def opens_at(rules: Rules, load: Load, now: int) -> int:
    """Return when `room` may be more than now, for a reason of time; `now` when time alone changes nothing."""
    at = rules.hours.opens_at(max(now, load.closed_until))
    started = recent(load, at)
    if rules.limit.per_minute and sum(started.values()) >= rules.limit.per_minute:
        at = rules.hours.opens_at((min(started) + _MINUTE) * SECOND)
    return at


def is_down(rules: Rules, load: Load) -> bool:
    """Tell whether the breaker has opened: the next request goes alone, to see."""
    return load.failures >= rules.breaker.failures


_MINUTE = 61
"""Whole seconds after which a second lies sixty seconds back with all of it."""


def recent(load: Load, now: int) -> dict[int, int]:
    """Return the requests that count towards the limit per minute."""
    return {second: n for second, n in load.started.items() if second + _MINUTE > now // SECOND}


def after_start(load: Load, requests: int, now: int) -> Load:
    """Note requests that start at `now`."""
    started = recent(load, now)
    second = now // SECOND
    return replace(load, started={**started, second: started.get(second, 0) + requests})


def after_failure(rules: Rules, load: Load, now: int) -> Load:
    """Note a transient failure; enough in a row open the breaker."""
    failed = replace(load, failures=load.failures + 1)
    if is_down(rules, failed):
        until = now + round(rules.breaker.open_for.total_seconds() * SECOND)
        failed = replace(failed, closed_until=max(failed.closed_until, until))
    return failed
