"""One form per value: RFC 8785 as another library writes it, and the same with the digits that were there."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from mappings.formats import json_canonical
from mappings.formats.faults import JsonInvalid

plain = st.recursive(
    st.none()
    | st.booleans()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.integers(-(2**53), 2**53),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@given(plain)
def test_rfc8785_is_what_another_library_writes(value: Any) -> None:
    text = json.dumps(value, ensure_ascii=False).encode(errors="surrogatepass")
    try:
        expected = rfc8785.dumps(value)
    except (UnicodeEncodeError, rfc8785.CanonicalizationError):
        return
    assert json_canonical.rfc8785(json_canonical.loads(text)) == expected


@pytest.mark.parametrize(
    ("number", "double"),
    [
        ("4.50", b"4.5"),
        ("1E+2", b"100"),
        ("-0", b"0"),
        ("0.1234567890123456789", b"0.12345678901234568"),
        ("12345678901234567890", b"12345678901234567000"),
        ("1e-7", b"1e-7"),
    ],
)
def test_numbers(number: str, double: bytes) -> None:
    value = json_canonical.loads(f'{{"b" : [{number}], "a":null}}'.encode())
    assert json_canonical.rfc8785(value) == b'{"a":null,"b":[' + double + b"]}"
    assert json_canonical.as_written(value) == f'{{"a":null,"b":[{number}]}}'.encode()


def test_names_are_in_the_order_of_utf16() -> None:
    value = json_canonical.loads('{"\U0001f600":1,"\ufb33":2,"a":{},"A":[]}'.encode())
    assert json_canonical.as_written(value) == '{"A":[],"a":{},"\U0001f600":1,"\ufb33":2}'.encode()


@pytest.mark.parametrize(
    "text",
    [
        b'{"a":1,"a":1}',
        b'{"a":{"b":1,"\\u0062":1}}',
        b"[NaN]",
        b"[-Infinity]",
        b"\xef\xbb\xbf{}",
        b"\xff",
        b"{} {}",
        b"",
        b"[" * 200_000,
        "{}".encode("utf-16"),
    ],
)
def test_what_can_be_read_in_two_ways_is_not_read(text: bytes) -> None:
    with pytest.raises(JsonInvalid):
        json_canonical.loads(text)


def test_what_cannot_be_written() -> None:
    with pytest.raises(JsonInvalid):
        json_canonical.rfc8785(json_canonical.loads(b"1e400"))
    assert math.isinf(float("1e400"))
    for write in (json_canonical.rfc8785, json_canonical.as_written):
        with pytest.raises(JsonInvalid):
            write(json_canonical.loads(b'"\\ud800"'))
