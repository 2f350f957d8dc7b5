"""NK1: next of kin and guardians.

Standard: HL7 v2.5.1 §3.4.5
Requirement: S3.18
"""

from __future__ import annotations

from mappings import codes
from mappings.hl7v2.actors import xon_to_organization
from mappings.hl7v2.codings import cwe_to_codeable_concept, cwe_to_language
from mappings.hl7v2.datatypes import Element, code_of, compact, period, words
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.identifiers import cx_to_identifier
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments import SEQUENCE
from mappings.hl7v2.segments.pid import addresses, gender, names, social_number, telecoms
from mappings.hl7v2.site import replaceable
from mappings.ids import resource_id
from mappings.outcome import Resource

MAPPED = {
    2: "RelatedPerson.name | Patient.contact.name | Organization.contact.name",
    3: "RelatedPerson.relationship | Patient.contact.relationship",
    4: "RelatedPerson.address | Patient.contact.address",
    5: "RelatedPerson.telecom | Patient.contact.telecom",
    6: "RelatedPerson.telecom | Patient.contact.telecom",
    7: "RelatedPerson.relationship | Patient.contact.relationship",
    8: "RelatedPerson.period.start | Patient.contact.period.start",
    9: "RelatedPerson.period.end | Patient.contact.period.end",
    12: "RelatedPerson.identifier",
    13: "Patient.contact.organization",
    15: "RelatedPerson.gender | Patient.contact.gender",
    16: "RelatedPerson.birthDate",
    20: "RelatedPerson.communication.language",
    30: "RelatedPerson.name | Organization.contact.name",
    31: "RelatedPerson.telecom | Organization.contact.telecom",
    32: "RelatedPerson.address | Organization.contact.address",
    33: "RelatedPerson.identifier",
    37: "RelatedPerson.identifier",
    40: "RelatedPerson.telecom | Patient.contact.telecom",
    41: "RelatedPerson.telecom | Patient.contact.telecom",
}
IGNORED = {
    1: SEQUENCE,
    10: "job of the relative; FHIR R4 has no element for it",
    11: "job of the relative; FHIR R4 has no element for it",
    14: "marital status of the relative; FHIR R4 has no element for it",
    17: "living dependency of the relative; FHIR R4 has no element for it",
    18: "ambulatory status of the relative; FHIR R4 has no element for it",
    19: "citizenship of the relative; FHIR R4 has no element for it",
    21: "living arrangement of the relative; FHIR R4 has no element for it",
    22: "publicity of the relative; handled by access rights",
    23: "protection of the relative; handled by access rights",
    24: "student status of the relative; FHIR R4 has no element for it",
    25: "religion of the relative; FHIR R4 has no element for it",
    26: "mother's maiden name of the relative; FHIR R4 has no element for it",
    27: "nationality of the relative; FHIR R4 has no element for it",
    28: "ethnic group of the relative; FHIR R4 has no element for it",
    29: "reason for the contact; FHIR R4 has no element for it",
    34: "job status of the relative; FHIR R4 has no element for it",
    35: "race; not recorded in Vietnam",
    36: "handicap of the relative; FHIR R4 has no element for it",
    38: "birth place of the relative; FHIR R4 has no element for it",
    39: "VIP status of the relative; FHIR R4 has no element for it",
}

_CONTACTS = frozenset({"EMR", "E", "F", "I", "S"})
"""Employer, insurer, agency: no relatives, but contacts of the Patient."""
_POINTS = ((5, "home"), (6, "work"), (31, ""), (40, ""), (41, ""))


def is_contact(nk1: Segment) -> bool:
    """Tell whether NK1 names an employer, an agency or an organisation rather than a relative."""
    if code_of(nk1.peek(3).c(1)).upper() in _CONTACTS:
        return True
    return bool(words(nk1.peek(13).c(1)) or words(nk1.peek(13).c(3)) or words(nk1.peek(13).c(10))) and not any(
        words(nk1.peek(n).whole) for n in (2, 12, 16, 33, 37)
    )


