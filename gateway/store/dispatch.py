"""Rows of deliveries on the wire, many at a time: what is about to leave, and what destinations said yes to.

Made for `Store.write_each`: many deliveries share the statements as they share the commit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from gateway.states import DELIVERY, advance, sources
from gateway.store import deliveries, destinations
from gateway.store.messages import fault_values
from gateway.store.raw import Spread, padded
from gateway.store.schema import attempt, delivery

(_SENDING,) = {advance(DELIVERY, state, "send") for state in sources(DELIVERY, "send")}
(_ACCEPTED,) = {advance(DELIVERY, state, "accept") for state in sources(DELIVERY, "accept")}

(_CLAIMED,) = sources(DELIVERY, "send")
_SEND = (
    delivery.update()
    # looked up by id alone: everything else that a row has to be could send the database to what waits
    .where(
        delivery.c.id.in_(sa.bindparam("ids", expanding=True)),
        sa.text(f"delivery.state || '' = '{_CLAIMED}'"),
        sa.text("delivery.lease_owner || '' = :owner"),
    )
    .values(state=_SENDING, **fault_values(None))
    .returning(delivery.c.id)
)

_LOCK = (
    sa.select(delivery.c.id, delivery.c.state, delivery.c.lease_owner)
    .where(delivery.c.id.in_(sa.bindparam("ids", expanding=True)))
    .order_by(delivery.c.id)
    .with_for_update()
)


def send_all(connection: Connection, leases: list[tuple[str, str]]) -> list[bool]:
    """Note of (delivery, owner) pairs that their requests are about to leave; False for one whose lease is lost, and where a
    delivery is named twice for all but the first."""
    moved: set[tuple[str, str]] = set()
    for owner in {owner for _, owner in leases}:
        ids = [delivery_id for delivery_id, by in leases if by == owner]
        rows = connection.execute(_SEND, {"ids": padded(ids), "owner": owner})
        moved.update((row.id, owner) for row in rows)
    outcomes = []
    for lease in leases:
        outcomes.append(lease in moved)
        moved.discard(lease)
    return outcomes


def _held(connection: Connection, leases: list[tuple[str, str]], event: str) -> set[tuple[str, str]]:
    """Return those of (delivery, owner) pairs whose lease holds and whose state allows `event`, locked.

    Rows are looked up by id alone: everything else that they have to be could send the database to what waits.
    """
    rows = connection.execute(_LOCK, {"ids": padded(delivery_id for delivery_id, _ in leases)})
    return {(row.id, row.lease_owner) for row in rows if row.state in sources(DELIVERY, event)} & set(leases)


@dataclass(frozen=True)
class Accepted:
    """The yes of a destination, as it is kept."""

    delivery_id: str
    owner: str
    at: int
    reference: str
    facts: str
    sealed: bytes
    """The receipt."""
    back: str = ""
    """The destination, when it failed before this."""


def accept_all(connection: Connection, batch: list[Accepted]) -> list[bool]:
    """Keep what destinations said yes to, and each receipt under its next number; False where the lease was lost: the
    delivery stays what others made of it, and the receipt is kept as evidence all the same."""
    for name in sorted({one.back for one in batch} - {""}):
        destinations.answered(connection, name)
    held = _held(connection, [(one.delivery_id, one.owner) for one in batch], "accept")
    outcomes = [(one.delivery_id, one.owner) in held for one in batch]
    accepted = [
        {"row_id": one.delivery_id, "at": one.at, "referred": one.reference}
        for one, known in zip(batch, outcomes, strict=True)
        if known
    ]
    if accepted:
        _ACCEPT.run(connection, accepted)
    _INSERT_ATTEMPT.run(
        connection,
        [
            {
                "row_id": one.delivery_id,
                "at": one.at,
                "led_to": "accept" if known else "late_accept",
                "told": one.facts,
                "sealed": one.sealed,
            }
            for one, known in zip(batch, outcomes, strict=True)
        ],
    )
    return outcomes


_EMPTY: sa.ColumnElement[str] = sa.literal_column("''")
_NONE: sa.ColumnElement[int] = sa.literal_column("0")


def _accept(given: Mapping[str, sa.ColumnElement[Any]]) -> sa.Update:
    return (
        delivery.update()
        .where(delivery.c.id == given["row_id"])
        .values(
            state=sa.literal_column(f"'{_ACCEPTED}'"),
            # the first time counts: a person may have had it sent again
            accepted_at=sa.func.coalesce(delivery.c.accepted_at, given["at"]),
            reference=given["referred"],
            lease_owner=_EMPTY,
            lease_until=_NONE,
            fault_code=_NONE,
            fault_where=_EMPTY,
            fault_detail=_EMPTY,
            **deliveries.ended(_ACCEPTED, given["at"]),
        )
    )


def _insert_attempt(given: Mapping[str, sa.ColumnElement[Any]]) -> sa.Insert:
    before = sa.select(sa.func.coalesce(sa.func.max(attempt.c.number), _NONE)).where(
        attempt.c.delivery_id == given["row_id"]
    )
    values: dict[str, sa.ColumnElement[Any]] = {
        "delivery_id": given["row_id"],
        "number": before.scalar_subquery() + sa.literal_column("1"),
        "ended_at": given["at"],
        "event": given["led_to"],
        "fault_code": _NONE,
        "detail": _EMPTY,
        "facts": given["told"],
        "body": given["sealed"],
    }
    return attempt.insert().from_select(list(values), sa.select(*values.values()))


_ID, _AT, _TEXT = sa.String(), sa.BigInteger(), sa.Text()
_ACCEPT = Spread({"row_id": _ID, "at": _AT, "referred": _TEXT}, _accept)
_INSERT_ATTEMPT = Spread(
    {"row_id": _ID, "at": _AT, "led_to": _TEXT, "told": _TEXT, "sealed": sa.LargeBinary()}, _insert_attempt
)
