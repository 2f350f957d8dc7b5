"""RF1: the referral.

Standard: HL7 v2.5.1 §11.6.1, v2.8 §11.8.1
Requirement: S3.14
"""

from __future__ import annotations

from typing import Any

from mappings import codes
from mappings.hl7v2 import faults
from mappings.hl7v2.actors import practitioners, reference, xon_to_organization
from mappings.hl7v2.codings import cwe_to_codeable_concept
from mappings.hl7v2.datatypes import Element, code_of, compact, joined, period, words
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.identifiers import ei_to_identifier
from mappings.hl7v2.quantities import nm_to_decimal, quantity
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.site import replaceable
from mappings.ids import resource_id
from mappings.outcome import Resource
from mappings.systems import V2_TABLE

MAPPED = {
    1: "ServiceRequest.status | Task.status",
    2: "ServiceRequest.priority",
    3: "ServiceRequest.code",
    4: "ServiceRequest.orderDetail | ServiceRequest.category",
    5: "ServiceRequest.category",
    6: "ServiceRequest.identifier",
    7: "ServiceRequest.occurrence.start",
    8: "ServiceRequest.occurrence.end",
    9: "ServiceRequest.authoredOn",
    10: "ServiceRequest.reasonCode",
    11: "ServiceRequest.identifier",
    13: "Task.restriction.period.end",
    14: "ServiceRequest.reasonCode.text",
    15: "ServiceRequest.quantity",
    19: "ServiceRequest.performer",
    20: "ServiceRequest.performer",
    24: "ServiceRequest.note",
    25: "ServiceRequest.status",
}
IGNORED = {
    12: "completeness of the referral's papers; a matter between the two offices",
    16: "count of treatments; other messages tell it",
    17: "count of treatments; other messages tell it",
    18: "benefit that remains; the insurer tells it",
    21: "how the referral came in; the people are those of PRD",
    22: "how the referral came in; the date is RF1-9",
    23: "how the referral came in; the people are those of PRD",
    25: "action on the segment; the message is stored whole",
}

REFERRAL = {
    "coding": [{"system": "http://snomed.info/sct", "code": "3457005", "display": "Patient referral"}],
    "text": "referral",
}
_CANCELLED = frozenset({"I11", "I14"})


def referral_status(event: str, said: str) -> str:
    """Give the ServiceRequest.status after an event; `said` is the code of RF1-1."""
    if event in _CANCELLED:
        return "revoked"
    return codes.table("v2-0283").target(said) or "active"


def task_status(event: str, said: str, answer: str | None) -> str:
    """Give the Task.status of a referral; `answer` is MSA-1 of an answer, `None` for the referral itself."""
    if event in _CANCELLED:
        return "cancelled"
    if answer is None:
        return "requested"
    return codes.table("v2-0283-task").target(said) or ("received" if answer in ("AA", "CA", "") else "rejected")


@replaceable
def rf1_to_service_request(rf1: Segment, draft: Draft) -> dict[str, Any]:
    """Make the ServiceRequest of a referral, still without the people of PRD.

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
    kind = cwe_to_codeable_concept(rf1[3], context, system=f"{V2_TABLE}0281")
    dispositions = _concepts(rf1, 4, "0282", draft)
    setting = cwe_to_codeable_concept(rf1[5], context, system=f"{V2_TABLE}0284")
    reasons = _concepts(rf1, 10, "0336", draft)
    described = joined(rf1[14].repetitions)
    priority = codes.table("v2-0280").target(code_of(rf1[2].c(1)).upper())
    said = _status_code(rf1, draft)
    if rf1.peek(2) and not priority:
        rf1.give_back(2)
    amount = nm_to_decimal(rf1[15].text)
    if rf1.peek(15) and amount is None:
        rf1.give_back(15)
    wrong = code_of(rf1.peek(25).text).upper() == "D"
    if wrong:
        _ = rf1[25]
    comment = words(rf1[24].whole)
    performers = [found for xon in rf1[19].repetitions[:1] if (found := xon_to_organization(xon, draft))]
    performers += practitioners(rf1[20].repetitions, draft)
    return compact(
        {
            "resourceType": "ServiceRequest",
            "id": resource_id("ServiceRequest", system, key),
            "identifier": identifiers,
            "status": "entered-in-error" if wrong else referral_status(draft.event, said),
            "intent": "order",
            "category": [REFERRAL, *([setting] if setting else []), *([] if kind else dispositions)],
            "priority": priority,
            "code": kind,
            "orderDetail": dispositions if kind else [],
            "quantityQuantity": quantity(amount, {}) if amount is not None else {},
            "subject": reference(draft.patient),
            "encounter": reference(draft.encounter) if draft.encounter else {},
            "occurrencePeriod": period(draft.moment(rf1, 7), draft.moment(rf1, 8)),
            "authoredOn": draft.moment(rf1, 9),
            "performer": performers,
            "reasonCode": [*reasons, *([{"text": described}] if described else [])],
            "note": [{"text": comment}] if comment else [],
        }
    )


def _concepts(rf1: Segment, n: int, table: str, draft: Draft) -> list[Element]:
    return [
        found
        for cwe in rf1[n].repetitions
        if (found := cwe_to_codeable_concept(cwe, draft.context, system=f"{V2_TABLE}{table}"))
    ]


def _status_code(rf1: Segment, draft: Draft) -> str:
    said = code_of(rf1[1].c(1)).upper()
    if said and said not in codes.table("v2-0283"):
        draft.notice(faults.CODE_UNKNOWN, rf1.where(1))
        rf1.give_back(1)
    return said


@replaceable
def rf1_to_task(rf1: Segment, draft: Draft, request: Resource, answer: str | None) -> Resource:
    """Make the Task of a referral: where it stands between the two; the same Task in every message about it."""
    stop = draft.moment(rf1, 13)
    status = task_status(draft.event, code_of(rf1.peek(1).c(1)).upper(), answer)
    system = draft.context.systems.local(draft.context.facility, "referral-task")
    return compact(
        {
            "resourceType": "Task",
            "id": resource_id("Task", system, request["id"]),
            "status": status,
            "intent": "order",
            "code": REFERRAL,
            "focus": reference(f"ServiceRequest/{request['id']}"),
            "for": reference(draft.patient),
            "lastModified": draft.sent_at if "T" in draft.sent_at else "",
            "requester": request.get("requester"),
            "owner": request["performer"][0] if request.get("performer") else {},
            "restriction": {"period": {"end": stop}} if stop else {},
        }
    )
