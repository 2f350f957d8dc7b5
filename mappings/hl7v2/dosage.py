"""Amounts, rates and instructions as all pharmacy segments have them, and Dosage put together.

What the medicine is stands in `medicines`, when it is taken in `timing`.

Every function takes the numbers of the fields it reads, because RXO, RXE, RXD, RXG and RXA say the same in different places.
Units keep the sender's words and gain a code when they are UCUM or of another named system.

Standard: HL7 v2.5.1 §4.14
"""

from __future__ import annotations

from decimal import Decimal

from mappings.hl7v2.codings import coding_system, cwe_to_codeable_concept
from mappings.hl7v2.datatypes import Components, Element, code_of, compact, words
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.quantities import cwe_to_unit, nm_to_decimal, quantity
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.timing import Timed, letters_to_length
from mappings.systems import UCUM, V2_TABLE

UNKNOWN_AMOUNT = Decimal(999)
"""What US immunisation registers write for an amount that nobody knows. Standard: HL7 v2.5.1 §4.14.7.6"""
_ORDERED = {
    "coding": [
        {"system": "http://terminology.hl7.org/CodeSystem/dose-rate-type", "code": "ordered", "display": "Ordered"}
    ]
}
NO_AMOUNT = "unit without an amount"


def unit_of(segment: Segment, n: int, draft: Draft) -> Element:
    """Take a unit: its words, and system and code when CWE.3 names a system or the unit is known to be UCUM."""
    cwe = segment[n]
    found = cwe_to_unit(cwe)
    code, named = code_of(cwe.c(1)), cwe.c(3).strip()
    if found and "system" not in found and code and named and named.upper() not in ("L", "99", "ISO+", "ANS+"):
        return {**found, "system": coding_system(named, draft.context), "code": code}
    return found


def amount(segment: Segment, n: int, unit: Element) -> Element | None:
    """Take a number as a Quantity in that unit; one that cannot be read is given back."""
    text = segment[n].text
    value = nm_to_decimal(text)
    if value is None:
        if text:
            segment.give_back(n)
        return None
    return quantity(value, unit)


def measured(segment: Segment, n: int, n_unit: int, draft: Draft) -> Element | None:
    """Take an amount and its unit; a unit alone is given back."""
    found = amount(segment, n, unit_of(segment, n_unit, draft))
    if found is None and segment.peek(n_unit):
        segment.give_back(n_unit, NO_AMOUNT)
    return found


def dose(segment: Segment, low: int, high: int, n_unit: int, draft: Draft) -> Element:
    """Give `doseQuantity`, or `doseRange` when least and most differ; `text` of a dose that is no number (`875/125`)."""
    unit = unit_of(segment, n_unit, draft)
    said = [text for text in dict.fromkeys(words(segment[n].text) for n in (low, high)) if text]
    if any(nm_to_decimal(text) is None for text in said):
        return {"text": " ".join(part for part in (" – ".join(said), unit.get("unit", "")) if part)}
    least, most = amount(segment, low, unit), amount(segment, high, unit)
    if least is None and most is None:
        if unit:
            segment.give_back(n_unit, NO_AMOUNT)
        return {}
    if least is None or most is None or least["value"] == most["value"]:
        return {"doseQuantity": least or most}
    if least["value"] > most["value"]:
        least, most = most, least
    return {"doseRange": {"low": least, "high": most}}


def rate(segment: Segment, per: int, n_amount: int, n_unit: int, given: Element, draft: Draft) -> Element:
    """Give `rateQuantity` of a rate and its unit, or `rateRatio` when the time it is for stands apart.

    A time without a rate is the time in which the dose itself is given.
    """
    written = words(segment[per].text) if per else ""
    time = letters_to_length(written) if written else None
    speed = measured(segment, n_amount, n_unit, draft) if n_amount else None
    if speed is not None and (time is None or "/" in speed.get("unit", "")):
        if written:
            segment.ignore(per, "the unit of the rate has its time already")
        return {"rateQuantity": speed}
    numerator = speed or given.get("doseQuantity")
    if time is None or numerator is None:
        if written:
            segment.give_back(per)
        return {}
    value, unit = time
    return {
        "rateRatio": {
            "numerator": numerator,
            "denominator": {"value": value, "unit": unit, "system": UCUM, "code": unit},
        }
    }


def dose_and_rate(given: Element, speed: Element) -> Element:
    """Write Dosage.doseAndRate of an ordered dose and rate."""
    given = {name: value for name, value in given.items() if name != "text"}
    return {"type": _ORDERED, **given, **speed} if given or speed else {}


