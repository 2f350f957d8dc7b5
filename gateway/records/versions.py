"""Seal and open versions of resources."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy.engine import Connection

from gateway.records.content import owner
from gateway.store import resources as rows
from gateway.store.resources import Version
from gateway.store.sealed import Keyring
from mappings.formats import json
from mappings.outcome import Resource


def opened(keyring: Keyring, row: Version) -> Resource:
    """Open a row of `resource`."""
    resource: Resource = json.loads(keyring.open(row.body, _name(row.type, row.id, row.version)))
    return resource


def packed(keyring: Keyring, resource: Resource) -> tuple[bytes, bytes]:
    """Return the digest that tells one state of a resource from another, whichever message said it, and its JSON."""
    content = {name: value for name, value in resource.items() if name != "meta"}
    body = json.canonical(content)
    digest = keyring.search_key("resource", body)
    if meta := resource.get("meta"):
        body = b'{"meta":%b,%b' % (json.dumps(meta), body[1:])  # writing all of it again costs as much as sealing it
    return digest, body


def sealed(
    keyring: Keyring,
    resource: Resource,
    digest: bytes,
    body: bytes,
    *,
    version: int,
    patient_id: str | None,
    message_id: str,
    sent_at: int,
    now: int,
) -> Version:
    """Make a version of what `packed` gave."""
    type_, id_ = str(resource["resourceType"]), str(resource["id"])
    secret = keyring.seal(body, _name(type_, id_, version))
    return Version(type_, id_, version, patient_id, message_id, sent_at, now, digest, secret)


def rewrite(connection: Connection, keyring: Keyring, changed: Iterable[tuple[Version, Resource]], now: int) -> None:
    """Store what resources became by something else than a message about them; the newest message stays theirs."""
    rows.put_all(
        connection,
        [
            sealed(
                keyring,
                resource,
                *packed(keyring, resource),
                version=row.version + 1,
                patient_id=owner(resource, row.patient_id),
                message_id=row.message_id,
                sent_at=row.sent_at,
                now=now,
            )
            for row, resource in changed
        ],
    )


def _name(type_: str, id_: str, version: int) -> str:
    return f"{type_}/{id_}/{version}"
