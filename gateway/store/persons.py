"""Rows of `identity_change`, `identity_effect`, `person_link`, `person_key` and `person_number`: which records are whose."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from gateway.store.raw import Raw
from gateway.store.schema import identity_change, identity_effect, person_key, person_link, person_number, resource

# ---- the merges that hold ----


def link(connection: Connection, patient_id: str, survivor_id: str, change_id: str) -> None:
    """Note that `patient_id` was merged into `survivor_id`, and nowhere else any more."""
    unlink(connection, patient_id)
    connection.execute(person_link.insert().values(patient_id=patient_id, survivor_id=survivor_id, change_id=change_id))


def unlink(connection: Connection, patient_id: str) -> None:
    """Forget that a number was merged away."""
    connection.execute(person_link.delete().where(person_link.c.patient_id == patient_id))


def survivor_of(connection: Connection, patient_id: str) -> str | None:
    found = _SURVIVOR_OF.one(connection, {"of": patient_id})
    return None if found is None else str(found[0])


_SURVIVOR_OF = Raw(sa.select(person_link.c.survivor_id).where(person_link.c.patient_id == sa.bindparam("of")))


def merged_into(connection: Connection, survivor_ids: Iterable[str]) -> list[str]:
    return [str(found) for one in survivor_ids for (found,) in _MERGED_INTO.all(connection, {"survivor": one})]


_MERGED_INTO = Raw(sa.select(person_link.c.patient_id).where(person_link.c.survivor_id == sa.bindparam("survivor")))
"""One person at a time: it is asked for every message, and nearly always about one."""


# ---- what was said ----


def put_change(connection: Connection, **values: Any) -> None:
    connection.execute(identity_change.insert().values(**values))


def end_changes(connection: Connection, change_ids: Sequence[str], ended_by: str | None) -> None:
    """Let changes hold no more, or again (`ended_by` None)."""
    connection.execute(
        identity_change.update().where(identity_change.c.id.in_(list(change_ids))).values(ended_by=ended_by)
    )


def change(connection: Connection, change_id: str) -> Row[Any] | None:
    return connection.execute(sa.select(identity_change).where(identity_change.c.id == change_id)).one_or_none()


def changes_of(connection: Connection, message_id: str) -> list[Row[Any]]:
    """Return the changes of a message, oldest first."""
    query = sa.select(identity_change).where(identity_change.c.message_id == message_id)
    return list(connection.execute(query.order_by(identity_change.c.id)))


def ended_by(connection: Connection, change: Row[Any]) -> list[Row[Any]]:
    """Return the changes that a change ended: they name one of its two records."""
    pair = (change.kept, change.other)
    either = sa.or_(identity_change.c.other.in_(pair), identity_change.c.kept.in_(pair))
    query = sa.select(identity_change).where(either, identity_change.c.ended_by == change.id)
    return list(connection.execute(query.order_by(identity_change.c.id)))


_HOLDING = sa.text(
    "SELECT id, message_id, kind, kept, other, was FROM identity_change"
    " WHERE other = :other AND ended_by IS NULL AND kind IN ('merge', 'move') ORDER BY id"
)
"""As text, and one record at a time: it is asked for every message with a visit, and nearly always about one."""


def holding(connection: Connection, others: Iterable[str]) -> list[Row[Any]]:
    """Return what took these records away and still holds, oldest first of each: merges and moves, by `other`."""
    return [row for other in others for row in connection.execute(_HOLDING, {"other": other})]


def kept_by(connection: Connection, reference: str) -> list[Row[Any]]:
    """Return what holds and gave a record something: merges and moves, by `kept`."""
    query = sa.select(identity_change).where(
        identity_change.c.kept == reference,
        identity_change.c.ended_by.is_(None),
        identity_change.c.kind.in_(("merge", "move")),
    )
    return list(connection.execute(query.order_by(identity_change.c.id)))


def links(connection: Connection, references: Iterable[str]) -> list[Row[Any]]:
    """Return the links that hold of these records."""
    wanted = list(references)
    query = sa.select(identity_change).where(
        sa.or_(identity_change.c.other.in_(wanted), identity_change.c.kept.in_(wanted)),
        identity_change.c.ended_by.is_(None),
        identity_change.c.kind == "link",
    )
    return list(connection.execute(query.order_by(identity_change.c.id)))


def listing(connection: Connection, *, reference: str = "", limit: int = 0) -> list[Row[Any]]:
    """Return changes, newest first; of one record only, when it is named."""
    query = sa.select(identity_change).order_by(identity_change.c.id.desc()).limit(limit or None)
    if reference:
        query = query.where(sa.or_(identity_change.c.other == reference, identity_change.c.kept == reference))
    return list(connection.execute(query))


def put_effects(connection: Connection, change_id: str, keys: Iterable[tuple[str, str]]) -> None:
    """Note which resources a change turned round; those noted already stay."""
    known = set(effects(connection, change_id))
    rows = [{"change_id": change_id, "type": type_, "id": id_} for type_, id_ in keys if (type_, id_) not in known]
    if rows:
        connection.execute(identity_effect.insert(), rows)


def effects(connection: Connection, change_id: str) -> list[tuple[str, str]]:
    query = sa.select(identity_effect.c.type, identity_effect.c.id).where(identity_effect.c.change_id == change_id)
    return [(str(row.type), str(row.id)) for row in connection.execute(query)]


# ---- numbers ----


def next_serial(connection: Connection, message_id: str) -> int:
    """Take the next serial number for a query; those taken before never come again."""
    taken = connection.execute(person_number.insert().values(message_id=message_id).returning(person_number.c.serial))
    return int(taken.scalar_one())


# ---- search keys ----


def put_keys(connection: Connection, rows: Sequence[tuple[str, bytes]]) -> None:
    """Store (patient id, key) pairs; one that is there already stays."""
    if rows:
        _INSERT_KEY.run(connection, [{"patient_id": patient_id, "key": key} for patient_id, key in rows])


def drop_keys(connection: Connection, rows: Sequence[tuple[str, bytes]]) -> None:
    if rows:
        _DELETE_KEY.run(connection, [{"patient_id": patient_id, "key": key} for patient_id, key in rows])


_INSERT_KEY = Raw(
    sa.text("INSERT INTO person_key (key, patient_id) VALUES (:key, :patient_id) ON CONFLICT DO NOTHING"),
    ("key", "patient_id"),
)
_DELETE_KEY = Raw(
    person_key.delete().where(
        person_key.c.key == sa.bindparam("key"), person_key.c.patient_id == sa.bindparam("patient_id")
    )
)


def with_key(connection: Connection, key: bytes, limit: int) -> list[str]:
    """Return the Patients that are found under a key."""
    return [str(found) for (found,) in _WITH_KEY.all(connection, {"of": key, "most": limit})]


_WITH_KEY = Raw(
    sa.select(person_key.c.patient_id)
    .where(person_key.c.key == sa.bindparam("of"))
    .order_by(person_key.c.patient_id)
    .limit(sa.bindparam("most", type_=sa.Integer()))
)


def without_keys(connection: Connection, after: str, limit: int) -> list[Row[Any]]:
    """Return the newest version of the next Patients that have no key at all, as before version 0002 of the schema."""
    has_key = sa.exists().where(person_key.c.patient_id == resource.c.id)
    query = (
        sa.select(resource)
        .where(sa.text("resource.current"), resource.c.type == "Patient", resource.c.id > after, ~has_key)
        .order_by(resource.c.id)
        .limit(limit)
    )
    return list(connection.execute(query))
