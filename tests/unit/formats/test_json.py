"""JSON keeps the digits of a decimal."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from mappings.formats import json
from mappings.formats.faults import JsonInvalid


@pytest.mark.parametrize(
    "number", ["4.50", "0.10", "-0.0", "12345678901234567890.123", "1E-7", "100000000000000000000000"]
)
def test_digits_are_kept(number: str) -> None:
    data = b'{"b":%s,"a":[1,true,null,"\xe1\xbb\x85"]}' % number.encode()
    assert json.dumps(json.loads(data)) == data
    assert json.canonical(json.loads(data)) == b'{"a":[1,true,null,"\xe1\xbb\x85"],"b":%s}' % number.encode()


def test_types() -> None:
    found = json.loads('[1, 1.0, "1.0"]')
    assert found == [1, Decimal("1.0"), "1.0"]
    assert [type(one) for one in found] == [int, Decimal, str]


@pytest.mark.parametrize(
    ("data", "where"),
    [
        (b"", ""),
        (b'{"a":', ""),
        (b"[1,]", "byte 3"),
        (b"NaN", "byte 0"),
        (b'"\xff"', ""),
        (b'"\\ud800"', ""),
        (b"[" * 100_000, ""),
    ],
)
def test_unreadable(data: bytes, where: str) -> None:
    with pytest.raises(JsonInvalid) as caught:
        json.loads(data)
    assert caught.value.where == where


def _nested() -> list[Any]:
    found: list[Any] = []
    for _ in range(20_000):
        found = [found]
    return found


@pytest.mark.parametrize(
    "obj", [Decimal("NaN"), [Decimal("-Infinity"), "x"], object(), "\ud800", {"a": {1, object()}}, _nested()]
)
def test_unwritable(obj: object) -> None:
    for write in (json.dumps, json.canonical):
        with pytest.raises(JsonInvalid):
            write(obj)


def test_words_that_look_like_numbers_that_are_none() -> None:
    assert json.dumps(["NaN", "Infinity"]) == b'["NaN","Infinity"]'
