"""Read and write JSON so that a laboratory value keeps its digits: decimals are `Decimal` from text to text.

Integers stay `int`. Does not know FHIR. Duplicate keys are not refused: the last one holds.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any, Final

import msgspec

from mappings.formats.faults import JsonInvalid

_DECODER: Final = msgspec.json.Decoder(float_hook=Decimal)
_PLAIN: Final = msgspec.json.Encoder(decimal_format="number")
_SORTED: Final = msgspec.json.Encoder(decimal_format="number", order="deterministic")
_BYTE = re.compile(r"\(byte (\d+)\)")


def loads(data: bytes | str) -> Any:
    """Read JSON; `4.50` becomes `Decimal("4.50")`. Raise JsonInvalid with the byte where reading stopped."""
    try:
        return _DECODER.decode(data)
    except msgspec.DecodeError as problem:
        at = _BYTE.search(str(problem))
        raise JsonInvalid(f"byte {at[1]}" if at else "", "" if at else "cut off") from None
    except UnicodeError:
        raise JsonInvalid("", "not UTF-8") from None
    except RecursionError:
        raise JsonInvalid("", "nested too deeply") from None


def dumps(obj: Any) -> bytes:
    """Write JSON, keys in their order, no white space; `Decimal("4.50")` becomes `4.50`. Raise JsonInvalid."""
    return _encoded(obj, _PLAIN)


def canonical(obj: Any) -> bytes:
    """Write JSON with sorted keys: equal objects give equal bytes, `4.5` and `4.50` differ."""
    return _encoded(obj, _SORTED)


def _encoded(obj: Any, encoder: msgspec.json.Encoder) -> bytes:
    try:
        data = encoder.encode(obj)
    except (TypeError, ValueError, msgspec.MsgspecError) as problem:
        raise JsonInvalid("", type(problem).__name__) from None
    except RecursionError:
        raise JsonInvalid("", "nested too deeply") from None
    if (b"NaN" in data or b"Infinity" in data) and not _is_json(data):
        raise JsonInvalid("", "a number that is none")
    return data


def _is_json(data: bytes) -> bool:
    try:
        _DECODER.decode(data)
    except msgspec.DecodeError:
        return False
    return True
