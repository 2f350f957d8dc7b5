"""Which decision a visit is written by: chosen by the day it ended, so that an old visit stays what it was.

The days are settings: that of QĐ 3176 is told in two ways, 2025-01-01 on paper and about 2026-02-01 in what portals and
producers did. Does not decide by what a file looks like, except to read one whose date nobody can tell.

Standard: QĐ 4750/QĐ-BYT, QĐ 3176/QĐ-BYT, QĐ 1931/QĐ-BYT; second-hand
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from mappings.bhyt.rows import Row

PORTAL_VERSION = {"130": "130", "4750": "4750", "3176": "3176", "1931": "3176"}
"""Decision → the version the portal's interface calls it by: QĐ 1931 changes sizes inside QĐ 3176."""


@dataclass(frozen=True)
class Calendar:
    """From which day on, by the end of the visit, a decision is used."""

    qd4750: date = date(2024, 7, 1)
    """Official; a trial ran from 2024-04-01."""
    qd3176: date = date(2026, 2, 1)
    """In practice; on paper 2025-01-01."""
    qd1931: date = date(2026, 7, 1)
    icd_2026: date = date(2026, 7, 1)
    """TT 06/2026: the list of ICD-10 codes."""

    def decision(self, ended: date) -> str:
        """Name the decision of a visit that ended on a day: `130`, `4750`, `3176` or `1931`."""
        starts = ((self.qd1931, "1931"), (self.qd3176, "3176"), (self.qd4750, "4750"))
        return next((name for start, name in starts if ended >= start), "130")


CALENDAR = Calendar()
_ENDS = (("XML1", "NGAY_RA"), ("XML7", "NGAY_RA"), ("XML8", "NGAY_RA"), ("XML14", "NGAY_RA"), ("XML0", "NGAY_VAO"))


def ended_on(tables: Mapping[str, Sequence[Row]]) -> date | None:
    """Give the day a visit ended as its tables tell it: NGAY_RA of XML1, else of a paper, else NGAY_VAO of XML0."""
    for name, field in _ENDS:
        for row in tables.get(name, ()):
            day = digits_to_day(row.get(field, ""))
            if day:
                return day
    return None


def decision_of(tables: Mapping[str, Sequence[Row]], calendar: Calendar = CALENDAR) -> str:
    """Name the decision a visit is to be read by: by its end, corrected by fields and tables that only one decision has."""
    ended = ended_on(tables)
    by_date = with_tables(calendar.decision(ended), tables) if ended else "3176"
    referral = next(iter(tables.get("XML13", ())), {})
    if "MA_NOI_DEN" in referral or "PP_DIEU_TRI" in referral:
        return "4750"
    if "MA_CSKCB_DEN" in referral and by_date in ("130", "4750"):
        return "3176"
    if by_date == "130" and any("NHOM_MAU" in row for row in tables.get("XML1", ())):
        return "4750"
    return by_date


def with_tables(decision: str, tables: Collection[str]) -> str:
    """Give the decision, or the first later one that has all of these tables: QĐ 130 had no XML13 to XML15."""
    return "4750" if decision == "130" and not _SINCE_4750.isdisjoint(tables) else decision


_SINCE_4750 = frozenset({"XML13", "XML14", "XML15"})


def digits_to_day(text: str) -> date | None:
    """Read the day of 8 or 12 digits; None for anything else, and for days that do not exist."""
    if not re.fullmatch(r"\d{8}(\d{4})?", text):
        return None
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:8]))
    except ValueError:
        return None
