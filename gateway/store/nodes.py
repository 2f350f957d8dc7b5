"""Rows of `node` and `duty`: who works on this ledger, and what was last done once for all."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection, Row

from gateway.states import NODE, advance, sources
from gateway.store import migrate
from gateway.store.node_schema import duty, node
from gateway.store.proof_schema import archive, signature_proof
from gateway.store.schema import delivery, document, message

LIVING = sources(NODE, "die")

_HELD = {
    "messages": (message, "message.state = 'received'"),
    "documents": (document, "document.state IN ('due', 'composed', 'proving')"),
    "deliveries": (delivery, "delivery.lease_owner <> ''"),
    "proofs": (signature_proof, "signature_proof.state IN ('bare', 'stamped')"),
    "archives": (archive, "archive.state = 'current'"),
}
"""Where nodes hold leases; conditions written out, so that the indexes of what waits serve."""


def start(connection: Connection, name: str, run: str, roles: str, version: str, revision: str, now: int) -> None:
    """Enter a node that has claimed its name. Raises SchemaTooNew when the schema went past its code meanwhile."""
    migrate.require_known(connection, revision)
    insert = (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(node)
    values = {
        "run": run, "roles": roles, "version": version, "revision": revision, "state": "running", "started_at": now,
        "beat": 0, "seen_at": now,
    }  # fmt: skip
    connection.execute(insert.values(name=name, **values).on_conflict_do_update(index_elements=["name"], set_=values))


def beat(connection: Connection, name: str, run: str, now: int) -> bool:
    """Say that a node lives; False when it counts as dead, or its name is another process's by now."""
    mine = sa.and_(node.c.name == name, node.c.run == run, node.c.state.in_(LIVING))
    statement = node.update().where(mine).values(beat=node.c.beat + 1, seen_at=now)
    return bool(connection.execute(statement).rowcount)


def move(connection: Connection, name: str, run: str, event: str, beat: int | None = None) -> bool:
    """Apply `event` to one life of a node; with `beat`, only if it has been silent since."""
    (target,) = {advance(NODE, state, event) for state in sources(NODE, event)}
    condition = [node.c.name == name, node.c.run == run, node.c.state.in_(sources(NODE, event))]
    if beat is not None:
        condition.append(node.c.beat == beat)
    heard = {"beat": node.c.beat + 1} if event == "revive" else {}
    return bool(connection.execute(node.update().where(*condition).values(state=target, **heard)).rowcount)


def get(connection: Connection, name: str) -> Row[Any] | None:
    return connection.execute(sa.select(node).where(node.c.name == name)).one_or_none()


def listing(connection: Connection) -> list[Row[Any]]:
    return list(connection.execute(sa.select(node).order_by(node.c.name)))


def held(connection: Connection) -> dict[str, dict[str, int]]:
    """Count what each node holds: name → kind → rows."""
    found: dict[str, dict[str, int]] = {}
    for kind, (table, waiting) in _HELD.items():
        query = sa.select(table.c.lease_owner, sa.func.count()).where(sa.text(waiting), table.c.lease_owner != "")
        for name, count in connection.execute(query.group_by(table.c.lease_owner)):
            found.setdefault(name, {})[kind] = count
    return found


def ran(connection: Connection) -> dict[str, int]:
    """Return when each job was last done."""
    return {row.name: row.ran_at for row in connection.execute(sa.select(duty))}


def put_ran(connection: Connection, name: str, node_name: str, now: int) -> None:
    """Note that a job was done."""
    insert = (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(duty)
    values = {"ran_at": now, "node": node_name}
    connection.execute(insert.values(name=name, **values).on_conflict_do_update(index_elements=["name"], set_=values))
