"""PRD: who refers and to whom.

Standard: HL7 v2.5.1 §11.6.3
"""

from __future__ import annotations

from dataclasses import dataclass, field

from mappings.hl7v2.actors import organization, pl_to_location, reference
from mappings.hl7v2.addresses import xad_to_address, xtn_to_contact_point
from mappings.hl7v2.codings import cwe_to_codeable_concept
from mappings.hl7v2.datatypes import Components, Element, code_of, compact, period, words
from mappings.hl7v2.draft import Draft, datetime_of
from mappings.hl7v2.identifiers import identifier_type
from mappings.hl7v2.names import xpn_to_human_name
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.site import replaceable
from mappings.ids import resource_id
from mappings.systems import V2_TABLE

MAPPED = {
    1: "ServiceRequest.requester | ServiceRequest.performer | ServiceRequest.supportingInfo | PractitionerRole.code",
    2: "Practitioner.name",
    3: "Practitioner.address",
    4: "PractitionerRole.location | Organization.name | Organization.identifier | Location.name",
    5: "Practitioner.telecom",
    7: "Practitioner.identifier",
    8: "PractitionerRole.period.start",
    9: "PractitionerRole.period.end",
    10: "Organization.name | Organization.identifier",
    11: "Organization.address",
    12: "PractitionerRole.location | Location.name",
    13: "Organization.telecom",
}
IGNORED = {
    6: "preferred way of contact; all ways are kept",
    14: "preferred way of contact; all ways are kept",
}

_LICENCE_TYPES = frozenset({"LN", "MD", "CCHN", "GPHN"})


@dataclass
class Provider:
    """One PRD: roles of table 0286 (RP referring, RT referred-to …) and who has them."""

    roles: frozenset[str]
    person: Element | None = None
    place: Element | None = None
    both: list[Element] = field(default_factory=list)


@replaceable
def prd_to_provider(prd: Segment, draft: Draft) -> Provider:
    """Make Practitioner and Organization of PRD, with a PractitionerRole when both are named.

    The organisation is PRD-10; before v2.5, which had none, the facility of PRD-4 with the name in PRD-4.9.
    """
    roles = frozenset(role for cwe in prd[1].repetitions if (role := code_of(cwe.c(1)).upper()))
    provider = Provider(roles=roles, person=_person(prd, draft), place=_place(prd, draft))
    provider.both = [found for found in (provider.place, provider.person) if found]
    if provider.person and provider.place:
        _role(prd, provider.person, provider.place, draft)
    else:
        for n in (8, 9, 12, *((4,) if prd.peek(10) else ())):
            if prd.peek(n):
                prd.ignore(n, "without person and organisation together there is no role to say it of")
    return provider


def _role(prd: Segment, person: Element, place: Element, draft: Draft) -> None:
    """Make the PractitionerRole: this person, for that organisation, with the time and the place of it."""
    kinds = [
        found
        for cwe in prd[1].repetitions
        if (found := cwe_to_codeable_concept(cwe, draft.context, system=f"{V2_TABLE}0286"))
    ]
    places = [found for n in (12, 4) if (found := pl_to_location(prd[n], draft))]
    named = kinds[0]["coding"][0]["code"] if kinds and kinds[0].get("coding") else ""
    key = f"{person['reference']}|{place['reference']}|{named}"
    draft.add(
        compact(
            {
                "resourceType": "PractitionerRole",
                "id": resource_id("PractitionerRole", draft.context.systems.staff, key),
                "period": period(draft.moment(prd, 8), draft.moment(prd, 9)),
                "practitioner": person,
                "organization": place,
                "code": kinds,
                "location": [one for n, one in enumerate(places) if one not in places[:n]],
            }
        ),
        prd,
    )


def _person(prd: Segment, draft: Draft) -> Element | None:
    context = draft.context
    names = [name for xpn in prd[2].repetitions if (name := xpn_to_human_name(xpn, context))]
    identifiers: list[Element] = []
    keys: list[str] = []
    for pln in prd[7].repetitions:
        number, kind = words(pln.c(1)), code_of(pln.c(2)).upper()
        if not number:
            continue
        licensed = kind in _LICENCE_TYPES or number.upper().endswith(("-CCHN", "-GPHN"))
        system = context.systems.licence if licensed else context.systems.staff
        until = datetime_of(pln.c(4), context) if pln.c(4) else ""
        validity = {"end": until} if until else {}
        identifiers.append(
            compact({"type": identifier_type(kind), "system": system, "value": number, "period": validity})
        )
        keys.append(number if licensed else f"{context.facility}|{number}")
    if not names and not identifiers:
        return None
    addresses = [address for xad in prd[3].repetitions if (address := xad_to_address(xad, context))]
    if prd.peek(3) and not addresses:
        prd.give_back(3)
    points = [point for xtn in prd[5].repetitions if (point := xtn_to_contact_point(xtn, context))]
    display = names[0]["text"] if names else ""
    system = identifiers[0]["system"] if identifiers else context.systems.staff
    key = keys[0] if keys else f"{context.facility}|{display}"
    target = draft.add(
        compact(
            {
                "resourceType": "Practitioner",
                "id": resource_id("Practitioner", system, key),
                "identifier": identifiers,
                "name": names,
                "telecom": points,
                "address": addresses,
            }
        ),
        prd,
    )
    return reference(target, display)


def _place(prd: Segment, draft: Draft) -> Element | None:
    xon, location = prd[10], prd[4]
    name, number = words(xon.c(1)), words(xon.c(10)) or words(xon.c(3))
    if not name and not number:
        name, number = words(location.c(9)), words(location.c(4))
    address: Components | None = prd[11] if prd[11] else None
    telecom: Components | None = prd[13] if prd[13] else None
    if not name and not number:
        for n in (4, 11, 13):
            if prd.peek(n):
                prd.give_back(n)
        return None
    return organization(draft, name, number, address=address, telecom=telecom)
