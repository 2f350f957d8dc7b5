"""When a destination is open: spans of the week, in the node's zone.

A span is written `06:00-22:00`, `mon-fri 07:00-17:30` or `sat,sun 08:00-11:00`. One that ends before it begins passes midnight;
24:00 is the end of a day. Holidays are not known here: a person pauses the destination.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo

from gateway.clock import to_datetime, to_instant
from mappings.formats.dates import zone_of

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY = 24 * 60
_WEEK = 7 * _DAY
_SPAN = re.compile(r"(?:([a-z,-]+) +)?(\d{2}):(\d{2})-(\d{2}):(\d{2})")


@dataclass(frozen=True)
class Hours:
    """Spans in minutes since Monday 00:00, in order, none touching another; none at all = always open."""

    spans: tuple[tuple[int, int], ...] = ()
    zone: tzinfo = field(default_factory=lambda: zone_of("Asia/Ho_Chi_Minh"))

    @classmethod
    def parse(cls, texts: Iterable[str], zone: str = "Asia/Ho_Chi_Minh") -> Hours:
        """Read spans; raises ValueError with what to write."""
        spans = sorted(span for text in texts for span in _spans(text))
        joined: list[tuple[int, int]] = []
        for begin, end in spans:
            if joined and begin <= joined[-1][1]:
                joined[-1] = (joined[-1][0], max(joined[-1][1], end))
            else:
                joined.append((begin, end))
        return cls(() if joined == [(0, _WEEK)] else tuple(joined), zone_of(zone))

    def opens_at(self, now: int) -> int:
        """Return `now` when it is open then, else the instant at which it next opens."""
        if not self.spans:
            return now
        local = to_datetime(now).astimezone(self.zone)
        monday = datetime(local.year, local.month, local.day) - timedelta(days=local.weekday())  # noqa: DTZ001 - of the wall
        minute = local.weekday() * _DAY + local.hour * 60 + local.minute
        if any(begin <= minute < end for begin, end in self.spans):
            return now
        begin = next((begin for begin, _ in self.spans if begin > minute), self.spans[0][0] + _WEEK)
        return to_instant((monday + timedelta(minutes=begin)).replace(tzinfo=self.zone))


def _spans(text: str) -> Iterable[tuple[int, int]]:
    found = _SPAN.fullmatch(text.strip().lower())
    if found is None:
        raise ValueError(f"{text!r} is not written like `mon-fri 07:00-17:30` or `06:00-22:00`")
    days, *clock = found.groups()
    begin, end = int(clock[0]) * 60 + int(clock[1]), int(clock[2]) * 60 + int(clock[3])
    if begin >= _DAY or end > _DAY or begin == end or int(clock[1]) > 59 or int(clock[3]) > 59:
        raise ValueError(f"{text!r}: times go from 00:00 to 24:00, and a span has a length")
    for day in _days(days or "mon-sun", text):
        first = day * _DAY + begin
        last = day * _DAY + end + (_DAY if end < begin else 0)
        yield first, min(last, _WEEK)
        if last > _WEEK:
            yield 0, last - _WEEK


def _days(text: str, whole: str) -> Iterable[int]:
    for part in text.split(","):
        first, _, last = part.partition("-")
        if first not in DAYS or (last or first) not in DAYS:
            raise ValueError(f"{whole!r}: days are {', '.join(DAYS)}")
        begin, end = DAYS.index(first), DAYS.index(last or first)
        yield from (day % 7 for day in range(begin, (end if end >= begin else end + 7) + 1))
