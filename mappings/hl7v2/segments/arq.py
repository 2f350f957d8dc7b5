"""ARQ: the appointment that is asked for, or what is asked to become of one.

Standard: HL7 v2.5.1 §10.6.8
"""

from __future__ import annotations

from typing import Any

from mappings.hl7v2.actors import reference
from mappings.hl7v2.codings import cwe_to_codeable_concept, v2_coding
from mappings.hl7v2.datatypes import compact, period
from mappings.hl7v2.draft import Draft, datetime_of
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments.msh import participant
from mappings.hl7v2.segments.sch import (
    appointment_numbers,
    contacts,
    duration,
    occurrence,
    reason_and_type,
    requests,
    told_by,
)
from mappings.hl7v2.segments.tq1 import PRIORITIES
from mappings.hl7v2.site import replaceable
from mappings.ids import resource_id
from mappings.outcome import Resource

MAPPED = {
    1: "Appointment.identifier",
    2: "Appointment.identifier",
    3: "Appointment.extension(extension-Appointment.recurrenceId)",
    6: "Task.reasonCode | Provenance.reason",
    7: "Appointment.reasonCode | Appointment.appointmentType",
    8: "Appointment.appointmentType",
    9: "Appointment.minutesDuration",
    10: "Appointment.minutesDuration",
    11: "Appointment.requestedPeriod",
    12: "Appointment.priority",
    15: "Appointment.participant.actor",
    16: "Practitioner.telecom",
    17: "Practitioner.address",
    19: "Provenance.agent.who",
    20: "Practitioner.telecom",
    22: "Appointment.extension(extension-Appointment.originatingAppointment)",
    23: "Appointment.extension(extension-Appointment.originatingAppointment)",
    24: "ServiceRequest.identifier",
    25: "ServiceRequest.identifier",
}
IGNORED = {
    4: "group of appointments of the placer; an appointment has no group in R4",
    5: "schedule of the filler; an appointment names its participants, not their schedules",
    13: "repeating interval; R4 has single appointments only, each comes with its own number",
    14: "repeating interval; R4 has single appointments only, each comes with its own number",
    18: "where the contact sits; not where the appointment takes place",
    21: "where it was entered; not where the appointment takes place",
    26: "group of orders of the placer; the orders are ARQ-24",
}


@replaceable
def arq_to_appointment(arq: Segment, draft: Draft) -> dict[str, Any]:
    """Make the Appointment that is asked for, still without status and without the resources that take part."""
    context = draft.context
    identifier, identifiers = appointment_numbers(arq, draft)
    reasons, kind = reason_and_type(arq, draft)
    wanted = period(datetime_of(arq[11].c(1), context), datetime_of(arq[11].c(2), context))
    if arq.peek(11) and not wanted:
        arq.give_back(11)
    urgency = PRIORITIES.get(arq[12].c(1).strip().upper())
    if arq.peek(12) and urgency is None:
        arq.give_back(12)
    told_by(arq, 19, draft)
    contacts(arq, draft, 19, 20, 0, participant("enterer", "Enterer"))
    return compact(
        {
            "resourceType": "Appointment",
            "id": identifier,
            "extension": occurrence(arq, draft, 3, 22, 23),
            "identifier": identifiers,
            "appointmentType": kind,
            "reasonCode": reasons,
            "priority": urgency,
            "minutesDuration": duration(arq),
            "requestedPeriod": [wanted] if wanted else [],
            "participant": contacts(arq, draft, 15, 16, 17, {"text": "placer contact"}),
        }
    )


@replaceable
def arq_to_service_requests(arq: Segment, draft: Draft, subject: str) -> list[Resource]:
    """Make the ServiceRequests an appointment is asked for."""
    return requests(arq, draft, 24, 25, subject)


@replaceable
def arq_to_task(arq: Segment, draft: Draft, appointment: Resource) -> Resource:
    """Make the Task that the filler is asked to do with an Appointment; known by the appointment and the event."""
    reason = cwe_to_codeable_concept(arq[6], draft.context)
    task = scheduling_task(draft, appointment, "requested")
    people = [
        entry["actor"] for entry in appointment["participant"] if entry.get("type") == [{"text": "placer contact"}]
    ]
    entered = [agent["who"] for agent in draft.about[1]["agent"][1:]]
    task |= compact(
        {
            "authoredOn": draft.sent_at if "T" in draft.sent_at else "",
            "requester": (people or entered or [None])[0],
            "reasonCode": reason,
        }
    )
    return task


def scheduling_task(draft: Draft, appointment: Resource, status: str) -> dict[str, Any]:
    """Write the Task of an event of table 0003 on an Appointment: the request and its answer are one Task."""
    event = v2_coding("0003", draft.event)
    system = draft.context.systems.local(draft.context.facility, "appointment-request")
    return compact(
        {
            "resourceType": "Task",
            "id": resource_id("Task", system, f"{appointment['id']}|{draft.event}"),
            "status": status,
            "intent": "order",
            "code": compact({"coding": [event] if event else [], "text": "" if event else draft.trigger}),
            "focus": reference(f"Appointment/{appointment['id']}"),
            "for": reference(draft.patient) if draft.patient else {},
        }
    )
