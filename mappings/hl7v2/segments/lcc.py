"""LCC: what staying at a place is charged as.

Standard: HL7 v2.5.1 §8.9.6
"""

from __future__ import annotations

from mappings.hl7v2.codings import cwe_to_codeable_concept
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments import BILLING
from mappings.hl7v2.site import replaceable
from mappings.outcome import Resource

MAPPED = {3: "Location.type"}
IGNORED = {
    1: "place; LOC-1 names it",
    2: "department; LDP-2 names it",
    4: BILLING,
}


@replaceable
def lcc_to_location(lcc: Segment, place: Resource, draft: Draft) -> None:
    """Add the sort of accommodation to the types of the place."""
    for cwe in lcc[3].repetitions:
        kind = cwe_to_codeable_concept(cwe, draft.context)
        if kind and kind not in place.get("type", []):
            place.setdefault("type", []).append(kind)
