"""When a medicine is to be given: TQ1 and the older TQ as FHIR Timing, repeat patterns of HL7 table 0335 as Timing.repeat.

What a pattern does not say in a form that FHIR counts with stays as the words of the sender. Clock times stand in
`repeat.timeOfDay` instead of how often, unless the pattern hangs on meals or is not daily: FHIR does not let them stand there.

Standard: HL7 v2.5.1 §4.3, §4.5.4; §2.A.81 (TQ), §2.A.62 (RI), §2.A.63 (RPT)
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from mappings import codes
from mappings.hl7v2.codings import cwe_to_codeable_concept
from mappings.hl7v2.context import Context
from mappings.hl7v2.datatypes import Components, Element, Subcomponents, code_of, compact, period, words
from mappings.hl7v2.draft import Draft, datetime_of
from mappings.hl7v2.quantities import cq_to_quantity, nm_to_count, nm_to_decimal
from mappings.hl7v2.reader import Segment
from mappings.systems import UCUM

UNITS = {"S": "s", "M": "min", "H": "h", "D": "d", "W": "wk", "L": "mo"}
"""Letters of the patterns `Q6H`, `D10` → units of time."""
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MEALS = frozenset({"AC", "ACM", "ACD", "ACV", "PC", "PCM", "PCD", "PCV", "CM", "CD", "CV", "HS", "WAKE"})
"""Codes of table 0528 that FHIR's event-timing has too. `C` alone means continuous in table 0335."""
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


def clock_of(tm: str, context: Context) -> str:
    """Read TM, also written with colons, as FHIR time; `""` when it is none."""
    digits = tm.strip().replace(":", "")
    return datetime_of(f"20000101{digits}", context)[11:19] if len(digits) > 1 else ""


def unit_of_time(text: str) -> str:
    """Give the UCUM unit of time that a word means: `giờ`, `hours`, `H` → `h`; `""` when it is none."""
    return _UNIT_WORDS.get(words(text).lower(), "")


def letters_to_duration(text: str) -> tuple[Decimal, str] | None:
    """Read `H6`, `D10`, `M30` as number and unit; also `10D` and `10 days`; a bare letter is one of it."""
    text = words(text)
    match = re.match(r"^([SMHDWL])(\d*)$", text.upper())
    if match:
        return Decimal(match[2] or "1"), UNITS[match[1]]
    match = re.match(r"^(\d+(?:\.\d+)?)\s*([^\W\d]+)$", text)
    if match:
        unit = UNITS.get(match[2]) or unit_of_time(match[2])
        return (Decimal(match[1]), unit) if unit else None
    return (Decimal(1), unit_of_time(text)) if unit_of_time(text) else None


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
        return Pattern({"frequency": 1, "period": Decimal(every[1] or "1"), "periodUnit": UNITS[every[2]]})
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


# ---- TQ1 ----


def tq1_to_timing(tq1: Segment, draft: Draft) -> Timed:
    """Read TQ1 as a medicine's timing.

    A duration beside a start or an end gives the other end; beside both it is given back.
    """
    found = Timed()
    repeat: Element = {}
    code: Element | None = None
    for rpt in tq1[3].repetitions:
        code = _take_pattern(rpt, repeat, found, draft) or code
    times = [clock for tm in tq1[4].repetitions if (clock := clock_of(tm.c(1), draft.context))]
    if tq1.peek(4) and not times:
        tq1.give_back(4)
    _take_offset(tq1, repeat, draft)
    _bounds(tq1, repeat, draft)
    lasting = cq_to_quantity(tq1[13], draft.context)
    unit = unit_of_time(tq1[13].c(2)) if lasting else ""
    if lasting and unit:
        repeat |= {"duration": lasting["value"], "durationUnit": unit}
    elif tq1.peek(13):
        tq1.give_back(13)
    count = nm_to_count(tq1[14].text)
    if count:
        repeat["count"] = count
    elif tq1.peek(14):
        tq1.give_back(14)
    found.timing = _timing(repeat, times, code)
    if times and "timeOfDay" not in found.timing.get("repeat", {}):
        tq1.give_back(4, "clock times beside a pattern that they cannot stand with")
    found.dose = cq_to_quantity(tq1[2], draft.context)
    _urgency(tq1, found)
    found.condition = words(tq1[10].whole)
    found.text = words(tq1[11].whole)
    found.in_turn = code_of(tq1.peek(12).text).upper() != "A"
    if tq1.peek(12):
        tq1.ignore(12, "conjunction; the sequence of the dosages keeps it")
    return found


