"""Fixtures that every folder of tests may use."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import psycopg
import pytest

from gateway.clock import SECOND
from gateway.store.engine import Store, open_store
from gateway.store.ids import uuid7
from tests import servers

CORPORA = Path(__file__).resolve().parents[2] / "shared" / "corpora"
"""Messages and schemas that nobody here wrote; absent in a checkout that stands alone."""

# how fast this machine is just now decides nothing
hypothesis.settings.register_profile(
    "unhurried", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("unhurried")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fuzz-seed", help="repeat a fuzz run (SEED) or one of its messages (SEED:NUMBER)")


LONG = ("fuzz", "crash", "integration/test_", "judges", "simulation", "plans")
"""What takes longest for one file, so that no worker is alone with it at the end; memory is measured in a young process."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let the long files begin; leave nightly tests out unless they are asked for."""
    order = [f"tests/{begin}" for begin in LONG]
    places = {
        item: next((n for n, begin in enumerate(order) if item.nodeid.startswith(begin)), len(order)) for item in items
    }
    items.sort(key=places.__getitem__)
    if "nightly" in (config.option.markexpr or ""):
        return
    for item in items:
        if item.get_closest_marker("nightly"):
            item.add_marker(pytest.mark.skip(reason="nightly: make nightly"))


@pytest.fixture(scope="session", autouse=True)
def _open_stores() -> Iterator[set[Store]]:
    found: set[Store] = set()
    opened, closed = Store.__init__, Store.close

    def open_(store: Store, *arguments: Any) -> None:
        opened(store, *arguments)
        found.add(store)

    def close(store: Store) -> None:
        found.discard(store)
        closed(store)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Store, "__init__", open_)
        patch.setattr(Store, "close", close)
        yield found


@pytest.fixture(autouse=True)
def _nothing_is_left_open(_open_stores: set[Store]) -> Iterator[None]:
    """Close the stores that a test opened and left: their threads would slow down whatever comes after."""
    before = set(_open_stores)
    yield
    for store in _open_stores - before:
        store.close()


class HandClock:
    """A clock that stands still until a test moves it."""

    def __init__(self, start: int = 1_790_000_000 * SECOND) -> None:
        self.at = start

    def now(self) -> int:
        return self.at

    def forward(self, seconds: float) -> None:
        self.at += round(seconds * SECOND)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture(scope="session")
def corpora() -> Path:
    if not CORPORA.is_dir():
        pytest.skip("the corpora are not beside this checkout")
    return CORPORA


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    with servers.postgres() as url:
        yield url


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    with servers.redis() as url:
        yield url


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger without rows, to be copied: to migrate one takes longer than most tests."""
    file = tmp_path_factory.mktemp("migrated") / "ledger.db"
    open_store(f"sqlite:///{file}").close()
    assert not file.with_name("ledger.db-wal").exists()
    return file


class Databases:
    """Migrated databases on the server, each used again by the next test that left nothing open and the schema as it was.

    To make one and to remove its thousand files takes longer than most tests.
    """

    def __init__(self, server: str) -> None:
        self._server = server
        self._free: list[str] = []
        url = self.empty()
        open_store(url).close()
        self._migrated = url.rpartition("/")[2]
        self._schema = self._shape(url)

    def _url(self, name: str) -> str:
        return self._server.rpartition("/")[0] + "/" + name

    def _run(self, statement: str) -> None:
        with psycopg.connect(self._server, autocommit=True) as connection:
            connection.execute(statement.encode())

    def empty(self) -> str:
        """Give the URL of one without a schema."""
        name = _new_name()
        self._run(f'CREATE DATABASE "{name}" TEMPLATE template0')
        return self._url(name)

    def lend(self) -> str:
        """Give the URL of one without rows, under a name that nothing else knows."""
        name = _new_name()
        if self._free:
            self._run(f'ALTER DATABASE "{self._free.pop()}" RENAME TO "{name}"')
        else:
            self._run(f'CREATE DATABASE "{name}" TEMPLATE "{self._migrated}"')
        return self._url(name)

    def take_back(self, url: str) -> None:
        """Empty one for the next test, unless something of this one lives on in it."""
        with psycopg.connect(url, autocommit=True) as connection:
            others = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            if connection.execute(others).fetchone() or self._shape(url) != self._schema:
                return
            connection.execute(_EMPTY)
        self._free.append(url.rpartition("/")[2])

    @staticmethod
    def _shape(url: str) -> object:
        with psycopg.connect(url) as connection:
            return connection.execute(_SHAPE).fetchone()


def _new_name() -> str:
    return "t" + uuid7().replace("-", "")


_SHAPE = """
SELECT (SELECT md5(string_agg(a.attrelid::regclass || a.attname || a.atttypid || a.attnotnull, ',' ORDER BY attrelid, attnum))
          FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid WHERE c.relnamespace = 'public'::regnamespace),
       (SELECT md5(string_agg(pg_get_constraintdef(oid), ',' ORDER BY oid)) FROM pg_constraint),
       (SELECT count(*) FROM pg_trigger), (SELECT count(*) FROM pg_proc),
       (SELECT string_agg(version_num, ',') FROM alembic_version), (SELECT string_agg(revision, ',') FROM schema_floor)
"""
_EMPTY = """
DO $$
DECLARE one record;
BEGIN
  SET LOCAL session_replication_role = replica;
  FOR one IN SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
             AND relname NOT IN ('alembic_version', 'schema_floor') LOOP
    EXECUTE format('DELETE FROM %I', one.relname);
  END LOOP;
  FOR one IN SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'S' LOOP
    EXECUTE format('ALTER SEQUENCE %I RESTART', one.relname);
  END LOOP;
END $$
"""


@pytest.fixture(scope="session")
def databases(postgres_server: str) -> Databases:
    return Databases(postgres_server)


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A ledger without rows on each engine."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("migrated_file"), tmp_path / "ledger.db")
        yield f"sqlite:///{tmp_path / 'ledger.db'}"
        return
    databases: Databases = request.getfixturevalue("databases")
    url = databases.lend()
    yield url
    databases.take_back(url)


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database without a schema on each engine."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'ledger.db'}"
    databases: Databases = request.getfixturevalue("databases")
    return databases.empty()
