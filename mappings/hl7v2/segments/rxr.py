"""RXR: route, site, method and device of a medicine.

Standard: HL7 v2.5.1 §4.14.2
"""

from __future__ import annotations

from mappings.hl7v2.actors import reference
from mappings.hl7v2.codings import cwe_to_codeable_concept
from mappings.hl7v2.datatypes import Element, code_of, compact, words
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.site import replaceable
from mappings.ids import resource_id
from mappings.systems import V2_TABLE

_DOSAGES = (
    "MedicationRequest.dosageInstruction",
    "MedicationDispense.dosageInstruction",
    "MedicationAdministration.dosage",
)


def _everywhere(element: str, *more: str) -> str:
    return " | ".join([*(f"{dosage}.{element}" for dosage in _DOSAGES), *more])


MAPPED = {
    1: _everywhere("route", "Immunization.route"),
    2: _everywhere("site", "Immunization.site"),
    3: "MedicationAdministration.device",
    4: _everywhere("method"),
    5: _everywhere("additionalInstruction"),
    6: _everywhere("site", "Immunization.site"),
}
IGNORED = {
    3: "device; only an administration has an element for it",
    4: "method; Immunization has no such element",
    5: "routing instruction; only an order has an element for it",
}


@replaceable
def rxr_to_dosage(rxr: Segment, draft: Draft) -> Element:
    """Give `route`, `site`, `method` and `additionalInstruction` of Dosage; a modifier becomes part of the site."""
    context = draft.context
    instruction = cwe_to_codeable_concept(rxr[5], context)
    return compact(
        {
            **rxr_to_route(rxr, draft),
            "method": cwe_to_codeable_concept(rxr[4], context, "v2-0165"),
            "additionalInstruction": [instruction] if instruction else [],
        }
    )


@replaceable
def rxr_to_route(rxr: Segment, draft: Draft) -> Element:
    """Give `route` and `site`, as Immunization has them too."""
    context = draft.context
    site = cwe_to_codeable_concept(rxr[2], context, "v2-0163")
    modifier = words(rxr[6].c(2)) or words(rxr[6].c(1))
    if modifier and site:
        shown = site.get("text") or next((c["display"] for c in site["coding"] if c.get("display")), "")
        site = {**site, "text": f"{shown}, {modifier}" if shown else modifier}
    elif modifier:
        site = cwe_to_codeable_concept(rxr[6], context, system=f"{V2_TABLE}0495")
    return compact({"route": cwe_to_codeable_concept(rxr[1], context, "v2-0162"), "site": site})


@replaceable
def rxr_to_device(rxr: Segment, draft: Draft) -> Element | None:
    """Make the Device with which the medicine was given, known by its kind."""
    kind = cwe_to_codeable_concept(rxr[3], draft.context, system=f"{V2_TABLE}0164")
    if kind is None:
        return None
    system = draft.context.systems.local(draft.context.facility, "device-kind")
    key = code_of(rxr[3].c(1)) or words(rxr[3].c(2))
    target = draft.add({"resourceType": "Device", "id": resource_id("Device", system, key), "type": kind}, rxr)
    return reference(target)
