"""PID: who the message is about.

Standard: HL7 v2.5.1 §3.4.2
Requirement: S3.18
"""

from __future__ import annotations

from typing import Any

from mappings import codes
from mappings.formats import er7
from mappings.formats.identifiers import Kind, classify, doubts
from mappings.hl7v2 import faults
from mappings.hl7v2.datatypes import (
    Components,
    Element,
    code_of,
    compact,
    cwe_to_codeable_concept,
    cwe_to_coding,
    nm_to_count,
    words,
    xad_to_address,
    xpn_to_human_name,
    xtn_to_contact_point,
)
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.identifiers import PATIENT_TYPES, cx_to_identifier, home_authority, kind_of
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments import SEQUENCE
from mappings.ids import resource_id
from mappings.outcome import Resource
from mappings.systems import V2_TABLE

MAPPED = {
    2: "Patient.identifier",
    3: "Patient.identifier",
    4: "Patient.identifier",
    5: "Patient.name",
    6: "Patient.extension(patient-mothersMaidenName)",
    7: "Patient.birthDate",
    8: "Patient.gender",
    9: "Patient.name",
    11: "Patient.address",
    12: "Patient.address.district",
    13: "Patient.telecom",
    14: "Patient.telecom",
    15: "Patient.communication.language",
    16: "Patient.maritalStatus",
    17: "Patient.extension(patient-religion)",
    18: "Encounter.identifier",
    19: "Patient.identifier",
    21: "RelatedPerson.identifier",
    22: "Patient.extension(vn-ext-ethnicity)",
    23: "Patient.extension(patient-birthPlace)",
    24: "Patient.multipleBirth",
    25: "Patient.multipleBirth",
    26: "Patient.extension(patient-nationality)",
    28: "Patient.extension(patient-nationality)",
    29: "Patient.deceased",
    30: "Patient.deceased",
    40: "Patient.telecom",
}
IGNORED = {
    1: SEQUENCE,
    10: "race is not recorded in Vietnam; the ethnic group is PID-22",
    18: "account number; names the visit only when PV1-19 is empty",
    20: "driving licence; not needed to identify a patient",
    27: "military status; not part of the clinical record",
    31: "identity unknown; the numbers of PID-3 show what is known",
    32: "reliability of the identity; weighed by the person index from the numbers themselves",
    33: "time of the last change at the sender; kept in the ledger",
    34: "place of the last change at the sender; kept in the ledger",
    35: "for animals",
    36: "for animals",
    37: "for animals",
    38: "for animals",
    39: "tribal citizenship; not recorded in Vietnam",
}

_CORE = "http://hl7.org/fhir/StructureDefinition"


def pid_to_patient(pid: Segment, draft: Draft) -> Resource:
    """Make the Patient.

    Raises `MissingField` when PID-3 (with PID-2 and PID-4 as the older standards had them) holds no number.
    """
    context = draft.context
    identifiers, patient_id = patient_identifiers(pid, draft)
    extensions = [
        _ethnicity(pid, draft),
        _nationality(pid, draft),
        _extension(
            "patient-religion",
            "valueCodeableConcept",
            cwe_to_codeable_concept(pid[17], context, system=f"{V2_TABLE}0006"),
        ),
        _extension("patient-birthPlace", "valueAddress", compact({"text": words(pid[23].whole)})),
        _mother(pid),
    ]
    died_at = draft.moment(pid, 29)
    birth = draft.day(pid, 7)
    patient: dict[str, Any] = {
        "resourceType": "Patient",
        "id": patient_id,
        "extension": [extension for extension in extensions if extension],
        "identifier": identifiers,
        "name": [*_names(pid[5], draft), *_names(pid[9], draft)],
        "telecom": telecoms(pid, ((13, "home"), (14, "work"), (40, "")), draft),
        "gender": gender(pid, 8, draft),
        "birthDate": birth,
        "deceasedDateTime": died_at,
        "address": addresses(pid, 11, draft),
        "maritalStatus": cwe_to_codeable_concept(pid[16], context, "v2-0002"),
        "communication": _language(pid, draft),
    }
    _birth_time(pid, birth, patient, draft)
    for identifier in identifiers:
        if identifier["system"] == context.systems.cccd:
            for code, _, detail in doubts(identifier["value"], patient["gender"], birth):
                draft.notice(code, pid.where(3), detail)
    district = words(pid[12].text)
    if district and patient["address"]:
        patient["address"][0].setdefault("district", district)
    elif district:
        patient["address"] = [{"text": district, "district": district}]
    dead = codes.table("v2-0136").target(code_of(pid[30].text))
    if dead and not died_at:
        patient["deceasedBoolean"] = dead == "true"
    _multiple_birth(pid, patient)
    return compact(patient)


