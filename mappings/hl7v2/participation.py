"""Who takes part in what, as ROL and PRT say it of the thing they follow: a person, a visit, a procedure, a result.

Standard: HL7 v2.5.1 §15.4.7 (ROL); v2.8 §7.4.4 (PRT)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from mappings.hl7v2.actors import reference
from mappings.hl7v2.addresses import xad_to_address
from mappings.hl7v2.codings import cwe_to_codeable_concept
from mappings.hl7v2.datatypes import Components, Element, code_of, compact, words
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.reader import Segment
from mappings.ids import resource_id
from mappings.outcome import Resource
from mappings.systems import V2_TABLE

_PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
# role in HL7 tables 0443 and 0912: code and display in v3-ParticipationType
_TYPES = {
    "AD": ("ADM", "admitter"),
    "AT": ("ATND", "attender"),
    "CP": ("CON", "consultant"),
    "RP": ("REF", "referrer"),
}
PRIMARY_CARE = frozenset({"PP", "FHCP"})


@dataclass
class Participation:
    """One ROL or PRT."""

    code: str
    """Role in capitals: `AT`, `PP` …"""
    role: Element | None
    removed: bool = False
    """The sender takes the participation back (action D)."""
    people: list[Element] = field(default_factory=list)
    identifier: Element | None = None
    kind: Element | None = None
    """Type of provider."""
    organization: Element | None = None
    location: Element | None = None
    device: Element | None = None
    period: Element = field(default_factory=dict)
    telecom: list[Element] = field(default_factory=list)
    numbers: list[Element] = field(default_factory=list)
    reason: Element | None = None
    """Why, which only a CareTeam can tell; `leave_reason` says that it is left out elsewhere."""
    leave_reason: Callable[[], None] = lambda: None

    def actors(self, draft: Draft, behalf: bool = False) -> list[Element]:
        """Refer to who takes part: people, in a PractitionerRole where more than a name is told; else organisation, device.

        `behalf`: the organisation can be told beside the person, and alone needs no PractitionerRole.
        """
        detailed = any((self.identifier, self.kind, self.location, self.telecom, self.numbers))
        if self.people:
            named = not detailed and (behalf or not self.organization)
            return [
                person if named or "reference" not in person else self._role(person, draft) for person in self.people
            ]
        return [one for one in (self.organization, self.device) if one]

    def behalf(self, actor: Element) -> Element | None:
        """Give the organisation a person acts for, where it is not in the PractitionerRole."""
        return self.organization if actor.get("reference", "").startswith("Practitioner/") else None

    def _role(self, person: Element, draft: Draft) -> Element:
        organization = self.organization or {}
        key = f"{person['reference']}|{organization.get('reference', '')}|{self.code}"
        system = draft.context.systems.staff
        if self.identifier:
            system, key = self.identifier["system"], f"{self.identifier['value']}|{key}"
        target = draft.add(
            compact(
                {
                    "resourceType": "PractitionerRole",
                    "id": resource_id("PractitionerRole", system, key),
                    "identifier": [*([self.identifier] if self.identifier else []), *self.numbers],
                    "period": self.period,
                    "practitioner": person,
                    "organization": self.organization,
                    "code": [self.role] if self.role else [],
                    "specialty": [self.kind] if self.kind else [],
                    "location": [self.location] if self.location else [],
                    "telecom": self.telecom,
                }
            )
        )
        return reference(target, person.get("display", ""))


def followers(
    segments: Sequence[Segment], heads: frozenset[str], names: frozenset[str]
) -> Iterator[tuple[Segment, Segment]]:
    """Give each segment of `names` that follows one of `heads`, with the head before it."""
    head: Segment | None = None
    for segment in segments:
        if segment.name in heads:
            head = segment
        elif segment.name in names:
            if head is not None:
                yield head, segment
        elif segment.name not in _BESIDE:
            head = None


_BESIDE = frozenset({"ROL", "PRT", "ARV", "NTE", "OH1", "OH2", "OH3", "OH4", "PV2", "PD1", "IN2", "IN3"})
"""Segments that do not end the group of what stands before them."""


def add_address(draft: Draft, people: Sequence[Element], addresses: Sequence[Components]) -> None:
    """Keep the addresses of a person with the Practitioner."""
    found = [one for xad in addresses if (one := xad_to_address(xad, draft.context))]
    for person in people:
        present = draft.get(person["reference"]).setdefault("address", [])
        present += [one for one in found if one not in present]
        if not present:
            draft.get(person["reference"]).pop("address")


def _keep_device(part: Participation, draft: Draft) -> None:
    """Keep a device with the person it is used for."""
    if part.device and draft.patient and not part.removed:
        draft.get(part.device["reference"]).setdefault("patient", draft.refer(draft.patient))


def to_patient(part: Participation, patient: Resource, draft: Draft) -> None:
    """Keep primary care with the Patient, anybody else in the CareTeam of the person."""
    _keep_device(part, draft)
    if part.code in PRIMARY_CARE:
        part.leave_reason()
        if part.removed:
            return
        present = patient.setdefault("generalPractitioner", [])
        present += [one for one in part.actors(draft) if one not in present]
        if not present:
            del patient["generalPractitioner"]
    else:
        to_care_team(part, draft, draft.patient)


def to_encounter(part: Participation, encounter: Resource, draft: Draft) -> None:
    """Keep people as participants of the visit, organisations in its CareTeam, devices with the person."""
    _keep_device(part, draft)
    if not part.people:
        to_care_team(part, draft, draft.patient, draft.encounter)
        return
    part.leave_reason()
    present = encounter.setdefault("participant", [])
    for actor in part.actors(draft):
        kind = part.role
        row = _TYPES.get(part.code)
        if kind and row:
            coding = {"system": _PARTICIPATION, "code": row[0], "display": row[1]}
            kind = {**kind, "coding": [coding, *kind.get("coding", [])]}
        entry = compact({"type": [kind] if kind else [], "individual": actor, "period": part.period})
        if part.removed:
            encounter["participant"] = present = [one for one in present if one["individual"] != actor]
        elif entry not in present:
            present.append(entry)
    if not present:
        encounter.pop("participant", None)


def to_care_team(part: Participation, draft: Draft, patient: str, encounter: str = "", about: str = "") -> str:
    """Keep a participation in the CareTeam of the person, of a visit, or of the care `about` a problem, goal or plan.

    Gives the reference of the CareTeam; `""` when nobody takes part.
    """
    members = [] if part.removed else part.actors(draft, behalf=True)
    if not part.people:
        members = [one for one in members if one == part.organization]
    if not members:
        part.leave_reason()
        return ""
    system = draft.context.systems.local(draft.context.facility, "care-team")
    target = draft.add(
        compact(
            {
                "resourceType": "CareTeam",
                "id": resource_id("CareTeam", system, about or encounter or patient or draft.whose),
                "status": "active",
                "subject": reference(patient),
                "encounter": reference(encounter) if encounter else {},
                "reasonReference": [reference(about)] if about.startswith("Condition/") else [],
            }
        )
    )
    if part.reason and part.reason not in draft.get(target).get("reasonCode", []):
        draft.get(target).setdefault("reasonCode", []).append(part.reason)
    present = draft.get(target).setdefault("participant", [])
    for member in members:
        entry = compact(
            {
                "role": [one for one in (part.role, part.kind) if one],
                "member": member,
                "onBehalfOf": part.behalf(member),
                "period": part.period,
            }
        )
        if entry not in present:
            present.append(entry)
    return target


def to_performers(part: Participation, resource: dict[str, Any], draft: Draft) -> None:
    """Keep people as performers of a Procedure, each in the role told, for the organisation told."""
    part.leave_reason()
    if part.removed:
        return
    present = resource.setdefault("performer", [])
    for member in part.actors(draft, behalf=True):
        entry = compact({"function": part.role, "actor": member, "onBehalfOf": part.behalf(member)})
        if entry not in present:
            present.append(entry)
    if not present:
        del resource["performer"]


def organization_type(segment: Segment, n: int, organization: Element | None, draft: Draft) -> None:
    """Take the type of the organisational unit into the Organization, when one is named."""
    if not segment.peek(n):
        return
    if organization is None:
        segment.ignore(n, "type of an organisational unit that the segment does not name")
        return
    kind = cwe_to_codeable_concept(segment[n], draft.context, system=f"{V2_TABLE}0406")
    present = draft.get(organization["reference"])
    if kind and kind not in present.get("type", []):
        present["type"] = [*present.get("type", []), kind]


_WAYS = {
    # HL7 table 0185: element of ContactPoint, its value
    "B": ("system", "pager"),
    "C": ("use", "mobile"),
    "E": ("system", "email"),
    "F": ("system", "fax"),
    "H": ("use", "home"),
    "O": ("use", "work"),
}
_PREFERRED = {"url": "http://hl7.org/fhir/StructureDefinition/iso21090-preferred", "valueBoolean": True}


def prefer(segment: Segment, n: int, points: list[Element]) -> None:
    """Take the preferred way to reach somebody: mark the contact points of that kind."""
    code = code_of(segment[n].c(1)).upper()
    name, value = _WAYS.get(code, ("", ""))
    chosen = [point for point in points if name and point.get(name) == value]
    for point in chosen:
        point["extension"] = [*point.get("extension", []), _PREFERRED]
    if code and not chosen:
        segment.ignore(n, "preferred way to reach somebody; no contact point is of that kind")


def role_code(cwe: Components) -> str:
    """Give the code of a role in capitals."""
    return code_of(cwe.c(1)).upper() or words(cwe.c(2)).upper()
