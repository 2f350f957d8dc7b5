"""Appointments and blocked times: what SIU tells, SRM asks for and SRR answers with.

An appointment is one resource through all its events; each message tells it whole. Its status comes from the event, and from
SCH-25 where the event leaves it open. Does not keep calendars: a Schedule only says whose times are blocked.

Standard: HL7 v2.5.1 §10.2–§10.6
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from mappings import codes
from mappings.hl7v2 import faults
from mappings.hl7v2.actors import reference
from mappings.hl7v2.datatypes import Element, compact, later, words
from mappings.hl7v2.details import details
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments.aig import aig_to_participants
from mappings.hl7v2.segments.ail import ail_to_participants
from mappings.hl7v2.segments.aip import aip_to_participants
from mappings.hl7v2.segments.ais import Service, ais_leaves, ais_to_service, leave_out
from mappings.hl7v2.segments.apr import apr_to_comment
from mappings.hl7v2.segments.nte import nte_to_annotation
from mappings.hl7v2.segments.rgs import rgs_deletes
from mappings.hl7v2.segments.sch import NOTE, SUBJECT
from mappings.hl7v2.segments.tq1 import tq1_to_appointment
from mappings.hl7v2.visit import observations, open_message, open_visit, relatives
from mappings.ids import resource_id
from mappings.outcome import Resource

_DECIDED = frozenset({"S15", "S16", "S17", "S26"})
"""Events after which the status is what the event says, whatever SCH-25 still has."""
_TIMELESS = frozenset({"proposed", "cancelled", "waitlist"})
"""Statuses in which an appointment may be without start and end (app-3)."""
_NOTIFICATIONS = {f"S{n:02}": f"S{n + 11}" for n in range(1, 12)}
"""Request → the event by which it would be notified once done: a positive answer has the same effect."""
_TAKEN = frozenset({"TQ1", "AIS", "AIG", "AIL", "AIP", "APR"})
_PARTICIPANTS = {"AIG": aig_to_participants, "AIL": ail_to_participants, "AIP": aip_to_participants}

_OF_PARTICIPANTS = {"AIG": (2, 4, 14), "AIL": (2, 4, 12), "AIP": (2, 4, 12), "AIS": (10, 11, 12)}
"""Fields that only a participant or an appointment has."""


def notified_status(event: str, filler: str) -> str:
    """Give the Appointment.status after an SIU event; `filler` is what SCH-25 says, as Appointment.status."""
    said = codes.table("appointment-event").target(event) or "booked"
    return said if event in _DECIDED else filler or said


def requested_status(event: str) -> str:
    """Give the Appointment.status while an SRM request waits for its answer."""
    return codes.table("appointment-event").target(event) or "proposed"


def answered_status(event: str, filler: str, *, accepted: bool) -> str:
    """Give the Appointment.status after an SRR answer: a refused booking is none, anything else refused changes nothing."""
    if accepted:
        return notified_status(_NOTIFICATIONS.get(event, ""), filler)
    return filler or ("cancelled" if event == "S01" else "booked")


@dataclass
class Plan:
    """What the segments after SCH or ARQ say about one appointment."""

    timing: Element = field(default_factory=dict)
    services: list[Service] = field(default_factory=list)
    participants: list[Element] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    notes: list[Element] = field(default_factory=list)
    origins: list[Segment] = field(default_factory=list)
    """The segments it was made of."""


def read_plan(draft: Draft, begin: str) -> Plan:
    """Walk the segments once: timing, services, participants, preferences, and the comments on each of them.

    `begin` is the start that SCH tells, from which offsets count.
    """
    plan = Plan()
    label, deleted, observed = "", False, False
    for segment in draft.reader.segments:
        name = segment.name
        if name == "NTE":
            if not observed:
                _comment(plan, segment, label, draft)
            continue
        observed = name == "OBX"
        if name in _TAKEN:
            plan.origins.append(segment)
        if name == "TQ1":
            timing = tq1_to_appointment(segment, draft)
            said = timing.pop("comment", "")
            plan.comments += [said] if said else []
            plan.timing = timing | plan.timing
            begin = begin or timing.get("start", "")
        elif name == "RGS":
            deleted, label = rgs_deletes(segment), ""
        elif name == "AIS":
            label = _label(segment)
            if deleted:
                leave_out(segment)
            elif not ais_leaves(segment, draft):
                service = ais_to_service(segment, draft, begin)
                plan.services.append(service)
                begin = begin or service.when.get("start", "")
        elif name in _PARTICIPANTS:
            found = _PARTICIPANTS[name](segment, draft, begin, deleted)
            label = _label(segment) or next((entry.get("actor", {}).get("display", "") for entry in found), "")
            plan.participants += [entry for entry in found if entry not in plan.participants]
        elif name == "APR":
            plan.comments += [f"{label}: {line}" if label else line for line in apr_to_comment(segment, draft)]
    return plan


def _label(segment: Segment) -> str:
    return words(segment.peek(3).c(2)) or words(segment.peek(3).c(1)) if segment.name in ("AIS", "AIG") else ""


def _comment(plan: Plan, nte: Segment, label: str, draft: Draft) -> None:
    """Keep a comment; one that says who wrote it, when or what kind it is also as an annotation."""
    annotation = nte_to_annotation(nte, draft)
    if annotation is None:
        return
    plan.origins.append(nte)
    if label:
        annotation = {**annotation, "text": f"{label}: {annotation['text']}"}
    plan.comments.append(annotation["text"])
    if len(annotation) > 1:
        plan.notes.append(annotation)


def open_people(draft: Draft) -> None:
    """Take the person and the visit, if the message names a person."""
    if draft.reader.first("PID") is None:
        return
    pid = open_message(draft)
    encounter = open_visit(draft, pid)
    relatives(draft)
    details(draft, encounter)
    observations(draft)


def complete(appointment: dict[str, Any], plan: Plan, draft: Draft) -> Resource:
    """Put person, services, participants, times and comments into an Appointment that has its status.

    Raises `MissingSegment` when nobody and nothing takes part.
    """
    extensions = appointment.setdefault("extension", [])
    contacts = appointment.get("participant", [])
    participants: list[Element] = []
    if draft.patient:
        extensions.append({"url": SUBJECT, "valueReference": reference(draft.patient)})
        when = _span(service.when for service in plan.services)
        participants.append(compact({"actor": reference(draft.patient), "status": "accepted", "period": when}))
    participants += plan.participants
    for entry in contacts:
        same = next((one for one in participants if one.get("actor") == entry["actor"]), None)
        if same is None:
            participants.append(entry)
        else:
            same["type"] = [*same.get("type", []), *entry["type"]]
    if not participants:
        raise faults.MissingSegment("PID")
    extensions += [{"url": NOTE, "valueAnnotation": note} for note in plan.notes]
    appointment["participant"] = participants
    appointment["serviceType"] = [service.kind for service in plan.services if service.kind]
    appointment.setdefault("priority", plan.timing.get("priority"))
    appointment["comment"] = "\n".join(plan.comments)
    if draft.encounter:
        appointment["supportingInformation"] = [reference(draft.encounter)]
    if len(plan.services) == 1 and not appointment.get("minutesDuration"):
        appointment["minutesDuration"] = plan.services[0].minutes or None
    start, end = times(appointment, plan)
    return _consistent(appointment, start, end)


def times(said: Element, plan: Plan) -> tuple[str, str]:
    """Give start and end: what SCH says, else TQ1, else the span of the services, else that of the participants."""
    whole = (
        said,
        plan.timing,
        _span(service.when for service in plan.services),
        _span(entry.get("period", {}) for entry in plan.participants),
    )
    for found in whole:
        if found.get("start"):
            start, end = found["start"], found.get("end", "")
            if "T" not in end:
                end = next((one["end"] for one in whole if one.get("start") == start and one.get("end")), end)
            return start, end
    return "", ""


def _span(periods: Iterable[Element]) -> Element:
    """Give the Period from the earliest start to the latest end."""
    known = [one for one in periods if one.get("start")]
    if not known:
        return {}
    ends = [one["end"] for one in known if one.get("end")]
    return compact({"start": min(one["start"] for one in known), "end": max(ends, default="")})


def ended(start: str, end: str, minutes: int) -> str:
    """Give the end of what starts at an instant: as told, else after its minutes, else when it starts."""
    if "T" in end and end >= start:
        return end
    return later(start, minutes) or start


def _consistent(appointment: dict[str, Any], start: str, end: str) -> Resource:
    """Make the times fit FHIR: both or neither, and instants (app-2, app-3).

    A date without a time of day is `requestedPeriod` of a proposed appointment, as the day is agreed and the hour is not. What
    has ended without FHIR allowing it to be without times is cancelled.
    """
    appointment.pop("start", "")
    appointment.pop("end", "")
    if "T" in start:
        appointment["start"] = start
        appointment["end"] = ended(start, end, appointment.get("minutesDuration") or 0)
    else:
        if start:
            appointment["requestedPeriod"] = [{"start": start, "end": end[: len(start)] or start}]
        if appointment["status"] not in _TIMELESS:
            over = appointment["status"] in ("entered-in-error", "noshow")
            appointment["status"] = "cancelled" if over else "proposed"
    return compact(appointment)


def cancelled_for(appointment: Resource, reason: Element | None) -> None:
    """Note why it was cancelled; FHIR allows a reason for that status only (app-4)."""
    if reason and appointment["status"] == "cancelled":
        appointment["cancelationReason"] = reason


def add_requests(draft: Draft, appointment: Resource, found: list[Resource], plan: Plan, origin: Segment) -> None:
    """Keep the orders an appointment is for, with the services as what is ordered; base the appointment on them.

    One service is that of every order; of several each order has the one at its place.
    """
    services = [service for service in plan.services if service.kind]
    ordered: list[Service] = []
    for n, request in enumerate(found):
        if n < len(services) or len(services) == 1:
            service = services[n] if n < len(services) else services[0]
            ordered.append(service)
            request["code"] = service.kind
            request["orderDetail"] = service.details
            request["occurrencePeriod"] = service.when
    if found:
        appointment["basedOn"] = [reference(draft.add(compact(request), origin)) for request in found]
    for service in plan.services:
        if service.details and not any(service is one for one in ordered):
            for n in (11, 12):
                if service.segment.peek(n):
                    service.segment.ignore(n, "supplement of a service without an order; R4 has no place for it")


def add_slots(draft: Draft, said: dict[str, Any], plan: Plan, schedule: Element | None, reason: Element | None) -> None:
    """Keep the times of S23 as busy and of S24 as free, one Slot per resource and its Schedule.

    Raises `MissingSegment` when it is not said whose times they are, `MissingField` when it is not said which.
    """
    context = draft.context
    origin = [*draft.reader.all("SCH"), *plan.origins]
    for segment in draft.reader.segments:
        for n in _OF_PARTICIPANTS.get(segment.name, ()):
            if segment.peek(n):
                segment.ignore(n, "blocked times have no participants")
    actors = [(entry["actor"], entry.get("period", {})) for entry in plan.participants if entry.get("actor")]
    if not actors and schedule:
        actors = [({"identifier": schedule}, {})]
    if not actors:
        raise faults.MissingSegment("AIL")
    start, end = times(said, plan)
    lines = [said.get("comment", ""), (reason or {}).get("text", ""), *plan.comments]
    for actor, when in actors:
        begin, until = (when["start"], when.get("end", "")) if when.get("start") else (start, end)
        if "T" not in begin:
            raise faults.MissingField("SCH-11")
        whose = actor.get("reference") or f"{actor.get('identifier', {}).get('value', '')}|{actor.get('display', '')}"
        system = context.systems.local(context.facility, "schedule")
        calendar = draft.add(
            compact(
                {
                    "resourceType": "Schedule",
                    "id": resource_id("Schedule", system, whose),
                    "identifier": [schedule] if schedule else [],
                    "actor": [actor],
                }
            ),
            *origin,
        )
        draft.add(
            compact(
                {
                    "resourceType": "Slot",
                    "id": resource_id("Slot", system, f"{said.get('id') or begin}|{whose}"),
                    "identifier": said.get("identifier"),
                    "serviceType": [service.kind for service in plan.services if service.kind],
                    "appointmentType": said.get("appointmentType"),
                    "schedule": reference(calendar),
                    "status": "busy-unavailable" if draft.event == "S23" else "free",
                    "start": begin,
                    "end": ended(begin, until, said.get("minutes", 0)),
                    "comment": "\n".join(dict.fromkeys(line for line in lines if line)),
                }
            ),
            *origin,
        )
