"""What becomes of a resource when a message says something about it.

Pure functions: no store, no keys. Which message may overwrite is decided in `resources.py`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from mappings.fhir.tables import load
from mappings.outcome import Resource

_KEYS: Mapping[str, tuple[str, ...]] = {
    "identifier": ("system",),
    "extension": ("url",),
    "modifierExtension": ("url",),
    "link": ("other", "reference"),
    "result": ("reference",),
    "property": ("type", "text"),
}
"""Lists that are laid over each other entry by entry, and what makes two entries the same one."""
_PERIODS = ("period", "servicePeriod", "effectivePeriod")
_RESULT = ("dataAbsentReason", "interpretation", "referenceRange", "component", "note")
"""What stands and falls with the value of an Observation: a corrected value keeps no old flag, range or remark."""
_OWNERS = ("subject", "patient", "beneficiary", "individual", "for")
"""Elements that name whose record a resource is in. Standard: FHIR R4, the Patient compartment"""
_NOBODYS = frozenset(
    (
        *("Practitioner", "PractitionerRole", "Organization", "Location", "HealthcareService", "Device", "Medication"),
        "DeviceMetric",
        *("Substance", "Schedule", "Slot", "Endpoint", "Group", "ChargeItemDefinition", "ObservationDefinition"),
        *("SpecimenDefinition", "ActivityDefinition", "PlanDefinition", "CodeSystem", "ValueSet", "ConceptMap"),
    )
)
_NAMED_IN_PASSING = ("Practitioner", "PractitionerRole", "Organization", "Location")
"""What every message names, some more briefly than others."""
_STEP = re.compile(r"[^.(]+(?:\([^)]*\))?")


def overlay(old: Resource, new: Resource, *, overwrite: bool) -> Resource:
    """Lay `new` over `old`, or fill the gaps of `old` with it.

    Whole elements replace each other, except the lists of `_KEYS` (entry by entry, each where it stood), periods and structures
    of their own (member by member). Of a choice element only one stays. A document of which only the state is told keeps its
    content. Of staff and places an element that says nothing but what is known replaces nothing.
    """
    if overwrite and new["resourceType"] in _NAMED_IN_PASSING:
        new = {name: _fuller(value, old.get(name)) for name, value in new.items()}
    path = str(new["resourceType"])
    merged = _lay(path, old, new) if overwrite else _lay(path, new, old, filling=True)
    merged["meta"] = new.get("meta", merged.get("meta"))
    return {name: value for name, value in merged.items() if value is not None}


def _fuller(told: Any, known: Any) -> Any:
    """Give what is known in place of what says only a part of it; of a list, entry by entry."""
    if isinstance(told, list) and isinstance(known, list):
        return [next((one for one in known if _is_part(entry, one)), entry) for entry in told]
    return known if _is_part(told, known) else told


def _is_part(told: Any, known: Any) -> bool:
    if isinstance(told, Mapping) and isinstance(known, Mapping):
        return all(name in known and _is_part(value, known[name]) for name, value in told.items())
    if isinstance(told, list) and isinstance(known, list):
        return len(told) == len(known) and all(map(_is_part, told, known))
    return bool(told == known)


def _lay(path: str, first: Mapping[str, Any], second: Mapping[str, Any], *, filling: bool = False) -> dict[str, Any]:
    merged = dict(first)
    if path == "Observation" and _says_result(second):
        for name in _result_names():
            merged.pop(name, None)
    structures, rivals = _shape(path)
    for name, value in second.items():
        for rival in rivals.get(name, ()):
            merged.pop(rival, None)
        before = merged.get(name)
        if name in _KEYS and isinstance(before, list) and isinstance(value, list):
            merged[name] = _with_others(name, value, before) if filling else _replaced(name, before, value)
        elif path == "DocumentReference" and name == "content" and before and not _encloses(value):
            continue
        elif name in structures and isinstance(before, dict) and isinstance(value, dict):
            merged[name] = _lay(f"{path}.{name}", before, value, filling=filling)
        elif name in _PERIODS and isinstance(before, dict) and isinstance(value, dict):
            both = before | value
            merged[name] = value if both.get("start", "")[:10] > both.get("end", "9")[:10] else both
        else:
            merged[name] = value
    return merged


def _encloses(content: object) -> bool:
    """Tell whether a document's content is there, be it as data or as an address."""
    entries = content if isinstance(content, list) else []
    return any(entry.get("attachment", {}).keys() & {"data", "url"} for entry in entries)


def _with_others(name: str, known: list[Any], told: list[Any]) -> list[Any]:
    """Add the entries that are not known in any form."""
    keys = {_key(name, entry) for entry in known}
    return known + [entry for entry in told if _key(name, entry) not in keys]


