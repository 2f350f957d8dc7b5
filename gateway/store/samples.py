"""Rows of `device_sample`: values of devices that wait for their window, and those that made one, kept to make it again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from gateway.store.sample_schema import device_sample


@dataclass(frozen=True)
class NewSample:
    """The values of one message in one window."""

    message_id: str
    series: bytes
    window_at: int
    patient_id: str | None
    due_at: int
    body: bytes


@dataclass(frozen=True)
class Window:
    """One window of one person."""

    series: bytes
    window_at: int


_DUE = sa.text("device_sample.due_at IS NOT NULL")
"""Written out, not bound: only then does the index of what is due serve."""


def put(connection: Connection, message_id: str, found: Sequence[NewSample]) -> None:
    """Replace the values of a message: it may be mapped again, by other rules."""
    connection.execute(device_sample.delete().where(device_sample.c.message_id == message_id))
    if found:
        connection.execute(device_sample.insert(), [vars(one) for one in found])


def due(connection: Connection, now: int, limit: int) -> list[Window]:
    """Return windows that are over, those that have waited longest first."""
    first = sa.func.min(device_sample.c.due_at)
    found = (
        sa.select(device_sample.c.series, device_sample.c.window_at)
        .where(_DUE, device_sample.c.due_at <= now)
        .group_by(device_sample.c.series, device_sample.c.window_at)
        .order_by(first)
        .limit(limit)
    )
    return [Window(bytes(row.series), row.window_at) for row in connection.execute(found)]


def of_window(connection: Connection, window: Window) -> list[Row[Any]]:
    """Return all values of a window, in the order in which their messages came."""
    known = sa.select(device_sample).where(
        device_sample.c.series == window.series, device_sample.c.window_at == window.window_at
    )
    return list(connection.execute(known.order_by(device_sample.c.message_id)))


def settle(connection: Connection, window: Window, count: int) -> bool:
    """Say that a window is in the record; False when it has other values by now than the `count` that were read."""
    same = sa.and_(device_sample.c.series == window.series, device_sample.c.window_at == window.window_at)
    if connection.scalar(sa.select(sa.func.count()).select_from(device_sample).where(same)) != count:
        return False
    return bool(connection.execute(device_sample.update().where(same, _DUE).values(due_at=None)).rowcount)
