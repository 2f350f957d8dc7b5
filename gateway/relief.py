"""Take back what a node held: one that died, whose death counts against what it held, or one that ends.

What outlives one death is suspected, and taken alone; what outlives a second one goes to the error queue with ItemDeadly.
"""

from __future__ import annotations

from sqlalchemy.engine import Connection

from gateway.faults import ItemDeadly
from gateway.store import deliveries, documents, leadership, messages, proofs


def take_back(connection: Connection, node: str, now: int) -> list[str]:
    """Free everything that a dead node held; return what goes to the error queue for its deaths."""
    guilty = [
        *messages.died(connection, node),
        *documents_died(connection, node, now),
        *deliveries.died(connection, node, now),
    ]
    proofs.release_leases(connection, node)
    leadership.release_of(connection, node)
    return guilty


def documents_died(connection: Connection, node: str, now: int, document_id: str = "") -> list[str]:
    """Count a death against what was held of documents; deliveries of those that go to the error queue follow them."""
    guilty = documents.died(connection, node, document_id)
    for one in guilty:
        deliveries.move_all(connection, one, "fail", now, ItemDeadly())
    return guilty


def hand_over(connection: Connection, node: str, now: int) -> None:
    """Free what a node still holds that ends as it was told; nothing of that is suspected."""
    messages.release_leases(connection, node)
    documents.release_leases(connection, node)
    proofs.release_leases(connection, node)
    deliveries.expire(connection, now, node)
    leadership.release_of(connection, node)
