"""IN1: insurance; in Vietnam the BHYT card.

Standard: HL7 v2.5.1 §6.5.6
Requirement: S2.11
"""

from __future__ import annotations

from mappings.hl7v2.actors import of_organization, organization, reference, xon_to_organization
from mappings.hl7v2.codings import cwe_to_codeable_concept
from mappings.hl7v2.datatypes import Element, code_of, compact, words
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.identifiers import cx_to_identifier, identifier_type
from mappings.hl7v2.insurance_card import (
    card_classes,
    card_extensions,
    card_numbers,
    card_periods,
    further_coverages,
    is_card,
)
from mappings.hl7v2.quantities import nm_to_count
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments import BILLING, SEQUENCE
from mappings.hl7v2.segments.pid import addresses, gender, names, telecoms
from mappings.hl7v2.site import replaceable
from mappings.ids import resource_id
from mappings.outcome import Resource
from mappings.systems import V2_TABLE

MAPPED = {
    2: "Coverage.class | Coverage.identifier | Coverage.payor",
    3: "Organization.identifier",
    4: "Organization.name",
    5: "Organization.address",
    6: "Organization.contact.name",
    7: "Organization.telecom",
    8: "Coverage.class.value",
    9: "Coverage.class.name",
    10: "Coverage.identifier | Organization.identifier",
    11: "Coverage.policyHolder",
    12: "Coverage.period.start",
    13: "Coverage.period.end",
    15: "Coverage.type",
    16: "RelatedPerson.name | Coverage.subscriber",
    17: "Coverage.relationship",
    18: "RelatedPerson.birthDate",
    19: "RelatedPerson.address",
    22: "Coverage.order",
    36: "Coverage.identifier",
    43: "RelatedPerson.gender",
    46: "Coverage.identifier",
    49: "Coverage.identifier | RelatedPerson.identifier",
}
IGNORED = {1: SEQUENCE} | dict.fromkeys(
    (14, 20, 21, *range(23, 36), *range(37, 43), 44, 45, 47, 48, *range(50, 56)), BILLING
)


@replaceable
def in1_to_coverage(in1: Segment, draft: Draft) -> Resource | None:
    """Make the Coverage; nothing when neither card, plan nor insurer is named.

    The card number is IN1-36, else IN1-49, else IN1-2. Of several cards in one field the first is given, and the draft keeps
    the others.
    """
    context = draft.context
    cards, of = _cards(in1)
    card = cards[0] if cards else ""
    insurer = _insurer(in1, draft)
    plan = cwe_to_codeable_concept(in1[2], context)
    if not card and plan is None and insurer is None:
        return None
    periods = card_periods(in1, draft)
    kind = cwe_to_codeable_concept(in1[15], context) or _financial_class(draft)
    relationship = cwe_to_codeable_concept(in1[17], context, "v2-0063")
    employer = xon_to_organization(in1[11], draft)
    group = cx_to_identifier(in1[10], context, of="group")
    insured = names(in1[16], draft)
    identifiers: list[Element] = []
    if card:
        identifiers.append({"type": identifier_type("SB"), "system": context.systems.bhyt, "value": card})
    other = cx_to_identifier(in1[49], context, of="insured") if of != 49 else None
    if other and other["value"] not in cards:
        identifiers.append(other)
    if group:
        identifiers.append(group)
    prior = words(in1[46].c(1))
    if prior:
        system = context.systems.local(context.facility, "prior-insurance")
        identifiers.append({"system": system, "value": prior})
    key = (
        f"{draft.patient}|{card}"
        if card
        else f"{draft.patient}|{code_of(in1.peek(2).c(1))}|{words(in1.peek(3).c(1))}|{words(in1.peek(4).c(1))}"
    )
    subscriber = _subscriber(in1, relationship, insured, draft)
    order = nm_to_count(in1[22].text)
    if in1.peek(22) and not order:
        in1.give_back(22)
    coverage = compact(
        {
            "resourceType": "Coverage",
            "id": resource_id("Coverage", context.systems.bhyt if card else f"{context.systems.own}/coverage", key),
            "extension": card_extensions(card, draft),
            "identifier": identifiers,
            "status": "active",
            "type": kind,
            "policyHolder": employer,
            "subscriber": subscriber,
            "subscriberId": card,
            "beneficiary": draft.subject,
            "relationship": relationship,
            "period": periods[0] if periods else {},
            "payor": [insurer or {"display": (plan or {}).get("text") or "không rõ"}],
            "class": [*_classes(plan), *_group(in1), *card_classes(card, draft)],
            "order": order or None,
        }
    )
    draft.add(coverage, in1)
    for further in further_coverages(coverage, cards, periods, draft):
        draft.add(further, in1)
    return coverage