@replaceable
def nk1_to_contact(nk1: Segment, draft: Draft) -> Element | None:
    """Make an entry of Patient.contact; the contact person of an organisation is kept with the Organization."""
    found = names(nk1[2], draft)
    organization = xon_to_organization(nk1[13], draft)
    where = addresses(nk1, 4, draft)
    points = telecoms(nk1, ((5, "home"), (6, "work"), (40, ""), *(() if organization else ((31, ""), (41, "")))), draft)
    if organization:
        _contact_person(nk1, draft, organization)
    if not (found or organization or where or points):
        nk1.leave("it is not said who it is")
        return None
    entry = {
        "relationship": _roles(nk1, draft),
        "name": found[0] if found else {},
        "telecom": points,
        "address": where[0] if where else {},
        "gender": gender(nk1, 15, draft),
        "organization": organization,
        "period": period(draft.day(nk1, 8), draft.day(nk1, 9)),
    }
    return compact(entry)


def _contact_person(nk1: Segment, draft: Draft, organization: Element) -> None:
    told = names(nk1[30], draft)
    points = telecoms(nk1, ((31, "work"), (41, "work")), draft)
    where = addresses(nk1, 32, draft)
    contact = compact({"name": told[0] if told else {}, "telecom": points, "address": where[0] if where else {}})
    if contact:
        place = draft.get(organization["reference"])
        if contact not in place.get("contact", []):
            place.setdefault("contact", []).append(contact)


def _roles(nk1: Segment, draft: Draft) -> list[Element]:
    found = (_relationship(nk1, draft), cwe_to_codeable_concept(nk1[7], draft.context, "v2-0131"))
    return [role for role in found if role]


@replaceable
def nk1_to_related_person(nk1: Segment, draft: Draft) -> Resource | None:
    """Make a RelatedPerson; nothing when the segment names nobody (then its fields stay unknown)."""
    context = draft.context
    told = [*names(nk1[2], draft), *names(nk1[30], draft)]
    roles = _roles(nk1, draft)
    identifiers = [
        identifier
        for n in (33, 12)
        for cx in nk1[n].repetitions
        if (identifier := cx_to_identifier(cx, context, of="relative"))
    ]
    social = words(nk1[37].text)
    if social:
        identifiers.append(social_number(social, draft))
    points = telecoms(nk1, _POINTS, draft)
    where = addresses(nk1, 4, draft) + addresses(nk1, 32, draft)
    if not (told or identifiers or points or where or roles):
        nk1.leave("it is not said who it is")
        return None
    organization = xon_to_organization(nk1[13], draft)
    if organization:
        entry = compact({"relationship": roles, "name": told[0] if told else {}, "organization": organization})
        patient = draft.get(draft.patient)
        patient.setdefault("contact", []).append(entry)
    language = cwe_to_language(nk1[20])
    if identifiers:
        key = f"{draft.patient}|{identifiers[0]['system']}|{identifiers[0]['value']}"
    else:
        role = roles[0] if roles else {}
        kind = role["coding"][0].get("code", "") if role.get("coding") else role.get("text", "")
        shown = told[0]["text"] if told else ""
        key = f"{draft.patient}|{kind}|{shown}"
        key += f"|{draft.nth(key)}"
    return compact(
        {
            "resourceType": "RelatedPerson",
            "id": resource_id("RelatedPerson", context.systems.local(context.facility, "relative"), key),
            "identifier": identifiers,
            "patient": draft.subject,
            "relationship": roles,
            "name": told,
            "telecom": points,
            "gender": gender(nk1, 15, draft),
            "birthDate": draft.day(nk1, 16),
            "address": where,
            "period": period(draft.day(nk1, 8), draft.day(nk1, 9)),
            "communication": [{"language": language}] if language else [],
        }
    )


_VIETNAMESE = {"BỐ": "FTH", "CHA": "FTH", "MẸ": "MTH", "VỢ": "SPO", "CHỒNG": "SPO", "CON": "CHD", "GIÁM HỘ": "GRD"}


def _relationship(nk1: Segment, draft: Draft) -> Element | None:
    """Take NK1-3 by table 0063; Vietnamese words are understood too, and kept as text."""
    field = nk1[3]
    found = cwe_to_codeable_concept(field, draft.context, "v2-0063")
    said = _VIETNAMESE.get((words(field.c(2)) or words(field.c(1))).upper())
    if found and said and all(c.get("system", "").endswith("/code") for c in found.get("coding", [])):
        row = codes.table("v2-0063").find(said)
        if row:
            found = {**found, "coding": [row.coding()]}
    return found
