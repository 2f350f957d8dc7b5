"""Check one resource, or a Bundle with all it holds, against the compiled R4 tables.

Every object is walked once. Good values cost a dictionary lookup and one call; paths are only put together for problems. An
object's checks are compiled from its table rows when the first such object is met.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any

from mappings.fhir.faults import ResourceInvalid
from mappings.fhir.primitives import PRIMITIVES, Check, check_string, misfit
from mappings.fhir.problem import CARDINALITY, CODE, EMPTY, EXTENSION, REFERENCE, UNKNOWN_RESOURCE, Found, Problem
from mappings.fhir.shared import Shared
from mappings.fhir.tables import ElementRow, load

_ELEMENT_NAME = re.compile(r"_?[a-z][A-Za-z0-9]{0,63}").fullmatch
_VERSIONED = re.compile(r"/_history/[A-Za-z0-9\-.]{1,64}$")
_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}").fullmatch


def problems(resource: dict[str, Any]) -> list[Problem]:
    """Return every problem of a resource, in document order; an empty list means it is sound.

    A Bundle's entries and contained resources are checked too. Whether references lead anywhere is asked by
    `bundle_references`.
    """
    kind = resource.get("resourceType") if resource.__class__ is dict else None
    top = kind if isinstance(kind, str) and kind in load().resources else "Resource"
    try:
        found = check_resource(resource)
    except RecursionError:
        return [Problem(top, "depth")]
    if found is None:
        return []
    named = f".ofType({top})"
    return [Problem(top + path.removeprefix(named), rule) for path, rule in found]


def require_valid(resource: dict[str, Any]) -> None:
    """Raise ResourceInvalid unless the resource is sound."""
    found = problems(resource)
    if found:
        raise ResourceInvalid(found)


class Shape:
    """The checks of one kind of object, compiled on first use."""

    __slots__ = ("checks", "choices", "invariant", "path", "required")

    def __init__(self, path: str) -> None:
        self.path = path
        self.checks: dict[str, Check] | None = None
        self.required: tuple[str, ...] = ()
        self.choices: tuple[tuple[str, bool, frozenset[str]], ...] = ()
        self.invariant: Callable[[dict[str, Any]], list[Found] | None] | None = (
            _extension if path == "Extension" else None
        )

    def compile(self) -> dict[str, Check]:
        """Build the checks from the table rows."""
        checks: dict[str, Check] = {}
        required: list[str] = []
        choices: list[tuple[str, bool, frozenset[str]]] = []
        for row in load().rows(self.path):
            if row.name.endswith("[x]"):
                base = row.name[:-3]
                names = {base + _suffix(kind): kind for kind in row.types}
                for name, kind in names.items():
                    _add(checks, name, row, kind)
                members = frozenset(name for name in checks if name.lstrip("_") in names)
                choices.append((row.name, row.minimum > 0, members))
            else:
                _add(checks, row.name, row, row.types[0])
                if row.minimum:
                    required.append(row.name)
        if self.path in load().resources:
            checks["resourceType"] = check_string
        self.required = tuple(required)
        self.choices = tuple(choices)
        self.checks = checks
        return checks

    def walk(self, value: Any) -> list[Found] | None:
        """Check an object and everything below it; a shared one that was found sound before is not walked again."""
        if value.__class__ is not dict:
            if value.__class__ is not Shared:
                return misfit(value)
            if value.sound is self:
                return None
            found = self.walk(dict(value))
            if found is None:
                value.sound = self
            return found
        checks = self.checks or self.compile()
        if len(value) < 2 and (not value or "id" in value):
            return EMPTY
        wrong: list[Found] | None = None
        for name, item in value.items():
            check = checks.get(name)
            if check is None:
                shown = f".{name}" if _ELEMENT_NAME(str(name)) else ""
                wrong = [*(wrong or ()), (shown, "unknown-element")]
                continue
            below = check(item)
            if below is not None:
                wrong = [*(wrong or ()), *_below(name, below, value)]
        for name in self.required:
            if name not in value and f"_{name}" not in value:
                wrong = [*(wrong or ()), (f".{name}", "required")]
        for name, needed, members in self.choices:
            present = members.intersection(value)
            if present:
                if len(present) > 1 and len({member.lstrip("_") for member in present}) > 1:
                    wrong = [*(wrong or ()), (f".{name}", "choice")]
            elif needed:
                wrong = [*(wrong or ()), (f".{name}", "required")]
        if wrong is None and self.invariant is not None:
            return self.invariant(value)
        return wrong


@cache
def shape_of(path: str) -> Shape:
    """Return the one Shape of `Patient`, `HumanName` or `Bundle.entry`."""
    return Shape(path)


def check_resource(value: Any) -> list[Found] | None:
    """Check a resource of any type, found by its `resourceType`."""
    if value.__class__ is not dict:
        return misfit(value)
    kind = value.get("resourceType")
    if kind.__class__ is not str or kind not in load().resources:
        return UNKNOWN_RESOURCE
    below = shape_of(kind).walk(value)
    return None if below is None else [(f".ofType({kind}){path}", rule) for path, rule in below]


def _below(name: str, below: list[Found], siblings: dict[str, Any]) -> list[Found]:
    """Put a name before what was found under it; a null beside an extension of the same position is no problem."""
    beside = siblings.get(name[1:] if name.startswith("_") else f"_{name}")
    found: list[Found] = []
    for path, rule in below:
        if rule == "null" and beside.__class__ is list and path.startswith("["):
            index = int(path[1:-1])
            if index < len(beside) and beside[index] is not None:
                continue
        found.append((f".{name}{path}", rule))
    return found


def _extension(value: dict[str, Any]) -> list[Found] | None:
    """Refuse an extension with both or neither of value and extensions. Standard: FHIR R4 ext-1."""
    inner = "extension" in value
    valued = any(name.startswith(("value", "_value")) for name in value)
    return EXTENSION if inner == valued else None


# ---- checks out of table rows ----


def _suffix(kind: str) -> str:
    return "Quantity" if kind == "SimpleQuantity" else kind[0].upper() + kind[1:]


def _add(checks: dict[str, Check], name: str, row: ElementRow, kind: str) -> None:
    single = _single(kind, row)
    checks[name] = _each(single) if row.maximum == 0 else single
    if kind in PRIMITIVES and kind != "xhtml":
        companion = shape_of("Element").walk
        checks[f"_{name}"] = _each(companion) if row.maximum == 0 else companion


def _single(kind: str, row: ElementRow) -> Check:
    if kind in PRIMITIVES:
        return _coded(PRIMITIVES[kind], row.binding) if row.binding and kind == "code" else PRIMITIVES[kind]
    if kind in ("Resource", "DomainResource"):
        return check_resource
    if kind in load().resources:
        return _resource_of(kind)
    if kind == "Reference":
        return _reference(row.targets)
    shape = shape_of(kind.removeprefix("#"))
    if kind == "CodeableConcept" and row.binding:
        return _concept(shape, row.binding)
    return shape.walk


def _each(single: Check) -> Check:
    def check(value: Any) -> list[Found] | None:
        if value.__class__ is not list:
            return CARDINALITY
        if not value:
            return EMPTY
        found: list[Found] = []
        for index, item in enumerate(value):
            below = single(item)
            if below is not None:
                found += [(f"[{index}]{path}", rule) for path, rule in below]
        return found or None

    return check


def _resource_of(kind: str) -> Check:
    def check(value: Any) -> list[Found] | None:
        if value.__class__ is dict and value.get("resourceType") != kind:
            return UNKNOWN_RESOURCE
        return check_resource(value)

    return check


def _coded(grammar: Check, value_set: str) -> Check:
    codes = frozenset(member.partition("|")[2] for member in load().members(value_set))

    def check(value: Any) -> list[Found] | None:
        if value.__class__ is str and value in codes:
            return None
        return grammar(value) or CODE

    return check


def _concept(shape: Shape, value_set: str) -> Check:
    members = load().members(value_set)

    def check(value: Any) -> list[Found] | None:
        found = shape.walk(value)
        if found is None and not any(f"{c.get('system')}|{c.get('code')}" in members for c in value.get("coding", ())):
            return CODE
        return found

    return check


def _reference(targets: frozenset[str]) -> Check:
    shape = shape_of("Reference")

    def check(value: Any) -> list[Found] | None:
        found = shape.walk(value)
        if found is not None:
            return found
        kind = target_type(value)
        if kind is None or kind in targets or (not targets and kind in load().resources):
            return None
        return REFERENCE

    return check


def target_type(reference: dict[str, Any]) -> str | None:
    """Return the type a reference says it points at; "" when it is neither relative, absolute, `urn:` nor `#`."""
    literal = reference.get("reference")
    declared = reference.get("type")
    if literal is None or literal.startswith(("#", "urn:")):
        return declared if declared is None or isinstance(declared, str) else None
    parts = literal.split("/")
    if len(parts) != 2:
        absolute = "://" in literal
        parts = _VERSIONED.sub("", literal).split("/")
        if absolute and (len(parts) < 5 or parts[-2] not in load().resources):
            return declared
        if not absolute and len(parts) != 2:
            return ""
    kind: str = parts[-2]
    if (declared is not None and declared != kind) or not _ID(parts[-1]):
        return ""
    return kind
