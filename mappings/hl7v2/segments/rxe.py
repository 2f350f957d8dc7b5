"""RXE: the medicine as the pharmacy encoded the order.

Standard: HL7 v2.5.1 §4.14.4
"""

from __future__ import annotations

from mappings.hl7v2.actors import practitioners
from mappings.hl7v2.codings import cwe_to_codeable_concept
from mappings.hl7v2.datatypes import Element, compact
from mappings.hl7v2.dispense_requests import pharmacy, repeats, substitution
from mappings.hl7v2.dosage import (
    amount,
    category,
    concepts,
    daily,
    dose,
    dose_and_rate,
    instructions,
    rate,
    remarks,
    unit_of,
)
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.identifiers import ei_to_identifier
from mappings.hl7v2.medicines import ingredient, medicine_code, package, strength
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.site import replaceable

MAPPED = {
    1: "MedicationRequest.dosageInstruction.timing | MedicationRequest.priority"
    " | MedicationRequest.dosageInstruction.asNeeded | MedicationRequest.dosageInstruction.doseAndRate.dose"
    " | MedicationRequest.dosageInstruction.additionalInstruction | MedicationRequest.dosageInstruction.text",
    2: "MedicationRequest.medication | Medication.code",
    3: "MedicationRequest.dosageInstruction.doseAndRate.dose | MedicationRequest.dosageInstruction.text",
    4: "MedicationRequest.dosageInstruction.doseAndRate.dose | MedicationRequest.dosageInstruction.text",
    5: "MedicationRequest.dosageInstruction.doseAndRate.dose | MedicationRequest.dosageInstruction.text",
    6: "Medication.form",
    7: "MedicationRequest.dosageInstruction.text | MedicationRequest.dosageInstruction.additionalInstruction",
    9: "MedicationRequest.substitution.allowed",
    10: "MedicationRequest.dispenseRequest.quantity",
    11: "MedicationRequest.dispenseRequest.quantity | MedicationRequest.dispenseRequest.initialFill.quantity",
    12: "MedicationRequest.dispenseRequest.numberOfRepeatsAllowed",
    13: "MedicationRequest.requester",
    15: "MedicationRequest.identifier",
    19: "MedicationRequest.dosageInstruction.maxDosePerPeriod",
    21: "MedicationRequest.note",
    22: "MedicationRequest.dosageInstruction.doseAndRate.rate",
    23: "MedicationRequest.dosageInstruction.doseAndRate.rate",
    24: "MedicationRequest.dosageInstruction.doseAndRate.rate",
    25: "Medication.ingredient.strength",
    26: "Medication.ingredient.strength",
    27: "MedicationRequest.reasonCode",
    28: "Medication.amount",
    29: "Medication.amount",
    31: "MedicationRequest.medication | Medication.code",
    32: "MedicationRequest.authoredOn",
    33: "Medication.ingredient.strength",
    34: "Medication.ingredient.strength",
    39: "MedicationRequest.dispenseRequest.initialFill.quantity",
    40: "MedicationRequest.dispenseRequest.performer",
    41: "Organization.address",
    44: "MedicationRequest.category",
    45: "Organization.telecom",
}
IGNORED = {
    8: "place of delivery; MedicationRequest has no such element",
    14: "who verified the order; MedicationRequest has no such element",
    16: "refills remaining; follows from the dispenses",
    17: "refills dispensed; follows from the dispenses",
    18: "time of the last refill; the dispense itself tells",
    20: "mark for the work list of the pharmacy",
    30: "way of packing; logistics of the pharmacy",
    35: "schedule of controlled substances; belongs to the catalogue of medicines",
    36: "formulary; belongs to the catalogue of medicines",
    37: "other medicines that could be given; belongs to the catalogue of medicines",
    38: "pharmacy of the last fill; the dispense itself tells",
    42: "place of delivery; MedicationRequest has no such element",
    43: "place of delivery; MedicationRequest has no such element",
}


@replaceable
def rxe_to_medication_request(rxe: Segment, draft: Draft) -> Element:
    """Give what RXE knows of the MedicationRequest; `medication` in the elements of Medication, `dosage` of Dosage.

    RXE-1 is read with the other timings of the order.
    """
    context = draft.context
    code = medicine_code(rxe, 2, draft, 31)
    given = dose(rxe, 3, 4, 5, draft)
    unit = unit_of(rxe, 11, draft)
    dispensed, first = amount(rxe, 10, unit), amount(rxe, 39, unit)
    if dispensed is None and first is None and rxe.peek(11):
        rxe.give_back(11, "unit without an amount")
    requesters = practitioners(rxe[13].repetitions, draft)
    number = ei_to_identifier(rxe[15], context, "prescription")
    sort = category(rxe, 44, draft)
    return compact(
        {
            "medication": compact(
                {
                    "code": code,
                    "form": cwe_to_codeable_concept(rxe[6], context),
                    "amount": package(rxe, 28, 29, draft),
                    "ingredient": ingredient(code, strength(rxe, 25, 26, 33, 34, draft)),
                }
            ),
            "dosage": compact(
                {
                    **instructions(rxe, 7, given, draft),
                    "doseAndRate": dose_and_rate(given, rate(rxe, 22, 23, 24, given, draft)),
                    "maxDosePerPeriod": daily(rxe, 19),
                }
            ),
            "identifier": [number] if number else [],
            "category": [sort] if sort else [],
            "authoredOn": draft.moment(rxe, 32),
            "requester": requesters[0] if requesters else {},
            "reasonCode": concepts(rxe, 27, draft),
            "note": remarks(rxe, 21),
            "dispenseRequest": compact(
                {
                    "initialFill": {"quantity": first} if first else {},
                    "numberOfRepeatsAllowed": repeats(rxe, 12),
                    "quantity": dispensed,
                    "performer": pharmacy(rxe, 40, 41, 45, draft),
                }
            ),
            "substitution": substitution(rxe, 9, "0167", draft),
        }
    )
