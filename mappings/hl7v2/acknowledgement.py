"""What an answer says about the message it answers: MSA and ERR, in whatever message type they stand.

Both become a part of the MessageHeader and an OperationOutcome beside it; neither is part of the clinical record. Writing
acknowledgements is `mappings.hl7v2.ack`.

Standard: HL7 v2.5.1 §2.9
"""

from __future__ import annotations

from mappings.hl7v2.actors import reference
from mappings.hl7v2.datatypes import Element
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.leftovers import give_back_leftovers
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments.err import err_to_issues
from mappings.hl7v2.segments.msa import msa_to_issue, msa_to_response
from mappings.ids import resource_id


def take_acknowledgement(draft: Draft, issues: list[Element] | None = None) -> Segment | None:
    """Take MSA and every ERR; give MSA, or nothing when the message has none.

    `issues` are what the message type itself says is wrong; they come after those of MSA and ERR.
    """
    msa = draft.reader.first("MSA")
    found: list[Element] = []
    response: Element = {}
    if msa is not None:
        response = msa_to_response(msa, draft)
        issue = msa_to_issue(msa, draft, response.get("code", ""))
        found += [issue] if issue else []
    for err in draft.reader.all("ERR"):
        found += err_to_issues(err, draft, response.get("code", ""))
    found += issues or []
    if found:
        target = draft.tell(
            {
                "resourceType": "OperationOutcome",
                "id": resource_id("OperationOutcome", f"{draft.context.systems.own}/sid/message", draft.message_key),
                "issue": found,
            }
        )
        if response:
            response["details"] = reference(target)
    if response:
        draft.about[0]["response"] = response
    about = [one for one in draft.about if one["resourceType"] in ("MessageHeader", "OperationOutcome")]
    for segment in draft.reader.segments:
        if segment.name in ("MSA", "ERR", "MFA"):
            give_back_leftovers(segment, draft, *about)
    return msa


def take_what_is_left(draft: Draft) -> None:
    """Take MSA and ERR of a message whose type does not look at them itself: an answer to a referral, an order sent back."""
    for segment in draft.whole.segments:
        if segment.name in ("MSA", "ERR") and not any(segment.is_taken(n) for n in segment.fields):
            draft.reader = draft.whole
            take_acknowledgement(draft)
            return
