"""INV: a substance in the analyser: a reagent, a calibrator, the control in a container.

How much of it there was, and where in the analyser it stands, is left out.

Standard: HL7 v2.5.1 §13.4.4
"""

from __future__ import annotations

from typing import Any

from mappings.hl7v2.actors import reference
from mappings.hl7v2.codings import cwe_to_codeable_concept
from mappings.hl7v2.datatypes import Element, code_of, compact, words
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.leftovers import NOTHING
from mappings.hl7v2.quantities import cwe_to_unit, nm_to_decimal, quantity
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.site import replaceable
from mappings.ids import resource_id
from mappings.outcome import Resource
from mappings.systems import V2_TABLE

_STOCK = "stock in the analyser; INV-8 tells what there is"
_PLACE = "carrier and place in the analyser; logistics"
_STABILITY = "how long the substance keeps in the analyser; logistics"
MAPPED = {
    1: "Substance.code",
    3: "Substance.category",
    4: "Substance.instance.identifier",
    8: "Substance.instance.quantity",
    11: "Substance.instance.quantity.unit",
    12: "Substance.instance.expiry",
    16: "Substance.identifier",
    17: "Substance.identifier.assigner",
}
IGNORED = {
    2: "state of the substance in the analyser; logistics",
    5: _PLACE,
    6: _PLACE,
    **dict.fromkeys((7, 9, 10), _STOCK),
    13: "when the substance was first used; FHIR R4 has no element for it",
    14: _STABILITY,
    15: "tests that the substance is for; the results name theirs",
    18: "supplier; the maker is named",
    19: _STABILITY,
    20: "value that a control should have; the analyser judges by it",
}

UNNAMED = {"text": "Hóa chất xét nghiệm"}
"""What a substance is called of which only numbers are told."""


@replaceable
def inv_to_substance(inv: Segment, draft: Draft, specimen: dict[str, Any] | None) -> Resource | None:
    """Make the Substance; nothing of one that has neither name nor number.

    In a message about nobody it is what the specimen (a control) is of.
    """
    context = draft.context
    code = cwe_to_codeable_concept(inv[1], context, system=f"{V2_TABLE}0451")
    kind = cwe_to_codeable_concept(inv[3], context, system=f"{V2_TABLE}0384")
    lot, container = words(inv[16].text), code_of(inv[4].c(1))
    maker = words(inv[17].c(2)) or words(inv[17].c(1))
    if not (code or kind or lot or container):
        inv.leave(NOTHING)
        return None
    expiry = draft.moment(inv, 12)
    amount = nm_to_decimal(inv[8].text)
    if amount is None and inv.peek(8):
        inv.give_back(8)
    unit = cwe_to_unit(inv[11])
    if amount is None and inv.peek(11):
        inv.give_back(11, "unit without an amount")
    if maker and not lot:
        inv.give_back(17, "maker of a lot that has no number")
    substance = substance_of(code or kind or UNNAMED, lot, maker, container, draft)
    instance: Element = next(iter(substance.get("instance", [])), {})
    instance |= compact({"expiry": expiry, "quantity": quantity(amount, unit) if amount is not None else {}})
    if code and kind:
        substance["category"] = [kind]
    elif kind:
        inv.ignore(3, "kind of substance; it stands for the name that INV-1 does not give")
    if instance:
        substance["instance"] = [instance]
    target = draft.add(substance, inv)
    if specimen is not None and not draft.patient and "reference" not in specimen.get("subject", {}):
        specimen["subject"] = reference(target)
    return draft.get(target)


def substance_of(code: Element, lot: str, maker: str, container: str, draft: Draft) -> dict[str, Any]:
    """Make the Substance that a lot and a container are of; the same whichever segment tells of it."""
    systems, facility = draft.context.systems, draft.context.facility
    first = code["coding"][0]["code"] if code.get("coding") else code.get("text", "")
    key = f"{maker}|{lot}|{container}" if lot or container else f"|||{first}"
    number = {"system": systems.local(facility, "lot"), "value": lot, "assigner": {"display": maker} if maker else {}}
    in_container = {"identifier": {"system": systems.local(facility, "reagent"), "value": container}}
    return compact(
        {
            "resourceType": "Substance",
            "id": resource_id("Substance", systems.local(facility, "reagent"), key),
            "identifier": [compact(number)] if lot else [],
            "code": {**code},
            "instance": [in_container] if container else [],
        }
    )
