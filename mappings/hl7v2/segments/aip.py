"""AIP: a person taking part in an appointment.

Standard: HL7 v2.5.1 §10.6.7
"""

from __future__ import annotations

from mappings.hl7v2.actors import practitioners
from mappings.hl7v2.datatypes import Element, compact, cwe_to_codeable_concept
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments import SEQUENCE
from mappings.hl7v2.segments.ail import participation, span

IGNORED = {
    1: SEQUENCE,
    2: "action on the resource; the appointment is stored whole",
    5: "group of the resource",
    7: "offset of the start; the absolute time is used",
    8: "offset of the start; the absolute time is used",
    11: "substitution; a matter of the scheduling system",
}


def aip_to_participants(aip: Segment, draft: Draft) -> list[Element]:
    """Make one participant per person of AIP-3."""
    role = cwe_to_codeable_concept(aip[4], draft.context)
    when = span(aip, 6, 9, draft)
    status = participation(aip[12].c(1))
    return [
        compact({"type": [role] if role else [], "actor": person, "status": status, "period": when})
        for person in practitioners(aip[3].repetitions, draft)
    ]
