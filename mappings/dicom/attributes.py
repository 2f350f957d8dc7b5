"""Ask a data set, in the DICOM JSON Model, for its values; whatever is not there or is of another kind is just not
there.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from mappings.formats import dates
from mappings.formats.faults import DateInvalid

Attributes = Mapping[str, Any]

_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffe\uffff\ud800-\udfff]")
_DATE = re.compile(r"^(\d{4})[./-]?(\d{2})[./-]?(\d{2})$")
_TIME = re.compile(r"^(\d{2}):?(\d{2})?:?(\d{2})?(\.\d{1,9})?$")
_OFFSET = re.compile(r"^[+-]\d{4}$")


def words(text: str) -> str:
    """Make a FHIR string: composed, without control characters and white space at the ends."""
    return unicodedata.normalize("NFC", _CONTROLS.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))).strip()


def has(attributes: Attributes, tag: str) -> bool:
    """Tell whether an attribute has a value."""
    return len(attributes.get(tag, ())) > 1


def values(attributes: Attributes, tag: str) -> list[Any]:
    """Give the values of an attribute, without the empty ones."""
    found = attributes.get(tag, {}).get("Value", [])
    return [one for one in found if one is not None] if isinstance(found, list) else []


def texts(attributes: Attributes, tag: str) -> list[str]:
    """Give the values of an attribute as texts."""
    found = (words(str(one)) for one in values(attributes, tag) if not isinstance(one, (dict, list)))
    return [one for one in found if one]


def text(attributes: Attributes, tag: str) -> str:
    """Give the first value as text; `""` when there is none."""
    return next(iter(texts(attributes, tag)), "")


def whole(attributes: Attributes, tag: str) -> str:
    """Give a text of several values as it was written, a backslash between them."""
    return "\\".join(texts(attributes, tag))


def items(attributes: Attributes, tag: str) -> list[Attributes]:
    """Give the items of a sequence."""
    return [one for one in values(attributes, tag) if isinstance(one, dict)]


def item(attributes: Attributes, tag: str) -> Attributes:
    """Give the first item of a sequence; an empty one when there is none."""
    return next(iter(items(attributes, tag)), {})


def count(attributes: Attributes, tag: str) -> int | None:
    """Give a whole number that FHIR can count with; `None` when it is none."""
    said = text(attributes, tag).lstrip("+")
    return int(said) if said.isdecimal() and len(said) < 10 else None


def date_of(said: str) -> str:
    """Read DA as FHIR date, precision kept where months or days are zeros or missing; `""` when it is none."""
    form = _DATE.match(said)
    try:
        return dates.dtm_to_fhir_date("".join(form.groups()) if form else said)
    except DateInvalid:
        return ""


def moment_of(day: str, time: str, offset: str, zone: str) -> str:
    """Read DA and TM as FHIR dateTime; the date alone where the time is none, `""` where the date is none."""
    date = _DATE.match(day)
    if date is None:
        return date_of(day)
    clock = _TIME.match(time)
    parts = [part or "" for part in clock.groups()] if clock else []
    said = "".join(date.groups()) + "".join(parts)
    if parts and not parts[2]:
        said = said.removesuffix(parts[3])
    try:
        return dates.dtm_to_fhir_datetime(said + (offset if parts and _OFFSET.match(offset) else ""), zone)
    except DateInvalid:
        return date_of(day)


def dt_of(said: str, offset: str, zone: str) -> str:
    """Read DT as FHIR dateTime; `""` when it is none."""
    written = said if re.search(r"[+-]\d{4}$", said) or len(said) < 10 or not _OFFSET.match(offset) else said + offset
    try:
        return dates.dtm_to_fhir_datetime(written, zone)
    except DateInvalid:
        return ""
