"""NTE: comments on what stands before them.

Standard: HL7 v2.5.1 §2.15.10; v2.8.2 §2.14.10
"""

from __future__ import annotations

from mappings.hl7v2.actors import practitioners
from mappings.hl7v2.codings import cwe_to_codeable_concept
from mappings.hl7v2.datatypes import Element, compact, joined, words
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments import SEQUENCE
from mappings.hl7v2.site import replaceable

_PLACES = (
    "Observation Specimen ServiceRequest MedicationRequest MedicationDispense MedicationAdministration SupplyRequest"
)
_KINDS = f"{_PLACES} Condition Goal CarePlan AllergyIntolerance Procedure Immunization ChargeItem".split()
_NOTES = (
    " | ".join(f"{kind}.note" for kind in _KINDS)
    + " | DiagnosticReport.extension(report-note) | Appointment.extension(extension-Appointment.note)"
)
_TEXT = (
    f"{_NOTES} | Appointment.comment | Slot.comment | DocumentReference.description | DocumentReference.content"
    " | Patient.extension(patient-note)"
)
MAPPED = {
    3: _TEXT,
    4: " | ".join(f"{kind}.note.extension(annotation-type)" for kind in _KINDS)
    + " | DiagnosticReport.extension(report-note).valueAnnotation.extension(annotation-type)"
    " | Appointment.extension(extension-Appointment.note).valueAnnotation.extension(annotation-type)",
    5: f"{_NOTES} | Practitioner",
    6: _NOTES,
    9: _TEXT,
}
IGNORED = {
    1: SEQUENCE,
    2: "source of the comment; the sender is in the ledger",
    4: "comment type of a comment that stays a text",
    7: "when the comment takes effect; FHIR R4 has no element for it",
    8: "when the comment expires; FHIR R4 has no element for it",
    9: "code of the comment; its text is kept",
}


@replaceable
def nte_to_annotation(nte: Segment, draft: Draft) -> Element | None:
    """Make an Annotation; repetitions are lines. A comment that is only coded is written in its words."""
    text = joined(nte[3].repetitions)
    if not text and nte.peek(9):
        text = words(nte[9].c(9)) or words(nte[9].c(2)) or words(nte[9].c(1))
    if not text:
        return None
    author = practitioners(nte[5].repetitions[:1], draft)
    kind = cwe_to_codeable_concept(nte.peek(4), draft.context, "v2-0364")
    extensions = []
    if kind:
        _ = nte[4]
        url = f"{draft.context.systems.own}/StructureDefinition/annotation-type"
        extensions.append({"url": url, "valueCodeableConcept": kind})
    return compact(
        {
            "extension": extensions,
            "authorReference": author[0] if author else {},
            "time": draft.moment(nte, 6),
            "text": text,
        }
    )
