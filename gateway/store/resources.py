"""Rows of `resource` and `person_link`: the clinical record, every version of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from gateway.store.raw import Raw
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


@dataclass(frozen=True)
class NewVersion:
    """A version about to become the newest one of its resource."""

    type: str
    id: str
    version: int
    patient_id: str | None
    message_id: str
    recorded_at: int
    digest: bytes
    body: bytes


def put_all(connection: Connection, versions: Sequence[NewVersion]) -> None:
    """Store versions as the newest ones."""
    later = [{"type_": new.type, "id_": new.id} for new in versions if new.version > 1]
    if later:
        _SUPERSEDE.run(connection, later)
    if versions:
        _INSERT.run(connection, [asdict(new) | {"current": True} for new in versions])


_SUPERSEDE = Raw(
    resource.update()
    .where(_CURRENT, resource.c.type == sa.bindparam("type_"), resource.c.id == sa.bindparam("id_"))
    .values(current=sa.false()),
)
_INSERT = Raw(resource.insert(), (*(f.name for f in fields(NewVersion)), "current"))


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
