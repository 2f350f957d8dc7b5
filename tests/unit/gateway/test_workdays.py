"""Days by which the insurer wants something."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from gateway.delivery.workdays import Workdays

TET = Workdays(frozenset(date(2027, 2, 4) + timedelta(days=n) for n in range(7)))


@pytest.mark.parametrize(
    ("day", "until"),
    [
        (date(2026, 11, 26), date(2026, 12, 7)),  # a Thursday
        (date(2026, 11, 28), date(2026, 12, 8)),  # a Saturday
        (date(2026, 11, 29), date(2026, 12, 8)),
    ],
)
def test_a_record_is_corrected_within_seven_working_days(day: date, until: date) -> None:
    assert Workdays().correct_until(day) == until


def test_holidays_do_not_count() -> None:
    assert Workdays().correct_until(date(2027, 2, 3)) == date(2027, 2, 12)
    assert TET.correct_until(date(2027, 2, 3)) == date(2027, 2, 19)
    assert not TET.works(date(2027, 2, 8))


def test_a_month_closes_before_the_fifth() -> None:
    assert Workdays().closes_on(date(2026, 11, 1)) == date(2026, 12, 4)
    assert Workdays().closes_on(date(2026, 11, 30)) == date(2026, 12, 4)
    assert Workdays().closes_on(date(2026, 12, 31)) == date(2027, 1, 4)
    assert Workdays().closes_on(date(2026, 6, 30)) == date(2026, 7, 6), "the fourth is a Saturday"
    assert TET.closes_on(date(2027, 1, 15)) == date(2027, 2, 11), "the fourth is in the holidays"
