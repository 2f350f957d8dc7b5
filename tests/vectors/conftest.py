"""Vectors that others made so that programs can be compared; fetched by `make vectors`, pinned in the locks beside this."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

VECTORS = Path(__file__).resolve().parents[2] / ".judges" / "vectors"


def package(name: str) -> Path | None:
    """Give the unpacked source package whose name begins so."""
    return next(iter(sorted(VECTORS.glob(f"{name}-*"))), None)


def table(package_name: str, path: str) -> list[dict[str, Any]]:
    """Give the rows of a table of expectations; none when it was not fetched."""
    folder = package(package_name)
    found = [] if folder is None else json.loads((folder / path).read_text(encoding="utf-8"))
    return list(found["tests"] if isinstance(found, dict) else found)


@pytest.fixture(autouse=True)
def fetched() -> None:
    if not (VECTORS / "installed").is_file():
        pytest.skip("no vectors: make vectors")
