"""NM, CQ, SN and units as Quantity, Range and Ratio; numbers keep their digits.

Does not reckon with them and does not change a unit into another.

Standard: HL7 v2.5.1 §2.A.47, §2.A.14, §2.A.69
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from mappings import codes
from mappings.formats.ucum import is_ucum
from mappings.hl7v2.datatypes import (
    Components,
    Element,
    Subcomponents,
    code_of,
    words,
)
from mappings.systems import UCUM
from mappings.units import to_ucum

_NUMBER = re.compile(r"^[+-]?(\d+\.?\d*|\.\d+)$")
_RANGE = re.compile(r"^\s*(-?\d+(?:\.\d+)?)\s*(?:-|–|to)\s*(-?\d+(?:\.\d+)?)\s*$")
_LIMIT = re.compile(r"^\s*(<=|>=|<|>|≤|≥)\s*(\d+(?:\.\d+)?)\s*$")
_COMPARATORS = {"<": "<", ">": ">", "<=": "<=", ">=": ">=", "≤": "<=", "≥": ">="}


def nm_to_decimal(text: str) -> Decimal | None:
    """Read NM keeping its digits (`4.50` stays `4.50`); `None` when it is no number."""
    text = text.strip()
    if not _NUMBER.match(text):
        return None
    return Decimal(text.lstrip("+").rstrip(".") or "0")


def nm_to_count(text: str) -> int:
    """Read NM as a FHIR positiveInt; 0 when it is none."""
    number = nm_to_decimal(text)
    if number is None or number != number.to_integral_value() or not 0 < number < 2**31:
        return 0
    return int(number)


def cwe_to_unit(cwe: Components) -> Element:
    """Give `unit`, and `system` and `code` when the unit is UCUM or known to be the same as one of UCUM."""
    if not cwe:
        return {}
    code = code_of(cwe.c(1))
    shown = words(cwe.c(2)) or code
    if not shown:
        return {}
    if cwe.c(3).strip().upper() == "MDC":
        row = codes.table("mdc-unit").find(code) or codes.table("mdc-unit").find(shown.upper())
        return {"unit": row.display, "system": UCUM, "code": row.target} if row else {"unit": shown}
    said = cwe.c(3).strip().upper() in _UCUM_NAMES and is_ucum(code)
    ucum = code if said else to_ucum(code) or to_ucum(shown)
    return {"unit": shown, "system": UCUM, "code": ucum} if ucum else {"unit": shown}


_UCUM_NAMES = frozenset({"UCUM", "2.16.840.1.113883.6.8"})


def quantity(value: Decimal, unit: Element, comparator: str = "") -> Element:
    """Write a Quantity."""
    if comparator:
        return {"value": value, "comparator": comparator, **unit}
    return {"value": value, **unit}


def cq_to_quantity(cq: Components) -> Element | None:
    """Make a Quantity of CQ (amount, then units as subcomponents)."""
    value = nm_to_decimal(cq.c(1))
    if value is None:
        return None
    return quantity(value, cwe_to_unit(Subcomponents(cq, 2)))


def comparable(text: str, unit: Element) -> Element | None:
    """Read `<0.5`, `>= 100` as Quantity with comparator."""
    match = _LIMIT.match(text)
    return quantity(Decimal(match[2]), unit, _COMPARATORS[match[1]]) if match else None


def sn_to_value(sn: Components, unit: Element) -> tuple[str, Any] | None:
    """Give the `value[x]` of SN as (suffix, value): Quantity, Range, Ratio or string.

    Standard: HL7 v2.5.1 §2.A.69
    """
    comparator, separator = sn.c(1).strip(), sn.c(3).strip()
    first, second = nm_to_decimal(sn.c(2)), nm_to_decimal(sn.c(4))
    plain = comparator in ("", "=")
    if first is not None and separator == "" and second is None and not sn.c(4):
        if plain or comparator in _COMPARATORS:
            return "Quantity", quantity(first, unit, _COMPARATORS.get(comparator, ""))
    elif first is not None and second is not None and plain:
        if separator == "-":
            return "Range", {"low": quantity(first, unit), "high": quantity(second, unit)}
        if separator in (":", "/"):
            return "Ratio", {"numerator": quantity(first, unit), "denominator": quantity(second, unit)}
    text = " ".join(part for part in (comparator, sn.c(2).strip(), separator, sn.c(4).strip()) if part)
    return ("String", text) if text else None


def reference_range(text: str, unit: Element) -> Element | None:
    """Make a referenceRange of OBX-7: the text always, low and high when it is `a-b`, `<b` or `>a`."""
    text = words(text)
    if not text:
        return None
    limits: Element = {}
    both = _RANGE.match(text)
    one = _LIMIT.match(text)
    if both and Decimal(both[1]) <= Decimal(both[2]):
        limits = {"low": quantity(Decimal(both[1]), unit), "high": quantity(Decimal(both[2]), unit)}
    elif one:
        limits = {"low" if one[1] in (">", ">=", "≥") else "high": quantity(Decimal(one[2]), unit)}
    return {**limits, "text": text}
