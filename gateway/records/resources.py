"""Keep the newest state of every resource, and every state before it.

A message is a snapshot of what its sender chose to say, not of the whole resource: elements it does not name stay as they
were. Messages that only carry a person along (a result, an appointment) fill gaps but do not overwrite what admission said.
Requirement: S2.10, S3.10.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy.engine import Connection, Row

from gateway.records import persons
from gateway.store import resources as rows
from gateway.store.sealed import Keyring
from mappings.formats import json
from mappings.outcome import Resource

_AUTHORITY = {"Patient": ("ADT",), "Encounter": ("ADT",), "Coverage": ("ADT",), "RelatedPerson": ("ADT",)}
"""Whose word overwrites: message families, by resource type. Types without a row: everybody's."""


def save(
    connection: Connection,
    keyring: Keyring,
    resources: Sequence[Resource],
    *,
    family: str,
    patient_id: str | None,
    message_id: str,
    now: int,
) -> None:
    """Store what a message of `family` (`ADT`, `ORU` …) said; a resource that did not change gets no new version."""
    known = {
        (row.type, row.id): row for row in rows.current(connection, ((r["resourceType"], r["id"]) for r in resources))
    }
    changed: dict[tuple[str, str], rows.NewVersion] = {}
    for resource in resources:
        key = (str(resource["resourceType"]), str(resource["id"]))
        row = known.get(key)
        merged = resource
        if row is not None:
            old = json.loads(keyring.open(row.body, _row_name(*key, row.version)))
            authority = _AUTHORITY.get(key[0])
            later = message_id >= row.message_id  # keys rise with time: mapping an old message again fills gaps only
            merged = overlay(old, resource, overwrite=later and (authority is None or family in authority))
        body = json.canonical(merged)
        digest = keyring.search_key("resource", body.decode())
        if row is not None and row.digest == digest:
            continue
        version = 1 if row is None else row.version + 1
        changed[key] = rows.NewVersion(
            type=key[0],
            id=key[1],
            version=version,
            patient_id=patient_of(resource, patient_id),
            message_id=message_id,
            recorded_at=now,
            digest=digest,
            body=keyring.seal(body, _row_name(*key, version)),
        )
    rows.put_all(connection, list(changed.values()))


def overlay(old: Resource, new: Resource, *, overwrite: bool) -> Resource:
    """Lay `new` over `old`: whole elements, except identifiers (by system) and single structures (by member)."""
    first, second = (old, new) if overwrite else (new, old)
    merged = dict(first)
    for name, value in second.items():
        before = first.get(name)
        if name == "identifier" and isinstance(before, list) and isinstance(value, list):
            systems = {entry.get("system") for entry in value}
            merged[name] = [entry for entry in before if entry.get("system") not in systems] + value
        elif isinstance(before, dict) and isinstance(value, dict):
            merged[name] = before | value
        else:
            merged[name] = value
    merged["meta"] = new.get("meta", merged.get("meta"))
    return {name: value for name, value in merged.items() if value is not None}


def patient_of(resource: Resource, patient_id: str | None) -> str | None:
    """Return whose record a resource belongs to; None for those that belong to nobody (staff, places)."""
    if resource["resourceType"] == "Patient":
        return str(resource["id"])
    if resource["resourceType"] in ("Practitioner", "PractitionerRole", "Organization", "Location"):
        return None
    for name in ("subject", "patient", "beneficiary"):
        named = resource.get(name)
        named = named[0] if isinstance(named, list) and named else named
        kind, _, about = str(named.get("reference", "")).partition("/") if isinstance(named, dict) else ("", "", "")
        if kind == "Patient" and about:
            return about
    return patient_id


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
        body = keyring.open(row.body, _row_name(row.type, row.id, row.version))
        found[row.type, row.id] = json.loads(body)


def _referred(resources: Iterable[Resource]) -> set[tuple[str, str]]:
    references: set[tuple[str, str]] = set()
    stack: list[object] = list(resources)
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            reference = item.get("reference")
            if isinstance(reference, str) and reference.count("/") == 1:
                type_, _, id_ = reference.partition("/")
                references.add((type_, id_))
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)
    return references


def _row_name(type_: str, id_: str, version: int) -> str:
    return f"{type_}/{id_}/{version}"
