"""Rows of `lab_call`: orders that instruments are told unasked."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from gateway.faults import ItemDeadly, NothingThere
from gateway.states import LAB_CALL, advance, sources
from gateway.store.lab_schema import lab_call
from gateway.store.leases import DEADLY
from gateway.store.messages import fault_values
from mappings.formats.faults import Fault

_OWED = sa.text("lab_call.state = 'owed'")


def insert(connection: Connection, **values: Any) -> None:
    """Enter an order of which an instrument knows nothing yet."""
    connection.execute(lab_call.insert().values(state="owed", specimen_key=b"", body=b"", **values))


def get(connection: Connection, call_id: str) -> Row[Any]:
    """Return one; raise NothingThere."""
    row = connection.execute(sa.select(lab_call).where(lab_call.c.id == call_id)).one_or_none()
    if row is None:
        raise NothingThere(where=call_id)
    return row


def of_orders(connection: Connection, order_ids: Collection[str]) -> dict[tuple[str, str], Row[Any]]:
    """Return what there is of orders, by channel and order."""
    found = connection.execute(sa.select(lab_call).where(lab_call.c.order_id.in_(list(order_ids))))
    return {(row.channel, row.order_id): row for row in found}


def due(connection: Connection, channel: str, now: int, limit: int) -> list[Row[Any]]:
    """Return what an instrument is to be told by now and nobody is at, what changed first before the rest."""
    query = sa.select(lab_call).where(_OWED, lab_call.c.channel == channel, lab_call.c.due_at <= now)
    return list(connection.execute(query.order_by(lab_call.c.changed_at, lab_call.c.id).limit(limit)))


def claim(connection: Connection, row: Row[Any], owner: str, until: int) -> bool:
    """Begin a try, which others leave alone until then; False when another node was first."""
    found = connection.execute(
        lab_call.update()
        .where(lab_call.c.id == row.id, _OWED, lab_call.c.attempts == row.attempts, lab_call.c.due_at == row.due_at)
        .values(owner=owner, due_at=until)
    )
    return bool(found.rowcount)


def release_leases(connection: Connection, node: str) -> None:
    """Let others go on with what a node was at that ends."""
    connection.execute(lab_call.update().where(_OWED, lab_call.c.owner == node).values(owner="", due_at=0))


def died(connection: Connection, node: str) -> list[str]:
    """Count a death against what a node was at, and let others go on; return what goes to the error queue for it."""
    held = lab_call.update().where(_OWED, lab_call.c.owner == node).returning(lab_call.c.id, lab_call.c.deaths)
    found = connection.execute(held.values(owner="", due_at=0, deaths=lab_call.c.deaths + 1)).all()
    guilty = [row.id for row in found if row.deaths >= DEADLY]
    if guilty:
        ended = {"state": advance(LAB_CALL, "owed", "fail"), **fault_values(ItemDeadly())}
        connection.execute(lab_call.update().where(lab_call.c.id.in_(guilty)).values(**ended))
    return guilty


def knows(connection: Connection, channel: str, specimen_key: bytes) -> bool:
    """Tell whether an instrument was told anything of a specimen."""
    query = sa.select(lab_call.c.id).where(lab_call.c.channel == channel, lab_call.c.specimen_key == specimen_key)
    return connection.execute(query.limit(1)).first() is not None


def note(connection: Connection, call_id: str, **values: Any) -> None:
    """Set values, whatever the state."""
    connection.execute(lab_call.update().where(lab_call.c.id == call_id).values(**values))


def move(connection: Connection, call_id: str, event: str, fault: Fault | None = None, **values: Any) -> bool:
    """Apply `event`; False when the state does not allow it, or a `changed_at` that is given is no longer the newest."""
    allowed = sources(LAB_CALL, event)
    where = [lab_call.c.id == call_id]
    if event in ("tell", "fail"):
        where.append(lab_call.c.changed_at == values.pop("changed_at"))
    for state in allowed:
        found = connection.execute(
            lab_call.update()
            .where(*where, lab_call.c.state == state)
            .values(state=advance(LAB_CALL, state, event), **fault_values(fault), **values)
        )
        if found.rowcount:
            return True
    return False


def listing(connection: Connection, channel: str = "", states: Sequence[str] = (), limit: int = 0) -> list[Row[Any]]:
    """Return what instruments are and were told, newest change first."""
    query = sa.select(lab_call)
    if channel:
        query = query.where(lab_call.c.channel == channel)
    if states:
        query = query.where(lab_call.c.state.in_(list(states)))
    return list(connection.execute(query.order_by(lab_call.c.changed_at.desc(), lab_call.c.id).limit(limit or None)))


def refused(connection: Connection, limit: int = 0) -> list[Row[Any]]:
    """Return what instruments did not take, newest first."""
    query = sa.select(lab_call).where(sa.text("lab_call.state = 'error'"))
    return list(connection.execute(query.order_by(lab_call.c.id.desc()).limit(limit or None)))


def waiting(connection: Connection) -> list[tuple[str, int, int]]:
    """Count, by channel, what is to be told, and give since when."""
    query = sa.select(lab_call.c.channel, sa.func.count(), sa.func.min(lab_call.c.changed_at)).where(_OWED)
    return [tuple(row) for row in connection.execute(query.group_by(lab_call.c.channel))]
