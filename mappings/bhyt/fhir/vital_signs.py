"""The vital signs that clinical notes of XML5 carry as `CSST<M75_T37_HA120/70_NT18_SP98_HL2>`, and Observations.

M pulse, T temperature, HA blood pressure, NT breaths, SP oxygen saturation, HL care level. What of a mark is no number stays in
the note alone; the note always keeps the mark.

Standard: QĐ 3176/QĐ-BYT XML5 (DIEN_BIEN_LS); FHIR R4 §10.1.7 Vital signs profiles
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from functools import cache
from typing import Any

from mappings.documents import wording
from mappings.fhir.shared import Shared
from mappings.outcome import Resource
from mappings.systems import LOINC, UCUM

_MARK = re.compile(r"CSST\s*<([^<>]*)>")
_PART = re.compile(r"(HA|NT|SP|HL|M|T)\s*([0-9]{1,3}(?:[.,][0-9]{1,2})?)(?:/([0-9]{1,3}))?")
_SIGNS = {
    "M": ("8867-4", "Heart rate", "Mạch", "lần/phút", "/min"),
    "T": ("8310-5", "Body temperature", "Nhiệt độ", "°C", "Cel"),
    "NT": ("9279-1", "Respiratory rate", "Nhịp thở", "lần/phút", "/min"),
    "SP": ("2708-6", "Oxygen saturation in Arterial blood", "SpO2", "%", "%"),
}
_PRESSURE = ("85354-9", "Blood pressure panel with all children optional", "Huyết áp")
_SIDES = (("8480-6", "Systolic blood pressure"), ("8462-4", "Diastolic blood pressure"))
CATEGORY = Shared(
    {
        "coding": [
            {
                "system": "http://terminology.hl7.org/CodeSystem/observation-category",
                "code": "vital-signs",
                "display": "Vital Signs",
            }
        ]
    }
)


def of_note(text: str) -> list[tuple[str, dict[str, Any]]]:
    """Give, for each sign of the marks of a note, its letters and the elements of its Observation: code and value."""
    found: dict[str, dict[str, Any]] = {}
    for mark in _MARK.findall(text):
        for part in mark.split("_"):
            match = _PART.fullmatch(part.strip())
            if match:
                elements = _elements(match[1], match[2].replace(",", "."), match[3])
                if elements:
                    found.setdefault(match[1], elements)
    return list(found.items())


def _elements(sign: str, value: str, second: str | None) -> dict[str, Any]:
    if sign == "HA" and second:
        parts = [
            {"code": _code(code, display), "valueQuantity": _amount(number, "mmHg", "mm[Hg]")}
            for (code, display), number in zip(_SIDES, (value, second), strict=True)
        ]
        return {"category": [CATEGORY], "code": _code(*_PRESSURE), "component": parts}
    if sign not in _SIGNS or second:
        return {}
    code, display, words, unit, ucum = _SIGNS[sign]
    return {"category": [CATEGORY], "code": _code(code, display, words), "valueQuantity": _amount(value, unit, ucum)}


@cache
def _code(code: str, display: str, words: str = "") -> Shared:
    coding = {"coding": [{"system": LOINC, "code": code, "display": display}]}
    return Shared(coding | {"text": words} if words else coding)


def _amount(value: str, unit: str, ucum: str) -> Resource:
    return {"value": Decimal(value), "unit": unit, "system": UCUM, "code": ucum}


def mark(observations: Iterable[Resource]) -> str:
    """Write the vital signs among Observations of one moment as a mark; `""` when there are none."""
    told: dict[str, str] = {}
    for one in observations:
        codes = {c.get("code", "") for c in one.get("code", {}).get("coding", ()) if c.get("system") == LOINC}
        if _PRESSURE[0] in codes:
            sides = {
                coding.get("code", ""): wording.amount(part.get("valueQuantity", {}))
                for part in one.get("component", ())
                for coding in part.get("code", {}).get("coding", ())
            }
            if all(sides.get(code) for code, _ in _SIDES):
                told["HA"] = "/".join(sides[code] for code, _ in _SIDES)
        for sign, (code, *_, ucum) in _SIGNS.items():
            quantity = one.get("valueQuantity", {})
            if code in codes and quantity.get("code") == ucum:
                told[sign] = wording.amount(quantity)
    return _written(told)


def _written(told: Mapping[str, str]) -> str:
    parts = [f"{sign}{told[sign]}" for sign in ("M", "T", "HA", "NT", "SP") if told.get(sign)]
    return f"CSST<{'_'.join(parts)}>" if parts else ""
