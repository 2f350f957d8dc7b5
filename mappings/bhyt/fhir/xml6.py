"""XML6, the record of HIV care: an EpisodeOfCare with condition, antiretroviral treatment and tests, all labelled HIV.

Which of the treatments in a row is the first and which the present one stands in the parts' names. Codes are those of the
decision; none is turned into ICD-10: who is in the programme need not be infected.

Standard: QĐ 3176/QĐ-BYT XML6
"""

from __future__ import annotations

from collections.abc import Sequence

from mappings.bhyt.fhir import paper, person, programme
from mappings.bhyt.fhir.case import Case, TableMap
from mappings.bhyt.fhir.dossier import Dossier
from mappings.bhyt.fhir.forms import compact, date_to_digits, digits_to_date
from mappings.bhyt.fhir.paper import FIELD
from mappings.bhyt.fhir.programme import code_of, coded, component, component_of, find
from mappings.bhyt.rows import Row
from mappings.outcome import Resource
from mappings.systems import LOINC

_FIRST = {"start": "BDDT_ARV", "regimen": "MA_PHAC_DO_DIEU_TRI_BD", "line": "MA_BAC_PHAC_DO_BD", "at": "NOI_BDDT_ARV"}
_NOW = {
    "start": "NGAY_BAT_DAU_XU_TRI",
    "end": "NGAY_KET_THUC_XU_TRI",
    "regimen": "MA_PHAC_DO_DIEU_TRI",
    "line": "MA_BAC_PHAC_DO",
}
_TB = {"start": "NGAYBD_DTRI_LAO", "end": "NGAYKT_DTRI_LAO", "regimen": "PHACDO_DTRI_LAO"}
_CTX = {"start": "NGAY_BAT_DAU_DT_CTX"}
_CODES = {
    "MA_LYDO_DTRI": "MA_LYDO_DTRI",
    "LOAI_DTRI_LAO": "LOAI_DTRI_LAO",
    "SANG_LOC_LAO": "SANG_LOC_LAO",
    "KQ_DTRI_LAO": "KQ_DTRI_LAO",
    "NHOM_DOI_TUONG": "NHOM_DOI_TUONG",
    "MA_TINH_TRANG_DK": "MA_TINH_TRANG_DK",
    "MA_XU_TRI": "MA_XU_TRI",
    "LY_DO_CHUYEN_PHAC_DO": "LY_DO_CHUYEN_PHAC_DO",
}
_TEXTS = ("NOI_LAY_MAU_XN", "NOI_XN_KD", "SO_NGAY_CAP_THUOC_ARV")
_DAYS = ("NGAY_NHAN_TT_MANG_THAI", "NGAY_CHUYEN_PHAC_DO")
_LOAD = {"coding": [{"system": LOINC, "code": "20447-9"}], "text": "Tải lượng HIV"}
MAPPED = {
    "MA_LK": "Encounter.identifier",
    "MA_THE_BHYT": "Coverage.subscriberId",
    "SO_CCCD": "Patient.identifier",
    "NGAY_SINH": "Patient.birthDate",
    "GIOI_TINH": "Patient.gender",
    "DIA_CHI": "Patient.address.text",
    "MATINH_CU_TRU": "Patient.address.extension(vn-ext-province)",
    "MAHUYEN_CU_TRU": "Patient.address.extension(district)",
    "MAXA_CU_TRU": "Patient.address.extension(vn-ext-ward) | Patient.address.extension(ward)",
    "NGAYKD_HIV": "Condition.onset",
    "MA_LOAI_BN": "Condition.code",
    "GIAI_DOAN_LAM_SANG": "Condition.stage.summary",
    "MA_LYDO_XNTL_VR": "Observation.component.value",
    "NGAY_XN_TLVR": "Observation.effective",
    "KQ_XNTL_VR": FIELD,
    "NGAY_KQ_XN_TLVR": "Observation.component.value",
    "LAN_XN_PCR": "Observation.component.value",
    "NGAY_XN_PCR": "Observation.effective",
    "NGAY_KQ_XN_PCR": "Observation.component.value",
    "MA_KQ_XN_PCR": FIELD,
    "MA_CSKCB": "EpisodeOfCare.managingOrganization",
    **{
        field: f"MedicationStatement.{where}"
        for group in (_FIRST, _NOW, _TB, _CTX)
        for element, field in group.items()
        for where in [
            {"regimen": "medication", "line": "category", "at": "informationSource"}.get(element, "effective")
        ]
    },
    **dict.fromkeys((*_CODES, *_TEXTS, *_DAYS), FIELD),
}


def read(case: Case, rows: Sequence[Row]) -> list[Resource]:
    paper.complete(case)
    found = []
    for n, row in enumerate(rows, 1):
        with programme.labelled(case, programme.HIV):
            found.append(_episode(case, n, row))
    return found


