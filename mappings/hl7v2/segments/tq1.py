"""TQ1: when an order or an appointment shall happen, how often, and how urgently.

Standard: HL7 v2.5.1 §4.5.4
"""

from __future__ import annotations

from mappings.hl7v2.datatypes import Element, code_of, compact, period, words
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.quantities import cq_to_quantity, nm_to_count
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments import SEQUENCE
from mappings.hl7v2.site import replaceable
from mappings.hl7v2.timing import (
    Timed,
    bound,
    cq_to_length,
    hangs_on_event,
    is_as_needed,
    minutes_of,
    take_pattern,
    timed_to_request,
    times_of_day,
    timing_of,
    urgency,
)

MAPPED = {
    2: "ServiceRequest.quantityQuantity | MedicationRequest.dispenseRequest.quantity | SupplyRequest.quantity"
    " | MedicationRequest.dosageInstruction.doseAndRate.dose",
    3: "ServiceRequest.occurrence | ServiceRequest.asNeeded | SupplyRequest.occurrence"
    " | MedicationRequest.dosageInstruction.timing | MedicationDispense.dosageInstruction.timing"
    " | MedicationRequest.dosageInstruction.asNeeded",
    4: "ServiceRequest.occurrence | SupplyRequest.occurrence | MedicationRequest.dosageInstruction.timing"
    " | MedicationDispense.dosageInstruction.timing",
    5: "ServiceRequest.occurrence | MedicationRequest.dosageInstruction.timing"
    " | MedicationDispense.dosageInstruction.timing",
    6: "ServiceRequest.occurrence | SupplyRequest.occurrence | MedicationRequest.dosageInstruction.timing"
    " | MedicationDispense.dosageInstruction.timing",
    7: "ServiceRequest.occurrence | SupplyRequest.occurrence | Appointment.start | Appointment.requestedPeriod.start"
    " | Slot.start | MedicationRequest.dosageInstruction.timing | MedicationDispense.dosageInstruction.timing",
    8: "ServiceRequest.occurrence | SupplyRequest.occurrence | Appointment.end | Appointment.requestedPeriod.end"
    " | Slot.end | MedicationRequest.dosageInstruction.timing | MedicationDispense.dosageInstruction.timing",
    9: "ServiceRequest.priority | SupplyRequest.priority | MedicationRequest.priority | Appointment.priority"
    " | MedicationRequest.dosageInstruction.asNeeded | MedicationDispense.dosageInstruction",
    10: "ServiceRequest.note | SupplyRequest.note | Appointment.comment | Slot.comment | MedicationRequest.note"
    " | MedicationRequest.dosageInstruction.additionalInstruction | MedicationDispense.dosageInstruction",
    11: "ServiceRequest.note | Appointment.comment | Slot.comment | MedicationRequest.note"
    " | MedicationRequest.dosageInstruction.text | MedicationDispense.dosageInstruction.text",
    13: "ServiceRequest.occurrence | MedicationRequest.dosageInstruction.timing"
    " | MedicationDispense.dosageInstruction.timing",
    14: "ServiceRequest.occurrence | SupplyRequest.occurrence | MedicationRequest.dosageInstruction.timing"
    " | MedicationDispense.dosageInstruction.timing",
}
IGNORED = {
    1: SEQUENCE,
    12: "conjunction of timings; FHIR has no order among them",
}


_REPEATED = frozenset({2, 3, 4, 5, 6, 13, 14})


def tq1_to_timed(tq1: Segment, draft: Draft) -> Timed:
    """Read TQ1, whatever it times.

    A duration beside a start or an end gives the other end; beside both it is given back.
    """
    found = Timed()
    for cwe in tq1[9].repetitions:
        found.as_needed |= is_as_needed(cwe.c(1))
        found.priority = found.priority or urgency(cwe.c(1))
    if tq1.peek(9) and not found.priority and not found.as_needed:
        tq1.give_back(9)
    if tq1.fields.isdisjoint(_REPEATED):
        limits = period(draft.moment(tq1, 7), draft.moment(tq1, 8))
        found.timing = {"repeat": {"boundsPeriod": limits}} if limits else {}
    else:
        _take_repetition(tq1, found, draft)
    found.condition, found.text = words(tq1[10].whole), words(tq1[11].whole)
    found.in_turn = code_of(tq1.peek(12).text).upper() != "A"
    return found


