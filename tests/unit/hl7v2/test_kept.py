"""What is remembered between messages is of bounded length, so that nobody fills the memory by sending."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mappings import vietnam_units
from mappings.fhir import narrative
from mappings.formats import dates
from mappings.hl7v2 import codings
from tests.unit.hl7v2.samples import mapped

LONG = 5_000


@pytest.mark.parametrize(
    ("sizes", "send"),
    [
        (
            lambda: vietnam_units.units.cache_info().currsize,
            lambda text: mapped("ADT^A28", f"PID|1||1||Lê||||||1^^{text}^{text}^^VN"),
        ),
        (
            lambda: dates._datetime.cache_info().currsize,
            lambda text: dates.dtm_to_fhir_datetime("2026" + " " * ord(text[0])),
        ),
        (
            lambda: narrative._read_tag.cache_info().currsize,
            lambda text: narrative.is_safe_div(
                f'<div xmlns="http://www.w3.org/1999/xhtml"><p title="{text}">a</p></div>'
            ),
        ),
        (
            lambda: len(codings._CONCEPTS),
            lambda text: mapped("ADT^A28", f"PID|1||1||Lê|||||||||||{text}^{text}^L"),
        ),
    ],
    ids=["units", "times", "tags", "codes"],
)
def test_a_long_text_is_not_kept(sizes: Callable[[], int], send: Callable[[str], object]) -> None:
    send("a" * LONG)
    before = sizes()
    for letter in "bcdefg":
        send(letter * LONG)
    assert sizes() == before
