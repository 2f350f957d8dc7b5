"""docs/insurance-rules.md says what the rules say."""

from __future__ import annotations

from pathlib import Path

import pytest

from docs import generate_insurance_rules as generator
from mappings.bhyt.rules import RULES


def test_the_page_is_fresh() -> None:
    assert not generator.stale(), "run: python docs/generate_insurance_rules.py"


def test_every_rule_is_on_it_once() -> None:
    page = generator.page()
    assert all(page.count(f"\n| `{rule}` | ") == 1 for rule in RULES)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("| `B1-001` | blocks |", "| `B1-001` | warns |"),
        ("correct the sex", "correct it"),
        ("sửa giới tính", "sửa"),
        ("block error 16", "block error 17"),
    ],
)
def test_planted_staleness_is_found(old: str, new: str, tmp_path: Path) -> None:
    """A severity, a text or a source that changed in the code only."""
    page = generator.PAGE.read_text(encoding="utf-8")
    assert old in page
    copy = tmp_path / "page.md"
    copy.write_text(page.replace(old, new, 1), encoding="utf-8")
    assert generator.stale(copy)


def test_a_missing_page_is_stale(tmp_path: Path) -> None:
    assert generator.stale(tmp_path / "page.md")
