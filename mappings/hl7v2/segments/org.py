"""ORG: a unit of the organisation in which a member of the staff works.

Standard: HL7 v2.5.1 §15.4.5
"""

from __future__ import annotations

from mappings.hl7v2.actors import cwe_to_organization
from mappings.hl7v2.codings import cwe_to_codeable_concept
from mappings.hl7v2.datatypes import Element, compact, period
from mappings.hl7v2.draft import Draft, datetime_of
from mappings.hl7v2.identifiers import cx_to_identifier
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments import BILLING, SEQUENCE
from mappings.hl7v2.site import replaceable

MAPPED = {
    2: "PractitionerRole.organization",
    3: "Organization.type",
    5: "PractitionerRole.identifier",
    6: "PractitionerRole.code",
    7: "PractitionerRole.specialty",
    8: "PractitionerRole.specialty",
    9: "PractitionerRole.period",
}
IGNORED = {
    1: SEQUENCE,
    4: "main unit of the person; every unit is kept",
    10: "matter between employer and employee",
    11: "approval by a board; not recorded in Vietnam",
    12: "primary care; the specialty tells",
    13: BILLING,
}


@replaceable
def org_to_role(org: Segment, draft: Draft) -> Element | None:
    """Give the post in that unit; nothing without a unit."""
    context = draft.context
    place = cwe_to_organization(org[2], draft)
    if place is None:
        return None
    kind = cwe_to_codeable_concept(org[3], context)
    if kind:
        draft.get(place["reference"]).setdefault("type", [kind])
    number = cx_to_identifier(org[5], context, of="staff-unit")
    code = cwe_to_codeable_concept(org[6], context)
    return compact(
        {
            "identifier": [number] if number else [],
            "organization": place,
            "code": [code] if code else [],
            "specialty": [found for n in (7, 8) if (found := cwe_to_codeable_concept(org[n], context))],
            "period": period(datetime_of(org[9].c(1), context), datetime_of(org[9].c(2), context)),
        }
    )
