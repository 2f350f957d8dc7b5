"""SIU^S12: a new appointment; in Vietnam above all the re-examination appointment.

Standard: HL7 v2.5.1 §10.4
Requirement: S3.15
"""

from __future__ import annotations

from typing import Any

from mappings.hl7v2 import faults
from mappings.hl7v2.actors import reference
from mappings.hl7v2.datatypes import compact, later
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.segments.aig import aig_to_participant
from mappings.hl7v2.segments.ail import ail_to_participants
from mappings.hl7v2.segments.aip import aip_to_participants
from mappings.hl7v2.segments.ais import ais_to_service
from mappings.hl7v2.segments.nte import nte_to_annotation
from mappings.hl7v2.segments.sch import sch_to_appointment
from mappings.hl7v2.segments.tq1 import tq1_to_timing
from mappings.hl7v2.visit import details, observations, open_message, open_visit, relatives

TRIGGERS = ("SIU^S12",)


def map_message(draft: Draft) -> None:
    """Map an appointment; the visit it was made in is its supporting information.

    Raises `MissingSegment` without SCH.
    """
    sch = draft.reader.first("SCH")
    if sch is None:
        raise faults.MissingSegment("SCH")
    pid = open_message(draft)
    encounter = open_visit(draft, pid)
    relatives(draft)
    details(draft, encounter)
    appointment = sch_to_appointment(sch, draft)
    _resources(draft, appointment)
    observations(draft)
    if draft.encounter:
        appointment["supportingInformation"] = [reference(draft.encounter)]
    draft.add(_consistent(appointment))


def _resources(draft: Draft, appointment: dict[str, Any]) -> None:
    """Take timing, services, participants and comments."""
    participants = [{"actor": reference(draft.patient), "status": "accepted"}]
    comments: list[str] = []
    after_result = False
    for segment in draft.reader.segments:
        name = segment.name
        if name == "TQ1":
            timing = tq1_to_timing(segment, draft)
            span = timing.get("occurrencePeriod", {})
            appointment.setdefault("start", span.get("start", ""))
            appointment.setdefault("end", span.get("end", ""))
            comments += [note["text"] for note in timing.get("note", [])]
        elif name == "AIS":
            _service(appointment, ais_to_service(segment, draft))
        elif name == "AIG":
            one = aig_to_participant(segment, draft)
            participants += [one] if one else []
        elif name == "AIL":
            participants += ail_to_participants(segment, draft)
        elif name == "AIP":
            participants += aip_to_participants(segment, draft)
        elif name == "NTE" and not after_result:
            annotation = nte_to_annotation(segment, draft)
            comments += [annotation["text"]] if annotation else []
        after_result = name == "OBX" or (after_result and name == "NTE")
    known = [entry["actor"] for entry in participants]
    participants += [entry for entry in appointment.get("participant", []) if entry["actor"] not in known]
    appointment["participant"] = participants
    if comments:
        appointment["comment"] = "\n".join(comments)


def _service(appointment: dict[str, Any], service: dict[str, Any]) -> None:
    appointment.setdefault("serviceType", []).extend(service.get("serviceType", []))
    for name in ("start", "minutesDuration"):
        if service.get(name):
            appointment.setdefault(name, service[name])


def _consistent(appointment: dict[str, Any]) -> dict[str, Any]:
    """Make the times fit FHIR: both or neither, and instants.

    A date without a time of day is `requestedPeriod` of a proposed appointment, as the day is agreed and the hour is not. A
    start without an end ends after `minutesDuration`; without a duration it ends when it starts.
    """
    start, end = appointment.pop("start", ""), appointment.pop("end", "")
    length = appointment.get("minutesDuration", 0)
    if "T" in start:
        if "T" not in end or end < start:
            end = later(start, length) or start
        appointment["start"], appointment["end"] = start, end
    else:
        if start:
            appointment["requestedPeriod"] = [{"start": start, "end": end[: len(start)] or start}]
        if appointment["status"] not in ("cancelled", "waitlist", "proposed"):
            appointment["status"] = "proposed"
    return compact(appointment)