def _urgency(tq1: Segment, found: Timed) -> None:
    for cwe in tq1[9].repetitions:
        said = code_of(cwe.c(1)).upper()
        if said == "PRN":
            found.as_needed = True
        found.priority = found.priority or urgency(said)
    if tq1.peek(9) and not found.priority and not found.as_needed:
        tq1.give_back(9)


def urgency(code: str) -> str:
    """Give the request priority of a code of table 0485; `TM30` (critical within 30 minutes) is urgent like `T`."""
    code = code_of(code).upper()
    timed = re.match(r"^T[SMHDWL]\d+$", code)
    return codes.table("v2-0485").target("T" if timed else code)


def _take_pattern(rpt: Components, repeat: Element, found: Timed, draft: Draft) -> Element | None:
    written = rpt.c(1) or rpt.c(1, 2)
    pattern = repeat_pattern_to_repeat(written)
    found.as_needed |= pattern.as_needed
    if not repeat:
        repeat.update(pattern.repeat)
    elif pattern.repeat.get("when"):
        repeat["when"] = [*repeat.get("when", []), *pattern.repeat["when"]]
    if rpt.c(2).strip().upper() == "DW":
        first = nm_to_count(rpt.c(3))
        last = nm_to_count(rpt.c(4)) or first
        if 1 <= first <= last <= 7:
            repeat["dayOfWeek"] = list(_DAYS[first - 1 : last])
    length, unit = nm_to_decimal(rpt.c(5)), unit_of_time(rpt.c(6))
    if length is not None and length > 0 and unit:
        repeat.setdefault("frequency", 1)
        repeat |= {"period": length, "periodUnit": unit}
    event = code_of(rpt.c(8)).upper()
    if event in _MEALS or event == "C":
        repeat["when"] = [*repeat.get("when", []), event]
    away = _minutes(rpt.c(9), rpt.c(10))
    if away is not None and repeat.get("when"):
        repeat["offset"] = away
    if not written:
        return None
    return _code(cwe_to_codeable_concept(Subcomponents(rpt, 1), draft.context), written)


def _minutes(number: str, unit: str) -> int | None:
    value = nm_to_decimal(number)
    known = unit_of_time(unit)
    if value is None or known not in _LENGTHS or value < 0:
        return None
    return int(value * _LENGTHS[known] / 60)


def _take_offset(tq1: Segment, repeat: Element, draft: Draft) -> None:
    if not tq1.peek(5):
        return
    away = _minutes(tq1[5].c(1), tq1[5].c(2))
    if away is None or not repeat.get("when") or "offset" in repeat:
        tq1.give_back(5, "relative time without an event to count from")
    else:
        repeat["offset"] = away


def _bounds(tq1: Segment, repeat: Element, draft: Draft) -> None:
    start, end = draft.moment(tq1, 7), draft.moment(tq1, 8)
    length = nm_to_decimal(tq1[6].c(1))
    unit = unit_of_time(tq1[6].c(2)) or UNITS.get(code_of(tq1[6].c(2)).upper(), "")
    if tq1.peek(6) and (length is None or not unit or (start and end)):
        if start and end:
            tq1.ignore(6, "start and end tell the duration")
        else:
            tq1.give_back(6, "not a length of time")
        length = None
    before = dict(repeat)
    bound(repeat, start, end, (length, unit) if length is not None else None)
    if length is not None and repeat == {**before, **_period(start, end)}:
        tq1.give_back(6, "duration that cannot be reckoned from a time so imprecise")


