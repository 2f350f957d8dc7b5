"""Decide what follows a failed attempt: a pure function of the fault's class and the destination's policy (promise P5)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from gateway.clock import SECOND
from mappings.formats.faults import FaultClass


@dataclass(frozen=True)
class Retry:
    """How patiently a destination is tried again."""

    first: timedelta = timedelta(seconds=5)
    """Wait before the second attempt."""
    factor: float = 2.0
    """Each wait is so many times the one before."""
    cap: timedelta = timedelta(minutes=15)
    """No wait is longer."""
    give_up_after: timedelta = timedelta(days=7)
    """Since the delivery was made; then the error queue, where a person decides."""

    def __post_init__(self) -> None:
        if self.first <= timedelta(0):
            raise ValueError("first: more than 0s")
        if self.factor < 1:
            raise ValueError("factor: 1 or more")
        if self.cap < self.first:
            raise ValueError("cap: not below first")


@dataclass(frozen=True)
class Decision:
    """The event for the delivery's transition table, and when the next attempt is due (0 when there is none)."""

    event: str
    due_at: int = 0


def decide(
    fault_class: FaultClass,
    policy: Retry,
    *,
    failures: int,
    created_at: int,
    now: int,
    jitter: float,
    retry_after: timedelta | None = None,
) -> Decision:
    """Return what follows.

    `failures` counts the failed attempts, this one included; throttling is not counted. `jitter` is a number in [0, 1) from
    the caller's generator: waits are spread over the upper half of their length, so that many deliveries that failed
    together do not come back together. Nothing is ever dropped.
    """
    if fault_class is FaultClass.REFUSED:
        return Decision("refuse")
    if fault_class is FaultClass.UNCERTAIN:
        return Decision("lose", now)
    give_up_at = created_at + round(policy.give_up_after.total_seconds() * SECOND)
    if now >= give_up_at:
        return Decision("refuse")
    if fault_class is FaultClass.THROTTLED and retry_after is not None:
        return Decision("retry", now + round(retry_after.total_seconds() * SECOND))
    return Decision("retry", now + round(backoff(policy, max(failures, 1), jitter).total_seconds() * SECOND))


def backoff(policy: Retry, failures: int, jitter: float) -> timedelta:
    """Return the wait after the n-th failure in a row."""
    exponent = min(failures - 1, 64)
    whole = min(policy.first.total_seconds() * policy.factor**exponent, policy.cap.total_seconds())
    return timedelta(seconds=whole * (0.5 + jitter / 2))
