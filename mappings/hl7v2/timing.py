"""RPT, RI and TQ as Timing: when something is done, how often, until when.

Standard: HL7 v2.5.1 §2.A.64, §2.A.66, §2.A.81, §4.3; v2.3.1 §4.4
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from mappings import codes
from mappings.formats import er7
from mappings.hl7v2.context import Context
from mappings.hl7v2.datatypes import Components, Element, Subcomponents, code_of, compact, period, words
from mappings.hl7v2.draft import datetime_of
from mappings.hl7v2.quantities import cq_to_quantity, cwe_to_unit, nm_to_count, nm_to_decimal, quantity
from mappings.systems import UCUM

_UNITS = {"S": "s", "M": "min", "H": "h", "D": "d", "W": "wk", "L": "mo"}
"""Letter after the number of `Q6H` → unit of FHIR."""
_TIME_UNITS = frozenset({"s", "min", "h", "d", "wk", "mo", "a"})
_SPELLED = {
    "SEC": "s", "SECOND": "s", "SECONDS": "s", "MIN": "min", "MINUTE": "min", "MINUTES": "min", "HR": "h", "HOUR": "h",
    "HOURS": "h", "DAY": "d", "DAYS": "d", "WEEK": "wk", "WEEKS": "wk", "MONTH": "mo", "MONTHS": "mo", "YEAR": "a",
}  # fmt: skip
_MINUTES = {"min": 1, "h": 60, "d": 1440, "wk": 10080}
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MEALS = frozenset({"AC", "ACM", "ACD", "ACV", "PC", "PCM", "PCD", "PCV", "C", "CM", "CD", "CV"})
_WITH_MEAL = frozenset({"C", "CM", "CD", "CV"})
_EVERY = re.compile(r"^Q(\d+)([SMHDWL])$")
_WEEKDAYS = re.compile(r"^Q(\d*)J([1-7]+)$")
_TIMES_A_DAY = re.compile(r"^(\d+)ID$")
_FIXED: dict[str, Element] = {
    "QD": {"frequency": 1, "period": 1, "periodUnit": "d"},
    "BID": {"frequency": 2, "period": 1, "periodUnit": "d"},
    "TID": {"frequency": 3, "period": 1, "periodUnit": "d"},
    "QID": {"frequency": 4, "period": 1, "periodUnit": "d"},
    "QOD": {"frequency": 1, "period": 2, "periodUnit": "d"},
    "QAM": {"frequency": 1, "period": 1, "periodUnit": "d", "when": ["MORN"]},
    "QPM": {"frequency": 1, "period": 1, "periodUnit": "d", "when": ["EVE"]},
    "QHS": {"frequency": 1, "period": 1, "periodUnit": "d", "when": ["HS"]},
    "QSHIFT": {"frequency": 3, "period": 1, "periodUnit": "d"},
    "ONCE": {"count": 1},
}


def pattern(code: str) -> Element:
    """Give the `repeat` that a repeat pattern of table 0335 stands for; empty when it cannot be said in FHIR."""
    code = code.upper().removeprefix("PRN") or "PRN"
    if code in _FIXED:
        fixed = dict(_FIXED[code])
        return fixed | {"when": list(fixed["when"])} if "when" in fixed else fixed
    every, weekdays, daily = _EVERY.match(code), _WEEKDAYS.match(code), _TIMES_A_DAY.match(code)
    if every and int(every[1]):
        return {"frequency": 1, "period": int(every[1]), "periodUnit": _UNITS[every[2]]}
    if weekdays:
        days = [_DAYS[int(day) - 1] for day in dict.fromkeys(weekdays[2])]
        return {"frequency": 1, "period": int(weekdays[1] or "1") or 1, "periodUnit": "wk", "dayOfWeek": days}
    if daily and int(daily[1]):
        return {"frequency": int(daily[1]), "period": 1, "periodUnit": "d"}
    return {"when": [code]} if code in _MEALS else {}


def pattern_concept(code: str, shown: str = "") -> Element:
    """Name a repeat pattern as table 0335 does, or in words."""
    row = codes.table("v2-0335").find(code) or codes.table("v2-0335").find(code.upper())
    return compact({"coding": [row.coding()] if row else [], "text": shown or code})


def is_as_needed(code: str) -> bool:
    """Tell whether a repeat pattern or priority means "when needed"."""
    return code.strip().upper().startswith("PRN")


def rpt_to_timing(rpt: Components) -> Element:
    """Make a Timing of RPT; what RPT.5 to RPT.10 say goes before the pattern."""
    code, shown = code_of(rpt.c(1)), words(rpt.c(1, 2))
    repeat = pattern(code)
    amount, unit = nm_to_decimal(rpt.c(5)), time_unit(rpt.c(6))
    if amount is not None and amount > 0 and unit:
        repeat |= {"frequency": repeat.get("frequency", 1), "period": amount, "periodUnit": unit}
    if rpt.c(2).strip().upper() == "DW":
        first, last = nm_to_count(rpt.c(3)), nm_to_count(rpt.c(4))
        if 1 <= first <= 7:
            last = last if first <= last <= 7 else first
            repeat["dayOfWeek"] = list(_DAYS[first - 1 : last])
    event = code_of(rpt.c(8)).upper()
    event = codes.table("v2-0528").target(event) or (event if event in _MEALS else "")
    if event:
        repeat["when"] = [event]
    away = nm_to_count(rpt.c(9)) * _MINUTES.get(time_unit(rpt.c(10)), 0)
    if away and not _WITH_MEAL.intersection(repeat.get("when", _WITH_MEAL)):
        repeat["offset"] = away
    concept = pattern_concept(code, shown) if code else {}
    general = words(rpt.c(11))
    return compact({"repeat": repeat, "code": concept or ({"text": general} if general else {})})


def ri_to_timing(pattern_code: str, explicit: str) -> Element:
    """Make a Timing of RI: a pattern and times of day parted by commas."""
    code = code_of(pattern_code)
    timing: Element = {"repeat": pattern(code), "code": pattern_concept(code)} if code else {"repeat": {}}
    add_times(timing["repeat"], explicit.split(","))
    return compact(timing)


def add_times(repeat: Element, texts: Sequence[str]) -> bool:
    """Add times of day, which exclude `when`; tell whether there were any."""
    clocks = [clock for text in texts if (clock := time_of_day(text.replace(":", "")))]
    if not clocks:
        return False
    repeat.pop("when", None)
    repeat.pop("offset", None)
    repeat["timeOfDay"] = clocks
    return True


def time_unit(text: str) -> str:
    """Give FHIR's unit of time of a unit as v2 writes it; `""` when it is none."""
    text = text.strip()
    if text in _TIME_UNITS:
        return text
    return _SPELLED.get(text.upper(), _UNITS.get(text.upper(), ""))


