"""OM3: the answers of an observation whose value is a code.

Standard: HL7 v2.5.1 §8.8.10
"""

from __future__ import annotations

from mappings import codes
from mappings.hl7v2.codings import coding_system, cwe_to_coding
from mappings.hl7v2.datatypes import Element, code_of, compact
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments import SEQUENCE
from mappings.hl7v2.site import replaceable
from mappings.outcome import Resource

MAPPED = {
    2: "ObservationDefinition.contained.compose.include.system",
    3: "ObservationDefinition.validCodedValueSet",
    4: "ObservationDefinition.normalCodedValueSet",
    5: "ObservationDefinition.abnormalCodedValueSet",
    6: "ObservationDefinition.criticalCodedValueSet",
    7: "ObservationDefinition.permittedDataType",
}
IGNORED = {
    1: SEQUENCE,
    2: "preferred coding system; each answer names its own",
    7: "data type that an observation in FHIR cannot have",
}

_SETS = ((3, "valid"), (4, "normal"), (5, "abnormal"), (6, "critical"))


@replaceable
def om3_to_observation_definition(om3: Segment, definition: Resource, draft: Draft) -> None:
    """Add the sets of answers to the ObservationDefinition, as ValueSets it contains."""
    context = draft.context
    preferred = code_of(om3.peek(2).c(1))
    system = coding_system(preferred, context) if preferred else ""
    used = False
    for n, name in _SETS:
        codings = [
            found for cwe in om3[n].repetitions if (found := cwe_to_coding(cwe, context, system=system)) is not None
        ]
        if codings:
            used = used or any(coding["system"] == system for coding in codings)
            definition.setdefault("contained", []).append(_value_set(name, codings))
            definition[f"{name}CodedValueSet"] = {"reference": f"#{name}"}
        elif om3.peek(n):
            om3.give_back(n)
    if used:
        _ = om3[2]
    kind = codes.table("v2-0125").target(code_of(om3.peek(7).text).upper())
    if kind:
        _ = om3[7]
        kinds = definition.setdefault("permittedDataType", [])
        kinds += [] if kind in kinds else [kind]


def _value_set(name: str, codings: list[Element]) -> Resource:
    include: dict[str, list[Element]] = {}
    for coding in codings:
        concepts = include.setdefault(coding["system"], [])
        concept = compact({"code": coding["code"], "display": coding.get("display", "")})
        if all(one["code"] != concept["code"] for one in concepts):
            concepts.append(concept)
    return {
        "resourceType": "ValueSet",
        "id": name,
        "status": "active",
        "compose": {"include": [{"system": system, "concept": concepts} for system, concepts in include.items()]},
    }
