"""Which notices of an expiry are due: each once, to each, the nearest mark only."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from gateway.certificates.notices import DAY, DAYS, RECIPIENTS, Notice, notices_due

NOW = 1_790_000_000_000_000


@dataclass(frozen=True)
class Certificate:
    id: str
    not_after: int


def due(left: int, *sent: tuple[str, int, str]) -> list[tuple[int, str]]:
    return [(one.days, one.recipient) for one in notices_due([Certificate("k", NOW + left)], NOW, set(sent))]


@pytest.mark.parametrize(
    ("left", "mark"),
    [
        (60 * DAY + 1, None),
        (60 * DAY, 60),
        (30 * DAY + 1, 60),
        (30 * DAY, 30),
        (7 * DAY + 1, 30),
        (7 * DAY, 7),
        (0, 7),
        (-1, None),
    ],
)
def test_the_nearest_mark_passed(left: int, mark: int | None) -> None:
    assert due(left) == ([(mark, "holder"), (mark, "it")] if mark else [])


def test_each_goes_once_to_each() -> None:
    assert due(20 * DAY, ("k", 30, "holder")) == [(30, "it")]
    assert due(20 * DAY, ("k", 30, "holder"), ("k", 30, "it")) == []
    assert due(20 * DAY, ("k", 60, "holder"), ("other", 30, "it")) == [(30, "holder"), (30, "it")]


def test_day_by_day_everybody_gets_three() -> None:
    sent: set[tuple[str, int, str]] = set()
    certificate = Certificate("k", NOW + 90 * DAY)
    days = []
    for day in range(95):
        for notice in notices_due([certificate], NOW + day * DAY, sent):
            sent.add((notice.certificate_id, notice.days, notice.recipient))
            days.append((90 - day, notice.recipient))
    assert days == [(left, recipient) for left in DAYS for recipient in RECIPIENTS]


def test_of_several_certificates() -> None:
    found = notices_due([Certificate("a", NOW + DAY), Certificate("b", NOW + 40 * DAY)], NOW, {("b", 60, "it")})
    assert found == [Notice("a", 7, "holder"), Notice("a", 7, "it"), Notice("b", 60, "holder")]
