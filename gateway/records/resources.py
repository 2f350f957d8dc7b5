"""Keep the newest state of every resource, and every state before it.

A message is a snapshot of what its sender chose to say, not of the whole resource: elements it does not name stay as they
were, elements it names as null go. What may overwrite:

- Messages that only carry a person along (a result, an appointment) fill gaps but do not overwrite what admission said.
- A message that is mapped again fills gaps only, once a newer one spoke.
- A message that its sender made (MSH-7) before another one of the same sender that spoke already is late, and fills gaps
  only: a preliminary result does not come after its correction. Clocks of different senders are not compared.
- What a message only assumes, because FHIR demands it, never replaces what is known.
- A gap is filled only when the element was never there: what a newer message took out does not come back.

Requirement: S2.10, S3.10.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.engine import Connection, Row

from gateway.records import identity, persons, search
from gateway.records.content import clear, gaps, overlay, owner, references
from gateway.records.versions import opened, packed, sealed
from gateway.store import messages
from gateway.store import resources as rows
from gateway.store.sealed import Keyring
from mappings.fhir import problems
from mappings.hl7v2.targets import present
from mappings.outcome import Resource

_AUTHORITY = {"Patient": ("ADT",), "Encounter": ("ADT",), "Coverage": ("ADT",), "RelatedPerson": ("ADT",)}
"""Whose word overwrites: message families, by resource type. Types without a row: everybody's."""


@dataclass(frozen=True)
class Said:
    """A message, as far as the record asks about it."""

    message_id: str
    family: str
    """`ADT`, `ORU` …"""
    sender: str
    sent_at: int = 0
    """When its sender made it; 0 when it does not say."""
    patient_id: str | None = None
    """Whom it is about; resources that name a patient themselves are that one's."""
    cleared: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Reference → paths of elements that it takes out."""
    assumed: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Reference → paths of elements that stand in for what it does not know."""


def save(connection: Connection, keyring: Keyring, resources: Sequence[Resource], said: Said, now: int) -> set[str]:
    """Store what a message said; a resource that did not change gets no new version.

    Return the references about which the message came too late: newer things were known, of them and of what they refer to.
    """
    identity.follow(connection, resources)
    known = {
        (row.type, row.id): row for row in rows.current(connection, ((r["resourceType"], r["id"]) for r in resources))
    }
    changed: list[rows.NewVersion] = []
    confirmed: list[tuple[str, str]] = []
    late: dict[str, Resource] = {}
    for resource in resources:
        type_, id_ = str(resource["resourceType"]), str(resource["id"])
        row = known.get((type_, id_))
        message_id, sent_at = said.message_id, said.sent_at
        old = None if row is None else opened(keyring, row)
        merged = resource
        if row is not None and old is not None:
            reference = f"{type_}/{id_}"
            is_late = _is_late(connection, row, said)
            if not is_late and _overwrites(row, said):
                for path in said.assumed.get(reference, ()):
                    if present(old, path):
                        clear(resource, path)
                merged = overlay(old, resource, overwrite=True)
                merged = _cleared(merged, said.cleared.get(reference, ()))
            else:
                merged = overlay(old, _lacking(connection, keyring, old, resource), overwrite=False)
                message_id, sent_at = row.message_id, row.sent_at
            if is_late:
                late[reference] = merged
        state, body = packed(keyring, merged)
        patient_id = owner(merged, said.patient_id if row is None else row.patient_id or said.patient_id)
        if row is not None and row.digest == state and row.patient_id == patient_id:
            if patient_id is not None and row.message_id != message_id:
                confirmed.append((type_, id_))
            continue
        if type_ == "Patient":
            search.changed(connection, keyring, id_, old, merged)
        changed.append(
            sealed(
                keyring,
                merged,
                state,
                body,
                version=1 if row is None else row.version + 1,
                patient_id=patient_id,
                message_id=message_id,
                sent_at=sent_at,
                now=now,
            )
        )
    rows.put_all(connection, changed)
    rows.heard(connection, confirmed, said.message_id, said.sent_at)
    news = {f"{new.type}/{new.id}" for new in changed}
    return {one for one, merged in late.items() if one not in news and not references(merged) & news}


def _overwrites(row: Row[Any], said: Said) -> bool:
    authority = _AUTHORITY.get(row.type)
    if authority is not None and said.family not in authority:
        return False
    return bool(said.message_id >= row.message_id)  # keys rise with time: an older message may be mapped again


def _is_late(connection: Connection, row: Row[Any], said: Said) -> bool:
    """Tell whether a message that is new here was made before the one that spoke last, by the clock of the same sender."""
    if not 0 < said.sent_at < row.sent_at or said.message_id < row.message_id:
        return False
    return messages.sender(connection, row.message_id) == said.sender


def _lacking(connection: Connection, keyring: Keyring, old: Resource, new: Resource) -> Resource:
    """Leave out of `new` what `old` does not have any more."""
    missing = gaps(old, new)
    if not missing:
        return new
    gone: set[str] = set()
    for row in rows.earlier(connection, old["resourceType"], old["id"]):
        gone |= opened(keyring, row).keys() & set(missing)
    return {name: value for name, value in new.items() if name not in gone}


def _cleared(resource: Resource, paths: Sequence[str]) -> Resource:
    """Take elements out, except those without which the resource would not be sound, and what `identity` says of a Patient."""
    for path in paths:
        if path == "link" and resource["resourceType"] == "Patient":
            continue
        less = copy.deepcopy(resource)
        clear(less, path)
        if not problems(less):
            resource = less
    return resource


def patient_of(connection: Connection, reference: str) -> str | None:
    """Return whose record a stored resource is in; what stands behind `#` names a part of it."""
    type_, _, id_ = reference.partition("#")[0].partition("/")
    found = rows.current(connection, [(type_, id_)])
    return found[0].patient_id if found else None


def record(connection: Connection, keyring: Keyring, patient_id: str) -> list[Resource]:
    """Return everything current of a person, under any of their numbers, and what that refers to."""
    found: dict[tuple[str, str], Resource] = {}
    _add(found, keyring, rows.of_patients(connection, persons.all_ids(connection, patient_id)))
    while missing := _referred(found.values()) - found.keys():
        more = rows.current(connection, missing)
        _add(found, keyring, more)
        if len(more) < len(missing):
            break
    return list(found.values())


def _add(found: dict[tuple[str, str], Resource], keyring: Keyring, more: Iterable[Row[Any]]) -> None:
    for row in more:
        found[row.type, row.id] = opened(keyring, row)


def _referred(resources: Iterable[Resource]) -> set[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    for resource in resources:
        for reference in references(resource):
            type_, _, id_ = reference.partition("/")
            found.add((type_, id_))
    return found
