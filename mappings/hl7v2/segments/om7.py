"""OM7: how a service is offered for ordering.

Standard: HL7 v2.5.1 §8.8.14
"""

from __future__ import annotations

from mappings.hl7v2.codings import cwe_to_codeable_concept
from mappings.hl7v2.datatypes import words
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments import SEQUENCE
from mappings.hl7v2.site import replaceable
from mappings.outcome import Resource

MAPPED = {
    3: "ObservationDefinition.category",
    4: "ObservationDefinition.category.text",
}
IGNORED = {
    1: SEQUENCE,
    2: "service; OM1-2 names it",
    4: "description of a category; its code is kept",
    5: "further name of a category",
} | dict.fromkeys(
    range(6, 25), "rules of ordering and consent of the sender; a definition has no element for them in R4"
)


@replaceable
def om7_to_category(om7: Segment, definition: Resource, draft: Draft) -> None:
    """Add the categories of the service."""
    found = [one for cwe in om7[3].repetitions if (one := cwe_to_codeable_concept(cwe, draft.context))]
    described = words(om7.peek(4).whole)
    if not found and described:
        _ = om7[4]
        found = [{"text": described}]
    if found:
        present = definition.setdefault("category", [])
        present += [one for one in found if one not in present]
