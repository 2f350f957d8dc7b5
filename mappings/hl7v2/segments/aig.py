"""AIG: a room or an apparatus taking part in an appointment.

Standard: HL7 v2.5.1 §10.6.5
"""

from __future__ import annotations

from mappings.hl7v2.datatypes import Element, code_of, compact, cwe_to_codeable_concept, words
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments import SEQUENCE
from mappings.hl7v2.segments.ail import participation, span

IGNORED = {
    1: SEQUENCE,
    2: "action on the resource; the appointment is stored whole",
    5: "group of the resource",
    6: "quantity of the resource",
    7: "quantity of the resource",
    9: "offset of the start; the absolute time is used",
    10: "offset of the start; the absolute time is used",
    13: "substitution; a matter of the scheduling system",
}


def aig_to_participant(aig: Segment, draft: Draft) -> Element | None:
    """Make a participant named by number and words only: the segment does not say what kind of thing it is."""
    context = draft.context
    number, name = code_of(aig[3].c(1)), words(aig[3].c(2))
    role = cwe_to_codeable_concept(aig[4], context)
    when = span(aig, 8, 11, draft)
    status = participation(aig[14].c(1))
    if not number and not name:
        return None
    identifier = {"system": context.systems.local(context.facility, "resource"), "value": number} if number else {}
    return compact(
        {
            "type": [role] if role else [],
            "actor": compact({"identifier": identifier, "display": name}),
            "status": status,
            "period": when,
        }
    )
