"""Take back what a node held: one that died, whose death counts against what it held, or one that ends.

What outlives one death is suspected, and taken alone; what outlives a second one goes to the error queue with ItemDeadly, and
that is noted in its history for good: it may be brought back, and what is behind it has gone on.
"""

from __future__ import annotations

from sqlalchemy.engine import Connection

from gateway.faults import ItemDeadly
from gateway.store import actions, deliveries, documents, lab_calls, leadership, messages, proofs


def take_back(connection: Connection, node: str, now: int) -> list[str]:
    """Free everything that a dead node held; return what goes to the error queue for its deaths."""
    guilty = [
        *messages_died(connection, node, now),
        *documents_died(connection, node, now),
        *_noted(connection, node, now, deliveries.died(connection, node, now)),
        *_noted(connection, node, now, proofs.died(connection, node)),
        *_noted(connection, node, now, lab_calls.died(connection, node)),
    ]
    leadership.release_of(connection, node)
    return guilty


def messages_died(connection: Connection, node: str, now: int, message_id: str = "") -> list[str]:
    """Count a death against what was held of messages."""
    return _noted(connection, node, now, messages.died(connection, node, message_id))


def documents_died(connection: Connection, node: str, now: int, document_id: str = "") -> list[str]:
    """Count a death against what was held of documents; deliveries of those that go to the error queue follow them."""
    guilty = documents.died(connection, node, document_id)
    for one in guilty:
        deliveries.move_all(connection, one, "fail", now, ItemDeadly())
    return _noted(connection, node, now, guilty)


def _noted(connection: Connection, node: str, now: int, guilty: list[str]) -> list[str]:
    for one in guilty:
        actions.insert(connection, at=now, actor=node, verb="poison", target=one, reason="")
    return guilty


def hand_over(connection: Connection, node: str, now: int) -> None:
    """Free what a node still holds that ends as it was told; nothing of that is suspected."""
    messages.release_leases(connection, node)
    documents.release_leases(connection, node)
    proofs.release_leases(connection, node)
    lab_calls.release_leases(connection, node)
    deliveries.expire(connection, now, node)
    leadership.release_of(connection, node)
