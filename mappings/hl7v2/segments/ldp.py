"""LDP: a department that works at a place.

Standard: HL7 v2.5.1 §8.9.5
"""

from __future__ import annotations

from typing import Any

from mappings.hl7v2.actors import reference, this_facility
from mappings.hl7v2.addresses import xtn_to_contact_point
from mappings.hl7v2.codings import cwe_to_codeable_concept
from mappings.hl7v2.datatypes import Components, Element, code_of, compact, words
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments import BILLING
from mappings.hl7v2.segments.mfe import in_force
from mappings.hl7v2.site import replaceable
from mappings.hl7v2.timing import time_of_day
from mappings.ids import resource_id
from mappings.outcome import Resource
from mappings.systems import V2_TABLE

MAPPED = {
    2: "HealthcareService.identifier | HealthcareService.name",
    3: "HealthcareService.type",
    4: "HealthcareService.specialty",
    6: "HealthcareService.active",
    8: "HealthcareService.notAvailable.during",
    9: "HealthcareService.notAvailable.description",
    10: "HealthcareService.availableTime",
    11: "HealthcareService.telecom",
}
IGNORED = {
    1: "place; LOC-1 names it",
    5: "classes of patients; a visit tells its own",
    7: "day it opened; no element of HealthcareService",
    9: "why it is closed; only with the day",
    12: BILLING,
}

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY_CODES = {
    "MON": "mon",
    "TUE": "tue",
    "WED": "wed",
    "THU": "thu",
    "FRI": "fri",
    "SAT": "sat",
    "SUN": "sun",
}


@replaceable
def ldp_to_healthcare_service(ldp: Segment, place: Resource, draft: Draft, active: bool | None) -> Resource | None:
    """Make the HealthcareService of the department at the place; nothing without a department."""
    context = draft.context
    code, name = code_of(ldp[2].c(1)), words(ldp[2].c(2))
    if not code and not name:
        return None
    system = context.systems.local(context.facility, "department")
    points = xtn_to_contact_point(ldp[11], context, "work")
    service: dict[str, Any] = {
        "resourceType": "HealthcareService",
        "id": resource_id("HealthcareService", system, f"{code or name}|Location/{place['id']}"),
        "identifier": [{"system": system, "value": code}] if code else [],
        "active": in_force(ldp, 6, active),
        "providedBy": this_facility(draft),
        "type": [
            found
            for cwe in ldp[3].repetitions
            if (found := cwe_to_codeable_concept(cwe, context, system=f"{V2_TABLE}0069"))
        ],
        "specialty": [found for cwe in ldp[4].repetitions if (found := cwe_to_codeable_concept(cwe, context))],
        "location": [reference(f"Location/{place['id']}")],
        "name": name or code,
        "telecom": [points] if points else [],
        "availableTime": _hours(ldp),
        "notAvailable": _closed(ldp, draft),
    }
    return compact(service)


def _closed(ldp: Segment, draft: Draft) -> list[Element]:
    since = draft.moment(ldp, 8)
    if not since:
        return []
    return [{"description": words(ldp[9].whole) or "ngừng hoạt động", "during": {"start": since}}]


def _hours(ldp: Segment) -> list[Element]:
    """Take LDP-10 (VH: first day, last day, opening, closing)."""
    found = [hours for vh in ldp[10].repetitions if (hours := vh_to_hours(vh))]
    if ldp.peek(10) and not found:
        ldp.give_back(10)
    return found


def vh_to_hours(vh: Components) -> Element:
    """Make the days and hours of VH; nothing of days that are none."""
    first, last = (_DAY_CODES.get(vh.c(n).strip().upper()[:3], "") for n in (1, 2))
    opens, closes = time_of_day(vh.c(3)), time_of_day(vh.c(4))
    days: list[str] = []
    if first:
        start, end = _DAYS.index(first), _DAYS.index(last or first)
        days = [_DAYS[n % 7] for n in range(start, (end if end >= start else end + 7) + 1)]
    return compact({"daysOfWeek": days, "availableStartTime": opens, "availableEndTime": closes})
