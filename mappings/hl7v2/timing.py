"""TQ, RPT and RI as FHIR Timing: when something is done or given, how often, until when, how urgently.

What a pattern does not say in a form that FHIR counts with stays as the words of the sender. Clock times stand in
`repeat.timeOfDay` instead of how often, unless the pattern hangs on meals or is not daily: FHIR does not let them stand there.
The segment TQ1 is read in `segments/tq1.py`, into the same `Timed`.

Standard: HL7 v2.5.1 §2.A.64 (RI), §2.A.66 (RPT), §2.A.81 (TQ), §4.3; v2.3.1 §4.4
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from mappings import codes
from mappings.formats import er7
from mappings.hl7v2.codings import cwe_to_codeable_concept
from mappings.hl7v2.context import Context
from mappings.hl7v2.datatypes import Components, Element, Subcomponents, code_of, compact, period, words
from mappings.hl7v2.draft import datetime_of
from mappings.hl7v2.quantities import cq_to_quantity, nm_to_count, nm_to_decimal
from mappings.systems import UCUM

_LETTERS = {"S": "s", "M": "min", "H": "h", "D": "d", "W": "wk", "L": "mo"}
"""Letters of the patterns `Q6H`, `D10` → units of time."""
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MEALS = frozenset({"AC", "ACM", "ACD", "ACV", "PC", "PCM", "PCD", "PCV", "CM", "CD", "CV", "HS", "WAKE"})
"""Codes of table 0528 that FHIR's event-timing has too. `C` alone means continuous in table 0335."""
_EVENTS = _MEALS | {"C"}
_WITH_MEAL = frozenset({"C", "CM", "CD", "CV"})
"""Events that nothing is before or after of. Standard: FHIR R4, invariant tim-9"""
_WORDS: dict[str, dict[str, Any]] = {
    "BID": {"frequency": 2, "period": Decimal(1), "periodUnit": "d"},
    "TID": {"frequency": 3, "period": Decimal(1), "periodUnit": "d"},
    "QID": {"frequency": 4, "period": Decimal(1), "periodUnit": "d"},
    "QD": {"frequency": 1, "period": Decimal(1), "periodUnit": "d"},
    "DAILY": {"frequency": 1, "period": Decimal(1), "periodUnit": "d"},
    "QOD": {"frequency": 1, "period": Decimal(2), "periodUnit": "d"},
    "QSHIFT": {"frequency": 3, "period": Decimal(1), "periodUnit": "d"},
    "QAM": {"frequency": 1, "period": Decimal(1), "periodUnit": "d", "when": ["MORN"]},
    "QPM": {"frequency": 1, "period": Decimal(1), "periodUnit": "d", "when": ["EVE"]},
    "QHS": {"frequency": 1, "period": Decimal(1), "periodUnit": "d", "when": ["HS"]},
    "ONCE": {"count": 1},
    "1": {"count": 1},
    "C": {},
    "": {},
}
_EVERY = re.compile(r"^Q(\d{0,4})([SMHDWL])$")
_WEEKDAY = re.compile(r"^Q(\d{0,3})J([1-7]+)$")
_TIMES = re.compile(r"^([1-9]\d?)ID$")
_TOTAL = re.compile(r"^[XT](\d{1,6})$")
_PROSE = (
    re.compile(r"^(?:every|q|mỗi)\s*(?P<period>\d+)?\s*(?:\([^)]*\))?\s*(?P<unit>[a-zờúầàăiáâê]+)$"),
    re.compile(
        r"^(?P<often>\d+|once|twice)\s*(?:times?|lần|x)?\s*(?:/|a|per|each|mỗi)?\s*(?P<each>daily|day|ngày|week|tuần)$"
    ),
    re.compile(r"^(?P<each>ngày|tuần)\s*(?P<often>\d+)\s*lần$"),
)
_UNIT_WORDS = {
    "s": "s", "sec": "s", "second": "s", "seconds": "s", "giây": "s",
    "min": "min", "mins": "min", "minute": "min", "minutes": "min", "phút": "min", "m": "min",
    "h": "h", "hr": "h", "hrs": "h", "hour": "h", "hours": "h", "giờ": "h",
    "d": "d", "day": "d", "days": "d", "daily": "d", "ngày": "d",
    "w": "wk", "wk": "wk", "week": "wk", "weeks": "wk", "tuần": "wk",
    "mo": "mo", "mon": "mo", "month": "mo", "months": "mo", "tháng": "mo", "l": "mo",
    "y": "a", "a": "a", "year": "a", "years": "a", "năm": "a",
}  # fmt: skip
_LENGTHS = {"s": 1, "min": 60, "h": 3600, "d": 86400, "wk": 604800}
_COUNTS = {"once": 1, "twice": 2}

