"""AUT: the insurer's authorisation of a referral or of a treatment.

R4 has it as a ClaimResponse whose use is preauthorization: with its number, its period and who gave it.

Standard: HL7 v2.5.1 §11.6.2, v2.8 §11.8.2
"""

from __future__ import annotations

from mappings.hl7v2.actors import organization, practitioners, xon_to_organization
from mappings.hl7v2.codings import concept
from mappings.hl7v2.datatypes import code_of, compact, joined, period, words
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.identifiers import ei_to_identifier
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments import BILLING
from mappings.hl7v2.site import replaceable
from mappings.ids import resource_id
from mappings.outcome import Resource

MAPPED = {
    2: "ClaimResponse.insurer",
    3: "ClaimResponse.insurer",
    4: "ClaimResponse.preAuthPeriod.start",
    5: "ClaimResponse.preAuthPeriod.end",
    6: "ClaimResponse.identifier",
    10: "ClaimResponse.created",
    14: "ClaimResponse.disposition",
    17: "ClaimResponse.processNote.text",
    23: "ClaimResponse.requestor",
    24: "ClaimResponse.requestor",
    28: "ClaimResponse.processNote.text",
    29: "ClaimResponse.status",
}
IGNORED = {
    1: "plan of the insurer; the coverage is IN1",
    10: "date of processing; the message's own time is used",
    11: "discipline that was asked for; the referral names the service",
    12: "discipline that was authorised; the referral names the service",
    13: "kind of authorisation; the number tells",
    15: "planned end; RF1-13 tells",
    16: "clinical service; the referral names it",
    21: "kind of visit; the referral names it",
    25: "how the authorisation came in; the insurer is AUT-2",
    26: "how the authorisation came in; the date is AUT-10",
    27: "how the authorisation came in; the insurer is AUT-2",
    29: "action on the segment; the message is stored whole",
    30: "clinical service; the referral names it",
} | dict.fromkeys((7, 8, 9, 18, 19, 20, 22), BILLING)

_NOTHING = "an authorisation needs its number and its insurer"
_TYPE = concept("institutional", "http://terminology.hl7.org/CodeSystem/claim-type", "Institutional")


@replaceable
def aut_to_claim_response(aut: Segment, draft: Draft) -> Resource | None:
    """Make the ClaimResponse; nothing without the number of the authorisation, its insurer or a date."""
    context = draft.context
    created = draft.moment(aut, 10) if aut.peek(10) else draft.sent_at
    if not created:
        created = draft.sent_at
    if not aut.peek(6).c(1) or not (aut.peek(2) or aut.peek(3)) or not created:
        for n in aut.fields & MAPPED.keys():
            aut.give_back(n, _NOTHING)
        return None
    number = ei_to_identifier(aut[6], context, "authorization")
    insurer = organization(draft, words(aut[3].whole), aut[2].c(1))
    if number is None or insurer is None:
        for n in aut.fields & MAPPED.keys():
            aut.give_back(n, _NOTHING)
        return None
    requestor = practitioners(aut[24].repetitions[:1], draft)
    if not requestor:
        place = xon_to_organization(aut[23], draft) if aut[23] else None
        requestor = [place] if place else []
    elif aut.peek(23):
        aut.ignore(23, "the authorised person is named")
    wrong = code_of(aut.peek(29).text).upper() == "D"
    if wrong:
        _ = aut[29]
    remarks = [text for n in (17, 28) if (text := joined(aut[n].repetitions))]
    return compact(
        {
            "resourceType": "ClaimResponse",
            "id": resource_id("ClaimResponse", number["system"], number["value"]),
            "identifier": [number],
            "status": "entered-in-error" if wrong else "active",
            "type": _TYPE,
            "use": "preauthorization",
            "patient": draft.subject,
            "created": created,
            "insurer": insurer,
            "requestor": requestor[0] if requestor else {},
            "outcome": "complete",
            "disposition": words(aut[14].c(2)) or words(aut[14].c(1)),
            "preAuthRef": number["value"],
            "preAuthPeriod": period(draft.moment(aut, 4), draft.moment(aut, 5)),
            "processNote": [{"number": n, "text": text} for n, text in enumerate(remarks, 1)],
        }
    )
