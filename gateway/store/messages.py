"""Rows of `message` and `coverage`: what arrived, and what became of every field of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from gateway.faults import ControlIdReused, ItemDeadly, NothingThere
from gateway.states import MESSAGE, advance, sources
from gateway.store.leases import RELEASED, Taking, count_death, there_is
from gateway.store.raw import Raw, padded
from gateway.store.schema import coverage, message, message_answer, message_body
from mappings.formats.faults import Fault

_RECEIVED = sa.text("message.state = 'received'")
"""Written out, not bound: only then does the index of what waits serve."""
_FIRST = sa.text("message.state = 'received' AND message.priority = 0")


_AT_ONCE = 10_000
"""Keys in one statement; SQLite takes 32,766 parameters, PostgreSQL 65,535."""


@dataclass(frozen=True)
class NewMessage:
    """A message about to be made durable. `state` is `received`, or `error` when intake itself found a fault."""

    id: str
    channel: str
    received_at: int
    peer: str
    sender: str
    control_id: str
    type: str
    version: str
    size: int
    sha256: str
    body: bytes
    dedupe_key: bytes | None
    order_key: bytes
    state: str
    answer: str
    fault: Fault | None = None
    priority: int = 0
    """0 comes first; 1 is mapped when nothing of 0 is due."""


@dataclass(frozen=True)
class Earlier:
    """The message that already holds a dedupe key."""

    id: str
    sha256: str
    answer: str


def insert_all(connection: Connection, batch: list[NewMessage]) -> list[Earlier | None]:
    """Store messages; one whose dedupe key is taken gives the message that holds it, and is stored beside it.

    The same bytes again become a `duplicate`; other bytes under a used control id go to the error queue (promise P3).
    """
    bodies = [{"message_id": new.id, "body": new.body} for new in batch]
    if _INSERT.attempt(connection, [_values(new) for new in batch]):
        _INSERT_BODY.run(connection, bodies)
        return [None] * len(batch)
    keys = [new.dedupe_key for new in batch if new.dedupe_key is not None]
    taken: dict[bytes, Earlier] = {}
    if keys:
        known = sa.select(message.c.dedupe_key, message.c.id, message.c.sha256, message.c.answer)
        for start in range(0, len(keys), _AT_ONCE):
            some = keys[start : start + _AT_ONCE]
            for row in connection.execute(known.where(message.c.dedupe_key.in_(padded(some)))):
                taken[bytes(row.dedupe_key)] = Earlier(row.id, row.sha256, row.answer)
    values: list[dict[str, Any]] = []
    outcomes: list[Earlier | None] = []
    for new in batch:
        earlier = taken.get(new.dedupe_key) if new.dedupe_key is not None else None
        if earlier is None and new.dedupe_key is not None:
            taken[new.dedupe_key] = Earlier(new.id, new.sha256, new.answer)
        values.append(_values(new) if earlier is None else _repeat_values(new, earlier))
        outcomes.append(earlier)
    _INSERT.run(connection, values)
    _INSERT_BODY.run(connection, bodies)
    return outcomes


_INSERTED = (
    *("id", "channel", "received_at", "peer", "sender", "control_id", "type", "version", "size", "sha256"),
    *("dedupe_key", "repeats_id", "order_key", "state", "answer", "due_at"),
    "priority",
    *("fault_code", "fault_where", "fault_detail"),
)
_INSERT = Raw(message.insert(), _INSERTED)
_INSERT_BODY = Raw(message_body.insert(), ("message_id", "body"))
_ANSWERED = Raw(
    message.update().where(message.c.id == sa.bindparam("row_id")).values(answered_at=sa.bindparam("at")),
)


def _repeat_values(new: NewMessage, earlier: Earlier) -> dict[str, Any]:
    beside = {"dedupe_key": None, "repeats_id": earlier.id}
    if earlier.sha256 == new.sha256:
        return _values(new) | beside | {"state": "duplicate", "answer": earlier.answer}
    reused = fault_values(ControlIdReused("MSH-10", earlier.id))
    return _values(new) | beside | {"state": "error", "answer": "AE"} | reused


def _values(new: NewMessage) -> dict[str, Any]:
    return {
        "id": new.id,
        "channel": new.channel,
        "received_at": new.received_at,
        "peer": new.peer,
        "sender": new.sender,
        "control_id": new.control_id,
        "type": new.type,
        "version": new.version,
        "size": new.size,
        "sha256": new.sha256,
        "dedupe_key": new.dedupe_key,
        "repeats_id": None,
        "order_key": new.order_key,
        "state": new.state,
        "answer": new.answer,
        "due_at": new.received_at,
        "priority": new.priority,
        **fault_values(new.fault),
    }


def fault_values(fault: Fault | None) -> dict[str, Any]:
    if fault is None:
        return {"fault_code": 0, "fault_where": "", "fault_detail": ""}
    return {"fault_code": fault.code, "fault_where": fault.where, "fault_detail": fault.detail}


def answered_all(connection: Connection, ids_and_instants: list[tuple[str, int]]) -> None:
    """Note when answers were handed to the network."""
    _ANSWERED.run(connection, [{"row_id": row_id, "at": at} for row_id, at in ids_and_instants])


def take_received(
    connection: Connection,
    *,
    owner: str,
    now: int,
    until: int,
    limit: int,
    low: int | None = None,
    beside: int | None = None,
    busy: bool = False,
) -> list[Row[Any]]:
    """Lease the next messages to map; of each order key only the oldest, `limit` at most of what comes first.

    Of what may wait `low` are taken at most (None: what is left of `limit`), and no more than `beside` where something comes
    first, here or already (`busy`).
    """
    first, any_ = _ways()
    rows = first(connection, owner=owner, now=now, until=until, limit=limit) if limit else []
    room = limit - len(rows) if low is None else low
    if beside is not None and (busy or rows):
        room = min(room, beside)
    return rows + any_(connection, owner=owner, now=now, until=until, limit=room) if room else rows


@cache
def _ways() -> tuple[Taking, ...]:
    # the id is always so: then the index in this order serves, and nothing is sorted
    return tuple(Taking(message, sa.and_(state, message.c.id > ""), _blocked()) for state in (_FIRST, _RECEIVED))


def _blocked() -> sa.ColumnElement[bool]:
    earlier = message.alias("earlier")
    return there_is(
        earlier.c.order_key == message.c.order_key,
        sa.text("earlier.state = 'received'"),
        earlier.c.id < message.c.id,
    )


def move(connection: Connection, message_id: str, event: str, fault: Fault | None = None, **values: Any) -> bool:
    """Apply `event` to a message; False when it was not in a state that allows it (somebody was faster)."""
    told = {} if event == "close" else fault_values(fault)
    if event in ("map", "keep", "reprocess"):
        told["deaths"] = 0
    said = {**RELEASED, **told, **values}
    statement, target = _move(event, tuple(said))
    return bool(statement.changed(connection, {"of": message_id, "state": target, **said}))


@cache
def _move(event: str, names: tuple[str, ...]) -> tuple[Raw, str]:
    """Give the statement that applies an event and sets these columns, and the state after it."""
    allowed = sources(MESSAGE, event)
    (target,) = {advance(MESSAGE, state, event) for state in allowed}
    one_of = sa.text(f"state IN ({', '.join(repr(state) for state in allowed)})")
    return Raw(message.update().where(message.c.id == sa.bindparam("of"), one_of), ("state", *names)), target


def postpone(connection: Connection, message_id: str, fault: Fault, due_at: int) -> None:
    """Leave a received message received, to be tried again at `due_at`."""
    connection.execute(
        message.update()
        .where(message.c.id == message_id, message.c.state == "received")
        .values(due_at=due_at, attempts=message.c.attempts + 1, **RELEASED, **fault_values(fault))
    )


def get(connection: Connection, message_id: str) -> Row[Any]:
    row = connection.execute(sa.select(message).where(message.c.id == message_id)).one_or_none()
    if row is None:
        raise NothingThere(where=message_id)
    return row


def body(connection: Connection, message_id: str) -> bytes:
    """Return the sealed bytes of a message."""
    found: bytes | None = connection.scalar(
        sa.select(message_body.c.body).where(message_body.c.message_id == message_id)
    )
    if found is None:
        raise NothingThere(where=message_id)
    return bytes(found)


def bodies(connection: Connection, message_ids: list[str]) -> list[bytes | None]:
    """Return the sealed bytes of messages, in their order; None for one that is not there."""
    found = {row.message_id: bytes(row.body) for row in connection.execute(_BODIES, {"ids": padded(message_ids)})}
    return [found.get(one) for one in message_ids]


_BODIES = sa.select(message_body).where(message_body.c.message_id.in_(sa.bindparam("ids", expanding=True)))


def sender(connection: Connection, message_id: str) -> str:
    """Return who sent a message: `MSH-3|MSH-4`."""
    return str(connection.scalar(sa.select(message.c.sender).where(message.c.id == message_id)))


def holder(connection: Connection, dedupe_key: bytes | None) -> Earlier | None:
    """Return the message that holds a dedupe key; None when it is free."""
    if dedupe_key is None:
        return None
    known = sa.select(message.c.id, message.c.sha256, message.c.answer).where(message.c.dedupe_key == dedupe_key)
    row = connection.execute(known).one_or_none()
    return None if row is None else Earlier(row.id, row.sha256, row.answer)


def family(connection: Connection, message_id: str) -> str:
    """Return the first part of a message's type, such as `ADT`; empty for a message that is not there."""
    kind = connection.scalar(sa.select(message.c.type).where(message.c.id == message_id))
    return str(kind or "").partition("^")[0]


