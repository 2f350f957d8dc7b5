"""One order on its way through a message, and what is made of it when it ends: request, specimen, report.

Standard: HL7 v2.5.1 §4.4, §7.3
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from mappings.hl7v2.actors import reference
from mappings.hl7v2.datatypes import Element
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.links import Family, Links
from mappings.hl7v2.order_people import to_order
from mappings.hl7v2.participation import Participation
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.requests import Asked, request_of, says_something
from mappings.hl7v2.segments.ipc import ipc_to_imaging_study
from mappings.hl7v2.segments.obr import obr_completes_specimen, obr_times_specimen, obr_to_specimen
from mappings.hl7v2.segments.orc import confidentiality, orc_to_provenance
from mappings.outcome import Resource

_STUDY = "http://hl7.org/fhir/StructureDefinition/workflow-researchStudy"


@dataclass
class Order:
    """One order on its way through the message."""

    obr: Segment | None
    orc: Segment | None
    asked: Asked
    family: Family
    key: str
    report: dict[str, Any] | None
    category: list[Element] = field(default_factory=list)
    effective: str = ""
    results: list[Element] = field(default_factory=list)
    supporting: list[Element] = field(default_factory=list)
    specimens: list[Element] = field(default_factory=list)
    statuses: list[str] = field(default_factory=list)
    reasons: list[Element] = field(default_factory=list)
    imaging: list[Segment] = field(default_factory=list)
    extensions: list[tuple[str, Element]] = field(default_factory=list)
    """Extensions of the report, else of the request: name and value."""
    people: list[Participation] = field(default_factory=list)
    origins: list[Segment] = field(default_factory=list)


def close(order: Order, draft: Draft, links: Links) -> None:
    """Finish an order: specimen, request, report."""
    _specimens(order, draft)
    request = _request(order, draft)
    links.add(order.family)
    if order.report is not None:
        _report(order, order.report, request, draft)


def _specimens(order: Order, draft: Draft) -> None:
    obr = order.obr
    if obr is None:
        return
    for known in order.specimens:
        obr_completes_specimen(obr, draft, draft.get(known["reference"]))
    if not order.specimens:
        specimen = obr_to_specimen(obr, draft, order.key)
        if specimen:
            order.specimens.append(reference(draft.add(specimen, obr)))
    if order.report is None and not obr.fields.isdisjoint({7, 8}):
        first = draft.get(order.specimens[0]["reference"]) if len(order.specimens) == 1 else {}
        obr_times_specimen(obr, draft, first)


def _request(order: Order, draft: Draft) -> Resource | None:
    if order.report is not None and not order.people and not says_something(order.asked):
        return None
    request = request_of(order.asked, draft, order.key, order.report)
    if order.reasons:
        request["reasonReference"] = order.reasons
    if order.supporting:
        request["supportingInfo"] = order.supporting
    if order.specimens and order.report is None:
        request["specimen"] = order.specimens
    if order.report is None:
        for name, value in order.extensions:
            url = f"{draft.context.systems.own}/StructureDefinition/{name}"
            request.setdefault("extension", []).append({"url": url, **value})
    for part in order.people:
        to_order(part, request, order.report, [draft.get(one["reference"]) for one in order.specimens], draft)
    target = draft.add(request, *order.origins)
    order.family.request = draft.get(target)
    if order.orc is not None:
        told = orc_to_provenance(order.orc, draft, target, order.key)
        if told:
            draft.add(told, order.orc)
    for ipc in order.imaging:
        study = ipc_to_imaging_study(ipc, draft, target)
        if study:
            draft.add(study, ipc)
    return request


def _report(order: Order, report: dict[str, Any], request: Resource | None, draft: Draft) -> None:
    if request is not None:
        report["basedOn"] = [reference(f"ServiceRequest/{request['id']}")]
    if order.orc is not None:
        labels = confidentiality(order.orc, draft)
        if labels:
            report["meta"] = {"security": labels}
    if order.specimens:
        report["specimen"] = order.specimens
        for result in order.results if len(order.specimens) == 1 else ():
            draft.get(result["reference"]).setdefault("specimen", order.specimens[0])
    if order.results:
        report["result"] = order.results
    for name, value in order.extensions:
        own = f"{draft.context.systems.own}/StructureDefinition/{name}"
        url = _STUDY if name == "research-study" else own
        report.setdefault("extension", []).append({"url": url, **value})
    if "status" not in report:
        report["status"] = _status(order.statuses)
    draft.add(report, *order.origins)


def _status(statuses: list[str]) -> str:
    """Tell the status of a report without OBR-25 from its results."""
    if statuses and all(status in ("final", "corrected", "amended") for status in statuses):
        return "final"
    if any(status in ("final", "corrected", "amended") for status in statuses):
        return "partial"
    return "preliminary" if "preliminary" in statuses else "unknown"
