"""Rows of `job` and `job_item`: runs over selections, and what became of each thing selected."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from gateway.faults import NothingThere
from gateway.states import JOB, JOB_ITEM, advance, sources
from gateway.store.ids import uuid7
from gateway.store.job_schema import job, job_item
from gateway.store.leases import RELEASED
from mappings.formats.faults import Fault

_BATCH = 1000


def insert(connection: Connection, items: Iterable[tuple[str, str]], **values: Any) -> str:
    """Store a run over items, each a target and the state it was counted in, in this order; return its id."""
    job_id = uuid7()
    found = [
        {"job_id": job_id, "position": position, "target": target, "was": was, "state": "waiting"}
        for position, (target, was) in enumerate(items)
    ]
    connection.execute(job.insert().values(id=job_id, total=len(found), state="running", **values))
    for start in range(0, len(found), _BATCH):
        connection.execute(job_item.insert(), found[start : start + _BATCH])
    return job_id


def get(connection: Connection, job_id: str) -> Row[Any]:
    row = connection.execute(sa.select(job).where(job.c.id == job_id)).one_or_none()
    if row is None:
        raise NothingThere(where=job_id)
    return row


def lock(connection: Connection, job_id: str) -> Row[Any]:
    """Give a run and let nobody else change it before the transaction ends."""
    connection.execute(sa.select(job.c.id).where(job.c.id == job_id).with_for_update()).one_or_none()
    return get(connection, job_id)


def listing(connection: Connection, limit: int = 0) -> list[Row[Any]]:
    """Return runs, newest first."""
    return list(connection.execute(sa.select(job).order_by(job.c.id.desc()).limit(limit or None)))


def counts(connection: Connection, job_id: str) -> dict[str, int]:
    """Count the items of a run by what became of them."""
    query = sa.select(job_item.c.state, sa.func.count()).where(job_item.c.job_id == job_id).group_by(job_item.c.state)
    return {row[0]: row[1] for row in connection.execute(query)}


def left(connection: Connection, job_id: str) -> list[Row[Any]]:
    """Return the items that could not be done, in their order."""
    query = sa.select(job_item).where(job_item.c.job_id == job_id, job_item.c.state == "left")
    return list(connection.execute(query.order_by(job_item.c.position)))


def next_item(connection: Connection, job_id: str) -> Row[Any] | None:
    query = sa.select(job_item).where(job_item.c.job_id == job_id, sa.text("job_item.state = 'waiting'"))
    return connection.execute(query.order_by(job_item.c.position).limit(1)).one_or_none()


def settle(connection: Connection, item: Row[Any], fault: Fault | None) -> None:
    """Note that an item was done, or why not."""
    event = "do" if fault is None else "leave"
    told = {} if fault is None else {"fault_code": fault.code, "fault_detail": fault.detail}
    connection.execute(
        job_item.update()
        .where(job_item.c.job_id == item.job_id, job_item.c.position == item.position)
        .values(state=advance(JOB_ITEM, item.state, event), **told)
    )


def move(connection: Connection, job_id: str, event: str, **values: Any) -> bool:
    """Apply `event` to a run; False when its state does not allow it."""
    (target,) = {advance(JOB, state, event) for state in sources(JOB, event)}
    statement = job.update().where(job.c.id == job_id, job.c.state.in_(sources(JOB, event)))
    return bool(connection.execute(statement.values(**{"state": target, **RELEASED, **values})).rowcount)


def move_lease(connection: Connection, job_id: str, owner: str, until: int) -> None:
    """Note who works on a run, and until when that is believed."""
    connection.execute(job.update().where(job.c.id == job_id).values(lease_owner=owner, lease_until=until))
