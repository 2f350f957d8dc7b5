"""Rules of diagnoses: ICD-10 and traditional medicine, main and others, and the procedures of ICD-9-CM."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mappings.bhyt.rules.case import Case, parts
from mappings.bhyt.rules.core import Hit, rule

ICD10 = re.compile(r"[A-Z]\d{2}(\.\d{1,3})?[*†+]?")
YHCT = re.compile(r"U\d{2}(\.\d{3}(\.\d{1,2})?)?")
_TRADITIONAL = re.compile(r"U(5[0-9]|6[0-9]|7[0-9])(\.\d{3}.*)?")
"""Codes of traditional medicine stand in U50–U79 with three decimals. As seen; the list itself is a site's."""
_INJURY = re.compile(r"[ST]\d{2}.*")


def _one_code(case: Case) -> str:
    value = case.one.get("MA_BENH_CHINH", "")
    return value if ICD10.fullmatch(value) else ""


@rule("B1-100", "README §3: MA_BENH_CHINH is exactly one code", "XML1")
def several_main_diseases(case: Case) -> Iterator[Hit]:
    if any(mark in case.one.get("MA_BENH_CHINH", "") for mark in ";, "):
        yield Hit("XML1", 1, "MA_BENH_CHINH", "many")


@rule("B1-101", "README §6: MA_BENH_CHINH is of ICD-10", "XML1")
def main_disease_form(case: Case) -> Iterator[Hit]:
    value = case.one.get("MA_BENH_CHINH", "")
    several = any(mark in value for mark in ";, ")
    if value and not several and not ICD10.fullmatch(value) and not _TRADITIONAL.fullmatch(value):
        yield Hit("XML1", 1, "MA_BENH_CHINH", "form")


@rule("B1-102", "README §6: MA_BENH_CHINH is not a code of traditional medicine", "XML1")
def main_disease_is_traditional(case: Case) -> Iterator[Hit]:
    if _TRADITIONAL.fullmatch(case.one.get("MA_BENH_CHINH", "")):
        yield Hit("XML1", 1, "MA_BENH_CHINH", "barred")


@rule("B1-103", "TT 06/2026: ICD-10 by the end of the visit", "XML1", needs="ICD10")
def main_disease_unknown(case: Case) -> Iterator[Hit]:
    code = _one_code(case)
    if code and not _TRADITIONAL.fullmatch(code) and not case.listed("ICD10", code.rstrip("*†+")):
        yield Hit("XML1", 1, "MA_BENH_CHINH", "unknown code")


@rule("B1-104", "TT 06/2026 columns 24, 26, 27: codes barred as the main disease", "XML1", needs="ICD10")
def main_disease_barred(case: Case) -> Iterator[Hit]:
    found = case.lists["ICD10"].find(_one_code(case).rstrip("*†+"), case.ended)
    if any(entry.values["not_main"].lower() in ("1", "x", "yes", "true") for entry in found):
        yield Hit("XML1", 1, "MA_BENH_CHINH", "barred")


@rule("B1-105", "README §3: at most 12 codes in MA_BENH_KT", "XML1")
def too_many_other_diseases(case: Case) -> Iterator[Hit]:
    if len(parts(case.one.get("MA_BENH_KT", ""))) > 12:
        yield Hit("XML1", 1, "MA_BENH_KT", "many")


@rule("B1-106", "README §6: MA_BENH_KT is of ICD-10, separated by ;", "XML1")
def other_disease_form(case: Case) -> Iterator[Hit]:
    for one in parts(case.one.get("MA_BENH_KT", "")):
        if not ICD10.fullmatch(one) or _TRADITIONAL.fullmatch(one):
            yield Hit("XML1", 1, "MA_BENH_KT", "form")
            break


@rule("B1-107", "TT 06/2026: ICD-10 by the end of the visit", "XML1", needs="ICD10")
def other_disease_unknown(case: Case) -> Iterator[Hit]:
    for one in parts(case.one.get("MA_BENH_KT", "")):
        if ICD10.fullmatch(one) and not _TRADITIONAL.fullmatch(one) and not case.listed("ICD10", one.rstrip("*†+")):
            yield Hit("XML1", 1, "MA_BENH_KT", "unknown code")
            break


