"""RXO: the medicine as it was ordered.

Standard: HL7 v2.5.1 §4.14.1
"""

from __future__ import annotations

from mappings.hl7v2.actors import practitioners
from mappings.hl7v2.codings import cwe_to_codeable_concept
from mappings.hl7v2.datatypes import Element, compact
from mappings.hl7v2.dispense_requests import interval, pharmacy, repeats, substitution
from mappings.hl7v2.dosage import (
    category,
    concepts,
    daily,
    dose,
    dose_and_rate,
    instructions,
    measured,
    rate,
    remarks,
)
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.identifiers import ei_to_identifier
from mappings.hl7v2.medicines import ingredient, strength, supplemented
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.shared_codes import DRUGS, shared_codings
from mappings.hl7v2.site import replaceable

MAPPED = {
    1: "MedicationRequest.medication | Medication.code",
    2: "MedicationRequest.dosageInstruction.doseAndRate.dose | MedicationRequest.dosageInstruction.text",
    3: "MedicationRequest.dosageInstruction.doseAndRate.dose | MedicationRequest.dosageInstruction.text",
    4: "MedicationRequest.dosageInstruction.doseAndRate.dose | MedicationRequest.dosageInstruction.text",
    5: "Medication.form",
    6: "MedicationRequest.note",
    7: "MedicationRequest.dosageInstruction.text | MedicationRequest.dosageInstruction.additionalInstruction",
    9: "MedicationRequest.substitution.allowed",
    10: "MedicationRequest.medication | Medication.code",
    11: "MedicationRequest.dispenseRequest.quantity",
    12: "MedicationRequest.dispenseRequest.quantity",
    13: "MedicationRequest.dispenseRequest.numberOfRepeatsAllowed",
    14: "MedicationRequest.requester",
    17: "MedicationRequest.dosageInstruction.doseAndRate.rate",
    18: "Medication.ingredient.strength",
    19: "Medication.ingredient.strength",
    20: "MedicationRequest.reasonCode",
    21: "MedicationRequest.dosageInstruction.doseAndRate.rate",
    22: "MedicationRequest.dosageInstruction.doseAndRate.rate",
    23: "MedicationRequest.dosageInstruction.maxDosePerPeriod",
    24: "MedicationRequest.medication | Medication.code",
    25: "Medication.ingredient.strength",
    26: "Medication.ingredient.strength",
    27: "MedicationRequest.category",
    28: "MedicationRequest.dispenseRequest.dispenseInterval",
    29: "Medication.identifier",
    32: "MedicationRequest.dispenseRequest.performer",
    33: "Organization.address",
    36: "Organization.telecom",
}
IGNORED = {
    8: "place of delivery; MedicationRequest has no such element",
    15: "who verified the order; MedicationRequest has no such element",
    16: "mark for the work list of the pharmacy",
    30: "number of the segment itself",
    31: "mood; ORC-1 tells what is wanted",
    34: "place of delivery; MedicationRequest has no such element",
    35: "place of delivery; MedicationRequest has no such element",
}


@replaceable
def rxo_to_medication_request(rxo: Segment, draft: Draft) -> Element:
    """Give what RXO knows of the MedicationRequest; `medication` in the elements of Medication, `dosage` of Dosage."""
    context = draft.context
    code = cwe_to_codeable_concept(rxo[1], context)
    if code is None:
        code = cwe_to_codeable_concept(rxo[10], context)
    elif rxo.peek(10):
        rxo.ignore(10, "code to dispense by; the medicine is named by RXO-1")
    code = supplemented(code, rxo, 24, draft)
    code = code and shared_codings(code, draft, rxo.where(1 if rxo.peek(1) else 10), DRUGS)
    given = dose(rxo, 2, 3, 4, draft)
    requesters = practitioners(rxo[14].repetitions, draft)
    own = ei_to_identifier(rxo[29], context, "medication-instance")
    sort = category(rxo, 27, draft)
    return compact(
        {
            "medication": compact(
                {
                    "identifier": [own] if own else [],
                    "code": code,
                    "form": cwe_to_codeable_concept(rxo[5], context),
                    "ingredient": ingredient(code, strength(rxo, 18, 19, 25, 26, draft)),
                }
            ),
            "dosage": compact(
                {
                    **instructions(rxo, 7, given, draft),
                    "doseAndRate": dose_and_rate(given, rate(rxo, 17, 21, 22, given, draft)),
                    "maxDosePerPeriod": daily(rxo, 23),
                }
            ),
            "category": [sort] if sort else [],
            "requester": requesters[0] if requesters else {},
            "reasonCode": concepts(rxo, 20, draft),
            "note": remarks(rxo, 6),
            "dispenseRequest": compact(
                {
                    "dispenseInterval": interval(rxo, 28),
                    "numberOfRepeatsAllowed": repeats(rxo, 13),
                    "quantity": measured(rxo, 11, 12, draft),
                    "performer": pharmacy(rxo, 32, 33, 36, draft),
                }
            ),
            "substitution": substitution(rxo, 9, "0161", draft),
        }
    )
