"""Tables of many results: what is held of one does not grow with it, and one that broke off goes on where it was."""

from __future__ import annotations

import asyncio
import gc
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from gateway.faults import StoreUnavailable
from gateway.result_intake import PORTION
from gateway.store import messages
from gateway.store.messages import NewMessage
from mappings.lab.rows import Report, Row, split_reports
from tests.conftest import HandClock
from tests.integration.gateway.test_result_persons import Tables, desk
from tests.unit.lab.tables import CAME, CRP, HGB, layout, row, table

__all__ = ["desk"]
WHO = "{{n}};BN{0:06};Người {0};05/03/1980;Nữ;M-{0:06};{{test}};{{value}};{{range}};{{status}};;{{at}};;{{note}};"


def long(reports: int) -> bytes:
    """Make a table of so many reports, each with two results that stand together."""
    return table(
        *(
            row(WHO.format(number), number, test, f"{number % 90},5;g/dL")
            for number in range(reports)
            for test in (HGB, CRP)
        )
    )


def alive(*kinds: type) -> int:
    return sum(isinstance(one, kinds) for one in gc.get_objects())


@dataclass
class Writer:
    """Watches what is stored; fails from a portion on."""

    write: Callable[..., Any]
    fails_at: int = 1_000_000
    stored: list[int] = field(default_factory=list)
    held: list[int] = field(default_factory=list)

    async def __call__(self, unit: Callable[..., Any]) -> Any:
        if len(self.stored) >= self.fails_at:
            raise StoreUnavailable
        self.held.append(alive(NewMessage, Report, Row))
        told = await self.write(unit)
        self.stored.append(len(told))
        return told


def take(desk: Tables, data: bytes, monkeypatch: pytest.MonkeyPatch, fails_at: int = 1_000_000) -> tuple[Any, Writer]:
    writer = Writer(desk.store.write, fails_at)
    with monkeypatch.context() as patched:
        patched.setattr(desk.store, "write", writer)
        return asyncio.run(desk.tables.receive(data, "folder drop")), writer


def states(desk: Tables) -> Counter[str]:
    return Counter(f"{one.type} {one.state}" for one in desk.store.read_now(lambda c: messages.listing(c, limit=0)))


def test_what_is_held_does_not_grow_with_the_table(desk: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    held = {}
    for reports in (PORTION * 2, PORTION * 6):
        answer, writer = take(desk, long(reports)[:-2] + b" \r\n" * (reports > PORTION * 2), monkeypatch)
        assert answer.positive
        assert max(writer.stored) == PORTION
        assert len(writer.stored) == reports // PORTION + 1
        held[reports] = max(writer.held)
    assert held[PORTION * 6] <= held[PORTION * 2] <= PORTION * 2 + 10


def test_rows_are_held_until_their_report_has_ended() -> None:
    before = alive(Row)  # of tables that are remembered, and of tests that came before
    counts = [alive(Row) - before for n, _ in enumerate(split_reports(long(300), layout(), CAME)) if n % 60 == 0]
    assert max(counts) <= 3


def test_reports_come_in_the_order_of_their_first_rows_wherever_the_others_stand() -> None:
    lines = long(300).decode().split("\r\n")[1:-1]
    data = table(lines[0], *lines[2:], lines[1])
    found = [one.patient for one in split_reports(data, layout(), CAME)]
    assert found == [f"BN{number:06}" for number in range(300)]


def test_a_table_that_broke_off_goes_on_where_it_was(desk: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    data = long(PORTION * 2 + 5)
    answer, _ = take(desk, data, monkeypatch, fails_at=1)
    assert (answer.positive, answer.message_id) == (False, None)
    assert states(desk) == {"RESULT^ROWS received": PORTION}
    answer, _ = take(desk, data, monkeypatch)
    assert answer.positive
    told = json.loads(answer.frames[0])
    assert (told["reports"], told["repeats"], told["faulty"]) == (PORTION * 2 + 5, PORTION, 0)
    assert states(desk) == {
        "RESULT^FILE kept": 1,
        "RESULT^ROWS received": PORTION * 2 + 5,
        "RESULT^ROWS duplicate": PORTION,
    }


def test_what_comes_after_a_long_table_does_not_wait_for_all_of_it(
    desk: Tables, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    take(desk, long(PORTION + 5), monkeypatch)
    clock.forward(1)
    single, _ = take(desk, table(row(WHO.format(900_000), 1, HGB, "9,5;g/dL")), monkeypatch)
    assert single.positive
    clock.forward(1)

    def claimed() -> list[int]:
        now = clock.now()
        rows = desk.store.write_now(
            lambda c: messages.take_received(c, owner="n1", now=now, until=now + 10**9, limit=PORTION + 1)
        )
        return [one.priority for one in rows]

    assert claimed() == [0] * (PORTION + 1)
    assert claimed() == [1] * 5


def test_the_same_bytes_again_are_one_duplicate_of_each(desk: Tables, tmp_path: Path) -> None:
    for _ in range(2):
        assert asyncio.run(desk.tables.receive(long(3), "folder drop")).positive
    assert states(desk) == {
        "RESULT^FILE kept": 1,
        "RESULT^FILE duplicate": 1,
        "RESULT^ROWS received": 3,
        "RESULT^ROWS duplicate": 3,
    }
