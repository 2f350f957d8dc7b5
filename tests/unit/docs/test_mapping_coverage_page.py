"""docs/mapping-coverage.md says what the mappings do."""

from __future__ import annotations

from pathlib import Path

import pytest

from docs import generate_mapping_coverage as generator
from mappings.hl7v2 import mappers
from mappings.hl7v2.segments import pid


def test_the_page_is_fresh() -> None:
    assert not generator.stale(), "run: python docs/generate_mapping_coverage.py"


def test_every_message_type_has_a_pair() -> None:
    seen = {name for trigger in generator.measured() for name in (trigger, trigger.partition("^")[0])}
    assert set(mappers()) - seen == set()


def test_a_mapping_line_that_is_gone_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """What PID-8 went to is not declared any more."""
    assert not generator.stale()
    monkeypatch.setattr(pid, "MAPPED", {n: target for n, target in pid.MAPPED.items() if n != 8})
    assert generator.stale()


def test_a_mapping_that_no_longer_takes_a_field_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """PID-8 is declared and not taken: the measured part shows it as unknown."""
    monkeypatch.setattr(pid, "gender", lambda segment, n, draft: "")
    assert generator.stale()


def test_a_missing_page_is_stale(tmp_path: Path) -> None:
    assert generator.stale(tmp_path / "mapping-coverage.md")