Length = tuple[Decimal, str]
"""A number and a UCUM unit of time."""


class Pattern(NamedTuple):
    """What a repeat pattern says."""

    repeat: Element
    as_needed: bool = False
    known: bool = True
    """False for words that no rule reads; they stay as text."""


@dataclass
class Timed:
    """What TQ1 or TQ says of an order beside its Timing."""

    timing: Element = field(default_factory=dict)
    dose: Element | None = None
    """TQ1-2 or TQ.1: how much each time."""
    as_needed: bool = False
    priority: str = ""
    text: str = ""
    condition: str = ""
    in_turn: bool = True
    """The next one begins when this one ends (conjunction S); else they run beside each other."""


# ---- times and lengths ----


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


def times_of_day(texts: Sequence[str]) -> list[str]:
    """Read times of day, also written with colons; what is none is left out."""
    return [clock for text in texts if (clock := time_of_day(text.replace(":", "")))]


def unit_of_time(text: str) -> str:
    """Give the UCUM unit of time that a word means: `giờ`, `hours`, `H` → `h`; `""` when it is none."""
    return _UNIT_WORDS.get(words(text).lower(), "")


def cq_to_length(cq: Components) -> Length | None:
    """Read CQ as a length of time; `None` when it is none."""
    amount, unit = nm_to_decimal(cq.c(1)), unit_of_time(cq.c(2, 1)) or unit_of_time(cq.c(2, 2))
    return (amount, unit) if amount is not None and amount > 0 and unit else None


def letters_to_length(text: str) -> Length | None:
    """Read `H6`, `D10`, `M30` as number and unit; also `10D` and `10 days`; a bare letter is one of it."""
    text = words(text)
    match = re.match(r"^([SMHDWL])(\d*)$", text.upper())
    if match:
        return Decimal(match[2] or "1"), _LETTERS[match[1]]
    match = re.match(r"^(\d+(?:\.\d+)?)\s*([^\W\d]+)$", text)
    if match:
        unit = _LETTERS.get(match[2]) or unit_of_time(match[2])
        return (Decimal(match[1]), unit) if unit else None
    return (Decimal(1), unit_of_time(text)) if unit_of_time(text) else None


def minutes_of(number: str, unit: str) -> int | None:
    """Give a length of time in minutes; `None` when it has none."""
    value = nm_to_decimal(number)
    known = unit_of_time(unit)
    if value is None or known not in _LENGTHS or value < 0:
        return None
    return int(value * _LENGTHS[known] / 60)


def urgency(code: str) -> str:
    """Give the request priority of a code of table 0485; `TM30` (critical within 30 minutes) is urgent like `T`."""
    code = code_of(code).upper()
    timed = re.match(r"^T[SMHDWL]\d+$", code)
    return codes.table("v2-0485").target("T" if timed else code)


# ---- patterns ----


def repeat_pattern_to_repeat(code: str) -> Pattern:
    """Read a code of table 0335, or plain words such as `3 times daily`, `ngày 2 lần`.

    `PRN` alone means as needed; before a pattern (`PRNQ6H`) the pattern is as needed.
    """
    spoken = words(code)
    upper = code_of(code).upper().replace(" ", "")
    if upper.startswith("PRN"):
        return repeat_pattern_to_repeat(upper[3:])._replace(as_needed=True)
    if upper.endswith("PRN") and len(upper) > 3:
        return repeat_pattern_to_repeat(upper[:-3])._replace(as_needed=True)
    if upper in _WORDS:
        return Pattern(dict(_WORDS[upper]))
    if upper in _MEALS:
        return Pattern({"when": [upper]})
    every = _EVERY.match(upper)
    if every and int(every[1] or 1):
        return Pattern({"frequency": 1, "period": Decimal(every[1] or "1"), "periodUnit": _LETTERS[every[2]]})
    weekday = _WEEKDAY.match(upper)
    if weekday and int(weekday[1] or 1):
        days = [_DAYS[int(n) - 1] for n in dict.fromkeys(weekday[2])]
        return Pattern({"frequency": 1, "period": Decimal(weekday[1] or "1"), "periodUnit": "wk", "dayOfWeek": days})
    times = _TIMES.match(upper)
    if times:
        return Pattern({"frequency": int(times[1]), "period": Decimal(1), "periodUnit": "d"})
    return _spoken(spoken.lower())


