"""Reference ranges and critical values of a site: by test, sex, age and unit."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from mappings.lab import limits

HEAD = "code,sex,age_from,age_to,low,high,unit\n"
PERSON = {"resourceType": "Patient", "id": "p", "gender": "female", "birthDate": "2026-01-01"}


@pytest.fixture(autouse=True)
def _none_left() -> Iterator[None]:
    yield
    limits.use()


def result(value: str = "5", unit: str = "mmol/L", at: str = "2026-01-10", **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "id": "o",
        "status": "final",
        "code": {"coding": [{"code": "K"}]},
        "subject": {"reference": "Patient/p"},
        "effectiveDateTime": at,
        "valueQuantity": {"value": Decimal(value), "unit": unit},
        **more,
    }


def ranged(table: str, one: dict[str, Any]) -> str:
    limits.use(ranges=limits.parse(HEAD + table))
    limits.judge([one, PERSON], {})
    return str(one["referenceRange"][0]["text"]) if "referenceRange" in one else ""


@pytest.mark.parametrize(
    ("table", "text"),
    [
        ("K,,,,3.5,5.10,mmol/L\n", "3.5-5.10"),
        ("K,,,,,5.1,mmol/L\n", "<5.1"),
        ("K,,,,3.5,,mmol/L\n", ">3.5"),
        ("K,M,,,3.5,5.1,mmol/L\n", ""),
        ("K,F,,,3.5,5.1,mmol/L\n", "3.5-5.1"),
        ("K,,28d,,3.5,5.1,mmol/L\nK,,,28d,3.7,5.9,mmol/L\n", "3.7-5.9"),
        ("K,,9d,,1,2,mmol/L\n", "1-2"),
        ("K,,,9d,1,2,mmol/L\n", ""),
        ("NA,,,,1,2,mmol/L\n", ""),
        ("K,,,,1,2,mg/dL\n", ""),
    ],
)
def test_whom_a_range_holds_for(table: str, text: str) -> None:
    assert ranged(table, result()) == text


def test_a_range_that_was_sent_stays() -> None:
    assert ranged("K,,,,3.5,5.1,mmol/L\n", result(referenceRange=[{"text": "1-9"}])) == "1-9"


def test_out_of_a_range_is_said_where_nobody_did() -> None:
    one = result("2.10")
    ranged("K,,,,3.5,5.1,mmol/L\n", one)
    assert one["interpretation"][0]["coding"][0]["code"] == "L"
    said = result("2.1", interpretation=[{"text": "low"}])
    ranged("K,,,,3.5,5.1,mmol/L\n", said)
    assert said["interpretation"] == [{"text": "low"}]


@pytest.mark.parametrize(
    ("value", "comparator", "side"),
    [
        ("2.7", "", "low"),
        ("2.8", "", ""),
        ("6.0", "", ""),
        ("6.1", "", "high"),
        ("2.8", "<", "low"),
        ("6.0", ">", "high"),
    ],
)
def test_what_is_critical(value: str, comparator: str, side: str) -> None:
    limits.use(critical=limits.parse(HEAD + "K,,,,2.8,6.0,mmol/L\n"))
    one = result(value)
    if comparator:
        one["valueQuantity"]["comparator"] = comparator
    assert [found.side for found in limits.judge([one], {"p": PERSON})] == ([side] if side else [])


def test_what_may_be_critical_and_may_not_is_not() -> None:
    limits.use(critical=limits.parse(HEAD + "K,,,,2.8,6.0,mmol/L\n"))
    above = result("2.0")
    above["valueQuantity"]["comparator"] = ">"
    control = result("1.0", subject={"reference": "Device/lot"})
    cancelled = result("1.0", status="cancelled")
    assert limits.judge([above, control, cancelled], {"p": PERSON}) == ()


@pytest.mark.parametrize(
    ("table", "wrong"),
    [
        ("code,low\n", "1: the first line"),
        (HEAD + "K,,,,x,,\n", "2: a limit is a number"),
        (HEAD + "K,,,,,,\n", "2: a lower or an upper"),
        (HEAD + "K,X,,,1,,\n", "2: a code, and M, F"),
        (HEAD + "K,,18,,1,,\n", "2: an age is written"),
        (HEAD + "K,,,,5,1,\n", "2: the lower limit"),
        (HEAD + "K,,,,1\n", "2: 7 cells"),
    ],
)
def test_what_is_wrong_with_a_table(table: str, wrong: str) -> None:
    with pytest.raises(ValueError, match=wrong):
        limits.parse(table)
