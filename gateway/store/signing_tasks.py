"""Rows of `signing_task`: who still has to sign what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from gateway.faults import NothingThere
from gateway.states import SIGNING_TASK, advance, sources
from gateway.store import deadlines
from gateway.store.ids import uuid7
from gateway.store.schema import document, signing_task

_OPEN = sa.text("signing_task.state IN ('waiting', 'ready', 'claimed')")
"""Written out, not bound: only then do the indexes of what is open serve."""
_OPEN_WITH_PAPER = (
    sa.select(signing_task, document.c.paper, document.c.version, document.c.event_at)
    .join_from(signing_task, document)
    .where(_OPEN)
)
_FREE: Mapping[str, Any] = {"lease_owner": "", "lease_until": 0}


def insert_all(connection: Connection, tasks: Sequence[Mapping[str, Any]]) -> None:
    """Store the tasks of a document, in the order of their steps."""
    connection.execute(signing_task.insert(), [{"id": uuid7(), **task} for task in tasks])


def get(connection: Connection, task_id: str) -> Row[Any]:
    row = connection.execute(sa.select(signing_task).where(signing_task.c.id == task_id)).one_or_none()
    if row is None:
        raise NothingThere(where=task_id)
    return row


def of_document(connection: Connection, document_id: str) -> list[Row[Any]]:
    """Return the tasks of a document by step."""
    query = sa.select(signing_task).where(signing_task.c.document_id == document_id)
    return list(connection.execute(query.order_by(signing_task.c.number, signing_task.c.id)))


def open_tasks(
    connection: Connection,
    *,
    roles: Sequence[str] = (),
    states: Sequence[str] = (),
    papers: Sequence[str] = (),
    near_at: int = 0,
    after: str = "",
    limit: int = 0,
) -> list[Row[Any]]:
    """Return what is open, oldest first, with its document's paper and version; every condition given counts.

    `near_at`: only those whose deadline is near or past at that instant.
    """
    query = _OPEN_WITH_PAPER.order_by(signing_task.c.id).limit(limit or None)
    for column, wanted in (
        (signing_task.c.role, roles),
        (signing_task.c.state, states),
        (document.c.paper, papers),
    ):
        if wanted:
            query = query.where(column.in_(list(wanted)))
    if near_at:
        query = query.where(sa.or_(signing_task.c.warned_at.is_not(None), signing_task.c.notice_at <= near_at))
    if after:
        query = query.where(signing_task.c.id > after)
    return list(connection.execute(query))


def open_one(connection: Connection, task_id: str) -> Row[Any] | None:
    """Return an open task as `open_tasks` does; None when it is not open."""
    return connection.execute(_OPEN_WITH_PAPER.where(signing_task.c.id == task_id)).one_or_none()


def move(connection: Connection, task_id: str, event: str, *, owner: str = "", **values: Any) -> bool:
    """Apply `event`; False when the state does not allow it or, with `owner`, when somebody else holds the task by now."""
    (target,) = {advance(SIGNING_TASK, state, event) for state in sources(SIGNING_TASK, event)}
    lease = {} if event == "claim" else _FREE
    condition = [signing_task.c.id == task_id, signing_task.c.state.in_(sources(SIGNING_TASK, event))]
    if owner:
        condition.append(signing_task.c.lease_owner == owner)
    statement = signing_task.update().where(*condition).values(state=target, **{**lease, **values})
    return bool(connection.execute(statement).rowcount)


def claim(connection: Connection, task_id: str, owner: str, until: int, signer: str) -> bool:
    """Take a task that is ready, in one sitting of somebody; whoever holds the lease signs."""
    return move(connection, task_id, "claim", lease_owner=owner, lease_until=until, signer=signer)


def renew(connection: Connection, owner: str, until: int) -> list[str]:
    """Keep what a sitting holds until a later instant; return those tasks."""
    held = sa.and_(_OPEN, signing_task.c.state == "claimed", signing_task.c.lease_owner == owner)
    connection.execute(signing_task.update().where(held).values(lease_until=until))
    return list(connection.scalars(sa.select(signing_task.c.id).where(held)))


def expire(connection: Connection, now: int) -> int:
    """Give back what was claimed by somebody who went away."""
    statement = (
        signing_task.update()
        .where(_OPEN, signing_task.c.state == "claimed", signing_task.c.lease_until <= now)
        .values(state=advance(SIGNING_TASK, "claimed", "release"), **_FREE)
    )
    return int(connection.execute(statement).rowcount)


def void_all(connection: Connection, document_id: str, reason: str) -> None:
    """Take away every task of a document that may still be taken away, signed ones too."""
    statement = (
        signing_task.update()
        .where(signing_task.c.document_id == document_id, signing_task.c.state.in_(sources(SIGNING_TASK, "void")))
        .values(state="void", reason=reason, **_FREE)
    )
    connection.execute(statement)


def release_of(connection: Connection, holder: str) -> int:
    """Take from somebody what is claimed; return how many open tasks were that, or name this holder."""
    mine = sa.and_(_OPEN, sa.or_(signing_task.c.holder == holder, _claimed_by(holder)))
    stopped = int(connection.scalar(sa.select(sa.func.count()).select_from(signing_task).where(mine)) or 0)
    connection.execute(
        signing_task.update()
        .where(_OPEN, _claimed_by(holder))
        .values(state=advance(SIGNING_TASK, "claimed", "release"), **_FREE)
    )
    return stopped


def _claimed_by(signer: str) -> sa.ColumnElement[bool]:
    return sa.and_(signing_task.c.state == "claimed", signing_task.c.signer == signer)


def to_tell(connection: Connection, now: int) -> list[Row[Any]]:
    """Return the open tasks about whose deadline something is to be said."""
    query = _OPEN_WITH_PAPER.where(signing_task.c.notice_at <= now).order_by(signing_task.c.notice_at)
    return list(connection.execute(query))


def told(connection: Connection, row: Row[Any], **values: Any) -> bool:
    """Note what was said about a task; False when somebody else said it meanwhile."""
    return deadlines.told(connection, signing_task, row, **values)
