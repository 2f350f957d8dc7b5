"""Who the study is about: Patient, by the same ids as HL7 v2 makes of the same numbers.

Standard: DICOM PS3.3 §C.2.2, §C.7.1.1
Requirement: S3.18
"""

from __future__ import annotations

from typing import Any

from mappings import codes
from mappings.dicom import faults
from mappings.dicom.attributes import Attributes, date_of, has, item, items, text, texts, values, whole
from mappings.dicom.draft import UID, Draft
from mappings.dicom.people import names, pn_to_text
from mappings.dicom.same_person import between
from mappings.formats.identifiers import Kind, classify, doubts, match_key_unaccented
from mappings.hl7v2.datatypes import Element, compact
from mappings.hl7v2.identifiers import home_authority, patient_id, person_numbers
from mappings.ids import resource_id

ID, ISSUER, NAME, BIRTH, SEX = "00100020", "00100021", "00100010", "00100030", "00100040"
_QUALIFIERS, _OTHER_IDS, _OTHER = "00100024", "00101000", "00101002"
MAPPED = {
    NAME: "Patient.name",
    ID: "Patient.identifier",
    ISSUER: "Patient.identifier.system",
    f"{_QUALIFIERS}/00400032": "Patient.identifier.system",
    f"{_QUALIFIERS}/00400033": "Patient.identifier.system",
    f"{_QUALIFIERS}/00400035": "Patient.identifier.type",
    BIRTH: "Patient.birthDate",
    "00100032": "Patient._birthDate",
    SEX: "Patient.gender",
    _OTHER_IDS: "Patient.identifier",
    "00101001": "Patient.name",
    f"{_OTHER}/{ID}": "Patient.identifier",
    f"{_OTHER}/{ISSUER}": "Patient.identifier.system",
    f"{_OTHER}/{_QUALIFIERS}/00400032": "Patient.identifier.system",
    f"{_OTHER}/{_QUALIFIERS}/00400033": "Patient.identifier.system",
    f"{_OTHER}/{_QUALIFIERS}/00400035": "Patient.identifier.type",
    "00101005": "Patient.name",
    "00101040": "Patient.address",
    "00101060": "Patient.extension(patient-mothersMaidenName)",
    "00102154": "Patient.telecom",
}
IGNORED = {
    "00100022": "what carries the number (text, barcode); the number is the same",
    f"{_OTHER}/00100022": "what carries the number (text, barcode); the number is the same",
    "00101010": "age at the time of the study; the date of birth tells it",
    "00101020": "size as typed at the device; no measurement",
    "00101030": "weight as typed at the device; no measurement",
    "00101080": "military rank",
    "00101081": "military branch",
    "00102150": "country of residence as typed at the device",
    "00102152": "region of residence as typed at the device",
    "00104000": "free text about the person without author or time",
    "00120062": "says that the identity was removed; the name and the numbers show it",
    "00120063": "how the identity was removed",
    "00120064": "how the identity was removed",
}
_BIRTH_TIME = "http://hl7.org/fhir/StructureDefinition/patient-birthTime"
_MOTHER = "http://hl7.org/fhir/StructureDefinition/patient-mothersMaidenName"


class Number:
    """A number of a person with who gave it, seen as CX of HL7 v2."""

    def __init__(self, value: str, issuer: str = "", universal: str = "", kind: str = "", code: str = "") -> None:
        self._parts = {1: {1: value}, 4: {1: issuer, 2: universal, 3: kind}, 5: {1: code}}
        self.issuer = issuer

    def c(self, n: int, s: int = 1) -> str:
        """Give a component or subcomponent."""
        return self._parts.get(n, {}).get(s, "")

    def __bool__(self) -> bool:
        return bool(self._parts[1][1])

    def home(self) -> Number:
        """Give it without its issuer: a number of this hospital."""
        return Number(self.c(1), code=self.c(5))


def take_patient(draft: Draft) -> None:
    """Make the Patient. Raises `SeveralPatients` when the objects name different persons."""
    if draft.assigned:
        _take_assigned(draft)
        return
    _require_one(draft)
    context = draft.context
    holder = draft.first(ID)
    numbers = [one for one in (_number(holder), *_others(draft)) if one and classify(one.c(1)) is not Kind.PLACEHOLDER]
    if context.issuers:
        numbers = [one.home() if one.issuer in context.issuers else one for one in numbers]
    home = "" if context.issuers else home_authority(list(numbers), context, "")
    identifiers, own = person_numbers(numbers, context, home)
    known_as = patient_id(identifiers, own)
    if not known_as:
        draft.is_known = False
        draft.notice(faults.NO_PATIENT_NUMBER, "(0010,0020) PatientID")
        known_as = resource_id("Patient", UID, draft.uid)
    draft.patient = f"Patient/{known_as}"
    birth, gender = _birth(draft), _gender(draft)
    mother = pn_to_text(next(iter(values(draft.first("00101060"), "00101060")), None))
    patient = {
        "resourceType": "Patient",
        "id": known_as,
        "extension": [{"url": _MOTHER, "valueString": mother}] if mother else [],
        "identifier": identifiers,
        "name": [
            *names(draft.first(NAME), NAME),
            *names(draft.first("00101001"), "00101001"),
            *names(draft.first("00101005"), "00101005", "maiden"),
        ],
        "telecom": [{"system": "phone", "value": one} for one in texts(draft.first("00102154"), "00102154")],
        "gender": gender,
        "birthDate": birth,
        "_birthDate": _birth_time(draft, birth),
        "address": [{"text": said}] if (said := whole(draft.first("00101040"), "00101040")) else [],
    }
    for identifier in identifiers:
        if identifier["system"] == context.systems.cccd:
            for code, _, detail in doubts(identifier["value"], gender, birth):
                draft.notice(code, "(0010,0020) PatientID", detail)
    draft.add(compact(patient))


