"""Check the check-in (XML0) and the papers and registers XML6 to XML15 by their own conditions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from conformance.sandbox.portal.checks_structure import day
from conformance.sandbox.portal.checks_tables import check_mirrored, found
from conformance.sandbox.portal.finding import Finding
from conformance.sandbox.portal.reading import Row, Visit

_PERSON: Final = ("HO_TEN", "SO_CCCD", "NGAY_SINH", "GIOI_TINH", "MA_THE_BHYT", "MA_CSKCB")
_STAY: Final = ("NGAY_VAO", "NGAY_VAO_NOI_TRU", "NGAY_RA", "MA_BENH_CHINH", "MA_BENH_KT", "CHAN_DOAN_RV", "MA_LOAI_RV")
_ITEMS: Final = (("MA_DICH_VU", "TEN_DICH_VU"), ("MA_THUOC", "TEN_THUOC"), ("MA_VAT_TU", "TEN_VAT_TU"))
_LEAVE: Final = ("SO_NGAY_NGHI", "NGOAITRU_TUNGAY", "NGOAITRU_DENNGAY")
_TUBERCULOSIS: Final = re.compile(r"\bA1[5-9]|\bB90")
_LONGEST_LEAVE: Final = 30
_LONGEST_TB_LEAVE: Final = 180
_LONGEST_MISCARRIAGE_LEAVE: Final = 50
_ADULT: Final = 16


def check_papers(visit: Visit) -> Iterator[Finding]:
    """Yield what is wrong with each of them."""
    for row in visit.rows("XML0"):
        yield from _check_in(row)
    for table in ("XML6", "XML13", "XML14", "XML15"):
        for row in visit.rows(table):
            yield from check_mirrored(row, visit.head, _PERSON if table in ("XML6", "XML15") else (*_PERSON, *_STAY))
    for row in visit.rows("XML6"):
        yield from _hiv(row)
    for row in visit.rows("XML7"):
        yield from _discharge(row, visit.head)
    for row in visit.rows("XML8"):
        yield from _needed(row, "QT_BENHLY", "TOMTAT_KQ", "PP_DIEUTRI", "KET_QUA_DTRI")
    for row in visit.rows("XML9"):
        yield from _birth(row)
    for row in visit.rows("XML10", "XML11"):
        yield from _leave(row, visit.head)
    for row in visit.rows("XML13"):
        yield from _needed(row, "MA_BENH_CHINH", "CHAN_DOAN_RV", "GT_THE_DEN", "MA_LOAI_RV", "TOMTAT_KQ")
    for row in visit.rows("XML14"):
        yield from _appointment(row, visit.head)


def _needed(row: Row, *names: str, about: str = "") -> Iterator[Finding]:
    for name in names:
        if not row[name]:
            yield found("needed", row, name, about or row.table)


def _check_in(row: Row) -> Iterator[Finding]:
    if sum(bool(row[code]) for code, _ in _ITEMS) != 1:
        yield found("one_item", row, "MA_DICH_VU", "MA_DICH_VU, MA_THUOC, MA_VAT_TU")
    for code, name in _ITEMS:
        if row[code] and not row[name]:
            yield found("needed", row, name, code)


def _hiv(row: Row) -> Iterator[Finding]:
    if row["LOAI_DTRI_LAO"] not in ("", "0"):
        yield from _needed(row, "PHACDO_DTRI_LAO", "NGAYBD_DTRI_LAO", about="LOAI_DTRI_LAO")
    if "1" in row["MA_TINH_TRANG_DK"].split(";"):
        yield from _needed(row, "LAN_XN_PCR", "NGAY_XN_PCR", about="MA_TINH_TRANG_DK 1")
    if "1" in row["MA_XU_TRI"].split(";"):
        yield from _needed(row, "NGAY_BAT_DAU_XU_TRI", "NGAY_KET_THUC_XU_TRI", about="MA_XU_TRI 1")
    start, end, count = (
        day(row["NGAY_BAT_DAU_XU_TRI"]),
        day(row["NGAY_KET_THUC_XU_TRI"]),
        row.amount("SO_NGAY_CAP_THUOC_ARV"),
    )
    if start and end and count is not None and count > (end - start).days:
        yield found("arv_days", row, "SO_NGAY_CAP_THUOC_ARV", "NGAY_BAT_DAU_XU_TRI, NGAY_KET_THUC_XU_TRI")


def _discharge(row: Row, head: Row) -> Iterator[Finding]:
    yield from check_mirrored(row, head, ("NGAY_VAO", "NGAY_RA"))
    if row["NGAY_CT"] and head["NGAY_RA"] and row["NGAY_CT"][:8] != head["NGAY_RA"][:8]:
        yield found("paper_day", row, "NGAY_CT", "NGAY_RA")
    yield from _miscarriage(row, "NGUYENNHAN_DINHCHI", "THOIGIAN_DINHCHI", "TUOI_THAI")
    filled = [name for name in _LEAVE if row[name]]
    if filled and len(filled) < len(_LEAVE):
        yield from _needed(row, *_LEAVE, about=", ".join(_LEAVE))
    born, came = head["NGAY_SINH"][:8], head["NGAY_VAO"][:8]
    if born.isdigit() and came.isdigit() and int(came) - int(born) < _ADULT * 10000:
        parents = ("MA_CHA", "MA_ME", "HO_TEN_CHA", "HO_TEN_ME")
        if not any(row[name] for name in parents):
            yield found("needed", row, "HO_TEN_ME", ", ".join(parents))


def _miscarriage(row: Row, *names: str) -> Iterator[Finding]:
    if row["MA_DINH_CHI_THAI"] != "1":
        return
    yield from _needed(row, *names, about="MA_DINH_CHI_THAI 1")
    weeks = row.amount("TUOI_THAI")
    if weeks is not None and not 1 <= weeks <= 42:
        yield found("weeks", row, "TUOI_THAI")


def _birth(row: Row) -> Iterator[Finding]:
    number = row["MA_BHXH_NND"]
    if number and (not number.isdigit() or not number.strip("0")):
        yield found("social_number", row, "MA_BHXH_NND")
    if not row["MA_BHXH_NND"] and not row["MA_THE_NND"]:
        yield from _needed(row, "SO_CCCD_NND", "NGAYCAP_CCCD_NND", "NOICAP_CCCD_NND", about="MA_BHXH_NND, MA_THE_NND")


def _leave(row: Row, head: Row) -> Iterator[Finding]:
    start, end = day(row["TU_NGAY"]), day(row["DEN_NGAY"])
    count = row.amount("SO_NGAY" if row.table == "XML10" else "SO_NGAY_NGHI")
    if start and end and end < start:
        yield found("date_order", row, "DEN_NGAY", "TU_NGAY")
    elif start and end and count is not None and count != (end - start).days + 1:
        yield found("days", row, "SO_NGAY" if row.table == "XML10" else "SO_NGAY_NGHI", "TU_NGAY, DEN_NGAY")
    if row.table == "XML10":
        return
    weeks = row.amount("TUOI_THAI") or 0
    longest = _LONGEST_LEAVE
    if _TUBERCULOSIS.search(f"{head['MA_BENH_CHINH']};{head['MA_BENH_KT']}"):
        longest = _LONGEST_TB_LEAVE
    elif row["MA_DINH_CHI_THAI"] == "1" and weeks >= 13:
        longest = _LONGEST_MISCARRIAGE_LEAVE
    if count is not None and count > longest:
        yield found("leave_days", row, "SO_NGAY_NGHI", str(longest))
    if row["MAU_SO"] not in ("", "CT07"):
        yield found("form_number", row, "MAU_SO")
    number = row["MA_BHXH"]
    if number and (not re.fullmatch(r"\d{10}", number) or not number.strip("0")):
        yield found("social_number", row, "MA_BHXH")
    yield from _miscarriage(row, "NGUYENNHAN_DINHCHI", "TUOI_THAI")


def _appointment(row: Row, head: Row) -> Iterator[Finding]:
    again, left = row["NGAY_HEN_KL"], head["NGAY_RA"]
    if again and left and min(part[:8] for part in again.split(";")) < left[:8]:
        yield found("date_order", row, "NGAY_HEN_KL", "NGAY_RA")
    if row["NGAY_CT"] and head["NGAY_VAO"] and row["NGAY_CT"][:8] < head["NGAY_VAO"][:8]:
        yield found("date_order", row, "NGAY_CT", "NGAY_VAO")
