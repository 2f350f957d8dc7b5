"""Rules of agreement: what the papers and programmes repeat equals XML1, if it is not blank."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mappings.bhyt.rules.case import Case, parts
from mappings.bhyt.rules.core import Hit, rule

_PERSON = ("HO_TEN", "NGAY_SINH", "GIOI_TINH", "DIA_CHI", "SO_CCCD", "MA_THE_BHYT")


def _unequal(case: Case, name: str, fields: tuple[str, ...], other: Mapping[str, str] | None = None) -> Iterator[Hit]:
    if not case.one:
        return
    for _, n, row in case.rows(name):
        for field in fields:
            value, wanted = row.get(field, ""), case.one.get((other or {}).get(field, field), "")
            if value and value != wanted and not (wanted and _among(field, value, wanted)):
                yield Hit(name, n, field, "unequal")


def _among(field: str, value: str, wanted: str) -> bool:
    """Say whether one card of several is meant."""
    return field in ("MA_THE_BHYT", "GT_THE_DEN") and set(parts(value)) <= set(parts(wanted))


@rule("B6-001", "README §6: XML6 repeats XML1", "XML6")
def hiv_record_differs(case: Case) -> Iterator[Hit]:
    places = ("MATINH_CU_TRU", "MAHUYEN_CU_TRU", "MAXA_CU_TRU", "MA_CSKCB")
    return _unequal(case, "XML6", (*_PERSON[1:], *places))


@rule("B13-001", "README §6: XML13 repeats who the patient is in XML1", "XML13", since="4750")
def referral_of_another_person(case: Case) -> Iterator[Hit]:
    return _unequal(case, "XML13", (*_PERSON, "MA_QUOCTICH", "MA_DANTOC", "MA_NGHE_NGHIEP", "GT_THE_DEN", "MA_CSKCB"))


@rule("B13-002", "README §6: XML13 repeats the visit of XML1", "XML13", since="4750")
def referral_of_another_visit(case: Case) -> Iterator[Hit]:
    fields = (
        "NGAY_VAO",
        "NGAY_VAO_NOI_TRU",
        "NGAY_RA",
        "MA_BENH_CHINH",
        "MA_BENH_KT",
        "MA_BENH_YHCT",
        "MA_LOAI_RV",
        "CHAN_DOAN_RV",
    )
    for hit in _unequal(case, "XML13", fields):
        value = case.tables["XML13"][hit.row - 1][hit.field]
        if not (";" in value and case.one.get(hit.field, "") in parts(value)):
            yield hit


@rule("B13-003", "README §6: the facility a patient is sent to is that of XML1", "XML13", since="4750")
def referral_to_another_facility(case: Case) -> Iterator[Hit]:
    return _unequal(case, "XML13", ("MA_CSKCB_DEN", "MA_NOI_DEN"), {"MA_CSKCB_DEN": "MA_NOI_DEN"})


@rule("B14-001", "README §6: XML14 repeats who the patient is in XML1", "XML14", since="4750")
def appointment_of_another_person(case: Case) -> Iterator[Hit]:
    return _unequal(case, "XML14", (*_PERSON, "GT_THE_DEN", "MA_CSKCB"))


@rule("B14-002", "README §6: XML14 repeats the visit of XML1", "XML14", since="4750")
def appointment_of_another_visit(case: Case) -> Iterator[Hit]:
    fields = ("NGAY_VAO", "NGAY_VAO_NOI_TRU", "NGAY_RA", "MA_BENH_CHINH", "MA_BENH_KT", "MA_BENH_YHCT", "CHAN_DOAN_RV")
    return _unequal(case, "XML14", (*fields, "MA_DOITUONG_KCB"))


@rule("B15-001", "README §6: XML15 repeats XML1", "XML15", since="4750")
def tb_record_differs(case: Case) -> Iterator[Hit]:
    return _unequal(case, "XML15", ("MA_BN", "HO_TEN", "SO_CCCD", "MA_CSKCB"))


@rule("B7-001", "README §4: XML7 repeats the times of XML1", "XML7")
def discharge_paper_of_another_time(case: Case) -> Iterator[Hit]:
    return _unequal(case, "XML7", ("NGAY_VAO", "NGAY_RA"))


@rule("B8-001", "README §4: XML8 repeats times and kind of XML1", "XML8")
def summary_of_another_visit(case: Case) -> Iterator[Hit]:
    return _unequal(case, "XML8", ("NGAY_VAO", "NGAY_RA", "MA_LOAI_KCB", "KET_QUA_DTRI"))


@rule("B11-001", "README §4: XML11 repeats the card of XML1", "XML11")
def leave_of_another_card(case: Case) -> Iterator[Hit]:
    return _unequal(case, "XML11", ("MA_THE_BHYT",))


@rule("B4-001", "README §6: XML4.MA_DICH_VU is in XML3", "XML4")
def result_of_an_unknown_service(case: Case) -> Iterator[Hit]:
    for name, n, row in case.rows("XML4"):
        if (value := row.get("MA_DICH_VU", "")) and value not in case.service_codes:
            yield Hit(name, n, "MA_DICH_VU", "absent")
