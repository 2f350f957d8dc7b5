"""AFF: a professional body that a member of the staff belongs to.

Standard: HL7 v2.5.1 §15.4.1
"""

from __future__ import annotations

from mappings.hl7v2.actors import xon_to_organization
from mappings.hl7v2.datatypes import Element, compact, period, words
from mappings.hl7v2.draft import Draft, datetime_of
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments import SEQUENCE
from mappings.hl7v2.site import replaceable

MAPPED = {
    2: "PractitionerRole.organization",
    3: "Organization.address",
    4: "PractitionerRole.period",
    5: "PractitionerRole.code.text",
}
IGNORED = {1: SEQUENCE}


@replaceable
def aff_to_role(aff: Segment, draft: Draft) -> Element | None:
    """Give the membership; nothing without the body."""
    place = xon_to_organization(aff[2], draft, address=aff[3])
    if place is None:
        return None
    if aff.peek(3) and "address" not in draft.get(place["reference"]):
        aff.give_back(3)
    text = words(aff[5].whole)
    span = aff[4]
    return compact(
        {
            "organization": place,
            "code": [{"text": text}] if text else [],
            "period": period(datetime_of(span.c(1), draft.context), datetime_of(span.c(2), draft.context)),
        }
    )