@rule("B1-108", "QĐ 4750: MA_BENH_KT holds the others", "XML1", warns=True)
def main_disease_among_the_others(case: Case) -> Iterator[Hit]:
    if case.one.get("MA_BENH_CHINH") and case.one["MA_BENH_CHINH"] in parts(case.one.get("MA_BENH_KT", "")):
        yield Hit("XML1", 1, "MA_BENH_KT", "duplicate")


@rule("B1-109", "QĐ 4750: each code once", "XML1", warns=True)
def other_disease_twice(case: Case) -> Iterator[Hit]:
    found = parts(case.one.get("MA_BENH_KT", ""))
    if len(set(found)) < len(found):
        yield Hit("XML1", 1, "MA_BENH_KT", "duplicate")


@rule("B1-110", "QĐ 4750: MA_BENH_YHCT, separated by ;", "XML1 XML3 XML13 XML14", warns=True)
def traditional_disease_form(case: Case) -> Iterator[Hit]:
    for name, n, row in case.rows("XML1", "XML3", "XML13", "XML14"):
        value = row.get("MA_BENH_YHCT", "")
        if value and any(not YHCT.fullmatch(one) for one in parts(value)):
            yield Hit(name, n, "MA_BENH_YHCT", "form")


@rule("B1-111", "list of traditional-medicine diseases", "XML1", needs="YHCT")
def traditional_disease_unknown(case: Case) -> Iterator[Hit]:
    return case.unlisted("YHCT", "MA_BENH_YHCT", "XML1")


@rule("B1-112", "QĐ 4750: MA_TAI_NAN of injuries; block error 22", "XML1", warns=True, errors=(22,))
def accident_absent(case: Case) -> Iterator[Hit]:
    if _INJURY.fullmatch(case.one.get("MA_BENH_CHINH", "")) and not case.one.get("MA_TAI_NAN"):
        yield Hit("XML1", 1, "MA_TAI_NAN", "empty")


@rule("B1-113", "QĐ 4440/2020: ICD-9-CM", "XML1 XML3", needs="ICD9")
def procedure_unknown(case: Case) -> Iterator[Hit]:
    return case.unlisted("ICD9", "MA_PTTT_QT", "XML1 XML3")


@rule("B1-114", "QĐ 4750: MA_PTTT_QT of the visit holds those of its rows", "XML1 XML3", warns=True)
def procedure_of_a_row_not_in_the_visit(case: Case) -> Iterator[Hit]:
    ours = set(parts(case.one.get("MA_PTTT_QT", "")))
    for line in case.services:
        value = line.row.get("MA_PTTT_QT", "")
        if value and not set(parts(value)) <= ours:
            yield Hit("XML3", line.n, "MA_PTTT_QT", "different")


@rule("B3-080", "QĐ 4750: MA_BENH of each service", "XML3")
def disease_of_a_row_form(case: Case) -> Iterator[Hit]:
    for line in case.services:
        value = line.row.get("MA_BENH", "")
        if value and (value not in _RIGHT) and not _all_icd10(value):
            yield Hit("XML3", line.n, "MA_BENH", "form")


_RIGHT: set[str] = set()


def _all_icd10(value: str) -> bool:
    """Say whether a list holds codes of ICD-10 only; what was right before is not asked again."""
    right = all(ICD10.fullmatch(one) for one in parts(value))
    if right and len(_RIGHT) < 20_000:
        _RIGHT.add(value)
    return right


@rule("B3-081", "TT 06/2026: ICD-10 by the end of the visit", "XML3", needs="ICD10")
def disease_of_a_row_unknown(case: Case) -> Iterator[Hit]:
    for line in case.services:
        for one in parts(line.row.get("MA_BENH", "")):
            if ICD10.fullmatch(one) and not case.listed("ICD10", one.rstrip("*†+")):
                yield Hit("XML3", line.n, "MA_BENH", "unknown code")
                break


@rule("B3-082", "QĐ 4750: diseases of services are those of the visit", "XML3", warns=True)
def disease_of_a_row_not_in_the_visit(case: Case) -> Iterator[Hit]:
    main = case.one.get("MA_BENH_CHINH", "")
    ours = {main, *parts(case.one.get("MA_BENH_KT", ""))}
    for line in case.services if main else ():
        value = line.row.get("MA_BENH", "")
        if value != main and not set(parts(value)) <= ours and _all_icd10(value):
            yield Hit("XML3", line.n, "MA_BENH", "different")
