"""SCH: the appointment, or the times that are blocked.

What ARQ asks for in the same words is read with the functions of this module too. The event decides the status together with
SCH-25: see `mappings.hl7v2.scheduling`.

Standard: HL7 v2.5.1 §10.6.1
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mappings import codes
from mappings.hl7v2 import faults
from mappings.hl7v2.actors import practitioners, reference
from mappings.hl7v2.addresses import xad_to_address, xtn_to_contact_point
from mappings.hl7v2.codings import cwe_to_codeable_concept
from mappings.hl7v2.datatypes import Element, compact, words
from mappings.hl7v2.draft import Draft, datetime_of
from mappings.hl7v2.identifiers import ei_to_identifier
from mappings.hl7v2.quantities import nm_to_count
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments.msh import participant
from mappings.hl7v2.site import replaceable
from mappings.hl7v2.timing import letters_to_length, minutes_of
from mappings.ids import resource_id
from mappings.outcome import Resource
from mappings.systems import V2_TABLE

MAPPED = {
    1: "Appointment.identifier | Slot.identifier",
    2: "Appointment.identifier | Slot.identifier",
    3: "Appointment.extension(extension-Appointment.recurrenceId)",
    5: "Schedule.identifier",
    6: "Appointment.cancelationReason | Provenance.reason",
    7: "Appointment.reasonCode | Appointment.appointmentType | Slot.comment",
    8: "Appointment.appointmentType | Slot.appointmentType",
    9: "Appointment.minutesDuration | Slot.end",
    10: "Appointment.minutesDuration | Slot.end",
    11: "Appointment.start | Appointment.requestedPeriod | Appointment.minutesDuration | Slot.start",
    12: "Appointment.participant.actor",
    13: "Practitioner.telecom",
    14: "Practitioner.address",
    16: "Appointment.participant.actor",
    17: "Practitioner.telecom",
    18: "Practitioner.address",
    20: "Appointment.participant.actor | Provenance.agent.who",
    21: "Practitioner.telecom",
    23: "Appointment.extension(extension-Appointment.originatingAppointment)",
    24: "Appointment.extension(extension-Appointment.originatingAppointment)",
    25: "Appointment.status",
    26: "ServiceRequest.identifier",
    27: "ServiceRequest.identifier",
}
IGNORED = {
    4: "group of appointments of the placer; an appointment has no group in R4",
    5: "schedule of the filler; an appointment names its participants, not their schedules",
    15: "where the contact sits; not where the appointment takes place",
    19: "where the contact sits; not where the appointment takes place",
    22: "where it was entered; not where the appointment takes place",
    28: "group of orders of the placer; the orders are SCH-26",
}

NOTE = "http://hl7.org/fhir/5.0/StructureDefinition/extension-Appointment.note"
SUBJECT = "http://hl7.org/fhir/5.0/StructureDefinition/extension-Appointment.subject"
_RECURRENCE = "http://hl7.org/fhir/5.0/StructureDefinition/extension-Appointment.recurrenceId"
_ORIGINATING = "http://hl7.org/fhir/5.0/StructureDefinition/extension-Appointment.originatingAppointment"

_STATUSES = {row.code.lower(): row.target for row in codes.table("v2-0278") if row.target}
_LONGEST = 2**31
"""Minutes that a positiveInt no longer holds."""


def minutes(amount: str, unit: str) -> int:
    """Read a duration as whole minutes, which a number without a unit is; 0 when it is none."""
    found = minutes_of(amount, unit.strip() or "min") or 0
    return found if found < _LONGEST else 0


def offset(amount: str, unit: str) -> int | None:
    """Read an offset in whole minutes, which may be negative or zero; `None` when it is none."""
    number = amount.strip()
    found = minutes_of(number.removeprefix("-"), unit.strip() or "min")
    if found is None or found >= _LONGEST:
        return None
    return -found if number.startswith("-") else found


def filler_status(code: str) -> str:
    """Give the Appointment.status of a code of HL7 table 0278, however it is written; `""` when there is none."""
    return _STATUSES.get(code.strip().lower(), "")


@replaceable
def sch_to_appointment(sch: Segment, draft: Draft) -> dict[str, Any]:
    """Make the Appointment, still without the resources that take part; its status is only what SCH-25 says, `""` when nothing.

    Known by the placer's number SCH-1, else the filler's SCH-2, with the occurrence SCH-3; else by the message itself. `start`
    and `end` hold what SCH-11 says, which may be a date only.
    """
    identifier, identifiers = appointment_numbers(sch, draft)
    status = filler_status(sch[25].c(1))
    if sch.peek(25) and not status:
        draft.notice(faults.CODE_UNKNOWN, sch.where(25))
        sch.give_back(25)
    reasons, kind = reason_and_type(sch, draft)
    start, end, length = _timing(sch, draft)
    people: list[Element] = []
    for person, telecom, address, said in ((16, 17, 18, "filler contact"), (12, 13, 14, "placer contact")):
        _join(people, contacts(sch, draft, person, telecom, address, {"text": said}))
    _join(people, contacts(sch, draft, 20, 21, 0, participant("enterer", "Enterer")))
    told_by(sch, 20, draft)
    return compact(
        {
            "resourceType": "Appointment",
            "id": identifier,
            "extension": occurrence(sch, draft, 3, 23, 24),
            "identifier": identifiers,
            "status": status,
            "appointmentType": kind,
            "reasonCode": reasons,
            "minutesDuration": duration(sch) or length,
            "start": start,
            "end": end,
            "participant": people,
        }
    )


def appointment_numbers(segment: Segment, draft: Draft) -> tuple[str, list[Element]]:
    """Give the id and the identifiers of the appointment that fields 1, 2 and 3 of SCH or ARQ name."""
    context = draft.context
    placer = ei_to_identifier(segment[1], context, "appointment-order", "PLAC")
    filler = ei_to_identifier(segment[2], context, "appointment", "FILL")
    number = placer or filler
    if number:
        system, key = number["system"], number["value"]
    else:
        system, key = context.systems.local(context.facility, "appointment"), draft.own_key(segment)
    nth = nm_to_count(segment.peek(3).text)
    return (
        resource_id("Appointment", system, f"{key}|{nth}" if nth else key),
        [found for found in (filler, placer) if found],
    )


def occurrence(segment: Segment, draft: Draft, nth: int, placer: int, filler: int) -> list[Element]:
    """Say which of a series the appointment is, and which it comes from."""
    found: list[Element] = []
    count = nm_to_count(segment[nth].text)
    if count:
        found.append({"url": _RECURRENCE, "valuePositiveInt": count})
    elif segment.peek(nth):
        segment.give_back(nth)
    for n, of in ((filler, "appointment"), (placer, "appointment-order")):
        parent = ei_to_identifier(segment[n], draft.context, of)
        if parent and len(found) < 2:
            origin = {"type": "Appointment", "identifier": parent}
            found.append({"url": _ORIGINATING, "valueReference": origin})
        elif parent:
            segment.ignore(n, "the filler's number of the same appointment is kept")
    return found


def reason_and_type(segment: Segment, draft: Draft) -> tuple[list[Element], Element | None]:
    """Take fields 7 and 8 of SCH or ARQ; a code of table 0277 in field 7 is a type and no reason."""
    context = draft.context
    kind = cwe_to_codeable_concept(segment[8], context, system=f"{V2_TABLE}0277")
    if segment.peek(7).c(3).strip().upper().removeprefix("HL7") == "0277" and kind is None:
        return [], cwe_to_codeable_concept(segment[7], context, system=f"{V2_TABLE}0277")
    reason = cwe_to_codeable_concept(segment[7], context, "v2-0276")
    return ([reason] if reason else []), kind


def duration(segment: Segment) -> int | None:
    """Take fields 9 and 10 of SCH or ARQ as minutes."""
    length = minutes(segment[9].text, segment[10].c(1))
    for n in (9, 10):
        if segment.peek(n) and not length:
            segment.give_back(n)
    return length or None


def _timing(sch: Segment, draft: Draft) -> tuple[str, str, int | None]:
    """Take start, end and length of SCH-11."""
    timing, context = sch[11], draft.context
    start = datetime_of(timing.c(4), context) if timing.c(4) else ""
    end = datetime_of(timing.c(5), context) if timing.c(5) else ""
    said = letters_to_length(timing.c(3))
    length = minutes(str(said[0]), said[1]) if said else 0
    if timing and not start and not length:
        sch.give_back(11)
    return start, end, length or None


def contacts(segment: Segment, draft: Draft, person: int, telecom: int, address: int, kind: Element) -> list[Element]:
    """Take people with their telephone and address; 0 stands for a field the segment does not have."""
    found = practitioners(segment[person].repetitions, draft)
    points = [p for xtn in segment[telecom].repetitions if (p := xtn_to_contact_point(xtn, draft.context, "work"))]
    places = [p for xad in segment[address].repetitions if (p := xad_to_address(xad, draft.context))] if address else []
    if found:
        practitioner = draft.get(found[0]["reference"])
        for name, values in (("telecom", points), ("address", places)):
            present = practitioner.get(name, [])
            more = [one for one in values if one not in present]
            if more:
                practitioner[name] = [*present, *more]
    for n, values in ((telecom, points), (address, places)):
        if n and segment.peek(n) and not (found and values):
            segment.give_back(n)
    return [{"type": [kind], "actor": one, "status": "accepted"} for one in found]


def told_by(segment: Segment, n: int, draft: Draft) -> None:
    """Name who entered it in the Provenance of the message."""
    provenance = draft.about[1]
    for person in practitioners(segment[n].repetitions, draft):
        provenance["agent"].append({"type": participant("enterer", "Enterer"), "who": person})


def event_reason(segment: Segment, draft: Draft) -> Element | None:
    """Take field 6 of SCH or ARQ, why the event came about, into the Provenance of the message."""
    reason = cwe_to_codeable_concept(segment[6], draft.context)
    if reason:
        draft.about[1].setdefault("reason", []).append(reason)
    return reason


def _join(present: list[Element], more: Sequence[Element]) -> None:
    for entry in more:
        same = next((one for one in present if one["actor"] == entry["actor"]), None)
        if same is None:
            present.append(entry)
        else:
            same["type"] = [*same["type"], *(kind for kind in entry["type"] if kind not in same["type"])]


@replaceable
def sch_to_service_requests(sch: Segment, draft: Draft, subject: str) -> list[Resource]:
    """Make the ServiceRequests an appointment is for: pairs of SCH-26 and SCH-27, known as order messages know them."""
    return requests(sch, draft, 26, 27, subject)


def requests(segment: Segment, draft: Draft, placer: int, filler: int, subject: str) -> list[Resource]:
    """Make a ServiceRequest of every pair of numbers in two repeating fields; an appointment keeps its order active."""
    if subject == "":
        for n in (placer, filler):
            if segment.peek(n):
                segment.give_back(n, "an order is for a patient, and the message names none")
        return []
    context = draft.context
    numbers = [
        [ei_to_identifier(ei, context, of, kind) for ei in segment[n].repetitions]
        for n, of, kind in ((placer, "order", "PLAC"), (filler, "filler", "FILL"))
    ]
    found: list[Resource] = []
    for i in range(max(len(numbers[0]), len(numbers[1]))):
        pair = [column[i] for column in numbers if i < len(column) and column[i]]
        identifiers = [number for number in pair if number]
        if not identifiers:
            continue
        first = identifiers[0]
        done = filler_status(segment.peek(25).c(1)) == "fulfilled" if segment.name == "SCH" else False
        found.append(
            {
                "resourceType": "ServiceRequest",
                "id": resource_id("ServiceRequest", first["system"], first["value"]),
                "identifier": identifiers,
                "status": "completed" if done else "active",
                "intent": "order",
                "subject": reference(subject),
            }
        )
    return found


@replaceable
def sch_to_slot(sch: Segment, draft: Draft) -> dict[str, Any]:
    """Give what SCH says of blocked times, for every schedule they are blocked in: still without schedule and status."""
    identifier, identifiers = appointment_numbers(sch, draft)
    kind = cwe_to_codeable_concept(sch[8], draft.context, system=f"{V2_TABLE}0277")
    start, end, length = _timing(sch, draft)
    told_by(sch, 20, draft)
    for n in sorted(sch.fields & set(MAPPED) - {1, 2, 5, 6, 7, 8, 9, 10, 11, 20}):
        sch.ignore(n, "blocked times have no such element")
    said = words(sch[7].c(2)) or words(sch[7].c(1))
    return compact(
        {
            "id": identifier if identifiers else "",
            "identifier": identifiers,
            "appointmentType": kind,
            "start": start,
            "end": end,
            "minutes": duration(sch) or length,
            "comment": said,
        }
    )
