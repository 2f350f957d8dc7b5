"""What a destination bears: in flight, per minute, breaker, hours, a pause, and being told to wait."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.clock import SECOND, to_instant
from gateway.delivery.hours import Hours
from gateway.delivery.limits import Breaker, Limit, Load, Rules, after_failure, after_start, is_down, opens_at, room

NOW = 5_000 * SECOND


def test_only_so_many_at_once() -> None:
    rules = Rules(Limit(in_flight=2))
    assert [room(rules, Load(), running, NOW) for running in (0, 1, 2, 3)] == [2, 1, 0, 0]


def test_only_so_many_in_sixty_seconds() -> None:
    rules = Rules(Limit(in_flight=10, per_minute=3))
    load = Load()
    for second in (0, 10, 20):
        load = after_start(load, 1, NOW + second * SECOND)
    assert room(rules, load, 0, NOW + 60 * SECOND) == 0
    assert opens_at(rules, load, NOW + 20 * SECOND) == NOW + 61 * SECOND
    assert room(rules, load, 0, NOW + 61 * SECOND) == 1
    assert room(rules, load, 0, NOW + 72 * SECOND) == 2


@given(st.lists(st.integers(0, 3 * SECOND), max_size=60))
def test_no_sixty_seconds_hold_more_than_the_limit(gaps: list[int]) -> None:
    rules = Rules(Limit(in_flight=4, per_minute=5))
    load, now, sent = Load(), NOW, []
    for gap in gaps:
        now += gap
        if n := room(rules, load, 0, now):
            load = after_start(load, n, now)
            sent += [now] * n
    assert all(sum(at <= one < at + 60 * SECOND for one in sent) <= 5 for at in sent)


def test_the_breaker_opens_after_failures_in_a_row_and_lets_one_through_first() -> None:
    rules = Rules(Limit(in_flight=4), Breaker(failures=2, open_for=timedelta(seconds=30)))
    load = after_failure(rules, Load(), NOW)
    assert room(rules, load, 0, NOW) == 4
    load = after_failure(rules, load, NOW)
    assert is_down(rules, load)
    assert room(rules, load, 0, NOW + 29 * SECOND) == 0
    assert opens_at(rules, load, NOW) == NOW + 30 * SECOND
    assert [room(rules, load, running, NOW + 30 * SECOND) for running in (0, 1)] == [1, 0]
    load = after_failure(rules, load, NOW + 31 * SECOND)
    assert room(rules, load, 0, NOW + 60 * SECOND) == 0


def test_who_is_told_to_wait_waits() -> None:
    load = Load(closed_until=NOW + 9 * SECOND)
    assert room(Rules(), load, 0, NOW + 8 * SECOND) == 0
    assert room(Rules(), load, 0, NOW + 9 * SECOND) == 4


def test_a_pause_has_no_end_by_itself() -> None:
    assert room(Rules(), Load(paused="interface 3176 closed"), 0, NOW + 10**15) == 0


def at(day: int, hour: int, minute: int = 0) -> int:
    """An instant of the week of Monday 2 November 2026, in Vietnam."""
    return to_instant(datetime(2026, 11, 2 + day, hour, minute, tzinfo=ZoneInfo("Asia/Ho_Chi_Minh")))


@pytest.mark.parametrize(
    ("spans", "now", "opens"),
    [
        ((), at(0, 3), at(0, 3)),
        (("06:00-22:00",), at(0, 5, 59), at(0, 6)),
        (("06:00-22:00",), at(0, 6), at(0, 6)),
        (("06:00-22:00",), at(0, 22), at(1, 6)),
        (("mon-fri 07:00-17:30",), at(4, 17, 30), at(7, 7)),
        (("mon-fri 07:00-17:30", "sat,sun 08:00-11:00"), at(4, 20), at(5, 8)),
        (("22:00-05:00",), at(0, 4, 59), at(0, 4, 59)),
        (("22:00-05:00",), at(0, 5), at(0, 22)),
        (("sun 22:00-05:00",), at(0, 4), at(0, 4)),
        (("sun 22:00-05:00",), at(0, 5), at(6, 22)),
        (("fri-mon 00:00-24:00",), at(1, 0), at(4, 0)),
        (("00:00-24:00",), at(2, 12), at(2, 12)),
        (("06:00-12:00", "12:00-18:00"), at(2, 12), at(2, 12)),
    ],
)
def test_hours(spans: tuple[str, ...], now: int, opens: int) -> None:
    assert Hours.parse(spans).opens_at(now) == opens


@pytest.mark.parametrize(
    "text",
    ["", "6:00-22:00", "06:00", "thứ 2 06:00-07:00", "xyz 06:00-07:00", "06:00-06:00", "24:00-25:00", "06:61-07:00"],
)
def test_hours_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"not written like|days are|times go"):
        Hours.parse([text])


def test_outside_its_hours_nothing_starts_whatever_else_is_waited_for() -> None:
    rules = Rules(hours=Hours.parse(["06:00-22:00"]))
    load = Load(closed_until=at(0, 23))
    assert room(rules, load, 0, at(0, 12)) == 0
    assert opens_at(rules, load, at(0, 12)) == at(1, 6)
    assert room(rules, Load(), 0, at(0, 12)) == 4
