"""Rows of `message_key`, and what is found by them: messages, what they became, and where it went."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from gateway.store.raw import Raw, padded
from gateway.store.schema import delivery, document, message, message_body, rendition
from gateway.store.search_schema import message_key


def put(connection: Connection, pairs: Iterable[tuple[bytes, str]]) -> None:
    """Store (key, message id) pairs; one that is there already stays."""
    rows = [{"key": key, "message_id": message_id} for key, message_id in sorted(pairs)]
    if rows:
        _INSERT.run(connection, rows)


_INSERT = Raw(
    sa.text("INSERT INTO message_key (key, message_id) VALUES (:key, :message_id) ON CONFLICT DO NOTHING"),
    ("key", "message_id"),
)


def without(connection: Connection, limit: int) -> list[Row[Any]]:
    """Return the newest messages that have no keys yet and are not about to get them, with their sealed bytes."""
    newest = sa.select(message.c.id).where(sa.text("NOT message.keyed AND message.state <> 'received'"))
    chosen = newest.order_by(message.c.id.desc()).limit(limit).subquery()
    query = sa.select(message.c.id, message.c.channel, message.c.control_id, message_body.c.body).where(
        message.c.id == chosen.c.id, message_body.c.message_id == message.c.id
    )
    return list(connection.execute(query))


def note_keyed(connection: Connection, ids: Sequence[str]) -> None:
    connection.execute(message.update().where(message.c.id.in_(padded(ids))).values(keyed=True))


def with_key(connection: Connection, key: bytes, limit: int) -> list[str]:
    """Return the ids of the newest messages that have this key; `limit` 0 = all."""
    query = (
        sa.select(message_key.c.message_id)
        .where(message_key.c.key == key)
        .order_by(message_key.c.message_id.desc())
        .limit(limit or None)
    )
    return list(connection.scalars(query))


def messages_of(connection: Connection, ids: Sequence[str]) -> list[Row[Any]]:
    """Return messages, newest first, without what is sealed."""
    columns = [c for c in message.c if c.name not in ("dedupe_key", "order_key")]
    return list(connection.execute(sa.select(*columns).where(message.c.id.in_(ids)).order_by(message.c.id.desc())))


def documents_of(
    connection: Connection,
    limit: int,
    *,
    ids: Sequence[str] = (),
    messages: Sequence[str] = (),
    patients: Sequence[str] = (),
) -> list[Row[Any]]:
    """Return the newest documents of these ids, asked for by these messages, or about these patients."""
    found: dict[str, Row[Any]] = {}
    for column, wanted in ((document.c.id, ids), (document.c.message_id, messages), (document.c.patient_id, patients)):
        if wanted:
            query = sa.select(document).where(column.in_(wanted)).order_by(document.c.id.desc()).limit(limit)
            found |= {row.id: row for row in connection.execute(query)}
    return sorted(found.values(), key=lambda row: str(row.id), reverse=True)[:limit]


def deliveries_of(
    connection: Connection, *, ids: Sequence[str] = (), documents: Sequence[str] = (), reference: str = ""
) -> list[Row[Any]]:
    """Return deliveries by their own ids, by their documents, or by the destination's number; newest first."""
    found: dict[str, Row[Any]] = {}
    for column, wanted in ((delivery.c.id, ids), (delivery.c.document_id, documents)):
        if wanted:
            found |= {row.id: row for row in connection.execute(sa.select(delivery).where(column.in_(wanted)))}
    if reference:
        named = sa.and_(delivery.c.reference == reference, sa.text("delivery.reference <> ''"))
        found |= {row.id: row for row in connection.execute(sa.select(delivery).where(named))}
    return sorted(found.values(), key=lambda row: str(row.id), reverse=True)


def documents_with_hash(connection: Connection, sha256: str) -> list[Row[Any]]:
    """Return the documents that have a rendition of this hash."""
    query = (
        sa.select(document)
        .join_from(rendition, document, rendition.c.document_id == document.c.id)
        .where(rendition.c.sha256 == sha256)
    )
    return list({row.id: row for row in connection.execute(query)}.values())
