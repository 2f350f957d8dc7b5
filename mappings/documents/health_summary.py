"""Sổ sức khỏe điện tử: the patient summary that a visit adds to the health book, in the shape of the IPS.

Form: groups a–d of QĐ 31/QĐ-BYT Điều 2 khoản 3, fields of QĐ 1332/QĐ-BYT appendix B (the complete numbered list is not
public, so labels are ours and marked M). Legal source: NĐ 102/2025 Điều 10, 23; QĐ 31/QĐ-BYT, QĐ 2733/QĐ-BYT. Trigger: the
end of a visit of any class (ADT A03, or A08 that says the visit is over). Required: facility, name, birth, sex, when the
visit began and ended; where one is missing the paper waits for a person. Everything else is printed also when empty, and a
section nobody said anything about says so: it never says that there is no allergy or no disease unless somebody told that.

Diagnoses, allergies and vaccinations are those of the whole record, results, medicines, procedures and vital signs those of the
visit. What the book is sent as (table 8 of QĐ 3176) is not made here.

Standard: HL7 FHIR IPS 2.0 (Composition); Requirement: S3.15, S3.18
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mappings.documents import content, monitored, statements, wording
from mappings.documents.content import Content
from mappings.documents.context import Context
from mappings.documents.lab_report import results_of
from mappings.documents.record import Record, icd10, relation_codes, value_text
from mappings.outcome import Resource
from mappings.systems import LOINC

_WRONG = frozenset({"entered-in-error", "cancelled"})
_UNSAID = _WRONG | {"registered"}
_REPORTED = frozenset({"final", "corrected", "amended", "appended"})
_OVER = frozenset({"inactive", "remission", "resolved"})
_FORMS_OF_CARE = {
    "01": "Khám bệnh",
    "02": "Điều trị ngoại trú",
    "03": "Điều trị nội trú",
    "04": "Điều trị nội trú ban ngày",
    "07": "Nhận thuốc theo hẹn, không khám",
    "09": "Điều trị nội trú dưới 4 giờ",
    "AMB": "Ngoại trú",
    "EMER": "Cấp cứu",
    "IMP": "Nội trú",
    "ACUTE": "Nội trú",
    "NONAC": "Nội trú",
    "OBSENC": "Theo dõi",
    "SS": "Nội trú ban ngày",
    "HH": "Khám tại nhà",
    "VR": "Khám từ xa",
}
_ENDS = ("vn-discharge-disposition-cs", "MA_LOAI_RV")
"""Systems of the codes of MA_LOAI_RV."""
_DISCHARGES = {
    "1": "Ra viện",
    "2": "Chuyển cơ sở theo yêu cầu chuyên môn",
    "3": "Trốn viện",
    "4": "Xin ra viện",
    "5": "Chuyển cơ sở theo yêu cầu người bệnh",
}
_DISPOSITIONS = {
    "home": "Về nhà",
    "alt-home": "Về nơi ở khác",
    "other-hcf": "Chuyển cơ sở khác",
    "hosp": "Về chăm sóc cuối đời",
    "long": "Chuyển nơi chăm sóc dài hạn",
    "aadvice": "Ra viện không theo chỉ định",
    "exp": "Tử vong",
    "psy": "Chuyển bệnh viện tâm thần",
    "rehab": "Chuyển phục hồi chức năng",
    "snf": "Chuyển nơi điều dưỡng",
}
"""Codes of http://terminology.hl7.org/CodeSystem/discharge-disposition."""
_OUTCOMES = {
    "1": "Khỏi",
    "2": "Đỡ",
    "3": "Không thay đổi",
    "4": "Nặng hơn",
    "5": "Tử vong",
    "6": "Tiên lượng nặng xin về",
    "7": "Chưa xác định",
    "8": "Tử vong ngoại viện",
}
_RELATIONS = {"FTH": "cha", "MTH": "mẹ", "GUARD": "người giám hộ", "GRD": "người giám hộ"}
_ABO, _RH, _ABO_RH = "883-9", "10331-7", "882-1"
_BLOOD_GROUPS = frozenset({_ABO, _RH, _ABO_RH})
_WEIGHT, _HEIGHT = "29463-7", "8302-2"
_TOLD = (
    "TIEN_SU_BENH",
    "QT_BENHLY",
    "TOMTAT_KQ",
    "PP_DIEUTRI",
    "HUONG_DIEU_TRI",
    "LOI_DAN",
    "GHI_CHU",
    "NGAY_TAI_KHAM",
)
_STAY = ("MA_LOAI_KCB", "LY_DO_VV", "LYDO_VVIEN", "MA_LOAI_RV", "KET_QUA_DTRI", "NHOM_MAU", "CAN_NANG", "CHIEU_CAO")
_MEDICINES = (
    (("MedicationRequest", "encounter"), ("MedicationStatement", "context")),
    (("MedicationDispense", "context"),),
    (("MedicationAdministration", "context"),),
)
"""What says which medicines a visit brought: what was ordered or taken, else what was supplied, else what was given."""
_TIMES = ("effectiveDateTime", "effectivePeriod", "issued")


