"""How a medicine is taken: times, dose, rate, route, limits, instructions.

`effectiveTime` has the bounds (IVL_TS) first, then what repeats: PIVL_TS for an interval or an hour of day, EIVL_TS for meals
and sleep. What v3 has no event for (morning, evening) and what has no exact interval is in the words of the instruction only.

Standard: CDA R2 §4.3.6.7, HL7 v3 Data Types R1 (GTS)
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from mappings.cda.datatypes import amount, interval, quantity_range, ratio, timestamp
from mappings.cda.elements import one
from mappings.cda.markup import Markup, el
from mappings.cda.writer import COMPLETED, Writer
from mappings.documents import wording
from mappings.systems import UCUM, V3_ACT_CODE

EVENTS = frozenset({"AC", "ACD", "ACM", "ACV", "C", "CD", "CM", "CV", "HS", "PC", "PCD", "PCM", "PCV", "WAKE"})
_SMALLER = {"wk": (7, "d"), "d": (24, "h"), "h": (60, "min"), "min": (60, "s")}
_CALENDAR = {"a": "a", "mo": "mo", "wk": "wk", "d": "d", "h": "h", "min": "min", "s": "s"}
_ANY_DAY = "19000101"


def effective_times(dosage: dict[str, Any]) -> list[Markup]:
    """Make `effectiveTime` of a timing."""
    timing = dosage.get("timing", {})
    repeat = timing.get("repeat", {})
    made: list[Markup] = []
    if repeat.get("boundsPeriod"):
        made.append(interval("effectiveTime", repeat["boundsPeriod"], "IVL_TS"))
    elif repeat.get("boundsDuration"):
        width = amount("width", repeat["boundsDuration"])
        made.append(el("effectiveTime", width, xsi_type="IVL_TS"))
    made += [el("effectiveTime", value=timestamp(event)) for event in timing.get("event", [])]
    repeats = [*_hours(repeat), *_meals(repeat)]
    if not repeats and (period := _period(repeat)):
        repeats = [("PIVL_TS", [period], "true")]
    for n, (kind, children, institution) in enumerate(repeats):
        operator = None if not made and not n else "A" if not n else "I"
        made.append(
            el("effectiveTime", *children, xsi_type=kind, operator=operator, institutionSpecified=institution or None)
        )
    return made


def _hours(repeat: dict[str, Any]) -> Iterable[tuple[str, list[Markup], str]]:
    """Repeat at an hour of day, every day."""
    for hour in repeat.get("timeOfDay", []):
        low = el("low", value=_ANY_DAY + hour.replace(":", "")[:6])
        yield "PIVL_TS", [el("phase", low), el("period", value="1", unit="d")], ""


def _meals(repeat: dict[str, Any]) -> Iterable[tuple[str, list[Markup], str]]:
    """Repeat at meals and at sleep, with the time before or after."""
    offset = repeat.get("offset")
    for event in repeat.get("when", []):
        if event in EVENTS:
            shift = [el("offset", el("low", value=str(offset), unit="min"))] if offset else []
            yield "EIVL_TS", [el("event", code=event), *shift], ""


def _period(repeat: dict[str, Any]) -> Markup | None:
    """Give the interval between two doses, exact: three times a day is every 8 hours."""
    times, period, unit = repeat.get("frequency", 1), repeat.get("period"), repeat.get("periodUnit")
    if not isinstance(period, (int, Decimal)) or unit not in _CALENDAR:
        return None
    amount_of = Decimal(period)
    while amount_of % times and unit in _SMALLER:
        many, unit = _SMALLER[unit]
        amount_of *= many
    if amount_of % times and (amount_of * 1000) % times:
        return None
    return el("period", value=wording.number((amount_of / times).normalize() + 0), unit=unit)


def doses(dosage: dict[str, Any]) -> tuple[Markup | None, Markup | None]:
    """Make `doseQuantity` and `rateQuantity`; of several kinds (ordered, calculated) the first."""
    said = next(iter(dosage.get("doseAndRate", [])), dosage)
    dose = said.get("doseQuantity") or said.get("dose")
    dosed = amount("doseQuantity", dose) if dose else None
    if said.get("doseRange"):
        dosed = quantity_range("doseQuantity", said["doseRange"])
    rated = amount("rateQuantity", said["rateQuantity"]) if said.get("rateQuantity") else None
    if said.get("rateRange"):
        rated = quantity_range("rateQuantity", said["rateRange"])
    if said.get("rateRatio"):
        rated = _rate(said["rateRatio"])
    return dosed, rated


def _rate(said: dict[str, Any]) -> Markup | None:
    """Make a rate of a ratio: `125 mL / 1 h` is `125 mL/h`; None when a unit is none of UCUM or the denominator is not 1."""
    top, bottom = said.get("numerator", {}), said.get("denominator", {})
    if bottom.get("value") != 1 or not all(one.get("system") == UCUM and one.get("code") for one in (top, bottom)):
        return None
    return amount("rateQuantity", {**top, "code": f"{top['code']}/{bottom['code']}"})


def limit(dosage: dict[str, Any]) -> Markup | None:
    """Make `maxDoseQuantity`: the most in a period."""
    most = dosage.get("maxDosePerPeriod")
    return ratio("maxDoseQuantity", most) if most else None


def precondition(dosage: dict[str, Any], w: Writer) -> Markup | None:
    """Say that it is taken as needed, and for what."""
    code = w.types.code("code", V3_ACT_CODE, "ASSERTION", "Assertion")
    if dosage.get("asNeededCodeableConcept"):
        return el("precondition", el("criterion", code, w.coded("value", dosage["asNeededCodeableConcept"], "CD")))
    if dosage.get("asNeededBoolean"):
        return el("precondition", el("criterion", code, el("value", xsi_type="BL", value="true")))
    return None


def instructions(dosage: dict[str, Any], w: Writer, path: str) -> list[Markup | None]:
    """Make what is told in words, and what has no place in an administration, by its path below `path`."""
    made: list[Markup | None] = []
    if dosage.get("text"):
        said = w.remark("76662-6", "Instructions Medication", dosage["text"])
        made.append(w.related("SUBJ", said, inverted=True))
    if dosage.get("patientInstruction"):
        made.append(w.related("SUBJ", _told(w, el("text", dosage["patientInstruction"])), inverted=True))
    return [*made, *_by_path(dosage, w, path)] if path else made


def _by_path(dosage: dict[str, Any], w: Writer, path: str) -> Iterable[Markup | None]:
    for n, concept in enumerate(dosage.get("additionalInstruction", [])):
        yield one(f"{path}.additionalInstruction[{n}]", "CodeableConcept", concept, w)
    for n, said in enumerate(dosage.get("doseAndRate", [])):
        yield one(f"{path}.doseAndRate[{n}].type", "CodeableConcept", said.get("type"), w)
    yield one(f"{path}.sequence", "integer", dosage.get("sequence"), w)
    yield one(f"{path}.timing.code", "CodeableConcept", dosage.get("timing", {}).get("code"), w)
    yield one(f"{path}.method", "CodeableConcept", dosage.get("method"), w)


def _told(w: Writer, text: Markup) -> Markup:
    code = w.types.code("code", V3_ACT_CODE, "PINSTRUCT", "Patient instructions")
    return el("act", code, text, COMPLETED, classCode="ACT", moodCode="INT")
