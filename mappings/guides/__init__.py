"""Say the same resources in the words of a national guide: identifier systems, extensions, profiles.

Several drafts of a "VN Core" circulate, two under one package id, none official. So the guide is a table, keyed by canonical
and version (`http://fhir.hl7.org.vn/core|0.6.0`), and a destination names the one it wants. A profile is claimed only for
resources that have what it demands; a guide's own mistakes are left out of its table. Our resources are made in the spelling of
the community draft (`mappings/systems.py`); no profile is claimed unless a guide is asked for.

Checks nothing against the profiles: they are not published as packages.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from html import escape
from importlib.resources import files
from typing import Any

from mappings.outcome import Resource
from mappings.systems import DEFAULT, Systems

_COMPLEX = "extension"
_SIDS = ("cccd", "cmnd", "passport", "bhyt", "bhxh", "facility", "licence", "episode", "staff")


@dataclass(frozen=True)
class Guide:
    """One guide in one version."""

    canonical: str
    version: str
    title: str
    profile: Mapping[str, Any]
    """Resource type → `id`, and what a resource needs to claim it: `needs` (paths), `status`, `category`, `type` (of a Bundle),
    `code` (of the type of a document). `text = true`: a document gets the narrative the profile wants. Of several profiles of
    one type the first that fits is claimed."""
    sid: Mapping[str, str] = field(default_factory=dict)
    """Our name of a number → the guide's system, below its canonical; what is not named keeps our system."""
    codesystem: Mapping[str, str] = field(default_factory=dict)
    """Last word of a code system of ours → the guide's, below its canonical."""
    extension: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Last word of an extension's URL → `id` in the guide; `unwrap`: the inner extension whose value is the guide's value."""
    address: Mapping[str, str] = field(default_factory=dict)
    """How province and ward stand on an address; empty: as we write them."""
    practitioner: Mapping[str, str] = field(default_factory=dict)
    """`licence = "qualification"`: practice licences are no identifiers there."""

    @property
    def key(self) -> str:
        """`canonical|version`, as configuration names it."""
        return f"{self.canonical}|{self.version}"

    @property
    def tag(self) -> str:
        """Eight hex digits that stand for the key where a URL has no place, such as names of files."""
        return sha256(self.key.encode()).hexdigest()[:8]


@cache
def guides() -> Mapping[str, Guide]:
    """Give every guide there is, by key."""
    found = {}
    for entry in sorted(files(__name__).iterdir(), key=lambda entry: entry.name):
        if entry.name.endswith(".toml"):
            guide = Guide(**tomllib.loads(entry.read_text(encoding="utf-8")))
            found[guide.key] = guide
    return found


def in_guide(resource: Resource, guide: Guide, systems: Systems = DEFAULT) -> Resource:
    """Give a copy of a resource, or of a Bundle with all its entries, in the words of the guide."""
    if resource["resourceType"] == "Bundle":
        entries = [
            {**entry, "resource": in_guide(entry["resource"], guide, systems)} if "resource" in entry else entry
            for entry in resource.get("entry", ())
        ]
        return _claimed({**resource, **({"entry": entries} if entries else {})}, guide)
    said: Resource = _Writer(guide, systems).value(resource)
    if said["resourceType"] == "Practitioner" and guide.practitioner.get("licence") == "qualification":
        said = _licences_as_qualifications(said, systems)
    return _claimed(said, guide)


class _Writer:
    """Copy a resource, putting the guide's URIs in the place of ours."""

    def __init__(self, guide: Guide, systems: Systems) -> None:
        self._guide = guide
        self._systems = systems
        self._sids = {
            getattr(systems, name): f"{guide.canonical}/{guide.sid[name]}" for name in _SIDS if name in guide.sid
        }

    def value(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self.value(part) for part in value]
        if not isinstance(value, dict):
            return value
        copied = {name: self.value(part) for name, part in value.items() if name != _COMPLEX}
        if _COMPLEX in value:
            extensions = self._extensions(value[_COMPLEX])
            if extensions:
                copied[_COMPLEX] = extensions
        if "system" in value and isinstance(value["system"], str):
            copied["system"] = self._system(value["system"])
        return copied

    def _system(self, system: str) -> str:
        if system in self._sids:
            return self._sids[system]
        own = f"{self._systems.own}/sid/"
        if system.startswith(own):
            name = self._guide.sid.get(system.rpartition("/")[2], "")
            return f"{self._guide.canonical}/{name}" if name else system
        last = system.rpartition("/")[2]
        if last in self._guide.codesystem and system.startswith(self._systems.national):
            return f"{self._guide.canonical}/{self._guide.codesystem[last]}"
        return system

    def _extensions(self, extensions: list[dict[str, Any]]) -> list[dict[str, Any]]:
        found = []
        units = []
        for extension in extensions:
            last = extension["url"].rpartition("/")[2]
            rule = self._guide.extension.get(last)
            kind = last.removeprefix("vn-ext-")
            if self._guide.address and kind in self._guide.address and "valueCoding" in extension:
                units.append(self._unit(self._guide.address[kind], extension["valueCoding"]))
            elif rule is None:
                found.append({**self.value(extension), "url": extension["url"]})
            else:
                url = f"{self._guide.canonical}/StructureDefinition/{rule['id']}"
                found += [{**self.value(part), "url": url} for part in _unwrapped(extension, rule.get("unwrap", ""))]
        if units:
            url = f"{self._guide.canonical}/StructureDefinition/{self._guide.address['id']}"
            found.append({"url": url, _COMPLEX: units})
        return found

    def _unit(self, name: str, coding: dict[str, Any]) -> dict[str, Any]:
        system = f"{self._guide.canonical}/{self._guide.address['system']}"
        said = {"coding": [{**coding, "system": system}], "text": coding.get("display", coding["code"])}
        return {"url": name, "valueCodeableConcept": said}


