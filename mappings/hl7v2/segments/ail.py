"""AIL: a place taking part in an appointment.

Standard: HL7 v2.5.1 §10.6.6
"""

from __future__ import annotations

from mappings.hl7v2.actors import pl_to_location
from mappings.hl7v2.datatypes import Element, compact, cwe_to_codeable_concept, later, period
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments import SEQUENCE
from mappings.hl7v2.segments.sch import minutes

IGNORED = {
    1: SEQUENCE,
    2: "action on the resource; the appointment is stored whole",
    5: "group of the resource",
    7: "offset of the start; the absolute time is used",
    8: "offset of the start; the absolute time is used",
    11: "substitution; a matter of the scheduling system",
}

_PARTICIPATION = {"cancelled": "declined", "discontinued": "declined", "deleted": "declined", "pending": "needs-action"}


def participation(code: str) -> str:
    """Give the participant's status of a code of HL7 table 0278: accepted unless it says otherwise."""
    return _PARTICIPATION.get(code.strip().lower(), "accepted")


def span(segment: Segment, start: int, duration: int, draft: Draft) -> Element:
    """Give the Period of a start and a duration with its unit in the field after it."""
    begun = draft.moment(segment, start)
    length = minutes(segment[duration].text, segment[duration + 1].c(1))
    return period(begun, later(begun, length) if length else "")


def ail_to_participants(ail: Segment, draft: Draft) -> list[Element]:
    """Make one participant per place of AIL-3."""
    role = cwe_to_codeable_concept(ail[4], draft.context)
    when = span(ail, 6, 9, draft)
    status = participation(ail[12].c(1))
    return [
        compact({"type": [role] if role else [], "actor": place, "status": status, "period": when})
        for pl in ail[3].repetitions
        if (place := pl_to_location(pl, draft))
    ]
