"""Fixtures of tests whose papers have to be provable (`proofs.py`)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.clock import SystemClock
from tests.conftest import HandClock
from tests.integration.gateway.proofs import Make, ProvingWard, Trust, trust_services
from tests.integration.gateway.test_papers import FOLDER


@pytest.fixture
def today_clock() -> HandClock:
    """A clock that begins now, as certificates do."""
    return HandClock(SystemClock().now())


@pytest.fixture
def trust(tmp_path: Path, today_clock: HandClock) -> Iterator[Trust]:
    with trust_services(tmp_path / "sandbox", today_clock) as made:
        yield made


@pytest.fixture
def ward(tmp_path: Path, today_clock: HandClock, trust: Trust) -> Make:
    """Make a gateway, on SQLite unless a URL is given; settings as for `ProvingWard`."""

    def make(url: str = f"sqlite:///{tmp_path / 'ledger.db'}", **settings: Any) -> ProvingWard:
        settings.setdefault("destinations", FOLDER)
        return ProvingWard(tmp_path / "site", url, today_clock, trust, **settings)

    return make
