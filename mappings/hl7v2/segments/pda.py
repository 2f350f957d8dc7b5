"""PDA: cause of death, and the autopsy.

Standard: HL7 v2.5.1 §3.4.13
"""

from __future__ import annotations

from mappings.hl7v2.actors import pl_to_location, practitioners, reference
from mappings.hl7v2.codings import cwe_to_codeable_concept
from mappings.hl7v2.datatypes import Element, code_of, compact, dr_to_period
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.site import replaceable
from mappings.ids import resource_id
from mappings.outcome import Resource
from mappings.systems import LOINC, SNOMED

MAPPED = {
    1: "Observation.value | Observation.component.value",
    2: "Observation.extension(event-location)",
    4: "Observation.issued",
    5: "Observation.performer",
    6: "Procedure.status",
    7: "Procedure.performed",
    8: "Procedure.performer.actor",
}
IGNORED = {
    3: "whether the certificate is signed; PDA-4 and PDA-5 tell when and by whom",
    9: "coroner; the autopsy tells",
}


@replaceable
def pda_to_cause_of_death(pda: Segment, draft: Draft) -> Resource | None:
    """Make the Observation of the cause of death: the first cause is its value, further ones are components."""
    context = draft.context
    causes = [found for cwe in pda[1].repetitions if (found := cwe_to_codeable_concept(cwe, context))]
    if not causes:
        return None
    code = {"coding": [{"system": LOINC, "code": "69453-9"}]}
    others = {"coding": [{"system": LOINC, "code": "69441-4"}]}
    signed = draft.moment(pda, 4)
    if signed and "T" not in signed:
        pda.ignore(4, "date without a time of day; FHIR wants an instant")
    place = pl_to_location(pda[2], draft)
    url = "http://hl7.org/fhir/StructureDefinition/event-location"
    return compact(
        {
            "resourceType": "Observation",
            "id": resource_id("Observation", context.systems.local(context.facility, "cause-of-death"), draft.patient),
            "extension": [{"url": url, "valueReference": place}] if place else [],
            "status": "final",
            "code": code,
            "subject": reference(draft.patient),
            "encounter": reference(draft.encounter) if draft.encounter else {},
            "issued": signed if "T" in signed else "",
            "performer": practitioners(pda[5].repetitions, draft),
            "valueCodeableConcept": causes[0],
            "component": [{"code": others, "valueCodeableConcept": cause} for cause in causes[1:]],
        }
    )


@replaceable
def pda_to_autopsy(pda: Segment, draft: Draft) -> Resource | None:
    """Make the Procedure of the autopsy; nothing when there was none."""
    done = code_of(pda[6].text).upper()
    if done != "Y":
        if done:
            pda.ignore(6, "no autopsy")
        return None
    span: Element = dr_to_period(pda[7].c(1), pda[7].c(2), draft.context) if pda[7] else {}
    if pda.peek(7) and not span:
        pda.give_back(7)
    return compact(
        {
            "resourceType": "Procedure",
            "id": resource_id(
                "Procedure", draft.context.systems.local(draft.context.facility, "autopsy"), draft.patient
            ),
            "status": "completed",
            "code": {"coding": [{"system": SNOMED, "code": "29240004"}]},
            "subject": reference(draft.patient),
            "encounter": reference(draft.encounter) if draft.encounter else {},
            "performedPeriod": span,
            "performer": [{"actor": person} for person in practitioners(pda[8].repetitions, draft)],
        }
    )
