"""Bring a database to this version's schema. Migrations are numbered files in `migrations/versions`, run by Alembic.

Each says its `phase`. Nodes of the version before go on working while and after a `pre` migration runs; a `post` migration
takes away what they need, so it runs when none of them lives, and raises the floor: code that does not know it may not start
any more. Code of the version before starts beside newer `pre` migrations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Connection, Engine

from gateway.faults import SchemaTooNew, SchemaWaits
from gateway.states import NODE, sources
from gateway.store.node_schema import node, schema_floor

FOLDER = Path(__file__).parent / "migrations"
_LOCK = 0x4C54  # of PostgreSQL: one process changes the schema at a time


@dataclass(frozen=True)
class Migration:
    revision: str
    """Four digits, in the order in which they run."""
    phase: str
    """`pre` or `post`."""


def migrations(folder: Path = FOLDER) -> list[Migration]:
    """Return all migrations that this code knows, in order."""
    script = ScriptDirectory.from_config(_config(folder))
    found = [Migration(one.revision, one.module.phase) for one in script.walk_revisions()]
    return sorted(found, key=lambda one: one.revision)


@cache
def newest(folder: Path = FOLDER) -> str:
    """Return the revision of the newest schema that this code knows."""
    return ScriptDirectory.from_config(_config(folder)).get_current_head() or ""


def prepare(engine: Engine, folder: Path = FOLDER) -> None:
    """Apply what is missing and may be applied now, in one transaction; does nothing, quickly, when the schema is current.

    What takes away what a living node needs is left for later (`finish`). Raises SchemaTooNew when this code is too old, and
    SchemaWaits when it needs a migration that only comes after such a one.
    """
    with engine.connect() as connection:
        present = _present(connection)
        if present == newest(folder):
            return
        if present > newest(folder):
            require_known(connection, newest(folder))
            return
    with engine.begin() as connection:
        _lock(connection)
        present = _present(connection)
        missing = [one for one in migrations(folder) if one.revision > present]
        allowed, behind = _allowed(connection, missing)
        if any(one.phase == "pre" for one in missing[len(allowed) :]):
            raise SchemaWaits(detail=", ".join(behind))
        _apply(connection, allowed, folder)


def finish(engine: Engine, folder: Path = FOLDER) -> Sequence[str]:
    """Apply what was left for later, as far as no older node lives; return the names of those that are waited for."""
    with engine.connect() as connection:
        if _present(connection) >= newest(folder):
            return ()
    with engine.begin() as connection:
        _lock(connection)
        present = _present(connection)
        missing = [one for one in migrations(folder) if one.revision > present]
        allowed, behind = _allowed(connection, missing)
        _apply(connection, allowed, folder)
    return behind


def upgrade(engine: Engine, revision: str = "head", folder: Path = FOLDER) -> None:
    """Apply migrations up to a revision, whoever lives; for tests and empty databases."""
    with engine.begin() as connection:
        _lock(connection)
        present = _present(connection)
        wanted = newest(folder) if revision == "head" else revision
        _apply(connection, [one for one in migrations(folder) if present < one.revision <= wanted], folder)


def require_known(connection: Connection, revision: str) -> None:
    """Raise SchemaTooNew when code whose newest revision is this one may not work here; hold the floor until the commit."""
    floor = connection.scalar(sa.select(schema_floor.c.revision).with_for_update(read=True)) or ""
    if floor > revision:
        raise SchemaTooNew(detail=f"{floor} > {revision}")


def _allowed(connection: Connection, missing: Sequence[Migration]) -> tuple[list[Migration], Sequence[str]]:
    """Return those of the missing migrations that may run now, and the names of the nodes that the others wait for."""
    allowed: list[Migration] = []
    for one in missing:
        behind = _older(connection, one.revision) if one.phase == "post" else ()
        if behind:
            return allowed, behind
        allowed.append(one)
    return allowed, ()


def _older(connection: Connection, revision: str) -> Sequence[str]:
    """Name the living nodes whose code does not know a revision; keep others from starting until the commit."""
    if not sa.inspect(connection).has_table(node.name):
        return ()
    connection.execute(sa.select(schema_floor.c.revision).with_for_update())
    living = node.c.state.in_(sources(NODE, "die"))
    return list(connection.scalars(sa.select(node.c.name).where(living, node.c.revision < revision)))


def _apply(connection: Connection, chosen: Sequence[Migration], folder: Path) -> None:
    if not chosen:
        return
    config = _config(folder)
    config.attributes["connection"] = connection
    command.upgrade(config, chosen[-1].revision)
    post = [one.revision for one in chosen if one.phase == "post"]
    if post and sa.inspect(connection).has_table(schema_floor.name):
        connection.execute(schema_floor.update().values(revision=post[-1]))


def _present(connection: Connection) -> str:
    return MigrationContext.configure(connection).get_current_revision() or ""


def _lock(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})


def _config(folder: Path) -> Config:
    config = Config()
    config.set_main_option("script_location", str(folder))
    return config
