"""Rules of results and of the clinical course: XML4 and XML5."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta

from mappings.bhyt.rules.case import Case, day, moment
from mappings.bhyt.rules.core import Hit, rule

_MARK = re.compile(r"CSST<([^<>]*)>")
_SIGN = re.compile(r"(M\d{1,3}|T\d{2}([.,]\d)?|HA\d{2,3}/\d{2,3}|NT\d{1,3}|SP\d{1,3}|HL\d)")


@rule(
    "B4-002", "README §6: KET_LUAN if the row of XML3 has group 2; QĐ 3176: may be blank when GIA_TRI decides", "XML4"
)
def conclusion_absent(case: Case) -> Iterator[Hit]:
    images = {line.row.get("MA_DICH_VU", "") for line in case.services if line.group == "2"}
    for name, n, row in case.rows("XML4"):
        decided = row.get("GIA_TRI") and case.decision in ("3176", "1931")
        if row.get("MA_DICH_VU", "") in images and not row.get("KET_LUAN") and not decided and not _pending(row):
            yield Hit(name, n, "KET_LUAN", "empty")


def _pending(row: dict[str, str]) -> bool:
    return not any(row.get(field) for field in ("GIA_TRI", "MO_TA", "KET_LUAN", "NGAY_KQ"))


@rule("B4-003", "README §6: NGAY_KQ when GIA_TRI is present", "XML4")
def result_without_time(case: Case) -> Iterator[Hit]:
    for name, n, row in case.rows("XML4"):
        if row.get("GIA_TRI") and not row.get("NGAY_KQ"):
            yield Hit(name, n, "NGAY_KQ", "empty")


@rule("B4-004", "README §6: NGAY_KQ ≥ NGAY_YL", "XML4")
def result_before_its_order(case: Case) -> Iterator[Hit]:
    ordered: dict[str, str] = {}
    for line in case.services:
        if line.ordered:
            code = line.row.get("MA_DICH_VU", "")
            ordered[code] = min(ordered.get(code, line.ordered), line.ordered)
    for name, n, row in case.rows("XML4"):
        told, asked = moment(row.get("NGAY_KQ", "")), ordered.get(row.get("MA_DICH_VU", ""), "")
        if told and told < asked:
            yield Hit(name, n, "NGAY_KQ", "early")


@rule("B4-005", "README §6: NGAY_KQ ≤ now", "XML4")
def result_of_the_future(case: Case) -> Iterator[Hit]:
    for name, n, row in case.rows("XML4"):
        if moment(row.get("NGAY_KQ", "")) > case.minute:
            yield Hit(name, n, "NGAY_KQ", "future")


@rule("B4-006", "QĐ 4750: MA_BS_DOC_KQ of results", "XML4")
def reader_absent(case: Case) -> Iterator[Hit]:
    for name, n, row in case.rows("XML4"):
        if not _pending(row) and not row.get("MA_BS_DOC_KQ"):
            yield Hit(name, n, "MA_BS_DOC_KQ", "empty")


@rule("B4-007", "README §6: a pending result is filled before day 7", "XML4", warns=True)
def result_still_pending(case: Case) -> Iterator[Hit]:
    left = day(case.left)
    if left and case.now.date() > left + timedelta(days=case.settings.pending_result_days):
        for name, n, row in case.rows("XML4"):
            if _pending(row):
                yield Hit(name, n, "GIA_TRI", "empty")


@rule("B4-008", "README §6: duplicate lines", "XML4", warns=True)
def result_twice(case: Case) -> Iterator[Hit]:
    seen: set[tuple[str, ...]] = set()
    for name, n, row in case.rows("XML4"):
        key = tuple(
            row.get(field, "") for field in ("MA_DICH_VU", "MA_CHI_SO", "TEN_CHI_SO", "NGAY_KQ", "GIA_TRI", "MO_TA")
        )
        if key in seen:
            yield Hit(name, n, "MA_CHI_SO", "duplicate")
        seen.add(key)


@rule(
    "B4-009", "QĐ 3176: MA_CHI_SO without a code is the name, unaccented, no spaces", "XML4", warns=True, since="3176"
)
def index_form(case: Case) -> Iterator[Hit]:
    for name, n, row in case.rows("XML4"):
        value = row.get("MA_CHI_SO", "")
        if (value and not value.isascii()) or " " in value:
            yield Hit(name, n, "MA_CHI_SO", "form")


@rule("B5-001", "README §6: THOI_DIEM_DBLS inside the visit", "XML5")
def course_outside_the_visit(case: Case) -> Iterator[Hit]:
    if case.entered and case.left and case.entered <= case.left:
        for name, n, row in case.rows("XML5"):
            told = moment(row.get("THOI_DIEM_DBLS", ""))
            if told and not case.entered <= told <= case.left:
                yield Hit(name, n, "THOI_DIEM_DBLS", "early" if told < case.entered else "late")


@rule("B5-002", "README §3: vital signs are CSST<M75_T37_HA120/70_NT18_HL2>", "XML5", warns=True)
def vital_signs_form(case: Case) -> Iterator[Hit]:
    for name, n, row in case.rows("XML5"):
        value = row.get("DIEN_BIEN_LS", "")
        if "CSST" in value:
            marks = _MARK.findall(value)
            signs = [sign for mark in marks for sign in mark.split("_")]
            if not marks or any(not _SIGN.fullmatch(sign) for sign in signs):
                yield Hit(name, n, "DIEN_BIEN_LS", "form")


@rule("B5-003", "README §6: duplicate lines", "XML5", warns=True)
def course_twice(case: Case) -> Iterator[Hit]:
    seen: set[tuple[str, str]] = set()
    for name, n, row in case.rows("XML5"):
        key = (row.get("THOI_DIEM_DBLS", ""), row.get("DIEN_BIEN_LS", ""))
        if key in seen:
            yield Hit(name, n, "THOI_DIEM_DBLS", "duplicate")
        seen.add(key)


@rule("B5-004", "README §6: nothing is later than now", "XML5")
def course_of_the_future(case: Case) -> Iterator[Hit]:
    for name, n, row in case.rows("XML5"):
        if moment(row.get("THOI_DIEM_DBLS", "")) > case.minute:
            yield Hit(name, n, "THOI_DIEM_DBLS", "future")
