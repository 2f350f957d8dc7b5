"""Who takes part: names, addresses, telecommunication, organizations, assigned entities.

Standard: CDA R2 §4.2.2
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any
from urllib.parse import quote

from mappings.cda.datatypes import DataTypes, time
from mappings.cda.markup import Markup, el, joined
from mappings.cda.source import Source
from mappings.documents import wording
from mappings.outcome import Resource

_NAME_USES = {"official": "L", "nickname": "P", "anonymous": "A"}
_ADDRESS_USES = {"home": "HP", "work": "WP", "temp": "TMP", "old": "BAD"}
_TELECOM_USES = {"home": "HP", "work": "WP", "mobile": "MC", "temp": "TMP", "old": "BAD"}
_PARTS = (("district", "county"), ("city", "city"), ("state", "state"), ("postalCode", "postalCode"))
_PLACES = ("vn-ext-province", "vn-ext-district", "vn-ext-ward")


def preferred(person: Resource) -> dict[str, Any] | None:
    """Give the name that papers print."""
    listed = [one for one in person.get("name") or [] if isinstance(one, dict)]
    return next((one for one in listed if wording.name({"name": [one]}) == wording.name(person)), None)


def name(person: Resource, title: bool = False) -> Markup:
    """Make PN of a person's name as it was received; in parts where the parts say the same."""
    shown = wording.title_and_name(person) if title else wording.name(person)
    if not shown:
        return el("name", nullFlavor="UNK")
    names = person.get("name") or []
    for one in names if isinstance(names, list) else ():
        family, given = one.get("family", ""), one.get("given", [])
        prefix = one.get("prefix", []) if title else []
        if family and given and shown == " ".join([*prefix, family, *given]):
            parts = [el("prefix", part) for part in prefix]
            parts += [el("family", family), *(el("given", part) for part in given)]
            spaced = [piece for part in parts for piece in (" ", part)][1:]
            return el("name", *spaced, use=_NAME_USES.get(one.get("use", "")))
    return el("name", shown)


def addresses(resource: Resource | None, single: bool = False) -> Iterator[Markup]:
    """Make AD of every address, the one that papers print first.

    A part that a person wrote as one text is one line. `censusTract` has the codes of province, district and commune.
    """
    known = [one for one in (resource or {}).get("address") or [] if isinstance(one, dict)]
    for one in sorted(known, key=lambda one: one.get("use") == "old")[: 1 if single else None]:
        if made := address(one):
            yield made


def address(one: dict[str, Any], tag: str = "addr") -> Markup | None:
    """Make AD; None when the address says nothing."""
    parts = [el(theirs, one[ours]) for ours, theirs in _PARTS if one.get(ours)]
    codes = [
        extension["valueCoding"].get("code", "")
        for place in _PLACES
        for extension in one.get("extension", [])
        if extension.get("url", "").endswith(f"/{place}") and "valueCoding" in extension
    ]
    lines = one.get("line") or _street(one)
    if not (lines or parts):
        return None
    if one.get("country"):
        parts.append(el("country", one["country"]))
    if codes:
        parts.append(el("censusTract", "/".join(codes)))
    return el(
        tag, *(el("streetAddressLine", line) for line in lines), *parts, use=_ADDRESS_USES.get(one.get("use", ""))
    )


def _street(one: dict[str, Any]) -> list[str]:
    """Give what an address in one text says before the parts that are known besides."""
    text: str = one.get("text", "")
    rest = ", ".join(one[part] for part in ("district", "city", "state") if one.get(part))
    street = text.removesuffix(rest).removesuffix(", ") if rest else text
    return [street] if street else []


def telecoms(resource: Resource | None) -> Iterator[Markup]:
    """Make TEL of telephone numbers, mail addresses and web pages; other ways to reach somebody have no URL here."""
    for point in (resource or {}).get("telecom", []):
        kind, said = point.get("system", "phone"), point.get("value", "")
        use = _TELECOM_USES.get(point.get("use", ""))
        if kind == "email" and said:
            yield el("telecom", value=f"mailto:{quote(said, safe='@+')}", use=use)
        elif kind == "url" and said:
            yield el("telecom", value=quote(said, safe=":/?#[]@!$&'()*+,;=%-._~"), use=use)
        number = re.sub(r"[^0-9+]", "", said)
        if kind in ("phone", "sms", "fax", "pager") and number.strip("+"):
            yield el("telecom", value=f"{'fax' if kind == 'fax' else 'tel'}:{number}", use=use)


@cache
def _nobody(tag: str) -> Markup:
    """Make an entity of which nothing is known."""
    return el(tag, el("id", nullFlavor="UNK"))


