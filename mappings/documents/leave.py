"""Days off work that a paper gives, and whether the law allows them.

How many days one paper may give stands in its form (`max_days`), by the ground of the leave.

Requirement: S3.7
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mappings.documents import wording
from mappings.documents.faults import LeaveDatesWrong, LeaveTooLong
from mappings.documents.record import Record, icd10
from mappings.outcome import Resource

_LATE_LOSS = 13
"""Weeks; from here on the loss of a pregnancy gives longer leave."""
_TUBERCULOSIS = tuple(f"A{number}" for number in range(15, 20))


@dataclass(frozen=True)
class Leave:
    """A leave as it was told; a part that was not told is empty."""

    days: str
    first: str
    """FHIR date, or the text that is none."""
    last: str
    keys: tuple[str, str, str]
    """Names of the fields that told days, first and last day."""
    ground: str = "usual"
    """`usual`, `loss` of a pregnancy of 13 weeks and more, `tuberculosis`."""
    begins_on: str = ""
    """The day it has to begin on; `""`: any."""

    def is_whole(self) -> bool:
        return bool(self.days and self.first and self.last)

    def text(self) -> str:
        """Write `05 (Từ ngày 06 tháng 11 năm 2026 đến hết ngày 10 tháng 11 năm 2026)`."""
        if not (self.first or self.last):
            return self.shown_days()
        return (
            f"{self.shown_days()} (Từ {wording.long_date(self.first)} đến hết {wording.long_date(self.last)})".strip()
        )

    def shown_days(self) -> str:
        return self.days.zfill(2) if self.days.isdigit() else self.days


def told(
    record: Record,
    encounter: Resource | None,
    keys: tuple[str, str, str],
    conditions: Sequence[Resource],
    begins_on: str = "",
) -> Leave:
    """Read the leave that was told under three fields: number of days, first day, last day; nought days are none."""
    days, first, last = (record.field(key, encounter).strip() for key in keys)
    days = days if days.strip("0") else ""
    first, last = wording.told_moment(first), wording.told_moment(last)
    return Leave(days, first, last, keys, _ground(record, encounter, conditions), begins_on)


def _ground(record: Record, encounter: Resource | None, conditions: Sequence[Resource]) -> str:
    if any(icd10(condition).startswith(_TUBERCULOSIS) for condition in conditions):
        return "tuberculosis"
    weeks = record.field("TUOI_THAI", encounter)
    lost = record.coded_field("MA_DINH_CHI_THAI", encounter)[0] == "1"
    return "loss" if lost and weeks.isdigit() and int(weeks) >= _LATE_LOSS else "usual"


def check(leave: Leave, max_days: Mapping[str, int]) -> None:
    """Raise `LeaveTooLong` or `LeaveDatesWrong` when the law does not allow a leave; one that was not told passes."""
    number, start, end = leave.keys
    if not (leave.days or leave.first or leave.last):
        return
    if not leave.days.isdigit() or not int(leave.days):
        raise LeaveDatesWrong(number, "≥ 1")
    days, most = int(leave.days), max_days.get(leave.ground)
    if most is not None and days > most:
        raise LeaveTooLong(number, f"{days} > {most}")
    first, last = wording.day(leave.first), wording.day(leave.last)
    for key, said, day in ((start, leave.first, first), (end, leave.last, last)):
        if said and (day is None or len(said) < len("2026-11-05")):
            raise LeaveDatesWrong(key, "YYYYMMDD")
    if first and last and (last - first).days + 1 != days:
        raise LeaveDatesWrong(number, f"{start}–{end}: {(last - first).days + 1} ≠ {days}")
    if first and leave.begins_on and first != wording.day(leave.begins_on):
        raise LeaveDatesWrong(start, f"{start} ≠ PV1-44")
