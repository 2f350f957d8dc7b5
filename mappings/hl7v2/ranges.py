"""OBX-7: what is normal, as laboratories write it.

`12.0-16.0`, `<5`, `≥ 90`, and several of them for whom they hold: `Nam: 13-17; Nữ: 12-16`, `3.5-5.0 (18-60 tuổi)`. The words
are always kept; numbers are only taken where nothing is left to guess.

Standard: HL7 v2.5.1 §7.4.2.7
"""

from __future__ import annotations

import re
from decimal import Decimal

from mappings.hl7v2.datatypes import Element, words
from mappings.hl7v2.quantities import reference_range
from mappings.systems import UCUM

_NUMBER = r"-?\d+(?:\.\d+)?"
_GENDER = "http://hl7.org/fhir/administrative-gender"
_SEXES = {
    "nam": ("male", "Male"), "male": ("male", "Male"), "m": ("male", "Male"), "nữ": ("female", "Female"),
    "nu": ("female", "Female"), "female": ("female", "Female"), "f": ("female", "Female"),
}  # fmt: skip
_AGE_UNITS = {
    "tuổi": "a", "năm": "a", "years": "a", "year": "a", "yrs": "a", "yr": "a", "y": "a", "tháng": "mo", "months": "mo",
    "month": "mo", "mo": "mo", "ngày": "d", "days": "d", "day": "d", "d": "d",
}  # fmt: skip
_UNIT = "|".join(sorted(_AGE_UNITS, key=len, reverse=True))
_WHOM = re.compile(rf"^\(?\s*({'|'.join(_SEXES)})\s*\)?\s*[:=]?\s*(?=[-\d<>≤≥(])(.*)$", re.IGNORECASE | re.DOTALL)
_LIMITS = re.compile(rf"^({_NUMBER}\s*(?:-|–|to)\s*{_NUMBER}|(?:<=|>=|<|>|≤|≥)\s*\d+(?:\.\d+)?)\s*(.*)$", re.DOTALL)
_AGE = re.compile(rf"^\(?\s*(?:(\d+)\s*(?:-|–|to)\s*(\d+)|(<=|>=|<|>|≤|≥)\s*(\d+))\s*({_UNIT})\s*\)?$", re.IGNORECASE)


def obx7_to_reference_ranges(text: str, unit: Element) -> list[Element]:
    """Make the referenceRanges of OBX-7: one, or one for each group of people that the text tells apart."""
    plain = reference_range(text, unit)
    if plain is None:
        return []
    if len(plain) > 1 or not any(character.isalpha() for character in text):
        return [plain]
    parts = [part for part in re.split(r"[;\n]", text) if part.strip()]
    found = [_for_some(words(part), unit) for part in parts]
    if any(one is None for one in found):
        return [plain]
    return [one for one in found if one is not None]


def _for_some(text: str, unit: Element) -> Element | None:
    """Read a range with the sex or age it holds for; `None` when anything of it is not understood."""
    about: Element = {}
    rest = text
    whom = _WHOM.match(rest)
    if whom:
        code, display = _SEXES[whom[1].lower()]
        about["appliesTo"] = [{"coding": [{"system": _GENDER, "code": code, "display": display}], "text": whom[1]}]
        rest = whom[2].strip()
    limits = _LIMITS.match(rest)
    if limits is None:
        return None
    age = _AGE.match(limits[2].strip())
    if age:
        about["age"] = _span(age)
    elif limits[2].strip():
        return None
    known = reference_range(limits[1], unit)
    return None if known is None or not about else {**known, **about, "text": text}


def _span(age: re.Match[str]) -> Element:
    low, high, sign, one, name = age.groups()
    code = _AGE_UNITS[name.lower()]

    def years(text: str) -> Element:
        return {"value": Decimal(text), "unit": name, "system": UCUM, "code": code}

    if sign:
        return {"low" if sign in (">", ">=", "≥") else "high": years(one)}
    return {"low": years(low), "high": years(high)}
