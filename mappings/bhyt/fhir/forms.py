"""The forms of single values in the insurance tables, both ways: digits of times, amounts, lists, codes.

What cannot be read gives nothing; the frame keeps such a text as it was written. Nothing is corrected here.

Standard: QĐ 3176/QĐ-BYT (README of the formats §3)
"""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache
from typing import Any

from mappings.documents import wording
from mappings.formats import dates
from mappings.formats.faults import DateInvalid
from mappings.outcome import Resource

_NUMBER = re.compile(r"(?!-0(\.0+)?$)-?(0|[1-9]\d{0,14})(\.\d{1,6})?")
DONG = "VND"


def digits_to_time(text: str) -> str:
    """Give the FHIR dateTime of 8 or 12 digits, as far as they are known; `""` when they name no moment."""
    return _time(text) if len(text) in (8, 12) and text.isdecimal() else ""


@lru_cache(maxsize=4096)
def _time(text: str) -> str:
    try:
        return dates.dtm_to_fhir_datetime(text)
    except DateInvalid:
        return ""


def digits_to_date(text: str) -> str:
    """Give the FHIR date of 8 or 12 digits."""
    return digits_to_time(text)[:10]


def time_to_digits(text: str) -> str:
    """Give 12 digits of a FHIR date or dateTime; `""` for what is none."""
    return _digits(text) if len(text) <= _LONGEST else ""


def date_to_digits(text: str) -> str:
    """Give 8 digits of a FHIR date or dateTime; `""` for what is none."""
    return time_to_digits(text)[:8]


_LONGEST = 40
"""No dateTime is longer; what was read is kept, and must not be of any length."""


@lru_cache(maxsize=4096)
def _digits(text: str) -> str:
    try:
        return dates.fhir_to_yyyymmddhhmm(text)
    except DateInvalid:
        return ""


def told_to_digits(text: str) -> str:
    """Give 12 digits of a dateTime, 8 of a date: for fields that take both."""
    return time_to_digits(text) if "T" in text else date_to_digits(text)


def number(text: str) -> Decimal | None:
    """Read a number, keeping its digits; None for what is not written as one."""
    return Decimal(text) if _NUMBER.fullmatch(text) else None


def digits(value: Any) -> str:
    """Write a number with the digits it came with; `""` for none."""
    if value is None:
        return ""
    text = str(value)
    return wording.number(value) if "E" in text else text


def money(text: str) -> Resource | None:
    """Give Money in đồng."""
    value = number(text)
    return None if value is None else {"value": value, "currency": DONG}


def quantity(text: str, unit: str = "", ucum: str = "") -> Resource | None:
    """Give a Quantity; the unit's words and its UCUM code where there is one."""
    value = number(text)
    if value is None:
        return None
    said: Resource = {"value": value}
    if unit:
        said["unit"] = unit
    if ucum:
        said |= {"system": "http://unitsofmeasure.org", "code": ucum}
    return said


def parts(text: str) -> list[str]:
    """Split a list at `;`, the parts without the spaces around them; nothing of nothing."""
    return [part.strip() for part in text.split(";")] if text else []


def compact(elements: dict[str, Any]) -> Resource:
    """Leave out what is empty."""
    return {name: value for name, value in elements.items() if value not in (None, "", [], {})}


def concept(code: str, system: str, display: str = "", text: str = "") -> Resource:
    """Give a CodeableConcept of one code."""
    coding = {"system": system, "code": code}
    if display:
        coding["display"] = display
    return {"coding": [coding], "text": text} if text else {"coding": [coding]}


def code_in(element: Resource | None, *ends: str) -> str:
    """Give the first code of a CodeableConcept whose system ends so."""
    for coding in element.get("coding", ()) if element else ():
        code: str = coding.get("code", "")
        if code and coding.get("system", "").endswith(ends):
            return code
    return ""


_CODE = re.compile(r"\S+( \S+)*")


def is_code(text: str) -> bool:
    """Tell whether FHIR takes a text as a code."""
    return text.isalnum() or bool(_CODE.fullmatch(text))


def extension(resource: Resource, end: str) -> Resource:
    """Give the extension whose url ends so, or an empty one."""
    for one in resource.get("extension", ()):
        if one["url"].endswith(end):
            found: Resource = one
            return found
    return {}
