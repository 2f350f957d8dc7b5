"""Rows of `resource`: the clinical record, every version of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from gateway.store.raw import Each, Raw
from gateway.store.schema import resource

_CURRENT = sa.text("resource.current")


def current(connection: Connection, keys: Iterable[tuple[str, str]]) -> list[Version]:
    """Return the newest version of each (type, id) that is known."""
    rows = [{"type_": type_, "id_": resource_id} for type_, resource_id in sorted(set(keys))]
    return _versions(_CURRENT_OF.all(connection, rows)) if rows else []


def of_patients(connection: Connection, patient_ids: Iterable[str], type_: str = "") -> list[Version]:
    """Return the newest version of everything, or of one type, that belongs to one person under any of their ids."""
    query = _EVERYTHING.where(_CURRENT, resource.c.patient_id.in_(list(patient_ids)))
    if type_:
        # no plain column: it would be found by the index of types, and everybody's of that type be read
        query = query.where(resource.c.type.concat("") == type_)
    return _versions(connection.execute(query.order_by(resource.c.type, resource.c.id)))


@dataclass(frozen=True)
class Version:
    """One version of a resource, as it is stored or about to be."""

    type: str
    id: str
    version: int
    patient_id: str | None
    message_id: str
    """The newest message that spoke of it with authority; which one made this very version stands in its `meta.source`."""
    sent_at: int
    recorded_at: int
    digest: bytes
    body: bytes


_EVERYTHING = sa.select(*(resource.c[one.name] for one in fields(Version)))


def _versions(rows: Iterable[Sequence[Any]]) -> list[Version]:
    return [Version(*row) for row in rows]


_CURRENT_OF = Each(
    {"type_": resource.c.type.type, "id_": resource.c.id.type},
    lambda given: _EVERYTHING.where(_CURRENT, resource.c.type == given["type_"], resource.c.id == given["id_"]),
)


def told_by(row: Version, message_id: str, sent_at: int) -> Version:
    """Give a version as it is once another message has said the same."""
    return replace(row, message_id=message_id, sent_at=sent_at)


def put_all(connection: Connection, versions: Sequence[Version]) -> None:
    """Store versions as the newest ones."""
    later = [{"type_": new.type, "id_": new.id} for new in versions if new.version > 1]
    if later:
        _SUPERSEDE.run(connection, later)
    if versions:
        _INSERT.run(connection, [vars(new) | {"current": True} for new in versions])


_SUPERSEDE = Raw(
    resource.update()
    .where(_CURRENT, resource.c.type == sa.bindparam("type_"), resource.c.id == sa.bindparam("id_"))
    .values(current=sa.false()),
)
_INSERT = Raw(resource.insert(), (*(f.name for f in fields(Version)), "current"))
_HEARD = Raw(
    resource.update()
    .where(_CURRENT, resource.c.type == sa.bindparam("type_"), resource.c.id == sa.bindparam("id_"))
    .values(message_id=sa.bindparam("message_id_"), sent_at=sa.bindparam("sent_at_")),
)


def heard(connection: Connection, keys: Sequence[tuple[str, str]], message_id: str, sent_at: int) -> None:
    """Note that a message said of resources what is known already, so that nothing older overwrites it."""
    if keys:
        said = {"message_id_": message_id, "sent_at_": sent_at}
        _HEARD.run(connection, [{"type_": type_, "id_": id_} | said for type_, id_ in keys])


def earlier(connection: Connection, type_: str, id_: str) -> list[Version]:
    """Return every version of a resource but the newest."""
    query = _EVERYTHING.where(resource.c.type == type_, resource.c.id == id_, sa.text("NOT resource.current"))
    return _versions(connection.execute(query.order_by(resource.c.version)))


def newest(connection: Connection, type_: str, after: str, limit: int) -> list[Version]:
    """Return the newest version of the resources of a type, by id, beginning after one."""
    query = _EVERYTHING.where(_CURRENT, resource.c.type == type_, resource.c.id > after)
    return _versions(connection.execute(query.order_by(resource.c.id).limit(limit or None)))
