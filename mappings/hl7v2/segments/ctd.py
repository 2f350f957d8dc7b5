"""CTD: a contact person of the provider before it.

Standard: HL7 v2.5.1 §11.6.4
"""

from __future__ import annotations

from mappings.hl7v2.datatypes import (
    Element,
    compact,
    cwe_to_codeable_concept,
    xad_to_address,
    xpn_to_human_name,
    xtn_to_contact_point,
)
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.reader import Segment
from mappings.systems import V2_TABLE

IGNORED = {
    4: "location of the contact; the address is CTD-3",
    6: "preferred method of contact",
    7: "number of the contact; a contact is no practitioner",
}


def ctd_to_contact(ctd: Segment, draft: Draft) -> Element | None:
    """Make an entry of Organization.contact; R4 has one name and one address there."""
    context = draft.context
    names = [name for xpn in ctd[2].repetitions if (name := xpn_to_human_name(xpn, context))]
    addresses = [address for xad in ctd[3].repetitions if (address := xad_to_address(xad, context))]
    points = [point for xtn in ctd[5].repetitions if (point := xtn_to_contact_point(xtn, context))]
    purpose = cwe_to_codeable_concept(ctd[1], context, system=f"{V2_TABLE}0131")
    if not names and not points and not addresses:
        return None
    return compact(
        {
            "purpose": purpose,
            "name": names[0] if names else {},
            "telecom": points,
            "address": addresses[0] if addresses else {},
        }
    )
