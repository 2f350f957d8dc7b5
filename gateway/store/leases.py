"""Take rows to work on, so that no two workers hold the same one and order per key is kept."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Table, TextClause
from sqlalchemy.engine import Connection, Row


def take(
    connection: Connection,
    table: Table,
    ready: ColumnElement[bool] | TextClause,
    blocked: ColumnElement[bool] | None,
    *,
    owner: str,
    now: int,
    until: int,
    limit: int,
    values: dict[str, Any] | None = None,
    order: ColumnElement[Any] | None = None,
) -> list[Row[Any]]:
    """Lease up to `limit` rows that are `ready`, due, unleased and not `blocked` by an earlier one.

    Those that are first by `order` are taken, the oldest when None; they are returned oldest first.

    The guard stands again on the outer statement: on PostgreSQL a row that another node took in between is then seen as
    taken and left alone. The candidates are a common table expression because PostgreSQL may run a plain subquery with
    LIMIT and FOR UPDATE more than once and then take more than `limit`.
    """
    free = sa.and_(ready, table.c.due_at <= now, table.c.lease_until <= now)
    candidates = sa.select(table.c.id).where(free)
    if blocked is not None:
        candidates = candidates.where(~blocked)
    candidates = candidates.order_by(table.c.id if order is None else order).limit(limit)
    if connection.dialect.name == "postgresql":
        candidates = candidates.with_for_update(skip_locked=True)
    statement = (
        table.update()
        .where(table.c.id.in_(sa.select(candidates.cte("candidates").c.id)), free)
        .values(lease_owner=owner, lease_until=until, **(values or {}))
        .returning(*table.c)
    )
    return sorted(connection.execute(statement), key=lambda row: str(row.id))


def extend(connection: Connection, table: Table, ids: Iterable[str], owner: str, until: int) -> None:
    """Push the end of leases that `owner` still holds."""
    connection.execute(
        table.update().where(table.c.id.in_(list(ids)), table.c.lease_owner == owner).values(lease_until=until)
    )


RELEASED = {"lease_owner": "", "lease_until": 0}
