"""LRL: how a place relates to others.

Standard: HL7 v2.5.1 §8.9.4
"""

from __future__ import annotations

from mappings.hl7v2.actors import pl_to_location, reference, xon_to_organization
from mappings.hl7v2.datatypes import code_of, words
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.site import replaceable
from mappings.outcome import Resource

MAPPED = {
    4: "Location.partOf | Location.alias | Location.managingOrganization",
    5: "Location.managingOrganization",
    6: "Location.partOf | Location.alias",
}
IGNORED = {
    1: "place; LOC-1 names it",
    2: "what happens to the relation; the place is told whole",
    3: "number of the relation",
    4: "relation that a Location has no element for",
    5: "organisation near the place; no element of Location",
    6: "place near the place; no element of Location",
}


@replaceable
def lrl_to_location(lrl: Segment, place: Resource, draft: Draft) -> None:
    """Take the parent of the place (PAR), its other name (ALI), and an organisation that no code calls something nearby."""
    relation = code_of(lrl.peek(4).c(1)).upper()
    if relation == "PAR":
        parent = pl_to_location(lrl[6], draft)
        if parent and parent != reference(f"Location/{place['id']}", parent.get("display", "")):
            _ = lrl[4]
            place["partOf"] = parent
        elif lrl.peek(6):
            lrl.give_back(6)
    elif relation == "ALI":
        called = [name for n in (1, 2, 3, 9) if (name := words(lrl[6].c(n)))]
        if called:
            _ = lrl[4]
            place["alias"] = [*place.get("alias", []), ", ".join(called)]
    elif not relation and "managingOrganization" not in place:
        owners = [owner for xon in lrl[5].repetitions[:1] if (owner := xon_to_organization(xon, draft))]
        if owners:
            place["managingOrganization"] = owners[0]
