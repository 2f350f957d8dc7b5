"""The gate of a destination: in flight, per minute, breaker, and being told to wait."""

from __future__ import annotations

from datetime import timedelta

from gateway.clock import SECOND
from gateway.delivery.limits import Breaker, Gate, Limit

NOW = 5_000 * SECOND


def test_only_so_many_at_once() -> None:
    gate = Gate(Limit(in_flight=2), Breaker())
    assert gate.room(NOW) == 2
    gate.start(NOW)
    gate.start(NOW)
    assert gate.room(NOW) == 0
    gate.end()
    assert gate.room(NOW) == 1


def test_only_so_many_in_sixty_seconds() -> None:
    gate = Gate(Limit(in_flight=10, per_minute=3), Breaker())
    for second in (0, 10, 20):
        gate.start(NOW + second * SECOND)
        gate.end()
    assert gate.room(NOW + 59 * SECOND) == 0
    assert gate.opens_at(NOW + 59 * SECOND) == NOW + 60 * SECOND
    assert gate.room(NOW + 60 * SECOND) == 1
    assert gate.room(NOW + 71 * SECOND) == 2


def test_the_breaker_opens_after_failures_in_a_row_and_lets_one_through_first() -> None:
    gate = Gate(Limit(in_flight=4), Breaker(failures=2, open_for=timedelta(seconds=30)))
    gate.failed(NOW)
    assert gate.room(NOW) == 4
    gate.failed(NOW)
    assert gate.is_open
    assert gate.room(NOW + 29 * SECOND) == 0
    assert gate.opens_at(NOW) == NOW + 30 * SECOND
    assert gate.room(NOW + 30 * SECOND) == 1
    gate.start(NOW + 30 * SECOND)
    assert gate.room(NOW + 30 * SECOND) == 0
    gate.end()
    gate.failed(NOW + 31 * SECOND)
    assert gate.room(NOW + 60 * SECOND) == 0
    gate.answered()
    assert gate.room(NOW + 61 * SECOND) == 4


def test_an_answer_between_failures_keeps_the_breaker_closed() -> None:
    gate = Gate(Limit(), Breaker(failures=2))
    for _ in range(5):
        gate.failed(NOW)
        gate.answered()
    assert not gate.is_open


def test_everybody_waits_when_told_to() -> None:
    gate = Gate(Limit(), Breaker())
    gate.throttled(NOW + 9 * SECOND)
    gate.throttled(NOW + 3 * SECOND)
    assert gate.room(NOW + 8 * SECOND) == 0
    assert gate.room(NOW + 9 * SECOND) == 4
