"""One order as ServiceRequest, from all segments that speak of it: ORC, OBR, TQ1, IPC, ODS, ODT.

Standard: HL7 v2.5.1 §4.4, §7.3; HL7 v2-to-FHIR, ORC[ServiceRequest], OBR[ServiceRequest], TQ1[ServiceRequest]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from mappings.hl7v2.actors import ndl_to_practitioner, reference
from mappings.hl7v2.datatypes import Element, code_of, compact
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments.obr import Numbers, obr_to_service_request, section_of, service_of
from mappings.hl7v2.segments.orc import orc_to_service_request
from mappings.ids import resource_id
from mappings.outcome import Resource

_LISTS = ("extension", "identifier", "orderDetail", "reasonCode", "locationCode", "locationReference", "note")
_OCCURRENCES = ("occurrenceTiming", "occurrencePeriod", "occurrenceDateTime")
_REQUESTED = frozenset({5, 6, 11, 13, 16, 17, 26, 27, 28, 29, 31, 36, 43, 44, 45, 46, 47, 49, 50, 53, 54})
"""Fields of OBR that speak of the request."""


@dataclass
class Asked:
    """The parts of one order."""

    numbers: Numbers
    obr: Segment | None
    orc: Segment | None
    parts: list[dict[str, Any]] = field(default_factory=list)
    """What TQ1, IPC, ODS … told."""
    codes: list[Element] = field(default_factory=list)
    """What is ordered, where it is not OBR that tells: the first is the service, the others its details."""


def says_something(asked: Asked) -> bool:
    """Tell whether there is an order to speak of: a number, an ORC, or more in OBR than a result needs."""
    return bool(
        any(asked.numbers) or asked.orc or asked.parts or (asked.obr and not asked.obr.fields.isdisjoint(_REQUESTED))
    )


def request_of(asked: Asked, draft: Draft, key: str, report: Resource | None = None) -> dict[str, Any]:
    """Make the ServiceRequest; `key` makes its id when it has no number, `report` tells the rest of OBR."""
    obr, orc = asked.obr, asked.orc
    told = obr_to_service_request(obr, draft) if obr else {}
    ordered = orc_to_service_request(orc, draft, told.get("requester")) if orc else {}
    parts = [*asked.parts, told, ordered]
    placer, filler = asked.numbers
    number = placer or filler
    if number:
        system, value = number["system"], number["value"]
    else:
        system, value = draft.context.systems.local(draft.context.facility, "order"), key
    merged: dict[str, Any] = {name: _collected(parts, name) for name in _LISTS}
    for part in parts:
        for name, content in part.items():
            if name not in _LISTS and name not in _OCCURRENCES:
                merged.setdefault(name, content)
    for part in parts:
        name = next((one for one in _OCCURRENCES if one in part), "")
        if name:
            merged[name] = part[name]
            break
    if orc and "requester" in ordered:
        merged["requester"] = ordered["requester"]
    codes = list(asked.codes)
    if obr:
        service = report["code"] if report and "coding" in report["code"] else service_of(obr, draft)
        codes[:0] = [service] if service else []
    details = [*codes[1:], *merged.pop("orderDetail")]
    if not codes:
        codes, details = details[:1], details[1:]
    merged["identifier"] = _unique([*(found for found in asked.numbers if found), *merged["identifier"]])
    status = merged.pop("status", "")
    if obr and report is None and status and obr.peek(25):
        obr.ignore(25, "ORC tells the status of the order")
    elif obr and report is not None and obr.peek(25) and not (orc and orc.peek(5)):
        status = ""
    return compact(
        {
            "resourceType": "ServiceRequest",
            "id": resource_id("ServiceRequest", system, value),
            **merged,
            "status": status or _by_result(obr, report),
            "intent": merged.get("intent") or "order",
            **(_unreported(obr, draft) if obr and report is None else {}),
            "code": codes[0] if codes else {},
            "orderDetail": details,
            "subject": draft.subject,
            "encounter": reference(draft.encounter) if draft.encounter else {},
        }
    )


def _by_result(obr: Segment | None, report: Resource | None) -> str:
    """Tell the status of an order whose ORC-5 does not: done when its report is."""
    if obr is None:
        return "active"
    code = code_of(obr[25].text if report is None else obr.peek(25).text).upper()
    return {"F": "completed", "C": "completed", "X": "revoked"}.get(code, "active")


def _unreported(obr: Segment, draft: Draft) -> dict[str, Any]:
    """Give what OBR says of an order whose report is still to come."""
    people = [
        person for n in (32, 33, 34, 35) for ndl in obr[n].repetitions if (person := ndl_to_practitioner(ndl, draft))
    ]
    if obr.peek(22):
        obr.ignore(22, "time of a change of status; ORC-9 dates the order")
    return {"category": section_of(obr, draft), "performer": _unique(people)}


def _collected(parts: Sequence[dict[str, Any]], name: str) -> list[Any]:
    return _unique([one for part in parts for one in part.get(name, [])])


def _unique(found: Sequence[Any]) -> list[Any]:
    return list({repr(one): one for one in found}.values())
