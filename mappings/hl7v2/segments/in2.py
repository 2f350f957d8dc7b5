"""IN2: more about the insured and the payer, added to the Coverage of the IN1 before it.

Standard: HL7 v2.5.1 §6.5.7
"""

from __future__ import annotations

from mappings.hl7v2.actors import organization, xon_to_organization
from mappings.hl7v2.codings import cwe_to_codeable_concept, cwe_to_language
from mappings.hl7v2.datatypes import Element, compact, words
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.identifiers import cx_to_identifier
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments import BILLING
from mappings.hl7v2.segments.pid import social_number, telecoms
from mappings.hl7v2.site import replaceable
from mappings.outcome import Resource

MAPPED = {
    1: "RelatedPerson.identifier | Patient.identifier",
    2: "RelatedPerson.identifier | Patient.identifier",
    3: "Coverage.policyHolder",
    6: "Coverage.identifier",
    8: "Coverage.identifier",
    10: "Coverage.identifier",
    25: "Coverage.payor",
    26: "Coverage.subscriberId | Coverage.identifier",
    34: "RelatedPerson.communication.language | Patient.communication.language",
    61: "Coverage.dependent | Coverage.identifier",
    63: "RelatedPerson.telecom | Patient.telecom",
    64: "RelatedPerson.telecom | Patient.telecom",
    69: "Coverage.policyHolder",
    70: "Organization.address",
    72: "Coverage.relationship",
}
IGNORED = dict.fromkeys((n for n in range(1, 73) if n not in MAPPED), BILLING)

_OF_THE_INSURED = (1, 2, 34, 63, 64)
# field, what kind of number it is
_NUMBERS = ((6, "medicare"), (8, "medicaid"), (10, "military-insurance"), (61, "member"))


@replaceable
def in2_to_coverage(in2: Segment, coverage: Resource, draft: Draft) -> None:
    """Add numbers, employer, payer and relationship to the Coverage, and what tells of the insured to who that is."""
    context = draft.context
    identifiers = coverage.setdefault("identifier", [])
    for n, kind in _NUMBERS:
        number = cx_to_identifier(in2[n], context, of=kind) if in2.peek(n) else None
        if number and all(number["value"] != one["value"] for one in identifiers):
            identifiers.append(number)
    payer_number = cx_to_identifier(in2[26], context, of="payer-subscriber") if in2.peek(26) else None
    if payer_number and "subscriberId" not in coverage:
        coverage["subscriberId"] = payer_number["value"]
    elif payer_number and all(payer_number["value"] != one["value"] for one in identifiers):
        identifiers.append(payer_number)
    if not identifiers:
        del coverage["identifier"]
    payer = organization(draft, "", words(in2[25].c(1))) if in2.peek(25) else None
    if payer and payer not in coverage["payor"]:
        known = [one for one in coverage["payor"] if "reference" in one]
        coverage["payor"] = [*known, payer]
    relationship = cwe_to_codeable_concept(in2[72], context, "v2-0063") if in2.peek(72) else None
    if relationship and "relationship" in coverage:
        in2.ignore(72, "relationship to the insured; IN1-17 tells it")
    elif relationship:
        coverage["relationship"] = relationship
    _employer(in2, coverage, draft)
    _insured(in2, coverage, draft)


def _employer(in2: Segment, coverage: Resource, draft: Draft) -> None:
    employer = xon_to_organization(in2[69], draft, address=in2[70]) if in2.peek(69) else None
    if employer is None and in2.peek(3):
        employer = organization(draft, words(in2[3].c(2)), words(in2[3].c(1)))
    if employer is None:
        if in2.peek(70):
            in2.ignore(70, "address of an employer that no field names")
        return
    if "policyHolder" not in coverage:
        coverage["policyHolder"] = employer
    elif coverage["policyHolder"] != employer:
        for n in (3, 69, 70):
            if in2.peek(n):
                in2.ignore(n, "employer of the insured; IN1-11 names the policy holder")


def _insured(in2: Segment, coverage: Resource, draft: Draft) -> None:
    """Keep numbers, telephones and language of the insured with the RelatedPerson or Patient who is the subscriber."""
    target = coverage.get("subscriber", {}).get("reference", "")
    if not target or not draft.has(target):
        for n in _OF_THE_INSURED:
            if in2.peek(n):
                in2.ignore(n, "about an insured person that no segment names")
        return
    person = draft.get(target)
    found: Element = {}
    numbers: list[Element] = []
    social = words(in2[2].text) if in2.peek(2) else ""
    if social:
        numbers.append(social_number(social, draft))
    employee = cx_to_identifier(in2[1], draft.context, of="employee") if in2.peek(1) else None
    if employee:
        numbers.append(employee)
    known = person.get("identifier", [])
    numbers = [one for one in numbers if all(one["value"] != each["value"] for each in known)]
    found["identifier"] = [*known, *numbers]
    points = person.get("telecom", [])
    more = telecoms(in2, ((63, "home"), (64, "work")), draft) if in2.peek(63) or in2.peek(64) else []
    found["telecom"] = [*points, *(one for one in more if all(one["value"] != each["value"] for each in points))]
    language = cwe_to_language(in2[34]) if in2.peek(34) else None
    if language and "communication" not in person:
        found["communication"] = [{"language": language}]
    elif language:
        in2.ignore(34, "language of the insured; PID-15 tells it")
    for n in (1, 2):
        if in2.peek(n) and "identifier" not in compact(found):
            in2.give_back(n)
    person.update(compact(found))
    draft.add(person, in2)
