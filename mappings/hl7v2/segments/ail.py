"""AIL: a place taking part in an appointment.

Standard: HL7 v2.5.1 §10.6.6
"""

from __future__ import annotations

from mappings import codes
from mappings.hl7v2 import faults
from mappings.hl7v2.actors import pl_to_location
from mappings.hl7v2.codings import cwe_to_codeable_concept
from mappings.hl7v2.datatypes import Element, code_of, compact, later, period
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments import SEQUENCE
from mappings.hl7v2.segments.sch import minutes, offset
from mappings.hl7v2.site import replaceable
from mappings.systems import V2_TABLE

MAPPED = {
    2: "Appointment.participant.status",
    3: "Appointment.participant.actor | Schedule.actor",
    4: "Appointment.participant.type",
    6: "Appointment.participant.period.start | Slot.start",
    7: "Appointment.participant.period.start | Slot.start",
    8: "Appointment.participant.period.start | Slot.start",
    9: "Appointment.participant.period.end | Slot.end",
    10: "Appointment.participant.period.end | Slot.end",
    12: "Appointment.participant.status",
}
IGNORED = {
    1: SEQUENCE,
    2: "action on the resource; the appointment is stored whole",
    5: "group of the resource; groups are flattened into one appointment",
    11: "substitution; a matter of the scheduling system",
}

_PARTICIPATION = {row.code.lower(): row.target for row in codes.table("v2-0278-participation")}
_OFFSET = "offset of the start; the start itself is told"


def participation(segment: Segment, action: int, status: int, draft: Draft, deleted: bool) -> str:
    """Give the participant's status: declined when the resource or its group is deleted, else what table 0278 says.

    A code that is not there leaves the resource accepted.
    """
    said = code_of(segment.peek(action).text).upper() == "D"
    code = segment[status].c(1).strip().lower()
    found = _PARTICIPATION.get(code, "")
    if segment.peek(status) and not found:
        draft.notice(faults.CODE_UNKNOWN, segment.where(status))
        segment.give_back(status)
    if said:
        _ = segment[action]
    return "declined" if said or deleted else found or "accepted"


def span(segment: Segment, n: int, draft: Draft, begin: str = "", *, alone: bool = False) -> Element:
    """Give the Period of five fields from `n`: start, offset of the start and its units, duration and its units.

    Without a start the offset counts from `begin`, the start of the appointment. A duration without a start is unusable unless
    it is of use `alone`.
    """
    begun = draft.moment(segment, n)
    if begun:
        for one in (n + 1, n + 2):
            if segment.peek(one):
                segment.ignore(one, _OFFSET)
    else:
        shift = offset(segment[n + 1].text, segment[n + 2].c(1))
        begun = later(begin, shift) if begin and shift is not None else ""
        for one in (n + 1, n + 2):
            if segment.peek(one) and not begun:
                segment.give_back(one)
    length = minutes(segment[n + 3].text, segment[n + 4].c(1))
    end = later(begun, length) if length else ""
    for one in (n + 3, n + 4):
        if segment.peek(one) and not end and not (alone and length):
            segment.give_back(one)
    return period(begun, end)


@replaceable
def ail_to_participants(ail: Segment, draft: Draft, begin: str = "", deleted: bool = False) -> list[Element]:
    """Make one participant per place of AIL-3."""
    role = cwe_to_codeable_concept(ail[4], draft.context, system=f"{V2_TABLE}0305")
    when = span(ail, 6, draft, begin)
    status = participation(ail, 2, 12, draft, deleted)
    return participants(
        ail, [place for pl in ail[3].repetitions if (place := pl_to_location(pl, draft))], role, status, when
    )


def participants(
    segment: Segment, actors: list[Element], role: Element | None, status: str, when: Element
) -> list[Element]:
    """Write a participant per actor; with nobody named but a role, the role takes part."""
    if not actors and role:
        return [compact({"type": [role], "status": status, "period": when})]
    if not actors:
        for n in segment.fields - {1}:
            segment.give_back(n, "the segment names no resource")
    return [
        compact({"type": [role] if role else [], "actor": actor, "status": status, "period": when}) for actor in actors
    ]
