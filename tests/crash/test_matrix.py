"""Each transition of each table, killed inside its transaction and right after it: it has happened whole, or not at all."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from gateway import states
from gateway.store import deliveries, documents, messages, migrate, proof_schema, proofs, schema, signing_tasks
from gateway.store.engine import make_engine
from tests.crash import matrix
from tests.crash.killing_node import TABLES as KILLED_IN_A_NODE

NOW = 1000
LEASED: Any = {"lease_owner": "n1", "lease_until": NOW - 1}
ROWS: dict[str, sa.Table] = {
    "message": schema.message,
    "document": schema.document,
    "signing task": schema.signing_task,
    "proof": proof_schema.signature_proof,
    "archive": proof_schema.archive,
    "delivery": schema.delivery,
}
ID = "one"


def _deliver(connection: Connection, event: str) -> Any:
    if event == "claim":
        return deliveries.take_queued(connection, "", owner="n2", now=NOW, until=NOW + 1, limit=1)
    if event == "expire":
        return deliveries.expire(connection, NOW)
    return deliveries.move(connection, ID, event, None)


MOVES: dict[str, Callable[[Connection, str], Any]] = {
    "message": lambda c, event: messages.move(c, ID, event),
    "document": lambda c, event: documents.move(c, ID, event),
    "signing task": lambda c, event: signing_tasks.move(c, ID, event),
    "proof": lambda c, event: proofs.move(c, ID, event),
    "archive": lambda c, _event: proofs.renewed(c, ID, "n1"),
    "delivery": _deliver,
}
CELLS = [
    pytest.param(table, state, event, id=f"{table}-{state}-{event}")
    for table, rows in matrix.TABLES.items()
    for state, event in rows
]


def bare(table: sa.Table, **values: Any) -> dict[str, Any]:
    """Fill what a row must have with nothing."""
    empty: dict[type, Any] = {str: "", int: 0, bytes: b"", bool: False}
    needed = [column for column in table.c if not column.nullable and column.server_default is None]
    references = {column.name: ID for column in table.c if column.foreign_keys}
    return {column.name: empty[column.type.python_type] for column in needed} | references | {"id": ID} | values


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.nightly)])
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    found = f"sqlite:///{tmp_path_factory.mktemp('matrix') / 'ledger.db'}"
    if request.param == "postgresql":
        found = request.getfixturevalue("postgres_server")
    engine = make_engine(found)
    migrate.upgrade(engine)
    with engine.begin() as connection:
        for name, table in ROWS.items():
            state = next(iter(states.states(matrix.TABLES[name])))
            connection.execute(table.insert().values(bare(table, state=state)))
    engine.dispose()
    return found


def die_in(url: str, act: Callable[[Connection], Any], *, committed: bool) -> None:
    """Run `act` in a process that is killed inside its transaction, or once it is committed."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        try:
            with make_engine(url).begin() as connection:
                act(connection)
                if not committed:
                    os.kill(os.getpid(), signal.SIGKILL)
            os.kill(os.getpid(), signal.SIGKILL)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL, "it did not come so far"


@pytest.mark.parametrize(("table", "state", "event"), CELLS)
def test_a_transition_is_whole_or_has_not_been(url: str, table: str, state: str, event: str) -> None:
    rows = ROWS[table]
    engine = make_engine(url)
    try:
        for committed in (False, True):
            with engine.begin() as connection:
                leased = LEASED if "lease_owner" in rows.c and event != "claim" else {}
                free = {} if leased else {"lease_owner": "", "lease_until": 0}
                connection.execute(rows.update().values(state=state, **leased, **free))
            die_in(url, lambda connection: MOVES[table](connection, event), committed=committed)
            with engine.connect() as connection:
                found = connection.scalar(sa.select(rows.c.state))
            assert found == (matrix.TABLES[table][state, event] if committed else state)
    finally:
        engine.dispose()


def test_of_every_transition_it_is_said_where_it_is_killed() -> None:
    counts = ", ".join(f"{table} {len(rows)}" for table, rows in matrix.TABLES.items())
    print(f"transitions killed inside and right after: {len(CELLS)} ({counts})")  # noqa: T201 - what the matrix is for
    assert matrix.missing(matrix.TABLES) == []


def test_a_new_transition_without_a_kill_place_is_seen() -> None:
    planted = matrix.TABLES | {"delivery": {**states.DELIVERY, ("queued", "evaporate"): "closed"}}
    assert matrix.missing(planted) == ["delivery evaporate"]


def test_what_a_node_is_killed_at_exists() -> None:
    for part in (matrix.IN_A_DAY, matrix.WITH_PROOFS):
        for table, events in part.items():
            assert set(events) <= states.events(KILLED_IN_A_NODE[table][1])