def subjects(resources: Sequence[Resource]) -> list[str]:
    """Give the visits that are over, whichever message says so: an outpatient's often ends without a discharge."""
    visits = [r for r in resources if r["resourceType"] == "Encounter"]
    return [f"Encounter/{r['id']}" for r in visits if r.get("status") == "finished" or r.get("period", {}).get("end")]


def gather(record: Record, subject: Resource, context: Context) -> Content:
    """Collect what the paper says about a visit and the person."""
    encounter = subject
    period = encounter.get("period", {})
    start, end = period.get("start", ""), period.get("end", "")
    patient = record.patient("health_summary", encounter)
    conditions = record.diagnoses(encounter)
    cards = record.cards(start, end)
    person = content.person(record, patient, encounter, end or start)
    relatives = content.guardians(record, patient, end or start)
    present, past = problems(record)
    allergies = statements.in_time(_sound(record, "AllergyIntolerance"), "onsetDateTime")
    vaccinations = statements.in_time(_sound(record, "Immunization"), "occurrenceDateTime")
    medicines = _medicines(record, encounter)
    reports, results, vitals = _measured(record, encounter)
    procedures = statements.in_time(_of_visit(record, "Procedure", encounter), "performedDateTime", "performedPeriod")
    concluded = [report for report in reports if report.get("conclusion")]
    return Content(
        event_at=end or wording.stamp(context.issued_at),
        patient=patient,
        encounter=encounter,
        professional=record.doctor(encounter),
        values={
            **content.furniture(record, encounter, context),
            **content.place(record, encounter),
            **person,
            **content.card(record, patient, cards),
            **_administrative(record, patient, cards),
            **_representative(relatives),
            **content.diagnoses(conditions),
            "MA_BENH_RA": "; ".join(code for one in conditions if (code := icd10(one))),
            "NGAY_VAO": wording.long_time(start),
            "NGAY_RA": wording.long_time(end),
            "HINH_THUC_KCB": _words(record, "MA_LOAI_KCB", encounter, _FORMS_OF_CARE)
            or _FORMS_OF_CARE.get(encounter.get("class", {}).get("code", ""), ""),
            "LY_DO_VV": record.field("LY_DO_VV", encounter)
            or record.field("LYDO_VVIEN", encounter)
            or _reason(encounter),
            "TINH_TRANG_RV": _words(record, "MA_LOAI_RV", encounter, _DISCHARGES) or _left(encounter),
            "KET_QUA_DTRI": _words(record, "KET_QUA_DTRI", encounter, _OUTCOMES),
            "NHOM_MAU": record.field("NHOM_MAU", encounter) or _blood_group(record),
            "CAN_NANG": record.measured("CAN_NANG", encounter, "kg") or _last(vitals, _WEIGHT),
            "CHIEU_CAO": record.field("CHIEU_CAO", encounter) or _last(vitals, _HEIGHT),
            **{code: record.field(code, encounter) for code in _TOLD},
            "NGAY_TAI_KHAM": wording.short_date(record.field("NGAY_TAI_KHAM", encounter))
            or _comes_back(record, encounter),
        },
        entries={
            "person": [patient, *relatives, *cards],
            "stay": [encounter, *record.fields(_STAY, encounter)],
            "problems": present,
            "allergies": allergies,
            "medications": medicines,
            "immunizations": vaccinations,
            "results": [*reports, *results],
            "procedures": procedures,
            "vital_signs": vitals,
            "past_illness": past,
            "summary": record.fields([*_TOLD, *content.INSURANCE], encounter),
        },
        lines={
            "problems": [statements.problem(n, one) for n, one in enumerate(present, 1)],
            "allergies": [statements.allergy(n, one) for n, one in enumerate(allergies, 1)],
            "medications": [statements.medicine(n, record, one) for n, one in enumerate(medicines, 1)],
            "immunizations": [statements.vaccination(n, record, one) for n, one in enumerate(vaccinations, 1)],
            "results": [
                *(statements.result(n, one) for n, one in enumerate(results, 1)),
                *(statements.conclusion(n, one) for n, one in enumerate(concluded, len(results) + 1)),
            ],
            "procedures": [statements.procedure(n, record, one) for n, one in enumerate(procedures, 1)],
            "vital_signs": [statements.vital_sign(n, one) for n, one in enumerate(vitals, 1)],
            "past_illness": [_past(n, one) for n, one in enumerate(past, 1)],
        },
    )


