"""AIG: an apparatus, or any other resource, taking part in an appointment.

Standard: HL7 v2.5.1 §10.6.5
"""

from __future__ import annotations

from mappings.hl7v2.codings import cwe_to_codeable_concept
from mappings.hl7v2.datatypes import Element, code_of, compact, words
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments import SEQUENCE
from mappings.hl7v2.segments.ail import participants, participation, span
from mappings.hl7v2.site import replaceable

MAPPED = {
    2: "Appointment.participant.status",
    3: "Appointment.participant.actor | Schedule.actor",
    4: "Appointment.participant.type",
    8: "Appointment.participant.period.start | Slot.start",
    9: "Appointment.participant.period.start | Slot.start",
    10: "Appointment.participant.period.start | Slot.start",
    11: "Appointment.participant.period.end | Slot.end",
    12: "Appointment.participant.period.end | Slot.end",
    14: "Appointment.participant.status",
}
IGNORED = {
    1: SEQUENCE,
    2: "action on the resource; the appointment is stored whole",
    5: "group of the resource; groups are flattened into one appointment",
    6: "quantity of the resource; a participant has none",
    7: "quantity of the resource; a participant has none",
    13: "substitution; a matter of the scheduling system",
}

_KINDS = {
    "Location": ("location", "room", "phòng", "giường", "bed"),
    "Device": ("equipment", "device", "machine", "máy", "thiết bị"),
}


@replaceable
def aig_to_participants(aig: Segment, draft: Draft, begin: str = "", deleted: bool = False) -> list[Element]:
    """Make the participant, named by number and words: what kind of thing it is AIG-4 tells only in the sender's words."""
    context = draft.context
    number, name = code_of(aig[3].c(1)), words(aig[3].c(2))
    role = cwe_to_codeable_concept(aig[4], context)
    when = span(aig, 8, draft, begin)
    status = participation(aig, 2, 14, draft, deleted)
    identifier = {"system": context.systems.local(context.facility, "resource"), "value": number} if number else {}
    actor = compact({"type": _kind(aig), "identifier": identifier, "display": name}) if number or name else {}
    return participants(aig, [actor] if actor else [], role, status, when)


def _kind(aig: Segment) -> str:
    said = f"{aig.peek(4).c(1)} {aig.peek(4).c(2)}".lower()
    return next((kind for kind, names in _KINDS.items() if any(name in said for name in names)), "")