def _cards(in1: Segment) -> tuple[list[str], int]:
    for n in (36, 49, 2):
        numbers = card_numbers(in1.peek(n).c(1))
        if numbers and (n != 2 or all(is_card(number) for number in numbers)):
            _ = in1[n]
            return numbers, n
    return [], 0


def _insurer(in1: Segment, draft: Draft) -> Element | None:
    """Take IN1-4 (XON) with the number of IN1-3, the address of IN1-5, and who answers there."""
    number = words(in1[3].c(1))
    name = words(in1[4].c(1))
    if not name and not number:
        for n in (5, 6, 7):
            if in1.peek(n):
                in1.ignore(n, "about an insurer that no field names")
        return None
    found = organization(draft, name, number, address=in1[5])
    if found and (in1.peek(6) or in1.peek(7)):
        place = draft.get(found["reference"])
        told = names(in1[6], draft)
        points = [of_organization(point) for point in telecoms(in1, ((7, "work"),), draft)]
        if told:
            place.setdefault("contact", [{"name": told[0]}])
        if points:
            place.setdefault("telecom", points)
    return found


def _financial_class(draft: Draft) -> Element | None:
    """Take the financial class of the visit where IN1 names no type of plan."""
    pv1 = draft.reader.first("PV1")
    return cwe_to_codeable_concept(pv1[20], draft.context, system=f"{V2_TABLE}0064") if pv1 is not None else None


def _group(in1: Segment) -> list[Element]:
    number, name = words(in1[8].whole), words(in1[9].c(1))
    if not number:
        if name:
            in1.ignore(9, "name of a group without a number; a class of coverage has a value")
        return []
    kind = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/coverage-class", "code": "group"}]}
    return [compact({"type": kind, "value": number, "name": name})]


def _classes(plan: Element | None) -> list[Element]:
    if plan is None or not plan.get("coding"):
        return []
    coding = plan["coding"][0]
    kind = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/coverage-class", "code": "plan"}]}
    return [compact({"type": kind, "value": coding["code"], "name": plan.get("text", "")})]


def _subscriber(in1: Segment, relationship: Element | None, insured: list[Element], draft: Draft) -> Element:
    """Refer to the patient when the insured is the patient; else make the insured a RelatedPerson."""
    said = {coding.get("code", "") for coding in (relationship or {}).get("coding", [])}
    if "ONESELF" in said or "18" in said or (not insured and not relationship):
        for n in (16, 18, 19, 43):
            if in1.peek(n):
                in1.ignore(n, "the insured is the patient; PID tells")
        return reference(draft.patient)
    if not insured:
        for n in (18, 19, 43):
            if in1.peek(n):
                in1.ignore(n, "about an insured person that IN1-16 does not name")
        return {}
    context = draft.context
    system = context.systems.local(context.facility, "insured")
    target = draft.add(
        compact(
            {
                "resourceType": "RelatedPerson",
                "id": resource_id("RelatedPerson", system, f"{draft.patient}|{insured[0]['text']}"),
                "patient": draft.subject,
                "name": insured,
                "gender": gender(in1, 43, draft),
                "birthDate": draft.day(in1, 18),
                "address": addresses(in1, 19, draft),
            }
        ),
        in1,
    )
    return reference(target, insured[0]["text"])
