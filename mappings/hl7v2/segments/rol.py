"""ROL: who has which role in the thing the segment follows.

What a role becomes depends on what it follows: see `mappings/hl7v2/participation.py`.

Standard: HL7 v2.5.1 §15.4.7
"""

from __future__ import annotations

from mappings.hl7v2.actors import pl_to_location, practitioners, xon_to_organization
from mappings.hl7v2.codings import cwe_to_codeable_concept
from mappings.hl7v2.datatypes import period
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.identifiers import ei_to_identifier
from mappings.hl7v2.participation import Participation, add_address, organization_type, role_code
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments.pid import telecoms
from mappings.hl7v2.site import replaceable
from mappings.systems import V2_TABLE

MAPPED = {
    1: "PractitionerRole.identifier",
    3: "PractitionerRole.code | CareTeam.participant.role | Encounter.participant.type | Procedure.performer.function"
    " | Patient.generalPractitioner",
    4: "Patient.generalPractitioner | Encounter.participant.individual | CareTeam.participant.member"
    " | Procedure.performer.actor | PractitionerRole.practitioner | Practitioner.name",
    5: "PractitionerRole.period.start | CareTeam.participant.period.start | Encounter.participant.period.start",
    6: "PractitionerRole.period.end | CareTeam.participant.period.end | Encounter.participant.period.end",
    8: "CareTeam.reasonCode",
    9: "PractitionerRole.specialty | CareTeam.participant.role",
    10: "Organization.type",
    11: "Practitioner.address",
    12: "PractitionerRole.telecom",
    13: "PractitionerRole.location",
    14: "PractitionerRole.organization | CareTeam.participant.member",
}
IGNORED = {
    2: "action code; it steers whether the segment is kept",
    7: "length of the role in words; begin and end tell",
}


@replaceable
def rol_to_participation(rol: Segment, draft: Draft) -> Participation:
    """Make the people, organisation and place of a role."""
    context = draft.context
    people = practitioners(rol[4].repetitions, draft)
    part = Participation(
        code=role_code(rol[3]),
        role=cwe_to_codeable_concept(rol[3], context, system=f"{V2_TABLE}0443"),
        removed=rol.peek(2).text.strip().upper() in ("DE", "D"),
        people=people,
        period=period(draft.moment(rol, 5), draft.moment(rol, 6)),
        organization=xon_to_organization(rol[14], draft),
    )
    if rol.peek(8):
        part.reason = cwe_to_codeable_concept(rol[8], context)
        part.leave_reason = lambda: rol.ignore(8, "reason of a role; only a care team has one")
    organization_type(rol, 10, part.organization, draft)
    if not people:
        for n in (1, 9, 11, 12, 13):
            if rol.peek(n):
                rol.ignore(n, "about a person that ROL-4 does not name")
    else:
        part.identifier = ei_to_identifier(rol[1], context, "role")
        part.kind = cwe_to_codeable_concept(rol[9], context)
        part.location = pl_to_location(rol[13], draft)
        part.telecom = telecoms(rol, ((12, ""),), draft)
        add_address(draft, people, rol[11].repetitions)
    if part.removed:
        for n in rol.fields - set(IGNORED):
            rol.ignore(n, "taken back by the sender")
    return part
