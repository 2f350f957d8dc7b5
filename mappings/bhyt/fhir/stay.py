"""The visit itself: MA_LOAI_KCB and the times as Encounter, the diagnoses as Conditions in the order and roles papers expect.

The Encounter has the id HL7 v2 gives the same number in PV1-19, and carries MA_LK beside it. Its class is derived from
MA_LOAI_KCB by a table here, because FHIR demands one and the decisions name none.

Standard: QĐ 3176/QĐ-BYT; QĐ 1804/QĐ-BYT (2026) for MA_LOAI_KCB 11 to 16
"""

from __future__ import annotations

from itertools import zip_longest
from typing import Any

from mappings import codes
from mappings.bhyt import facts
from mappings.bhyt.fhir.case import Case
from mappings.bhyt.fhir.dossier import Dossier
from mappings.bhyt.fhir.forms import (
    code_in,
    compact,
    concept,
    digits,
    digits_to_time,
    is_code,
    parts,
    quantity,
    time_to_digits,
)
from mappings.bhyt.rows import Row
from mappings.bhyt.sheet import number_of
from mappings.bhyt.tables import code_list
from mappings.documents import wording
from mappings.documents.record import icd10
from mappings.fhir.shared import Shared
from mappings.ids import resource_id
from mappings.outcome import Resource
from mappings.systems import ICD10, V3_ACT_CODE

_CLASSES = {
    "AMB": "ambulatory",
    "EMER": "emergency",
    "IMP": "inpatient encounter",
    "SS": "short stay",
    "FLD": "field",
    "HH": "home health",
    "VR": "virtual",
}
_CLASS_OF_KIND = {"03": "IMP", "04": "SS", "06": "IMP", "09": "IMP", "11": "FLD", "12": "HH", "14": "VR"}
_KIND_OF_CLASS = {
    "AMB": "01",
    "EMER": "01",
    "IMP": "03",
    "ACUTE": "03",
    "NONAC": "03",
    "SS": "04",
    "FLD": "11",
    "HH": "12",
    "VR": "14",
}
_EMERGENCY = "2"
"""MA_DOITUONG_KCB of an emergency."""
_V2_0203 = "http://terminology.hl7.org/CodeSystem/v2-0203"
_ROLE = "http://terminology.hl7.org/CodeSystem/diagnosis-role"
_ROLES = {"AD": "Admission diagnosis", "DD": "Discharge diagnosis", "CM": "Comorbidity diagnosis"}
_CATEGORY = Shared(
    concept("encounter-diagnosis", "http://terminology.hl7.org/CodeSystem/condition-category", "Encounter Diagnosis")
)
_ACTIVE = concept("active", "http://terminology.hl7.org/CodeSystem/condition-clinical", "Active")
_CONFIRMED = concept("confirmed", "http://terminology.hl7.org/CodeSystem/condition-ver-status", "Confirmed")
_PROVISIONAL = concept("provisional", "http://terminology.hl7.org/CodeSystem/condition-ver-status", "Provisional")


# ---- the visit ----


def row_to_encounter(case: Case, row: Row) -> Resource:
    """Make the Encounter of what any table says of the visit."""
    system = case.local("visit")
    start, end = digits_to_time(row.get("NGAY_VAO", "")), digits_to_time(row.get("NGAY_RA", ""))
    kind = row.get("MA_LOAI_KCB", "")
    record = row.get("MA_HSBA", "")
    visit: dict[str, Any] = {
        "resourceType": "Encounter",
        "id": resource_id("Encounter", system, case.number),
        "identifier": [
            {"type": concept("VN", _V2_0203, "Visit number"), "system": system, "value": case.number},
            {"system": case.systems.episode, "value": case.number},
            *([{"system": case.local("medical-record"), "value": record}] if record else []),
        ],
        "status": "finished" if end else "in-progress" if start else "unknown",
        "class": _class(kind, row.get("MA_DOITUONG_KCB", "")),
        "type": [_kind(case, kind)] if is_code(kind) else [],
        "subject": {"reference": case.patient} if case.patient else {},
        "period": {"start": start, "end": end} if start and end and start <= end else compact({"start": start or end}),
        "reasonCode": [{"text": row["LY_DO_VV"]}] if row.get("LY_DO_VV") else [],
        "length": quantity(row.get("SO_NGAY_DTRI", ""), "ngày", "d"),
        "hospitalization": _hospitalization(case, row),
        "location": [
            {"location": case.department(code), "status": "completed" if end else "active"}
            for code in dict.fromkeys(parts(row.get("MA_KHOA", "")))
            if code
        ],
        "serviceProvider": case.organization(case.facility) if case.facility else {},
    }
    if not start and end:
        visit["period"] = {"end": end}
    return compact(visit)


def _class(kind: str, situation: str) -> Resource:
    code = "EMER" if situation == _EMERGENCY and kind in ("01", "") else _CLASS_OF_KIND.get(kind, "AMB")
    return {"system": V3_ACT_CODE, "code": code, "display": _CLASSES[code]}


def _kind(case: Case, kind: str) -> Resource:
    listed = code_list("MA_LOAI_KCB")
    known = listed.find(kind) if listed else None
    return concept(kind, f"{case.systems.national}/CodeSystem/vn-encounter-type-cs", known.vi if known else "")


def _hospitalization(case: Case, row: Row) -> Resource:
    code = row.get("MA_LOAI_RV", "")
    known = codes.table("ma-loai-rv").find(code)
    disposition: Resource = {}
    if known:
        own = {"system": f"{case.systems.national}/CodeSystem/vn-discharge-disposition-cs", "code": code}
        disposition = {"coding": [own, known.coding()]}
    origin, destination = row.get("MA_NOI_DI", ""), row.get("MA_NOI_DEN", "")
    return compact(
        {
            "origin": case.organization(origin) if origin else {},
            "destination": case.organization(destination) if destination else {},
            "dischargeDisposition": disposition,
        }
    )


