"""Rules of codes: each coded field holds a code of its list as the list stood at the end of the visit."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date

from mappings import codes
from mappings.bhyt.rules.case import Case, parts
from mappings.bhyt.rules.core import Hit, rule
from mappings.bhyt.tables import code_list, table

_FACILITY = re.compile(r"[0-9A-Z]{5}")
_BLOOD = re.compile(r"(A|B|AB|O)\s?(Rh)?\s?\(?[+-]?\)?", re.IGNORECASE)


def _unknown(case: Case, name: str, field: str, known: str = "") -> Iterator[Hit]:
    listed = code_list(known or field)
    assert listed is not None
    for _, n, row in case.rows(name):
        value = row.get(field, "")
        if value and not listed.find(value, case.ended):
            yield Hit(name, n, field, "unknown code")


@rule("B1-001", "QĐ 4750: GIOI_TINH 1–3; block error 16", "XML1", errors=(16,))
def sex(case: Case) -> Iterator[Hit]:
    return _unknown(case, "XML1", "GIOI_TINH")


@rule("B1-002", "README §6: MA_QUOCTICH present and known", "XML1 XML9 XML13", needs="MA_QUOCTICH")
def nationality(case: Case) -> Iterator[Hit]:
    return case.unlisted("MA_QUOCTICH", "MA_QUOCTICH", "XML1 XML9 XML13")


@rule("B1-003", "list MA_DANTOC: 54 official numbers; 55 and above vary", "XML1 XML9 XML13", warns=True)
def ethnic_group(case: Case) -> Iterator[Hit]:
    yield from _unknown(case, "XML1", "MA_DANTOC")
    yield from _unknown(case, "XML9", "MA_DANTOC_NND", "MA_DANTOC")
    yield from _unknown(case, "XML13", "MA_DANTOC")


@rule("B1-004", "README §7: level-2 code of the occupation (two sources), five characters in one", "XML1", warns=True)
def occupation(case: Case) -> Iterator[Hit]:
    if case.settings.occupation_level_2:
        yield from _unknown(case, "XML1", "MA_NGHE_NGHIEP")


@rule("B1-005", "README §6: residence codes; provinces by date", "XML1")
def province(case: Case) -> Iterator[Hit]:
    value = case.one.get("MATINH_CU_TRU", "")
    if value and not codes.table("vn-province").find(value.zfill(2), case.ended or case.now.date()):
        yield Hit("XML1", 1, "MATINH_CU_TRU", "unknown code")


@rule("B1-006", "README §6: residence codes; wards since 2025-07-01", "XML1", warns=True, valid_from=date(2025, 7, 1))
def ward(case: Case) -> Iterator[Hit]:
    value = case.one.get("MAXA_CU_TRU", "")
    if value and not codes.table("vn-ward").find(value, case.ended or case.now.date()):
        yield Hit("XML1", 1, "MAXA_CU_TRU", "unknown code")


@rule("B1-007", "wards and their provinces since 2025-07-01", "XML1", warns=True, valid_from=date(2025, 7, 1))
def ward_of_another_province(case: Case) -> Iterator[Hit]:
    ward_, province_ = case.one.get("MAXA_CU_TRU", ""), case.one.get("MATINH_CU_TRU", "")
    above = codes.table("vn-ward-province").find(ward_, case.ended or case.now.date()) if ward_ else None
    if above and province_ and above.target != province_.zfill(2):
        yield Hit("XML1", 1, "MAXA_CU_TRU", "unequal")


@rule("B1-008", "QĐ 3276/2025: MA_DOITUONG_KCB; block errors 1, 101", "XML1", errors=(1, 101))
def coverage_situation(case: Case) -> Iterator[Hit]:
    return _unknown(case, "XML1", "MA_DOITUONG_KCB")


@rule("B1-009", "QĐ 1804/2026: MA_LOAI_KCB by date; block error 37", "XML1", errors=(37,))
def care_type(case: Case) -> Iterator[Hit]:
    return _unknown(case, "XML1", "MA_LOAI_KCB")


@rule("B1-010", "QĐ 5937: MA_TAI_NAN 1–5; the older block rule 22 takes 0–8", "XML1", errors=(22,))
def accident(case: Case) -> Iterator[Hit]:
    value = case.one.get("MA_TAI_NAN", "")
    if value and value not in ("012345678" if case.settings.accident_0_to_8 else "12345"):
        yield Hit("XML1", 1, "MA_TAI_NAN", "unknown code")


@rule("B1-011", "QĐ 4750: KET_QUA_DTRI; block error 25", "XML1", errors=(25,))
def outcome(case: Case) -> Iterator[Hit]:
    return _unknown(case, "XML1", "KET_QUA_DTRI")


@rule("B1-012", "QĐ 4750: MA_LOAI_RV; block error 26", "XML1", errors=(26,))
def discharge_type(case: Case) -> Iterator[Hit]:
    return _unknown(case, "XML1", "MA_LOAI_RV")


@rule("B1-013", "README §6: MA_KHUVUC K1–K3; block error 38", "XML1", errors=(38,))
def living_area(case: Case) -> Iterator[Hit]:
    return _unknown(case, "XML1", "MA_KHUVUC")


@rule("B1-014", "README §2: a facility has five characters; block error 10", "XML1", errors=(10,))
def facility_form(case: Case) -> Iterator[Hit]:
    if (value := case.one.get("MA_CSKCB", "")) and not _FACILITY.fullmatch(value):
        yield Hit("XML1", 1, "MA_CSKCB", "form")


@rule("B1-015", "README §6: MA_CSKCB in the list; block error 10", "XML1", needs="MA_CSKCB", errors=(10,))
def facility_unknown(case: Case) -> Iterator[Hit]:
    value = case.one.get("MA_CSKCB", "")
    if _FACILITY.fullmatch(value) and not case.listed("MA_CSKCB", value):
        yield Hit("XML1", 1, "MA_CSKCB", "unknown code")


@rule("B1-016", "QĐ 1804/2026: MA_KHOA", "XML1", needs="MA_KHOA")
def department(case: Case) -> Iterator[Hit]:
    return case.unlisted("MA_KHOA", "MA_KHOA", "XML1")


@rule("B1-017", "QĐ 4750: NHOM_MAU", "XML1", warns=True, since="4750")
def blood_group(case: Case) -> Iterator[Hit]:
    if (value := case.one.get("NHOM_MAU", "")) and not _BLOOD.fullmatch(value):
        yield Hit("XML1", 1, "NHOM_MAU", "form")


@rule("B1-018", "README §2: a facility has five characters", "XML1")
def referring_facility_form(case: Case) -> Iterator[Hit]:
    for field in ("MA_NOI_DI", "MA_NOI_DEN"):
        if (value := case.one.get(field, "")) and not _FACILITY.fullmatch(value):
            yield Hit("XML1", 1, field, "form")


@rule("B1-019", "README §6: facilities in the list", "XML1", needs="MA_CSKCB")
def referring_facility_unknown(case: Case) -> Iterator[Hit]:
    for field in ("MA_NOI_DI", "MA_NOI_DEN"):
        value = case.one.get(field, "")
        if _FACILITY.fullmatch(value) and not case.listed("MA_CSKCB", value):
            yield Hit("XML1", 1, field, "unknown code")


@rule("B1-020", "README §7: MA_NGHE_NGHIEP of five characters in one source", "XML1")
def occupation_form(case: Case) -> Iterator[Hit]:
    if (value := case.one.get("MA_NGHE_NGHIEP", "")) and not value.isdigit():
        yield Hit("XML1", 1, "MA_NGHE_NGHIEP", "form")


@rule(
    "BC-001",
    "QĐ 4750 and later: short code lists of check-in, papers and programmes",
    _OTHERS := " ".join(("XML0", "XML6", "XML7", "XML8", "XML9", "XML11", "XML12", "XML13", "XML14", "XML15")),
)
def code_of_a_short_list(case: Case) -> Iterator[Hit]:
    for name in _OTHERS.split():
        if name in case.tables:
            for field, known in _coded(name, case.decision):
                for n, row in enumerate(case.tables[name], 1):
                    value = row.get(field, "")
                    listed = code_list(known)
                    if value and listed and not listed.find(value, case.ended):
                        yield Hit(name, n, field, "unknown code")


_SEVERAL = (
    *("MA_DANTOC", "MA_DANTOC_NND", "MA_NGHE_NGHIEP", "MA_TINH_TRANG_DK", "MA_XU_TRI"),
    *("MAU_SO", "MA_KHOA", "DANG_HUONG_CHE_DO", "MA_DINH_CHI_THAI"),
)
"""Fields with lists of codes, or with a rule of their own."""


def _coded(name: str, decision: str) -> list[tuple[str, str]]:
    if (name, decision) not in _CODED:
        try:
            fields = table(name, decision).fields
        except KeyError:
            fields = ()
        _CODED[name, decision] = [
            (field.name, field.codes)
            for field in fields
            if field.codes and field.name not in _SEVERAL and code_list(field.codes)
        ]
    return _CODED[name, decision]


_CODED: dict[tuple[str, str], list[tuple[str, str]]] = {}


@rule("BC-002", "README §6: facilities in the list", "XML0 XML6 XML13 XML14 XML15", needs="MA_CSKCB", errors=(10,))
def facility_in_papers(case: Case) -> Iterator[Hit]:
    for field in ("MA_CSKCB", "MA_CSKCB_DI", "MA_CSKCB_DEN", "NOI_LAY_MAU_XN", "NOI_XN_KD", "NOI_BDDT_ARV"):
        yield from case.unlisted("MA_CSKCB", field, "XML0 XML6 XML13 XML14 XML15")


@rule("BC-003", "README §2: a facility has five characters", "XML0 XML6 XML13 XML14 XML15", errors=(10,))
def facility_form_in_papers(case: Case) -> Iterator[Hit]:
    for name, n, row in case.rows("XML0", "XML6", "XML13", "XML14", "XML15"):
        for field in ("MA_CSKCB", "MA_CSKCB_DI", "MA_CSKCB_DEN", "NOI_LAY_MAU_XN", "NOI_XN_KD", "NOI_BDDT_ARV"):
            if any(not _FACILITY.fullmatch(one) for one in parts(row.get(field, ""))):
                yield Hit(name, n, field, "form")


@rule("BC-004", "codes with 0 or 1", "XML7 XML11")
def yes_or_no(case: Case) -> Iterator[Hit]:
    for name in ("XML7", "XML11"):
        yield from _unknown(case, name, "MA_DINH_CHI_THAI", "YES_NO")


@rule("BC-005", "QĐ 1804/2026: MA_KHOA", "XML2 XML3 XML7", needs="MA_KHOA")
def department_of_rows(case: Case) -> Iterator[Hit]:
    yield from case.unlisted("MA_KHOA", "MA_KHOA", "XML2 XML3")
    yield from case.unlisted("MA_KHOA", "MA_KHOA_RV", "XML7")
