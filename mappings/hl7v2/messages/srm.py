"""SRM and SRR: a request to make or change an appointment, and its answer.

The request is a Task on the Appointment; what is asked for is not yet so, and the status says that.

Standard: HL7 v2.5.1 §10.3
"""

from __future__ import annotations

from mappings.hl7v2 import faults
from mappings.hl7v2.datatypes import code_of
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.scheduling import (
    add_requests,
    answered_status,
    cancelled_for,
    complete,
    open_people,
    read_plan,
    requested_status,
)
from mappings.hl7v2.segments.arq import arq_to_appointment, arq_to_service_requests, arq_to_task, scheduling_task
from mappings.hl7v2.segments.sch import event_reason, sch_to_appointment, sch_to_service_requests

TRIGGERS = tuple(f"{kind}^S{event:02}" for kind in ("SRM", "SRR") for event in range(1, 12))


def map_message(draft: Draft) -> None:
    """Map a request or an answer.

    Raises `MissingSegment` when a request has no ARQ; an answer without SCH is about the message only.
    """
    if draft.trigger.startswith("SRM^"):
        arq = draft.reader.first("ARQ")
        if arq is None:
            raise faults.MissingSegment("ARQ")
        _request(arq, draft)
        return
    sch, msa = draft.reader.first("SCH"), draft.reader.first("MSA")
    if sch is not None:
        _answer(sch, msa, draft)
    elif msa is None:
        raise faults.MissingSegment("SCH")


def _request(arq: Segment, draft: Draft) -> None:
    open_people(draft)
    appointment = arq_to_appointment(arq, draft)
    plan = read_plan(draft, "")
    appointment["status"] = requested_status(draft.event)
    if appointment["status"] != "booked":
        for entry in plan.participants:
            entry["status"] = "needs-action" if entry["status"] == "accepted" else entry["status"]
    found = complete(appointment, plan, draft)
    add_requests(draft, found, arq_to_service_requests(arq, draft, draft.patient), plan, arq)
    draft.add(found, arq, *plan.origins)
    event_reason(arq, draft)
    draft.add(arq_to_task(arq, draft, found), arq)


def _answer(sch: Segment, msa: Segment | None, draft: Draft) -> None:
    accepted = msa is None or code_of(msa.peek(1).text).upper() in ("AA", "CA")
    open_people(draft)
    appointment = sch_to_appointment(sch, draft)
    plan = read_plan(draft, appointment.get("start", ""))
    appointment["status"] = answered_status(draft.event, appointment.get("status", ""), accepted=accepted)
    found = complete(appointment, plan, draft)
    cancelled_for(found, event_reason(sch, draft))
    add_requests(draft, found, sch_to_service_requests(sch, draft, draft.patient), plan, sch)
    draft.add(found, sch, *plan.origins)
    draft.add(scheduling_task(draft, found, "completed" if accepted else "rejected"), sch)
