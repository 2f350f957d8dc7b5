"""What waits in the ledger, counted for whoever watches it. Reads only, and only what an index of few rows holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from gateway.states import OPEN_DELIVERY
from gateway.store.image_schema import commitment
from gateway.store.lab_schema import lab_call
from gateway.store.schema import certificate, delivery, document, message, signing_task

_QUOTED = ", ".join(f"'{state}'" for state in OPEN_DELIVERY)
_LIVING = sa.text("certificate.state IN ('issued', 'handed_over', 'active', 'suspended')")
_OPEN_TASK = sa.text("signing_task.state IN ('waiting', 'ready', 'claimed')")
_COUNT = sa.func.count().label("n")


def open_deliveries(connection: Connection) -> list[Row[Any]]:
    """Count open deliveries by destination and state, with when the oldest of each was made."""
    query = (
        sa.select(delivery.c.destination, delivery.c.state, _COUNT, sa.func.min(delivery.c.created_at).label("since"))
        .where(sa.text(f"delivery.state IN ({_QUOTED})"))
        .group_by(delivery.c.destination, delivery.c.state)
    )
    return list(connection.execute(query))


def in_flight(connection: Connection, now: int) -> list[Row[Any]]:
    """Count, by destination, what all nodes hold: claimed, on the wire, or being asked about."""
    query = (
        sa.select(delivery.c.destination, _COUNT)
        .where(sa.text("delivery.lease_owner <> ''"), delivery.c.lease_until > now)
        .group_by(delivery.c.destination)
    )
    return list(connection.execute(query))


def wrong(connection: Connection) -> list[tuple[str, str, int]]:
    """Count what is in the error queue or held: kind of thing, state, how many."""
    found = []
    for table in (message, document, delivery):
        query = (
            sa.select(table.c.state, _COUNT)
            .where(sa.text(f"{table.name}.state IN ('error', 'held')"))
            .group_by(table.c.state)
        )
        found += [(table.name, row.state, row.n) for row in connection.execute(query)]
    for table in (commitment, lab_call):
        untaken = sa.select(_COUNT).select_from(table).where(sa.text(f"{table.name}.state = 'error'"))
        found.append((table.name, "error", connection.execute(untaken).scalar_one()))
    return found


def waiting_messages(connection: Connection) -> tuple[int, int | None]:
    """Count messages that are not mapped yet, and give when the oldest of them came."""
    query = sa.select(_COUNT, sa.func.min(message.c.received_at)).where(sa.text("message.state = 'received'"))
    row = connection.execute(query).one()
    return row[0], row[1]


def waiting_documents(connection: Connection) -> list[Row[Any]]:
    """Count papers that the node has still to compose, seal or complete, by state."""
    query = (
        sa.select(document.c.state, _COUNT)
        .where(sa.text("document.state IN ('due', 'composed', 'proving')"))
        .group_by(document.c.state)
    )
    return list(connection.execute(query))


def open_tasks(connection: Connection) -> list[Row[Any]]:
    """Count signatures that are waited for, by role and state."""
    query = (
        sa.select(signing_task.c.role, signing_task.c.state, _COUNT)
        .where(_OPEN_TASK)
        .group_by(signing_task.c.role, signing_task.c.state)
    )
    return list(connection.execute(query))


def ending_certificates(connection: Connection, before: Sequence[int]) -> list[int]:
    """Count, for each instant, the certificates in use that end before it."""
    query = sa.select(sa.func.count()).select_from(certificate)
    return [int(connection.scalar(query.where(_LIVING, certificate.c.not_after < at)) or 0) for at in before]