def _take_assigned(draft: Draft) -> None:
    """Make the Patient that somebody gave the study to: by number alone, because the objects tell of another."""
    numbers = [Number(draft.assigned)]
    identifiers, own = person_numbers(numbers, draft.context, home_authority([*numbers], draft.context, ""))
    known_as = patient_id(identifiers, own)
    draft.patient = f"Patient/{known_as}"
    draft.add(compact({"resourceType": "Patient", "id": known_as, "identifier": identifiers}))
    draft.left |= dict.fromkeys(MAPPED, "a person gave the study to somebody else than it names")


def _number(attributes: Attributes) -> Number:
    """Give the number of a data set with its issuer. Standard: DICOM PS3.3 §10.14, §10.15"""
    qualifiers = item(attributes, _QUALIFIERS)
    return Number(
        text(attributes, ID),
        text(attributes, ISSUER),
        text(qualifiers, "00400032"),
        text(qualifiers, "00400033"),
        text(qualifiers, "00400035"),
    )


def _others(draft: Draft) -> list[Number]:
    """Give the other numbers: those of the sequence, and those of the retired list that it does not have."""
    found = [_number(one) for one in items(draft.first(_OTHER), _OTHER)]
    told = {one.c(1) for one in found} | {text(draft.first(ID), ID)}
    alone = [one for one in texts(draft.first(_OTHER_IDS), _OTHER_IDS) if one not in told]
    # A number in the list has no issuer: it is the hospital's only when its form says nothing else.
    return [*found, *(Number(one, code=_code_of(one)) for one in alone)]


_CODES = {Kind.CCCD: "NI", Kind.CMND: "NI", Kind.PASSPORT: "PPN", Kind.BHYT: "SB", Kind.BHXH: "SB"}


def _code_of(number: str) -> str:
    return _CODES.get(classify(number), "OTHER")


def _birth(draft: Draft) -> str:
    said = draft.said(BIRTH)
    found = date_of(said) if said else ""
    if said and not found:
        draft.give_back(BIRTH, "not a date")
    return found


def _birth_time(draft: Draft, birth: str) -> Element:
    holder = draft.first("00100032")
    moment = draft.moment(holder, BIRTH, "00100032") if birth and has(holder, BIRTH) else ""
    return {"extension": [{"url": _BIRTH_TIME, "valueDateTime": moment}]} if "T" in moment else {}


def _gender(draft: Draft) -> str:
    said = draft.said(SEX)
    if not said:
        return ""
    found = codes.table("v2-0001").target(said.upper())
    if not found:
        draft.give_back(SEX, "not a code of DICOM")
    return found


def _require_one(draft: Draft) -> None:
    """Refuse a study whose objects have different numbers, or are plainly of different persons."""
    told = [entry.attributes for entry in draft.entries]
    known = {(text(one, ID), text(one, ISSUER)) for one in told if has(one, ID)}
    numbers = {number for number, _ in known}
    issuers = {issuer for _, issuer in known if issuer}
    if len(numbers) > 1 or len(issuers) > 1:
        raise faults.SeveralPatients("(0010,0020)", f"{max(len(numbers), len(issuers))} different")
    persons = {tuple(str(one.get(tag)) for tag in (NAME, BIRTH, SEX)): one for one in told if has(one, NAME)}
    first: Attributes = next(iter(persons.values()), {})
    for other in persons.values():
        verdict = between(first, other).verdict
        if verdict == "other":
            raise faults.SeveralPatients("(0010,0010)", f"{len(persons)} different")
        if verdict == "unsure" and first is not other and _folded(first) != _folded(other):
            draft.notice(faults.CONTRADICTION, "(0010,0010) PatientName")


def _folded(attributes: Attributes) -> str:
    first: Any = next(iter(values(attributes, NAME)), None)
    return match_key_unaccented(str(first.get("Alphabetic", "")).replace("^", " ")) if isinstance(first, dict) else ""
