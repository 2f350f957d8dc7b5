"""Find in the resources where a field went: the element paths of the `MAPPED` tables, resolved.

A path is names joined by dots, without indexes; a choice element has no type (`Observation.value` is there as `valueQuantity`),
an extension is named by the last word of its URL (`Patient.extension(patient-birthPlace)`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Any

from mappings.outcome import Outcome, Resource

_STEP = re.compile(r"[^.(]+(?:\([^)]*\))?")


@cache
def alternatives(target: str) -> tuple[tuple[str, str], ...]:
    """Split a target into (resource type, path below it); the path of a whole resource is `""`."""
    found = []
    for one in target.split(" | ") if target else ():
        kind, _, path = one.partition(".")
        found.append((kind, path))
    return tuple(found)


def present(resource: Resource, path: str) -> bool:
    """Tell whether the resource has something at the path."""
    return bool(_at([resource], _STEP.findall(path)))


class Places:
    """The resources of one outcome, to look fields up in."""

    def __init__(self, outcome: Outcome) -> None:
        self._origins = outcome.origins
        self._everything = {f"{r['resourceType']}/{r['id']}": r for r in (*outcome.resources, *outcome.about)}

    def of(self, position: str, target: str) -> list[str]:
        """Give where the field at `position` is: `Observation/<id>.valueQuantity`.

        Looked for in the resources made of its segment, then in all; empty when no alternative is there, as after a null.
        """
        everything = self._everything
        own = [reference for reference in self._origins.get(position.rpartition("-")[0], ()) if reference in everything]
        return list(_found(target, own, everything)) or list(_found(target, everything, everything))


def places(position: str, target: str, outcome: Outcome) -> list[str]:
    """Give where one field of an outcome is; for many of them make `Places` once."""
    return Places(outcome).of(position, target)


def _found(target: str, references: Iterable[str], everything: dict[str, Resource]) -> Iterator[str]:
    for kind, path in alternatives(target):
        for reference in references:
            if not reference.startswith(f"{kind}/"):
                continue
            if not path:
                yield reference
                continue
            spelled = _at([everything[reference]], _STEP.findall(path))
            if spelled:
                yield f"{reference}.{spelled}"


def _at(values: Sequence[Any], steps: list[str]) -> str:
    """Follow the steps through lists; give the path as it is spelled there, `""` when it ends before."""
    if not steps:
        return ""
    name, rest = steps[0], steps[1:]
    for value in values:
        if not isinstance(value, dict):
            continue
        for spelled, below in _named(value, name):
            if not rest:
                return spelled
            deeper = _at(below if isinstance(below, list) else [below], rest)
            if deeper:
                return f"{spelled}.{deeper}"
    return ""


def _named(value: dict[str, Any], name: str) -> Iterator[tuple[str, Any]]:
    if "(" in name:
        url = name[name.index("(") + 1 : -1]
        for extension in value.get(name.partition("(")[0], ()):
            if extension["url"].rpartition("/")[2] == url or extension["url"] == url:
                yield name, extension
        return
    if name in value:
        yield name, value[name]
        return
    for spelled, below in value.items():
        if spelled.startswith(name) and spelled[len(name) : len(name) + 1].isupper():
            yield spelled, below
