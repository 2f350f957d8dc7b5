"""GT1: who answers for what the stay costs.

Standard: HL7 v2.5.1 §6.5.5
"""

from __future__ import annotations

from mappings import codes
from mappings.hl7v2.actors import reference, xon_to_organization
from mappings.hl7v2.codings import concept, cwe_to_codeable_concept, cwe_to_language
from mappings.hl7v2.datatypes import Element, code_of, compact, period, words
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.identifiers import cx_to_identifier
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments import BILLING, SEQUENCE
from mappings.hl7v2.segments.pid import addresses, gender, names, social_number, telecoms
from mappings.hl7v2.site import replaceable
from mappings.ids import resource_id

MAPPED = {
    2: "RelatedPerson.identifier | Organization.identifier",
    3: "RelatedPerson.name",
    5: "RelatedPerson.address | Organization.address",
    6: "RelatedPerson.telecom | Organization.telecom",
    7: "RelatedPerson.telecom | Organization.telecom",
    8: "RelatedPerson.birthDate",
    9: "RelatedPerson.gender",
    11: "RelatedPerson.relationship | Account.guarantor.party",
    12: "RelatedPerson.identifier",
    13: "Account.guarantor.period.start | RelatedPerson.period.start",
    14: "Account.guarantor.period.end | RelatedPerson.period.end",
    21: "Organization.name | Organization.identifier",
    22: "Account.guarantor.onHold",
    36: "RelatedPerson.communication.language",
    45: "Organization.contact.name",
    46: "Organization.contact.telecom",
}
_PATIENT_KNOWN = "the guarantor is the patient; PID tells"
IGNORED = dict.fromkeys((n for n in range(2, 58) if n not in MAPPED), BILLING) | {1: SEQUENCE}


@replaceable
def gt1_to_guarantor(gt1: Segment, draft: Draft) -> Element | None:
    """Make an entry of Account.guarantor whose party is the Patient, a RelatedPerson or an Organization; nothing for nobody."""
    relation = code_of(gt1[11].c(1)).upper()
    told = names(gt1[3], draft)
    place = None if told else xon_to_organization(gt1[21], draft, address=gt1[5], telecom=gt1[6] or gt1[7])
    if relation == "SEL":
        for n in (21, 45, 46):
            if gt1.peek(n):
                gt1.ignore(n, _PATIENT_KNOWN)
        party: Element | None = reference(draft.patient)
        for n in (2, 3, 5, 6, 7, 8, 9, 12, 36):
            if gt1.peek(n):
                gt1.ignore(n, _PATIENT_KNOWN)
    elif place:
        party = place
        _contact(gt1, draft, place)
    elif told:
        party = _person(gt1, draft, told)
        for n in (21, 45, 46):
            if gt1.peek(n):
                gt1.ignore(n, "organisation and contact person; the guarantor is a person")
    else:
        return None
    held = codes.table("v2-0136").target(code_of(gt1[22].text))
    if gt1.peek(22) and not draft.account:
        gt1.ignore(22, "billing hold; there is no account to hold")
    if gt1.peek(11) and relation == "SEL" and not draft.account:
        gt1.ignore(11, _PATIENT_KNOWN)
    span = period(draft.day(gt1, 13), draft.day(gt1, 14))
    if span and not draft.account and not told:
        for n in (13, 14):
            if gt1.peek(n):
                gt1.ignore(n, "time of the guarantee; there is no account that it is for")
    entry: Element = compact({"party": party, "period": span})
    if held:
        entry["onHold"] = held == "true"
    return entry


def _person(gt1: Segment, draft: Draft, told: list[Element]) -> Element:
    context = draft.context
    guarantor = concept("GUAR", "http://terminology.hl7.org/CodeSystem/v3-RoleClass", "guarantor")
    relationship = cwe_to_codeable_concept(gt1[11], context, "v2-0063")
    numbers = [one for cx in gt1[2].repetitions if (one := cx_to_identifier(cx, context, of="guarantor"))]
    social = words(gt1[12].text)
    if social:
        numbers.append(social_number(social, draft))
    language = cwe_to_language(gt1[36])
    system = context.systems.local(context.facility, "guarantor")
    key = f"{numbers[0]['system']}|{numbers[0]['value']}" if numbers else told[0]["text"]
    target = draft.add(
        compact(
            {
                "resourceType": "RelatedPerson",
                "id": resource_id("RelatedPerson", system, f"{draft.patient}|{key}"),
                "identifier": numbers,
                "patient": draft.subject,
                "relationship": [one for one in (guarantor, relationship) if one],
                "name": told,
                "telecom": telecoms(gt1, ((6, "home"), (7, "work")), draft),
                "gender": gender(gt1, 9, draft),
                "birthDate": draft.day(gt1, 8),
                "address": addresses(gt1, 5, draft),
                "period": {} if draft.account else period(draft.day(gt1, 13), draft.day(gt1, 14)),
                "communication": [{"language": language}] if language else [],
            }
        ),
        gt1,
    )
    return reference(target, told[0]["text"])


def _contact(gt1: Segment, draft: Draft, place: Element) -> None:
    """Keep number and contact person of an organisation that answers for the account."""
    organization = draft.get(place["reference"])
    number = cx_to_identifier(gt1[2], draft.context, of="guarantor")
    present = organization.get("identifier", [])
    if number and number not in present:
        organization["identifier"] = [*present, number]
    told = names(gt1[45], draft)
    points = telecoms(gt1, ((46, "work"),), draft)
    if told or points:
        organization.setdefault("contact", [compact({"name": told[0] if told else {}, "telecom": points})])
