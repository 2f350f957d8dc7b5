"""Days on which people work, and the days by which the insurer wants something: pure values.

Saturdays, Sundays and the holidays that the hospital writes down are off; days that are worked in place of others are not
known here. Standard: TT 48/2017/TT-BYT as integrators' notes quote it, second-hand
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

CORRECT_WITHIN = 7
"""Working days in which a record is corrected, signed and its payment asked for."""
CLOSES_BEFORE = 5
"""Day of the next month before which a month is closed."""
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Workdays:
    days_off: frozenset[date] = frozenset()

    def works(self, day: date) -> bool:
        """Tell whether people work on a day."""
        return day.weekday() < 5 and day not in self.days_off

    def moved(self, day: date) -> date:
        """Give the day itself, or the next on which people work."""
        while not self.works(day):
            day += _DAY
        return day

    def after(self, day: date, count: int) -> date:
        """Give the `count`-th working day after a day."""
        for _ in range(count):
            day = self.moved(day + _DAY)
        return day

    def correct_until(self, day: date) -> date:
        """Give the last day on which what ended or was received on `day` can be corrected."""
        return self.after(day, CORRECT_WITHIN)

    def closes_on(self, day: date) -> date:
        """Give the last day on which the month of `day` takes records."""
        following = (day.replace(day=1) + timedelta(days=32)).replace(day=1)
        return self.moved(following.replace(day=CLOSES_BEFORE) - _DAY)
