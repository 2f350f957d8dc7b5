"""RF1: the referral.

Standard: HL7 v2.5.1 §11.6.1
Requirement: S3.14
"""

from __future__ import annotations

from typing import Any

from mappings import codes
from mappings.hl7v2.actors import reference
from mappings.hl7v2.datatypes import Element, code_of, compact, cwe_to_codeable_concept, ei_to_identifier, period
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.reader import Segment
from mappings.ids import resource_id
from mappings.systems import V2_TABLE

IGNORED = {
    4: "disposition; what the receiver shall send back is agreed per destination",
    12: "completeness of the referral's papers",
    13: "planned stay; the receiver decides",
    14: "planned stay; the receiver decides",
    15: "request of the patient for a person",
    16: "request of the patient for a person",
    17: "payment",
    18: "payment",
    19: "payment",
    20: "payment",
    21: "payment",
    22: "payment",
    23: "payment",
    24: "payment",
}

REFERRAL = {
    "coding": [{"system": "http://snomed.info/sct", "code": "3457005", "display": "Patient referral"}],
    "text": "referral",
}


def rf1_to_service_request(rf1: Segment, draft: Draft) -> dict[str, Any]:
    """Make the ServiceRequest of a referral, still without people.

    Known by RF1-6, else the first of RF1-11, else by the message itself.
    """
    context = draft.context
    own = ei_to_identifier(rf1[6], context, "referral", "PLAC")
    others = [found for ei in rf1[11].repetitions if (found := ei_to_identifier(ei, context, "referral-external"))]
    identifiers: list[Element] = [found for found in (own, *others) if found]
    if identifiers:
        system, key = identifiers[0]["system"], identifiers[0]["value"]
    else:
        system, key = context.systems.local(context.facility, "referral"), draft.own_key(rf1)
    reasons = [
        found
        for cwe in rf1[10].repetitions
        if (found := cwe_to_codeable_concept(cwe, context, system=f"{V2_TABLE}0336"))
    ]
    kind = cwe_to_codeable_concept(rf1[3], context, system=f"{V2_TABLE}0281")
    setting = cwe_to_codeable_concept(rf1[5], context, system=f"{V2_TABLE}0284")
    status = codes.table("v2-0283").target(code_of(rf1[1].c(1)).upper())
    priority = codes.table("v2-0280").target(code_of(rf1[2].c(1)).upper())
    for n, target in ((1, status), (2, priority)):
        if rf1.peek(n) and not target:
            rf1.give_back(n)
    return compact(
        {
            "resourceType": "ServiceRequest",
            "id": resource_id("ServiceRequest", system, key),
            "identifier": identifiers,
            "status": status or "active",
            "intent": "order",
            "category": [REFERRAL, *([setting] if setting else [])],
            "priority": priority,
            "code": kind,
            "subject": reference(draft.patient),
            "encounter": reference(draft.encounter) if draft.encounter else {},
            "occurrencePeriod": period(draft.moment(rf1, 7), draft.moment(rf1, 8)),
            "authoredOn": draft.moment(rf1, 9),
            "reasonCode": reasons,
        }
    )
