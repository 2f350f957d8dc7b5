"""Old code and new code on one ledger: what a migration may do while nodes of the version before live."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from gateway.faults import SchemaTooNew, SchemaWaits
from gateway.store import migrate, nodes
from gateway.store.engine import make_engine

MIGRATION = """
from alembic import op
import sqlalchemy as sa
revision, down_revision, phase = "{revision}", "{before}", "{phase}"
def upgrade():
    op.create_table("t{revision}", sa.Column("id", sa.Integer(), primary_key=True))
"""


@pytest.fixture
def engine(store_url: str) -> Iterator[Engine]:
    made = make_engine(store_url)
    migrate.prepare(made)
    yield made
    made.dispose()


def later(folder: Path, *phases: str) -> Path:
    """Make the migrations of a later version: today's and some more."""
    shutil.copytree(migrate.FOLDER, folder, ignore=shutil.ignore_patterns("__pycache__"))
    before = migrate.newest()
    for phase in phases:
        revision = f"{int(before) + 1:04d}"
        text = MIGRATION.format(revision=revision, before=before, phase=phase)
        (folder / "versions" / f"{revision}_later.py").write_text(text, encoding="utf-8")
        before = revision
    return folder


def number(steps: int) -> str:
    return f"{int(migrate.newest()) + steps:04d}"


def tables(engine: Engine) -> set[str]:
    return {name for name in sa.inspect(engine).get_table_names() if name.startswith("t00")}


def enter(engine: Engine, name: str, revision: str) -> None:
    with engine.begin() as connection:
        nodes.start(connection, name, "run", "all", "0", revision, 1)


def leave(engine: Engine, name: str, event: str = "stop") -> None:
    with engine.begin() as connection:
        assert nodes.move(connection, name, "run", event)


def test_every_migration_says_when_it_may_run() -> None:
    assert {one.phase for one in migrate.migrations()} <= {"pre", "post"}


def test_a_migration_without_a_phase_is_refused(tmp_path: Path) -> None:
    folder = later(tmp_path / "m", "pre")
    (path,) = (folder / "versions").glob(f"{number(1)}_*.py")
    path.write_text(path.read_text().replace(", phase", ", _").replace('"pre"', '""'), encoding="utf-8")
    with pytest.raises(AttributeError, match="phase"):
        migrate.migrations(folder)


def test_what_takes_away_waits_for_the_last_old_node(engine: Engine, tmp_path: Path) -> None:
    folder = later(tmp_path / "m", "pre", "post")
    enter(engine, "old-1", number(0))
    enter(engine, "old-2", number(0))
    migrate.prepare(engine, folder)
    enter(engine, "new", number(2))
    assert tables(engine) == {f"t{number(1)}"}
    assert migrate.finish(engine, folder) == ["old-1", "old-2"]
    leave(engine, "old-1")
    assert migrate.finish(engine, folder) == ["old-2"]
    enter(engine, "old-1", number(0))  # old code may come back meanwhile
    leave(engine, "old-1", "die")
    leave(engine, "old-2")
    assert migrate.finish(engine, folder) == ()
    assert tables(engine) == {f"t{number(1)}", f"t{number(2)}"}
    assert migrate.finish(engine, folder) == ()


def test_old_code_starts_beside_a_newer_schema_until_the_floor_is_raised(engine: Engine, tmp_path: Path) -> None:
    migrate.prepare(engine, later(tmp_path / "pre", "pre"))
    migrate.prepare(engine)  # today's code, on tomorrow's schema
    enter(engine, "old", number(0))
    leave(engine, "old")
    migrate.prepare(engine, later(tmp_path / "post", "pre", "post"))
    with pytest.raises(SchemaTooNew, match=f"{number(2)} > {number(0)}"):
        migrate.prepare(engine)
    with pytest.raises(SchemaTooNew):
        enter(engine, "old", number(0))
    enter(engine, "new", number(2))


def test_two_versions_at_once_are_refused_while_old_nodes_live(engine: Engine, tmp_path: Path) -> None:
    folder = later(tmp_path / "m", "pre", "post", "pre")
    enter(engine, "old", number(0))
    with pytest.raises(SchemaWaits, match="old"):
        migrate.prepare(engine, folder)
    assert tables(engine) == set()
    leave(engine, "old")
    migrate.prepare(engine, folder)
    assert len(tables(engine)) == 3


def test_an_empty_ledger_gets_everything_at_once(store_url: str, tmp_path: Path) -> None:
    made = make_engine(store_url)
    migrate.prepare(made, later(tmp_path / "m", "post", "pre"))
    assert len(tables(made)) == 2
    made.dispose()
