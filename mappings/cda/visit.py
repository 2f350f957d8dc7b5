"""The visit a document belongs to: `encompassingEncounter` with who answers for it, who else took part, and where it was.

Standard: CDA R2 §4.2.4
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mappings.cda import people
from mappings.cda.datatypes import DataTypes, interval
from mappings.cda.markup import Markup, el
from mappings.cda.people import People
from mappings.cda.source import Source
from mappings.outcome import Resource

_PARTICIPANTS = ("ADM", "ATND", "CON", "DIS", "REF")


def encompassing_encounter(encounter: Resource, source: Source, types: DataTypes, persons: People) -> Markup:
    """Make the encounter; who answers for it is the attender, else the first who attests."""
    disposition = encounter.get("hospitalization", {}).get("dischargeDisposition")
    kinds = [encounter["class"]] if encounter.get("class") else []
    kinds += [coding for kind in encounter.get("type", []) for coding in kind.get("coding", [])]
    return el(
        "encompassingEncounter",
        *types.instances(encounter),
        types.coded("code", {"coding": kinds}) if kinds else None,
        interval("effectiveTime", encounter.get("period")),
        types.coded("dischargeDispositionCode", disposition) if disposition else None,
        _responsible(encounter, source, persons),
        *_participants(encounter, source, persons),
        el("location", _facility(encounter, source, types, persons)),
    )


def _parts(encounter: Resource) -> Iterator[tuple[set[str], dict[str, Any], dict[str, Any]]]:
    """Give the codes, the person and the rest of each who takes part."""
    for part in encounter.get("participant", []):
        codes = {coding.get("code", "") for kind in part.get("type", []) for coding in kind.get("coding", [])}
        if part.get("individual"):
            yield codes, part["individual"], part


def _responsible(encounter: Resource, source: Source, persons: People) -> Markup | None:
    known = [person for codes, person, _ in _parts(encounter) if "ATND" in codes]
    known += [attester["party"] for attester, _ in source.attesters("professional")]
    if not known:
        return None
    entity = persons.assigned("assignedEntity", source.get(known[0]), known[0].get("display", ""), context=False)
    return el("responsibleParty", entity)


def _participants(encounter: Resource, source: Source, persons: People) -> Iterator[Markup]:
    for codes, person, part in _parts(encounter):
        for kind in _PARTICIPANTS:
            if kind in codes:
                entity = persons.assigned(
                    "assignedEntity", source.get(person), person.get("display", ""), context=False
                )
                at = interval("time", part["period"]) if part.get("period") else None
                yield el("encounterParticipant", at, entity, typeCode=kind)


def _facility(encounter: Resource, source: Source, types: DataTypes, persons: People) -> Markup:
    """Make the place: the last one the person was at, with all that it lies in, and the organization that serves."""
    stays = encounter.get("location", [])
    active = [stay for stay in stays if stay.get("status") == "active"]
    stay: dict[str, Any] = next((one.get("location", {}) for one in active or stays), {})
    location = source.get(stay) or {}
    names = [location.get("description", "")]
    inner: Resource | None = location
    while inner and len(names) < 8:
        names.append(inner.get("name", ""))
        inner = source.get(inner.get("partOf"))
    shown = ", ".join(name for name in dict.fromkeys(names) if name) or stay.get("display", "")
    where = people.address(location["address"]) if isinstance(location.get("address"), dict) else None
    service = encounter.get("serviceType")
    body = source.get(encounter.get("serviceProvider")) or source.custodian
    return el(
        "healthCareFacility",
        *types.known_instances(location),
        types.coded("code", service) if service else None,
        el("location", el("name", shown) if shown else None, where) if shown or where else None,
        persons.organization(body, "serviceProviderOrganization"),
    )