def _period(start: str, end: str) -> Element:
    limits = period(start, end)
    return {"boundsPeriod": limits} if limits else {}


def bound(repeat: Element, start: str, end: str, length: tuple[Decimal, str] | None) -> None:
    """Set the bounds of a Timing.repeat from a start, an end and a duration.

    Days are counted whole: three days from the 1st end on the 3rd.
    """
    if length is not None and not start and not end:
        repeat["boundsDuration"] = {"value": length[0], "unit": length[1], "system": UCUM, "code": length[1]}
        return
    if length is not None and start and not end:
        end = _shifted(start, length, 1)
    elif length is not None and end and not start:
        start = _shifted(end, length, -1)
    repeat.update(_period(start, end))


def _shifted(moment: str, length: tuple[Decimal, str], direction: int) -> str:
    seconds = _LENGTHS.get(length[1])
    if seconds is None or len(moment) < 10:
        return ""
    distance = timedelta(seconds=float(length[0] * seconds))
    try:
        if "T" in moment:
            return (datetime.fromisoformat(moment) + direction * distance).isoformat()
        if distance.days < 1:
            return ""
        return (date.fromisoformat(moment) + direction * (distance - timedelta(days=1))).isoformat()
    except OverflowError:
        return ""


def _timing(repeat: Element, times: list[str], code: Element | None) -> Element:
    """Make Timing of its parts so that FHIR's rules about them hold."""
    if times and not repeat.get("when") and _daily(repeat):
        for name in ("frequency", "period", "periodUnit"):
            repeat.pop(name, None)
        repeat["timeOfDay"] = list(dict.fromkeys(times))
    if repeat.get("when"):
        repeat["when"] = list(dict.fromkeys(repeat["when"]))
    return compact({"repeat": compact(repeat), "code": code})


def _daily(repeat: Element) -> bool:
    """Tell whether clock times say all: they hold for every day, or every day of the week that is named."""
    unit, length = repeat.get("periodUnit", ""), repeat.get("period", Decimal(1))
    return unit in ("", "h") or (length == 1 and (unit == "d" or bool(repeat.get("dayOfWeek"))))


# ---- TQ ----


def tq_to_timing(tq: Components, draft: Draft) -> Timed:
    """Read one TQ of ORC-7, RXE-1, RXG-3 or OBR-27."""
    context = draft.context
    found = Timed()
    repeat: Element = {}
    interval = words(tq.c(2))
    pattern = repeat_pattern_to_repeat(interval)
    repeat.update(pattern.repeat)
    found.as_needed = pattern.as_needed
    times = [clock for text in tq.c(2, 2).split(",") if (clock := clock_of(text, context))]
    start = datetime_of(tq.c(4), context) if tq.c(4) else ""
    end = datetime_of(tq.c(5), context) if tq.c(5) else ""
    lasting = words(tq.c(3))
    times_in_all = re.match(r"^X(\d{1,6})$", lasting.upper())
    length = letters_to_duration(lasting) if lasting and not times_in_all else None
    if times_in_all:
        repeat["count"] = int(times_in_all[1])
    elif lasting.upper() == "ONCE":
        repeat["count"] = 1
    bound(repeat, start, end, length)
    occurrence = letters_to_duration(tq.c(11))
    if tq.c(11) and occurrence:
        repeat |= {"duration": occurrence[0], "durationUnit": occurrence[1]}
    count = nm_to_count(tq.c(12))
    if count:
        repeat["count"] = count
    if repeat.get("count") == 0:
        del repeat["count"]
    found.timing = _timing(repeat, times, _code(None, interval) if interval else None)
    amount = cq_to_quantity(Quantity(tq), context)
    found.dose = amount
    urgent = code_of(tq.c(6)).upper()
    found.priority = urgency(urgent)
    found.as_needed |= urgent == "PRN"
    found.condition = words(tq.c(7))
    found.text = words(tq.c(8))
    found.in_turn = code_of(tq.c(9)).upper() != "A"
    return found


class Quantity:
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


# ---- several ----


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