# ---- the whole record ----


def problems(record: Record) -> tuple[list[Resource], list[Resource]]:
    """Give what the person suffers from and what is over, of all visits; a disease told of twice is given as last told.

    Of a visit the diagnoses it ended with count, not those it began with.
    """
    of_visits = {f"Encounter/{visit['id']}": record.diagnoses(visit) for visit in record.all("Encounter")}
    ends = [one for found in of_visits.values() for one in found]
    alone = [
        condition
        for condition in _sound(record, "Condition")
        if condition.get("encounter", {}).get("reference") not in of_visits
        or "problem-list-item" in {code for kind in condition.get("category", []) for code in statements.codes(kind)}
    ]
    each = {one["id"]: one for one in [*ends, *alone]}
    last: dict[str, Resource] = {}
    for condition in sorted(each.values(), key=lambda one: (_told_on(record, one), one["id"])):
        last[icd10(condition) or wording.concept(condition.get("code")) or condition["id"]] = condition
    ordered = statements.in_time(list(last.values()), "onsetDateTime", "onsetPeriod", "recordedDate")
    over = {one["id"] for one in ordered if statements.codes(one.get("clinicalStatus")) & _OVER}
    return [one for one in ordered if one["id"] not in over], [one for one in ordered if one["id"] in over]


def _told_on(record: Record, condition: Resource) -> str:
    visit = record.follow(condition.get("encounter")) or {}
    said = statements.began(condition, "recordedDate") or visit.get("period", {}).get("start", "")
    return str(wording.day(said) or "")


def _sound(record: Record, resource_type: str) -> list[Resource]:
    return [one for one in record.all(resource_type) if _is_sound(one)]


def _is_sound(one: Resource) -> bool:
    if one.get("status") in _WRONG:
        return False
    verified = statements.codes(one["verificationStatus"]) if "verificationStatus" in one else ()
    return "entered-in-error" not in verified and not (one["resourceType"] == "Condition" and "refuted" in verified)


def _blood_group(record: Record) -> str:
    found: dict[str, list[Resource]] = {}
    for one in _sound(record, "Observation"):
        for code in _loinc(one) & _BLOOD_GROUPS:
            found.setdefault(code, []).append(one)
    said = {code: value_text(statements.in_time(told, *_TIMES)[-1]) for code, told in found.items()}
    return said.get(_ABO_RH) or " ".join(text for code in (_ABO, _RH) if (text := said.get(code, "")))


def _loinc(observation: Resource) -> set[str]:
    return {c.get("code", "") for c in observation.get("code", {}).get("coding", ()) if c.get("system") == LOINC}


# ---- the person ----


def _administrative(record: Record, patient: Resource, cards: Sequence[Resource]) -> dict[str, str]:
    phones = [t.get("value", "") for t in patient.get("telecom", []) if t.get("system", "phone") in ("phone", "sms")]
    periods = [card.get("period", {}) for card in cards]
    spans = [[wording.short_date(period.get(side, "")) for side in ("start", "end")] for period in periods]
    return {
        "DIEN_THOAI": "; ".join(dict.fromkeys(phone for phone in phones if phone)),
        "MA_DKBD": record.field("MA_DKBD", None) or "; ".join(_registered(card) for card in cards if _registered(card)),
        "GT_THE": "; ".join(" - ".join(span) for span in spans if any(span)),
    }


def _registered(card: Resource) -> str:
    for one in card.get("extension", []):
        if one.get("url", "").endswith("primary-care-facility"):
            named = one.get("valueReference", {})
            said: str = named.get("display") or named.get("identifier", {}).get("value", "")
            return said
    return ""