def _episode(case: Case, n: int, row: Row) -> Resource:
    made = programme.episode(case, n, "hiv", "Chăm sóc và điều trị HIV/AIDS", row.get("MA_CSKCB", ""))
    problem = _condition(case, n, row)
    if problem:
        made["diagnosis"] = [{"condition": {"reference": problem}}]
    programme.treatment(case, n, "arv-first", "Điều trị ARV", row, **_FIRST)
    programme.treatment(case, n, "arv-now", "Điều trị ARV", row, **_NOW)
    programme.treatment(case, n, "tb", "Điều trị lao", row, **_TB)
    programme.treatment(case, n, "ctx", "Cotrimoxazol", row, **_CTX)
    _test(case, n, "viral-load", _LOAD, row, ("NGAY_XN_TLVR", "NGAY_KQ_XN_TLVR", "KQ_XNTL_VR", "MA_LYDO_XNTL_VR"))
    _test(case, n, "pcr", {"text": "PCR HIV"}, row, ("NGAY_XN_PCR", "NGAY_KQ_XN_PCR", "MA_KQ_XN_PCR", "LAN_XN_PCR"))
    if n == 1:
        paper.tell_codes(case, row, **_CODES)
        paper.tell_texts(case, row, *_TEXTS)
        programme.tell_days(case, row, *_DAYS)
    return case.get(case.add(made))


def _condition(case: Case, n: int, row: Row) -> str:
    kind = coded(case, "MA_LOAI_BN", row.get("MA_LOAI_BN", ""), "MA_LOAI_BN")
    stage = coded(case, "GIAI_DOAN_LAM_SANG", row.get("GIAI_DOAN_LAM_SANG", ""), "GIAI_DOAN_LAM_SANG")
    confirmed = digits_to_date(row.get("NGAYKD_HIV", ""))
    if not (kind or stage or confirmed):
        return ""
    elements = {
        "code": kind or {"text": "HIV"},
        "onsetDateTime": confirmed,
        "stage": [{"summary": stage}] if stage else [],
    }
    return programme.part(case, n, "Condition", "hiv", elements)


def _test(case: Case, n: int, name: str, code: Resource, row: Row, fields: tuple[str, str, str, str]) -> None:
    """Make a test: day of the sample, day of the result, the result, and one more code about it."""
    taken, known, result, more = (row.get(field, "") for field in fields)
    value, beside = coded(case, fields[2], result, fields[2]), coded(case, fields[3], more, fields[3])
    elements = {
        "status": "final" if value else "registered",
        "code": code,
        "effectiveDateTime": digits_to_date(taken),
        "valueCodeableConcept": value,
        "component": [
            *component(case, fields[1], valueDateTime=digits_to_date(known)),
            *component(case, fields[3], valueCodeableConcept=beside),
        ],
    }
    if any((taken, known, result, more)):
        programme.part(case, n, "Observation", name, elements)


def write(dossier: Dossier) -> list[tuple[Resource, dict[str, str]]]:
    """Give the rows that came as XML; HL7 v2 tells no such record."""
    return [(main, _row(dossier, main)) for main in dossier.rows("XML6", "EpisodeOfCare")]


def _row(dossier: Dossier, main: Resource) -> dict[str, str]:
    whole = {**person.identity(dossier), **paper.cards(dossier)}
    problem = find(dossier, main, "Condition", "hiv")
    stage: Resource = next(iter(problem.get("stage", [])), {})
    return compact(
        {
            "MA_LK": dossier.number,
            **{name: whole.get(name, "") for name in ("MA_THE_BHYT", "SO_CCCD", "NGAY_SINH", "GIOI_TINH", "DIA_CHI")},
            **{name: whole.get(name, "") for name in ("MATINH_CU_TRU", "MAHUYEN_CU_TRU", "MAXA_CU_TRU")},
            "NGAYKD_HIV": date_to_digits(problem.get("onsetDateTime", "")),
            "MA_LOAI_BN": code_of(problem.get("code")),
            "GIAI_DOAN_LAM_SANG": code_of(stage.get("summary")),
            **programme.told_treatment(dossier, main, "arv-first", **_FIRST),
            **programme.told_treatment(dossier, main, "arv-now", **_NOW),
            **programme.told_treatment(dossier, main, "tb", **_TB),
            **programme.told_treatment(dossier, main, "ctx", **_CTX),
            **_tested(
                dossier, main, "viral-load", ("NGAY_XN_TLVR", "NGAY_KQ_XN_TLVR", "KQ_XNTL_VR", "MA_LYDO_XNTL_VR")
            ),
            **_tested(dossier, main, "pcr", ("NGAY_XN_PCR", "NGAY_KQ_XN_PCR", "MA_KQ_XN_PCR", "LAN_XN_PCR")),
            **programme.fields(dossier, "XML6", (*_CODES, *_TEXTS), _DAYS),
            "MA_CSKCB": dossier.facility_of(main.get("managingOrganization")),
        }
    )


def _tested(dossier: Dossier, main: Resource, name: str, fields: tuple[str, str, str, str]) -> dict[str, str]:
    made = find(dossier, main, "Observation", name)
    values = (
        date_to_digits(made.get("effectiveDateTime", "")),
        date_to_digits(component_of(made, fields[1]).get("valueDateTime", "")),
        code_of(made.get("valueCodeableConcept")),
        code_of(component_of(made, fields[3]).get("valueCodeableConcept")),
    )
    return dict(zip(fields, values, strict=True))


TABLE = TableMap("XML6", read, write, MAPPED)
