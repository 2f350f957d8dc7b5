"""PRD: who refers and to whom.

Standard: HL7 v2.5.1 §11.6.3
"""

from __future__ import annotations

from dataclasses import dataclass, field

from mappings.hl7v2.actors import organization, reference, role_reference
from mappings.hl7v2.datatypes import (
    Components,
    Element,
    code_of,
    compact,
    concept,
    identifier_type,
    words,
    xad_to_address,
    xpn_to_human_name,
    xtn_to_contact_point,
)
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.reader import Segment
from mappings.ids import resource_id
from mappings.systems import V2_TABLE

IGNORED = {
    6: "preferred method of contact",
    8: "start of the role",
    9: "end of the role",
    12: "location inside the organisation; its address is PRD-11",
    14: "preferred method of contact",
}

_LICENCE_TYPES = frozenset({"LN", "MD", "CCHN", "GPHN"})


@dataclass
class Provider:
    """One PRD: roles of table 0286 (RP referring, RT referred-to …) and who has them."""

    roles: frozenset[str]
    person: Element | None = None
    place: Element | None = None
    both: list[Element] = field(default_factory=list)


def prd_to_provider(prd: Segment, draft: Draft) -> Provider:
    """Make Practitioner and Organization of PRD, with a PractitionerRole when both are named.

    The organisation is PRD-10; before v2.5, which had none, the facility of PRD-4 with the name in PRD-4.9.
    """
    roles = frozenset(role for cwe in prd[1].repetitions if (role := code_of(cwe.c(1)).upper()))
    provider = Provider(roles=roles, person=_person(prd, draft), place=_place(prd, draft))
    provider.both = [found for found in (provider.place, provider.person) if found]
    if provider.person and provider.place:
        role = sorted(roles)[0] if roles else "PP"
        role_reference(draft, provider.person, provider.place, concept(role, f"{V2_TABLE}0286"))
    return provider


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
        identifiers.append(compact({"type": identifier_type(kind), "system": system, "value": number}))
        keys.append(number if licensed else f"{context.facility}|{number}")
    if not names and not identifiers:
        return None
    addresses = [address for xad in prd[3].repetitions if (address := xad_to_address(xad, context))]
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
        )
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
