"""Who a paper is about, the stay, the card, the diagnoses and the issuer, in the forms of the insurance portal."""

from __future__ import annotations

import re
from datetime import timedelta

from mappings import codes
from mappings.bhyt.sheet import Sheet, licence_of, number_of, told, told_code, told_number, told_time
from mappings.documents import wording
from mappings.documents.record import icd10, relation_codes
from mappings.documents.versions import is_given_again
from mappings.formats import dates
from mappings.outcome import Resource

CHILD = 16
_SHORT_STAY = timedelta(hours=4)
MOST_OTHER_DISEASES = 12
_INPATIENT = frozenset({"IMP", "ACUTE", "NONAC", "SS"})
_VIETNAM = frozenset({"VN", "VNM", "704", "000"})
_BIRTH_TIME = "http://hl7.org/fhir/StructureDefinition/patient-birthTime"


# ---- the visit ----


def visit_number(sheet: Sheet) -> str:
    """Give MA_LK: the number issued as such, else the hospital's number of the visit."""
    own = sheet.systems.local(facility(sheet), "visit")
    return (
        number_of(sheet.visit, lambda system: system == sheet.systems.episode)
        or number_of(sheet.visit, lambda system: system == own)
        or number_of(sheet.visit, lambda system: system.endswith("/visit"))
    )


def record_number(sheet: Sheet) -> str:
    """Give the number of the medical record, as the paper prints it: the archive number, else the visit's."""
    return told("SO_LUU_TRU")(sheet) or visit_number(sheet)


def file_number(sheet: Sheet) -> str:
    """Give the number of the referral's file: told as such, else the number of the medical record."""
    return told("SO_HOSO")(sheet) or record_number(sheet)


def department(sheet: Sheet) -> str:
    """Give the code of the department: told, else of the ward of the stay, else of the service."""
    stays = sorted(sheet.visit.get("location", []), key=lambda stay: stay.get("status") != "active")
    location = sheet.record.follow(stays[0].get("location")) if stays else None
    ward = ""
    for _ in range(6):
        if location is None or ward:
            break
        if any(coding.get("code") == "wa" for coding in location.get("physicalType", {}).get("coding", [])):
            ward = number_of(location, lambda s: s.endswith("/department")) or location.get("name", "")
        location = sheet.record.follow(location.get("partOf"))
    service = sheet.visit.get("serviceType", {}).get("coding", [{}])[0].get("code", "")
    return told_code("MA_KHOA_RV")(sheet) or told_code("MA_KHOA")(sheet) or ward or service


def kind_of_care(sheet: Sheet) -> str:
    """Give MA_LOAI_KCB: told, else the kind of the visit by the national list; of a stay 03, of less than four hours 09.

    What kind of care an outpatient had is not to be seen from the class of the visit.
    """
    kinds = (coding for kind in sheet.visit.get("type", []) for coding in kind.get("coding", []))
    own = next((c["code"] for c in kinds if c.get("system", "").endswith("vn-encounter-type-cs") and c.get("code")), "")
    said = told_code("MA_LOAI_KCB")(sheet) or own
    if said or sheet.visit.get("class", {}).get("code") not in _INPATIENT - {"SS"}:
        return said.zfill(2) if said.isdigit() else said
    period = sheet.visit.get("period", {})
    start, end = wording.instant(period.get("start", "")), wording.instant(period.get("end", ""))
    return "09" if start and end and end - start < _SHORT_STAY else "03"


def came_at(sheet: Sheet) -> str:
    return dates.fhir_to_yyyymmddhhmm(sheet.visit.get("period", {}).get("start", ""))


def admitted_at(sheet: Sheet) -> str:
    """Give when treatment in the ward was ordered: told, else the start of an inpatient visit."""
    inpatient = sheet.visit.get("class", {}).get("code") in _INPATIENT
    return told_time("NGAY_VAO_NOI_TRU")(sheet) or (came_at(sheet) if inpatient else "")


def left_at(sheet: Sheet) -> str:
    return dates.fhir_to_yyyymmddhhmm(sheet.visit.get("period", {}).get("end", ""))


def left_on(sheet: Sheet) -> str:
    """Give the day the visit ended; a discharge paper is dated by it."""
    return dates.fhir_to_yyyymmdd(sheet.visit.get("period", {}).get("end", ""))


def moved_at(sheet: Sheet) -> str:
    """Give when the visit ended, else when the patient is moved."""
    period, once = sheet.subject.get("occurrencePeriod", {}), sheet.subject.get("occurrenceDateTime", "")
    return left_at(sheet) or dates.fhir_to_yyyymmddhhmm(period.get("start") or once)


def discharge_kind(sheet: Sheet) -> str:
    """Give MA_LOAI_RV: told, else the sender's own code of the disposition."""
    disposition = sheet.visit.get("hospitalization", {}).get("dischargeDisposition", {})
    table = codes.table("ma-loai-rv")
    own = (c.get("code", "") for c in disposition.get("coding", []) if "vn-discharge" in c.get("system", ""))
    return told_code("MA_LOAI_RV")(sheet) or next((code for code in own if code in table), "")


