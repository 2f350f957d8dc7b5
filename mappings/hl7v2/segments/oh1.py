"""OH1: employment status of a person.

Standard: HL7 v2.9 §3.4.15
"""

from __future__ import annotations

from mappings.hl7v2.actors import reference
from mappings.hl7v2.codings import cwe_to_codeable_concept
from mappings.hl7v2.datatypes import Components, Element, compact, period
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.identifiers import ei_to_identifier
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments import SEQUENCE
from mappings.hl7v2.site import replaceable
from mappings.ids import resource_id
from mappings.outcome import Resource
from mappings.systems import LOINC

MAPPED = {
    3: "Observation.value",
    4: "Observation.effective",
    5: "Observation.effective",
    6: "Observation.issued",
    7: "Observation.identifier",
}
IGNORED = {1: SEQUENCE, 2: "action on the segment; the message is stored whole"}


@replaceable
def oh1_to_observation(oh1: Segment, draft: Draft) -> Resource | None:
    """Make the Observation of the employment status."""
    value = cwe_to_codeable_concept(oh1[3], draft.context)
    if value is None:
        return None
    return {
        **work_observation(oh1, draft, "74165-2", oh1[7], draft.day(oh1, 4), draft.day(oh1, 5), draft.moment(oh1, 6)),
        "valueCodeableConcept": value,
    }


def work_observation(
    segment: Segment, draft: Draft, code: str, number: Components, start: str, end: str, entered: str
) -> Element:
    """Write what the Observations about a person's work share; without a value."""
    identifier = ei_to_identifier(number, draft.context, "work") if number else None
    system = draft.context.systems.local(draft.context.facility, "work")
    key = f"{draft.patient}|{code}|{start}"
    if identifier:
        system, key = identifier["system"], identifier["value"]
    elif draft.nth(f"work|{key}") > 1:
        key += f"|{segment.position}"
    return compact(
        {
            "resourceType": "Observation",
            "id": resource_id("Observation", system, key),
            "identifier": [identifier] if identifier else [],
            "status": "final",
            "category": [
                {
                    "coding": [
                        {
                            "system": "http://terminology.hl7.org/CodeSystem/observation-category",
                            "code": "social-history",
                            "display": "Social History",
                        }
                    ]
                }
            ],
            "code": {"coding": [{"system": LOINC, "code": code}]},
            "subject": reference(draft.patient),
            "effectivePeriod": period(start, end) if end else {},
            "effectiveDateTime": start if not end else "",
            "issued": entered if "T" in entered else "",
        }
    )
