"""docs/attacks.md says what the table of attacks and the verdicts say."""

from __future__ import annotations

from dataclasses import replace

import pytest

from docs import generate_attacks as generator
from signing.faults import ContentChanged
from tests.unit.signing.attacks import Case
from tests.unit.signing.attacks_xml import CASES as XML
from tests.unit.signing.test_attacks import CASES


@pytest.fixture(scope="module")
def page() -> str:
    return generator.page()


def test_the_page_is_fresh(page: str) -> None:
    assert generator.PAGE.read_text(encoding="utf-8") == page, "run: python -m docs.generate_attacks"


def test_the_page_has_every_case_and_none_is_wrong(page: str) -> None:
    lines = [line for line in page.splitlines() if line.startswith("| ") and not line.startswith("| |")]
    assert len(lines) == len(CASES)
    assert "WRONG" not in page


def planted() -> Case:
    """A good file of which the table would say that it is bad."""
    return replace(next(case for case in XML if case.verdict == "valid"), verdict="invalid", reason=ContentChanged)


def test_another_verdict_than_expected_is_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (row,) = generator.rows([planted()])
    assert not row.as_expected
    assert (row.expected, row.got) == ("invalid LT5088", "valid")
    monkeypatch.setattr(generator, "CASES", [planted()])
    assert generator._print() == 1
    assert capsys.readouterr().out.startswith("WRONG")


def test_planted_staleness_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generator, "page", lambda: "another page")
    assert generator.stale()
