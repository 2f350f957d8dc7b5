"""Where orders of medicines and vaccinations put fields of segments that they share with other orders.

The tables of those segments (`orc.py`, `tq1.py`, `obx.py`) say where others put them; these places are added.
"""

from __future__ import annotations

_TIMED = "MedicationRequest.dosageInstruction.timing | MedicationDispense.dosageInstruction.timing"
_FACTS = "Immunization.education | Immunization.programEligibility | Immunization.fundingSource | Immunization.note"

PLACES: dict[str, dict[int, str]] = {
    "ORC": {
        1: "MedicationRequest.status | MedicationDispense.status | MedicationAdministration.status",
        2: "MedicationRequest.identifier | MedicationDispense.identifier | MedicationAdministration.identifier"
        " | Immunization.identifier",
        3: "MedicationRequest.identifier | MedicationDispense.identifier | MedicationAdministration.identifier"
        " | Immunization.identifier",
        4: "MedicationRequest.groupIdentifier | Immunization.identifier",
        5: "MedicationRequest.status | MedicationDispense.status | MedicationAdministration.status",
        7: f"{_TIMED} | MedicationRequest.priority | MedicationRequest.dosageInstruction",
        8: "MedicationRequest.basedOn",
        9: "MedicationRequest.authoredOn | Immunization.recorded",
        10: "MedicationRequest.recorder | Immunization.performer.actor",
        12: "MedicationRequest.requester | MedicationAdministration.performer.actor | Immunization.performer.actor",
        15: "MedicationRequest.authoredOn",
        16: "MedicationRequest.statusReason",
        21: "MedicationRequest.requester",
        22: "Organization.address",
        23: "Organization.telecom",
        28: "MedicationRequest.meta.security | MedicationDispense.meta.security | MedicationAdministration.meta.security"
        " | Immunization.meta.security",
        29: "MedicationRequest.category",
        33: "MedicationRequest.identifier",
    },
    "TQ1": {
        2: "MedicationRequest.dosageInstruction.doseAndRate.dose",
        3: f"{_TIMED} | MedicationRequest.dosageInstruction.asNeeded",
        4: f"{_TIMED}",
        5: f"{_TIMED}",
        6: f"{_TIMED}",
        7: f"{_TIMED}",
        8: f"{_TIMED}",
        9: "MedicationRequest.priority | MedicationRequest.dosageInstruction.asNeeded"
        " | MedicationDispense.dosageInstruction",
        10: "MedicationRequest.dosageInstruction.additionalInstruction | MedicationDispense.dosageInstruction",
        11: "MedicationRequest.dosageInstruction.text | MedicationDispense.dosageInstruction.text",
        13: f"{_TIMED}",
        14: f"{_TIMED}",
    },
    "OBX": {5: f"{_FACTS} | Immunization.protocolApplied | Immunization.vaccineCode"},
}
