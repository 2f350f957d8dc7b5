"""RXG: one scheduled giving of an ordered medicine.

Standard: HL7 v2.5.1 §4.14.6
"""

from __future__ import annotations

from mappings.hl7v2.codings import cwe_to_codeable_concept
from mappings.hl7v2.datatypes import Element, compact
from mappings.hl7v2.dispense_requests import pharmacy, substitution
from mappings.hl7v2.dosage import category, concepts, dose, dose_and_rate, instructions, measured, rate, remarks
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.identifiers import ei_to_identifier
from mappings.hl7v2.medicines import batch, ingredient, manufacturer, medicine_code, strength
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.site import replaceable

MAPPED = {
    3: "MedicationRequest.dosageInstruction.timing | MedicationRequest.priority"
    " | MedicationRequest.dosageInstruction.asNeeded | MedicationRequest.dosageInstruction.doseAndRate.dose"
    " | MedicationRequest.dosageInstruction.additionalInstruction | MedicationRequest.dosageInstruction.text",
    4: "MedicationRequest.medication | Medication.code",
    5: "MedicationRequest.dosageInstruction.doseAndRate.dose | MedicationRequest.dosageInstruction.text",
    6: "MedicationRequest.dosageInstruction.doseAndRate.dose | MedicationRequest.dosageInstruction.text",
    7: "MedicationRequest.dosageInstruction.doseAndRate.dose | MedicationRequest.dosageInstruction.text",
    8: "Medication.form",
    9: "MedicationRequest.note",
    10: "MedicationRequest.substitution.allowed",
    13: "MedicationRequest.dosageInstruction.text | MedicationRequest.dosageInstruction.additionalInstruction",
    14: "MedicationRequest.dosageInstruction.doseAndRate.rate",
    15: "MedicationRequest.dosageInstruction.doseAndRate.rate",
    16: "MedicationRequest.dosageInstruction.doseAndRate.rate",
    17: "Medication.ingredient.strength",
    18: "Medication.ingredient.strength",
    19: "Medication.batch.lotNumber",
    20: "Medication.batch.expirationDate",
    21: "Medication.manufacturer",
    22: "MedicationRequest.reasonCode",
    23: "Medication.ingredient.strength",
    24: "Medication.ingredient.strength",
    25: "Medication.identifier",
    26: "MedicationRequest.category",
    27: "MedicationRequest.dispenseRequest.performer",
    28: "Organization.address",
    31: "MedicationRequest.identifier",
    32: "MedicationRequest.dispenseRequest.quantity",
    33: "MedicationRequest.dispenseRequest.quantity",
}
IGNORED = {
    1: "counter of the givings of an order; part of the key",
    2: "counter of the dispense; logistics of the pharmacy",
    11: "place of delivery; MedicationRequest has no such element",
    12: "mark for the work list of the ward",
    29: "place of delivery; MedicationRequest has no such element",
    30: "place of delivery; MedicationRequest has no such element",
}


@replaceable
def rxg_to_medication_request(rxg: Segment, draft: Draft) -> Element:
    """Give what RXG knows of the instance order; `medication` in the elements of Medication, `dosage` of Dosage.

    RXG-3 is read with the other timings.
    """
    context = draft.context
    code = medicine_code(rxg, 4, draft)
    given = dose(rxg, 5, 6, 7, draft)
    bar = cwe_to_codeable_concept(rxg[25], context)
    barcode = ei_to_identifier(rxg[25], context, "medication-barcode") if bar else None
    tag = ei_to_identifier(rxg[31], context, "give-tag")
    sort = category(rxg, 26, draft)
    return compact(
        {
            "medication": compact(
                {
                    "identifier": [barcode] if barcode else [],
                    "code": code,
                    "manufacturer": manufacturer(rxg, 21, draft),
                    "form": cwe_to_codeable_concept(rxg[8], context),
                    "ingredient": ingredient(code, strength(rxg, 17, 18, 23, 24, draft)),
                    "batch": batch(rxg, 19, 20, draft),
                }
            ),
            "dosage": compact(
                {
                    **instructions(rxg, 13, given, draft),
                    "doseAndRate": dose_and_rate(given, rate(rxg, 14, 15, 16, given, draft)),
                }
            ),
            "identifier": [tag] if tag else [],
            "category": [sort] if sort else [],
            "reasonCode": concepts(rxg, 22, draft),
            "note": remarks(rxg, 9),
            "dispenseRequest": compact(
                {"quantity": measured(rxg, 32, 33, draft), "performer": pharmacy(rxg, 27, 28, 0, draft)}
            ),
            "substitution": substitution(rxg, 10, "0167", draft),
        }
    )
