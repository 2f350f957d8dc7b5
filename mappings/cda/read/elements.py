"""What all readings share: FHIR elements without empty parts, and how an absence is said. Knows no CDA."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

Element = dict[str, Any]

ABSENT_URL = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
TERMINOLOGY = "http://terminology.hl7.org/CodeSystem"
_NUMBERS = (int, Decimal)
_ABSENCES = {
    "ASKU": "asked-unknown",
    "NASK": "not-asked",
    "NAV": "temp-unknown",
    "MSK": "masked",
    "NA": "not-applicable",
    "PINF": "positive-infinity",
    "NINF": "negative-infinity",
    "UNK": "unknown",
    "NI": "unknown",
    "NP": "unknown",
}


def compact(elements: dict[str, Any]) -> Element:
    """Leave out what is empty: FHIR has no empty strings, lists or objects. `False` and zero stay."""
    return {name: value for name, value in elements.items() if value or value is False or value.__class__ in _NUMBERS}


def absent(null_flavor: str = "") -> Element:
    """Make the extension that stands where FHIR demands a value and there is none."""
    return {"extension": [{"url": ABSENT_URL, "valueCode": _ABSENCES.get(null_flavor, "unknown")}]}


def absent_reason(null_flavor: str) -> Element | None:
    """Make the CodeableConcept of `Observation.dataAbsentReason`; nothing for a flavour that gives no such reason (OTH)."""
    code = _ABSENCES.get(null_flavor)
    return {"coding": [{"system": f"{TERMINOLOGY}/data-absent-reason", "code": code}]} if code else None


def concept(system: str, code: str, display: str = "") -> Element:
    """Make a CodeableConcept of one code of HL7's own."""
    name = system if system.startswith("http") else f"{TERMINOLOGY}/{system}"
    return {"coding": [compact({"system": name, "code": code, "display": display})]}


def codes_of(concept: Element | None) -> set[str]:
    """Give the codes of a CodeableConcept, whatever their system."""
    return {coding.get("code", "") for coding in (concept or {}).get("coding", [])}


def first_coding(concept: Element | None) -> Element:
    """Give the first coding of a CodeableConcept; an empty one when there is none."""
    found: list[Element] = (concept or {}).get("coding", [])
    return found[0] if found else {}


def shown(concept: Element | None) -> str:
    """Give what people read of a CodeableConcept: its text, else the display of its first coding."""
    return str((concept or {}).get("text") or first_coding(concept).get("display", ""))
