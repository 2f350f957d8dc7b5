"""Fixtures that every folder of tests may use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from gateway.clock import SECOND
from gateway.store.ids import uuid7
from tests import servers

CORPORA = Path(__file__).resolve().parents[2] / "shared" / "corpora"
"""Messages and schemas that nobody here wrote; absent in a checkout that stands alone."""


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


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database on each engine."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'ledger.db'}"
    server: str = request.getfixturevalue("postgres_server")
    name = "t" + uuid7().replace("-", "")
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
    return server.rpartition("/")[0] + "/" + name
