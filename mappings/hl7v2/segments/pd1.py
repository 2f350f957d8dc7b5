"""PD1: additional demographics, added to the Patient.

Standard: HL7 v2.5.1 §3.4.10
"""

from __future__ import annotations

from mappings.hl7v2.actors import practitioners, xon_to_organization
from mappings.hl7v2.datatypes import Element, cwe_to_codeable_concept
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.reader import Segment
from mappings.outcome import Resource

IGNORED = {
    1: "living dependency; not part of the clinical record",
    2: "living arrangement; not part of the clinical record",
    5: "student; not part of the clinical record",
    7: "living will; no Vietnamese paper carries it",
    8: "organ donor; decided by the donor register, not by a HIS",
    9: "separate bill; billing",
    11: "publicity of the patient; handled by access rights",
    13: "effective date of PD1-12",
    14: "place of worship; sensitive and of no clinical use",
    15: "advance directive; no Vietnamese paper carries it",
    16: "status in an immunisation register",
    17: "effective date of PD1-16",
    18: "effective date of PD1-11",
    19: "military",
    20: "military",
    21: "military",
    22: "military",
}


def pd1_to_patient(pd1: Segment, patient: Resource, draft: Draft) -> None:
    """Add general practitioners and disability to the Patient."""
    keepers: list[Element] = []
    for xon in pd1[3].repetitions:
        organisation = xon_to_organization(xon, draft)
        if organisation:
            keepers.append(organisation)
    keepers += practitioners(pd1[4].repetitions, draft)
    if keepers:
        patient["generalPractitioner"] = keepers
    disability = cwe_to_codeable_concept(pd1[6], draft.context)
    if disability:
        patient.setdefault("extension", []).append(
            {"url": "http://hl7.org/fhir/StructureDefinition/patient-disability", "valueCodeableConcept": disability}
        )
