"""VAR: how the patient's course differs from what the plan expected.

R4 has it as a ClinicalImpression: somebody judged the course of a problem, a goal or a plan, on a day, in words.

Standard: HL7 v2.5.1 §12.4.4
"""

from __future__ import annotations

from mappings.hl7v2.actors import practitioners, reference
from mappings.hl7v2.codings import cwe_to_codeable_concept
from mappings.hl7v2.datatypes import compact, joined
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.identifiers import ei_to_identifier
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.site import replaceable
from mappings.ids import resource_id
from mappings.outcome import Resource

MAPPED = {
    1: "ClinicalImpression.identifier",
    2: "ClinicalImpression.date",
    3: "ClinicalImpression.effective",
    4: "ClinicalImpression.assessor",
    5: "ClinicalImpression.code",
    6: "ClinicalImpression.summary",
}
IGNORED = {4: "further people who judged; FHIR has one assessor"}


@replaceable
def var_to_clinical_impression(var: Segment, draft: Draft, about: str) -> Resource | None:
    """Make the ClinicalImpression about a Condition, Goal or CarePlan; known by VAR-1 and what it is about."""
    context = draft.context
    number = ei_to_identifier(var[1], context, "variance")
    summary = joined(var[6].repetitions)
    if number is None and not summary and not var.peek(5):
        return None
    system = context.systems.local(context.facility, "variance")
    if number:
        system, key = number["system"], f"{number['value']}|{about}"
    else:
        key = f"{draft.own_key(var)}|{about}"
    people = practitioners(var[4].repetitions, draft)
    problem = about.startswith("Condition/")
    return compact(
        {
            "resourceType": "ClinicalImpression",
            "id": resource_id("ClinicalImpression", system, key),
            "identifier": [number] if number else [],
            "status": "completed",
            "code": cwe_to_codeable_concept(var[5], context),
            "subject": draft.subject,
            "encounter": reference(draft.encounter) if draft.encounter else {},
            "effectiveDateTime": draft.moment(var, 3),
            "date": draft.moment(var, 2),
            "assessor": people[0] if people else {},
            "problem": [reference(about)] if problem else [],
            "summary": summary,
            "supportingInfo": [] if problem or not about else [reference(about)],
        }
    )
