"""SIU: what became of an appointment, or of times that are blocked; in Vietnam above all the re-examination appointment.

S12 to S17 and S26 are about the appointment, S18 to S22 about a service or resource of it, S23 and S24 about blocked times.

Standard: HL7 v2.5.1 §10.4
Requirement: S3.15
"""

from __future__ import annotations

from mappings.hl7v2 import faults
from mappings.hl7v2.datatypes import words
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.scheduling import (
    add_requests,
    add_slots,
    cancelled_for,
    complete,
    notified_status,
    open_people,
    read_plan,
)
from mappings.hl7v2.segments.sch import event_reason, sch_to_appointment, sch_to_service_requests, sch_to_slot

TRIGGERS = tuple(f"SIU^S{event}" for event in (*range(12, 25), 26))


def map_message(draft: Draft) -> None:
    """Map an appointment; the visit it was made in is its supporting information.

    Raises `MissingSegment` without SCH.
    """
    sch = draft.reader.first("SCH")
    if sch is None:
        raise faults.MissingSegment("SCH")
    open_people(draft)
    if draft.event in ("S23", "S24"):
        _slots(sch, draft)
    else:
        _appointment(sch, draft)


def _appointment(sch: Segment, draft: Draft) -> None:
    appointment = sch_to_appointment(sch, draft)
    plan = read_plan(draft, appointment.get("start", ""))
    filler = appointment.get("status", "")
    if not filler and draft.event not in ("S18", "S19", "S20", "S21", "S22"):
        filler = next((service.status for service in plan.services if service.status), "")
    appointment["status"] = notified_status(draft.event, filler)
    found = complete(appointment, plan, draft)
    cancelled_for(found, event_reason(sch, draft))
    add_requests(draft, found, sch_to_service_requests(sch, draft, draft.patient), plan, sch)
    draft.add(found, sch, *plan.origins)


def _slots(sch: Segment, draft: Draft) -> None:
    said = sch_to_slot(sch, draft)
    plan = read_plan(draft, said.get("start", ""))
    number = words(sch[5].c(1))
    context = draft.context
    schedule = {"system": context.systems.local(context.facility, "schedule"), "value": number} if number else None
    reason = event_reason(sch, draft)
    if sch.peek(5) and schedule is None:
        sch.give_back(5)
    add_slots(draft, said, plan, schedule, reason)
