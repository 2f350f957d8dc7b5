"""LOC: a place of the facility: point of care, room, bed.

Standard: HL7 v2.5.1 §8.9.2
"""

from __future__ import annotations

from mappings import codes
from mappings.hl7v2.actors import pl_to_location, xon_to_organization
from mappings.hl7v2.addresses import xad_to_address, xtn_to_contact_point
from mappings.hl7v2.codings import cwe_to_codeable_concept
from mappings.hl7v2.datatypes import code_of, words
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.site import replaceable
from mappings.outcome import Resource

MAPPED = {
    1: "Location.identifier | Location.name",
    2: "Location.description",
    3: "Location.physicalType | Location.type",
    4: "Location.managingOrganization",
    5: "Location.address",
    6: "Location.telecom",
    7: "Location.identifier",
    9: "Location.type",
}
IGNORED = {8: "equipment; devices are told by what they measure"}

STATUS = {True: "active", False: "inactive"}


@replaceable
def loc_to_location(loc: Segment, draft: Draft, active: bool | None) -> Resource | None:
    """Make the Location with those around it; nothing when LOC-1 names no place."""
    context = draft.context
    found = pl_to_location(loc[1], draft)
    if found is None:
        return None
    place = draft.get(found["reference"])
    draft.add(place, loc)
    if active is not None:
        place["status"] = STATUS[active]
    described = words(loc[2].whole)
    if described:
        place["description"] = described
    for cwe in loc[3].repetitions:
        row = codes.table("v2-0260").find(code_of(cwe.c(1)).upper())
        kind = cwe_to_codeable_concept(cwe, context, system="http://terminology.hl7.org/CodeSystem/v2-0260")
        if row and "physicalType" not in place:
            place["physicalType"] = {"coding": [row.coding()]}
        if kind:
            place.setdefault("type", []).append(kind)
    service = cwe_to_codeable_concept(loc[9], context)
    if service:
        place.setdefault("type", []).append(service)
    owners = [owner for xon in loc[4].repetitions[:1] if (owner := xon_to_organization(xon, draft))]
    addresses = [one for xad in loc[5].repetitions if (one := xad_to_address(xad, context))]
    points = [one for xtn in loc[6].repetitions if (one := xtn_to_contact_point(xtn, context, "work"))]
    if owners:
        place["managingOrganization"] = owners[0]
    if addresses:
        place["address"] = addresses[0]
    if points:
        place["telecom"] = points
    for cwe in loc[7].repetitions:
        number = code_of(cwe.c(1))
        if number:
            licence = {"system": context.systems.local(context.facility, "location-licence"), "value": number}
            place.setdefault("identifier", []).append(licence)
    return place
