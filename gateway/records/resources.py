"""Keep the newest state of every resource, and every state before it.

A message is a snapshot of what its sender chose to say, not of the whole resource: elements it does not name stay as they
were, elements it names as null go. What may overwrite:

- Messages that only carry a person along (a result, an appointment) fill gaps but do not overwrite what admission said.
- A message that is mapped again fills gaps only, once a newer one spoke.
- A message that its sender made (MSH-7) before another one of the same sender that spoke already is late, and fills gaps
  only: a preliminary result does not come after its correction. Clocks of different senders are not compared.
- What a message only assumes, because FHIR demands it, never replaces what is known.
- Of a report that HL7 v2 and a structured report tell, the words are those of one of them (`same_report.py`).
- Pictures know an order, and instruments a specimen, from others, often cut to the length their protocol allows: of what
  somebody else told of them they fill gaps only.
- What the insurer said of a card stays until somebody says that the card is good for longer.
- A gap is filled only when the element was never there: what a newer message took out does not come back.

Requirement: S2.10, S3.10.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.engine import Connection, Row

from gateway.imaging_steps import FAMILY as DICOM
from gateway.lab_steps import FAMILY as INSTRUMENT
from gateway.records import identity, persons, search
from gateway.records.content import clear, gaps, overlay, owner, references
from gateway.records.versions import opened, packed, sealed
from gateway.store import messages
from gateway.store import resources as rows
from gateway.store.sealed import Keyring
from mappings.fhir import problems
from mappings.hl7v2.targets import present
from mappings.outcome import Resource

INSURER = "CARD"
"""Family of the insurer's answers to card look-ups."""
_AUTHORITY = {"Patient": ("ADT",), "Encounter": ("ADT",), "Coverage": ("ADT", INSURER), "RelatedPerson": ("ADT",)}
"""Whose word overwrites: message families, by resource type. Types without a row: everybody's."""

