"""What papers show of what devices measured: the last value of each vital sign of a day, or before a moment, by its name.

A monitor measures all day and all night, and a paper is read by people. Alarms, settings, curves and values that a device could
not give stay in the record. What a person wrote down is none of this and always shown.

Requirement: S3.2, S3.15
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from mappings.documents import wording
from mappings.outcome import Resource
from mappings.systems import LOINC, MDC

_NAMES = {
    "8867-4": "Mạch",
    "9279-1": "Nhịp thở",
    "59408-5": "SpO₂",
    "2708-6": "SpO₂",
    "8310-5": "Nhiệt độ",
    "85354-9": "Huyết áp",
    "29463-7": "Cân nặng",
    "8302-2": "Chiều cao",
}

_RECENT = timedelta(hours=1)


def of_device(observation: Resource) -> bool:
    """Tell whether a device measured it or raised it as an alarm."""
    return any(coding.get("system") == MDC for coding in observation.get("code", {}).get("coding", ()))


def shown(observations: Sequence[Resource]) -> list[Resource]:
    """Leave out what no paper shows of devices; what is left keeps its order."""
    measured = [one for one in observations if of_device(one)]
    last: dict[tuple[str, str], Resource] = {}
    for one in measured:
        if kind := _kind(one):
            before = last.setdefault((kind, _moment(one)[:10]), one)
            if _instant(before) <= _instant(one):
                last[kind, _moment(one)[:10]] = one
    dropped = {one["id"] for one in measured} - {one["id"] for one in last.values()}
    return [one for one in observations if one["id"] not in dropped]


def before(observations: Sequence[Resource], at: str) -> list[Resource]:
    """Give of each vital sign of devices the last value up to a moment, none older than an hour."""
    until = wording.instant(at)
    last: dict[str, Resource] = {}
    for one in sorted(observations, key=_instant):
        measured = wording.instant(_moment(one))
        kind = _kind(one) if of_device(one) else ""
        if kind and until and measured and until - _RECENT <= measured <= until:
            last[kind] = one
    return list(last.values())


def moment(observation: Resource) -> str:
    """Give when it was measured as `08:05`."""
    return wording.short_time(_moment(observation)).partition(" ")[0]


def name(observation: Resource) -> str:
    """Give the Vietnamese name of a vital sign of a device; `""` for anything else."""
    return _NAMES.get(_kind(observation), "") if of_device(observation) else ""


def _kind(observation: Resource) -> str:
    """Give the vital sign that it is, by LOINC; `""` for what has no value or is none."""
    if not any(name.startswith("value") or name == "component" for name in observation):
        return ""
    codes = [one["code"] for one in observation["code"].get("coding", ()) if one.get("system") == LOINC]
    known = [code for code in codes if code in _NAMES]
    return known[0] if known else ""


def _moment(observation: Resource) -> str:
    return str(observation.get("effectiveDateTime") or observation.get("effectivePeriod", {}).get("start", ""))


def _instant(observation: Resource) -> tuple[float, str]:
    moment = _moment(observation)
    return (datetime.fromisoformat(moment).timestamp() if "T" in moment else 0.0, str(observation["id"]))
