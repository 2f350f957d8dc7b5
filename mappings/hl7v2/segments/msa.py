"""MSA: which message is answered, and how.

Standard: HL7 v2.5.1 §2.15.8
"""

from __future__ import annotations

import re

from mappings import codes
from mappings.hl7v2 import faults
from mappings.hl7v2.codings import cwe_to_codeable_concept
from mappings.hl7v2.datatypes import Element, code_of, compact, words
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments import LEDGER
from mappings.hl7v2.segments.msh import ABSENT
from mappings.hl7v2.site import replaceable
from mappings.ids import resource_id

MAPPED = {
    1: "MessageHeader.response.code",
    2: "MessageHeader.response.identifier",
    3: "OperationOutcome.issue.details.text",
    6: "OperationOutcome.issue.details",
}
IGNORED = {
    4: "sequence number protocol; messages are told apart by their control ids",
    5: "mode of acknowledgement of HL7 v2.1",
    7: LEDGER,
    8: LEDGER,
}

_ID = re.compile(r"^[A-Za-z0-9\-.]{1,64}$")


@replaceable
def msa_to_response(msa: Segment, draft: Draft) -> Element:
    """Make MessageHeader.response; nothing of an answer whose code is not known, because R4 has no response without one.

    A control id that cannot be a FHIR id is replaced by the id that the header of the answered message has here.
    """
    said = code_of(msa[1].text).upper()
    code = codes.table("v2-0008").target(said)
    if said and not code:
        msa.give_back(1)
        draft.notice(faults.CODE_UNKNOWN, msa.where(1))
    number = words(msa[2].text)
    if not code:
        if msa.peek(2):
            msa.give_back(2, "the code of the answer is not known; FHIR R4 has no response without one")
        return {}
    return compact(
        {
            "identifier": _identifier(number, draft) if number else "",
            "_identifier": {} if number else ABSENT,
            "code": code,
        }
    )


def _identifier(number: str, draft: Draft) -> str:
    if _ID.match(number):
        return number
    msh = draft.reader.segments[0]
    key = f"{msh.peek(5).c(1)}|{msh.peek(6).c(1)}|{number}"
    return resource_id("MessageHeader", f"{draft.context.systems.own}/sid/message", key)


@replaceable
def msa_to_issue(msa: Segment, draft: Draft, code: str) -> Element | None:
    """Make the issue of an answer that says in MSA itself what is wrong, as HL7 before v2.4 did; `code` as in the response."""
    text = words(msa[3].text)
    condition = msa[6]
    details = cwe_to_codeable_concept(condition, draft.context, "v2-0357") or {}
    if text:
        details = {**details, "text": text}
    if not details:
        return None
    return {**severity_and_type("", condition.c(1), code), "details": details}


def severity_and_type(severity: str, condition: str, answer: str) -> Element:
    """Say how bad an issue is (HL7 table 0516) and of what type (table 0357); what is not said, as the answer has it."""
    fine = answer == "ok"
    return {
        "severity": codes.table("v2-0516-severity").target(severity.strip().upper())
        or ("information" if fine else "error"),
        "code": codes.table("v2-0357-issue").target(code_of(condition)) or ("informational" if fine else "processing"),
    }
