"""Take rows to work on, so that no two workers hold the same one and order per key is kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Table, TextClause
from sqlalchemy.engine import Connection, Row

from gateway.store.raw import padded


class Taking:
    """A way to lease rows of one table; its statement is made once, because it is asked again and again.

    The lease is looked at again by the outer statement: on PostgreSQL a row that another node took in between is then seen
    as taken and left alone. Nothing else is, so that rows are looked up by id and not by what waits. The candidates are a
    common table expression because PostgreSQL may run a plain subquery with LIMIT and FOR UPDATE more than once and then
    take more than it may.
    """

    def __init__(
        self,
        table: Table,
        ready: ColumnElement[bool] | TextClause,
        blocked: ColumnElement[bool] | None = None,
        *,
        values: Mapping[str, Any] | None = None,
        order: ColumnElement[Any] | None = None,
    ) -> None:
        """Take rows that are `ready`, due, unleased and not `blocked` by an earlier one; those that are first by `order`, the
        oldest when None. They get `values`."""
        free = sa.and_(ready, table.c.due_at <= sa.bindparam("now"), table.c.lease_until <= sa.bindparam("now"))
        candidates = sa.select(table.c.id).where(free)
        if blocked is not None:
            candidates = candidates.where(~blocked)
        limit = sa.bindparam("most", type_=sa.Integer())
        candidates = candidates.order_by(table.c.id if order is None else order).limit(limit)
        locked = candidates.with_for_update(skip_locked=True)
        taken = {"lease_owner": sa.bindparam("owner"), "lease_until": sa.bindparam("until"), **(values or {})}

        def statement(some: sa.Select[Any]) -> sa.UpdateBase:
            return (
                table.update()
                .where(
                    table.c.id.in_(sa.select(some.cte("candidates").c.id)), table.c.lease_until <= sa.bindparam("now")
                )
                .values(**taken)
                .returning(*table.c)
            )

        self._statement, self._locking = statement(candidates), statement(locked)

    def __call__(self, connection: Connection, *, owner: str, now: int, until: int, limit: int) -> list[Row[Any]]:
        """Lease up to `limit` rows; they are returned oldest first."""
        statement = self._locking if connection.dialect.name == "postgresql" else self._statement
        said = {"owner": owner, "now": now, "until": until, "most": limit}
        return sorted(connection.execute(statement, said), key=lambda row: str(row.id))


DEADLY = 2
"""Deaths after which an item goes to the error queue: by the first one it is only suspected, and taken alone from then on."""


BACK = 200_000
"""Microseconds after which a suspect is due again that found another one under way."""


def there_is(*conditions: ColumnElement[bool] | TextClause) -> ColumnElement[bool]:
    """Say that there is a row, looked up for each row of the statement around it and never joined to that.

    A lookup goes by index whatever the database believes of how much waits. Joined, what waits is read as a whole for each row
    wherever a backlog has built up since statistics were taken.
    """
    return (
        sa.select(sa.literal_column("1"))
        .where(*conditions)
        .limit(sa.literal_column("1"))
        .scalar_subquery()
        .is_not(None)
    )


def extend(connection: Connection, table: Table, ids: Iterable[str], owner: str, until: int) -> None:
    """Push the end of leases that `owner` still holds."""
    connection.execute(
        table.update().where(table.c.id.in_(padded(ids)), table.c.lease_owner == owner).values(lease_until=until)
    )


def give_back(connection: Connection, table: Table, ids: Iterable[str], owner: str, due_at: int) -> None:
    """Give up leases that `owner` still holds; the rows are due again at `due_at`."""
    held = sa.and_(table.c.id.in_(padded(ids)), table.c.lease_owner == owner)
    connection.execute(table.update().where(held).values(due_at=due_at, **RELEASED))


def count_death(connection: Connection, table: Table, held: ColumnElement[bool], guilty: dict[str, Any]) -> list[str]:
    """Count one death of the process that held these rows, and free them; those that died too often get the values `guilty`.

    Returns the ids of these.
    """
    connection.execute(table.update().where(held).values(deaths=table.c.deaths + 1))
    found = connection.execute(
        table.update().where(held, table.c.deaths >= DEADLY).values(**guilty, **RELEASED).returning(table.c.id)
    )
    ids = [str(row.id) for row in found]
    connection.execute(table.update().where(held).values(**RELEASED))
    return ids


def too_many(rows: Iterable[Row[Any]], suspects: int) -> list[str]:
    """Name what outlived a death beyond so many suspects: with two of them at work, nobody could say which of them kills."""
    return [str(row.id) for row in rows if row.deaths][suspects:]


RELEASED = {"lease_owner": "", "lease_until": 0}
