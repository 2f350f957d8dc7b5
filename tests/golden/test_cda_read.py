"""Golden pairs: `cda_read/<case>/input.xml` must give `expected.reading.json`: the Bundle, coverage, notices.

A new case is a new folder. `pytest tests/golden --accept` writes what comes out and shows the difference.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from decimal import Decimal
from difflib import unified_diff
from pathlib import Path
from typing import Any

import pytest

from mappings.cda.read import Reading, read

HERE = Path(__file__).resolve().parent
CASES = sorted(path.parent for path in HERE.glob("cda_read/*/input.xml"))


def written(reading: Reading) -> str:
    """Write a reading as text that shows every digit of a decimal."""

    def plain(value: Any) -> str:
        assert isinstance(value, Decimal), type(value)
        return f"@@{value}@@"

    text = json.dumps(asdict(reading), ensure_ascii=False, indent=1, default=plain)
    return re.sub(r'"@@([^"]*)@@"', r"\1", text) + "\n"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_pair(case: Path, accept: bool) -> None:
    found = written(read((case / "input.xml").read_bytes()))
    target = case / "expected.reading.json"
    expected = target.read_text(encoding="utf-8") if target.exists() else ""
    difference = "\n".join(unified_diff(expected.splitlines(), found.splitlines(), "expected", "found", lineterm=""))
    if difference and accept:
        target.write_text(found, encoding="utf-8")
        print(difference)  # noqa: T201  (what was accepted must be seen)
        return
    assert not difference, f"{case}\n{difference}"
