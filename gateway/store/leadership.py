"""Rows of `lease`: what one node at a time does for all, under a token that grows with every holder.

Clocks of machines differ, so two nodes may believe that they lead. Harm is kept out by `require`: whoever acts for all does
it in a transaction that first asks whether its token is still the newest, and holds that answer until the commit.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection, Row

from gateway.faults import LeadershipLost
from gateway.store.node_schema import lease


def take(connection: Connection, name: str, holder: str, now: int, until: int) -> int:
    """Take a lease that is free or has lapsed; return its new token, 0 when somebody holds it."""
    insert = (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(lease)
    connection.execute(insert.values(name=name).on_conflict_do_nothing())
    statement = (
        lease.update()
        .where(lease.c.name == name, sa.or_(lease.c.holder == "", lease.c.until <= now))
        .values(holder=holder, token=lease.c.token + 1, until=until)
        .returning(lease.c.token)
    )
    return int(connection.scalar(statement) or 0)


def renew(connection: Connection, name: str, token: int, until: int) -> bool:
    """Hold a lease longer; False when it is another's by now, or free."""
    statement = lease.update().where(_held(name, token)).values(until=until)
    return bool(connection.execute(statement).rowcount)


def release(connection: Connection, name: str, token: int) -> bool:
    """Give a lease back; False when it is another's by now."""
    statement = lease.update().where(_held(name, token)).values(holder="", until=0)
    return bool(connection.execute(statement).rowcount)


def release_of(connection: Connection, holder: str) -> None:
    """Take away what a dead node held."""
    connection.execute(lease.update().where(lease.c.holder == holder).values(holder="", until=0))


def require(connection: Connection, name: str, token: int) -> None:
    """Raise LeadershipLost unless this token is the newest and held; nobody takes the lease before the commit."""
    query = sa.select(lease.c.token).where(_held(name, token)).with_for_update(read=True)
    if connection.execute(query).one_or_none() is None:
        raise LeadershipLost(name, f"token {token}")


def get(connection: Connection, name: str) -> Row[Any] | None:
    return connection.execute(sa.select(lease).where(lease.c.name == name)).one_or_none()


def state_of(row: Row[Any] | None, now: int) -> str:
    """Tell the state of `LEASE` that a row is in."""
    if row is None or not row.holder:
        return "free"
    return "held" if row.until > now else "lapsed"


def _held(name: str, token: int) -> sa.ColumnElement[bool]:
    return sa.and_(lease.c.name == name, lease.c.token == token, lease.c.holder != "")
