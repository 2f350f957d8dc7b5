"""XML9, the certificates of birth: one row per child, each a Patient with a visit and parents of its own.

The file is of the mother's visit as a rule: each child gets a Patient and an Encounter that bears the same MA_LK. Of a visit of
the newborn itself (one child, born when the person of the visit was) the child is that person. The code of the certificate
(MA_GCS) has no field in the table: it is known where SO has its form.

Standard: QĐ 3176/QĐ-BYT XML9; TT 22/2025/TT-BYT (MA_GCS)
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from mappings.bhyt.fhir import paper
from mappings.bhyt.fhir.case import Case, TableMap
from mappings.bhyt.fhir.dossier import Dossier
from mappings.bhyt.fhir.forms import compact, digits_to_date, digits_to_time, quantity
from mappings.bhyt.fhir.paper import FIELD
from mappings.bhyt.rows import Row
from mappings.formats.identifiers import Kind, classify
from mappings.outcome import Resource

_BIRTH_TIME = "http://hl7.org/fhir/StructureDefinition/patient-birthTime"
_BIRTH_PLACE = "http://hl7.org/fhir/StructureDefinition/patient-birthPlace"
_CERTIFICATE = re.compile(r"[0-9]{5}\.GCS\.[0-9A-Z]{5}\.[0-9]{2}")
_SEX = {"1": "male", "2": "female", "3": "unknown"}
_TEXTS = (
    *("NOICAP_CCCD_NND", "MA_THE_TAM", "HO_TEN_CON", "SO_CON", "LAN_SINH", "SO_CON_SONG", "TINH_TRANG_CON", "GHI_CHU"),
    *("NGUOI_DO_DE", "NGUOI_GHI_PHIEU", "SO", "QUYEN_SO", "MA_TTDV"),
)
_CODES = {
    "MA_DANTOC_NND": "MA_DANTOC",
    "MA_QUOCTICH": "",
    "MATINH_CU_TRU": "",
    "MAHUYEN_CU_TRU": "",
    "MAXA_CU_TRU": "",
    "SINHCON_PHAUTHUAT": "YES_NO",
    "SINHCON_DUOI32TUAN": "YES_NO",
}
MAPPED = {
    "MA_LK": "Encounter.identifier",
    "MA_BHXH_NND": "RelatedPerson.identifier",
    "MA_THE_NND": "RelatedPerson.identifier",
    "HO_TEN_NND": "RelatedPerson.name",
    "NGAYSINH_NND": "RelatedPerson.birthDate",
    "SO_CCCD_NND": "RelatedPerson.identifier",
    "NOI_CU_TRU_NND": "RelatedPerson.address.text",
    "HO_TEN_CHA": "RelatedPerson.name",
    "GIOI_TINH_CON": "Patient.gender",
    "NGAY_SINH_CON": "Patient.birthDate",
    "NOI_SINH_CON": "Patient.extension(patient-birthPlace)",
    "NGAY_CT": "Composition.date",
    **dict.fromkeys((*_TEXTS, *_CODES, "CAN_NANG_CON", "NGAYCAP_CCCD_NND"), FIELD),
}


def read(case: Case, rows: Sequence[Row]) -> list[Resource]:
    paper.complete(case)
    born = case.visit.one("XML1").get("NGAY_SINH", "")
    found = []
    for n, row in enumerate(rows, 1):
        itself = len(rows) == 1 and bool(born) and born == row.get("NGAY_SINH_CON") and bool(case.patient)
        child = case.patient if itself else case.add(_child(case, n, row))
        if itself:
            case.add(case.get(child) | _place(row))
        at = digits_to_time(row.get("NGAY_SINH_CON", ""))
        visit = case.encounter if itself else paper.own_visit(case, n, child, {"start": at} if at else {})
        with paper.about(case, child, visit):
            made = _certificate(case, n, row)
        found.append(case.get(case.add(made if itself else paper.beside(case, n, "birth_certificate", row, made))))
    return found


def _child(case: Case, n: int, row: Row) -> Resource:
    born, name = digits_to_time(row.get("NGAY_SINH_CON", "")), row.get("HO_TEN_CON", "")
    made: dict[str, Any] = {
        "resourceType": "Patient",
        "id": case.row_id("Patient", n),
        **_place(row),
        "name": [{"text": name}] if name else [],
        "gender": _SEX.get(row.get("GIOI_TINH_CON", "")),
        "birthDate": born[:10],
    }
    if "T" in born and not row["NGAY_SINH_CON"].endswith("0000"):
        made["_birthDate"] = {"extension": [{"url": _BIRTH_TIME, "valueDateTime": born}]}
    return compact(made)


def _place(row: Row) -> Resource:
    place = row.get("NOI_SINH_CON", "")
    return {"extension": [{"url": _BIRTH_PLACE, "valueAddress": {"text": place}}]} if place else {}


def _certificate(case: Case, n: int, row: Row) -> Resource:
    _carer(case, row)
    paper.parent(case, "FTH", row.get("HO_TEN_CHA", ""))
    weight = quantity(row.get("CAN_NANG_CON", ""), "g", "g")
    told = [
        *paper.tell_texts(case, row, *_TEXTS),
        *paper.tell_codes(case, row, **_CODES),
        *paper.tell_times(case, row, "NGAYCAP_CCCD_NND"),
        *([paper.tell(case, "CAN_NANG_CON", ("valueQuantity", weight))] if weight else []),
    ]
    number = row.get("SO", "")
    if _CERTIFICATE.fullmatch(number):
        told.append(paper.tell(case, "MA_GCS", ("valueString", number)))
    return paper.composition(case, n, "birth_certificate", row, {}, told)


def _carer(case: Case, row: Row) -> None:
    """Make the mother, or who brings the child up, as far as she is told."""
    systems = case.systems
    citizen = row.get("SO_CCCD_NND", "")
    kinds = {Kind.CCCD: systems.cccd, Kind.CMND: systems.cmnd, Kind.PASSPORT: systems.passport}
    numbers = (
        (kinds.get(classify(citizen), ""), citizen),
        (systems.bhxh, row.get("MA_BHXH_NND", "")),
        (systems.bhyt, row.get("MA_THE_NND", "")),
    )
    name, place = row.get("HO_TEN_NND", ""), row.get("NOI_CU_TRU_NND", "")
    told = {
        "identifier": [{"system": system, "value": value} for system, value in numbers if system and value],
        "name": [{"text": name}] if name else [],
        "birthDate": digits_to_date(row.get("NGAYSINH_NND", "")),
        "address": [{"text": place}] if place else [],
    }
    if any(told.values()):
        case.add(paper.related(case, "MTH") | compact(told))


def write(dossier: Dossier) -> list[tuple[Resource, dict[str, str]]]:
    """Give the rows that came as XML, else that of a newborn whose birth was told."""
    return paper.one_paper(dossier, "birth_certificate")


TABLE = TableMap("XML9", read, write, MAPPED)
