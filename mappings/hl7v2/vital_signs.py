"""Vital signs: FHIR demands more of an Observation that carries one of these LOINC codes, whoever made it.

What conforms gets the category `vital-signs`; what cannot (no time, no number, another unit) keeps the sender's code as one of
the facility and claims LOINC no longer, because validators hold it to the profile by the code alone.

Standard: FHIR R4 §10.1.7 Vital signs profiles, vs-1, vs-2, vs-3
"""

from __future__ import annotations

from typing import Any

from mappings.hl7v2.codings import concept
from mappings.hl7v2.context import Context
from mappings.systems import LOINC, UCUM

_CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
_LENGTH, _WEIGHT = frozenset({"cm", "[in_i]"}), frozenset({"g", "kg", "[lb_av]"})
UNITS = {
    "9279-1": frozenset({"/min"}),
    "8867-4": frozenset({"/min"}),
    "2708-6": frozenset({"%"}),
    "59408-5": frozenset({"%"}),
    "8310-5": frozenset({"Cel", "[degF]"}),
    "8302-2": _LENGTH,
    "9843-4": _LENGTH,
    "29463-7": _WEIGHT,
    "39156-5": frozenset({"kg/m2"}),
}
"""LOINC code → UCUM codes its profile takes."""
PANELS = {"85353-1": frozenset[str](), "85354-9": frozenset({"8480-6", "8462-4"})}
"""Vital signs panel, made of members, and blood pressure, made of these two components."""


def as_vital_sign(observation: dict[str, Any], context: Context) -> str:
    """Make an Observation fit the profile of its LOINC code, or take the claim of that code away.

    Give what of its unit does not fit, `8867-4 mm[Hg]`; empty when that is not why, or no table knows the unit.
    """
    codings = observation["code"].get("coding", ())
    found = [
        coding
        for coding in codings
        if coding["system"] == LOINC and (coding["code"] in UNITS or coding["code"] in PANELS)
    ]
    if not found:
        return ""
    if all(_fits(observation, coding["code"]) for coding in found):
        categories = [one for one in observation.get("category", ()) if not _is_vital(one)]
        observation["category"] = [concept("vital-signs", _CATEGORY, "Vital Signs"), *categories]
        return ""
    own = context.systems.local(context.facility, "code-ln")
    observation["code"] = {
        **observation["code"],
        "coding": [{**coding, "system": own} if coding in found else coding for coding in codings],
    }
    return _unfit_unit(observation, found[0]["code"])


def _unfit_unit(observation: dict[str, Any], code: str) -> str:
    value = observation.get("valueQuantity", {})
    unknown = "unit" in value and "code" not in value
    if "value" not in value or unknown or code not in UNITS or value.get("code") in UNITS[code]:
        return ""
    return f"{code} {value.get('code', '')}".strip()


def _fits(observation: dict[str, Any], code: str) -> bool:
    moment = observation.get("effectiveDateTime", "")
    if len(moment) < 10 and "effectivePeriod" not in observation:
        return False
    if code in PANELS:
        parts = {c["code"] for part in observation.get("component", ()) for c in part["code"].get("coding", ())}
        return parts >= PANELS[code] if PANELS[code] else "hasMember" in observation
    value = observation.get("valueQuantity")
    if value is None:
        return "dataAbsentReason" in observation and not any(name.startswith("value") for name in observation)
    return value.get("system") == UCUM and value.get("code") in UNITS[code] and "unit" in value and "value" in value


def _is_vital(category: dict[str, Any]) -> bool:
    return any(coding.get("code") == "vital-signs" for coding in category.get("coding", ()))
