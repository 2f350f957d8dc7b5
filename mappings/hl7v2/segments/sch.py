"""SCH: the appointment.

Standard: HL7 v2.5.1 §10.6.1
"""

from __future__ import annotations

from typing import Any

from mappings import codes
from mappings.hl7v2 import faults
from mappings.hl7v2.actors import practitioners
from mappings.hl7v2.datatypes import Element, compact, cwe_to_codeable_concept, ei_to_identifier, nm_to_count
from mappings.hl7v2.draft import Draft, datetime_of
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments import LEDGER
from mappings.ids import resource_id

IGNORED = {
    3: "occurrence number; each occurrence has its own filler number",
    4: "group of appointments of the placer",
    5: "schedule of the filler",
    6: "reason of the notification; SCH-7 is the appointment's",
    13: "contact of the scheduling office",
    14: "contact of the scheduling office",
    15: "contact of the scheduling office",
    17: "contact of the scheduling office",
    18: "contact of the scheduling office",
    19: "contact of the scheduling office",
    20: LEDGER,
    21: LEDGER,
    22: LEDGER,
    23: "parent appointment",
    24: "parent appointment",
}

_STATUSES = {row.code.lower(): row.target for row in codes.table("v2-0278") if row.target}
_MINUTES = {
    "": 1,
    "M": 1,
    "MIN": 1,
    "MINUTES": 1,
    "PHÚT": 1,
    "H": 60,
    "HR": 60,
    "HOUR": 60,
    "HOURS": 60,
    "GIỜ": 60,
    "D": 1440,
}


def minutes(amount: str, unit: str) -> int:
    """Read a duration with its unit as whole minutes; 0 when it is none."""
    number = nm_to_count(amount)
    unit = unit.strip().upper()
    if unit in ("S", "SEC", "SECONDS"):
        return number // 60
    found = number * _MINUTES.get(unit, 0)
    return found if found < 2**31 else 0


def filler_status(code: str) -> str:
    """Give the Appointment.status of a code of HL7 table 0278, however it is written; `""` when there is none."""
    return _STATUSES.get(code.strip().lower(), "")


def sch_to_appointment(sch: Segment, draft: Draft) -> dict[str, Any]:
    """Make the Appointment, still without participants.

    Known by the filler's number SCH-2, else the placer's SCH-1, else by the message itself. `start` and `end` hold what SCH-11
    says, which may be a date only; the message module makes them fit the invariants of FHIR.
    """
    context = draft.context
    placer = ei_to_identifier(sch[1], context, "appointment-order", "PLAC")
    filler = ei_to_identifier(sch[2], context, "appointment", "FILL")
    number = filler or placer
    if number:
        system, key = number["system"], number["value"]
    else:
        system, key = context.systems.local(context.facility, "appointment"), draft.own_key(sch)
    status = filler_status(sch[25].c(1))
    if sch.peek(25) and not status:
        draft.notice(faults.CODE_UNKNOWN, sch.where(25))
        sch.give_back(25)
    reasons, kind = _reason_and_type(sch, draft)
    timing = sch[11]
    duration = minutes(sch[9].text, sch[10].c(1))
    for n in (9, 10):
        if sch.peek(n) and not duration:
            sch.give_back(n)
    based_on = [
        {"identifier": found, "type": "ServiceRequest"}
        for n, of in ((26, "order"), (27, "filler"))
        for ei in sch[n].repetitions
        if (found := ei_to_identifier(ei, context, of))
    ]
    people: list[Element] = []
    for n, said in ((16, "filler contact"), (12, "placer contact")):
        for person in practitioners(sch[n].repetitions, draft):
            if all(person != entry["actor"] for entry in people):
                people.append({"type": [{"text": said}], "actor": person, "status": "accepted"})
    return compact(
        {
            "resourceType": "Appointment",
            "id": resource_id("Appointment", system, key),
            "identifier": [found for found in (filler, placer) if found],
            "status": status or "booked",
            "appointmentType": kind,
            "reasonCode": reasons,
            "minutesDuration": duration or None,
            "start": datetime_of(timing.c(4), context) if timing.c(4) else "",
            "end": datetime_of(timing.c(5), context) if timing.c(5) else "",
            "basedOn": based_on,
            "participant": people,
        }
    )


def _reason_and_type(sch: Segment, draft: Draft) -> tuple[list[Element], Element | None]:
    context = draft.context
    reason = cwe_to_codeable_concept(sch[7], context, "v2-0276")
    kind = cwe_to_codeable_concept(sch[8], context, system="http://terminology.hl7.org/CodeSystem/v2-0277")
    return ([reason] if reason else []), kind