def stay(dossier: Dossier) -> dict[str, str]:
    """Give the fields of the visit that many tables repeat, as the record has them."""
    visit, sheet = dossier.encounter or {}, dossier.sheet
    inside = visit.get("hospitalization", {})
    kinds = (code_in(one, "/vn-encounter-type-cs") for one in visit.get("type", []))
    told = next((kind for kind in kinds if kind), "") or dossier.codes("MA_LOAI_KCB")
    return {
        "MA_LK": dossier.number,
        "NGAY_VAO": time_to_digits(visit.get("period", {}).get("start", "")),
        "NGAY_RA": time_to_digits(visit.get("period", {}).get("end", "")),
        "LY_DO_VV": next((wording.concept(one) for one in visit.get("reasonCode", [])), "")
        or dossier.field("LY_DO_VV"),
        "SO_NGAY_DTRI": digits(visit.get("length", {}).get("value")),
        "MA_LOAI_KCB": told or _KIND_OF_CLASS.get(visit.get("class", {}).get("code", ""), ""),
        "MA_LOAI_RV": facts.discharge_kind(sheet),
        "MA_NOI_DI": dossier.facility_of(inside.get("origin")),
        "MA_NOI_DEN": dossier.facility_of(inside.get("destination")),
        "MA_KHOA": ";".join(dossier.departments()) or dossier.codes("MA_KHOA"),
        "MA_CSKCB": dossier.facility_of(visit.get("serviceProvider")) or dossier.facility,
        "MA_HSBA": number_of(visit, lambda system: system.endswith("/medical-record")) or dossier.field("MA_HSBA"),
    }


# ---- the diagnoses ----


def row_to_conditions(case: Case, row: Row) -> None:
    """Make the Conditions and list them in the Encounter: admission, main, further ones, and those of traditional medicine.

    The words of CHAN_DOAN_RV are shared out when there are as many parts as codes; else all stand with the main one.
    """
    if not case.patient:
        return
    listed: list[Resource] = []
    said = row.get("CHAN_DOAN_VAO", "")
    if said:
        _list(case, listed, "AD", 1, {"text": said}, "admission")
    main, others = row.get("MA_BENH_CHINH", ""), parts(row.get("MA_BENH_KT", ""))
    words = row.get("CHAN_DOAN_RV", "")
    texts = words.split("; ")
    if not main or len(texts) != 1 + len(others):
        texts = [words] if words else []
    rest = [""] * max(0, (1 if main or texts else 0) + len(others) - len(texts))
    found = zip_longest([main, *others], [*texts, *rest], fillvalue="")
    for n, (code, text) in enumerate(found, 1):
        coding = [{"system": ICD10, "code": code}] if is_code(code) else []
        said_so = compact({"coding": coding, "text": text})
        if said_so:
            _list(case, listed, "DD" if n == 1 else "CM", n, said_so, f"{n}")
    for n, code in enumerate(parts(row.get("MA_BENH_YHCT", "")), 1):
        if is_code(code):
            said_so = concept(code, case.code_system("MA_BENH_YHCT"))
            _list(case, listed, "", n, said_so, f"yhct-{n}")
    if listed and case.encounter:
        case.get(case.encounter)["diagnosis"] = listed


def _list(case: Case, listed: list[Resource], role: str, rank: int, code: Resource, key: str) -> None:
    reference = case.add(
        {
            "resourceType": "Condition",
            "id": resource_id("Condition", case.local("bhyt-row"), f"{case.number}|diagnosis|{key}"),
            "clinicalStatus": _ACTIVE,
            "verificationStatus": _PROVISIONAL if role == "AD" else _CONFIRMED,
            "category": [_CATEGORY],
            "code": code,
            **case.about(),
        }
    )
    use = concept(role, _ROLE, _ROLES[role]) if role else {"text": "Chẩn đoán y học cổ truyền"}
    listed.append({"condition": {"reference": reference}, "use": use, "rank": rank})


def diagnoses(dossier: Dossier) -> dict[str, str]:
    """Give the fields of the diagnoses, as the record has them."""
    encounter = dossier.encounter
    found = dossier.record.diagnoses(encounter)
    admission = dossier.record.admission_diagnoses(encounter)
    texts = [_words(condition) for condition in found]
    main = icd10(found[0]) if found else ""
    others = dict.fromkeys(code for one in found[1:] if (code := icd10(one)) and code != main)
    traditional = [
        code
        for entry in (encounter or {}).get("diagnosis", [])
        if (condition := dossier.record.follow(entry.get("condition")))
        and (code := code_in(condition.get("code"), "/qd3176-ma-benh-yhct"))
    ]
    return {
        "CHAN_DOAN_VAO": dossier.field("CHAN_DOAN_VAO")
        or "; ".join(text for one in admission if (text := _words(one))),
        "CHAN_DOAN_RV": "; ".join(text for text in texts if text),
        "MA_BENH_CHINH": main,
        "MA_BENH_KT": ";".join(list(others)[: facts.MOST_OTHER_DISEASES]),
        "MA_BENH_YHCT": ";".join(traditional) or dossier.codes("MA_BENH_YHCT"),
    }


def _words(condition: Resource) -> str:
    code = condition.get("code", {})
    shown = (coding.get("display", "") for coding in code.get("coding", []))
    text: str = code.get("text") or next((one for one in shown if one), "")
    return text
