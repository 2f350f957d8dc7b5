"""Credits take charges back, whole or in part, and what they cannot take back stays to be seen."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from mappings.documents.charges import charges
from mappings.documents.record import Record
from mappings.outcome import Resource
from mappings.systems import DEFAULT
from tests.unit.documents.samples import charge, discharge

AT = "2026-11-0{}T09:00:00+07:00"


def lines(*items: Resource) -> list[tuple[str, str, str]]:
    record = Record([*discharge()[1], *items], DEFAULT)
    encounter = record.get("Encounter/dt1")
    assert encounter
    found = charges(record, encounter)
    return [(one["id"], str(one["quantity"]["value"]), str(one["priceOverride"]["value"])) for one in found]


def item(number: int, quantity: str, price: str = "100", **more: Any) -> Resource:
    at = AT.format(number)
    return charge(f"cp{number}", "X1", "Xét nghiệm", quantity, price, occurrenceDateTime=at, **more)


def credit(number: int, quantity: str, price: str = "100") -> Resource:
    return item(number, f"-{quantity}", price, status="aborted")


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ([item(2, "1"), item(1, "2")], [("cp1", "2", "200"), ("cp2", "1", "100")]),
        ([item(1, "1"), item(2, "1"), credit(3, "1")], [("cp1", "1", "100")]),
        ([item(1, "3", "33.5"), credit(2, "1", "33.5")], [("cp1", "2", "67")]),
        ([item(1, "4", "1.25"), credit(2, "1", "1.25")], [("cp1", "3", "3.75")]),
        ([item(1, "1"), credit(2, "2")], [("cp1", "1", "100"), ("cp2", "-2", "-200")]),
        ([item(1, "1", status="not-billable")], []),
        ([item(1, "1", status="entered-in-error")], []),
        ([item(1, "1", context={"reference": "Encounter/other"})], []),
    ],
)
def test_what_is_charged(items: list[Resource], expected: list[tuple[str, str, str]]) -> None:
    assert lines(*items) == expected


def test_what_insurance_covers_goes_down_with_the_charge() -> None:
    record = Record([*discharge()[1], item(1, "4"), credit(2, "1")], DEFAULT)
    encounter = record.get("Encounter/dt1")
    assert encounter
    (left,) = charges(record, encounter)
    insured = [one["valueMoney"]["value"] for one in left["extension"] if one["url"].endswith("insurance-amount")]
    assert insured == [Decimal(300)]
