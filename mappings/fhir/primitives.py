"""The grammar of R4's primitive types, one check per type.

A check returns None for a good value, else what it found. Only the exact JSON types count: a decimal is `Decimal` or `int`,
never `float`, which has already lost digits. Standard: FHIR R4 §2.24.0 (datatypes).
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from mappings.fhir.narrative import is_safe_div
from mappings.fhir.problem import CARDINALITY, EMPTY, NARRATIVE, NULL, PATTERN, TYPE, Found

Check = Callable[[Any], list[Found] | None]

LONGEST_STRING = 1024 * 1024
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|[\ud800-\udfff]").search
_BASE64 = re.compile(r"[0-9A-Za-z+/]*={0,2}").fullmatch
_YEAR = r"(?!0000)[0-9]{4}"
_MONTH = r"(?:0[1-9]|1[0-2])"
_DAY = r"(?:0[1-9]|[12][0-9]|3[01])"
_TIME = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)(?:\.[0-9]+)?"
_ZONE = r"(?:Z|[+-](?:(?:0[0-9]|1[0-3]):[0-5][0-9]|14:00))"


def misfit(value: Any) -> list[Found]:
    """Name the reason why a value is not a text (or object) at all."""
    if value is None:
        return NULL
    if isinstance(value, list):
        return CARDINALITY if value else EMPTY
    return TYPE


def check_string(value: Any) -> list[Found] | None:
    """Accept text with something to read in it."""
    if value.__class__ is not str:
        return misfit(value)
    if value.isprintable():
        if value and not value.isspace():
            return None if len(value) <= LONGEST_STRING else PATTERN
        return EMPTY
    if value.isspace():
        return EMPTY
    return PATTERN if len(value) > LONGEST_STRING or _CONTROL(value) else None


def check_boolean(value: Any) -> list[Found] | None:
    """Accept JSON true and false."""
    return None if value is True or value is False else misfit(value)


def check_decimal(value: Any) -> list[Found] | None:
    """Accept a finite Decimal, or an int."""
    if value.__class__ is Decimal:
        return None if value.is_finite() else PATTERN
    return None if value.__class__ is int else misfit(value)


def check_div(value: Any) -> list[Found] | None:
    """Accept the XHTML a narrative may hold."""
    if value.__class__ is not str:
        return misfit(value)
    if not value:
        return EMPTY
    return None if is_safe_div(value) else NARRATIVE


def check_base64(value: Any) -> list[Found] | None:
    """Accept base64, in which white space may stand between the characters."""
    if value.__class__ is not str:
        return misfit(value)
    packed = value if _BASE64(value) else "".join(value.split())
    if not packed:
        return EMPTY
    return None if len(packed) % 4 == 0 and _BASE64(packed) else PATTERN


def _matching(pattern: str) -> Check:
    matches = re.compile(pattern).fullmatch

    def check(value: Any) -> list[Found] | None:
        if value.__class__ is str:
            if matches(value) is not None:
                return None
            return PATTERN if value else EMPTY
        return misfit(value)

    return check


def _dated(pattern: str) -> Check:
    """Match, and refuse a 30th of February."""
    matches = re.compile(pattern).fullmatch

    def check(value: Any) -> list[Found] | None:
        if value.__class__ is str:
            if matches(value) is None:
                return PATTERN if value else EMPTY
            day = value[8:10]
            if day > "28" and int(day) > monthrange(int(value[:4]), int(value[5:7]))[1]:
                return PATTERN
            return None
        return misfit(value)

    return check


def _whole(lowest: int, highest: int) -> Check:
    def check(value: Any) -> list[Found] | None:
        if value.__class__ is int:
            return None if lowest <= value <= highest else PATTERN
        return misfit(value)

    return check


_INK = r"[^\s\x00-\x1f\x7f\ud800-\udfff]"
_uri = _matching(f"{_INK}+")
_date = rf"{_YEAR}(?:-{_MONTH}(?:-{_DAY})?)?"
_instant = rf"{_YEAR}-{_MONTH}-{_DAY}T{_TIME}{_ZONE}"

PRIMITIVES: dict[str, Check] = {
    "base64Binary": check_base64,
    "boolean": check_boolean,
    "canonical": _uri,
    "code": _matching(rf"{_INK}+(?:\s{_INK}+)*"),
    "date": _dated(_date),
    "dateTime": _dated(rf"{_date}|{_instant}"),
    "decimal": check_decimal,
    "id": _matching(r"[A-Za-z0-9\-.]{1,64}"),
    "instant": _dated(_instant),
    "integer": _whole(-(2**31), 2**31 - 1),
    "markdown": check_string,
    "oid": _matching(r"urn:oid:[0-2](?:\.(?:0|[1-9][0-9]*))+"),
    "positiveInt": _whole(1, 2**31 - 1),
    "string": check_string,
    "time": _matching(_TIME),
    "unsignedInt": _whole(0, 2**31 - 1),
    "uri": _uri,
    "url": _uri,
    "uuid": _matching(r"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"),
    "xhtml": check_div,
}
