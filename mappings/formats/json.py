"""JSON whose decimals keep their digits: `4.50` stays `4.50`."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

_decoder = msgspec.json.Decoder(Any, float_hook=Decimal)
_encoder = msgspec.json.Encoder(decimal_format="number")
_sorted = msgspec.json.Encoder(decimal_format="number", order="sorted")


def loads(data: bytes) -> Any:
    return _decoder.decode(data)


def dumps(value: object) -> bytes:
    return _encoder.encode(value)


def canonical(value: object) -> bytes:
    return _sorted.encode(value)