def _spoken(text: str) -> Pattern:
    for form in _PROSE:
        match = form.match(text)
        if match is None:
            continue
        said = match.groupdict()
        often = said.get("often") or "1"
        unit = unit_of_time(said.get("unit") or said.get("each") or "")
        number = _COUNTS.get(often) or int(often)
        length = int(said.get("period") or 1)
        if unit and number and length:
            return Pattern({"frequency": number, "period": Decimal(length), "periodUnit": unit})
    return Pattern({}, known=False)


def _code(concept: Element | None, written: str) -> Element | None:
    """Make Timing.code: HL7's code where there is one, else the sender's words."""
    upper = code_of(written).upper()
    row = codes.table("v2-0335").find("Once" if upper == "ONCE" else upper) if len(upper) > 1 or upper == "C" else None
    text = (concept or {}).get("text", "")
    if row:
        return compact({"coding": [row.coding()], "text": text if text.upper() != upper else ""})
    text = text or words(written)
    return {"text": text} if text else None


def take_pattern(rpt: Components, repeat: Element, found: Timed, context: Context) -> Element | None:
    """Add to `repeat` what RPT says, RPT.5 to RPT.10 before the pattern, and give its name."""
    written = rpt.c(1) or rpt.c(1, 2)
    pattern = repeat_pattern_to_repeat(written)
    found.as_needed |= pattern.as_needed
    if not repeat:
        repeat.update(pattern.repeat)
    elif pattern.repeat.get("when"):
        repeat["when"] = [*repeat.get("when", []), *pattern.repeat["when"]]
    if rpt.c(2).strip().upper() == "DW":
        first, last = nm_to_count(rpt.c(3)), nm_to_count(rpt.c(4))
        if 1 <= first <= 7:
            repeat["dayOfWeek"] = list(_DAYS[first - 1 : last if first <= last <= 7 else first])
    length, unit = nm_to_decimal(rpt.c(5)), unit_of_time(rpt.c(6))
    if length is not None and length > 0 and unit:
        repeat.setdefault("frequency", 1)
        repeat |= {"period": length, "periodUnit": unit}
    event = code_of(rpt.c(8)).upper()
    event = codes.table("v2-0528").target(event) or (event if event in _EVENTS else "")
    if event:
        repeat["when"] = [*repeat.get("when", []), event]
    away = minutes_of(rpt.c(9), rpt.c(10))
    if away is not None and hangs_on_event(repeat):
        repeat["offset"] = away
    if written:
        return _code(cwe_to_codeable_concept(Subcomponents(rpt, 1), context), written)
    general = words(rpt.c(11))
    return {"text": general} if general else None


def hangs_on_event(repeat: Element) -> bool:
    """Tell whether there is an event from which a distance can be said. Standard: FHIR R4, invariant tim-9"""
    return bool(repeat.get("when")) and _WITH_MEAL.isdisjoint(repeat["when"])


# ---- Timing ----


def bound(repeat: Element, start: str, end: str, length: Length | None) -> None:
    """Set the bounds of a Timing.repeat from a start, an end and a length of time.

    Days are counted whole: three days from the 1st end on the 3rd.
    """
    if length is not None and not start and not end:
        repeat["boundsDuration"] = {"value": length[0], "unit": length[1], "system": UCUM, "code": length[1]}
        return
    if length is not None and start and not end:
        end = _shifted(start, length, 1)
    elif length is not None and end and not start:
        start = _shifted(end, length, -1)
    limits = period(start, end)
    if limits:
        repeat["boundsPeriod"] = limits


def _shifted(moment: str, length: Length, direction: int) -> str:
    seconds = _LENGTHS.get(length[1])
    if seconds is None or len(moment) < 10:
        return ""
    try:
        distance = timedelta(seconds=float(length[0] * seconds))
        if "T" in moment:
            return (datetime.fromisoformat(moment) + direction * distance).isoformat()
        if distance.days < 1:
            return ""
        return (date.fromisoformat(moment) + direction * (distance - timedelta(days=1))).isoformat()
    except OverflowError:
        return ""


def timing_of(repeat: Element, times: Sequence[str], code: Element | None) -> Element:
    """Make Timing of its parts so that FHIR's rules about them hold: clock times stand instead of how often."""
    if times and not repeat.get("when") and _is_daily(repeat):
        for name in ("frequency", "period", "periodUnit"):
            repeat.pop(name, None)
        repeat["timeOfDay"] = list(dict.fromkeys(times))
    if repeat.get("when"):
        repeat["when"] = list(dict.fromkeys(repeat["when"]))
    return compact({"repeat": compact(repeat), "code": code})