def _representative(relatives: Sequence[Resource]) -> dict[str, str]:
    """Give who answers for the person: a guardian before a parent."""
    ranked = sorted(relatives, key=lambda one: not relation_codes(one) & {"GUARD", "GRD"})
    first: Resource = ranked[0] if ranked else {}
    known = relation_codes(first)
    phones = [point.get("value", "") for point in first.get("telecom", []) if point.get("value")]
    return {
        "NGUOI_DAI_DIEN": wording.name(first),
        "QUAN_HE_NDD": next((_RELATIONS[code] for code in _RELATIONS if code in known), ""),
        "SO_CCCD_NDD": content.identifier(first, "cccd", "cmnd", "passport"),
        "DIEN_THOAI_NDD": "; ".join(phones),
    }


# ---- the visit ----


def _words(record: Record, code: str, encounter: Resource, known: dict[str, str]) -> str:
    value, meaning = record.coded_field(code, encounter)
    return meaning if meaning not in ("", value) else known.get(value, value)


def _left(encounter: Resource) -> str:
    """Say how the visit ended: in the words of MA_LOAI_RV, else of HL7's codes, else the sender's."""
    said = encounter.get("hospitalization", {}).get("dischargeDisposition")
    codings = (said or {}).get("coding", [])
    own = [_DISCHARGES.get(c.get("code", "")) for c in codings if c.get("system", "").endswith(_ENDS)]
    official = [_DISPOSITIONS.get(c.get("code", "")) for c in codings]
    return next((words for words in (*own, *official) if words), "") or wording.concept(said)


def _reason(encounter: Resource) -> str:
    return "; ".join(text for one in encounter.get("reasonCode", []) if (text := wording.concept(one)))


def _of_visit(record: Record, resource_type: str, encounter: Resource, element: str = "encounter") -> list[Resource]:
    visit = f"Encounter/{encounter['id']}"
    found = (one for one in record.all(resource_type) if one.get(element, {}).get("reference") == visit)
    return [one for one in found if _is_sound(one)]


def _medicines(record: Record, encounter: Resource) -> list[Resource]:
    for kinds in _MEDICINES:
        found = [one for kind, element in kinds for one in _of_visit(record, kind, encounter, element)]
        if found:
            return statements.in_time(found, "authoredOn", "effectiveDateTime", "effectivePeriod", "whenHandedOver")
    return []


def _measured(record: Record, encounter: Resource) -> tuple[list[Resource], list[Resource], list[Resource]]:
    """Give finished reports, results in their order, and vital signs of a visit; nothing that is part of a vaccination."""
    reports = [one for one in _of_visit(record, "DiagnosticReport", encounter) if one.get("status") in _REPORTED]
    reports = statements.in_time(reports, *_TIMES)
    told = {one["id"]: one for report in reports for one in results_of(record, report)}
    told |= {one["id"]: one for one in statements.in_time(_of_visit(record, "Observation", encounter), *_TIMES)}
    shown = [
        one
        for one in told.values()
        if not record.is_field(one) and not _about_vaccination(one) and one.get("status") not in _UNSAID
    ]
    signs: list[Resource] = []
    others: list[Resource] = []
    for one in monitored.shown([one for one in shown if _says_something(one)]):
        (signs if _is_vital(one) else others).append(one)
    return reports, others, statements.in_time(signs, *_TIMES)


def _about_vaccination(observation: Resource) -> bool:
    return any(one.get("reference", "").startswith("Immunization/") for one in observation.get("partOf", []))


def _says_something(observation: Resource) -> bool:
    return any(name.startswith("value") for name in observation) or bool(
        observation.get("component") or observation.get("dataAbsentReason")
    )


def _is_vital(observation: Resource) -> bool:
    return any("vital-signs" in statements.codes(kind) for kind in observation.get("category", ()))


def _last(vitals: Sequence[Resource], code: str) -> str:
    found = [one for one in vitals if code in _loinc(one)]
    if not found:
        return ""
    return f"{value_text(found[-1])} {wording.unit(found[-1].get('valueQuantity', {}))}".strip()


def _comes_back(record: Record, encounter: Resource) -> str:
    def starts() -> Iterator[str]:
        for one in _sound(record, "Appointment"):
            asked: Resource = next(iter(one.get("requestedPeriod", [])), {})
            if record.encounter(one) is encounter:
                yield one.get("start") or asked.get("start", "")

    return "; ".join(wording.short_date(start) for start in sorted(start for start in starts() if start))


def _past(n: int, condition: Resource) -> dict[str, str]:
    line = statements.problem(n, condition)
    return {f"{key}_CU": text for key, text in line.items()}
