"""RXD: what the pharmacy dispensed.

Standard: HL7 v2.5.1 §4.14.5
"""

from __future__ import annotations

from mappings import codes
from mappings.hl7v2.actors import practitioners
from mappings.hl7v2.codings import concept, cwe_to_codeable_concept
from mappings.hl7v2.datatypes import Element, code_of, compact
from mappings.hl7v2.dispense_requests import pharmacy
from mappings.hl7v2.dosage import category, daily, measured, remarks
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.identifiers import ei_to_identifier
from mappings.hl7v2.medicines import batch, ingredient, manufacturer, medicine_code, package, strength
from mappings.hl7v2.places import la2_to_location
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.site import replaceable
from mappings.systems import V2_TABLE

MAPPED = {
    2: "MedicationDispense.medication | Medication.code",
    3: "MedicationDispense.whenHandedOver",
    4: "MedicationDispense.quantity",
    5: "MedicationDispense.quantity",
    6: "Medication.form",
    7: "MedicationDispense.identifier",
    9: "MedicationDispense.note",
    10: "MedicationDispense.performer.actor",
    11: "MedicationDispense.substitution",
    12: "MedicationDispense.dosageInstruction.maxDosePerPeriod",
    13: "MedicationDispense.destination",
    15: "MedicationDispense.note",
    16: "Medication.ingredient.strength",
    17: "Medication.ingredient.strength",
    18: "Medication.batch.lotNumber",
    19: "Medication.batch.expirationDate",
    20: "Medication.manufacturer",
    22: "Medication.amount",
    23: "Medication.amount",
    25: "MedicationDispense.medication | Medication.code",
    28: "Medication.ingredient.strength",
    29: "Medication.ingredient.strength",
    30: "MedicationDispense.performer.actor",
    31: "Organization.address",
    32: "MedicationDispense.category",
    33: "MedicationDispense.type",
    34: "Organization.telecom",
    35: "MedicationDispense.identifier",
}
IGNORED = {
    1: "counter of the dispenses of an order; part of the key",
    8: "refills remaining; follows from the dispenses",
    14: "mark for the work list of the pharmacy",
    21: "indication; the order has it",
    24: "way of packing; logistics of the pharmacy",
    26: "place where the dispense began; logistics of the pharmacy",
    27: "place where it was packed; logistics of the pharmacy",
}


@replaceable
def rxd_to_medication_dispense(rxd: Segment, draft: Draft) -> Element:
    """Give what RXD knows of the MedicationDispense; `medication` in the elements of Medication, `dosage` of Dosage."""
    context = draft.context
    code = medicine_code(rxd, 2, draft, 25)
    maker = manufacturer(rxd, 20, draft)
    numbers = [ei_to_identifier(rxd[7], context, "prescription")]
    numbers += [ei_to_identifier(ei, context, "dispense-tag") for ei in rxd[35].repetitions]
    performers: list[Element] = [
        {"function": concept("DP", f"{V2_TABLE}0443", "Dispensing Provider"), "actor": person}
        for person in practitioners(rxd[10].repetitions, draft)
    ]
    place = pharmacy(rxd, 30, 31, 34, draft)
    if place:
        performers.append({"actor": place})
    return compact(
        {
            "medication": compact(
                {
                    "code": code,
                    "manufacturer": maker,
                    "form": cwe_to_codeable_concept(rxd[6], context),
                    "amount": package(rxd, 22, 23, draft),
                    "ingredient": ingredient(code, strength(rxd, 16, 17, 28, 29, draft)),
                    "batch": batch(rxd, 18, 19, draft),
                }
            ),
            "dosage": compact({"maxDosePerPeriod": daily(rxd, 12)}),
            "identifier": [number for number in numbers if number],
            "category": category(rxd, 32, draft),
            "performer": performers,
            "type": cwe_to_codeable_concept(rxd[33], context, system=f"{V2_TABLE}0484"),
            "quantity": measured(rxd, 4, 5, draft),
            "whenHandedOver": draft.moment(rxd, 3),
            "destination": la2_to_location(rxd[13], draft) if rxd[13] else None,
            "note": [*remarks(rxd, 9), *remarks(rxd, 15)],
            "substitution": _substitution(rxd, draft),
        }
    )


def _substitution(rxd: Segment, draft: Draft) -> Element:
    """Tell from table 0167 whether something else was dispensed; the sender's code is the type."""
    said = code_of(rxd[11].text).upper()
    if not said:
        return {}
    done = codes.table("v2-0167-substituted").target(said)
    if not done:
        rxd.give_back(11)
        return {}
    return compact(
        {
            "wasSubstituted": done == "true",
            "type": cwe_to_codeable_concept(rxd[11], draft.context, system=f"{V2_TABLE}0167"),
        }
    )
