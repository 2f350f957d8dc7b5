"""MFA: what became of one record of a master file, in the answer to MFN.

Standard: HL7 v2.5.1 §8.5.3
"""

from __future__ import annotations

from mappings.hl7v2.codings import cwe_to_codeable_concept
from mappings.hl7v2.datatypes import Element, code_of, compact, words
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments import LEDGER
from mappings.hl7v2.segments.msa import severity_and_type
from mappings.hl7v2.site import replaceable

MAPPED = {
    1: "OperationOutcome.issue.diagnostics",
    4: "OperationOutcome.issue.details",
    5: "OperationOutcome.issue.diagnostics",
}
IGNORED = {
    2: LEDGER,
    3: LEDGER,
    6: "data type of the key; the key itself is read",
}


@replaceable
def mfa_to_issue(mfa: Segment, draft: Draft) -> Element:
    """Make an issue: `S` in MFA-4 is a success, anything else is not."""
    said = code_of(mfa[4].c(1)).upper()
    key = " ".join(part for part in (words(mfa[1].text), words(mfa[5].whole)) if part)
    return compact(
        {
            **severity_and_type("", "", "ok" if said in ("S", "") else "fatal-error"),
            "details": cwe_to_codeable_concept(mfa[4], draft.context),
            "diagnostics": key,
        }
    )