# ---- the person ----


def patient_number(sheet: Sheet) -> str:
    """Give MA_BN, the hospital's number of the person."""
    own = sheet.systems.local(facility(sheet), "patient")
    return number_of(sheet.patient, lambda system: system == own) or number_of(
        sheet.patient, lambda system: system.endswith("/patient")
    )


def full_name(sheet: Sheet) -> str:
    return wording.name(sheet.patient)


def born_at(sheet: Sheet) -> str:
    """Give 12 digits, zeros for what is not known; newborns have their time of birth beside the date."""
    beside = sheet.patient.get("_birthDate", {}).get("extension", [])
    times = (one["valueDateTime"] for one in beside if one.get("url") == _BIRTH_TIME and "valueDateTime" in one)
    return dates.fhir_to_yyyymmddhhmm(next(times, sheet.patient.get("birthDate", "")))


def sex(sheet: Sheet) -> str:
    """Give 1 male, 2 female, 3 not determined."""
    gender = sheet.patient.get("gender")
    return {"male": "1", "female": "2"}.get(gender, "3") if gender else ""


def nationality(sheet: Sheet) -> str:
    """Give MA_QUOCTICH: told, `000` for Vietnam; of other countries only a code that already is one of the list."""
    codings = [
        coding
        for outer in sheet.patient.get("extension", [])
        if outer.get("url", "").endswith(("patient-nationality", "patient-citizenship"))
        for inner in outer.get("extension", [])
        for coding in inner.get("valueCodeableConcept", {}).get("coding", [])
    ]
    said = next((coding.get("code", "").upper() for coding in codings), "")
    listed = next((c["code"] for c in codings if c.get("system", "").endswith("/qd3176-ma-quoctich")), "")
    return told_code("MA_QUOCTICH")(sheet) or listed or ("000" if said in _VIETNAM else "")


def ethnicity(sheet: Sheet) -> str:
    """Give MA_DANTOC by the national list; nothing for a code of another list."""
    codings = (
        coding
        for one in sheet.patient.get("extension", [])
        if "ethnicity" in one.get("url", "")
        for coding in one.get("valueCodeableConcept", {}).get("coding", [])
    )
    table = codes.table("ma-dantoc")
    return next((c["code"] for c in codings if "ethnicity" in c.get("system", "") and c.get("code", "") in table), "")


def occupation(sheet: Sheet) -> str:
    """Give MA_NGHE_NGHIEP: told, else the code that the person's occupation has in the field's own list."""
    codings = (
        coding
        for one in sheet.patient.get("extension", [])
        if one.get("url", "").endswith("occupation")
        for coding in one.get("valueCodeableConcept", {}).get("coding", [])
    )
    own = next((c["code"] for c in codings if "ma-nghe-nghiep" in c.get("system", "") and c.get("code")), "")
    return told_code("MA_NGHE_NGHIEP")(sheet) or own


def residence(sheet: Sheet) -> str:
    return wording.address(sheet.patient)


def mother_number(sheet: Sheet) -> str:
    return number_of(_parent(sheet, "MTH") or {}, lambda system: system == sheet.systems.bhxh)


def father_number(sheet: Sheet) -> str:
    return number_of(_parent(sheet, "FTH") or {}, lambda system: system == sheet.systems.bhxh)


def mother_name(sheet: Sheet) -> str:
    return wording.name(_parent(sheet, "MTH") or {})


def father_name(sheet: Sheet) -> str:
    return wording.name(_parent(sheet, "FTH") or {})


def parent_name(sheet: Sheet, field: str, role: str, under: int) -> str:
    """Give a parent of a child younger than so many years: told under a field, else of the relative in a role."""
    relative = _parent(sheet, role, under)
    return (told(field)(sheet) or wording.name(relative or {})) if relative is not None else ""


def _parent(sheet: Sheet, role: str, under: int = CHILD) -> Resource | None:
    """Give the parent of a child younger than so many years, empty when unknown; None for anybody else."""
    period = sheet.visit.get("period", {})
    age = wording.years_old(sheet.patient.get("birthDate", ""), period.get("end") or period.get("start", ""))
    if age is None or age >= under:
        return None
    return next((one for one in sheet.record.relatives(sheet.patient) if role in relation_codes(one)), {})


# ---- the card ----


def card_numbers(sheet: Sheet) -> str:
    """Give the cards on the paper joined with `;`; without any, the card among the person's numbers."""
    cards = [coverage["subscriberId"] for coverage in _cards(sheet)]
    own = number_of(sheet.patient, lambda system: system == sheet.systems.bhyt)
    return ";".join(cards) or own


def card_ends(sheet: Sheet) -> str:
    """Give the last day of every card, as many as there are cards."""
    ends = [dates.fhir_to_yyyymmdd(card.get("period", {}).get("end", "")) for card in _cards(sheet)]
    return ";".join(ends) if any(ends) else ""


def _cards(sheet: Sheet) -> list[Resource]:
    found = [card for card in sheet.record.all("Coverage") if card.get("subscriberId")]
    found.sort(key=lambda card: card.get("period", {}).get("start", ""), reverse=True)
    return list({card["subscriberId"]: card for card in found}.values())


