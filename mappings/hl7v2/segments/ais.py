"""AIS: a service an appointment is for.

Standard: HL7 v2.5.1 §10.6.4
"""

from __future__ import annotations

from dataclasses import dataclass, field

from mappings.hl7v2 import faults
from mappings.hl7v2.codings import cwe_to_codeable_concept
from mappings.hl7v2.datatypes import Element, code_of
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments import SEQUENCE
from mappings.hl7v2.segments.ail import span
from mappings.hl7v2.segments.sch import filler_status, minutes
from mappings.hl7v2.site import replaceable

MAPPED = {
    3: "Appointment.serviceType | Slot.serviceType",
    4: "Appointment.participant.period.start | Slot.start",
    5: "Appointment.participant.period.start | Slot.start",
    6: "Appointment.participant.period.start | Slot.start",
    7: "Appointment.participant.period.end | Appointment.minutesDuration | Slot.end",
    8: "Appointment.participant.period.end | Appointment.minutesDuration | Slot.end",
    10: "Appointment.status",
    11: "ServiceRequest.orderDetail",
    12: "ServiceRequest.orderDetail",
}
IGNORED = {
    1: SEQUENCE,
    2: "action on the service; one that is deleted is left out",
    9: "substitution; a matter of the scheduling system",
}

OUT = "the service is taken out of the appointment"
_ENDED = frozenset({"cancelled", "entered-in-error"})


@dataclass
class Service:
    """One service of an appointment."""

    segment: Segment
    kind: Element | None
    when: Element
    minutes: int
    status: str
    details: list[Element] = field(default_factory=list)


@replaceable
def ais_to_service(ais: Segment, draft: Draft, begin: str = "") -> Service:
    """Give the service; `begin` is the start of the appointment, from which AIS-5 counts."""
    kind = cwe_to_codeable_concept(ais[3], draft.context)
    code = ais[10].c(1)
    status = filler_status(code)
    if ais.peek(10) and not status:
        draft.notice(faults.CODE_UNKNOWN, ais.where(10))
        ais.give_back(10)
    length = minutes(ais.peek(7).text, ais.peek(8).c(1))
    when = span(ais, 4, draft, begin, alone=True)
    details = [
        found for n in (11, 12) for cwe in ais[n].repetitions if (found := cwe_to_codeable_concept(cwe, draft.context))
    ]
    return Service(ais, kind, when, length, status, details)


@replaceable
def ais_leaves(ais: Segment, draft: Draft) -> bool:
    """Tell whether the service no longer belongs to the appointment; its fields are then left out.

    A service that S20, S21 or S22 speaks of has ended alone: the appointment goes on without it.
    """
    gone = code_of(ais.peek(2).text).upper() == "D" or (
        draft.event in ("S20", "S21", "S22") and filler_status(ais.peek(10).c(1)) in _ENDED
    )
    if gone:
        leave_out(ais)
    return gone


def leave_out(ais: Segment) -> None:
    """Account for a service that is not in the appointment."""
    for n in ais.fields & MAPPED.keys():
        ais.ignore(n, OUT)
