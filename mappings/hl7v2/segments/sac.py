"""SAC: the container a specimen stands in.

Analyser logistics (carriers, trays, geometry, serum indices) is left out.

Standard: HL7 v2.5.1 §13.4.3; v2.8.2 §13.4.3
"""

from __future__ import annotations

from typing import Any

from mappings.hl7v2.actors import reference
from mappings.hl7v2.codings import cwe_to_codeable_concept
from mappings.hl7v2.datatypes import Element, Subcomponents, compact, words
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.identifiers import ei_to_identifier
from mappings.hl7v2.quantities import cwe_to_unit, nm_to_decimal, quantity
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments.obr import sps_to_specimen
from mappings.hl7v2.segments.spm import HANDLING
from mappings.hl7v2.site import replaceable
from mappings.ids import resource_id
from mappings.outcome import Resource

_CARRIER = "carrier, tray and place in the analyser; logistics"
_GEOMETRY = "measures of the tube; logistics"
_INDEX = "index of the serum, told by the analyser for its own use"
MAPPED = {
    2: "Specimen.accessionIdentifier",
    3: "Specimen.container.identifier",
    4: "Specimen.container.identifier | Specimen.identifier",
    6: "Specimen.type | Specimen.note | Specimen.collection | Specimen.container",
    7: "Specimen.receivedTime",
    21: "Specimen.container.capacity",
    22: "Specimen.container.specimenQuantity",
    23: "Specimen.collection.quantity",
    24: "Specimen.container.capacity.unit | Specimen.container.specimenQuantity.unit | Specimen.collection.quantity.unit",
    27: "Specimen.container.additive",
    43: "Specimen.collection.extension(specimen-specialHandling)",
    49: "Specimen.container.description",
}
IGNORED = {
    1: "accession number of the sending laboratory; SAC-2 is the one here",
    5: "number of the container in the analyser; logistics",
    8: "state of the container in the analyser; logistics",
    **dict.fromkeys(range(9, 16), _CARRIER),
    **dict.fromkeys(range(16, 21), _GEOMETRY),
    25: "separator; logistics",
    26: "cap; logistics",
    28: "component of the specimen; SPM-4 tells the type",
    29: "dilution; the result tells the value",
    30: "treatment; logistics",
    31: "temperature; logistics",
    **dict.fromkeys(range(32, 40), _INDEX),
    40: "contaminant; SPM-24 tells the condition",
    41: "interference; the result tells it",
    42: "artificial blood; the result tells it",
    44: "other factors of the surroundings; logistics",
    **dict.fromkeys(range(45, 49), _GEOMETRY),
}


@replaceable
def sac_to_specimen(sac: Segment, draft: Draft, specimen: dict[str, Any]) -> None:
    """Put the container on its Specimen."""
    context = draft.context
    told = sps_to_specimen(sac, 6, draft) if sac.peek(6) else {}
    numbers = [
        found
        for n in (3, 4)
        if sac.peek(n) and (found := ei_to_identifier(_ei(sac, n), context, "container" if n == 3 else "specimen"))
    ]
    unit = cwe_to_unit(sac[24])
    amounts = {n: _amount(sac, n, unit) for n in (21, 22, 23)}
    if sac.peek(24) and not any(amounts.values()):
        sac.give_back(24, "unit without an amount")
    additives = [one for cwe in sac[27].repetitions if (one := cwe_to_codeable_concept(cwe, context, "v2-0371"))]
    container = compact(
        {
            **next(iter(told.pop("container", [])), {}),
            "identifier": numbers,
            "description": words(sac[49].c(2)) or words(sac[49].c(1)) if sac.peek(49) else "",
            "capacity": amounts[21],
            "specimenQuantity": amounts[22],
            **({"additiveCodeableConcept": additives[0]} if additives else {}),
        }
    )
    if container:
        specimen.setdefault("container", []).append(container)
    accession = ei_to_identifier(sac[2], context, "accession")
    if accession:
        specimen.setdefault("accessionIdentifier", accession)
    registered = draft.moment(sac, 7)
    if registered:
        specimen.setdefault("receivedTime", registered)
    collection = told.pop("collection", {})
    if amounts[23]:
        collection.setdefault("quantity", amounts[23])
    handling = [one for cwe in sac[43].repetitions if (one := cwe_to_codeable_concept(cwe, context))]
    if handling:
        collection["extension"] = [{"url": HANDLING, "valueCodeableConcept": one} for one in handling]
    if collection:
        specimen["collection"] = {**collection, **specimen.get("collection", {})}
    for name, value in told.items():
        specimen.setdefault(name, value)


def sac_opens_specimen(sac: Segment, draft: Draft, order: str) -> Resource:
    """Make the Specimen that no SPM tells of: known by the container, else the accession, else the order."""
    context = draft.context
    system = context.systems.local(context.facility, "specimen")
    number = words(_ei(sac, 3).c(1)) or words(_ei(sac, 4).c(1)) or words(sac.peek(2).text)
    specimen = {
        "resourceType": "Specimen",
        "id": resource_id("Specimen", system, f"{draft.whose}|{number or order or draft.own_key(sac)}"),
        "subject": reference(draft.patient),
    }
    return compact(specimen)


def _ei(sac: Segment, n: int) -> Subcomponents | Any:
    """See the field as EI: since v2.8.2 it may be EIP."""
    field = sac[n]
    if field.c(1, 2) or field.c(2, 2) or (not field.c(1) and field.c(2)):
        return Subcomponents(field, 2 if field.c(2) else 1)
    return field


def _amount(sac: Segment, n: int, unit: Element) -> Element | None:
    value = nm_to_decimal(sac[n].text)
    if value is None:
        if sac.peek(n):
            sac.give_back(n)
        return None
    return quantity(value, unit)
