"""CTD: a contact person of the provider, or for the order, before it.

Standard: HL7 v2.5.1 §11.6.4
"""

from __future__ import annotations

from mappings.hl7v2.addresses import xad_to_address, xtn_to_contact_point
from mappings.hl7v2.codings import cwe_to_codeable_concept
from mappings.hl7v2.datatypes import Element, compact
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.names import xpn_to_human_name
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.site import replaceable

MAPPED = {
    1: "Organization.contact.purpose",
    2: "Organization.contact.name | ServiceRequest.extension(order-contact) | DiagnosticReport.extension(order-contact)",
    3: "Organization.contact.address",
    5: "Organization.contact.telecom | ServiceRequest.extension(order-contact) | DiagnosticReport.extension(order-contact)",
}
IGNORED = {
    1: "role of the contact for the order; the name tells whom to ask",
    3: "address of the contact for the order; the telecom is enough",
    4: "location of the contact; the address is CTD-3",
    6: "preferred way of contact; all ways are kept",
    7: "number of the contact; a contact is no practitioner",
}


@replaceable
def ctd_to_contact(ctd: Segment, draft: Draft) -> Element | None:
    """Make an entry of Organization.contact; R4 has one name and one address there."""
    context = draft.context
    names = [name for xpn in ctd[2].repetitions if (name := xpn_to_human_name(xpn, context))]
    addresses = [address for xad in ctd[3].repetitions if (address := xad_to_address(xad, context))]
    points = [point for xtn in ctd[5].repetitions if (point := xtn_to_contact_point(xtn, context))]
    purpose = cwe_to_codeable_concept(ctd[1], context, "v2-0131")
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


@replaceable
def ctd_to_contact_detail(ctd: Segment, draft: Draft) -> Element:
    """Make a ContactDetail: whom to ask about the order, and how."""
    context = draft.context
    names = [name["text"] for xpn in ctd[2].repetitions if (name := xpn_to_human_name(xpn, context))]
    points = [point for xtn in ctd[5].repetitions if (point := xtn_to_contact_point(xtn, context))]
    return compact({"name": ", ".join(names), "telecom": points})
