"""Rows of `resource`: the clinical record, every version of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from gateway.store.raw import Raw
from gateway.store.schema import resource

_CURRENT = sa.text("resource.current")


def current(connection: Connection, keys: Iterable[tuple[str, str]]) -> list[Row[Any]]:
    """Return the newest version of each (type, id) that is known."""
    wanted: dict[str, list[str]] = {}
    for type_, resource_id in keys:
        wanted.setdefault(type_, []).append(resource_id)
    if not wanted:
        return []
    told: dict[str, object] = {}
    for n, (type_, ids) in enumerate(sorted(wanted.items())):
        told |= {f"type{n}": type_, f"ids{n}": ids}
    return list(connection.execute(_current_of(len(wanted)), told))


@cache
def _current_of(types: int) -> sa.Select[Any]:
    """Make the question for the newest versions of resources of so many types, with the parameters `type0`, `ids0` …

    Made once for each number, because it is asked for every message, and there are thousands of combinations of types. One arm
    per type, each naming the index's condition: SQLite reads the whole index for (type, id) IN (VALUES …).
    """
    arms = (
        sa.and_(
            _CURRENT,
            resource.c.type == sa.bindparam(f"type{n}"),
            resource.c.id.in_(sa.bindparam(f"ids{n}", expanding=True)),
        )
        for n in range(types)
    )
    return sa.select(resource).where(sa.or_(*arms))


def of_patients(connection: Connection, patient_ids: Iterable[str], type_: str = "") -> list[Row[Any]]:
    """Return the newest version of everything, or of one type, that belongs to one person under any of their ids."""
    query = sa.select(resource).where(_CURRENT, resource.c.patient_id.in_(list(patient_ids)))
    if type_:
        # no plain column: it would be found by the index of types, and everybody's be read
        query = query.where(resource.c.type.concat("") == type_)
    return list(connection.execute(query.order_by(resource.c.type, resource.c.id)))


def of_type(connection: Connection, type_: str, patient_ids: Iterable[str]) -> list[Row[Any]]:
    """Return the newest version of the resources of one type that belong to one person under any of their ids."""
    # as an expression: SQLite would read everything of the type rather than everything of the person
    of_type = resource.c.type.concat("") == type_
    query = sa.select(resource).where(_CURRENT, resource.c.patient_id.in_(list(patient_ids)), of_type)
    return list(connection.execute(query))


@dataclass(frozen=True)
class NewVersion:
    """A version about to become the newest one of its resource."""

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


def told_by(row: Row[Any] | NewVersion, message_id: str, sent_at: int) -> NewVersion:
    """Give a version as it is once another message has said the same."""
    same = {one.name: getattr(row, one.name) for one in fields(NewVersion)}
    return NewVersion(**same | {"message_id": message_id, "sent_at": sent_at})


def put_all(connection: Connection, versions: Sequence[NewVersion]) -> None:
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
_INSERT = Raw(resource.insert(), (*(f.name for f in fields(NewVersion)), "current"))
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


def earlier(connection: Connection, type_: str, id_: str) -> list[Row[Any]]:
    """Return every version of a resource but the newest."""
    query = sa.select(resource).where(resource.c.type == type_, resource.c.id == id_, sa.text("NOT resource.current"))
    return list(connection.execute(query.order_by(resource.c.version)))


def newest(connection: Connection, type_: str, after: str, limit: int) -> list[Row[Any]]:
    """Return the newest version of the resources of a type, by id, beginning after one."""
    query = sa.select(resource).where(_CURRENT, resource.c.type == type_, resource.c.id > after)
    return list(connection.execute(query.order_by(resource.c.id).limit(limit or None)))
