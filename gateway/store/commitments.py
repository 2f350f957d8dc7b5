"""Rows of `commitment`: reports of storage commitment that devices wait for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection, Row

from gateway.faults import NothingThere
from gateway.states import COMMITMENT, advance, sources
from gateway.store.image_schema import commitment
from gateway.store.messages import fault_values
from mappings.formats.faults import Fault

_OWED = sa.text("commitment.state = 'owed'")


def insert(connection: Connection, **values: Any) -> None:
    """Enter a report that is owed; where another node enters the same at the same moment, one of both is kept."""
    statement = (sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert)(commitment)
    connection.execute(
        statement.values(**values, state="owed").on_conflict_do_nothing(
            index_elements=["channel", "calling", "transaction_uid"]
        )
    )


def get(connection: Connection, commitment_id: str) -> Row[Any]:
    """Return a report; raise NothingThere."""
    row = connection.execute(sa.select(commitment).where(commitment.c.id == commitment_id)).one_or_none()
    if row is None:
        raise NothingThere(where=commitment_id)
    return row


def of_transaction(connection: Connection, channel: str, calling: str, transaction_uid: str) -> Row[Any] | None:
    """Return the report that a device asked for under a transaction."""
    query = sa.select(commitment).where(
        commitment.c.channel == channel,
        commitment.c.calling == calling,
        commitment.c.transaction_uid == transaction_uid,
    )
    return connection.execute(query).one_or_none()


def count_owed(connection: Connection, channel: str) -> int:
    """Count what a channel owes."""
    query = sa.select(sa.func.count()).where(_OWED, commitment.c.channel == channel)
    return int(connection.execute(query).scalar_one())


def due(connection: Connection, channel: str, now: int, calling: str, limit: int) -> list[Row[Any]]:
    """Return the owed reports of a channel that are due by now, of `calling` all of them; the longest due first."""
    soon = (
        sa.or_(commitment.c.due_at <= now, commitment.c.calling == calling) if calling else commitment.c.due_at <= now
    )
    query = sa.select(commitment).where(_OWED, commitment.c.channel == channel, soon)
    return list(connection.execute(query.order_by(commitment.c.due_at).limit(limit)))


def claim(connection: Connection, row: Row[Any], due_at: int) -> bool:
    """Begin a try; False when another node was first. The next one is due at `due_at`."""
    found = connection.execute(
        commitment.update()
        .where(commitment.c.id == row.id, _OWED, commitment.c.attempts == row.attempts)
        .values(attempts=row.attempts + 1, due_at=due_at)
    )
    return bool(found.rowcount)


def move(connection: Connection, commitment_id: str, event: str, fault: Fault | None = None, **values: Any) -> bool:
    """Apply `event`; False when the state does not allow it."""
    first, *_ = allowed = sources(COMMITMENT, event)
    found = connection.execute(
        commitment.update()
        .where(commitment.c.id == commitment_id, commitment.c.state.in_(allowed))
        .values(state=advance(COMMITMENT, first, event), **fault_values(fault), **values)
    )
    return bool(found.rowcount)


def note_fault(connection: Connection, commitment_id: str, fault: Fault) -> None:
    """Note why the last try came to nothing."""
    connection.execute(commitment.update().where(commitment.c.id == commitment_id, _OWED).values(**fault_values(fault)))


def listing(connection: Connection, states: Sequence[str] = (), limit: int = 0) -> list[Row[Any]]:
    """Return reports, newest first, in these states."""
    query = sa.select(*(column for column in commitment.c if column.name != "body"))
    if states:
        query = query.where(commitment.c.state.in_(list(states)))
    return list(connection.execute(query.order_by(commitment.c.id.desc()).limit(limit or None)))


def given_up(connection: Connection, limit: int = 0) -> list[Row[Any]]:
    """Return what devices did not take as long as it was tried, newest first."""
    query = sa.select(commitment).where(sa.text("commitment.state = 'error'"))
    return list(connection.execute(query.order_by(commitment.c.id.desc()).limit(limit or None)))