def put_answer(connection: Connection, message_id: str, sealed: bytes) -> None:
    """Keep what a query was answered."""
    connection.execute(message_answer.insert().values(message_id=message_id, body=sealed))


def find_answer(connection: Connection, message_id: str) -> bytes | None:
    """Return the sealed answer of a query; None when there is none."""
    found: bytes | None = connection.scalar(
        sa.select(message_answer.c.body).where(message_answer.c.message_id == message_id)
    )
    return None if found is None else bytes(found)


def answer(connection: Connection, message_id: str) -> bytes:
    """Return the sealed answer of a query."""
    found = find_answer(connection, message_id)
    if found is None:
        raise NothingThere(where=message_id)
    return found


def put_coverage(connection: Connection, accounts: Mapping[str, tuple[tuple[int, int, int], bytes]]) -> set[str]:
    """Replace the accounts of the fields of messages: counts and positions, which are sealed JSON.

    Return the messages that had none: they are mapped the first time.
    """
    ids = list(accounts)
    known = {one for (one,) in connection.execute(_ACCOUNTED, {"ids": padded(ids)})}
    if known:
        _FORGET_COVERAGE.run(connection, [{"of": one} for one in sorted(known)])
    told = [
        {"message_id": one, "mapped": mapped, "ignored": ignored, "unknown": unknown, "positions": positions}
        for one, ((mapped, ignored, unknown), positions) in accounts.items()
    ]
    _INSERT_COVERAGE.run(connection, told)
    return accounts.keys() - known