def _replaced(name: str, before: list[Any], told: list[Any]) -> list[Any]:
    """Replace entries where they stand; those that are new come last."""
    new: dict[object, list[Any]] = {}
    for entry in told:
        new.setdefault(_key(name, entry), []).append(entry)
    laid: list[Any] = []
    seen: set[object] = set()
    for entry in before:
        key = _key(name, entry)
        if key not in new:
            laid.append(entry)
        elif key not in seen:
            laid += new[key]
            seen.add(key)
    return laid + [entry for key, entries in new.items() if key not in seen for entry in entries]


def gaps(old: Resource, new: Resource) -> list[str]:
    """Give the elements of `new` that `old` lacks in any form."""
    _, rivals = _shape(str(new["resourceType"]))
    return [name for name in new if name not in old and not any(rival in old for rival in rivals.get(name, ()))]


def clear(resource: Resource, path: str) -> None:
    """Take out the element at a path as `Outcome.cleared` has it, from every entry of the lists on the way."""
    _, rivals = _shape(str(resource["resourceType"]))
    name, *rest = _STEP.findall(path) or [""]
    variants = [spelled for spelled in rivals if spelled.startswith(name) and spelled[len(name) :][:1].isupper()]
    for spelled in (name, f"_{name}", *variants):
        _drop(resource, [spelled, *rest])


def _drop(value: dict[str, Any], steps: list[str]) -> None:
    name, rest = steps[0], steps[1:]
    if "(" in name:
        element, url = name[:-1].split("(", 1)
        left = [one for one in value.get(element, ()) if url not in (one["url"], one["url"].rpartition("/")[2])]
        value[element] = left
    elif name in value and rest:
        element = name
        below = value[name]
        for one in below if isinstance(below, list) else [below]:
            if isinstance(one, dict):
                _drop(one, rest)
        if isinstance(below, list):
            value[name] = [one for one in below if one]
    else:
        element = name
        value.pop(name, None)
    if element in value and not value[element]:
        del value[element]


def owner(resource: Resource, patient_id: str | None) -> str | None:
    """Return whose record a resource is in: the patient it names, else `patient_id`, the one its message is about.

    None for those that belong to nobody (staff, places, catalogues) and for what is about something else than a patient.
    """
    kind = resource["resourceType"]
    if kind == "Patient":
        return str(resource["id"])
    named = False
    for reference in _owner_references(resource):
        type_, _, id_ = reference.partition("/")
        if type_ == "Patient":
            return id_
        named = True
    return None if named or kind in _NOBODYS else patient_id


def _owner_references(resource: Resource) -> list[str]:
    found: list[str] = []
    for name in _OWNERS:
        value = resource.get(name)
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, dict) and isinstance(one.get("reference"), str):
                found.append(one["reference"])
    if resource["resourceType"] in ("Appointment", "AppointmentResponse"):
        actors = [part.get("actor", {}) for part in resource.get("participant", [])] or [resource.get("actor", {})]
        found += [actor["reference"] for actor in actors if str(actor.get("reference", "")).startswith("Patient/")]
    return found


def references(resource: Resource) -> set[str]:
    """Give every reference to another resource, `Type/id`."""
    found: set[str] = set()
    stack: list[object] = [resource]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            reference = item.get("reference")
            if isinstance(reference, str) and reference.count("/") == 1:
                found.add(reference)
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)
    return found


def redirect(resource: Resource, turns: Mapping[str, str]) -> bool:
    """Turn references round in place, old → new; tell whether there was one."""
    turned = False
    stack: list[object] = [resource]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            target = turns.get(item["reference"]) if isinstance(item.get("reference"), str) else None
            if target is not None:
                item["reference"] = target
                turned = True
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)
    return turned


@cache
def _shape(path: str) -> tuple[frozenset[str], dict[str, tuple[str, ...]]]:
    """Give the structures below a path that are no lists, and for each form of a choice element the other forms."""
    tables = load()
    if path.partition(".")[0] not in tables.resources:
        return frozenset(), {}
    structures: set[str] = set()
    rivals: dict[str, tuple[str, ...]] = {}
    for row in tables.rows(path):
        if row.name.endswith("[x]"):
            forms = [row.name[:-3] + kind[0].upper() + kind[1:] for kind in row.types]
            for form in forms:
                others = [other for other in forms if other != form]
                rivals[form] = (*others, *(f"_{other}" for other in others))
        elif row.maximum == 1 and row.types[0].startswith("#"):
            structures.add(row.name)
    return frozenset(structures), rivals


@cache
def _result_names() -> tuple[str, ...]:
    _, rivals = _shape("Observation")
    values = [name for name in rivals if name.startswith("value")]
    return (*_RESULT, *values, *(f"_{name}" for name in values))


def _says_result(observation: Mapping[str, Any]) -> bool:
    return any(
        name.startswith("value") or name in ("dataAbsentReason", "component") for name in observation if name[0] != "_"
    )


def _key(name: str, entry: Any) -> object:
    for step in _KEYS[name]:
        entry = entry.get(step, {}) if isinstance(entry, dict) else None
    return entry if isinstance(entry, str) else None