def pid_to_mother(pid: Segment, draft: Draft) -> Resource | None:
    """Make the RelatedPerson whose numbers PID-21 gives: the mother of a newborn."""
    context = draft.context
    numbers = [found for cx in pid[21].repetitions if (found := cx_to_identifier(cx, context, of="patient"))]
    if not numbers:
        return None
    row = codes.table("v2-0063").find("MTH")
    key = f"{draft.patient}|{numbers[0]['system']}|{numbers[0]['value']}"
    return compact(
        {
            "resourceType": "RelatedPerson",
            "id": resource_id("RelatedPerson", context.systems.local(context.facility, "relative"), key),
            "identifier": numbers,
            "patient": {"reference": draft.patient},
            "relationship": [{"coding": [row.coding()]}] if row else [],
        }
    )


def patient_identifiers(pid: Segment, draft: Draft) -> tuple[list[Element], str]:
    """Give every number of the person, each once, and the id of the Patient.

    The id is made of the first number of type PI or MR that this facility issued, else of the first number at all.
    """
    listed: list[Components] = [*pid[3].repetitions, *pid[2].repetitions, *pid[4].repetitions]
    numbers = [cx for cx in listed if words(cx.c(1)) and classify(cx.c(1)) is not Kind.PLACEHOLDER]
    if not numbers:
        raise faults.MissingField(pid.where(3))
    home = home_authority(numbers, draft.context, draft.sending_facility)
    # Older senders give the number alone: without type and authority it is the hospital's own.
    found: list[Element] = []
    own = ""
    local = draft.context.systems.local(draft.context.facility, "patient")
    for cx in numbers:
        bare = not cx.c(5) and not kind_of(cx)
        identifier = cx_to_identifier(cx, draft.context, home, "patient" if bare else "")
        if identifier is None:
            continue
        same = [f for f in found if f["system"] == identifier["system"] and f["value"] == identifier["value"]]
        if same:
            continue
        found.append(identifier)
        if not own and identifier["system"] == local:
            own = identifier["value"]
    social = words(pid[19].text)
    if social and classify(social) is not Kind.PLACEHOLDER and all(f["value"] != social for f in found):
        found.append(_social(social, draft))
    if own:
        return found, resource_id("Patient", local, own)
    return found, resource_id("Patient", found[0]["system"], found[0]["value"])


def _social(number: str, draft: Draft) -> Element:
    systems = draft.context.systems
    system = {Kind.BHXH: systems.bhxh, Kind.CCCD: systems.cccd, Kind.CMND: systems.cmnd}.get(classify(number))
    kind = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "SS"}]}
    return {"type": kind, "system": system or systems.local(draft.context.facility, "social"), "value": number}


def gender(segment: Segment, n: int, draft: Draft) -> str:
    """Take an administrative sex: HL7 table 0001, else the digits of GIOI_TINH."""
    code = code_of(segment[n].text)
    if not code:
        return ""
    found = codes.table("v2-0001").target(code.upper()) or codes.table("gioi-tinh").target(code)
    if not found:
        draft.notice(faults.CODE_UNKNOWN, segment.where(n))
        return "unknown"
    return found


def telecoms(segment: Segment, fields: tuple[tuple[int, str], ...], draft: Draft) -> list[Element]:
    """Take contact points from several fields, each once; with the use when XTN.2 says none."""
    found: list[Element] = []
    for n, use in fields:
        for xtn in segment[n].repetitions:
            point = xtn_to_contact_point(xtn, draft.context, use)
            if point and all(p["value"] != point["value"] for p in found):
                found.append(point)
    return found


