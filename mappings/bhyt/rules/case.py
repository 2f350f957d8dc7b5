"""A visit as rules look at it: what many of them ask is worked out once.

Moments are compared as the digits they are written with: twelve digits sort as time does. Knows no rule.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from mappings.bhyt.decisions import digits_to_day
from mappings.bhyt.lists import Lists
from mappings.bhyt.money import OTHER_SOURCES
from mappings.bhyt.rows import Row
from mappings.bhyt.rules.core import Hit
from mappings.bhyt.rules.form import Formal, formal
from mappings.bhyt.rules.settings import Settings
from mappings.bhyt.visits import Visit

if TYPE_CHECKING:
    from mappings.bhyt.rules.duplicates import Earlier

_NUMBER = re.compile(r"-?\d+(\.\d+)?", re.ASCII)
_LONGEST = 15
"""Characters of the largest number of the format; a longer one is told by its form."""
ZERO = Decimal(0)
HUNDRED = Decimal(100)
OUTPATIENT = frozenset({"01", "02", "05", "07", "08"})
INPATIENT = frozenset({"03", "04", "06", "09"})


@lru_cache(4096)
def number(text: str) -> Decimal | None:
    """Read a number as the format writes it; None for anything else, and for an empty text."""
    return Decimal(text) if len(text) <= _LONGEST and _NUMBER.fullmatch(text) else None


day = lru_cache(4096)(digits_to_day)


def moment(text: str) -> str:
    """Give twelve digits as they are, and nothing for anything else; what is wrong with them rules of form tell."""
    return text if len(text) == 12 and text.isdecimal() else ""


def parts(text: str) -> list[str]:
    """Split a list with `;`; empty places count when there are others."""
    return [part.strip() for part in text.split(";")] if text else []


class Line:
    """One row of XML2 or XML3 with its numbers read; None where there is none."""

    __slots__ = (
        *("n", "row", "group", "quantity", "price", "price_bh", "rate_dv", "rate_bh", "level", "bv", "bh"),
        *("other", "sources", "self_pay", "co_pay", "fund", "ordered", "done", "result"),
    )

    def __init__(self, n: int, row: Row) -> None:
        get = row.get
        self.n = n
        self.row = row
        self.group = get("MA_NHOM", "")
        self.quantity = number(get("SO_LUONG", ""))
        self.price = number(get("DON_GIA_BV") or get("DON_GIA", ""))
        self.price_bh = number(get("DON_GIA_BH", ""))
        self.rate_dv = number(get("TYLE_TT_DV", ""))
        self.rate_bh = number(get("TYLE_TT_BH", ""))
        self.level = number(get("MUC_HUONG", ""))
        self.bv = number(get("THANH_TIEN_BV", ""))
        self.bh = number(get("THANH_TIEN_BH", ""))
        self.sources = [number(get(name, "")) for name in OTHER_SOURCES]
        self.other = number(get("T_NGUONKHAC", ""))
        self.self_pay = number(get("T_BNTT", ""))
        self.co_pay = number(get("T_BNCCT", ""))
        self.fund = number(get("T_BHTT", ""))
        self.ordered = moment(get("NGAY_YL", ""))
        self.done = moment(get("NGAY_TH_YL", ""))
        self.result = moment(get("NGAY_KQ", ""))


class Card:
    """One of the cards of a visit: the fields of XML1 at one place of their lists."""

    __slots__ = ("first", "last", "n", "number")

    def __init__(self, n: int, number_: str, first: date | None, last: date | None) -> None:
        self.n = n
        self.number = number_
        self.first = first
        self.last = last


class Case:
    """One visit under check, and with what."""

    def __init__(
        self,
        visit: Visit,
        decision: str,
        ended: date | None,
        now: datetime,
        lists: Lists,
        settings: Settings,
        earlier: Earlier | None = None,
    ) -> None:
        self.visit = visit
        self.decision = decision
        self.ended = ended
        self.now = now
        self.minute = f"{now:%Y%m%d%H%M}"
        self.lists = lists
        self.settings = settings
        self.earlier = earlier
        self.tables: Mapping[str, tuple[dict[str, str], ...]] = visit.tables
        self.one: Row = visit.one("XML1")
        self.entered = moment(self.one.get("NGAY_VAO", ""))
        self.left = moment(self.one.get("NGAY_RA", ""))
        self.kind = self.one.get("MA_LOAI_KCB", "")
        self.coverage = self.one.get("MA_DOITUONG_KCB", "")

    @property
    def insured(self) -> bool:
        return self.coverage != "9"

    def rows(self, *names: str) -> Iterator[tuple[str, int, dict[str, str]]]:
        """Yield the rows of tables: name, number from 1, fields."""
        for name in names:
            for n, row in enumerate(self.tables.get(name, ()), 1):
                yield name, n, row

    @cached_property
    def drugs(self) -> list[Line]:
        return [Line(n, row) for n, row in enumerate(self.tables.get("XML2", ()), 1)]

    @cached_property
    def services(self) -> list[Line]:
        return [Line(n, row) for n, row in enumerate(self.tables.get("XML3", ()), 1)]

    @cached_property
    def beds(self) -> list[Line]:
        return [line for line in self.services if line.group in ("14", "15", "16")]

    @cached_property
    def service_codes(self) -> frozenset[str]:
        """MA_DICH_VU of the rows of XML3 that are services, not supplies."""
        return frozenset(line.row.get("MA_DICH_VU", "") for line in self.services if line.group not in ("10", "11"))

    @cached_property
    def formal(self) -> list[Formal]:
        return [
            found for name in self.tables for found in formal(name, self.decision, self.tables[name], self.settings)
        ]

    @cached_property
    def cards(self) -> list[Card]:
        numbers, first, last = (parts(self.one.get(name, "")) for name in ("MA_THE_BHYT", "GT_THE_TU", "GT_THE_DEN"))
        return [
            Card(n, card, day(first[n]) if n < len(first) else None, day(last[n]) if n < len(last) else None)
            for n, card in enumerate(numbers)
        ]

    @cached_property
    def born(self) -> date | None:
        """Give the day of birth; the first of January or of the month where only that is known."""
        text = self.one.get("NGAY_SINH", "")
        year, month, of_month = text[:4], text[4:6], text[6:8]
        return day(f"{year}{month if month != '00' else '01'}{of_month if of_month != '00' else '01'}")

    @cached_property
    def age(self) -> int | None:
        """Give whole years at the start of the visit."""
        entered = day(self.entered)
        if not self.born or not entered:
            return None
        return entered.year - self.born.year - ((entered.month, entered.day) < (self.born.month, self.born.day))

    @cached_property
    def hours(self) -> float | None:
        """Give how long the visit took."""
        first, last = instant(self.entered), instant(self.left)
        return (last - first).total_seconds() / 3600 if first and last else None

    def listed(self, name: str, code: str, on: date | None = None) -> bool:
        """Say whether a code is in a list of the site on a day; by default at the end of the visit."""
        return self.lists[name].has(code, on or self.ended)

    def unlisted(self, name: str, field: str, tables: str, *, form: re.Pattern[str] | None = None) -> Iterator[Hit]:
        """Yield the codes, one or several with `;`, that a list of the site does not have; `form` takes suffixes off."""
        known = self.lists[name]
        listed = {""}
        for table, n, row in self.rows(*tables.split()):
            text = row.get(field, "")
            if text in listed:
                continue
            for code in parts(text):
                plain = form.sub("", code) if form else code
                if plain and not known.has(plain, self.ended):
                    yield Hit(table, n, field, "unknown code")
                    break
            else:
                listed.add(text)


@lru_cache(4096)
def instant(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, "%Y%m%d%H%M") if len(text) == 12 else None  # noqa: DTZ007  # local, without a zone
    except ValueError:
        return None


def days(first: str, last: str) -> int | None:
    """Count the days from one to another, both included."""
    one, other = day(first), day(last)
    return (other - one).days + 1 if one and other else None


def gap(periods: Iterable[tuple[date, date]], first: date, last: date) -> date | None:
    """Give the first day of first … last that no period covers."""
    wanted = first
    for start, end in sorted(periods):
        if start > wanted:
            break
        wanted = max(wanted, end + timedelta(days=1))
    return wanted if wanted <= last else None
