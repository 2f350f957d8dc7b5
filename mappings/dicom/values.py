"""Turn the bytes of one value into the DICOM JSON Model.

Decimal and integer strings (DS, IS) stay strings, exactly as written: a measured 4.50 keeps its digits. Binary floats
become the shortest decimal that is the same float. What cannot be the VR it says is read as its bytes.

Standard: DICOM PS3.5 §6.2; PS3.18 §F.2
"""

from __future__ import annotations

import math
import struct
from base64 import b64encode
from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache
from typing import Any

from mappings.dicom.charset import Charset

Element = dict[str, Any]

LONG_VRS = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"})
"""VRs whose length has four bytes in explicit form. Standard: DICOM PS3.5 §7.1.2"""
BINARY_VRS = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
_ASCII_VRS = frozenset({"AE", "AS", "CS", "DA", "DS", "DT", "IS", "TM", "UI", "UR"})
_TEXT_VRS = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
_WHOLE_VRS = frozenset({"LT", "ST", "UR", "UT"})
"""Texts in which a backslash is a backslash."""
_NUMBERS = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "UV": "Q", "SV": "q", "FL": "f", "FD": "d"}
STRING_VRS = _ASCII_VRS | _TEXT_VRS
VRS = LONG_VRS | STRING_VRS | _NUMBERS.keys() | {"AT"}
"""Every VR there is."""
_SHORT = {"OB or OW": "OW", "US or OW": "OW", "US or SS or OW": "OW"}
_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")


def single(vr: str) -> str:
    """Give one VR where the dictionary leaves a choice of binary ones."""
    return _SHORT.get(vr, vr)


def to_element(vr: str, raw: bytes, little: bool, charset: Charset) -> Element:
    """Make the element of a value that is no sequence."""
    if vr in _TEXT_VRS:
        values = _texts(vr, charset.decode(raw))
    elif vr in _ASCII_VRS:
        values = _texts(vr, _ascii(raw))
    elif vr in _NUMBERS:
        values = _numbers(vr, raw, little)
    elif vr == "AT":
        values = _tags(raw, little)
    else:
        return {"vr": vr, "InlineBinary": b64encode(raw).decode("ascii")} if raw else {"vr": vr}
    if not values or all(value is None for value in values):
        return {"vr": vr}
    return {"vr": vr, "Value": values}


@lru_cache(maxsize=1024)
def _ascii(raw: bytes) -> str:
    return raw.decode("ascii", "replace")


def _texts(vr: str, text: str) -> list[Any]:
    if vr in _WHOLE_VRS:
        text = text.rstrip(" \0")
        return [text] if text else []
    parts = text.rstrip("\0").split("\\")
    if vr == "PN":
        return [_person(part) for part in parts]
    return [part.strip(" \0") or None for part in parts]


def _person(text: str) -> dict[str, str] | None:
    groups = {name: part.strip(" \0") for name, part in zip(_GROUPS, text.split("="), strict=False)}
    return {name: part for name, part in groups.items() if part.strip("^ ")} or None


def _numbers(vr: str, raw: bytes, little: bool) -> list[Any]:
    form = _NUMBERS[vr]
    size = struct.calcsize(form)
    found = struct.unpack(f"{'<' if little else '>'}{len(raw) // size}{form}", raw[: len(raw) // size * size])
    write = _FLOATS.get(vr)
    return [write(value) for value in found] if write else list(found)


def _tags(raw: bytes, little: bool) -> list[str]:
    count = len(raw) // 4 * 2
    found = struct.unpack(f"{'<' if little else '>'}{count}H", raw[: count * 2])
    return [f"{found[n]:04X}{found[n + 1]:04X}" for n in range(0, count, 2)]


def _double(value: float) -> Decimal | str:
    return Decimal(repr(value)) if math.isfinite(value) else _special(value)


def _single(value: float) -> Decimal | str:
    """Write the shortest decimal that is this float of four bytes."""
    if not math.isfinite(value):
        return _special(value)
    packed = struct.pack("<f", value)
    texts = (f"{value:.{digits}g}" for digits in (6, 7, 8))
    return Decimal(next((text for text in texts if _packs_to(text, packed)), f"{value:.9g}"))


def _packs_to(text: str, packed: bytes) -> bool:
    try:
        return struct.pack("<f", float(text)) == packed
    except OverflowError:
        return False


def _special(value: float) -> str:
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


_FLOATS: dict[str, Callable[[float], Decimal | str]] = {"FL": _single, "FD": _double}
