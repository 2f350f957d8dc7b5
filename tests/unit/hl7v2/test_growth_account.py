"""What `lienthong map` tells of a message twice as long takes about twice the time."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import pytest

from gateway.cli import mapping_table
from gateway.cli.mapped import Mapped, map_one
from mappings.formats import er7
from mappings.hl7v2 import Context
from tests.unit.hl7v2.test_growth import LONGER, MOST, growth


def test_the_account_of_twice_as_many_results() -> None:
    def account(size: int) -> Callable[[], object]:
        return map_one("x", LONGER["results"](size).encode(), Context("01032"), "auto").fields

    assert growth(account) < MOST


def test_the_values_beside_twice_as_many_results(monkeypatch: pytest.MonkeyPatch) -> None:
    # The work of the table itself grows with its rows, and would hide ours.
    table = SimpleNamespace(add_column=lambda *_, **__: None, add_row=lambda *_, **__: None)
    monkeypatch.setattr(mapping_table, "Table", lambda **_: table)
    monkeypatch.setattr(mapping_table, "console", SimpleNamespace(width=140, print=lambda _: None))

    def printed(size: int) -> Callable[[], object]:
        mapped = Mapped("x", "", er7.Message.parse(LONGER["results"](size * 16).encode()))
        fields = mapped.fields()
        return lambda: mapping_table._print_fields(mapped, fields)

    assert growth(printed) < MOST