def _unwrapped(extension: dict[str, Any], name: str) -> list[dict[str, Any]]:
    if not name:
        return [extension]
    return [inner for inner in extension.get(_COMPLEX, ()) if inner["url"] == name]


def _licences_as_qualifications(practitioner: Resource, systems: Systems) -> Resource:
    licences = [one for one in practitioner.get("identifier", ()) if one.get("system") == systems.licence]
    if not licences:
        return practitioner
    said = dict(practitioner)
    rest = [one for one in practitioner["identifier"] if one not in licences]
    said.pop("identifier")
    if rest:
        said["identifier"] = rest
    qualification = {"identifier": licences, "code": {"text": "giấy phép hành nghề"}}
    said["qualification"] = [qualification, *practitioner.get("qualification", ())]
    return said


def _claimed(said: Resource, guide: Guide) -> Resource:
    """Claim the first profile of the guide that the resource conforms to."""
    known = guide.profile.get(said["resourceType"], ())
    for profile in known if isinstance(known, list) else [known] if known else []:
        told = {**said, "text": _narrative(said)} if profile.get("text") and "text" not in said else said
        if _conforms(told, profile):
            url = f"{guide.canonical}/StructureDefinition/{profile['id']}|{guide.version}"
            return {**told, "meta": {**told.get("meta", {}), "profile": [url]}}
    return said


def _narrative(composition: Resource) -> dict[str, str]:
    """Say in one paragraph what document this is, of whom, from when; the sections have narratives of their own."""
    parts = [
        composition.get("title", ""),
        composition.get("subject", {}).get("display", ""),
        composition.get("date", ""),
    ]
    said = " · ".join(escape(part, quote=False) for part in parts if part)
    return {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml"><p>{said}</p></div>'}


def _document_codes(resource: Resource) -> set[str]:
    """Give the codes of the kind of document a Composition is, or the one that a Bundle begins with."""
    if resource["resourceType"] == "Bundle":
        resource = next((entry["resource"] for entry in resource.get("entry", ())[:1] if "resource" in entry), {})
    kind = resource.get("type")
    return {coding.get("code", "") for coding in kind.get("coding", ())} if isinstance(kind, dict) else set()


def _conforms(resource: Resource, profile: Mapping[str, Any]) -> bool:
    if "status" in profile and resource.get("status") not in profile["status"]:
        return False
    if "type" in profile and resource.get("type") != profile["type"]:
        return False
    if "code" in profile and profile["code"] not in _document_codes(resource):
        return False
    if "category" in profile:
        codes = {coding.get("code") for one in resource.get("category", ()) for coding in one.get("coding", ())}
        if profile["category"] not in codes:
            return False
    return all(_has([resource], path.split(".")) for path in profile.get("needs", ()))


def _has(values: list[Any], steps: list[str]) -> bool:
    """Tell whether every value has something at the path; a choice element by its name without type."""
    name, rest = steps[0], steps[1:]
    for value in values:
        below = next((part for spelled, part in value.items() if spelled == name or _is_choice(spelled, name)), None)
        if below is None or (rest and not _has(below if isinstance(below, list) else [below], rest)):
            return False
    return True


def _is_choice(spelled: str, name: str) -> bool:
    return spelled.startswith(name) and spelled[len(name) : len(name) + 1].isupper()
