"""ABS: the abstract of a stay: who discharged, how urgent it was, how long a newborn was carried.

What the abstract itself is, and what it counts for statistics and groups, is left out.

Standard: HL7 v2.5.1 §6.5.12
"""

from __future__ import annotations

from typing import Any

from mappings.hl7v2.actors import practitioners, reference
from mappings.hl7v2.codings import concept, cwe_to_codeable_concept
from mappings.hl7v2.datatypes import compact
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.quantities import nm_to_decimal, quantity
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.site import replaceable
from mappings.ids import resource_id
from mappings.outcome import Resource
from mappings.systems import LOINC, UCUM, V2_TABLE

_ABSTRACT = "about the abstract as a paper; the stay it is of is in the record"
MAPPED = {
    1: "Encounter.participant.individual",
    6: "Encounter.priority",
    11: "Observation.value",
    12: "Observation.value",
}
IGNORED = {
    2: "service of a transfer; PV1-10 names the service",
    3: "severity of the illness, for grouping; the diagnoses tell it",
    **dict.fromkeys((4, 5, 7, 8), _ABSTRACT),
    9: "category of the case, for grouping",
    10: "caesarean section; PR1 tells it as a procedure",
    13: "where the newborn was born or came from; FHIR R4 has no element for it",
    14: "stillbirth; FHIR R4 has no element for it",
}

_PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
_WEEKS = {"unit": "wk", "system": UCUM, "code": "wk"}


@replaceable
def abs_to_encounter(abstract: Segment, encounter: dict[str, Any], draft: Draft) -> None:
    """Add who discharged, and the urgency where PV2 tells none."""
    for person in practitioners(abstract[1].repetitions, draft):
        entry = {"type": [concept("DIS", _PARTICIPATION, "discharger")], "individual": person}
        present = encounter.setdefault("participant", [])
        if entry not in present:
            present.append(entry)
    urgency = cwe_to_codeable_concept(abstract[6], draft.context, system=f"{V2_TABLE}0422")
    if urgency and encounter.setdefault("priority", urgency) is not urgency:
        abstract.ignore(6, "urgency in the abstract; PV2-25 tells the priority of the visit")


@replaceable
def abs_to_observation(abstract: Segment, draft: Draft) -> Resource | None:
    """Make the Observation how long a newborn was carried: in weeks, else by kind."""
    weeks = nm_to_decimal(abstract[12].text)
    if weeks is None and abstract.peek(12):
        abstract.give_back(12)
    kind = cwe_to_codeable_concept(abstract[11], draft.context, system=f"{V2_TABLE}0424")
    if weeks is not None and kind:
        abstract.ignore(11, "kind of gestation; ABS-12 counts the weeks")
    if weeks is None and kind is None:
        return None
    return compact(
        {
            "resourceType": "Observation",
            "id": resource_id(
                "Observation", draft.context.systems.local(draft.context.facility, "gestation"), draft.patient
            ),
            "status": "final",
            "code": {"coding": [{"system": LOINC, "code": "76516-4"}], "text": "Tuổi thai lúc sinh"},
            "subject": draft.subject,
            "encounter": reference(draft.encounter) if draft.encounter else {},
            **({"valueQuantity": quantity(weeks, _WEEKS)} if weeks is not None else {"valueCodeableConcept": kind}),
        }
    )
