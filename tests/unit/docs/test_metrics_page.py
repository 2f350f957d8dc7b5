"""docs/metrics.md says what the meters say, and they are named as Prometheus asks."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docs import generate_metrics as generator
from gateway.ops.metrics import LEDGER, PICKUP


def test_the_page_is_fresh() -> None:
    assert not generator.stale(), "run: python docs/generate_metrics.py"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("`lienthong_intake_seconds` | histogram", "`lienthong_intake_seconds` | gauge"),
        ("| `destination`, `state` |", "| `destination` |"),
        ("Signatures that are waited for", "Signatures"),
    ],
)
def test_planted_staleness_is_found(old: str, new: str, tmp_path: Path) -> None:
    """A form, a label or a meaning that changed in the code only."""
    page = generator.PAGE.read_text(encoding="utf-8")
    assert old in page
    copy = tmp_path / "metrics.md"
    copy.write_text(page.replace(old, new, 1), encoding="utf-8")
    assert generator.stale(copy)


def test_a_missing_page_is_stale(tmp_path: Path) -> None:
    assert generator.stale(tmp_path / "metrics.md")


def badly_named(name: str, form: str) -> bool:
    """Say whether a name breaks the conventions: prefix, small letters, base units at the end, no `_total` outside counters."""
    units = ("_seconds", "_units", "_bytes", "_info")
    if not re.fullmatch(r"lienthong_[a-z]+(_[a-z]+)*", name) or name.endswith("_total") is not (form == "counter"):
        return True
    return form == "histogram" and not name.endswith(units)


def test_names_follow_the_conventions() -> None:
    named = [(name, form) for name, form, *_ in generator.own()] + [(name, "gauge") for name in (*LEDGER, *PICKUP)]
    assert [name for name, form in named if badly_named(name, form)] == []
    assert len({name for name, _ in named}) == len(named)


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("messages", "counter"),
        ("lienthong_Messages", "counter"),
        ("lienthong_messages_total", "gauge"),
        ("lienthong_intake_time", "histogram"),
    ],
)
def test_a_bad_name_is_found(name: str, form: str) -> None:
    assert badly_named(name, form)
