"""What `lienthong map` tells of a message twice as long takes about twice the time."""

from __future__ import annotations

from collections.abc import Callable

from gateway.cli.mapping import map_one
from mappings.hl7v2 import Context
from tests.unit.hl7v2.test_growth import LONGER, MOST, growth


def test_the_account_of_twice_as_many_results() -> None:
    def account(size: int) -> Callable[[], object]:
        mapped = map_one("x", LONGER["results"](size).encode(), Context("01032"), "auto")
        return mapped.fields

    assert growth(account) < MOST
