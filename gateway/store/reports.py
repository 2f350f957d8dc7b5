"""What a report counts, over one span of time. Reads only; nothing of a patient comes out.

A key tells when it was made (UUIDv7), so a span of creation is a range of keys.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from gateway.states import ENDED_DELIVERY
from gateway.store.deliveries import DEADLINE
from gateway.store.ids import first_uuid7
from gateway.store.schema import attempt, delivery, document, message, signing_task

DISCHARGE = "ADT^A03"


_PAPER = (
    document.c.id,
    document.c.paper,
    document.c.subject,
    document.c.version,
    document.c.state,
    document.c.message_id,
    document.c.event_at,
    DEADLINE,
    document.c.fault_code,
    document.c.fault_where,
    document.c.fault_detail,
    delivery.c.id.label("delivery_id"),
    delivery.c.destination,
    delivery.c.state.label("delivery_state"),
    delivery.c.accepted_at,
    delivery.c.warned_at,
    delivery.c.notice_at,
    delivery.c.fault_code.label("delivery_fault_code"),
    delivery.c.fault_where.label("delivery_fault_where"),
    delivery.c.fault_detail.label("delivery_fault_detail"),
)


def papers_of(connection: Connection, begin: int, end: int) -> list[Row[Any]]:
    """Give every document whose event lies in the span, with each of its deliveries; a document without any comes once."""
    query = (
        sa.select(*_PAPER)
        .join_from(document, delivery, delivery.c.document_id == document.c.id, isouter=True)
        .where(document.c.event_at >= begin, document.c.event_at < end)
        .order_by(document.c.id, delivery.c.id)
    )
    return list(connection.execute(query))


def near_or_past(connection: Connection, now: int) -> list[Row[Any]]:
    """Give the deliveries, as `papers_of` does, that have not arrived and are near their deadline or past it."""
    noticed = sa.text("delivery.notice_at IS NOT NULL")
    said = sa.or_(delivery.c.warned_at.is_not(None), delivery.c.notice_at <= now)
    query = (
        sa.select(*_PAPER).join_from(delivery, document).where(noticed, said, delivery.c.state.not_in(ENDED_DELIVERY))
    )
    return list(connection.execute(query.order_by(DEADLINE, delivery.c.id)))


def wrong_messages(connection: Connection) -> list[Row[Any]]:
    """Give the messages that wait for a person."""
    told = (message.c.fault_code, message.c.fault_where, message.c.fault_detail)
    query = sa.select(message.c.id, message.c.channel, message.c.type, message.c.state, message.c.received_at, *told)
    return list(connection.execute(query.where(sa.text("message.state IN ('error', 'held')")).order_by(message.c.id)))


def waited_for(connection: Connection, document_id: str) -> list[str]:
    """Name the roles whose signature a document waits for now."""
    query = sa.select(signing_task.c.role).where(
        signing_task.c.document_id == document_id, signing_task.c.state.in_(("ready", "claimed"))
    )
    return list(connection.scalars(query.order_by(signing_task.c.number, signing_task.c.role)))


def discharges(connection: Connection, begin: int, end: int) -> list[Row[Any]]:
    """Give the discharge messages that arrived in the span, with how many documents each led to."""
    made = sa.select(sa.func.count()).where(document.c.message_id == message.c.id).scalar_subquery()
    query = (
        sa.select(
            message.c.id,
            message.c.state,
            message.c.received_at,
            message.c.fault_code,
            message.c.fault_where,
            message.c.fault_detail,
            made.label("documents"),
        )
        .where(_made_in(message.c.id, begin, end), message.c.type == DISCHARGE)
        .order_by(message.c.id)
    )
    return list(connection.execute(query))


def message_states(connection: Connection, begin: int, end: int) -> dict[str, int]:
    """Count what arrived in the span by what became of it."""
    return _counted(connection, message, message.c.state, begin, end)


def document_states(connection: Connection, begin: int, end: int) -> dict[str, int]:
    """Count papers that fell due in the span by what became of them."""
    return _counted(connection, document, document.c.state, begin, end)


def _counted(connection: Connection, table: sa.Table, column: sa.Column[Any], begin: int, end: int) -> dict[str, int]:
    query = sa.select(column, sa.func.count()).where(_made_in(table.c.id, begin, end)).group_by(column)
    return {row[0]: row[1] for row in connection.execute(query)}


def deliveries_of(connection: Connection, begin: int, end: int, destination: str = "") -> list[Row[Any]]:
    """Give every delivery made in the span, with its paper, and how many answers of the destination are kept for it."""
    kept = (
        sa.select(sa.func.count())
        .where(attempt.c.delivery_id == delivery.c.id, attempt.c.event.in_(("accept", "late_accept")))
        .scalar_subquery()
    )
    query = (
        sa.select(
            delivery.c.id,
            delivery.c.destination,
            delivery.c.state,
            delivery.c.reference,
            delivery.c.created_at,
            delivery.c.accepted_at,
            delivery.c.fault_code,
            delivery.c.fault_where,
            delivery.c.fault_detail,
            document.c.paper,
            DEADLINE,
            kept.label("receipts"),
        )
        .join_from(delivery, document)
        .where(_made_in(delivery.c.id, begin, end))
        .order_by(delivery.c.id)
    )
    if destination:
        query = query.where(delivery.c.destination == destination)
    return list(connection.execute(query))


def _made_in(key: sa.Column[Any], begin: int, end: int) -> sa.ColumnElement[bool]:
    return sa.and_(key >= first_uuid7(begin), key < first_uuid7(end))
