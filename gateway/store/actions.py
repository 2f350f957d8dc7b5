"""Rows of `action`: what people and the egress gate did, and why.

Requirement: S1.10.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from gateway.store.ids import uuid7
from gateway.store.schema import action


def insert(connection: Connection, *, at: int, actor: str, verb: str, target: str, reason: str) -> str:
    """Note an act; return its id."""
    row_id = uuid7()
    connection.execute(action.insert().values(id=row_id, at=at, actor=actor, verb=verb, target=target, reason=reason))
    return row_id


def of_target(connection: Connection, target: str) -> list[Row[Any]]:
    return list(connection.execute(sa.select(action).where(action.c.target == target).order_by(action.c.id)))
