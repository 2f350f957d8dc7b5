"""OM2: units and ranges of a numeric observation.

Standard: HL7 v2.5.1 §8.8.9
"""

from __future__ import annotations

from decimal import Decimal, localcontext

from mappings import codes
from mappings.hl7v2 import faults
from mappings.hl7v2.codings import cwe_to_codeable_concept
from mappings.hl7v2.datatypes import Components, Element, code_of, compact, words
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.quantities import cwe_to_unit, nm_to_decimal, quantity
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments import SEQUENCE
from mappings.hl7v2.site import replaceable
from mappings.outcome import Resource
from mappings.systems import UCUM

MAPPED = {
    2: "ObservationDefinition.quantitativeDetails.customaryUnit",
    3: "ObservationDefinition.quantitativeDetails.decimalPrecision",
    4: "ObservationDefinition.quantitativeDetails.unit",
    5: "ObservationDefinition.quantitativeDetails.conversionFactor",
    6: "ObservationDefinition.qualifiedInterval.range",
    7: "ObservationDefinition.qualifiedInterval.range",
    8: "ObservationDefinition.qualifiedInterval.range",
}
IGNORED = {
    1: SEQUENCE,
    9: "delta check; done by the laboratory",
    10: "smallest step that means something; no element of ObservationDefinition in R4",
}

_CATEGORIES = ((6, "reference"), (7, "critical"), (8, "absolute"))
_AGE = {"unit": "a", "system": UCUM, "code": "a"}
_WEEKS = {"unit": "wk", "system": UCUM, "code": "wk"}


@replaceable
def om2_to_observation_definition(om2: Segment, definition: Resource, draft: Draft) -> None:
    """Add quantitativeDetails and qualifiedInterval to the ObservationDefinition."""
    unit = cwe_to_unit(om2[2])
    details = compact(
        {
            "customaryUnit": _unit(om2, 2, draft),
            "unit": _unit(om2, 4, draft),
            "conversionFactor": _factor(om2, draft),
            **_precision(om2),
        }
    )
    if details:
        definition["quantitativeDetails"] = details
    intervals: list[Element] = []
    for n, category in _CATEGORIES:
        for rfr in om2[n].repetitions:
            interval = rfr_to_interval(rfr, category, unit)
            if interval:
                intervals.append(interval)
        if om2.peek(n) and all(one["category"] != category for one in intervals):
            om2.give_back(n)
    if intervals:
        definition["qualifiedInterval"] = intervals


def _unit(om2: Segment, n: int, draft: Draft) -> Element | None:
    """Make the concept of a unit, with its UCUM code when it has one."""
    unit = cwe_to_unit(om2[n])
    if "code" in unit:
        return {"coding": [{"system": UCUM, "code": unit["code"]}], "text": unit["unit"]}
    return cwe_to_codeable_concept(om2[n], draft.context)


def _factor(om2: Segment, draft: Draft) -> Decimal | None:
    """Turn OM2-5, which leads from the customary unit to the SI unit, into the factor that leads back, as FHIR has it.

    Ten digits are kept. An equation in words is no factor.
    """
    factor = nm_to_decimal(om2[5].text)
    if om2.peek(5) and not factor:
        om2.give_back(5)
        draft.notice(faults.NUMBER_UNREADABLE, om2.where(5))
    if not factor:
        return None
    with localcontext(prec=10):
        back = (1 / factor).normalize()
    return back.quantize(Decimal(1)) if back == back.to_integral_value() and abs(back) < 10**9 else back


def _precision(om2: Segment) -> Element:
    """Take how many decimals a value has: `2`, or `10.2` of ten digits."""
    said = words(om2[3].text)
    digits = said.rpartition(".")[2]
    if digits.isascii() and digits.isdigit() and len(digits) < 3:
        return {"decimalPrecision": int(digits)}
    if om2.peek(3):
        om2.give_back(3)
    return {}


def rfr_to_interval(rfr: Components, category: str, unit: Element) -> Element:
    """Make a qualifiedInterval of RFR; nothing without a limit. Standard: HL7 v2.5.1 §2.A.66"""
    span = _range(rfr, 1, unit)
    if not span:
        return {}
    found = [cwe for cwe in (words(rfr.c(n)) for n in (5, 6)) if cwe]
    return compact(
        {
            "category": category,
            "range": span,
            "appliesTo": [{"text": said} for said in found],
            "gender": codes.table("v2-0001").target(code_of(rfr.c(2)).upper()),
            "age": _range(rfr, 3, _AGE),
            "gestationalAge": _range(rfr, 4, _WEEKS),
            "condition": words(rfr.c(7)),
        }
    )


def _range(rfr: Components, n: int, unit: Element) -> Element:
    """Read NR (low and high) of component `n`; one whose low is above its high is none."""
    low, high = nm_to_decimal(rfr.c(n, 1)), nm_to_decimal(rfr.c(n, 2))
    if low is not None and high is not None and low > high:
        return {}
    return compact(
        {
            "low": quantity(low, unit) if low is not None else {},
            "high": quantity(high, unit) if high is not None else {},
        }
    )
