"""Find what a person selects, in key order: deliveries to send again, messages to map again. Reads only.

A selection starts where an index leads: a span (a key tells when it was made), the error queue, a paper, a message, a person.
Conditions on the rest are looked at on the rows found there.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from gateway.store.ids import first_uuid7
from gateway.store.schema import delivery, document, message, resource

_BATCH = 5000
"""Ids in one statement at most."""


@dataclass(frozen=True)
class Wanted:
    """Conditions; every one that is not empty counts, and of one several values are alternatives."""

    begin: int = 0
    """First instant at which it was made; 0 = any."""
    end: int = 0
    """First instant after; 0 = any."""
    states: tuple[str, ...] = ()
    destinations: tuple[str, ...] = ()
    faults: tuple[int, ...] = ()
    channels: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    """`ADT` is all of a family, `ADT^A03` is one."""
    papers: tuple[str, ...] = ()


# ---- deliveries ----


def deliveries_in(connection: Connection, wanted: Wanted) -> list[Row[Any]]:
    """Return the deliveries made in the span, or of the error queue when there is no span."""
    return _deliveries(connection, wanted, None)


def deliveries_among(connection: Connection, wanted: Wanted, document_ids: Collection[str]) -> list[Row[Any]]:
    """Return the deliveries of documents."""
    return _among(document_ids, lambda ids: _deliveries(connection, wanted, delivery.c.document_id.in_(ids)))


def deliveries_named(connection: Connection, wanted: Wanted, delivery_ids: Collection[str]) -> list[Row[Any]]:
    return _among(delivery_ids, lambda ids: _deliveries(connection, wanted, delivery.c.id.in_(ids)))


def _deliveries(connection: Connection, wanted: Wanted, start: sa.ColumnElement[bool] | None) -> list[Row[Any]]:
    newer, sent = document.alias("newer"), delivery.alias("sent")
    overtaken = (
        sa.exists()
        .where(newer.c.paper == document.c.paper, newer.c.subject == document.c.subject, newer.c.id > document.c.id)
        .where(sent.c.document_id == newer.c.id, sent.c.destination == delivery.c.destination)
        .where(sent.c.state == "accepted")
    )
    query = (
        sa.select(
            delivery.c.id,
            delivery.c.order_key,
            delivery.c.destination,
            delivery.c.state,
            document.c.signed_at,
            document.c.state.label("document_state"),
            overtaken.label("overtaken"),
        )
        .join_from(delivery, document)
        .where(_start(delivery, wanted, start))
    )
    if wanted.types:
        query = query.join(message, message.c.id == document.c.message_id).where(_of_type(wanted.types))
    for column, values in (
        (delivery.c.state, wanted.states),
        (delivery.c.destination, wanted.destinations),
        (delivery.c.fault_code, wanted.faults),
        (document.c.channel, wanted.channels),
        (document.c.paper, wanted.papers),
    ):
        if values:
            query = query.where(column.in_(values))
    return list(connection.execute(query))


# ---- messages ----


def messages_in(connection: Connection, wanted: Wanted) -> list[Row[Any]]:
    """Return the messages received in the span, or of the error queue when there is no span."""
    return _messages(connection, wanted, None)


def messages_named(connection: Connection, wanted: Wanted, message_ids: Collection[str]) -> list[Row[Any]]:
    return _among(message_ids, lambda ids: _messages(connection, wanted, message.c.id.in_(ids)))


def _messages(connection: Connection, wanted: Wanted, start: sa.ColumnElement[bool] | None) -> list[Row[Any]]:
    columns = ("id", "order_key", "channel", "type", "sender", "state", "received_at")
    query = sa.select(*(message.c[name] for name in columns)).where(_start(message, wanted, start))
    for column, values in ((message.c.state, wanted.states), (message.c.channel, wanted.channels)):
        if values:
            query = query.where(column.in_(values))
    if wanted.types:
        query = query.where(_of_type(wanted.types))
    if wanted.papers:
        made = sa.exists().where(document.c.message_id == message.c.id, document.c.paper.in_(wanted.papers))
        query = query.where(made)
    return list(connection.execute(query))


def messages_with_fault(connection: Connection, faults: Sequence[int], destinations: Sequence[str]) -> set[str]:
    """Name the messages that are in the error queue for these faults, or whose papers or deliveries to `destinations` are."""
    found = set(
        connection.scalars(
            sa.select(message.c.id).where(
                sa.text("message.state IN ('error', 'held')"), message.c.fault_code.in_(faults)
            )
        )
    )
    found |= set(
        connection.scalars(
            sa.select(document.c.message_id).where(
                sa.text("document.state IN ('error', 'held')"), document.c.fault_code.in_(faults)
            )
        )
    )
    refused = (
        sa.select(document.c.message_id)
        .join_from(delivery, document)
        .where(
            sa.text("delivery.state IN ('error', 'held')"),
            delivery.c.fault_code.in_(faults),
            delivery.c.destination.in_(destinations),
        )
    )
    return found | set(connection.scalars(refused))


def messages_of_documents(connection: Connection, document_ids: Collection[str]) -> set[str]:
    def found(ids: list[str]) -> list[Any]:
        return list(connection.execute(sa.select(document.c.message_id.label("id")).where(document.c.id.in_(ids))))

    return {row.id for row in _among(document_ids, found)}


def messages_of_persons(connection: Connection, patient_ids: Sequence[str]) -> set[str]:
    """Name the messages on which the record and the papers of a person rest now."""
    spoke = sa.select(resource.c.message_id).where(sa.text("resource.current"), resource.c.patient_id.in_(patient_ids))
    made = sa.select(document.c.message_id).where(document.c.patient_id.in_(patient_ids))
    return set(connection.scalars(spoke)) | set(connection.scalars(made))


# ---- documents, on the way to either ----


def documents_of_messages(connection: Connection, message_ids: Collection[str]) -> set[str]:
    def found(ids: list[str]) -> list[Any]:
        return list(connection.execute(sa.select(document.c.id).where(document.c.message_id.in_(ids))))

    return {row.id for row in _among(message_ids, found)}


def documents_of_persons(
    connection: Connection, patient_ids: Sequence[str], subjects: Collection[str] = ()
) -> list[Row[Any]]:
    """Return id and message of the papers of a person; with `subjects`, of those about one of these."""
    query = sa.select(document.c.id, document.c.message_id, document.c.subject)
    found: list[Row[Any]] = list(connection.execute(query.where(document.c.patient_id.in_(patient_ids))))
    return [row for row in found if not subjects or row.subject.partition("#")[0] in subjects]


def _among(ids: Collection[str], query: Any) -> list[Any]:
    ordered = sorted(set(ids))
    return [row for start in range(0, len(ordered), _BATCH) for row in query(ordered[start : start + _BATCH])]


def _start(
    table: sa.Table, wanted: Wanted, start: sa.ColumnElement[bool] | None
) -> sa.ColumnElement[bool] | sa.TextClause:
    """Give where to begin: at `start`, within the span; without either, at the error queue."""
    if start is None and not (wanted.begin or wanted.end):
        return sa.text(f"{table.name}.state IN ('error', 'held')")
    span = _made_in(table.c.id, wanted) if wanted.begin or wanted.end else sa.true()
    return span if start is None else sa.and_(start, span)


def _made_in(key: sa.Column[Any], wanted: Wanted) -> sa.ColumnElement[bool]:
    bounds = [key >= first_uuid7(wanted.begin)] if wanted.begin else []
    return sa.and_(*bounds, *([key < first_uuid7(wanted.end)] if wanted.end else []))


def _of_type(types: Sequence[str]) -> sa.ColumnElement[bool]:
    families = [one for one in types if "^" not in one]
    exact = [one for one in types if "^" in one]
    like = [message.c.type == one for one in families] + [message.c.type.startswith(f"{one}^") for one in families]
    return sa.or_(message.c.type.in_(exact), *like)
