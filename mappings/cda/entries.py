"""Coded entries beside the narrative: diagnoses, fields of QĐ 3176, results, appointments.

Whatever has no entry here is in the narrative or the header; nothing legal hangs on an entry.

Standard: CDA R2 §4.3.6
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import Any

from mappings.cda.datatypes import Node, coded, el, instances, interval, quantity, time, timestamp
from mappings.cda.source import Source
from mappings.documents import wording
from mappings.documents.record import value_text
from mappings.outcome import Resource
from mappings.systems import LOINC

_DIAGNOSIS = {"coding": [{"system": LOINC, "code": "29308-4", "display": "Diagnosis"}]}
_STATUS = {"final": "completed", "corrected": "completed", "amended": "completed", "cancelled": "aborted"}


def entries(resources: Sequence[Resource], cells: Set[str], source: Source) -> list[Node]:
    """Make the entries of one section; beside a laboratory report all its results stand inside the report.

    Resources that CDA has in its header make none.
    """
    report = next((one for one in resources if one["resourceType"] == "DiagnosticReport"), None)
    made: list[Node] = []
    for one in resources:
        kind = one["resourceType"]
        if kind == "Condition":
            made.append(_condition(one, cells))
        elif kind == "Observation" and report is None:
            made.append(_observation(one, cells))
        elif kind == "DiagnosticReport":
            made.append(_report(one, resources, cells, source))
        elif kind == "Appointment":
            made.append(_appointment(one))
    return [el("entry", node) for node in made]


def _pointer(key: str, cells: Set[str]) -> Node | None:
    return el("text", el("reference", value=f"#{key}")) if key in cells else None


def _condition(condition: Resource, cells: Set[str]) -> Node:
    shown = next((key for key in ("CHAN_DOAN", "CHAN_DOAN_CHINH") if key in cells), "")
    return el(
        "observation",
        coded("code", _DIAGNOSIS),
        _pointer(shown, cells),
        el("statusCode", code="completed"),
        time("effectiveTime", condition["recordedDate"]) if condition.get("recordedDate") else None,
        coded("value", condition.get("code"), "CD"),
        classCode="OBS",
        moodCode="EVN",
    )


def _observation(observation: Resource, cells: Set[str], row: int = 0) -> Node:
    codes = [coding.get("code", "") for coding in observation.get("code", {}).get("coding", [])]
    key = f"KET_QUA-{row}" if row else next((code for code in codes if code in cells), "")
    effective = observation.get("effectiveDateTime")
    return el(
        "observation",
        *(instances(observation) if observation.get("identifier") else []),
        coded("code", observation.get("code")),
        _pointer(key, cells),
        el("statusCode", code=_STATUS.get(observation.get("status", ""), "active")),
        time("effectiveTime", effective) if effective else None,
        _value(observation),
        *(coded("interpretationCode", one) for one in observation.get("interpretation", [])),
        *(_range(limits) for limits in observation.get("referenceRange", [])),
        classCode="OBS",
        moodCode="EVN",
    )


def _value(observation: Resource) -> Node | None:
    if "valueQuantity" in observation:
        return quantity("value", observation["valueQuantity"])
    if "valueCodeableConcept" in observation:
        return coded("value", observation["valueCodeableConcept"], "CD")
    if "valueDateTime" in observation:
        return el("value", xsi_type="TS", value=timestamp(observation["valueDateTime"]))
    if "valueBoolean" in observation:
        return el("value", xsi_type="BL", value=str(observation["valueBoolean"]).lower())
    shown = value_text(observation)
    return el("value", shown, xsi_type="ST") if shown else None


def _range(limits: dict[str, Any]) -> Node:
    return el("referenceRange", el("observationRange", el("text", wording.limits(limits))))


def _report(report: Resource, siblings: Sequence[Resource], cells: Set[str], source: Source) -> Node:
    """Make the organizer of a laboratory report, one component per result in the order of the table."""
    when = report.get("effectivePeriod") or {"start": report.get("effectiveDateTime")}
    specimens = [found for one in report.get("specimen", []) if (found := source.get(one))]
    results = [one for one in siblings if one["resourceType"] == "Observation"]
    return el(
        "organizer",
        *instances(report),
        coded("code", report.get("code")),
        el("statusCode", code="completed"),
        interval("effectiveTime", when) if when.get("start") else None,
        *(_specimen(specimen) for specimen in specimens),
        *(el("component", _observation(result, cells, row)) for row, result in enumerate(results, 1)),
        classCode="BATTERY",
        moodCode="EVN",
    )


def _specimen(specimen: Resource) -> Node:
    kind = specimen.get("type")
    entity = el("specimenPlayingEntity", coded("code", kind)) if kind else None
    return el("specimen", el("specimenRole", *instances(specimen), entity))


def _appointment(appointment: Resource) -> Node:
    when: dict[str, Any] = {name: appointment[name] for name in ("start", "end") if name in appointment}
    return el(
        "encounter",
        *(instances(appointment) if appointment.get("identifier") else []),
        interval("effectiveTime", when) if when.get("start") else None,
        classCode="ENC",
        moodCode="APT",
    )