_ACCOUNTED = sa.select(coverage.c.message_id).where(coverage.c.message_id.in_(sa.bindparam("ids", expanding=True)))
_FORGET_COVERAGE = Raw(coverage.delete().where(coverage.c.message_id == sa.bindparam("of")))
_INSERT_COVERAGE = Raw(coverage.insert(), ("message_id", "mapped", "ignored", "unknown", "positions"))


def coverage_counts(connection: Connection, message_id: str) -> tuple[int, int, int] | None:
    """Return how many fields were mapped, ignored and unknown; None when the message was never mapped."""
    columns = (coverage.c.mapped, coverage.c.ignored, coverage.c.unknown)
    found = connection.execute(sa.select(*columns).where(coverage.c.message_id == message_id)).one_or_none()
    return None if found is None else (found.mapped, found.ignored, found.unknown)


def listing(
    connection: Connection,
    *,
    states: tuple[str, ...] = (),
    order_keys: tuple[bytes, ...] = (),
    after: str = "",
    limit: int = 0,
) -> list[Row[Any]]:
    """Return messages, newest first, without bodies, with the counts of their coverage."""
    columns = [c for c in message.c if c.name not in ("dedupe_key", "order_key")]
    query = (
        sa.select(*columns, coverage.c.mapped, coverage.c.ignored, coverage.c.unknown, coverage.c.positions)
        .join_from(message, coverage, isouter=True)
        .order_by(message.c.id.desc())
        .limit(limit or None)
    )
    if states == ("error",):
        query = query.where(sa.text("message.state IN ('error', 'held')"))  # lets the index of the error queue serve
    if states:
        query = query.where(message.c.state.in_(states))
    if order_keys:
        query = query.where(message.c.order_key.in_(order_keys))
    if after:
        query = query.where(message.c.id < after)
    return list(connection.execute(query))


def counts(connection: Connection) -> list[Row[Any]]:
    """Count messages by type and state, with the sums of their coverage."""
    return list(
        connection.execute(
            sa.select(
                message.c.type,
                message.c.state,
                sa.func.count().label("messages"),
                sa.func.coalesce(sa.func.sum(coverage.c.mapped), 0).label("mapped"),
                sa.func.coalesce(sa.func.sum(coverage.c.ignored), 0).label("ignored"),
                sa.func.coalesce(sa.func.sum(coverage.c.unknown), 0).label("unknown"),
            )
            .join_from(message, coverage, isouter=True)
            .group_by(message.c.type, message.c.state)
            .order_by(message.c.type, message.c.state)
        )
    )


def release_leases(connection: Connection, node: str) -> None:
    """Give back what a node held that ends."""
    connection.execute(message.update().where(_RECEIVED, message.c.lease_owner == node).values(**RELEASED))


def died(connection: Connection, node: str, message_id: str = "") -> list[str]:
    """Take back from a node that died what it held, or one message from a process of it that died mapping it.

    Returns those that go to the error queue for it.
    """
    held = sa.and_(_RECEIVED, message.c.lease_owner == node)
    if message_id:
        held = sa.and_(held, message.c.id == message_id)
    guilty = {"state": advance(MESSAGE, "received", "fail"), **fault_values(ItemDeadly())}
    return count_death(connection, message, held, guilty)
