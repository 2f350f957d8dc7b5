"""Rows of `destination`: what all nodes know of a destination — failures in a row, requests of the last minute, a pause.

A row is made when it is first needed. Whoever takes deliveries locks it for the transaction, so that limits hold over all
nodes; nobody waits for that lock, because units of one commit may meet those of another node in any order.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection, Row

from gateway.delivery.limits import Load, Rules, after_failure
from gateway.store.schema import destination


def ensure(connection: Connection, names: Iterable[str]) -> None:
    """Make the rows that are not there yet."""
    insert = (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(destination)
    for name in names:
        connection.execute(insert.values(name=name).on_conflict_do_nothing())


def lock(connection: Connection, name: str) -> Load | None:
    """Give what is known and keep other nodes out until the transaction ends; None when another node is at it."""
    query = sa.select(destination).where(destination.c.name == name)
    row = connection.execute(query.with_for_update(skip_locked=True)).one_or_none()
    if row is None and get(connection, name) is None:
        ensure(connection, [name])
        row = connection.execute(query.with_for_update(skip_locked=True)).one_or_none()
    return None if row is None else load_of(row)


def get(connection: Connection, name: str) -> Row[Any] | None:
    return connection.execute(sa.select(destination).where(destination.c.name == name)).one_or_none()


def listing(connection: Connection) -> list[Row[Any]]:
    return list(connection.execute(sa.select(destination).order_by(destination.c.name)))


def load_of(row: Row[Any] | None) -> Load:
    if row is None:
        return Load()
    started = dict(msgspec.json.decode(row.started or "[]", type=list[tuple[int, int]]))
    return Load(row.failures, row.closed_until, started, row.paused_reason if row.paused_at is not None else "")


def put_started(connection: Connection, name: str, load: Load) -> None:
    """Keep the requests of the last minute; for who holds the lock."""
    started = msgspec.json.encode(sorted(load.started.items())).decode()
    connection.execute(destination.update().where(destination.c.name == name).values(started=started))


def failed(connection: Connection, name: str, rules: Rules, now: int) -> bool:
    """Count a transient failure; False when another node is at the row, and it is to be tried again."""
    load = lock(connection, name)
    if load is None:
        return False
    after = after_failure(rules, load, now)
    connection.execute(
        destination.update()
        .where(destination.c.name == name)
        .values(failures=after.failures, closed_until=after.closed_until)
    )
    return True


def answered(connection: Connection, name: str) -> None:
    """Note that the destination lives."""
    connection.execute(
        destination.update().where(destination.c.name == name, destination.c.failures > 0).values(failures=0)
    )


def throttled(connection: Connection, name: str, until: int) -> None:
    """Note that the destination asked everybody to wait."""
    connection.execute(
        destination.update()
        .where(destination.c.name == name, destination.c.closed_until < until)
        .values(closed_until=until)
    )


def pause(connection: Connection, name: str, *, at: int, actor: str, reason: str) -> bool:
    """Stop a destination; False when it is stopped already."""
    ensure(connection, [name])
    statement = (
        destination.update()
        .where(destination.c.name == name, destination.c.paused_at.is_(None))
        .values(paused_at=at, paused_by=actor, paused_reason=reason)
    )
    return bool(connection.execute(statement).rowcount)


def resume(connection: Connection, name: str) -> bool:
    """Let a destination go on, at once; False when nobody stopped it."""
    statement = (
        destination.update()
        .where(destination.c.name == name, destination.c.paused_at.is_not(None))
        .values(paused_at=None, paused_by="", paused_reason="", failures=0, closed_until=0)
    )
    return bool(connection.execute(statement).rowcount)
