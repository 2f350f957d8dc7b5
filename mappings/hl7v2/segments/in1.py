"""IN1: insurance; in Vietnam the BHYT card.

Standard: HL7 v2.5.1 §6.5.6
Requirement: S2.11
"""

from __future__ import annotations

from mappings.hl7v2.actors import organization, reference, xon_to_organization
from mappings.hl7v2.datatypes import (
    Element,
    code_of,
    compact,
    cwe_to_codeable_concept,
    identifier_type,
    period,
    words,
    xpn_to_human_name,
)
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.identifiers import cx_to_identifier
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments import BILLING, SEQUENCE
from mappings.ids import resource_id
from mappings.outcome import Resource

IGNORED = {
    1: SEQUENCE,
    6: "contact person of the insurer",
    7: "telephone of the insurer",
    18: "birth date of the insured; the person is PID or NK1",
    19: "address of the insured; the person is PID or NK1",
    43: "sex of the insured; the person is PID or NK1",
} | dict.fromkeys((8, 9, 14, *range(20, 36), *range(37, 43), *range(44, 49), *range(50, 56)), BILLING)


def in1_to_coverage(in1: Segment, draft: Draft) -> Resource | None:
    """Make the Coverage; nothing when neither card, plan nor insurer is named.

    The card number is IN1-36, else IN1-49, else IN1-2.
    """
    context = draft.context
    card, of = _card(in1)
    insurer = _insurer(in1, draft)
    plan = cwe_to_codeable_concept(in1[2], context)
    if not card and plan is None and insurer is None:
        return None
    start, end = draft.day(in1, 12), draft.day(in1, 13)
    kind = cwe_to_codeable_concept(in1[15], context)
    relationship = cwe_to_codeable_concept(in1[17], context, "v2-0063")
    employer = xon_to_organization(in1[11], draft)
    group = cx_to_identifier(in1[10], context, of="group")
    names = [name for xpn in in1[16].repetitions if (name := xpn_to_human_name(xpn, context))]
    identifiers: list[Element] = []
    if card:
        identifiers.append({"type": identifier_type("SB"), "system": context.systems.bhyt, "value": card})
    other = cx_to_identifier(in1[49], context, of="insured") if of != 49 else None
    if other and other["value"] != card:
        identifiers.append(other)
    if group:
        identifiers.append(group)
    classes = _classes(plan)
    key = (
        f"{draft.patient}|{card}"
        if card
        else f"{draft.patient}|{code_of(in1.peek(2).c(1))}|{words(in1.peek(3).c(1))}|{words(in1.peek(4).c(1))}"
    )
    subscriber = _subscriber(relationship, names, draft)
    return compact(
        {
            "resourceType": "Coverage",
            "id": resource_id("Coverage", context.systems.bhyt if card else f"{context.systems.own}/coverage", key),
            "identifier": identifiers,
            "status": "active",
            "type": kind,
            "policyHolder": employer,
            "subscriber": subscriber,
            "subscriberId": card,
            "beneficiary": reference(draft.patient),
            "relationship": relationship,
            "period": period(start, end),
            "payor": [insurer or {"display": (plan or {}).get("text") or "không rõ"}],
            "class": classes,
        }
    )


def _card(in1: Segment) -> tuple[str, int]:
    for n in (36, 49, 2):
        value = words(in1.peek(n).c(1)).replace(" ", "")
        if value and (n != 2 or (len(value) in (10, 12, 15) and value[-8:].isdigit())):
            _ = in1[n]
            return value, n
    return "", 0


def _insurer(in1: Segment, draft: Draft) -> Element | None:
    """Take IN1-4 (XON) with the number of IN1-3 and the address of IN1-5."""
    number = words(in1[3].c(1))
    name = words(in1[4].c(1))
    if not name and not number:
        return None
    return organization(draft, name, number, address=in1[5])


def _classes(plan: Element | None) -> list[Element]:
    if plan is None or not plan.get("coding"):
        return []
    coding = plan["coding"][0]
    kind = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/coverage-class", "code": "plan"}]}
    return [compact({"type": kind, "value": coding["code"], "name": plan.get("text", "")})]


def _subscriber(relationship: Element | None, names: list[Element], draft: Draft) -> Element:
    """Refer to the patient when the insured is the patient; else name the insured."""
    said = {coding.get("code", "") for coding in (relationship or {}).get("coding", [])}
    if "ONESELF" in said or "18" in said or (not names and not relationship):
        return reference(draft.patient)
    if names:
        return {"display": names[0]["text"]}
    return {}
