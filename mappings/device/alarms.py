"""The rows of one alarm as one Observation: what happened, phase, state, priority, kind, source, text.

An alarm is reported when it begins, goes on, changes and ends; all these are versions of one Observation, known by the first
report (OBR-29, else OBR-3). Why an Observation and neither Flag, DetectedIssue nor Communication: decision 0032.

Standard: IHE Devices TF-2 §3.4 (PCD-04), Appendix B.10; ISO/IEEE 11073-10101 partition 3
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from mappings.device.containment import Path, Row
from mappings.device.devices import PLACE, Devices
from mappings.hl7v2.actors import reference
from mappings.hl7v2.datatypes import Element, code_of, compact, words
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments.obx import obx_to_observation
from mappings.ids import resource_id
from mappings.outcome import Resource

_FACETS = {
    "68480": "source",
    "68481": "phase",
    "68482": "state",
    "68483": "inactivation",
    "68484": "priority",
    "68485": "type",
    "68546": "text",
}
_NAMES = {
    "MDC_ATTR_ALERT_SOURCE": "source",
    "MDC_ATTR_EVENT_PHASE": "phase",
    "MDC_ATTR_ALARM_STATE": "state",
    "MDC_ATTR_ALARM_INACTIVATION_STATE": "inactivation",
    "MDC_ATTR_ALARM_PRIORITY": "priority",
    "MDC_ATTR_ALERT_TYPE": "type",
    "MDC_ATTR_ALERT_TEXT": "text",
}
_OVER = frozenset({"end", "tpoint"})
"""Phases after which an alarm is over."""
_ALARM = "196616"
"""MDC_EVT_ALARM: the event itself is the value then."""
PRIORITIES, TYPES = frozenset({"PN", "PL", "PM", "PH"}), frozenset({"SP", "ST", "SA"})
"""Words of OBX-8 for the priority (none, low, medium, high) and the kind (physiological, technical, advisory)."""


@dataclass
class Alarm:
    """The rows of one alarm."""

    event: Row
    facets: dict[str, Row] = field(default_factory=dict)
    sources: list[Row] = field(default_factory=list)
    """Rows that say what is wrong where: a value with its limits."""


def part_of(row: Row) -> str:
    """Tell which part of an alarm an attribute is, `""` for none."""
    return _NAMES.get(row.name) or _FACETS.get(row.code, "")


def alarms_of(rows: list[Row]) -> tuple[list[Alarm], list[Row]]:
    """Part the alarms from the other rows: an event, and what stands beside it one place further in the tree."""
    by_place: dict[Path, Alarm] = {}
    rest: list[Row] = []
    for row in rows:
        if row.kind == "event" and row.path[:-1] not in by_place:
            by_place[row.path[:-1]] = Alarm(row)
    for row in rows:
        alarm = by_place.get(row.path[:-1]) if row.path else None
        if alarm is None:
            rest.append(row)
        elif row is alarm.event:
            continue
        elif part_of(row) and part_of(row) not in alarm.facets:
            alarm.facets[part_of(row)] = row
        elif len(row.path) > 4 and row.kind != "device":
            alarm.sources.append(row)
        else:
            rest.append(row)
    return list(by_place.values()), rest


def alarm_to_observation(
    alarm: Alarm, obr: Segment | None, draft: Draft, devices: Devices, started: str
) -> Resource | None:
    """Make the Observation of an alarm; nothing when it is not said what happened."""
    event = alarm.event
    told = obx_to_observation(event.obx, draft, "", started)
    if told is None:
        return None
    flags = {code_of(one.text).upper() for one in event.obx.peek(8).repetitions}
    code, text = told["code"], told.pop("valueString", "")
    if "valueCodeableConcept" in told and event.code == _ALARM:
        code = told.pop("valueCodeableConcept")
    phase = _word(alarm, "phase").casefold()
    state = _word(alarm, "state").casefold()
    over = phase in _OVER or state == "inactive"
    moment = told.pop("effectiveDateTime", "") or started
    observation: dict[str, Any] = {
        "resourceType": "Observation",
        "id": "",
        "status": "final" if over else "preliminary",
        "category": [_category(draft)],
        "code": code,
        "subject": told.get("subject", {}),
        "encounter": told.get("encounter", {}),
        **_when(phase, moment),
        "valueString": _word(alarm, "text", whole=True) or text,
        "interpretation": [one for one in told.get("interpretation", ()) if not _is_word(one)],
        "component": [],
    }
    component: list[Element] = observation["component"]
    for name in ("phase", "state", "inactivation", "priority", "type"):
        value = _take(alarm, name) or next(iter(sorted(flags & _WORDS.get(name, frozenset()))), "")
        if value:
            component.append({"code": _code(name, draft), "valueString": value})
    if text and observation["valueString"] != text:
        component.append({"code": _code("event-text", draft), "valueString": text})
    for row in _source_rows(alarm):
        source = obx_to_observation(row.obx, draft)
        if source is None:
            continue
        kept = {n: v for n, v in source.items() if n.startswith("value") or n in ("referenceRange", "interpretation")}
        if part_of(row) == "source" and "valueCodeableConcept" not in kept and "valueString" not in kept:
            row.obx.give_back(5, "a source without name") if row.obx.peek(5) else None
        component.append({"code": source["code"], **kept})
    place = devices.of(devices.above(event.path))
    known_by = _known_by(obr)
    key = f"{draft.whose}|{place}|{'.'.join(map(str, event.path[:-1]))}|{event.code or event.name}|{known_by or moment}"
    observation["id"] = resource_id("Observation", f"{draft.context.systems.own}/sid/device-alarm", key)
    if place:
        observation["device"] = reference(place)
    rows = [event, *alarm.facets.values(), *alarm.sources]
    observation = compact(observation)
    for row in rows:
        draft.add(observation, row.obx)
        row.obx.ignore(4, PLACE)
        if row is not event and row.obx.peek(11):
            row.obx.ignore(11, "status of a part of an alarm; phase and state tell")
    event.obx.ignore(11, "status of a part of an alarm; phase and state tell")
    for row in rows:
        if row.obx.peek(18):
            _ = row.obx[18]
    return observation


_WORDS = {"priority": PRIORITIES, "type": TYPES}


def _source_rows(alarm: Alarm) -> list[Row]:
    source = alarm.facets.get("source")
    named = [source] if source and source.obx.peek(5) else []
    if source and not named:
        source.obx.ignore(3, "a source that is not named")
    return [*named, *alarm.sources]


def _take(alarm: Alarm, name: str) -> str:
    """Take the word of a part of the alarm."""
    row = alarm.facets.get(name)
    if row is None:
        return ""
    value = words(row.obx[5].c(2)) or words(row.obx[5].c(1))
    if value:
        _ = row.obx[3]
    return value


def _word(alarm: Alarm, name: str, *, whole: bool = False) -> str:
    row = alarm.facets.get(name)
    if row is None:
        return ""
    if whole:
        _ = row.obx[3]
        return words(row.obx[5].whole)
    return words(row.obx.peek(5).c(1))


def _when(phase: str, moment: str) -> Element:
    """Say when: a point, or from the beginning to the end, each told by its own report."""
    if not moment or phase not in ("start", "end"):
        return compact({"effectiveDateTime": moment}) if phase in ("", "tpoint") else compact({"effectivePeriod": {}})
    return {"effectivePeriod": {phase: moment}}


def _known_by(obr: Segment | None) -> str:
    """Give the number of the first report of an alarm: the parent's (OBR-29.2, OBR-29.1), else this one's (OBR-3)."""
    if obr is None:
        return ""
    parent = obr[29]
    return words(parent.c(2, 1)) or words(parent.c(1, 1)) or words(obr[3].c(1))


def _code(name: str, draft: Draft) -> Element:
    return {"coding": [{"system": f"{draft.context.systems.own}/CodeSystem/device-alarm", "code": name}]}


def _category(draft: Draft) -> Element:
    system = f"{draft.context.systems.own}/CodeSystem/device-alarm"
    return {"coding": [{"system": system, "code": "alarm", "display": "Device alarm"}]}


def _is_word(interpretation: Element) -> bool:
    return any(coding["code"].upper() in PRIORITIES | TYPES for coding in interpretation.get("coding", ()))
