"""PD1: additional demographics, added to the Patient.

Standard: HL7 v2.5.1 §3.4.10
"""

from __future__ import annotations

from mappings.hl7v2.actors import practitioners, reference, xon_to_organization
from mappings.hl7v2.codings import cwe_to_codeable_concept
from mappings.hl7v2.datatypes import Element, code_of, compact, words
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.site import replaceable
from mappings.ids import resource_id
from mappings.outcome import Resource
from mappings.systems import LOINC, V2_TABLE

MAPPED = {
    3: "Patient.generalPractitioner",
    4: "Patient.generalPractitioner",
    6: "Patient.extension(patient-disability)",
    7: "Observation.value",
    8: "Patient.extension(patient-cadavericDonor)",
    14: "Patient.extension(patient-congregation)",
}
IGNORED = {
    1: "living dependency; FHIR R4 has no element for it",
    2: "living arrangement; FHIR R4 has no element for it",
    5: "student; FHIR R4 has no element for it",
    9: "separate bill; billing",
    10: "duplicate patient; links and merges have messages of their own",
    11: "publicity of the patient; handled by access rights",
    12: "protection of the patient; handled by access rights",
    13: "date of a field that is left out",
    15: "advance directive; FHIR R4 has no element for it",
    16: "status in an immunisation register",
    17: "date of a field that is left out",
    18: "date of a field that is left out",
    19: "military status; FHIR R4 has no element for it",
    20: "military status; FHIR R4 has no element for it",
    21: "military status; FHIR R4 has no element for it",
    22: "when the advance directive was verified",
    23: "when somebody who left the military left it",
}

_CORE = "http://hl7.org/fhir/StructureDefinition"
_DONORS = {"Y": True, "F": True, "N": False, "I": False}
"""HL7 table 0316 as far as it is a yes or a no."""


@replaceable
def pd1_to_patient(pd1: Segment, patient: Resource, draft: Draft) -> None:
    """Add general practitioners, disability, organ donation and congregation to the Patient."""
    keepers: list[Element] = []
    for xon in pd1[3].repetitions:
        organisation = xon_to_organization(xon, draft)
        if organisation:
            keepers.append(organisation)
    keepers += practitioners(pd1[4].repetitions, draft)
    if keepers:
        patient["generalPractitioner"] = keepers
    extensions: list[Element] = []
    disability = cwe_to_codeable_concept(pd1[6], draft.context, system=f"{V2_TABLE}0295")
    if disability:
        extensions.append({"url": f"{_CORE}/patient-disability", "valueCodeableConcept": disability})
    donor = code_of(pd1[8].c(1)).upper()
    if donor in _DONORS:
        extensions.append({"url": f"{_CORE}/patient-cadavericDonor", "valueBoolean": _DONORS[donor]})
    elif donor:
        pd1.ignore(8, "organ donation left open; the extension of FHIR only knows yes and no")
    worship = next((name for xon in pd1[14].repetitions if (name := words(xon.c(1)) or words(xon.c(10)))), "")
    if worship:
        extensions.append({"url": f"{_CORE}/patient-congregation", "valueString": worship})
    if extensions:
        patient.setdefault("extension", []).extend(extensions)


@replaceable
def pd1_to_living_will(pd1: Segment, draft: Draft) -> Resource | None:
    """Make the Observation that the person has a living will, or none."""
    said = cwe_to_codeable_concept(pd1[7], draft.context, system=f"{V2_TABLE}0315")
    if said is None:
        return None
    system = draft.context.systems.local(draft.context.facility, "living-will")
    return compact(
        {
            "resourceType": "Observation",
            "id": resource_id("Observation", system, draft.patient),
            "status": "final",
            "code": {"coding": [{"system": LOINC, "code": "75320-2"}]},
            "subject": reference(draft.patient),
            "valueCodeableConcept": said,
        }
    )
