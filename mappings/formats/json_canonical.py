"""JSON that is hashed or signed: read without any choice, written in one form only.

Two forms. RFC 8785 writes numbers as IEEE doubles, so `4.50` becomes `4.5`. The written form is the same in every other
respect and leaves a number as it stands in the text, which is what FHIR's own canonical JSON does. Nothing here knows FHIR.

Standard: RFC 8785; FHIR R4 §2.6.2.6
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any, NoReturn

import rfc8785 as jcs

from mappings.formats.faults import JsonInvalid

_quoted = json.JSONEncoder(ensure_ascii=False).encode


class Number(str):
    """A number as it stands in the text."""

    __slots__ = ()


def loads(data: bytes) -> Any:
    """Read JSON of which there is only one reading; numbers become `Number`.

    Raises JsonInvalid: not UTF-8, a byte order mark, a name twice in one object, NaN, half a surrogate pair.
    """
    try:
        text = data.decode()
        value = json.loads(
            text, object_pairs_hook=_object, parse_float=Number, parse_int=Number, parse_constant=_no_number
        )
    except UnicodeError:
        raise JsonInvalid("", "not UTF-8") from None
    except json.JSONDecodeError as problem:
        raise JsonInvalid(f"character {problem.pos}", "") from None
    except RecursionError:
        raise JsonInvalid("", "nested too deeply") from None
    return value


def rfc8785(value: Any) -> bytes:
    """Write what `loads` gave as RFC 8785 says. Raises JsonInvalid for a number beyond a double."""
    return _written(value, _double)


def as_written(value: Any) -> bytes:
    """Write what `loads` gave as RFC 8785 says, but every number as it stands in the text."""
    return _written(value, str)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise JsonInvalid("", "a name twice in one object")
    return found


def _no_number(_: str) -> NoReturn:
    raise JsonInvalid("", "a number that is none")


def _double(number: Number) -> str:
    value = float(number)
    if math.isinf(value):
        raise JsonInvalid("", "a number too large")
    return jcs.dumps(value).decode()


def _written(value: Any, number: Callable[[Number], str]) -> bytes:
    pieces: list[str] = []
    try:
        _write(value, number, pieces.append)
        return "".join(pieces).encode()
    except UnicodeError:
        raise JsonInvalid("", "half a surrogate pair") from None
    except RecursionError:
        raise JsonInvalid("", "nested too deeply") from None


def _write(value: Any, number: Callable[[Number], str], put: Callable[[str], None]) -> None:
    match value:
        case Number():
            put(number(value))
        case str():
            put(_quoted(value))
        case dict():
            before = "{"
            for name in sorted(value, key=_units):
                put(f"{before}{_quoted(name)}:")
                _write(value[name], number, put)
                before = ","
            put("}" if value else "{}")
        case list():
            before = "["
            for part in value:
                put(before)
                _write(part, number, put)
                before = ","
            put("]" if value else "[]")
        case _:
            put({True: "true", False: "false", None: "null"}[value])


def _units(name: str) -> bytes:
    """Order by UTF-16 code units: for plain ASCII the letters themselves."""
    return name.encode("utf-16-be", "surrogatepass")