def _is_daily(repeat: Element) -> bool:
    """Tell whether clock times say all: they hold for every day, or every day of the week that is named."""
    unit, length = repeat.get("periodUnit", ""), repeat.get("period", Decimal(1))
    return unit in ("", "h") or (length == 1 and (unit == "d" or bool(repeat.get("dayOfWeek"))))


def tq_to_timed(tq: Components, context: Context) -> Timed:
    """Read one TQ of ORC-7, RXE-1, RXG-3 or OBR-27. Standard: HL7 v2.3.1 §4.4.1–4.4.12"""
    found = Timed()
    interval = words(tq.c(2))
    pattern = repeat_pattern_to_repeat(interval)
    repeat = dict(pattern.repeat)
    lasting = words(tq.c(3))
    total = _TOTAL.match(lasting.upper())
    if total:
        repeat["count"] = int(total[1])
    elif lasting.upper() == "ONCE":
        repeat["count"] = 1
    start = datetime_of(tq.c(4), context) if tq.c(4) else ""
    end = datetime_of(tq.c(5), context) if tq.c(5) else ""
    bound(repeat, start, end, letters_to_length(lasting) if lasting and not total else None)
    each = cq_to_length(Subcomponents(tq, 11)) or letters_to_length(tq.c(11))
    if each:
        repeat |= {"duration": each[0], "durationUnit": each[1]}
    count = nm_to_count(tq.c(12))
    if count:
        repeat["count"] = count
    if repeat.get("count") == 0:
        del repeat["count"]
    found.timing = timing_of(repeat, times_of_day(tq.c(2, 2).split(",")), _code(None, interval) if interval else None)
    found.dose = cq_to_quantity(_Quantity(tq))
    found.priority = urgency(tq.c(6))
    found.as_needed = pattern.as_needed or is_as_needed(tq.c(6))
    found.condition = words(tq.c(7))
    found.text = words(tq.c(8))
    found.in_turn = code_of(tq.c(9)).upper() != "A"
    return found


def is_as_needed(priority: str) -> bool:
    """Tell whether a priority of table 0485 is "when needed"."""
    return code_of(priority).upper().startswith("PRN")


class _Quantity:
    """See the first component of TQ, a CQ in subcomponents, as a CQ."""

    __slots__ = ("_tq",)

    def __init__(self, tq: Components) -> None:
        self._tq = tq

    def __bool__(self) -> bool:
        return bool(self._tq)

    def c(self, n: int, s: int = 1) -> str:
        if n == 1:
            return self._tq.c(1) if s == 1 else ""
        return self._tq.c(1, n) if s == 1 else self._tq.c(1, n + s - 1)


# ---- requests ----


def timed_to_request(timed: Timed) -> dict[str, Any]:
    """Give `quantityQuantity`, `occurrence[x]`, `asNeededBoolean`, `priority` and `note` as a ServiceRequest has them.

    A Timing that is nothing but a time is the period itself; one of a thing is what every order asks for.
    """
    timing = timed.timing
    found: dict[str, Any] = {"priority": timed.priority}
    if timed.as_needed:
        found["asNeededBoolean"] = True
    if timed.dose and timed.dose != {"value": Decimal(1)}:
        found["quantityQuantity"] = timed.dose
    if set(timing) == {"repeat"} and set(timing["repeat"]) == {"boundsPeriod"}:
        found["occurrencePeriod"] = timing["repeat"]["boundsPeriod"]
    elif timing:
        found["occurrenceTiming"] = timing
    notes = [{"text": text} for text in (timed.condition, timed.text) if text]
    return compact({**found, "note": notes})


def tq_to_request(tq: Sequence[er7.Repetition], context: Context) -> dict[str, Any]:
    """Give what TQ says of a ServiceRequest: of several the first, with the priority, condition and text of all."""
    found: dict[str, Any] = {}
    notes: list[Element] = []
    for n, one in enumerate(tq):
        said = timed_to_request(tq_to_timed(one, context))
        notes += said.pop("note", [])
        if n:
            said = {name: said[name] for name in ("priority", "asNeededBoolean") if name in said}
        found = {**said, **found}
    span = found.get("occurrencePeriod", {})
    if set(span) == {"start"}:
        del found["occurrencePeriod"]
        found["occurrenceDateTime"] = span["start"]
    return compact({**found, "note": notes})
