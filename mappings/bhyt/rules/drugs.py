"""Rules of rows of XML2 beside money: group, payment, tender, orders, and the service a medicine was used in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date

from mappings.bhyt.rules.case import Case, Line, parts
from mappings.bhyt.rules.core import Hit, rule

DRUG_GROUPS = frozenset({"4", "5", "6", "7", "17"})
BLOOD = frozenset({"7", "17"})
_TENDER = re.compile(r"[^;]*(;[^;]*){3}")
_DOSE = re.compile(r".*(\*.*|\[[^\]]+\]\s*)", re.DOTALL)
_ORIGIN = re.compile(r"[CK]\.[0-9A-Z]{5}")


@rule("B2-020", "list MA_NHOM: 4, 5, 6 medicines, 7, 17 blood; block error 39", "XML2", errors=(39,))
def drug_group(case: Case) -> Iterator[Hit]:
    for line in case.drugs:
        if line.group and line.group not in DRUG_GROUPS:
            yield Hit("XML2", line.n, "MA_NHOM", "unknown code")


@rule("B2-021", "list PHAM_VI; block error 40", "XML2", errors=(40,))
def drug_scope(case: Case) -> Iterator[Hit]:
    return _one_of(case.drugs, "XML2", "PHAM_VI", "123")


@rule("B2-022", "list MA_PTTT; block error 42", "XML2", errors=(42,))
def drug_payment_method(case: Case) -> Iterator[Hit]:
    return _one_of(case.drugs, "XML2", "MA_PTTT", "123")


@rule("B2-023", "list NGUON_CTRA", "XML2")
def drug_funding(case: Case) -> Iterator[Hit]:
    return _one_of(case.drugs, "XML2", "NGUON_CTRA", "1234")


def _one_of(lines: list[Line], name: str, field: str, codes: str) -> Iterator[Hit]:
    for line in lines:
        value = line.row.get(field, "")
        if value and value not in codes:
            yield Hit(name, line.n, field, "unknown code")


@rule("B2-024", "README §6: TT_THAU except groups 7 and 17", "XML2")
def drug_tender_absent(case: Case) -> Iterator[Hit]:
    for line in case.drugs:
        if (
            line.group in ("4", "5", "6")
            and not line.row.get("TT_THAU")
            and line.row.get("NGUON_CTRA", "1") in ("", "1")
        ):
            yield Hit("XML2", line.n, "TT_THAU", "empty")


@rule("B2-025", "README §3: TT_THAU is decision;package;group;year", "XML2")
def drug_tender_form(case: Case) -> Iterator[Hit]:
    for line in case.drugs:
        value = line.row.get("TT_THAU", "")
        if value and not _TENDER.fullmatch(value):
            yield Hit("XML2", line.n, "TT_THAU", "form")


@rule("B2-026", "QĐ 1931/2026: SO_DANG_KY, except rare medicines since then", "XML2", valid_to=date(2026, 6, 30))
def registration_absent(case: Case) -> Iterator[Hit]:
    return _registration(case)


@rule("B2-027", "QĐ 1931/2026: SO_DANG_KY; rare medicines may lack it", "XML2", warns=True, valid_from=date(2026, 7, 1))
def registration_absent_unless_rare(case: Case) -> Iterator[Hit]:
    return _registration(case)


def _registration(case: Case) -> Iterator[Hit]:
    for line in case.drugs:
        if line.group in ("4", "5", "6") and not line.row.get("SO_DANG_KY") and not line.row.get("MA_PP_CHEBIEN"):
            yield Hit("XML2", line.n, "SO_DANG_KY", "empty")


@rule("B2-028", "README §3: LIEU_DUNG is amount * times * days [total per day]", "XML2", warns=True, since="4750")
def dose_form(case: Case) -> Iterator[Hit]:
    for line in case.drugs:
        value = line.row.get("LIEU_DUNG", "")
        if value and line.group in ("4", "5", "6") and not _DOSE.fullmatch(value):
            yield Hit("XML2", line.n, "LIEU_DUNG", "form")


@rule("B2-029", "README §3: ingredients are joined by +", "XML2")
def ingredients_form(case: Case) -> Iterator[Hit]:
    for line in case.drugs:
        value = line.row.get("MA_THUOC", "")
        if ";" in value or value.startswith("+") or value.endswith("+"):
            yield Hit("XML2", line.n, "MA_THUOC", "form")


@rule("B2-030", "README §6: MA_DICH_VU, if given, is in XML3", "XML2")
def drug_of_an_unknown_service(case: Case) -> Iterator[Hit]:
    for line in case.drugs:
        value = line.row.get("MA_DICH_VU", "")
        if value and not set(parts(value)) <= case.service_codes:
            yield Hit("XML2", line.n, "MA_DICH_VU", "absent")


@rule("B2-031", "README §3: MA_CSKCB_THUOC is C.xxxxx or K.xxxxx", "XML2")
def drug_origin_form(case: Case) -> Iterator[Hit]:
    for line in case.drugs:
        value = line.row.get("MA_CSKCB_THUOC", "")
        if value and not _ORIGIN.fullmatch(value):
            yield Hit("XML2", line.n, "MA_CSKCB_THUOC", "form")


@rule("B2-032", "QĐ 4750: who ordered", "XML2")
def drug_without_orderer(case: Case) -> Iterator[Hit]:
    for line in case.drugs:
        if not line.row.get("MA_BAC_SI"):
            yield Hit("XML2", line.n, "MA_BAC_SI", "empty")


@rule("B2-033", "QĐ 4750: VET_THUONG_TP is 1 or empty", "XML2 XML3")
def wound_mark(case: Case) -> Iterator[Hit]:
    yield from _one_of(case.drugs, "XML2", "VET_THUONG_TP", "1")
    yield from _one_of(case.services, "XML3", "VET_THUONG_TP", "1")


@rule("B2-034", "list MA_NHOM: group 6 is paid by a ratio", "XML2", warns=True)
def ratio_drug_paid_whole(case: Case) -> Iterator[Hit]:
    for line in case.drugs:
        if line.group == "6" and line.rate_bh == 100 and line.row.get("PHAM_VI") == "1":
            yield Hit("XML2", line.n, "TYLE_TT_BH", "range")


@rule("B2-040", "README §6: NGAY_TH_YL ≥ NGAY_YL", "XML2", since="4750")
def drug_given_before_ordered(case: Case) -> Iterator[Hit]:
    for line in case.drugs:
        if line.done and line.ordered and line.done < line.ordered:
            yield Hit("XML2", line.n, "NGAY_TH_YL", "early")


@rule("B2-041", "README §6: NGAY_YL inside the visit", "XML2")
def drug_ordered_outside_the_visit(case: Case) -> Iterator[Hit]:
    return ordered_outside(case, "XML2", case.drugs)


def ordered_outside(case: Case, name: str, lines: list[Line]) -> Iterator[Hit]:
    if case.entered and case.left and case.entered <= case.left:
        for line in lines:
            if line.ordered and line.ordered < case.entered:
                yield Hit(name, line.n, "NGAY_YL", "early")
            elif line.ordered > case.left:
                yield Hit(name, line.n, "NGAY_YL", "late")


@rule("B2-042", "README §6: nothing is given in the future", "XML2", since="4750")
def drug_given_in_the_future(case: Case) -> Iterator[Hit]:
    for line in case.drugs:
        if line.done > case.minute:
            yield Hit("XML2", line.n, "NGAY_TH_YL", "future")


@rule("B2-043", "QĐ 4750: NGAY_TH_YL of inpatients", "XML2", warns=True, since="4750")
def drug_given_when(case: Case) -> Iterator[Hit]:
    if case.kind in ("03", "04", "09"):
        for line in case.drugs:
            if not line.row.get("NGAY_TH_YL"):
                yield Hit("XML2", line.n, "NGAY_TH_YL", "empty")


@rule("B2-044", "README §6: duplicate lines", "XML2", warns=True)
def drug_twice(case: Case) -> Iterator[Hit]:
    seen: set[tuple[str, ...]] = set()
    for line in case.drugs:
        key = tuple(line.row.get(field, "") for field in _SAME)
        if key in seen:
            yield Hit("XML2", line.n, "MA_THUOC", "duplicate")
        seen.add(key)


_SAME = (
    "MA_THUOC",
    "TEN_THUOC",
    "HAM_LUONG",
    "SO_LUONG",
    "DON_GIA",
    "NGAY_YL",
    "MA_BAC_SI",
    "LIEU_DUNG",
    "TT_THAU",
    "MA_KHOA",
)
