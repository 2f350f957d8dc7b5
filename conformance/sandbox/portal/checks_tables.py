"""Check XML1 to XML5 against each other: which tables there have to be, links between lines, dates, what a line needs.

All of it is shown beside the record and returns nothing, but 102 (a supply without its procedure): the portal has no
numbers for the rest.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Final

from conformance.sandbox.portal.checks_structure import day, is_birth
from conformance.sandbox.portal.finding import Finding
from conformance.sandbox.portal.reading import Row, Visit
from conformance.sandbox.portal.switches import INPATIENT, Switches

_VIETNAM: Final = timezone(timedelta(hours=7))
_ICD: Final = re.compile(r"[A-Z]\d{2}(\.\d{1,3})?[*†+]?")
_COURSE: Final = ("02", "05", "08", *INPATIENT)
_LATE_DISCHARGE: Final = frozenset({"2", "5"})
_SUPPLIES: Final = frozenset({"10", "11"})
_TESTS: Final = frozenset({"1", "2", "3"})
_DONE_BY: Final = frozenset({"1", "2", "3", "8", "18"})
_BEDS: Final = frozenset({"14", "15", "16"})
_UNTENDERED: Final = frozenset({"7", "17"})
_OUTPATIENT: Final = ("01", "07")
_MOST_DISEASES: Final = 12
_REPEATED: Final = {
    "XML2": "MA_THUOC TEN_THUOC HAM_LUONG SO_DANG_KY LIEU_DUNG NGAY_YL NGAY_TH_YL MA_BAC_SI SO_LUONG",
    "XML3": "MA_DICH_VU MA_VAT_TU MA_NHOM TEN_VAT_TU NGAY_YL NGAY_TH_YL MA_GIUONG NGUOI_THUC_HIEN",
    "XML4": "MA_DICH_VU MA_CHI_SO TEN_CHI_SO NGAY_KQ GIA_TRI KET_LUAN",
}
"""By what two lines of a table are the same."""
_ENDS_WITH_DRUGS: Final = ("02", "05", "07")
_REFERRED: Final = "1.3"
_NEWBORN: Final = timedelta(days=28)


def check_tables(visit: Visit, switches: Switches, received_at: datetime) -> Iterator[Finding]:
    """Yield what does not fit together."""
    now = received_at.astimezone(_VIETNAM).strftime("%Y%m%d%H%M")
    yield from _check_presence(visit, switches)
    yield from _check_head(visit)
    yield from _check_moments(visit.head, now)
    for row in visit.rows("XML2"):
        yield from _check_drug(row, visit)
    for row in visit.rows("XML3"):
        yield from _check_service(row, visit)
    yield from _check_results(visit)
    for row in visit.rows("XML2", "XML3", "XML4", "XML5"):
        yield from _check_dates(row, visit.head, now)
    yield from _check_repeats(visit)


def found(code: str, row: Row, field: str = "", about: str = "") -> Finding:
    """Make a finding that is shown beside the record."""
    return Finding("content", code, row.table, row.number, field, about)


def _check_presence(visit: Visit, switches: Switches) -> Iterator[Finding]:
    head, there = visit.head, set(visit.tables)
    kind, discharge = head["MA_LOAI_KCB"], head["MA_LOAI_RV"]

    def absent(table: str, about: str) -> Finding:
        return Finding("content", "table_missing", table, about=about)

    if not there & {"XML2", "XML3"}:
        yield absent("XML2, XML3", "T_TONGCHI_BV")
    if kind in _COURSE and "XML5" not in there:
        yield absent("XML5", f"MA_LOAI_KCB {kind}")
    if kind in switches.discharge_paper_for and discharge != "3" and "XML7" not in there:
        yield absent("XML7", f"MA_LOAI_KCB {kind}")
    if "XML8" in there and kind not in switches.summary_for:
        yield Finding("content", "table_unexpected", "XML8", about=f"MA_LOAI_KCB {kind}")
    if "XML13" in there and discharge not in _LATE_DISCHARGE:
        yield Finding("content", "table_unexpected", "XML13", about=f"MA_LOAI_RV {discharge}")
    if head["NGAY_TAI_KHAM"] and "XML14" not in there and visit.decision != "130":
        yield absent("XML14", "NGAY_TAI_KHAM")
    if discharge in _LATE_DISCHARGE and not head["MA_NOI_DEN"]:
        yield found("needed", head, "MA_NOI_DEN", "MA_LOAI_RV 2, 5")


def _check_head(visit: Visit) -> Iterator[Finding]:
    head = visit.head
    if not _ICD.fullmatch(head["MA_BENH_CHINH"]):
        yield found("disease", head, "MA_BENH_CHINH")
    others = [part for part in head["MA_BENH_KT"].split(";") if part]
    if len(others) > _MOST_DISEASES or not all(_ICD.fullmatch(each) for each in others):
        yield found("disease", head, "MA_BENH_KT")
    weight = head.amount("CAN_NANG")
    if weight is not None and not 0 < weight <= 200:
        yield found("weight", head, "CAN_NANG")
    if head["NGAY_VAO_NOI_TRU"]:
        if not head["LY_DO_VNT"]:
            yield found("needed", head, "LY_DO_VNT", "NGAY_VAO_NOI_TRU")
        if head["NGAY_VAO_NOI_TRU"] < head["NGAY_VAO"]:
            yield found("date_order", head, "NGAY_VAO_NOI_TRU", "NGAY_VAO")
    if head["MA_DOITUONG_KCB"] == _REFERRED:
        for name in ("GIAY_CHUYEN_TUYEN", "MA_NOI_DI"):
            if not head[name]:
                yield found("needed", head, name, f"MA_DOITUONG_KCB {_REFERRED}")
    starts, ends = (sorted(part for part in head[name].split(";") if part) for name in ("GT_THE_TU", "GT_THE_DEN"))
    if (starts and starts[0] > head["NGAY_RA"][:8]) or (ends and ends[-1] < head["NGAY_VAO"][:8]):
        yield found("card_period", head, "GT_THE_DEN")
    born, came = day(head["NGAY_SINH"][:8]), day(head["NGAY_VAO"])
    if born and came and came - born <= _NEWBORN and head["NGAY_SINH"][8:] == "0000":
        yield found("newborn_time", head, "NGAY_SINH")
    yield from _check_days(head)


def _check_moments(head: Row, now: str) -> Iterator[Finding]:
    for later, earlier in (("NGAY_VAO", "NGAY_SINH"), ("NGAY_RA", "NGAY_VAO"), ("NGAY_TTOAN", "NGAY_VAO")):
        if head[later] and head[later] < head[earlier]:
            yield found("date_order", head, later, earlier)
    admitted, left = head["NGAY_VAO_NOI_TRU"], head["NGAY_RA"]
    if head["MA_LOAI_KCB"] in INPATIENT and not admitted:
        yield found("needed", head, "NGAY_VAO_NOI_TRU", f"MA_LOAI_KCB {head['MA_LOAI_KCB']}")
    if admitted and left and admitted > left:
        yield found("date_order", head, "NGAY_RA", "NGAY_VAO_NOI_TRU")
    # drugs to take home end such a visit on their last day, which may be ahead
    ahead = ("NGAY_VAO",) if head["MA_LOAI_KCB"] in _ENDS_WITH_DRUGS else ("NGAY_VAO", "NGAY_RA", "NGAY_TTOAN")
    for name in ahead:
        if head[name][:12] > now:
            yield found("future", head, name)


def _check_days(head: Row) -> Iterator[Finding]:
    """SO_NGAY_DTRI by MA_LOAI_KCB; for 05 and 08 the count is not known from the record."""
    came, left = day(head["NGAY_VAO"]), day(head["NGAY_RA"])
    if not came or not left or not head["SO_NGAY_DTRI"]:
        return
    kind = head["MA_LOAI_KCB"]
    wanted = None
    if kind in ("01", "07", "09"):
        wanted = 0
    elif kind in ("02", "03", "04", "06"):
        wanted = (left - came).days + 1
    if wanted is not None and head.amount("SO_NGAY_DTRI") != wanted:
        yield found("days", head, "SO_NGAY_DTRI", f"MA_LOAI_KCB {kind}")


def _check_drug(row: Row, visit: Visit) -> Iterator[Finding]:
    if row["MA_NHOM"] not in _UNTENDERED and not row["TT_THAU"]:
        yield found("needed", row, "TT_THAU", "MA_NHOM 4, 5, 6")
    services = {each["MA_DICH_VU"] for each in visit.rows("XML3")}
    if row["MA_DICH_VU"] and row["MA_DICH_VU"] not in services:
        yield found("not_in", row, "MA_DICH_VU", "XML3")


def _check_service(row: Row, visit: Visit) -> Iterator[Finding]:
    group = row["MA_NHOM"]
    if not row["MA_DICH_VU"] and not row["MA_VAT_TU"]:
        yield found("needed", row, "MA_DICH_VU", "MA_VAT_TU")
    if group in _SUPPLIES:
        services = {each["MA_DICH_VU"] for each in visit.rows("XML3") if each["MA_NHOM"] not in _SUPPLIES}
        if not row["MA_DICH_VU"]:
            yield found("needed", row, "MA_DICH_VU", f"MA_NHOM {group}")
        elif row["MA_DICH_VU"] not in services:
            yield Finding("block", "102", row.table, row.number, "MA_DICH_VU")
    for groups, field in (
        (("10",), "TT_THAU"),
        (("12",), "MA_XANG_DAU"),
        (_DONE_BY, "NGUOI_THUC_HIEN"),
        (_DONE_BY, "NGAY_TH_YL"),
        (_TESTS, "MA_MAY"),
        (("8",), "PP_VO_CAM"),
        (_BEDS, "MA_GIUONG"),
    ):
        if group in groups and not row[field]:
            yield found("needed", row, field, f"MA_NHOM {group}")
    if row["MA_GIUONG"] and not all(re.fullmatch(r"[HTCK]\d{3}", part) for part in row["MA_GIUONG"].split(";")):
        yield found("bed", row, "MA_GIUONG")
    if row["GOI_VTYT"] and not re.fullmatch(r"G[1-9]\d{0,2}", row["GOI_VTYT"]):
        yield found("package", row, "GOI_VTYT")
    if group in _BEDS and visit.head["MA_LOAI_KCB"] in _OUTPATIENT:
        yield found("bed_outpatient", row, "MA_NHOM")


def _check_results(visit: Visit) -> Iterator[Finding]:
    groups = {row["MA_DICH_VU"]: row["MA_NHOM"] for row in visit.rows("XML3")}
    for row in visit.rows("XML4"):
        if row["MA_DICH_VU"] not in groups:
            yield found("not_in", row, "MA_DICH_VU", "XML3")
        elif groups[row["MA_DICH_VU"]] == "2" and not row["KET_LUAN"] and row["NGAY_KQ"] and not row["GIA_TRI"]:
            yield found("needed", row, "KET_LUAN", "MA_NHOM 2")
        if row["GIA_TRI"] and not row["NGAY_KQ"]:
            yield found("needed", row, "NGAY_KQ", "GIA_TRI")


def _check_dates(row: Row, head: Row, now: str) -> Iterator[Finding]:
    ordered = row["NGAY_YL"]
    came, left = head["NGAY_VAO"], head["NGAY_RA"]
    if ordered and came and left and not came[:8] <= ordered[:8] <= left[:8]:
        yield found("outside_stay", row, "NGAY_YL", "NGAY_VAO, NGAY_RA")
    for field in ("NGAY_TH_YL", "NGAY_KQ"):
        if row[field] and ordered and row[field] < ordered:
            yield found("date_order", row, field, "NGAY_YL")
    if row["NGAY_KQ"] and row["NGAY_KQ"][:12] > now:
        yield found("future", row, "NGAY_KQ")


def _check_repeats(visit: Visit) -> Iterator[Finding]:
    for table, names in _REPEATED.items():
        seen: set[tuple[str, ...]] = set()
        for row in visit.rows(table):
            key = tuple(row[name] for name in names.split())
            if key in seen:
                yield found("repeated", row)
            seen.add(key)
    exams = [row for row in visit.rows("XML3") if row["MA_NHOM"] == "13"]
    if visit.head["MA_LOAI_KCB"] in INPATIENT and len(exams) > 1:
        yield found("exam_fees", exams[1], "MA_NHOM")


def check_mirrored(row: Row, head: Row, names: tuple[str, ...]) -> Iterator[Finding]:
    """Yield fields of another table that repeat XML1 and differ from it; empty ones may stay empty."""
    for name in names:
        if (
            row[name]
            and row[name] != head[name]
            and not (name.startswith("NGAY_SINH") and _same_day(row[name], head[name]))
        ):
            yield found("differs", row, name, "XML1")


def _same_day(one: str, other: str) -> bool:
    return is_birth(one) and one[:8] == other[:8]
