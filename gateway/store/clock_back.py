"""What the ledger does when a node's clock was set back: waiting times by the old clock are forgotten, once.

Without it, what was due, leased or closed a moment ago is not touched before the new clock has caught up. Order is not
concerned: keys of one process rise whatever the clock does.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from gateway.store.schema import delivery, destination, document, message

_WAITS = (
    (message, "state = 'received'"),
    (document, "state IN ('due', 'composed')"),
    (delivery, "state IN ('queued', 'uncertain')"),
)
_WORK = (message, document, delivery)


def forget(connection: Connection, now: int, until: int) -> None:
    """Make due what waits for a later instant, end leases at `until` at the latest, open every destination."""
    for table, waits in _WAITS:
        connection.execute(table.update().where(sa.text(waits), table.c.due_at > now).values(due_at=now))
    for table in _WORK:
        held = sa.and_(sa.text("lease_owner <> ''"), table.c.lease_until > until)
        connection.execute(table.update().where(held).values(lease_until=until))
    connection.execute(destination.update().values(closed_until=0, started=""))
