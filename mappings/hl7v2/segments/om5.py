"""OM5: the tests of a battery.

Standard: HL7 v2.5.1 §8.8.12
"""

from __future__ import annotations

from mappings.hl7v2.datatypes import compact, words
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments import SEQUENCE
from mappings.hl7v2.segments.om1 import observation_number
from mappings.hl7v2.site import replaceable
from mappings.outcome import Resource

MAPPED = {2: "ObservationDefinition.extension(extension-ObservationDefinition.hasMember)"}
IGNORED = {
    1: SEQUENCE,
    3: "suffixes of observation ids of HL7 v2.1; results carry whole codes",
}

_MEMBER = "http://hl7.org/fhir/5.0/StructureDefinition/extension-ObservationDefinition.hasMember"


@replaceable
def om5_to_members(om5: Segment, definition: Resource, draft: Draft) -> None:
    """Name the tests of the battery by their numbers; they are defined by records of their own."""
    for cwe in om5[2].repetitions:
        number = observation_number(cwe, draft)
        if number:
            member = compact({"type": "ObservationDefinition", "identifier": number, "display": words(cwe.c(2))})
            definition.setdefault("extension", []).append({"url": _MEMBER, "valueReference": member})
