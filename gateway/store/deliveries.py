"""Rows of `delivery` and `attempt`: one document on its way to one destination, and every try."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from gateway.faults import ItemDeadly, NothingThere
from gateway.states import DELIVERY, ENDED_DELIVERY, OPEN_DELIVERY, advance, sources
from gateway.store.ids import uuid7
from gateway.store.leases import DEADLY, RELEASED, Taking, extend, there_is
from gateway.store.messages import fault_values
from gateway.store.raw import padded
from gateway.store.schema import attempt, delivery, document
from mappings.formats.faults import Fault

DEADLINE = sa.case((delivery.c.deadline_at > 0, delivery.c.deadline_at), else_=document.c.deadline_at).label(
    "deadline_at"
)
"""Until when a delivery has to arrive; for a query that joins its document."""


def insert(
    connection: Connection,
    document_id: str,
    destination: str,
    order_key: bytes,
    basis: str,
    now: int,
    state: str,
    *,
    deadline_at: int = 0,
    notice_at: int | None = None,
) -> str:
    """Store a delivery that waits for its document's signature; its id is its key at the destination for ever.

    It is looked at once `notice_at` has come (`gateway/delivery/deadlines.py`).
    """
    delivery_id = uuid7()
    connection.execute(
        delivery.insert().values(
            id=delivery_id,
            document_id=document_id,
            destination=destination,
            order_key=order_key,
            basis=basis,
            created_at=now,
            state=state,
            due_at=now,
            deadline_at=deadline_at,
            notice_at=notice_at,
        )
    )
    return delivery_id


def move_all(connection: Connection, document_id: str, event: str, now: int, fault: Fault | None = None) -> None:
    """Apply `event` to those deliveries of a document whose state allows it."""
    (target,) = {advance(DELIVERY, state, event) for state in sources(DELIVERY, event)}
    told = fault_values(fault) | ({"deaths": 0} if event == "renew" else {})
    connection.execute(
        delivery.update()
        .where(delivery.c.document_id == document_id, delivery.c.state.in_(sources(DELIVERY, event)))
        .values(state=target, due_at=now, **told, **ended(target, now))
    )


def ended(target: str, now: int | sa.ColumnElement[int]) -> dict[str, Any]:
    """Say nothing more about the deadline of what has ended; but that it came late is still to be said."""
    if target not in ENDED_DELIVERY:
        return {}
    if target != "accepted":
        return {"notice_at": None}
    to_say = sa.and_(delivery.c.deadline_at < now, delivery.c.breached_at.is_(None))
    return {"notice_at": sa.case((to_say, delivery.c.notice_at), else_=sa.null())}


@cache
def _blocked() -> sa.ColumnElement[bool]:
    earlier = delivery.alias("earlier")
    quoted = ", ".join(f"'{state}'" for state in OPEN_DELIVERY)
    return there_is(
        earlier.c.destination == delivery.c.destination,
        earlier.c.order_key == delivery.c.order_key,
        sa.text(f"earlier.state IN ({quoted})"),
        earlier.c.id < delivery.c.id,
    )


def _ready(destination: str, ids: Sequence[str] | None, *states: str) -> sa.ColumnElement[bool]:
    """Name what may be ready in the words of the index that has it in the order in which it became due.

    With `ids`, in words that no index of what waits fits: these few are looked up one by one, however many wait.
    """
    if ids is not None:
        hidden = (sa.text(f"delivery.state || '' {state}") for state in states)
        return sa.and_(delivery.c.id.in_(padded(ids)), delivery.c.destination == destination, *hidden)
    return sa.and_(delivery.c.destination == destination, *(sa.text(f"delivery.state {state}") for state in states))


def take_queued(
    connection: Connection,
    destination: str,
    *,
    owner: str,
    now: int,
    until: int,
    limit: int,
    ids: Sequence[str] | None = None,
) -> list[Row[Any]]:
    """Lease the deliveries of a destination that have been due longest, of each order key only the oldest open one; they
    become `claimed`.

    With `ids`, only of these.
    """
    ready = _ready(destination, ids, "= 'queued'", "IN ('queued', 'uncertain')")
    way = Taking(delivery, ready, _blocked(), values={"state": "claimed"}, order=delivery.c.due_at)
    return way(connection, owner=owner, now=now, until=until, limit=limit)


def take_uncertain(
    connection: Connection,
    destination: str,
    *,
    owner: str,
    now: int,
    until: int,
    limit: int,
    ids: Sequence[str] | None = None,
) -> list[Row[Any]]:
    """Lease deliveries about which the destination is to be asked; they stay `uncertain`. With `ids`, only of these."""
    ready = _ready(destination, ids, "= 'uncertain'")
    way = Taking(delivery, ready, order=delivery.c.due_at)
    return way(connection, owner=owner, now=now, until=until, limit=limit)


def heads(connection: Connection, destination: str, *, now: int, limit: int) -> list[Row[Any]]:
    """Return what may be taken now, without taking it: id and due_at, longest due first."""
    query = (
        sa.select(delivery.c.id, delivery.c.due_at)
        .where(
            delivery.c.destination == destination,
            sa.text("delivery.state IN ('queued', 'uncertain')"),
            delivery.c.due_at <= now,
            delivery.c.lease_until <= now,
            ~_blocked(),
        )
        .order_by(delivery.c.due_at)
        .limit(limit)
    )
    return list(connection.execute(query))


def next_of_keys(connection: Connection, done: list[tuple[str, int]]) -> list[str]:
    """Return, for each (delivery that is done, now), the delivery of its key that may be taken after it; empty when there is
    none. Made for `Store.read_each`."""
    gone = [id_ for id_, _ in done]
    after = {row.id: row.following for row in connection.execute(_followed(), {"ids": padded(gone)})}
    following = [id_ for id_ in after.values() if id_]
    rows = {row.id: row for row in connection.execute(_WAITING, {"ids": padded(following)})} if following else {}
    found: list[str] = []
    for id_, now in done:
        row = rows.get(after.get(id_))
        found.append(row.id if row is not None and row.state == "queued" and row.due_at <= now else "")
    return found


@cache
def _followed() -> sa.Select[Any]:
    """Name the first open delivery of the same key after each of some deliveries."""
    later = delivery.alias("later")
    quoted = ", ".join(f"'{state}'" for state in OPEN_DELIVERY)
    first = sa.select(sa.func.min(later.c.id)).where(
        later.c.destination == delivery.c.destination,
        later.c.order_key == delivery.c.order_key,
        sa.text(f"later.state IN ({quoted})"),
        later.c.id > delivery.c.id,
    )
    return sa.select(delivery.c.id, first.scalar_subquery().label("following")).where(delivery.c.id.in_(_IDS))


_IDS: sa.BindParameter[str] = sa.bindparam("ids", expanding=True)
_WAITING = sa.select(delivery.c.id, delivery.c.state, delivery.c.due_at).where(delivery.c.id.in_(_IDS))


def destinations_of(connection: Connection, ids: Sequence[str]) -> list[Row[Any]]:
    return list(
        connection.execute(sa.select(delivery.c.id, delivery.c.destination).where(delivery.c.id.in_(padded(ids))))
    )


def running(connection: Connection, destination: str, now: int) -> int:
    """Count what all nodes hold of a destination: claimed, on the wire, or being asked about."""
    held = sa.and_(sa.text("delivery.lease_owner <> ''"), delivery.c.lease_until > now)
    query = sa.select(sa.func.count()).select_from(delivery).where(delivery.c.destination == destination, held)
    return int(connection.scalar(query) or 0)


def next_due(connection: Connection, destination: str) -> int | None:
    """Return when the next delivery of a destination may be tried."""
    due: int | None = connection.scalar(
        sa.select(sa.func.min(delivery.c.due_at)).where(
            delivery.c.destination == destination,
            sa.text("delivery.state IN ('queued', 'uncertain')"),
        )
    )
    return due


def move(
    connection: Connection, delivery_id: str, event: str, owner: str | None, fault: Fault | None = None, **values: Any
) -> bool:
    """Apply `event`; False when the state does not allow it or, with `owner`, when the lease is somebody else's by now.

    The lease is kept by `send` and released by everything else.
    """
    (target,) = {advance(DELIVERY, state, event) for state in sources(DELIVERY, event)}
    if "accepted_at" in values:  # the first time counts: a person may have had it sent again
        values["accepted_at"] = sa.func.coalesce(delivery.c.accepted_at, values["accepted_at"])
    released = {} if event == "send" else RELEASED
    told = {} if event == "close" else fault_values(fault)
    condition = [delivery.c.id == delivery_id, delivery.c.state.in_(sources(DELIVERY, event))]
    if owner is not None:
        condition.append(delivery.c.lease_owner == owner)
    after = ended(target, values.get("accepted_at", 0))
    statement = delivery.update().where(*condition).values(state=target, **released, **told, **values, **after)
    return bool(connection.execute(statement).rowcount)


def give_back(connection: Connection, delivery_id: str, owner: str) -> None:
    """Put back what `owner` claimed and never sent."""
    connection.execute(
        delivery.update()
        .where(delivery.c.id == delivery_id, delivery.c.lease_owner == owner, delivery.c.state == "claimed")
        .values(state=advance(DELIVERY, "claimed", "expire"), **RELEASED)
    )


def postpone(connection: Connection, delivery_id: str, owner: str, fault: Fault, due_at: int) -> None:
    """Leave an uncertain delivery uncertain, to be asked about again at `due_at`."""
    connection.execute(
        delivery.update()
        .where(delivery.c.id == delivery_id, delivery.c.lease_owner == owner)
        .values(due_at=due_at, **RELEASED, **fault_values(fault))
    )


def put_attempt(
    connection: Connection,
    delivery_id: str,
    *,
    ended_at: int,
    event: str,
    fault: Fault | None,
    facts: str,
    sealed: bytes | None,
) -> None:
    """Keep what one try led to, under the next free number."""
    number = connection.scalar(
        sa.select(sa.func.coalesce(sa.func.max(attempt.c.number), 0) + 1).where(attempt.c.delivery_id == delivery_id)
    )
    connection.execute(
        attempt.insert().values(
            delivery_id=delivery_id,
            number=number,
            ended_at=ended_at,
            event=event,
            fault_code=0 if fault is None else fault.code,
            detail="" if fault is None else fault.detail,
            facts=facts,
            body=sealed,
        )
    )


def heartbeat(connection: Connection, ids: list[str], owner: str, until: int) -> None:
    extend(connection, delivery, ids, owner, until)


def expire(connection: Connection, now: int, node: str | None = None, *, spared: str = "") -> int:
    """Take back what has outlived its lease: nothing was sent → queued again; on the wire → uncertain.

    With `node`, whatever that node holds, running lease or not: it ends. What `spared` holds is left to it.
    """
    leased: sa.ColumnElement[bool] = sa.and_(sa.text("delivery.lease_owner <> ''"), delivery.c.lease_owner != spared)
    held = delivery.c.lease_until <= now if node is None else delivery.c.lease_owner == node
    changed = 0
    for state in sources(DELIVERY, "expire"):
        result = connection.execute(
            delivery.update()
            .where(leased, held, delivery.c.state == state)
            .values(state=advance(DELIVERY, state, "expire"), due_at=now, **RELEASED)
        )
        changed += result.rowcount
    if node is not None:
        connection.execute(
            delivery.update().where(leased, held, delivery.c.state == "uncertain").values(due_at=now, **RELEASED)
        )
    return changed


def died(connection: Connection, node: str, now: int) -> list[str]:
    """Take back from a node that died what it held, and count the death; return what goes to the error queue for it.

    What was on the wire is asked about first, however often it killed who sent it; only a death more, while it was being asked
    about, leaves the question to a person.
    """
    held = sa.and_(sa.text("delivery.lease_owner <> ''"), delivery.c.lease_owner == node)
    connection.execute(delivery.update().where(held).values(deaths=delivery.c.deaths + 1))
    allowed = sa.case((delivery.c.state == "uncertain", DEADLY), else_=DEADLY - 1)
    guilty = sa.and_(held, delivery.c.state.in_(sources(DELIVERY, "poison")), delivery.c.deaths > allowed)
    values = {"state": "error", **RELEASED, **fault_values(ItemDeadly()), **ended("error", now)}
    found = [
        row.id for row in connection.execute(delivery.update().where(guilty).values(**values).returning(delivery.c.id))
    ]
    expire(connection, now, node)
    return found


def set_aside(connection: Connection, ids: Sequence[str], owner: str, due_at: int) -> None:
    """Give up deliveries that were taken and not begun, until `due_at`."""
    held = sa.and_(delivery.c.id.in_(padded(ids)), delivery.c.lease_owner == owner)
    for state, after in (("claimed", advance(DELIVERY, "claimed", "expire")), ("uncertain", "uncertain")):
        connection.execute(
            delivery.update().where(held, delivery.c.state == state).values(state=after, due_at=due_at, **RELEASED)
        )


def suspects(connection: Connection, ids: Sequence[str]) -> list[str]:
    """Return which of these outlived a node that held them."""
    return list(
        connection.scalars(sa.select(delivery.c.id).where(delivery.c.id.in_(padded(ids)), delivery.c.deaths > 0))
    )


def get(connection: Connection, delivery_id: str) -> Row[Any]:
    row = connection.execute(sa.select(delivery).where(delivery.c.id == delivery_id)).one_or_none()
    if row is None:
        raise NothingThere(where=delivery_id)
    return row


def attempts(connection: Connection, delivery_id: str) -> list[Row[Any]]:
    return list(
        connection.execute(sa.select(attempt).where(attempt.c.delivery_id == delivery_id).order_by(attempt.c.number))
    )


def listing(
    connection: Connection,
    *,
    states: tuple[str, ...] = (),
    destination: str = "",
    document_id: str = "",
    after: str = "",
    limit: int = 0,
) -> list[Row[Any]]:
    """Return deliveries, newest first, with their document's paper and times."""
    query = (
        sa.select(
            *(c for c in delivery.c if c.name not in ("order_key", "deadline_at")),
            document.c.paper,
            document.c.version,
            document.c.message_id,
            document.c.event_at,
            DEADLINE,
        )
        .join_from(delivery, document)
        .order_by(delivery.c.id.desc())
        .limit(limit or None)
    )
    if states == ("error",):
        query = query.where(sa.text("delivery.state IN ('error', 'held')"))  # lets the index of the error queue serve
    if states:
        query = query.where(delivery.c.state.in_(states))
    if destination:
        query = query.where(delivery.c.destination == destination)
    if document_id:
        query = query.where(delivery.c.document_id == document_id)
    if after:
        query = query.where(delivery.c.id < after)
    return list(connection.execute(query))


def waiting(connection: Connection) -> dict[str, int]:
    """Count, per destination, what is on its way there."""
    quoted = ", ".join(f"'{state}'" for state in OPEN_DELIVERY)
    query = (
        sa.select(delivery.c.destination, sa.func.count())
        .where(sa.text(f"delivery.state IN ({quoted})"))
        .group_by(delivery.c.destination)
    )
    return {row[0]: row[1] for row in connection.execute(query)}


def counts(connection: Connection) -> list[Row[Any]]:
    return list(
        connection.execute(
            sa.select(delivery.c.destination, delivery.c.state, sa.func.count().label("deliveries"))
            .group_by(delivery.c.destination, delivery.c.state)
            .order_by(delivery.c.destination, delivery.c.state)
        )
    )


def attempt_counts(connection: Connection) -> list[Row[Any]]:
    """Count, per destination, tries by the event they led to."""
    return list(
        connection.execute(
            sa.select(delivery.c.destination, attempt.c.event, sa.func.count().label("attempts"))
            .join_from(attempt, delivery)
            .group_by(delivery.c.destination, attempt.c.event)
        )
    )
