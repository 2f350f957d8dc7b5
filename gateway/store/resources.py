"""Rows of `resource` and `person_link`: the clinical record, every version of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from gateway.store.schema import person_link, resource

_CURRENT = sa.text("resource.current")


def current(connection: Connection, keys: Iterable[tuple[str, str]]) -> list[Row[Any]]:
    """Return the newest version of each (type, id) that is known."""
    wanted: dict[str, list[str]] = {}
    for type_, resource_id in keys:
        wanted.setdefault(type_, []).append(resource_id)
    if not wanted:
        return []
    # one arm per type, each naming the index's condition: SQLite reads the whole index for (type, id) IN (VALUES …)
    arms = (sa.and_(_CURRENT, resource.c.type == type_, resource.c.id.in_(ids)) for type_, ids in wanted.items())
    return list(connection.execute(sa.select(resource).where(sa.or_(*arms))))


def of_patients(connection: Connection, patient_ids: Iterable[str]) -> list[Row[Any]]:
    """Return the newest version of everything that belongs to one person under any of their ids."""
    query = sa.select(resource).where(_CURRENT, resource.c.patient_id.in_(list(patient_ids)))
    return list(connection.execute(query.order_by(resource.c.type, resource.c.id)))


def put(
    connection: Connection,
    *,
    type_: str,
    resource_id: str,
    version: int,
    patient_id: str | None,
    message_id: str,
    now: int,
    digest: bytes,
    sealed: bytes,
) -> None:
    """Store `version` as the newest one."""
    connection.execute(
        resource.update().where(_CURRENT, resource.c.type == type_, resource.c.id == resource_id).values(current=False)
    )
    connection.execute(
        resource.insert().values(
            type=type_,
            id=resource_id,
            version=version,
            patient_id=patient_id,
            message_id=message_id,
            recorded_at=now,
            current=True,
            digest=digest,
            body=sealed,
        )
    )


def link(connection: Connection, patient_id: str, survivor_id: str, message_id: str) -> None:
    """Note that `patient_id` was merged into `survivor_id`."""
    unlink(connection, patient_id)
    connection.execute(
        person_link.insert().values(patient_id=patient_id, survivor_id=survivor_id, message_id=message_id)
    )


def unlink(connection: Connection, patient_id: str) -> None:
    """Forget that a number was merged away."""
    connection.execute(person_link.delete().where(person_link.c.patient_id == patient_id))


def survivor_of(connection: Connection, patient_id: str) -> str | None:
    found: str | None = connection.scalar(
        sa.select(person_link.c.survivor_id).where(person_link.c.patient_id == patient_id)
    )
    return found


def merged_into(connection: Connection, survivor_ids: Iterable[str]) -> list[str]:
    query = sa.select(person_link.c.patient_id).where(person_link.c.survivor_id.in_(list(survivor_ids)))
    return [str(found) for found in connection.scalars(query)]