# ---- diagnoses ----


def diagnosis_text(sheet: Sheet) -> str:
    """Give the words of the diagnoses; the codes where none has words."""
    concepts = [condition.get("code", {}) for condition in _conditions(sheet)]
    words = [
        one.get("text") or next((c["display"] for c in one.get("coding", []) if "display" in c), "") for one in concepts
    ]
    return "; ".join(text for text in (words if any(words) else map(wording.concept, concepts)) if text)


def main_disease(sheet: Sheet) -> str:
    """Give the ICD-10 code of the first diagnosis."""
    return next((icd10(condition) for condition in _conditions(sheet)[:1]), "")


def other_diseases(sheet: Sheet) -> str:
    """Give the other ICD-10 codes in their order; the field takes 12, the text of the diagnosis names all."""
    main = main_disease(sheet)
    found = dict.fromkeys(icd10(condition) for condition in _conditions(sheet)[1:])
    return ";".join([code for code in found if code not in ("", main)][:MOST_OTHER_DISEASES])


def _conditions(sheet: Sheet) -> list[Resource]:
    reasons = sheet.subject.get("reasonReference", [])
    return sheet.record.diagnoses(sheet.encounter) or list(sheet.record.of_type(reasons, "Condition"))


# ---- the issuer and the paper ----


def facility(sheet: Sheet) -> str:
    return _facility(sheet, sheet.record.follow(sheet.composition.get("custodian")) or {})


def receiver(sheet: Sheet) -> str:
    """Give the facility a patient is referred to."""
    organizations = sheet.record.of_type(sheet.subject.get("performer", []), "Organization")
    return next((_facility(sheet, organization) for organization in organizations), "")


def _facility(sheet: Sheet, organization: Resource) -> str:
    numbers = organization.get("identifier", [])
    coded = number_of(organization, lambda system: system == sheet.systems.facility)
    return coded or next((n["value"] for n in numbers if re.fullmatch(r"\d{5}", n.get("value", ""))), "")


def head_licence(sheet: Sheet) -> str:
    """Give MA_TTDV: told, else the licence of the head that the facility's settings name."""
    return told_number("MA_TTDV")(sheet) or sheet.head


def doctor_licence(sheet: Sheet) -> str:
    return licence_of(sheet, _doctor(sheet))


def doctor_name(sheet: Sheet) -> str:
    return wording.name(_doctor(sheet))


def _doctor(sheet: Sheet) -> Resource:
    """Give who answers for the paper with his or her signature."""
    attesters = [one.get("party") for one in sheet.composition.get("attester", []) if one.get("mode") == "professional"]
    people = sheet.record.of_type([*attesters, *sheet.composition.get("author", [])], "Practitioner")
    return next(people, {})


def issued_on(sheet: Sheet) -> str:
    return dates.fhir_to_yyyymmdd(sheet.composition.get("date", ""))


def examined_on(sheet: Sheet) -> str:
    """Give the day a paper about an examination bears: that of the examination; one given out again bears its own."""
    period = sheet.visit.get("period", {})
    inpatient = sheet.visit.get("class", {}).get("code") in _INPATIENT
    examined = dates.fhir_to_yyyymmdd(period.get("end" if inpatient else "start", ""))
    return issued_on(sheet) if is_given_again(sheet.composition) or not examined else examined


def referral_number(sheet: Sheet) -> str:
    """Give the number of the referral form: told, else of the request."""
    return told("GIAY_CHUYEN_TUYEN")(sheet) or number_of(sheet.subject, _is_a_number)


def _is_a_number(system: str) -> bool:
    """Tell whether an identifier is a number that somebody gave out, not the place of a row in a file."""
    return not system.endswith("/bhyt-row")


def register_number(sheet: Sheet) -> str:
    """Give the number in the register of referrals: told, else the form's own number."""
    return told("SO_CHUYENTUYEN")(sheet) or referral_number(sheet)


def referral_reason(sheet: Sheet) -> str:
    """Give MA_LYDO_CT, told or from the request: 1 fits the rules, 2 beyond the facility, 3 the patient's wish."""
    reasons = [c.get("code", "") for one in sheet.subject.get("reasonCode", []) for c in one.get("coding", [])]
    return next((code for code in (told_code("MA_LYDO_CT")(sheet), *reasons) if code in ("1", "2", "3")), "")


def appointment_number(sheet: Sheet) -> str:
    """Give the number of the slip: told, else of the appointment; of a visit that told the day alone the document's."""
    booked = sheet.subject.get("resourceType") == "Appointment"
    own = number_of(sheet.subject, _is_a_number) if booked else sheet.composition.get("id", "")
    return told("SO_GIAYHEN_KL")(sheet) or own


def comes_back_at(sheet: Sheet) -> str:
    """Give when the patient comes again, 12 digits; where only the day is wanted, the table takes that."""
    asked = next((period.get("start", "") for period in sheet.subject.get("requestedPeriod", [])), "")
    return dates.fhir_to_yyyymmddhhmm(sheet.subject.get("start") or asked) or told_time("NGAY_HEN_KL")(sheet)