def cq_to_duration(cq: Components) -> Element:
    """Make a Duration of CQ; empty when its unit is no unit of time."""
    amount, unit = nm_to_decimal(cq.c(1)), time_unit(cq.c(2, 1)) or time_unit(cq.c(2, 2))
    if amount is None or amount <= 0 or not unit:
        return {}
    return {"value": amount, "unit": unit, "system": UCUM, "code": unit}


def add_duration(repeat: Element, length: Element) -> None:
    """Say how long one occurrence takes."""
    if length:
        repeat["duration"], repeat["durationUnit"] = length["value"], length["code"]


def bounded(timing: Element, start: str, end: str, length: Element) -> Element:
    """Say from when to when a Timing holds; by its length when neither is known."""
    bounds = period(start, end)
    if bounds:
        timing["repeat"] = {"boundsPeriod": bounds, **timing.get("repeat", {})}
    elif length:
        timing["repeat"] = {"boundsDuration": length, **timing.get("repeat", {})}
    return timing


def occurrence(timing: Element) -> Element:
    """Give `occurrence[x]`: a Timing that is nothing but a time is the time or period itself."""
    timing = compact({**timing, "repeat": timing.get("repeat", {})})
    repeat = timing.get("repeat", {})
    if not timing:
        return {}
    if set(timing) == {"repeat"} and set(repeat) == {"boundsPeriod"}:
        span = repeat["boundsPeriod"]
        return {"occurrencePeriod": span}
    return {"occurrenceTiming": timing}


