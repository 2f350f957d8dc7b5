"""`--accept` rewrites the expected files of the golden pairs; the difference is shown either way."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--accept", action="store_true", help="take what the mappings give now as what is expected")


@pytest.fixture
def accept(request: pytest.FixtureRequest) -> bool:
    """Tell whether expected files shall be rewritten."""
    return bool(request.config.getoption("--accept", default=False))
