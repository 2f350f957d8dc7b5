"""TS, IVL_TS, PIVL_TS and EIVL_TS as dateTime, Period and Timing.

Standard: HL7 v3 Data Types R1; FHIR R4 §2.24.0 (dateTime, Period, Timing)
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation

from mappings.cda.read.draft import Draft
from mappings.cda.read.elements import Element, compact
from mappings.cda.read.node import Node
from mappings.formats import dates
from mappings.formats.faults import DateInvalid
from mappings.systems import UCUM

_UNITS = {"s": "s", "min": "min", "h": "h", "d": "d", "wk": "wk", "mo": "mo", "a": "a"}
_EVENTS = frozenset(["HS", "WAKE", "C", "CM", "CD", "CV", "AC", "ACM", "ACD", "ACV", "PC", "PCM", "PCD", "PCV"])
_ANY_DAY = "19000101"
_ISO = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:T[0-9:]{5,8}(?:\.[0-9]+)?(?:Z|[+-][0-9]{2}:[0-9]{2})?)?")
"""How XML writes times: not how CDA does, but some senders do."""
_NUMBER = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?")


def ts_to_datetime(ts: Node, draft: Draft) -> str:
    """Make a dateTime of TS; `""` when it has none, or one that is unreadable (given back)."""
    return _moment(ts, draft, "value")


def ts_to_date(ts: Node) -> str:
    """Make a date of TS, the time of day dropped."""
    try:
        return dates.dtm_to_fhir_date(ts["value"])
    except DateInvalid:
        ts.give_back("value")
        return ""


def _moment(ts: Node, draft: Draft, attribute: str) -> str:
    said = ts[attribute]
    if _ISO.fullmatch(said):
        said = said.replace("-", "", 2).replace("T", "").replace(":", "").replace("Z", "+0000")
    try:
        return dates.dtm_to_fhir_datetime(said, draft.context.zone)
    except DateInvalid:
        ts.give_back(attribute)
        return ""


def ivl_ts_to_period(ivl: Node, draft: Draft) -> Element:
    """Make a Period of IVL_TS, or of TS as its start and end; an end that lies before the start is given back."""
    point = ts_to_datetime(ivl, draft)
    if point:
        return {"start": point, "end": point}
    low, high = ivl.first("low"), ivl.first("high")
    start, end = ts_to_datetime(low, draft), ts_to_datetime(high, draft)
    if start and end and end[:10] < start[:10]:
        high.give_back("value", "an end before the start")
        end = ""
    return compact({"start": start, "end": end})


def chosen(name: str, time: Node, draft: Draft) -> Element:
    """Make a choice of dateTime and Period, under the name of the element: a moment, else the interval.

    An interval of one moment, or of its centre only, is a moment.
    """
    point = ts_to_datetime(time, draft) or ts_to_datetime(time.first("center"), draft)
    if point:
        return {f"{name}DateTime": point}
    period = ivl_ts_to_period(time, draft)
    if period and period.get("start") == period.get("end"):
        return {f"{name}DateTime": period["start"]}
    return {f"{name}Period": period} if period else {}


def start_of(time: Node, draft: Draft) -> str:
    """Make a dateTime of TS, or of where IVL_TS begins."""
    return (
        ts_to_datetime(time, draft)
        or ts_to_datetime(time.first("low"), draft)
        or ts_to_datetime(time.first("center"), draft)
    )


def times_to_timing(times: Sequence[Node], draft: Draft) -> Element:
    """Make a Timing of the periodic and the event-related parts of effectiveTime (PIVL_TS, EIVL_TS), and single moments."""
    repeat: Element = {}
    events: list[str] = []
    for time in times:
        if time.type in ("PIVL_TS", "EIVL_TS"):
            for name, said in (_pivl(time) if time.type == "PIVL_TS" else _eivl(time)).items():
                repeat[name] = [*repeat[name], *said] if name in repeat and isinstance(said, list) else said
        elif width := _duration(time.first("width")):
            repeat["boundsDuration"] = {"value": width[0], "unit": width[1], "system": UCUM, "code": width[1]}
        elif period := ivl_ts_to_period(time, draft) if time.first("low") or time.first("high") else {}:
            repeat["boundsPeriod"] = period
        elif time.peek("value"):
            moment = ts_to_datetime(time, draft)
            events += [moment] if moment else []
    return compact({"event": events, "repeat": repeat})


def _pivl(time: Node) -> Element:
    """Standard: HL7 v3 Data Types R1 PIVL; an unknown spread around a period is its range (`periodMax`).

    A phase that begins at an hour of any day (1900-01-01) is that hour, every day.
    """
    phase = time.first("phase").first("low")
    if phase.peek("value").startswith(_ANY_DAY) and len(phase.peek("value")) >= 12:
        hour = phase["value"][8:14].ljust(6, "0")
        time.first("period").take("value", "unit")
        return {"timeOfDay": [f"{hour[:2]}:{hour[2:4]}:{hour[4:]}"]}
    period = time.first("period")
    if period.type == "IVL_PQ" or period.first("low"):
        low, high = _duration(period.first("low")), _duration(period.first("high"))
        if low and high and low[1] == high[1]:
            return {"frequency": 1, "period": low[0], "periodMax": high[0], "periodUnit": low[1]}
        found = low or high
    else:
        found = _duration(period)
    return {"frequency": 1, "period": found[0], "periodUnit": found[1]} if found else {}


def _duration(pq: Node) -> tuple[Decimal, str] | None:
    amount, unit = number(pq), _UNITS.get(pq["unit"], "")
    if amount is None or not unit or amount <= 0:
        pq.give_back("value")
        pq.give_back("unit")
        return None
    return amount, unit


def _eivl(time: Node) -> Element:
    event = time.first("event")
    code = event["code"]
    if code not in _EVENTS:
        event.give_back("code")
        return {}
    shift = number(time.first("offset").first("low"))
    time.first("offset").first("low").take("unit")
    minutes = int(shift) if shift is not None and shift == int(shift) and shift > 0 else 0
    return {"when": [code], **({"offset": minutes} if minutes else {})}


def number(node: Node, attribute: str = "value") -> Decimal | None:
    """Read a number with its digits; None when there is none, or it is no number (given back)."""
    said = node[attribute]
    if not said:
        return None
    try:
        if not _NUMBER.fullmatch(said):
            raise InvalidOperation
        return Decimal(said)
    except InvalidOperation:
        node.give_back(attribute)
        return None
