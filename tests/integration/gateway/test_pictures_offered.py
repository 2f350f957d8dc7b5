"""DICOM files that others made are offered to a node by a program of others: kept as they were sent, or refused by name."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests import pictures
from tests.pictures import BEFORE, MADE, OWN, UNSENT, WRONG, Kept, judge


def test_what_is_kept_is_what_was_sent(tmp_path: Path) -> None:
    """Every eighth file; all of them are the business of the night and of `make pictures`."""
    rows = list(pictures.offer(pictures.files()[::8], tmp_path))
    assert not [row for row in rows if row.became.startswith(WRONG)]
    assert {row.status for row in rows} <= {"", "0000", "C122", "C124"}
    assert sum(row.became == OWN for row in rows) >= len(rows) // 3


@pytest.mark.nightly
def test_every_file_of_pydicom(tmp_path: Path) -> None:
    rows = list(pictures.offer(pictures.files(), tmp_path))
    assert Counter(row.became for row in rows) == {
        OWN: 106, MADE: 23, BEFORE: 1, "refused: LT2124": 25, "refused: LT2122": 12, UNSENT: 21
    }, "\n".join(pictures.summary(rows))  # fmt: skip


@pytest.mark.parametrize(
    ("status", "kept", "became"),
    [
        ("0000", Kept(b"own"), OWN),
        ("0000", Kept(b"sent"), MADE),
        ("0000", Kept(b"own", repeat=True), BEFORE),
        ("C124", Kept(b"own", 2124), "refused: LT2124"),
        ("", None, UNSENT),
        ("0000", None, WRONG),
        ("0000", Kept(b"else"), WRONG),
        ("0000", Kept(b"else", repeat=True), WRONG),
        ("0000", Kept(b"own", 2122), WRONG),
        ("C122", None, WRONG),
        ("C122", Kept(b"own"), WRONG),
        ("", Kept(b"own"), WRONG),
    ],
)
def test_the_judge_is_no_friend(status: str, kept: Kept | None, became: str) -> None:
    assert judge(status, kept, b"own", [b"sent"]).startswith(became)
