"""TQ1: when an order or an appointment shall happen, how often, and how urgently.

Standard: HL7 v2.5.1 §4.5.4
"""

from __future__ import annotations

from typing import Any

from mappings import codes
from mappings.hl7v2.datatypes import Element, code_of, compact, words
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.quantities import nm_to_count
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments import SEQUENCE
from mappings.hl7v2.site import replaceable
from mappings.hl7v2.timing import (
    add_duration,
    add_times,
    bounded,
    cq_of,
    cq_to_duration,
    is_as_needed,
    occurrence,
    rpt_to_timing,
)

MAPPED = {
    2: "ServiceRequest.quantityQuantity | MedicationRequest.dispenseRequest.quantity | SupplyRequest.quantity",
    3: "ServiceRequest.occurrence | ServiceRequest.asNeeded | SupplyRequest.occurrence | MedicationRequest.dosageInstruction",
    4: "ServiceRequest.occurrence | SupplyRequest.occurrence | MedicationRequest.dosageInstruction",
    5: "ServiceRequest.occurrence | MedicationRequest.dosageInstruction",
    6: "ServiceRequest.occurrence | SupplyRequest.occurrence | MedicationRequest.dosageInstruction",
    7: "ServiceRequest.occurrence | SupplyRequest.occurrence | Appointment.start | Appointment.requestedPeriod.start"
    " | Slot.start | MedicationRequest.dosageInstruction",
    8: "ServiceRequest.occurrence | SupplyRequest.occurrence | Appointment.end | Appointment.requestedPeriod.end"
    " | Slot.end | MedicationRequest.dosageInstruction",
    9: "ServiceRequest.priority | SupplyRequest.priority | MedicationRequest.priority | Appointment.priority",
    10: "ServiceRequest.note | SupplyRequest.note | Appointment.comment | Slot.comment | MedicationRequest.note",
    11: "ServiceRequest.note | Appointment.comment | Slot.comment | MedicationRequest.note"
    " | MedicationRequest.dosageInstruction",
    13: "ServiceRequest.occurrence | MedicationRequest.dosageInstruction",
    14: "ServiceRequest.occurrence | SupplyRequest.occurrence | MedicationRequest.dosageInstruction",
}
IGNORED = {
    1: SEQUENCE,
    12: "conjunction of timings; FHIR has no order among them",
}


@replaceable
def tq1_to_timing(tq1: Segment, draft: Draft) -> Element:
    """Give `occurrence[x]`, `quantityQuantity`, `asNeededBoolean`, `priority` and `note` as a ServiceRequest has them."""
    code = code_of(tq1[9].c(1)).upper()
    urgency = codes.table("v2-0485").target(code)
    notes = [text for text in (words(tq1[10].whole), words(tq1[11].whole)) if text]
    found: dict[str, Any] = {"priority": urgency}
    if is_as_needed(code) or is_as_needed(tq1[3].c(1)):
        found["asNeededBoolean"] = True
    elif tq1.peek(9) and not urgency:
        tq1.give_back(9)
    if not tq1.fields.isdisjoint(_RARE):
        found |= _repeated(tq1, draft)
    else:
        found |= occurrence(bounded({}, draft.moment(tq1, 7), draft.moment(tq1, 8), {}))
    return compact({**found, "note": [{"text": text} for text in notes]})


_RARE = frozenset({2, 3, 4, 5, 6, 13, 14})


def _repeated(tq1: Segment, draft: Draft) -> Element:
    timing = rpt_to_timing(tq1[3]) if tq1.peek(3) else {}
    repeat = timing.setdefault("repeat", {})
    if tq1.peek(4) and not add_times(repeat, [tm.c(1) for tm in tq1[4].repetitions]):
        tq1.give_back(4)
    if tq1.peek(5):
        away = cq_to_duration(tq1[5])
        minutes = _minutes(away) if away and "when" in repeat and "offset" not in repeat else 0
        if minutes and repeat["when"][0] not in ("C", "CM", "CD", "CV"):
            repeat["offset"] = minutes
        else:
            tq1.give_back(5, "FHIR only tells the distance from a meal or sleep")
    add_duration(repeat, cq_to_duration(tq1[13]))
    if tq1.peek(13) and "duration" not in repeat:
        tq1.give_back(13)
    total = nm_to_count(tq1[14].text)
    if total:
        repeat["count"] = total
    elif tq1.peek(14):
        tq1.give_back(14)
    start, end, length = draft.moment(tq1, 7), draft.moment(tq1, 8), cq_to_duration(tq1[6])
    if tq1.peek(6) and (not length or start or end):
        tq1.give_back(6, "start and end tell the duration" if length else "not a length of time")
        length = {}
    found = occurrence(bounded(timing, start, end, length))
    amount = cq_of(tq1[2], draft.context)
    if amount:
        found["quantityQuantity"] = amount
    elif tq1.peek(2):
        tq1.ignore(2, "one service is asked for")
    return found


def _minutes(length: Element) -> int:
    factor = {"min": 1, "h": 60, "d": 1440, "wk": 10080}.get(length["code"], 0)
    return int(length["value"] * factor)


PRIORITIES = {"S": 1, "STAT": 1, "T": 2, "U": 2, "A": 3, "ASAP": 3, "R": 5, "ROUTINE": 5, "PRN": 9}
"""Codes of table 0485 as priorities of iCalendar: 1 is the highest, 9 the lowest. Standard: RFC 5545 §3.8.1.9"""


@replaceable
def tq1_to_appointment(tq1: Segment, draft: Draft) -> Element:
    """Give `start`, `end`, `priority` and `comment` as an Appointment has them."""
    urgency = PRIORITIES.get(code_of(tq1[9].c(1)).upper())
    if tq1.peek(9) and urgency is None:
        tq1.give_back(9)
    for n in tq1.fields & _RARE:
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
