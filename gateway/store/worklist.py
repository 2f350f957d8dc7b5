"""Rows of `worklist`: imaging orders as devices ask for them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection, Row

from gateway.store.image_schema import worklist
from gateway.store.raw import Raw, padded

_OPEN = sa.text("status = 'active' AND done_at IS NULL")


@dataclass(frozen=True)
class Entry:
    """What an order is to devices now; whether its study came is a fact of its own."""

    order_id: str
    patient_id: str
    patient_key: bytes
    accession_key: bytes
    study_uid: str
    day: str
    status: str
    message_id: str
    body: bytes


def put(connection: Connection, entry: Entry, done_at: int | None = None) -> None:
    """Store an entry in place of what it was; a study that came stays."""
    values = asdict(entry)
    statement = (sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert)(worklist)
    changed = {name: value for name, value in values.items() if name != "order_id"}
    done = sa.func.coalesce(worklist.c.done_at, done_at) if done_at is not None else worklist.c.done_at
    connection.execute(
        statement.values(**values, done_at=done_at).on_conflict_do_update(
            index_elements=["order_id"], set_=changed | {"done_at": done}
        )
    )


def of_orders(connection: Connection, order_ids: Collection[str]) -> dict[str, Row[Any]]:
    """Return the entries of these orders, in whatever state."""
    wanted = list(order_ids)
    if len(wanted) == 1 and _ENTERED.one(connection, {"of": wanted[0]}) is None:
        return {}
    return {row.order_id: row for row in connection.execute(_OF_ORDERS, {"orders": padded(wanted)})}


_ENTERED = Raw(sa.select(worklist.c.order_id).where(worklist.c.order_id == sa.bindparam("of")))
"""Asked for every message with an order; but for pictures the answer is no."""
_OF_ORDERS = sa.select(worklist).where(worklist.c.order_id.in_(sa.bindparam("orders", expanding=True)))


_OF_PATIENT = Raw(
    sa.text(
        "SELECT order_id, study_uid, day, message_id FROM worklist"
        " WHERE status = 'active' AND done_at IS NULL AND patient_id = :patient_id ORDER BY order_id"
    )
)
"""One person at a time: it is asked for every message, and nearly always about one."""


class OpenEntry(NamedTuple):
    """Of an entry what it is made anew with."""

    order_id: str
    study_uid: str
    day: str
    message_id: str


def of_patients(connection: Connection, patient_ids: Collection[str]) -> list[OpenEntry]:
    """Return of the open entries of persons what they are made anew with."""
    return [OpenEntry(*row) for one in patient_ids for row in _OF_PATIENT.all(connection, {"patient_id": one})]


def of_accessions(connection: Connection, keys: Collection[bytes]) -> list[Row[Any]]:
    """Return the entries with one of these accession numbers, in whatever state."""
    query = sa.select(worklist).where(worklist.c.accession_key.in_(padded(keys)))
    return list(connection.execute(query.order_by(worklist.c.order_id)))


def of_study(connection: Connection, uid: str) -> list[Row[Any]]:
    """Return the entries whose study has, or shall have, this UID."""
    query = sa.select(worklist).where(worklist.c.study_uid == uid)
    return list(connection.execute(query.order_by(worklist.c.order_id)))


def done(connection: Connection, order_ids: Collection[str], at: int) -> None:
    """Note that the study of these orders came; the first time counts."""
    connection.execute(
        worklist.update()
        .where(worklist.c.order_id.in_(padded(order_ids)), worklist.c.done_at.is_(None))
        .values(done_at=at)
    )


def waiting(
    connection: Connection,
    *,
    first: str = "",
    last: str = "",
    patient_key: bytes = b"",
    accession_key: bytes = b"",
    limit: int,
) -> list[Row[Any]]:
    """Return the open entries of these days, of one person or one accession number where that is asked, by day."""
    query = sa.select(worklist).where(_OPEN, worklist.c.day >= first)
    if last:
        query = query.where(worklist.c.day <= last)
    if patient_key:
        query = query.where(worklist.c.patient_key == patient_key)
    if accession_key:
        query = query.where(worklist.c.accession_key == accession_key)
    return list(connection.execute(query.order_by(worklist.c.day, worklist.c.order_id).limit(limit)))
