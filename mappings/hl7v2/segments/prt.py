"""PRT: who or what takes part in the thing the segment follows.

What a participation becomes depends on what it follows: see `mappings/hl7v2/participation.py`.

Standard: HL7 v2.8 §7.4.4
"""

from __future__ import annotations

from mappings.hl7v2.actors import ei_to_device, pl_to_location, practitioners, xon_to_organization
from mappings.hl7v2.codings import cwe_to_codeable_concept
from mappings.hl7v2.datatypes import period, words
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.identifiers import ei_to_identifier, pln_to_identifier
from mappings.hl7v2.participation import Participation, add_address, organization_type, prefer, role_code
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments.pid import telecoms
from mappings.hl7v2.site import replaceable
from mappings.systems import V2_TABLE

_WHO = (
    "Patient.generalPractitioner | Encounter.participant.individual | CareTeam.participant.member | Observation.performer"
    " | Procedure.performer.actor | PractitionerRole.practitioner | Practitioner.name | Practitioner.identifier"
)
MAPPED = {
    1: "PractitionerRole.identifier",
    4: "PractitionerRole.code | CareTeam.participant.role | Encounter.participant.type | Procedure.performer.function"
    " | Patient.generalPractitioner | Observation.performer | DiagnosticReport.performer"
    " | DiagnosticReport.resultsInterpreter | ServiceRequest.requester | ServiceRequest.performer"
    " | ServiceRequest.extension(result-copy-to) | Specimen.collection.collector",
    5: _WHO,
    6: "PractitionerRole.specialty",
    7: "Organization.type",
    8: "PractitionerRole.organization | CareTeam.participant.member | Procedure.performer.actor | Organization.name"
    " | Organization.identifier",
    9: "PractitionerRole.location | Observation.extension(event-location) | ServiceRequest.locationReference | Location.name",
    10: "Device.identifier | Device.udiCarrier.deviceIdentifier",
    11: "PractitionerRole.period.start | CareTeam.participant.period.start | Encounter.participant.period.start",
    12: "PractitionerRole.period.end | CareTeam.participant.period.end | Encounter.participant.period.end",
    14: "Practitioner.address | Organization.address",
    15: "PractitionerRole.telecom | Organization.telecom",
    16: "Device.udiCarrier.deviceIdentifier",
    17: "Device.manufactureDate",
    18: "Device.expirationDate",
    19: "Device.lotNumber",
    20: "Device.serialNumber",
    21: "Device.distinctIdentifier",
    22: "Device.type",
    23: "PractitionerRole.telecom.extension(iso21090-preferred)",
    24: "PractitionerRole.identifier",
}
IGNORED = {
    2: "action code; it steers whether the segment is kept",
    3: "reason of the action",
    13: "length of the participation in words; begin and end tell",
}


@replaceable
def prt_to_participation(prt: Segment, draft: Draft) -> Participation:
    """Make the people, organisation, place and device of a participation, and say in which role."""
    context = draft.context
    part = Participation(
        code=role_code(prt[4]),
        role=cwe_to_codeable_concept(prt[4], context, system=f"{V2_TABLE}0912"),
        removed=prt.peek(2).text.strip().upper() == "D",
        people=practitioners(prt[5].repetitions, draft),
        organization=xon_to_organization(prt[8], draft),
        period=period(draft.moment(prt, 11), draft.moment(prt, 12)),
    )
    if part.removed:
        for n in prt.fields - set(IGNORED):
            prt.ignore(n, "taken back by the sender")
    if part.removed or prt.fields.isdisjoint(_RARE):
        return part
    if part.people:
        part.identifier = ei_to_identifier(prt[1], context, "participation")
        part.kind = cwe_to_codeable_concept(prt[6], context)
    else:
        for n in (1, 6, 24, *(() if part.organization else (14, 15))):
            if prt.peek(n):
                prt.ignore(n, "about a person or organisation that the segment does not name")
    organization_type(prt, 7, part.organization, draft)
    part.location = pl_to_location(prt[9], draft)
    part.device = prt_to_device(prt, draft)
    if part.people:
        part.telecom = telecoms(prt, ((15, ""),), draft)
        prefer(prt, 23, part.telecom)
        part.numbers = [one for pln in prt[24].repetitions if (one := pln_to_identifier(pln, context))]
        add_address(draft, part.people, prt[14].repetitions)
    elif prt.peek(23):
        prt.ignore(23, "preferred way to reach a person that PRT-5 does not name")
    if not part.people and part.organization:
        part.organization = xon_to_organization(prt[8], draft, address=prt[14], telecom=prt[15])
    return part


_RARE = frozenset({1, 6, 7, 9, 10, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24})


@replaceable
def prt_to_device(prt: Segment, draft: Draft) -> dict[str, str] | None:
    """Make the Device of PRT-10 with what PRT-16 to PRT-22 say of it."""
    context = draft.context
    found = ei_to_device(prt[10], draft)
    if found is None:
        for n in range(16, 23):
            if prt.peek(n):
                prt.ignore(n, "about a device that PRT-10 does not name")
        return None
    device = draft.get(found["reference"])
    udi = words(prt[16].c(1))
    if udi:
        device["udiCarrier"] = [{"deviceIdentifier": udi}]
    for n, name in ((17, "manufactureDate"), (18, "expirationDate")):
        moment = draft.moment(prt, n)
        if moment:
            device[name] = moment
    for n, name in ((19, "lotNumber"), (20, "serialNumber"), (21, "distinctIdentifier")):
        value = words(prt[n].c(1))
        if value:
            device[name] = value
    kind = cwe_to_codeable_concept(prt[22], context)
    if kind:
        device["type"] = kind
    return found
