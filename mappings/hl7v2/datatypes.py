"""What the mappings of all HL7 v2 data types share: components, texts, periods, the elements they make.

The data types themselves: `codings` (CWE and its kin), `quantities` (NM, CQ, SN), `names` (XPN), `addresses` (XAD, XTN),
`identifiers` (CX, EI, HD), `timing` (TQ, RPT, RI), `actors` (XCN, XON, PL). Every function takes one repetition and gives an
element, or `None` when there is nothing in it; no element is ever empty.

Standard: HL7 v2.5.1 §2.A
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Protocol

from mappings.formats import er7
from mappings.hl7v2.context import Context
from mappings.hl7v2.draft import datetime_of

Element = dict[str, Any]


class Components(Protocol):
    """Anything with components: a repetition, or a field standing for its first one."""

    def c(self, n: int, s: int = 1) -> str: ...

    def __bool__(self) -> bool: ...


def compact(elements: dict[str, Any]) -> Element:
    """Leave out what is empty: FHIR has no empty strings, lists or objects. `False` and zero stay."""
    return {name: value for name, value in elements.items() if value or value is False or value.__class__ in _NUMBERS}


_NUMBERS = (int, Decimal)


def words(text: str) -> str:
    """Take white space at the ends away; `""` when nothing else is there."""
    return text.strip()


def code_of(text: str) -> str:
    """Make a FHIR code: no white space at the ends, single spaces inside."""
    return " ".join(text.split())


def slug(text: str) -> str:
    """Make a name fit to stand in a URI."""
    return re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-.") or "other"


def joined(repetitions: Sequence[er7.Repetition]) -> str:
    """Join the repetitions of a text as lines; an unescaped `^` or `&` in prose is prose."""
    return "\n".join(line.whole.strip("\r\n").rstrip() for line in repetitions).strip()


class Subcomponents:
    """See the subcomponents of one component as components."""

    __slots__ = ("_n", "_of")

    def __init__(self, of: Components, n: int) -> None:
        self._of = of
        self._n = n

    def __bool__(self) -> bool:
        return bool(self._of)

    def c(self, n: int, s: int = 1) -> str:
        return self._of.c(self._n, n) if s == 1 else ""


def later(moment: str, minutes: int) -> str:
    """Add minutes to a FHIR dateTime; `""` when it has no time of day or the calendar ends."""
    if "T" not in moment:
        return ""
    try:
        return (datetime.fromisoformat(moment) + timedelta(minutes=minutes)).isoformat()
    except OverflowError:
        return ""


def dr_to_period(start: str, end: str, context: Context) -> Element:
    """Make a Period of two DTM texts; what is unreadable, or an end before its start, is left out."""
    low = datetime_of(start, context) if start else ""
    high = datetime_of(end, context) if end else ""
    if low and high and high[:10] < low[:10]:
        high = ""
    return compact({"start": low, "end": high})


def period(start: str, end: str) -> Element:
    """Make a Period of two FHIR dateTimes, without an end that lies before its start."""
    if start and end and end[:10] < start[:10]:
        end = ""
    return compact({"start": start, "end": end})
