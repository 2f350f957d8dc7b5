"""Rows of deliveries on the wire, many at a time: what is about to leave, and what destinations said yes to.

Made for `Store.write_each`: many deliveries share the statements as they share the commit.
"""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from gateway.states import DELIVERY, advance, sources
from gateway.store import deliveries, destinations
from gateway.store.messages import fault_values
from gateway.store.raw import Raw
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


def send_all(connection: Connection, leases: list[tuple[str, str]]) -> list[bool]:
    """Note of (delivery, owner) pairs that their requests are about to leave; False for one whose lease is lost."""
    moved: set[tuple[str, str]] = set()
    for owner in {owner for _, owner in leases}:
        ids = [delivery_id for delivery_id, by in leases if by == owner]
        rows = connection.execute(_SEND, {"ids": ids, "owner": owner})
        moved.update((row.id, owner) for row in rows)
    return [lease in moved for lease in leases]


def _held(connection: Connection, leases: list[tuple[str, str]], event: str) -> set[tuple[str, str]]:
    """Return those of (delivery, owner) pairs whose lease holds and whose state allows `event`, locked.

    Rows are looked up by id alone: everything else that they have to be could send the database to what waits.
    """
    query = sa.select(delivery.c.id, delivery.c.state, delivery.c.lease_owner)
    named = query.where(delivery.c.id.in_([delivery_id for delivery_id, _ in leases]))
    rows = connection.execute(named.order_by(delivery.c.id).with_for_update())
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


_EMPTY = sa.text("''")
_NONE = sa.text("0")
_AT: sa.ColumnElement[int] = sa.bindparam("at", type_=sa.BigInteger)
_ACCEPT = Raw(
    delivery.update()
    .where(delivery.c.id == sa.bindparam("row_id"))
    .values(
        state=sa.literal_column(f"'{_ACCEPTED}'"),
        # the first time counts: a person may have had it sent again
        accepted_at=sa.func.coalesce(delivery.c.accepted_at, _AT),
        reference=sa.bindparam("referred"),
        lease_owner=_EMPTY,
        lease_until=_NONE,
        fault_code=_NONE,
        fault_where=_EMPTY,
        fault_detail=_EMPTY,
        **deliveries.ended(_ACCEPTED, _AT),
    )
)
_OWN = sa.bindparam("row_id", type_=sa.String)
_INSERT_ATTEMPT = Raw(
    attempt.insert().values(
        delivery_id=_OWN,
        number=sa.select(sa.text("coalesce(max(attempt.number), 0) + 1"))
        .where(attempt.c.delivery_id == _OWN)
        .scalar_subquery(),
        ended_at=sa.bindparam("at"),
        event=sa.bindparam("led_to"),
        fault_code=_NONE,
        detail=_EMPTY,
        facts=sa.bindparam("told"),
        body=sa.bindparam("sealed"),
    )
)