_DURATION = re.compile(r"^(?:(\d+)?([SMHDWL])(\d+)?|X(\d+)|T(\d+)|(INDEF))$", re.IGNORECASE)


def tq_to_request(tq: Sequence[er7.Repetition], context: Context) -> dict[str, Any]:
    """Give what TQ says of a ServiceRequest: quantity, occurrence, asNeeded, priority, notes; of several the first.

    Standard: HL7 v2.3.1 §4.4.1–4.4.12
    """
    found: dict[str, Any] = {}
    notes: list[str] = []
    for n, one in enumerate(tq):
        notes += [text for text in (words(one.c(7)), words(one.c(8))) if text]
        urgency = codes.table("v2-0485").target(code_of(one.c(6)).upper())
        if urgency:
            found.setdefault("priority", urgency)
        if is_as_needed(one.c(2)) or is_as_needed(one.c(6)):
            found["asNeededBoolean"] = True
        if n:
            continue
        amount = cq_to_quantity(Subcomponents(one, 1), context) if one.c(1, 2) else _amount(one)
        if amount:
            found["quantityQuantity"] = amount
        timing = ri_to_timing(one.c(2), one.c(2, 2))
        repeat = timing.setdefault("repeat", {})
        length: Element = {}
        said = _DURATION.match(one.c(3).strip())
        if said and said[2]:
            unit = _UNITS[said[2].upper()]
            length = {"value": int(said[3] or said[1] or "1"), "unit": unit, "system": UCUM, "code": unit}
        elif said and (said[4] or said[5]) and int(said[4] or said[5]):
            repeat["count"] = int(said[4] or said[5])
        total = nm_to_count(one.c(12))
        if total:
            repeat["count"] = total
        add_duration(repeat, cq_to_duration(Subcomponents(one, 11)))
        start = datetime_of(one.c(4), context) if one.c(4) else ""
        end = datetime_of(one.c(5), context) if one.c(5) else ""
        if start and not end and not repeat and not timing.get("code") and not length:
            found["occurrenceDateTime"] = start
        else:
            found |= occurrence(bounded(timing, start, end, length))
    if notes:
        found["note"] = [{"text": text} for text in notes]
    return found


def _amount(one: Components) -> Element | None:
    """Give the quantity of TQ.1; 1 of nothing is what every order asks for."""
    value = nm_to_decimal(one.c(1))
    return None if value is None or value == Decimal(1) else quantity(value, {})


def cq_of(cq: Components, context: Context) -> Element | None:
    """Make a Quantity of CQ where a bare 1 says nothing."""
    value = nm_to_decimal(cq.c(1))
    if value is None:
        return None
    unit = cwe_to_unit(Subcomponents(cq, 2), context)
    return None if value == Decimal(1) and not unit else quantity(value, unit)


def time_of_day(text: str) -> str:
    """Read TM as FHIR time, seconds filled with zero; `""` when it is none."""
    digits = text.strip().partition("+")[0].partition("-")[0].partition(".")[0]
    if not digits.isascii() or not digits.isdigit() or len(digits) not in (2, 4, 6):
        return ""
    clock = (digits + "0000")[:6]
    hours, minutes, seconds = clock[:2], clock[2:4], clock[4:]
    if hours > "23" or minutes > "59" or seconds > "59":
        return ""
    return f"{hours}:{minutes}:{seconds}"
