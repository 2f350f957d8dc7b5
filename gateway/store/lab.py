"""Rows of `lab_order`, `lab_number`, `lab_assignment` and `critical_value`."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection, Row

from gateway.faults import NothingThere, NotPossibleNow
from gateway.states import CRITICAL_VALUE, advance
from gateway.store.lab_schema import critical_value, lab_assignment, lab_number, lab_order
from gateway.store.raw import Raw, padded

_ACTIVE = sa.text("lab_order.status = 'active'")
_OPEN = sa.text("critical_value.state = 'open'")


def _insert(connection: Connection, table: sa.Table) -> Any:
    return (sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert)(table)


# ---- orders ----


def put_order(connection: Connection, order_id: str, patient_id: str, status: str, at: int) -> None:
    """Store an order in place of what it was."""
    statement = _insert(connection, lab_order).values(
        order_id=order_id, patient_id=patient_id, status=status, told_at=at
    )
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["order_id"], set_={"patient_id": patient_id, "status": status, "told_at": at}
        )
    )


def put_numbers(connection: Connection, order_id: str, numbers: Iterable[tuple[bytes, str]]) -> None:
    """Store keys of an order with their kinds; one that is there already stays."""
    rows = [{"key": key, "order_id": order_id, "kind": kind} for key, kind in sorted(set(numbers))]
    if rows:
        connection.execute(_insert(connection, lab_number).on_conflict_do_nothing(), rows)


def orders_with(connection: Connection, keys: Collection[bytes], since: int) -> list[Row[Any]]:
    """Return the orders told since then that have one of the numbers, with key and kind, the newest first."""
    query = (
        sa.select(lab_order, lab_number.c.key, lab_number.c.kind)
        .join_from(lab_number, lab_order, lab_number.c.order_id == lab_order.c.order_id)
        .where(lab_number.c.key.in_(padded(keys)), lab_order.c.told_at >= since)
        .order_by(lab_order.c.told_at.desc(), lab_order.c.order_id)
    )
    return list(connection.execute(query))


def orders_of(connection: Connection, patient_ids: Collection[str], since: int) -> list[Row[Any]]:
    """Return the orders of persons that wait."""
    query = sa.select(lab_order).where(
        lab_order.c.patient_id.in_(list(patient_ids)), _ACTIVE, lab_order.c.told_at >= since
    )
    return list(connection.execute(query.order_by(lab_order.c.told_at, lab_order.c.order_id)))


def waiting(connection: Connection, since: int, limit: int) -> list[Row[Any]]:
    """Return all orders that wait, the oldest first."""
    query = sa.select(lab_order).where(_ACTIVE, lab_order.c.told_at >= since)
    return list(connection.execute(query.order_by(lab_order.c.told_at, lab_order.c.order_id).limit(limit)))


# ---- whose a message is ----


def assign(connection: Connection, message_id: str, body: bytes, at: int) -> None:
    """Say whose a message is; the last word counts."""
    statement = _insert(connection, lab_assignment).values(message_id=message_id, body=body, at=at)
    connection.execute(statement.on_conflict_do_update(index_elements=["message_id"], set_={"body": body, "at": at}))


def assigned(connection: Connection, message_id: str) -> bytes | None:
    """Return the sealed number of the person that a message was given to."""
    found = _ASSIGNED.one(connection, {"of": message_id})
    return None if found is None else bytes(found[0])


_ASSIGNED = Raw(sa.select(lab_assignment.c.body).where(lab_assignment.c.message_id == sa.bindparam("of")))


# ---- critical values ----


def raise_value(connection: Connection, **values: Any) -> bool:
    """Store a critical value; False when it is known."""
    statement = _insert(connection, critical_value).values(state="open", **values)
    done = connection.execute(statement.on_conflict_do_nothing(index_elements=["key"]))
    return bool(done.rowcount)


def values(connection: Connection, *, every: bool, limit: int) -> list[Row[Any]]:
    """Return critical values that nobody has acknowledged, or all, the newest first; `limit` 0 = all."""
    query = sa.select(critical_value).order_by(critical_value.c.raised_at.desc(), critical_value.c.id.desc())
    return list(connection.execute((query if every else query.where(_OPEN)).limit(limit or None)))


def get_value(connection: Connection, value_id: str) -> Row[Any]:
    """Return one; raise NothingThere."""
    row = connection.execute(sa.select(critical_value).where(critical_value.c.id == value_id)).first()
    if row is None:
        raise NothingThere(value_id)
    return row


def acknowledge(connection: Connection, value_id: str, *, at: int, actor: str, body: bytes) -> None:
    """Note who acknowledged a critical value and when; raise NothingThere, or NotPossibleNow when somebody did before."""
    row = get_value(connection, value_id)
    state = advance(CRITICAL_VALUE, row.state, "acknowledge")
    changed = connection.execute(
        critical_value.update()
        .where(critical_value.c.id == value_id, critical_value.c.state == row.state)
        .values(state=state, acknowledged_at=at, actor=actor[:255], body=body)
    )
    if not changed.rowcount:
        raise NotPossibleNow(detail="acknowledge while somebody else does")


def open_values(connection: Connection) -> tuple[int, int]:
    """Count the critical values that nobody has acknowledged, and give when the oldest was raised; 0 = none."""
    query = sa.select(sa.func.count(), sa.func.min(critical_value.c.raised_at)).where(_OPEN)
    count, oldest = connection.execute(query).one()
    return int(count), int(oldest or 0)