_AT_SECOND_HAND = {"ServiceRequest": (DICOM,), "Specimen": (INSTRUMENT,)}
"""Whose word overwrites nothing but their own: message families, by resource type."""


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
    yielding: Collection[str] = ()
    """References of which it fills gaps only: somebody else's word stands."""
    replacing: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Reference → elements of which nothing stays that was known before."""

    @classmethod
    def of(
        cls,
        row: Row[Any],
        sent_at: int,
        patient_id: str | None,
        cleared: Mapping[str, Sequence[str]],
        assumed: Mapping[str, Sequence[str]],
    ) -> Said:
        """Say it of a row of `message`."""
        return cls(row.id, row.type.partition("^")[0], row.sender, sent_at, patient_id, cleared, assumed)


Known = dict[tuple[str, str], rows.Version]
"""The newest version of resources, by type and id."""


def save(
    connection: Connection,
    keyring: Keyring,
    resources: Sequence[Resource],
    said: Said,
    now: int,
    known: Known | None = None,
) -> set[str]:
    """Store what a message said; a resource that did not change gets no new version.

    Return the references about which the message came too late: newer things were known, of them and of what they refer to.
    `known` is what `look_up` gave before in the same transaction, in which nothing else changed any of it.
    """
    identity.follow(connection, resources)
    if known is None:
        known = look_up(connection, resources)
    found = weigh(connection, keyring, resources, said, known, now)
    for change in found.changes:
        if change.version.type == "Patient":
            search.changed(connection, keyring, change.version.id, change.before, change.after)
    rows.put_all(connection, [change.version for change in found.changes])
    rows.heard(connection, found.confirmed, said.message_id, said.sent_at)
    known |= {(change.version.type, change.version.id): change.version for change in found.changes}
    known |= {key: rows.told_by(known[key], said.message_id, said.sent_at) for key in found.confirmed}
    return found.late


def look_up(connection: Connection, resources: Iterable[Resource]) -> Known:
    """Give what is known of the resources of one or several messages; `save` brings it up to date."""
    keys = {(one["resourceType"], one["id"]) for one in resources}
    return {(row.type, row.id): row for row in rows.current(connection, keys)}


@dataclass(frozen=True)
class Change:
    """A resource that a message changes, or tells of for the first time."""

    before: Resource | None
    after: Resource
    version: rows.Version


@dataclass(frozen=True)
class Weighed:
    """What a message means for the record; nothing is stored yet."""

    changes: Sequence[Change]
    confirmed: Sequence[tuple[str, str]]
    """Resources of which it says what is known."""
    late: set[str]
    """References about which it comes too late."""


def weigh(
    connection: Connection, keyring: Keyring, resources: Sequence[Resource], said: Said, known: Known, now: int
) -> Weighed:
    """Say what a message changes of what is known; store nothing."""
    changes: list[Change] = []
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
            yields = is_late or reference in said.yielding or not _overwrites(connection, row, said)
            if not yields and not _insurer_stands(connection, row, old, resource, said):
                for path in said.assumed.get(reference, ()):
                    if present(old, path):
                        clear(resource, path)
                gone = said.replacing.get(reference, ())
                base = {name: value for name, value in old.items() if name not in gone}
                merged = overlay(base, resource, overwrite=True)
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
        version = sealed(
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
        changes.append(Change(old, merged, version))
    news = {f"{change.version.type}/{change.version.id}" for change in changes}
    too_late = {one for one, merged in late.items() if one not in news and not references(merged) & news}
    return Weighed(changes, confirmed, too_late)


def _overwrites(connection: Connection, row: rows.Version, said: Said) -> bool:
    authority = _AUTHORITY.get(row.type)
    if authority is not None and said.family not in authority:
        return False
    if said.family in _AT_SECOND_HAND.get(row.type, ()) and messages.family(connection, row.message_id) != said.family:
        return False
    return bool(said.message_id >= row.message_id)  # keys rise with time: an older message may be mapped again


def _insurer_stands(connection: Connection, row: rows.Version, old: Resource, new: Resource, said: Said) -> bool:
    """Tell whether what the insurer said last of a card stays: unless a sender knows that the card is good for longer."""
    if row.type != "Coverage" or said.family == INSURER or messages.family(connection, row.message_id) != INSURER:
        return False
    return str(new.get("period", {}).get("end", "")) <= str(old.get("period", {}).get("end", ""))


def _is_late(connection: Connection, row: rows.Version, said: Said) -> bool:
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


def newest(connection: Connection, keyring: Keyring, reference: str) -> Resource | None:
    """Return the newest version of a resource; None when there is none."""
    type_, _, id_ = reference.partition("/")
    row = next(iter(rows.current(connection, [(type_, id_)])), None)
    return None if row is None else opened(keyring, row)


def record(
    connection: Connection,
    keyring: Keyring,
    patient_id: str,
    newer: Mapping[tuple[str, str], rows.Version] | None = None,
) -> list[Resource]:
    """Return everything current of a person, under any of their numbers, and what that refers to.

    `newer` versions, which are not stored, take the place of what is, or come beside it.
    """
    newer = newer or {}
    found: dict[tuple[str, str], Resource] = {}
    ids = persons.all_ids(connection, patient_id)
    _add(found, keyring, rows.of_patients(connection, ids), newer)
    _add(found, keyring, [one for one in newer.values() if one.patient_id in ids], newer)
    while missing := _referred(found.values()) - found.keys():
        more = [newer[one] for one in missing & newer.keys()]
        stored = rows.current(connection, missing - newer.keys())
        _add(found, keyring, (*stored, *more), newer)
        if len(stored) + len(more) < len(missing):
            break
    return list(found.values())


def _add(
    found: dict[tuple[str, str], Resource],
    keyring: Keyring,
    more: Iterable[rows.Version],
    newer: Mapping[tuple[str, str], rows.Version],
) -> None:
    for row in more:
        found[row.type, row.id] = opened(keyring, newer.get((row.type, row.id), row))


def _referred(resources: Iterable[Resource]) -> set[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    for resource in resources:
        for reference in references(resource):
            type_, _, id_ = reference.partition("/")
            found.add((type_, id_))
    return found