def daily(segment: Segment, n: int) -> Element | None:
    """Take a total daily dose as Dosage.maxDosePerPeriod."""
    value = nm_to_decimal(segment[n].c(1))
    if value is None:
        if segment.peek(n):
            segment.give_back(n)
        return None
    shown = words(segment[n].c(2, 2)) or words(segment[n].c(2))
    unit = cwe_to_unit(_Unit(segment[n])) or compact({"unit": shown})
    day = {"value": Decimal(1), "unit": "d", "system": UCUM, "code": "d"}
    return {"numerator": quantity(value, unit), "denominator": day}


class _Unit:
    """See the second component of a CQ as the CWE of its unit."""

    __slots__ = ("_cq",)

    def __init__(self, cq: Components) -> None:
        self._cq = cq

    def __bool__(self) -> bool:
        return bool(self._cq)

    def c(self, n: int, s: int = 1) -> str:
        return self._cq.c(2, n) if s == 1 else ""


def instructions(segment: Segment, n: int, given: Element, draft: Draft) -> Element:
    """Give `text` of a dose and instructions in words, `additionalInstruction` of those with a code of their own."""
    said: list[str] = [given["text"]] if "text" in given else []
    coded: list[Element] = []
    for cwe in segment[n].repetitions:
        concept = cwe_to_codeable_concept(cwe, draft.context)
        text = words(cwe.c(9)) or words(cwe.c(2))
        if concept and concept.get("coding") and text:
            coded.append(concept)
        elif concept:
            said.append(text or words(cwe.c(1)))
    return compact({"text": "\n".join(said), "additionalInstruction": coded})


def remarks(segment: Segment, n: int) -> list[Element]:
    """Take a coded or plain text as Annotations."""
    texts = [words(cwe.c(9)) or words(cwe.c(2)) or words(cwe.c(1)) for cwe in segment[n].repetitions]
    return [{"text": text} for text in dict.fromkeys(texts) if text]


def concepts(segment: Segment, n: int, draft: Draft, system: str = "") -> list[Element]:
    """Take every repetition of a coded field."""
    found = (cwe_to_codeable_concept(cwe, draft.context, system=system) for cwe in segment[n].repetitions)
    return [one for one in found if one]


def distinct(elements: list[Element]) -> list[Element]:
    """Leave out what stands there before."""
    return list({repr(element): element for element in elements}.values())


def category(segment: Segment, n: int, draft: Draft) -> Element | None:
    """Take the pharmacy order type as a category."""
    return cwe_to_codeable_concept(segment[n], draft.context, system=f"{V2_TABLE}0480")


def dosage(base: Element, timed: Timed, route: Element) -> Element:
    """Put one Dosage together: what the RX segment says, when, and by which route; empty elements stay in it."""
    texts = [text for text in (base.get("text", ""), timed.text) if text]
    extra = [*base.get("additionalInstruction", []), *route.get("additionalInstruction", [])]
    if timed.condition:
        extra.append({"text": timed.condition})
    rates = list(base.get("doseAndRate", []))
    if timed.dose is not None and not any("doseQuantity" in one or "doseRange" in one for one in rates):
        rates = [{**(rates[0] if rates else {}), "doseQuantity": timed.dose}]
    return {
        "text": "\n".join(dict.fromkeys(texts)),
        "additionalInstruction": extra,
        "timing": timed.timing,
        "asNeededBoolean": True if timed.as_needed else None,
        "site": route.get("site"),
        "route": route.get("route"),
        "method": route.get("method"),
        "doseAndRate": rates,
        "maxDosePerPeriod": base.get("maxDosePerPeriod"),
        "maxDosePerAdministration": base.get("maxDosePerAdministration"),
    }


def completed(times: list[Timed], others: list[list[Timed]]) -> list[Timed]:
    """Add to one timing what only another place says of the same: how often, from when, how urgent."""
    if len(times) != 1:
        return times
    timed = times[0]
    for other in (one[0] for one in others if len(one) == 1):
        if other is timed:
            continue
        timed.timing = _filled(timed.timing, other.timing)
        timed.dose = timed.dose or other.dose
        timed.as_needed |= other.as_needed
        timed.priority = timed.priority or other.priority
        timed.text = timed.text or other.text
        timed.condition = timed.condition or other.condition
    return times


def _filled(timing: Element, other: Element) -> Element:
    """Add how often or the bounds where a Timing lacks the one or the other; never mix two patterns."""
    bounds = {name for name in (*timing.get("repeat", {}), *other.get("repeat", {})) if name.startswith("bounds")}
    own, more = timing.get("repeat", {}), other.get("repeat", {})
    repeat = dict(own)
    if not any(name.startswith("bounds") for name in own):
        repeat |= {name: value for name, value in more.items() if name in bounds}
    if not any(name not in bounds for name in own) and "code" not in timing:
        repeat |= {name: value for name, value in more.items() if name not in bounds}
        return compact({"repeat": repeat, "code": other.get("code")})
    return compact({"repeat": repeat, "code": timing.get("code")})
