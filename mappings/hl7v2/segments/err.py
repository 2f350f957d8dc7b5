"""ERR: what is wrong with the message that is answered.

Standard: HL7 v2.5.1 §2.15.5; ERR-1 as v2.1–v2.4 had it
"""

from __future__ import annotations

from mappings.hl7v2.codings import cwe_to_codeable_concept
from mappings.hl7v2.datatypes import Components, Element, Subcomponents, compact, words
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.quantities import nm_to_count
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments.msa import severity_and_type
from mappings.hl7v2.site import replaceable

MAPPED = {
    1: "OperationOutcome.issue.expression | OperationOutcome.issue.details",
    2: "OperationOutcome.issue.expression",
    3: "OperationOutcome.issue.details",
    4: "OperationOutcome.issue.severity",
    5: "OperationOutcome.issue.details.coding",
    6: "OperationOutcome.issue.diagnostics",
    7: "OperationOutcome.issue.diagnostics",
    8: "OperationOutcome.issue.details.text",
}
IGNORED = {
    9: "whom to tell; decided by the rights of this node",
    10: "override; nothing is sent again by itself",
    11: "override; nothing is sent again by itself",
    12: "telephone of the sender's help desk; no element of OperationOutcome in R4",
}


@replaceable
def err_to_issues(err: Segment, draft: Draft, answer: str) -> list[Element]:
    """Make the issues: one of the segment, and one of each place in ERR-1; `answer` is the code of the response.

    A place is written as everywhere in this program (`PID-3`, `OBX[2]-5.1`).
    """
    found = [_place(eld, draft, answer) for eld in err[1].repetitions] if err.peek(1) else []
    if any(n in err.fields for n in range(2, 9)):
        found.append(_issue(err, draft, answer))
    issues = [issue for issue in found if issue]
    if err.peek(1) and not any(found):
        err.give_back(1)
    return issues


def _issue(err: Segment, draft: Draft, answer: str) -> Element:
    context = draft.context
    details = cwe_to_codeable_concept(err[3], context, "v2-0357") or {}
    own = cwe_to_codeable_concept(err[5], context) or {}
    text = words(err[8].whole) or details.get("text", "") or own.get("text", "")
    parameters = "; ".join(part for part in (words(one.whole) for one in err[6].repetitions) if part)
    places = [place for erl in err[2].repetitions if (place := position(erl, 3, 4))]
    if err.peek(2) and not places:
        err.give_back(2)
    return compact(
        {
            **severity_and_type(err[4].text, err[3].c(1), answer),
            "details": compact({"coding": [*details.get("coding", []), *own.get("coding", [])], "text": text}),
            "diagnostics": "\n".join(part for part in (words(err[7].whole), parameters) if part),
            "expression": places,
        }
    )


def _place(eld: Components, draft: Draft, answer: str) -> Element:
    condition = Subcomponents(eld, 4)
    details = cwe_to_codeable_concept(condition, draft.context, "v2-0357")
    place = position(eld, 3, 0)
    if not details and not place:
        return {}
    return compact(
        {
            **severity_and_type("", condition.c(1), answer),
            "details": details,
            "expression": [place] if place else [],
        }
    )


def position(erl: Components, field: int, repetition: int) -> str:
    """Write the place that ERL or ELD names; `repetition` is the component after which component numbers follow, or 0."""
    name = words(erl.c(1)).upper()
    if not (name.isascii() and name.isalnum() and len(name) == 3):
        return ""
    occurrence, number = nm_to_count(erl.c(2)), nm_to_count(erl.c(field))
    place = f"{name}[{occurrence}]" if occurrence > 1 else name
    if not number:
        return place
    place += f"-{number}"
    if not repetition:
        return place
    again = nm_to_count(erl.c(repetition))
    place += f"[{again}]" if again > 1 else ""
    for part in (nm_to_count(erl.c(repetition + 1)), nm_to_count(erl.c(repetition + 2))):
        if not part:
            break
        place += f".{part}"
    return place
