"""Rules of beds: their codes, who may have one, how many days, and no two beds at the same time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal

from mappings.bhyt.rules.case import OUTPATIENT, ZERO, Case, Line, days, parts
from mappings.bhyt.rules.core import Hit, rule

BED = re.compile(r"[HTCK]\d{3}")
_HALVES = (Decimal(0), Decimal("0.5"))
_THIRDS = (Decimal("0.33"), Decimal("0.34"))


@rule("B3-050", "README §3: MA_GIUONG is H, T, C or K and three digits", "XML3")
def bed_form(case: Case) -> Iterator[Hit]:
    for line in case.services:
        value = line.row.get("MA_GIUONG", "")
        if value and any(not BED.fullmatch(one) for one in parts(value)):
            yield Hit("XML3", line.n, "MA_GIUONG", "form")


@rule("B3-051", "QĐ 4750: MA_GIUONG of bed days", "XML3")
def bed_absent(case: Case) -> Iterator[Hit]:
    for line in case.beds:
        if line.group in ("14", "15") and not line.row.get("MA_GIUONG"):
            yield Hit("XML3", line.n, "MA_GIUONG", "empty")


@rule("B3-052", "README §6: beds do not overlap", "XML3")
def beds_overlap(case: Case) -> Iterator[Hit]:
    periods = sorted((one.done or one.ordered, one.result, one.n) for one in case.beds if one.ordered and one.result)
    last = ""
    for start, end, n in periods:
        if last and start < last:
            yield Hit("XML3", n, "NGAY_YL", "overlap")
        last = max(last, end)


@rule("B3-053", "README §6: no bed for stays under four hours", "XML3")
def bed_of_a_short_stay(case: Case) -> Iterator[Hit]:
    if case.hours is not None and 0 <= case.hours < 4:
        for line in case.beds:
            if line.bh:
                yield Hit("XML3", line.n, "MA_NHOM", "present")


@rule("B3-054", "README §6: no inpatient bed for outpatient kinds", "XML3")
def bed_of_an_outpatient(case: Case) -> Iterator[Hit]:
    if case.kind in OUTPATIENT:
        for line in case.beds:
            if line.group == "15":
                yield Hit("XML3", line.n, "MA_NHOM", "present")


@rule(
    "B3-055",
    "README §5: quantity 0.5 for the dearest and the cheapest bed of a day, 0 for the others",
    "XML3",
    since="4750",
)
def bed_quantity(case: Case) -> Iterator[Hit]:
    return _quantities(case, _HALVES)


@rule("B3-056", "README §5: QĐ 130 wrote 0.33 for a bed of three", "XML3", until="130")
def bed_quantity_130(case: Case) -> Iterator[Hit]:
    return _quantities(case, (*_HALVES, *_THIRDS))


def _quantities(case: Case, parts_of_a_day: tuple[Decimal, ...]) -> Iterator[Hit]:
    for line in case.beds:
        if line.quantity is not None and line.quantity % 1 not in parts_of_a_day:
            yield Hit("XML3", line.n, "SO_LUONG", "range")


@rule("B3-057", "README §5: not more bed days than days of treatment", "XML3")
def more_beds_than_days(case: Case) -> Iterator[Hit]:
    whole = days(case.entered, case.left)
    taken: list[Line] = [line for line in case.beds if line.quantity is not None]
    if whole is not None and whole > 0 and taken and sum((line.quantity or ZERO for line in taken), ZERO) > whole:
        yield Hit("XML3", taken[-1].n, "SO_LUONG", "range")
