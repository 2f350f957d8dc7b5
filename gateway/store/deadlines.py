"""Notices about deadlines, of whatever has one: what is to be said, and that it was said, once over all nodes.

A row that has a deadline has `notice_at`, when something is to be said about it next, and `warned_at` and `breached_at`, when
it was said. Whoever says it first takes `notice_at` away from the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from gateway.states import ENDED_DELIVERY
from gateway.store.deliveries import DEADLINE
from gateway.store.schema import delivery, document

SAID = 2**62
"""`notice_at` of what is past its deadline and has not ended: nothing more is said, and it is still found."""
_OPEN = sa.text("delivery.notice_at IS NOT NULL")
"""Written out, not bound: only then does the index of what waits serve."""


def next_notice(row: Row[Any], now: int, after: int | None = None) -> Mapping[str, Any]:
    """Say what changes when something is said about a row now: near its deadline, or past it. `after` is `notice_at` then."""
    if row.deadline_at <= now:
        return {"breached_at": now, "notice_at": after, "warned_at": now if row.warned_at is None else row.warned_at}
    return {"warned_at": now, "notice_at": row.deadline_at}


def told(connection: Connection, table: sa.Table, row: Row[Any], **values: Any) -> bool:
    """Note what was said about a row; False when somebody else said it meanwhile."""
    statement = table.update().where(table.c.id == row.id, table.c.notice_at == row.notice_at).values(**values)
    return bool(connection.execute(statement).rowcount)


def deliveries_to_tell(connection: Connection, now: int, limit: int) -> list[Row[Any]]:
    """Return deliveries about whose deadline something is to be said, with their papers; none that somebody is changing."""
    query = (
        sa.select(
            delivery.c.id,
            delivery.c.destination,
            delivery.c.state,
            delivery.c.accepted_at,
            delivery.c.notice_at,
            delivery.c.warned_at,
            document.c.paper,
            DEADLINE,
        )
        .join_from(delivery, document)
        .where(_OPEN, delivery.c.notice_at <= now)
        .order_by(delivery.c.notice_at)
        .limit(limit)
        .with_for_update(skip_locked=True, of=delivery)
    )
    return list(connection.execute(query))


def told_of(connection: Connection, row: Row[Any], **values: Any) -> bool:
    return told(connection, delivery, row, **values)


def counts(connection: Connection, now: int) -> list[Row[Any]]:
    """Count, by destination, what has not arrived and is near its deadline, and what is past it."""
    past = sa.and_(delivery.c.deadline_at > 0, delivery.c.deadline_at < now)
    near = sa.and_(delivery.c.warned_at.is_not(None), delivery.c.deadline_at >= now)
    query = (
        sa.select(
            delivery.c.destination,
            sa.func.sum(sa.case((near, 1), else_=0)).label("near"),
            sa.func.sum(sa.case((past, 1), else_=0)).label("past"),
        )
        .where(_OPEN, delivery.c.state.not_in(ENDED_DELIVERY))
        .group_by(delivery.c.destination)
    )
    return list(connection.execute(query))
