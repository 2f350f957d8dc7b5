"""PID: who the message is about.

Standard: HL7 v2.5.1 §3.4.2
Requirement: S3.18
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mappings import codes
from mappings.formats import er7
from mappings.formats.identifiers import Kind, classify, doubts
from mappings.hl7v2 import faults
from mappings.hl7v2.actors import hd_to_reference
from mappings.hl7v2.addresses import xad_to_address, xtn_to_contact_point
from mappings.hl7v2.codings import concept, cwe_to_codeable_concept, cwe_to_coding, cwe_to_language
from mappings.hl7v2.datatypes import Components, Element, code_of, compact, words
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.identifiers import (
    PATIENT_TYPES,
    cx_to_identifier,
    dln_to_identifier,
    home_authority,
    identifier_type,
    patient_id,
    person_numbers,
)
from mappings.hl7v2.names import xpn_to_human_names
from mappings.hl7v2.quantities import nm_to_count
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments import SEQUENCE
from mappings.hl7v2.segments.msh import ABSENT, participant
from mappings.hl7v2.site import replaceable
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
    18: "Account.identifier | Encounter.identifier",
    19: "Patient.identifier",
    20: "Patient.identifier",
    21: "RelatedPerson.identifier",
    22: "Patient.extension(vn-ext-ethnicity)",
    23: "Patient.extension(patient-birthPlace)",
    24: "Patient.multipleBirth",
    25: "Patient.multipleBirth",
    26: "Patient.extension(patient-citizenship)",
    28: "Patient.extension(patient-nationality)",
    29: "Patient.deceased",
    30: "Patient.deceased",
    33: "Provenance.occurred",
    34: "Provenance.agent.who",
    35: "Patient.extension(patient-animal)",
    36: "Patient.extension(patient-animal)",
    39: "Patient.extension(patient-citizenship)",
    40: "Patient.telecom",
}
IGNORED = {
    1: SEQUENCE,
    10: "race is not recorded in Vietnam; the ethnic group is PID-22",
    27: "military status; FHIR R4 has no element for it",
    31: "identity unknown; FHIR R4 has no element, the numbers of PID-3 show what is known",
    32: "reliability of the identity; weighed by the person index from the numbers themselves",
    37: "strain of an animal; FHIR R4 has no element for it",
    38: "production class of an animal; FHIR R4 has no element for it",
}

_CORE = "http://hl7.org/fhir/StructureDefinition"


_EXTENDED = frozenset({6, 17, 22, 23, 26, 28, 35, 36, 39})


@replaceable
def pid_to_patient(pid: Segment, draft: Draft) -> Resource:
    """Make the Patient; one without any number is a Patient of its own: see `patient_identifiers`."""
    context = draft.context
    identifiers, known_as = patient_identifiers(pid, draft)
    extensions = (
        []
        if pid.fields.isdisjoint(_EXTENDED)
        else [
            _ethnicity(pid, draft),
            *_nations("patient-nationality", pid[28].repetitions, draft),
            *_nations("patient-citizenship", [*pid[26].repetitions, *pid[39].repetitions], draft),
            _extension(
                "patient-religion",
                "valueCodeableConcept",
                cwe_to_codeable_concept(pid[17], context, system=f"{V2_TABLE}0006"),
            ),
            _extension("patient-birthPlace", "valueAddress", compact({"text": words(pid[23].whole)})),
            _mother(pid),
            _animal(pid, draft),
        ]
    )
    died_at = draft.moment(pid, 29) if pid.peek(29) else ""
    birth = draft.day(pid, 7)
    patient: dict[str, Any] = {
        "resourceType": "Patient",
        "id": known_as,
        "extension": [extension for extension in extensions if extension],
        "identifier": identifiers,
        "name": [*names(pid[5], draft), *names(pid[9], draft)],
        "telecom": telecoms(pid, ((13, "home"), (14, "work"), (40, "")), draft),
        "gender": gender(pid, 8, draft),
        "birthDate": birth,
        "deceasedDateTime": died_at,
        "address": addresses(pid, 11, draft),
        "maritalStatus": cwe_to_codeable_concept(pid[16], context, "v2-0002"),
        "communication": _language(pid),
    }
    _birth_time(pid, birth, patient, draft)
    for identifier in identifiers:
        if identifier["system"] == context.systems.cccd:
            for code, _, detail in doubts(identifier["value"], patient["gender"], birth):
                draft.notice(code, pid.where(3), detail)
    if pid.peek(12):
        _district(pid, patient["address"])
    dead = codes.table("v2-0136").target(code_of(pid[30].text))
    if dead and not died_at:
        patient["deceasedBoolean"] = dead == "true"
    _multiple_birth(pid, patient)
    return _without_unusable(pid, compact(patient))


@replaceable
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


@replaceable
def pid_to_provenance(pid: Segment, patient: str, draft: Draft) -> Resource | None:
    """Make the Provenance of the Patient: where PID-34 says it was changed last, and when (PID-33); nothing without PID-34."""
    agent = hd_to_reference(pid[34], draft)
    if agent is None:
        if pid.peek(33):
            pid.ignore(33, "time of the last change, without who changed it")
        return None
    recorded = draft.sent_at if "T" in draft.sent_at else ""
    return compact(
        {
            "resourceType": "Provenance",
            "id": resource_id(
                "Provenance", f"{draft.context.systems.own}/sid/message", f"{draft.message_key}|{patient}"
            ),
            "target": [{"reference": patient}],
            "occurredDateTime": draft.moment(pid, 33),
            "recorded": recorded,
            "_recorded": {} if recorded else ABSENT,
            "activity": concept("UPDATE", "http://terminology.hl7.org/CodeSystem/v3-DataOperation", "revise"),
            "agent": [{"type": participant("performer", "Performer"), "who": agent}],
        }
    )


def patient_identifiers(pid: Segment, draft: Draft) -> tuple[list[Element], str]:
    """Give every number of the person, each once, and the id of the Patient.

    The id is made of the first number of type PI or MR that this facility issued, else of the first number at all. A person
    without a number of PID-2 to PID-4, PID-19 or PID-20 is known by the account or the visit, else by this message alone: never
    taken for anybody known, and a person is told to look.
    """
    listed: list[Components] = [*pid[3].repetitions, *pid[2].repetitions, *pid[4].repetitions]
    numbers = [cx for cx in listed if words(cx.c(1)) and classify(cx.c(1)) is not Kind.PLACEHOLDER]
    if not numbers:
        for n in (2, 3, 4):
            if pid.peek(n) and not pid.peek(n).is_null:
                pid.give_back(n)
    found, own = person_numbers(numbers, draft.context, home_authority(numbers, draft.context, draft.sending_facility))
    licence = dln_to_identifier(pid[20], draft.context)
    if licence:
        found.append(licence)
    social = words(pid[19].text)
    if social and classify(social) is not Kind.PLACEHOLDER and all(f["value"] != social for f in found):
        found.append(social_number(social, draft))
    return found, patient_id(found, own) or _id_without_number(pid, draft)


def _id_without_number(pid: Segment, draft: Draft) -> str:
    draft.notice(faults.NO_PATIENT_NUMBER, pid.where(3))
    pv1 = draft.reader.first("PV1")
    for segment, n, kind in ((pid, 18, "account"), (pv1, 19, "visit")):
        number = cx_to_identifier(segment.peek(n), draft.context, of=kind) if segment else None
        if number:
            return resource_id("Patient", number["system"], number["value"])
    return resource_id("Patient", f"{draft.context.systems.own}/sid/message", f"{draft.fingerprint}|{pid.position}")


def social_number(number: str, draft: Draft) -> Element:
    """Make an Identifier of a social security number: in Vietnam BHXH, or the personal number."""
    systems = draft.context.systems
    system = {Kind.BHXH: systems.bhxh, Kind.CCCD: systems.cccd, Kind.CMND: systems.cmnd}.get(classify(number))
    return {
        "type": identifier_type("SS"),
        "system": system or systems.local(draft.context.facility, "social"),
        "value": number,
    }


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
    found: dict[str, Element] = {}
    for n, use in fields:
        if n not in segment.fields:
            continue
        usable = False
        for xtn in segment[n].repetitions:
            point = xtn_to_contact_point(xtn, draft.context, use)
            if point:
                found.setdefault(point["value"], point)
                usable = True
        if not usable and not segment.peek(n).is_null:
            segment.give_back(n)
    return list(found.values())


def addresses(segment: Segment, n: int, draft: Draft) -> list[Element]:
    """Take the addresses of a field."""
    if n not in segment.fields:
        return []
    found = [address for xad in segment[n].repetitions if (address := xad_to_address(xad, draft.context))]
    if not found and not segment.peek(n).is_null:
        segment.give_back(n)
    return found


def names(field: er7.Field, draft: Draft) -> list[Element]:
    """Take the names of a field; what somebody is called by is a name of its own."""
    return [name for xpn in field.repetitions for name in xpn_to_human_names(xpn, draft.context)]


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


def _nations(name: str, countries: Sequence[Components], draft: Draft) -> list[Element]:
    found = (cwe_to_codeable_concept(cwe, draft.context, system="urn:iso:std:iso:3166") for cwe in countries)
    return [
        {"url": f"{_CORE}/{name}", "extension": [{"url": "code", "valueCodeableConcept": nation}]}
        for nation in found
        if nation
    ]


def _animal(pid: Segment, draft: Draft) -> Element | None:
    species = cwe_to_codeable_concept(pid[35], draft.context)
    if species is None:
        for n in (35, 36):
            if pid.peek(n):
                pid.give_back(n)
        return None
    inner = [{"url": "species", "valueCodeableConcept": species}]
    breed = cwe_to_codeable_concept(pid[36], draft.context)
    if breed:
        inner.append({"url": "breed", "valueCodeableConcept": breed})
    return {"url": f"{_CORE}/patient-animal", "extension": inner}


def _language(pid: Segment) -> list[Element]:
    found = cwe_to_language(pid[15])
    return [{"language": found}] if found else []


def _district(pid: Segment, found: list[Element]) -> None:
    """Take PID-12 into the only address when that has no district of its own; else it is an address by itself."""
    district = words(pid[12].text)
    if district and len(found) == 1 and "district" not in found[0]:
        found[0]["district"] = district
    elif district and all(district != one.get("district") for one in found):
        found.append({"text": district, "district": district})


def _birth_time(pid: Segment, birth: str, patient: dict[str, Any], draft: Draft) -> None:
    """Keep the time of birth beside the date when PID-7 has one; newborns need it."""
    if birth and len(pid[7].text.strip()) > 8:
        moment = draft.moment(pid, 7)
        if moment and "T" in moment:
            patient["_birthDate"] = {"extension": [{"url": f"{_CORE}/patient-birthTime", "valueDateTime": moment}]}


_EXTENSIONS = {
    6: "patient-mothersMaidenName",
    17: "patient-religion",
    23: "patient-birthPlace",
    26: "patient-citizenship",
    28: "patient-nationality",
    39: "patient-citizenship",
}
_WHERE = ((5, "name"), (11, "address"), (13, "telecom"), (14, "telecom"), (40, "telecom"), (15, "communication"))
_SAID = (
    (8, "gender"),
    (16, "maritalStatus"),
    (7, "birthDate"),
    (24, "multipleBirth"),
    (25, "multipleBirth"),
    (29, "deceased"),
    (30, "deceased"),
)


def _without_unusable(pid: Segment, patient: Resource) -> Resource:
    """Give back the fields of which nothing came: a name of empty components, a birth order of nought."""
    for n, element in (*_WHERE, *_SAID):
        if n in pid.fields and not any(name.startswith(element) for name in patient) and not pid.peek(n).is_null:
            pid.give_back(n)
    if not pid.fields.isdisjoint(_EXTENSIONS):
        told = {extension["url"].rpartition("/")[2] for extension in patient.get("extension", ())}
        for n in pid.fields & _EXTENSIONS.keys():
            if _EXTENSIONS[n] not in told and not pid.peek(n).is_null:
                pid.give_back(n)
    return patient


def _multiple_birth(pid: Segment, patient: dict[str, Any]) -> None:
    order = nm_to_count(pid[25].text)
    several = codes.table("v2-0136").target(code_of(pid[24].text))
    if order:
        patient["multipleBirthInteger"] = order
    elif several:
        patient["multipleBirthBoolean"] = several == "true"


def other_patient(first: Segment, second: Segment) -> bool:
    """Tell whether two PID segments name different people: they share no number, and neither has one, no name and birth."""

    def numbers(pid: Segment) -> set[tuple[str, str]]:
        return {
            (words(cx.c(1)), "" if cx.c(5) in PATIENT_TYPES else cx.c(5))
            for n in (3, 2, 4)
            for cx in pid.peek(n).repetitions
            if words(cx.c(1))
        }

    one, another = numbers(first), numbers(second)
    if one or another:
        return not one & another
    return any(first.peek(n).text != second.peek(n).text for n in (5, 7))
