"""docs/connectors.md says what the settings say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from connectors.kinds import destination_kinds, source_kinds
from docs import generate_connectors as generator
from signing.keys import kinds


def test_the_page_is_fresh() -> None:
    assert not generator.stale(), "run: python docs/generate_connectors.py"


def test_the_page_has_every_kind() -> None:
    page = generator.page()
    for kind in source_kinds():
        assert f"## Source `{kind}`" in page
    for kind in destination_kinds():
        assert f"## Destination `{kind}`" in page
    for kind in kinds():
        assert f'#### `kind = "{kind}"`' in page


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('`"30s"`', '`"31s"`'),
        ("| `give_up_after` |", "| `give_up` |"),
        ("Its password as a person types it", "Password"),
    ],
)
def test_planted_staleness_is_found(old: str, new: str, tmp_path: Path) -> None:
    """A default, a name or a meaning that changed in the code only."""
    page = generator.PAGE.read_text(encoding="utf-8")
    assert old in page
    copy = tmp_path / "connectors.md"
    copy.write_text(page, encoding="utf-8")
    assert not generator.stale(copy)
    copy.write_text(page.replace(old, new, 1), encoding="utf-8")
    assert generator.stale(copy)


def test_a_missing_page_is_stale(tmp_path: Path) -> None:
    assert generator.stale(tmp_path / "connectors.md")


def test_the_script_says_fresh() -> None:
    done = subprocess.run([sys.executable, Path(generator.__file__), "--check"], check=False)
    assert done.returncode == 0
