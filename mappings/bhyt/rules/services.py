"""Rules of rows of XML3 beside money: what each cost group needs, supplies and their procedure, order of times, duplicates."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mappings.bhyt.rules.case import INPATIENT, ZERO, Case, Line, parts
from mappings.bhyt.rules.core import Hit, rule
from mappings.bhyt.rules.drugs import DRUG_GROUPS, ordered_outside
from mappings.bhyt.tables import code_list

SUPPLIES = frozenset({"10", "11"})
TESTS = frozenset({"1", "2", "3"})
DONE = frozenset({"1", "2", "3", "8", "18"})
"""Groups of which is asked who did them, and when."""
_STENT = "N06.02.020"
"""Coated coronary stents, of which insurance pays for one."""
_SEVERAL_STENTS = frozenset({"CC", "TE", "QN", "CA", "CY"})
"""Cards that are paid more than one."""
_TENDER = re.compile(r"[^;]*(;[^;]*){3}")
_PACKAGE = re.compile(r"G[1-9]\d{0,2}")
_DEVICE_3176 = re.compile(r"[A-Z]{2,4}\.[123]\..+", re.IGNORECASE)
_DEVICE_4750 = re.compile(r"[A-Z]{2,4}\.[123]\.[0-9A-Z]{5}\..+", re.IGNORECASE)


@rule("B3-020", "list MA_NHOM; medicines are of XML2; block error 43", "XML3", errors=(43,))
def service_group(case: Case) -> Iterator[Hit]:
    known = code_list("MA_NHOM")
    for line in case.services:
        if line.group and (line.group in DRUG_GROUPS or (known and not known.find(line.group))):
            yield Hit("XML3", line.n, "MA_NHOM", "unknown code")


@rule("B3-021", "list PHAM_VI; block error 44", "XML3", errors=(44,))
def service_scope(case: Case) -> Iterator[Hit]:
    return _one_of(case, "PHAM_VI", "123")


@rule("B3-022", "list MA_PTTT; block error 46", "XML3", errors=(46,))
def service_payment_method(case: Case) -> Iterator[Hit]:
    return _one_of(case, "MA_PTTT", "123")


def _one_of(case: Case, field: str, codes: str) -> Iterator[Hit]:
    for line in case.services:
        value = line.row.get(field, "")
        if value and value not in codes:
            yield Hit("XML3", line.n, field, "unknown code")


@rule("B3-023", "README §6: MA_DICH_VU or MA_VAT_TU", "XML3")
def neither_service_nor_supply(case: Case) -> Iterator[Hit]:
    for line in case.services:
        if not line.row.get("MA_DICH_VU") and not line.row.get("MA_VAT_TU"):
            yield Hit("XML3", line.n, "MA_DICH_VU", "empty")


@rule("B3-024", "QĐ 4750: MA_VAT_TU and TEN_VAT_TU of groups 10, 11", "XML3")
def supply_without_code_or_name(case: Case) -> Iterator[Hit]:
    for line in case.services:
        if line.group in SUPPLIES:
            for field in ("MA_VAT_TU", "TEN_VAT_TU"):
                if not line.row.get(field) and (field == "TEN_VAT_TU" or line.row.get("MA_DICH_VU")):
                    yield Hit("XML3", line.n, field, "empty")


@rule("B3-025", "QĐ 4750: TEN_DICH_VU of services", "XML3")
def service_without_name(case: Case) -> Iterator[Hit]:
    for line in case.services:
        if line.group not in SUPPLIES and line.row.get("MA_DICH_VU") and not line.row.get("TEN_DICH_VU"):
            yield Hit("XML3", line.n, "TEN_DICH_VU", "empty")


@rule("B3-026", "README §6: supplies name their procedure; block error 102", "XML3", errors=(102,))
def supply_without_procedure(case: Case) -> Iterator[Hit]:
    for line in case.services:
        if line.group in SUPPLIES and line.row.get("MA_VAT_TU") and not line.row.get("MA_DICH_VU"):
            yield Hit("XML3", line.n, "MA_DICH_VU", "empty")


@rule("B3-027", "README §6: the procedure of supplies is in the record; block error 102", "XML3", errors=(102,))
def supply_of_an_unknown_procedure(case: Case) -> Iterator[Hit]:
    for line in case.services:
        value = line.row.get("MA_DICH_VU", "")
        if line.group in SUPPLIES and value and value not in case.service_codes:
            yield Hit("XML3", line.n, "MA_DICH_VU", "absent")


@rule("B3-028", "README §6: TT_THAU for group 10", "XML3")
def supply_tender_absent(case: Case) -> Iterator[Hit]:
    for line in case.services:
        if line.group == "10" and not line.row.get("TT_THAU"):
            yield Hit("XML3", line.n, "TT_THAU", "empty")


@rule("B3-029", "README §3: TT_THAU is decision;package;group;year", "XML3")
def supply_tender_form(case: Case) -> Iterator[Hit]:
    for line in case.services:
        value = line.row.get("TT_THAU", "")
        if value and not _TENDER.fullmatch(value):
            yield Hit("XML3", line.n, "TT_THAU", "form")


@rule("B3-030", "README §6: MA_XANG_DAU for group 12", "XML3")
def fuel_absent(case: Case) -> Iterator[Hit]:
    for line in case.services:
        if line.group == "12" and not line.row.get("MA_XANG_DAU"):
            yield Hit("XML3", line.n, "MA_XANG_DAU", "empty")


@rule("B3-031", "QĐ 3276/2025: MA_XANG_DAU", "XML3")
def fuel_unknown(case: Case) -> Iterator[Hit]:
    known = code_list("MA_XANG_DAU")
    for line in case.services:
        value = line.row.get("MA_XANG_DAU", "")
        if value and known and not known.find(value):
            yield Hit("XML3", line.n, "MA_XANG_DAU", "unknown code")


@rule("B3-032", "README §6: NGUOI_THUC_HIEN for groups 1, 2, 3, 8, 18", "XML3")
def performer_absent(case: Case) -> Iterator[Hit]:
    for line in case.services:
        if line.group in DONE and not line.row.get("NGUOI_THUC_HIEN"):
            yield Hit("XML3", line.n, "NGUOI_THUC_HIEN", "empty")


@rule("B3-033", "README §6: NGAY_TH_YL for groups 1, 2, 3, 8, 18", "XML3", since="4750")
def time_of_doing_absent(case: Case) -> Iterator[Hit]:
    for line in case.services:
        if line.group in DONE and not line.row.get("NGAY_TH_YL"):
            yield Hit("XML3", line.n, "NGAY_TH_YL", "empty")


@rule("B3-034", "README §6: MA_MAY for groups 1, 2, 3", "XML3")
def device_absent(case: Case) -> Iterator[Hit]:
    for line in case.services:
        if line.group in TESTS and not line.row.get("MA_MAY"):
            yield Hit("XML3", line.n, "MA_MAY", "empty")


@rule("B3-035", "README §3: MA_MAY is XX.n.YYYYY.Z (QĐ 4750)", "XML3", until="4750")
def device_form(case: Case) -> Iterator[Hit]:
    return _devices(case, _DEVICE_4750)


@rule("B3-036", "README §3: MA_MAY is XX.n.Z1;Z2 (QĐ 3176)", "XML3", since="3176")
def device_form_3176(case: Case) -> Iterator[Hit]:
    return _devices(case, _DEVICE_3176)


def _devices(case: Case, form: re.Pattern[str]) -> Iterator[Hit]:
    for line in case.services:
        value = line.row.get("MA_MAY", "")
        if value and not form.fullmatch(value):
            yield Hit("XML3", line.n, "MA_MAY", "form")


@rule("B3-037", "README §6: PP_VO_CAM for operations", "XML3")
def anaesthesia_absent(case: Case) -> Iterator[Hit]:
    for line in case.services:
        if line.group == "8" and not line.row.get("PP_VO_CAM"):
            yield Hit("XML3", line.n, "PP_VO_CAM", "empty")


@rule("B3-038", "list PP_VO_CAM", "XML3")
def anaesthesia_unknown(case: Case) -> Iterator[Hit]:
    return _one_of(case, "PP_VO_CAM", "1234")


@rule("B3-039", "README §3: GOI_VTYT is G1 to G999", "XML3")
def package_form(case: Case) -> Iterator[Hit]:
    for line in case.services:
        value = line.row.get("GOI_VTYT", "")
        if value and not _PACKAGE.fullmatch(value):
            yield Hit("XML3", line.n, "GOI_VTYT", "form")


@rule("B3-040", "QĐ 4750: TAI_SU_DUNG is 1 or empty", "XML3")
def reuse_mark(case: Case) -> Iterator[Hit]:
    return _one_of(case, "TAI_SU_DUNG", "1")


@rule("B3-041", "README §6: NGAY_TH_YL ≥ NGAY_YL", "XML3", since="4750")
def done_before_ordered(case: Case) -> Iterator[Hit]:
    for line in case.services:
        if line.done and line.done < line.ordered:
            yield Hit("XML3", line.n, "NGAY_TH_YL", "early")


@rule("B3-042", "README §6: NGAY_KQ ≥ NGAY_YL", "XML3")
def result_before_order(case: Case) -> Iterator[Hit]:
    for line in case.services:
        if line.result and line.result < line.ordered:
            yield Hit("XML3", line.n, "NGAY_KQ", "early")


@rule("B3-043", "README §6: NGAY_KQ ≤ now", "XML3")
def result_in_the_future(case: Case) -> Iterator[Hit]:
    for line in case.services:
        if line.result > case.minute:
            yield Hit("XML3", line.n, "NGAY_KQ", "future")


@rule("B3-044", "README §6: NGAY_YL inside the visit", "XML3")
def service_ordered_outside_the_visit(case: Case) -> Iterator[Hit]:
    return ordered_outside(case, "XML3", case.services)


@rule("B3-045", "QĐ 4750: NGAY_KQ of tests", "XML3", warns=True)
def result_time_absent(case: Case) -> Iterator[Hit]:
    for line in case.services:
        if line.group in TESTS and not line.row.get("NGAY_KQ"):
            yield Hit("XML3", line.n, "NGAY_KQ", "empty")


@rule("B3-046", "QĐ 4750: a result comes after the doing", "XML3", warns=True, since="4750")
def result_before_doing(case: Case) -> Iterator[Hit]:
    for line in case.services:
        if line.result and line.done and line.ordered <= line.result < line.done:
            yield Hit("XML3", line.n, "NGAY_KQ", "early")


@rule("B3-047", "README §6: nothing is done in the future", "XML3", since="4750")
def done_in_the_future(case: Case) -> Iterator[Hit]:
    for line in case.services:
        if line.done > case.minute:
            yield Hit("XML3", line.n, "NGAY_TH_YL", "future")


@rule("B3-048", "README §6: one exam fee for inpatients", "XML3")
def several_exams_of_an_inpatient(case: Case) -> Iterator[Hit]:
    if case.kind in INPATIENT:
        exams = [line for line in case.services if line.group == "13" and line.fund]
        for line in exams[1:]:
            yield Hit("XML3", line.n, "MA_NHOM", "many")


@rule("B3-049", "README §5: exam fees 100 (first), 30 (second to fourth), 10 (fifth), 0 of a day", "XML3", warns=True)
def exam_rates(case: Case) -> Iterator[Hit]:
    days: dict[str, list[Line]] = {}
    for line in case.services:
        if line.group == "13" and line.rate_dv is not None and line.ordered:
            days.setdefault(line.ordered[:8], []).append(line)
    for exams in days.values():
        rates = sorted((line.rate_dv for line in exams if line.rate_dv is not None), reverse=True)
        for place, rate in enumerate(rates):
            allowed = 100 if place == 0 else 30 if place < 4 else 10 if place == 4 else 0
            if rate > allowed:
                wrong = next(line for line in reversed(exams) if line.rate_dv == rate)
                yield Hit("XML3", wrong.n, "TYLE_TT_DV", "range")
                break


@rule("B3-058", "README §5: second and later operation 50 or 80", "XML3", warns=True)
def second_operation_paid_whole(case: Case) -> Iterator[Hit]:
    times: dict[tuple[str, str], Line] = {}
    for line in case.services:
        if line.group == "8" and line.rate_dv == 100 and line.done:
            first = times.setdefault((line.done, line.row.get("NGUOI_THUC_HIEN", "")), line)
            if first is not line:
                yield Hit("XML3", line.n, "TYLE_TT_DV", "range")


@rule("B3-059", "README §6: duplicate lines", "XML3", warns=True)
def service_twice(case: Case) -> Iterator[Hit]:
    seen: set[tuple[str, ...]] = set()
    for line in case.services:
        get = line.row.get
        key = (
            get("MA_DICH_VU", ""),
            get("MA_VAT_TU", ""),
            line.ordered,
            line.done,
            get("NGUOI_THUC_HIEN", ""),
            get("MA_GIUONG", ""),
        )
        if key in seen and get("MA_HIEU_SP", "") == "" and line.group != "13":
            yield Hit("XML3", line.n, "MA_VAT_TU" if line.group in SUPPLIES else "MA_DICH_VU", "duplicate")
        seen.add(key)


@rule("B3-060", "README §3: MA_DICH_VU of transport is VC.xxxxx", "XML3", warns=True)
def transport_code(case: Case) -> Iterator[Hit]:
    for line in case.services:
        if line.group == "12" and not line.row.get("MA_DICH_VU", "VC.").startswith("VC."):
            yield Hit("XML3", line.n, "MA_DICH_VU", "form")


@rule("B3-061", "README §6: one person does one operation at a time", "XML3", warns=True)
def operations_of_one_person_overlap(case: Case) -> Iterator[Hit]:
    done: dict[str, tuple[str, str]] = {}
    for line in sorted(
        (one for one in case.services if one.group in ("8", "18") and one.done), key=lambda one: one.done
    ):
        for person in parts(line.row.get("NGUOI_THUC_HIEN", "")):
            start, end = done.get(person, ("", ""))
            if start and line.done != start and line.done < end:
                yield Hit("XML3", line.n, "NGAY_TH_YL", "overlap")
                break
            done[person] = (line.done, max(end, line.result))


@rule("B3-062", "block error 14: a coated coronary stent once, but for cards that are paid more", "XML3", errors=(14,))
def stents(case: Case) -> Iterator[Hit]:
    lines = [line for line in case.services if line.bh and line.row.get("MA_VAT_TU", "").startswith(_STENT)]
    paid_more = case.one.get("MA_THE_BHYT", "")[:2] in _SEVERAL_STENTS
    if case.insured and not paid_more and sum((line.quantity or ZERO for line in lines), ZERO) > 1:
        yield Hit("XML3", lines[-1].n, "SO_LUONG", "many")
