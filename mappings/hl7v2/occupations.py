"""The work of a person: OH1 employment status, OH2 jobs, OH3 usual work, OH4 combat zones.

Each becomes an Observation as the work record of HL7 (ODH) has it; what somebody works as now, or usually, stands with the
Patient too.

Standard: HL7 v2.9 §3.4.15–3.4.18
"""

from __future__ import annotations

from collections.abc import Callable

from mappings.hl7v2.draft import Draft
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments.oh1 import oh1_to_observation
from mappings.hl7v2.segments.oh2 import job, oh2_to_observation
from mappings.hl7v2.segments.oh3 import oh3_to_observation, usual_work
from mappings.hl7v2.segments.oh4 import oh4_to_observation
from mappings.outcome import Resource

_MAKERS: dict[str, Callable[[Segment, Draft], Resource | None]] = {
    "OH1": oh1_to_observation,
    "OH2": oh2_to_observation,
    "OH3": oh3_to_observation,
    "OH4": oh4_to_observation,
}
OCCUPATIONS = frozenset(_MAKERS)


def occupation_to_observation(segment: Segment, draft: Draft) -> Resource | None:
    """Make the Observation of an OH segment; nothing when it says nothing."""
    return _MAKERS[segment.name](segment, draft)


def occupation(segment: Segment, patient: Resource, draft: Draft) -> None:
    """Keep the present job, else the usual work, as the occupation of the Patient."""
    value = {"OH2": job, "OH3": usual_work}.get(segment.name, lambda _s, _d: None)(segment, draft)
    url = f"{draft.context.systems.national}/StructureDefinition/vn-ext-occupation"
    extensions = patient.setdefault("extension", [])
    if value and all(one["url"] != url for one in extensions):
        extensions.append({"url": url, "valueCodeableConcept": value})
    if not extensions:
        del patient["extension"]