def addresses(segment: Segment, n: int, draft: Draft) -> list[Element]:
    """Take the addresses of a field."""
    found = (xad_to_address(xad, draft.context) for xad in segment[n].repetitions)
    return [address for address in found if address]


def _names(field: er7.Field, draft: Draft) -> list[Element]:
    found = (xpn_to_human_name(xpn, draft.context) for xpn in field.repetitions)
    return [name for name in found if name]


def _extension(name: str, value: str, content: Element | None) -> Element | None:
    return {"url": f"{_CORE}/{name}", value: content} if content else None


def _mother(pid: Segment) -> Element | None:
    names = [
        " ".join(part for part in (words(xpn.c(1)), words(xpn.c(3)), words(xpn.c(2))) if part)
        for xpn in pid[6].repetitions
    ]
    names = [name for name in names if name]
    return {"url": f"{_CORE}/patient-mothersMaidenName", "valueString": names[0]} if names else None


def _ethnicity(pid: Segment, draft: Draft) -> Element | None:
    """Take PID-22 by the national list (01–55, 99); any other code keeps its own system."""
    for cwe in pid[22].repetitions:
        code = code_of(cwe.c(1))
        row = codes.table("ma-dantoc").find(code.zfill(2) if code.isdigit() else code)
        national = draft.context.systems.national
        if row and cwe.c(3).strip().upper() in ("", "MA_DANTOC", "DANTOC", "L"):
            coding: Element | None = {
                "system": f"{national}/CodeSystem/vn-ethnicity-cs",
                "code": row.target,
                "display": words(cwe.c(2)) or row.display,
            }
        else:
            coding = cwe_to_coding(cwe, draft.context, system=f"{V2_TABLE}0189") or compact(
                {"display": words(cwe.c(2))}
            )
        if coding:
            concept = {"coding": [coding]} if "code" in coding else {"text": coding["display"]}
            return {"url": f"{national}/StructureDefinition/vn-ext-ethnicity", "valueCodeableConcept": concept}
    return None


def _nationality(pid: Segment, draft: Draft) -> Element | None:
    """Take PID-28, else PID-26."""
    for n in (28, 26):
        for cwe in pid[n].repetitions:
            found = cwe_to_codeable_concept(cwe, draft.context, system="urn:iso:std:iso:3166")
            if found:
                if n == 28 and pid.peek(26):
                    pid.ignore(26, "citizenship; PID-28 names the nationality")
                inner = {"url": "code", "valueCodeableConcept": found}
                return {"url": f"{_CORE}/patient-nationality", "extension": [inner]}
    return None


def _language(pid: Segment, draft: Draft) -> list[Element]:
    found = cwe_to_codeable_concept(pid[15], draft.context, system="urn:ietf:bcp:47")
    return [{"language": found}] if found else []


def _birth_time(pid: Segment, birth: str, patient: dict[str, Any], draft: Draft) -> None:
    """Keep the time of birth beside the date when PID-7 has one; newborns need it."""
    if birth and len(pid[7].text.strip()) > 8:
        moment = draft.moment(pid, 7)
        if moment and "T" in moment:
            patient["_birthDate"] = {"extension": [{"url": f"{_CORE}/patient-birthTime", "valueDateTime": moment}]}


def _multiple_birth(pid: Segment, patient: dict[str, Any]) -> None:
    order = nm_to_count(pid[25].text)
    several = codes.table("v2-0136").target(code_of(pid[24].text))
    if order:
        patient["multipleBirthInteger"] = order
    elif several:
        patient["multipleBirthBoolean"] = several == "true"


def other_patient(first: Segment, second: Segment) -> bool:
    """Tell whether two PID segments name different people: they share no number of PID-3."""

    def numbers(pid: Segment) -> set[tuple[str, str]]:
        return {
            (words(cx.c(1)), "" if cx.c(5) in PATIENT_TYPES else cx.c(5))
            for cx in pid.peek(3).repetitions
            if words(cx.c(1))
        }

    return not (numbers(first) & numbers(second))
