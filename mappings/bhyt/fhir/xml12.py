"""XML12, the minutes of an assessment board: a DiagnosticReport per row with what was found as Observations.

A bare file of one or many persons: each row has a Patient of its own, known by the personal number. It belongs to no visit.

Standard: QĐ 3176/QĐ-BYT XML12
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from mappings.bhyt.fhir import person
from mappings.bhyt.fhir.case import Case, TableMap
from mappings.bhyt.fhir.dossier import Dossier
from mappings.bhyt.fhir.forms import compact, date_to_digits, digits, digits_to_date, number
from mappings.bhyt.fhir.programme import code_of, coded
from mappings.bhyt.rows import Row
from mappings.bhyt.sheet import number_of
from mappings.documents.record import value_text
from mappings.ids import resource_id
from mappings.outcome import Resource

_PERSON = ("HO_TEN", "NGAY_SINH", "SO_CCCD", "DIA_CHI", "MATINH_CU_TRU", "MAHUYEN_CU_TRU", "MAXA_CU_TRU", "DIEN_THOAI")
_TEXTS = (
    *("NOI_CAP_CCCD", "NGHE_NGHIEP", "MA_DOI_TUONG", "DANG_HUONG_CHE_DO", "SO_GIAY_GIOI_THIEU", "MA_DONVI"),
    *("GIOI_THIEU_CUA", "SO_VAN_BAN_CAN_CU", "DE_NGHI", "DUOC_XACDINH"),
)
_CODES = {
    "CHUC_VU": "CHUC_VU",
    "KHAM_GIAM_DINH": "KHAM_GIAM_DINH",
    "DANG_KHUYETTAT": "DANG_KHUYETTAT",
    "MUC_DO_KHUYETTAT": "MUC_DO_KHUYETTAT",
}
_RATES = ("TYLE_TTCT_CU", "TYLE_TTCT_MOI", "TONG_TYLE_TTCT")
_DAYS = ("NGAY_CAP_CCCD", "NGAY_CHUNG_TU", "NGAY_DE_NGHI")
_FOUND = "DiagnosticReport.result"
MAPPED = {
    "NGUOI_CHU_TRI": "DiagnosticReport.performer",
    "NGAY_HOP": "DiagnosticReport.effective",
    "HO_TEN": "Patient.name",
    "NGAY_SINH": "Patient.birthDate",
    "SO_CCCD": "Patient.identifier",
    "DIA_CHI": "Patient.address.text",
    "MATINH_CU_TRU": "Patient.address.extension(vn-ext-province)",
    "MAHUYEN_CU_TRU": "Patient.address.extension(district)",
    "MAXA_CU_TRU": "Patient.address.extension(vn-ext-ward) | Patient.address.extension(ward)",
    "MA_BHXH": "Patient.identifier",
    "MA_THE_BHYT": "Patient.identifier",
    "DIEN_THOAI": "Patient.telecom",
    "SO_BIEN_BAN": "DiagnosticReport.identifier",
    "KET_QUA_KHAM": "DiagnosticReport.conclusion",
    **dict.fromkeys((*_TEXTS, *_CODES, *_RATES, *_DAYS), _FOUND),
}


def read(case: Case, rows: Sequence[Row]) -> list[Resource]:
    return [case.get(case.add(_report(case, n, row))) for n, row in enumerate(rows, 1)]


def _report(case: Case, n: int, row: Row) -> Resource:
    key = sha256(repr(sorted(row.items())).encode()).hexdigest()
    patient = _patient(case, n, row, f"{key}|{n}")
    minutes = row.get("SO_BIEN_BAN", "")
    found = [_observation(case, f"{key}|{n}", patient, name, value) for name, value in _values(case, row).items()]
    chair = row.get("NGUOI_CHU_TRI", "")
    made = {
        "resourceType": "DiagnosticReport",
        "id": resource_id("DiagnosticReport", case.local("assessment"), f"{key}|{n}"),
        "identifier": [
            *([{"system": case.local("assessment"), "value": minutes}] if minutes else []),
            case.row_identifier(n),
        ],
        "status": "final",
        "code": {"text": "Biên bản giám định y khoa"},
        "subject": {"reference": patient} if patient else {},
        "effectiveDateTime": digits_to_date(row.get("NGAY_HOP", "")),
        "performer": [{"display": chair}] if chair else [],
        "result": [{"reference": one} for one in found],
        "conclusion": row.get("KET_QUA_KHAM", ""),
    }
    return compact(made)


def _patient(case: Case, n: int, row: Row, key: str) -> str:
    known = {**row, "NGAY_RA": row.get("NGAY_HOP", "")}  # the residence is coded by the day of the board
    if not any(known.get(name) for name in ("HO_TEN", "NGAY_SINH", "SO_CCCD", "MA_THE_BHYT")):
        return ""
    made = person.row_to_patient(case, known)
    if n == 1 and case.patient:
        made["id"] = case.patient.partition("/")[2]
    elif not made.get("identifier"):
        made["id"] = resource_id("Patient", case.local("assessment"), key)
    social = row.get("MA_BHXH", "")
    if social:
        made.setdefault("identifier", []).append({"system": case.systems.bhxh, "value": social})
    reference = case.add(made)
    case.get(reference).update(made)
    return reference


def _values(case: Case, row: Row) -> dict[str, tuple[str, Any]]:
    found: dict[str, tuple[str, Any]] = {name: ("valueString", row[name]) for name in _TEXTS if row.get(name)}
    for name, listed in _CODES.items():
        value = coded(case, name, row.get(name, ""), listed)
        if value:
            found[name] = ("valueCodeableConcept", value)
    for name in _RATES:
        rate = number(row.get(name, ""))
        if rate is not None:
            unit = {"unit": "%", "system": "http://unitsofmeasure.org", "code": "%"}
            found[name] = ("valueQuantity", {"value": rate, **unit})
    for name in _DAYS:
        day = digits_to_date(row.get(name, ""))
        if day:
            found[name] = ("valueDateTime", day)
    return found


def _observation(case: Case, key: str, patient: str, name: str, value: tuple[str, Any]) -> str:
    made = {
        "resourceType": "Observation",
        "id": resource_id("Observation", case.local("assessment"), f"{key}|{name}"),
        "status": "final",
        "code": {"coding": [{"system": case.code_system("assessment"), "code": name}]},
        "subject": {"reference": patient} if patient else {},
        value[0]: value[1],
    }
    return case.add(compact(made))


def write(dossier: Dossier) -> list[tuple[Resource, dict[str, str]]]:
    """Give the rows that came as XML; boards enter theirs on the portal."""
    return [(main, _row(dossier, main)) for main in dossier.rows("XML12", "DiagnosticReport")]


def _row(dossier: Dossier, main: Resource) -> dict[str, str]:
    patient = dossier.record.follow(main.get("subject")) or {}
    systems = dossier.systems
    whole = person.identity(dossier.about(patient))
    chair: Resource = next(iter(main.get("performer", [])), {})
    found = {code_of(one["code"]): one for one in dossier.record.of_type(main.get("result", []), "Observation")}
    row = {name: whole.get(name, "") for name in _PERSON}
    row["NGAY_SINH"] = date_to_digits(patient.get("birthDate", ""))
    for name in _TEXTS:
        row[name] = value_text(found.get(name, {}))
    for name in _CODES:
        row[name] = code_of(found.get(name, {}).get("valueCodeableConcept"))
    for name in _RATES:
        row[name] = digits(found.get(name, {}).get("valueQuantity", {}).get("value"))
    for name in _DAYS:
        row[name] = date_to_digits(found.get(name, {}).get("valueDateTime", ""))
    return compact(
        {
            **row,
            "MA_BHXH": number_of(patient, lambda system: system == systems.bhxh),
            "MA_THE_BHYT": number_of(patient, lambda system: system == systems.bhyt),
            "NGUOI_CHU_TRI": chair.get("display", ""),
            "NGAY_HOP": date_to_digits(main.get("effectiveDateTime", "")),
            "SO_BIEN_BAN": number_of(main, lambda system: system.endswith("/assessment")),
            "KET_QUA_KHAM": main.get("conclusion", ""),
        }
    )


TABLE = TableMap("XML12", read, write, MAPPED)