class People:
    """Writes those who take part in a document."""

    def __init__(self, source: Source, types: DataTypes) -> None:
        self._source = source
        self._types = types
        self._roles = {
            role["practitioner"].get("reference", ""): role
            for role in source.all("PractitionerRole")
            if role.get("practitioner")
        }
        self._known: dict[tuple[str, str], Markup] = {}
        self._entities: dict[tuple[str, str], Markup] = {}

    def organization(self, organization: Resource, tag: str, single: bool = False) -> Markup:
        """Make an Organization; `single` where CDA allows one telecom."""
        key = (f"{organization.get('id', '')}", tag)
        if key not in self._known or not key[0]:
            self._known[key] = self._organization(organization, tag, single)
        return self._known[key]

    def _organization(self, organization: Resource, tag: str, single: bool) -> Markup:
        phones = list(telecoms(organization))
        shown = organization.get("name")
        above = self._source.get(organization.get("partOf"))
        whole = el("wholeOrganization", el("name", above["name"])) if above and above.get("name") else None
        return el(
            tag,
            *self._types.instances(organization),
            el("name", shown) if shown else None,
            *(phones[:1] if single else phones),
            *addresses(organization, single=True),
            el("asOrganizationPartOf", whole) if whole and not single else None,
        )

    def assigned(self, tag: str, party: Resource | None, display: str = "", context: bool = True) -> Markup:
        """Make an AssignedEntity or AssignedAuthor of a practitioner (or role, relative, patient), or of an organization.

        With `context` a practitioner stands for the custodian when no organization is named.
        """
        if party is None:
            person = el("assignedPerson", el("name", display)) if display else None
            return el(tag, el("id", nullFlavor="UNK"), person)
        if party["resourceType"] == "Organization":
            return el(tag, *self._types.instances(party), self.organization(party, "representedOrganization"))
        if party["resourceType"] == "Device":
            return self._device(tag, party)
        role: Resource = {}
        if party["resourceType"] == "PractitionerRole":
            role, party = party, self._source.get(party.get("practitioner")) or party
        else:
            role = self._roles.get(f"{party['resourceType']}/{party['id']}", {})
        body = self._source.get(role.get("organization")) or (self._source.custodian if context else None)
        return el(
            tag,
            *self._types.instances(party),
            self._role_code(role, party),
            *addresses(party, single=True),
            *telecoms(party),
            el("assignedPerson", name(party, title=True)),
            self.organization(body, "representedOrganization") if body else None,
        )

    def _role_code(self, role: Resource, party: Resource) -> Markup | None:
        concepts = [*role.get("code", []), *role.get("specialty", []), *party.get("relationship", [])]
        concepts += [one["code"] for one in party.get("qualification", []) if one.get("code")]
        return self._types.coded("code", concepts[0]) if concepts else None

    def _device(self, tag: str, device: Resource) -> Markup:
        shown = next((one["name"] for one in device.get("deviceName", []) if one.get("name")), "")
        if tag != "assignedAuthor":
            return el(tag, *self._types.instances(device))
        made = el("softwareName", shown) if shown else None
        return el(tag, *self._types.instances(device), el("assignedAuthoringDevice", made))

    def performer(self, reference: dict[str, Any] | None, kind: str | None = None) -> Markup | None:
        """Make the performer of an entry."""
        if not reference:
            return None
        return el("performer", self._referred("assignedEntity", reference), typeCode=kind)

    def author(self, reference: dict[str, Any] | None, at: str | None) -> Markup | None:
        """Make the author of an entry: who, and when it was written."""
        if not reference and not at:
            return None
        return el("author", time("time", at), self._referred("assignedAuthor", reference or {}))

    def informant(self, reference: dict[str, Any] | None) -> Markup | None:
        """Make the informant of an entry: a relative, the patient, or whoever else told."""
        if not reference:
            return None
        found = self._source.get(reference)
        if found and found["resourceType"] in ("RelatedPerson", "Patient"):
            code = next(iter(found.get("relationship", [])), None)
            return el(
                "informant",
                el(
                    "relatedEntity",
                    self._types.coded("code", code) if code else None,
                    *addresses(found),
                    *telecoms(found),
                    el("relatedPerson", name(found)),
                    classCode="PRS" if found["resourceType"] == "RelatedPerson" else "PAT",
                ),
            )
        return el("informant", self._referred("assignedEntity", reference))

    def _referred(self, tag: str, reference: dict[str, Any]) -> Markup:
        """Make an entity of a Reference; beside what it stands for it has no organization, the document's holds."""
        if not reference:
            return _nobody(tag)
        found = self._source.get(reference)
        if found:
            key = (tag, reference["reference"])
            if key not in self._entities:
                self._entities[key] = self.assigned(tag, found, context=False)
            return self._entities[key]
        identifier = reference.get("identifier")
        identity = self._types.instance(identifier) if identifier else el("id", nullFlavor="UNK")
        shown = reference.get("display", "")
        return el(tag, identity, el("assignedPerson", el("name", shown)) if shown else None)

    def device(self, device: Resource | None, display: str = "") -> Markup | None:
        """Make the participant that says with which device."""
        known = device or {}
        names = [one["name"] for one in known.get("deviceName", []) if one.get("name")]
        model = known.get("modelNumber") or next(iter(names), "") or display
        kind = known.get("type")
        if not (model or kind or known):
            return None
        playing = el(
            "playingDevice",
            self._types.coded("code", kind) if kind else None,
            el("manufacturerModelName", model) if model else None,
        )
        identity = joined(*self._types.instances(known)) if known else None
        return el("participant", el("participantRole", identity, playing, classCode="MANU"), typeCode="DEV")

    def place(self, location: Resource | None, display: str = "") -> Markup | None:
        """Make the participant that says where."""
        shown = (location or {}).get("name") or display
        if not shown:
            return None
        identity = joined(*self._types.instances(location)) if location else None
        playing = el("playingEntity", el("name", shown), classCode="PLC")
        return el("participant", el("participantRole", identity, playing, classCode="SDLOC"), typeCode="LOC")
