"""OMS, OMN: what a ward asks of the store.

Standard: HL7 v2.5.1 §4.10.1, §4.10.3
"""

from __future__ import annotations

from typing import Any

from mappings.hl7v2 import faults
from mappings.hl7v2.datatypes import compact
from mappings.hl7v2.details import details
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments.obr import order_numbers
from mappings.hl7v2.segments.orc import order_status, requester_of
from mappings.hl7v2.segments.rq1 import rq1_to_supply_request
from mappings.hl7v2.segments.rqd import rqd_to_supply_request
from mappings.hl7v2.segments.tq1 import tq1_to_timing
from mappings.hl7v2.visit import open_message, open_visit, relatives
from mappings.ids import resource_id

TRIGGERS = ("OMS^O05", "OMN^O07")

_STATUS = {"on-hold": "suspended", "revoked": "cancelled"}


def map_message(draft: Draft) -> None:
    """Map requisitions: one SupplyRequest for each thing asked for. They need not be about a patient.

    Raises `MissingSegment` without RQD: nothing is asked for then.
    """
    if draft.reader.first("RQD") is None:
        raise faults.MissingSegment("RQD")
    if draft.reader.first("PID") is not None:
        pid = open_message(draft)
        encounter = open_visit(draft, pid)
        relatives(draft)
        details(draft, encounter)
    orc: Segment | None = None
    timing: dict[str, Any] = {}
    request: dict[str, Any] = {}
    origins: list[Segment] = []
    for segment in draft.reader.segments:
        if segment.name in ("ORC", "RQD"):
            _keep(draft, request, origins)
            request, origins = {}, []
        if segment.name == "ORC":
            orc, timing = segment, {}
        elif segment.name == "TQ1":
            timing = tq1_to_timing(segment, draft)
        elif segment.name == "RQD":
            request = _request(segment, orc, timing, draft)
            origins = [segment, *([orc] if orc else [])]
        elif segment.name == "RQ1" and request:
            request |= rq1_to_supply_request(segment, draft)
            origins.append(segment)
    _keep(draft, request, origins)


def _keep(draft: Draft, request: dict[str, Any], origins: list[Segment]) -> None:
    if request.get("itemCodeableConcept"):
        draft.add(compact(request), *origins)


def _request(rqd: Segment, orc: Segment | None, timing: dict[str, Any], draft: Draft) -> dict[str, Any]:
    context = draft.context
    numbers = [number for number in order_numbers(None, orc, draft) if number]
    told = rqd_to_supply_request(rqd, draft)
    status = order_status(orc) if orc else ""
    if numbers:
        system, key = numbers[0]["system"], numbers[0]["value"]
    else:
        system, key = context.systems.local(context.facility, "order"), draft.own_key(rqd)
    count = draft.nth(f"SupplyRequest|{system}|{key}")
    for name in ("occurrencePeriod", "occurrenceTiming", "priority"):
        if name in timing and not (name.startswith("occurrence") and "occurrenceDateTime" in told):
            told[name] = timing[name]
    return {
        "resourceType": "SupplyRequest",
        "id": resource_id("SupplyRequest", system, key if count == 1 else f"{key}|{count}"),
        "identifier": numbers,
        "status": _STATUS.get(status, status) or "active",
        **told,
        "authoredOn": draft.moment(orc, 9) if orc else "",
        "requester": requester_of(orc, draft) if orc else {},
    }
