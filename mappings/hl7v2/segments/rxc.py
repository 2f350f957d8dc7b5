"""RXC: one component of a mixture.

Standard: HL7 v2.5.1 §4.14.3
"""

from __future__ import annotations

from decimal import Decimal

from mappings.hl7v2.actors import reference
from mappings.hl7v2.datatypes import Element, code_of, compact
from mappings.hl7v2.dosage import measured
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.medicines import ingredient, medicine, medicine_code, strength
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.site import replaceable

MAPPED = {
    1: "Medication.ingredient.isActive",
    2: "Medication.ingredient.item | Medication.code",
    3: "Medication.ingredient.strength",
    4: "Medication.ingredient.strength",
    5: "Medication.ingredient.strength",
    6: "Medication.ingredient.strength",
    7: "Medication.ingredient.item | Medication.code",
    8: "Medication.ingredient.strength",
    9: "Medication.ingredient.strength",
}
IGNORED = {
    1: "base of the mixture; whether it acts itself is not said",
    10: "number of the dispense the component comes from; logistics of the pharmacy",
    11: "unit of the amount dispensed; logistics of the pharmacy",
}


@replaceable
def rxc_to_ingredient(rxc: Segment, draft: Draft) -> Element | None:
    """Make a Medication.ingredient; a component with a strength of its own is a Medication itself."""
    code = medicine_code(rxc, 2, draft, 7)
    if code is None:
        return None
    additive = code_of(rxc.peek(1).text).upper() == "A"
    if additive:
        _ = rxc[1]
    amount = measured(rxc, 3, 4, draft)
    own = strength(rxc, 5, 6, 8, 9, draft)
    item: Element = {"itemCodeableConcept": code}
    if own is not None:
        made = medicine({"code": code, "ingredient": ingredient(code, own)}, draft, rxc)
        item = {"itemReference": reference(made["medicationReference"]["reference"])}
    whole = {"numerator": amount, "denominator": {"value": Decimal(1)}} if amount else None
    return compact({**item, "isActive": True if additive else None, "strength": whole})