def _take_repetition(tq1: Segment, found: Timed, draft: Draft) -> None:
    repeat: Element = {}
    code: Element | None = None
    for rpt in tq1[3].repetitions:
        code = take_pattern(rpt, repeat, found, draft.context) or code
    _take_offset(tq1, repeat)
    _take_bounds(tq1, repeat, draft)
    each = cq_to_length(tq1[13])
    if each:
        repeat |= {"duration": each[0], "durationUnit": each[1]}
    elif tq1.peek(13):
        tq1.give_back(13)
    count = nm_to_count(tq1[14].text)
    if count:
        repeat["count"] = count
    elif tq1.peek(14):
        tq1.give_back(14)
    times = times_of_day([tm.c(1) for tm in tq1[4].repetitions])
    found.timing = timing_of(repeat, times, code)
    if tq1.peek(4) and not times:
        tq1.give_back(4)
    elif times and "timeOfDay" not in found.timing.get("repeat", {}):
        tq1.give_back(4, "clock times beside a pattern that they cannot stand with")
    found.dose = cq_to_quantity(tq1[2])
    if tq1.peek(2) and found.dose is None:
        tq1.give_back(2)


def _take_offset(tq1: Segment, repeat: Element) -> None:
    if not tq1.peek(5):
        return
    away = minutes_of(tq1[5].c(1), tq1[5].c(2))
    if away is None or "offset" in repeat or not hangs_on_event(repeat):
        tq1.give_back(5, "relative time without an event to count from")
    else:
        repeat["offset"] = away


def _take_bounds(tq1: Segment, repeat: Element, draft: Draft) -> None:
    start, end = draft.moment(tq1, 7), draft.moment(tq1, 8)
    length = cq_to_length(tq1[6])
    if tq1.peek(6):
        if start and end:
            tq1.ignore(6, "start and end tell the duration")
            length = None
        elif length is None:
            tq1.give_back(6, "not a length of time")
    bound(repeat, start, end, length)
    if length and (start or end) and repeat.get("boundsPeriod") == period(start, end):
        tq1.give_back(6, "duration that cannot be reckoned from a time so imprecise")


@replaceable
def tq1_to_timing(tq1: Segment, draft: Draft) -> Element:
    """Give `occurrence[x]`, `quantityQuantity`, `asNeededBoolean`, `priority` and `note` as a ServiceRequest has them."""
    timed = tq1_to_timed(tq1, draft)
    found = timed_to_request(timed)
    if timed.dose and "quantityQuantity" not in found:
        tq1.ignore(2, "one service is asked for")
    return found


PRIORITIES = {"S": 1, "STAT": 1, "T": 2, "U": 2, "A": 3, "ASAP": 3, "R": 5, "ROUTINE": 5, "PRN": 9}
"""Codes of table 0485 as priorities of iCalendar: 1 is the highest, 9 the lowest. Standard: RFC 5545 §3.8.1.9"""


@replaceable
def tq1_to_appointment(tq1: Segment, draft: Draft) -> Element:
    """Give `start`, `end`, `priority` and `comment` as an Appointment has them."""
    urgency = PRIORITIES.get(code_of(tq1[9].c(1)).upper())
    if tq1.peek(9) and urgency is None:
        tq1.give_back(9)
    for n in tq1.fields & _REPEATED:
        tq1.ignore(n, "repetition; R4 has single appointments only, each comes with its own number")
    lines = [text for text in (words(tq1[10].whole), words(tq1[11].whole)) if text]
    return compact(
        {
            "start": draft.moment(tq1, 7),
            "end": draft.moment(tq1, 8),
            "priority": urgency,
            "comment": "\n".join(lines),
        }
    )
