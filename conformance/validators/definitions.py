"""Read what HL7 publishes: FHIR 4.0.1 (npm `hl7.fhir.r4.examples`, installed under the name that the other two ask for), its
terminology and its extensions, both of which have newer editions than the copies inside 4.0.1.

Gives the definitions as trees of elements; judges nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from conformance.validators.finding import INSTALLED, Json, NotInstalled

PACKAGES = INSTALLED / "node" / "node_modules"
CORE, EXTENSIONS, TERMINOLOGY = "hl7.fhir.r4.core", "hl7.fhir.uv.extensions.r4", "hl7.terminology.r4"
FHIR_TYPE = "http://hl7.org/fhir/StructureDefinition/structuredefinition-fhir-type"


@dataclass(frozen=True)
class Rule:
    """An invariant of severity error."""

    key: str
    expression: str
    human: str


@dataclass(frozen=True)
class Type:
    """A type an element may have."""

    code: str
    targets: tuple[str, ...] = ()
    """Types a Reference may point to; empty: any."""


@dataclass
class Element:
    """One element of a definition, with what stands below it there."""

    path: str
    """As in the definition: `Patient.contact`, `Observation.value[x]`."""
    many: bool
    types: tuple[Type, ...]
    rules: tuple[Rule, ...]
    bound_to: str | None
    """Value set of a required binding."""
    representation: str
    """`xmlAttr`, `xhtml` or empty."""
    same_as: str | None
    """Path of the element whose children these are."""
    children: list[Element] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.path.rpartition(".")[2]


@dataclass(frozen=True)
class Child:
    """An element as it may stand in JSON: of a choice, one of its types."""

    element: Element
    type: str


@dataclass(frozen=True)
class Extension:
    """What the definition of an extension says of its use."""

    contexts: tuple[str, ...]
    values: dict[str, tuple[str, ...]]
    """Allowed types of value[x], by url of the extension itself (``) or of one inside it; none: it has extensions instead."""
    bound_to: dict[str, str]
    """Value set of a required binding of the value, by the same key."""


def _element(entry: Json) -> Element:
    return Element(
        path=entry["path"],
        many=entry.get("base", entry).get("max", "1") not in ("0", "1"),
        types=tuple(_type(kind) for kind in entry.get("type", ())),
        rules=tuple(
            Rule(rule["key"], rule["expression"], rule["human"])
            for rule in entry.get("constraint", ())
            if rule["severity"] == "error" and rule.get("expression")
        ),
        bound_to=_required(entry),
        representation=next(iter(entry.get("representation", ())), ""),
        same_as=entry["contentReference"].partition("#")[2] if "contentReference" in entry else None,
    )


def _type(kind: Json) -> Type:
    real = next((e["valueUrl"] for e in kind.get("extension", ()) if e["url"] == FHIR_TYPE), kind["code"])
    targets = tuple(profile.rpartition("/")[2] for profile in kind.get("targetProfile", ()))
    return Type(real, () if "Resource" in targets else targets)


def _required(entry: Json) -> str | None:
    binding = entry.get("binding", {})
    if binding.get("strength") != "required" or "valueSet" not in binding:
        return None
    url: str = binding["valueSet"]
    return url.partition("|")[0]


class Definitions:
    """The definitions of the installed packages, read when first asked for."""

    def __init__(self, folder: Path = PACKAGES) -> None:
        if not (folder / CORE).is_dir():
            raise NotInstalled
        self.folder = folder

    def _read(self, package: str, kind: str) -> Iterator[Json]:
        for path in sorted((self.folder / package).glob(f"{kind}-*.json")):
            found: Json = json.loads(path.read_bytes())
            if found.get("resourceType") == kind:
                yield found

    @cached_property
    def structures(self) -> dict[str, Json]:
        """StructureDefinitions of FHIR 4.0.1 by canonical URL."""
        return {found["url"]: found for found in self._read(CORE, "StructureDefinition")}

    @cached_property
    def code_systems(self) -> dict[str, list[Json]]:
        """Editions of each CodeSystem by canonical URL, the one of 4.0.1 first."""
        editions: dict[str, list[Json]] = {}
        for package in (CORE, EXTENSIONS, TERMINOLOGY):
            for found in self._read(package, "CodeSystem"):
                editions.setdefault(found["url"], []).append(found)
        return editions

    @cached_property
    def value_sets(self) -> dict[str, Json]:
        """ValueSets by canonical URL; of those that 4.0.1 has, that edition, since its bindings name it."""
        found = {one["url"]: one for package in (TERMINOLOGY, EXTENSIONS) for one in self._read(package, "ValueSet")}
        return found | {one["url"]: one for one in self._read(CORE, "ValueSet")}

    @cached_property
    def registered(self) -> frozenset[str]:
        """URIs of code systems and identifiers that HL7 has registered, whoever keeps their codes."""
        systems = self._read(TERMINOLOGY, "NamingSystem")
        return frozenset(one["value"] for found in systems for one in found["uniqueId"] if one.get("type") == "uri")

    @cached_property
    def _trees(self) -> dict[str, Element]:
        return {}

    @cached_property
    def _by_path(self) -> dict[str, Element]:
        return {}

    def root(self, kind: str) -> Element | None:
        """Give the root element of a resource or data type; None when there is none of that name."""
        if kind not in self._trees:
            structure = self.structures.get(f"http://hl7.org/fhir/StructureDefinition/{kind}")
            if structure is None or structure.get("derivation") == "constraint" or "snapshot" not in structure:
                return None
            for entry in structure["snapshot"]["element"]:
                element = _element(entry)
                self._by_path[element.path] = element
                above = element.path.rpartition(".")[0]
                if above:
                    self._by_path[above].children.append(element)
                else:
                    self._trees[kind] = element
        return self._trees[kind]

    def children(self, element: Element, kind: str) -> dict[str, Child]:
        """Give what may stand below an element that has this type, by JSON name, in the order of the definition."""
        if element.same_as:
            return self._children_at(element.same_as)
        if element.children:
            return self._children_at(element.path)
        return self._children_at(kind) if self.root(kind) else {}

    @cached_property
    def _known_children(self) -> dict[str, dict[str, Child]]:
        return {}

    def _children_at(self, path: str) -> dict[str, Child]:
        known = self._known_children.get(path)
        if known is None:
            known = {}
            for child in self._by_path[path].children:
                if child.name.endswith("[x]"):
                    for kind in child.types:
                        known[child.name[:-3] + kind.code[:1].upper() + kind.code[1:]] = Child(child, kind.code)
                else:
                    known[child.name] = Child(child, child.types[0].code if child.types else "")
            self._known_children[path] = known
        return known

    def is_resource(self, kind: str) -> bool:
        structure = self.structures.get(f"http://hl7.org/fhir/StructureDefinition/{kind}")
        return structure is not None and structure["kind"] == "resource"

    def is_primitive(self, kind: str) -> bool:
        structure = self.structures.get(f"http://hl7.org/fhir/StructureDefinition/{kind}")
        return structure is not None and structure["kind"] == "primitive-type"

    def lineage(self, kind: str) -> tuple[str, ...]:
        """Give a type and what it is derived from: `Age`, `Quantity`, `Element`."""
        found = []
        while kind:
            found.append(kind)
            structure = self.structures.get(f"http://hl7.org/fhir/StructureDefinition/{kind}", {})
            kind = structure.get("baseDefinition", "").rpartition("/")[2]
        return tuple(found)

    @cached_property
    def _extension_structures(self) -> dict[str, Json]:
        newer = {found["url"]: found for found in self._read(EXTENSIONS, "StructureDefinition")}
        return {url: found for url, found in (self.structures | newer).items() if found.get("type") == "Extension"}

    @cached_property
    def _extensions(self) -> dict[str, Extension]:
        return {}

    def extension(self, url: str) -> Extension | None:
        """Give the newest definition of an extension; None when there is none of this URL."""
        if url not in self._extensions:
            structure = self._extension_structures.get(url)
            if structure is None:
                return None
            self._extensions[url] = _extension(structure)
        return self._extensions[url]


def _extension(structure: Json) -> Extension:
    values: dict[str, tuple[str, ...]] = {}
    bound_to: dict[str, str] = {}
    urls: dict[str, str] = {"Extension": ""}
    elements: list[Json] = structure["snapshot"]["element"]
    for entry in elements:
        above, _, name = entry["id"].rpartition(".")
        if name == "url" and above != "Extension" and "fixedUri" in entry:
            urls[above] = entry["fixedUri"]
    for entry in elements:
        above, _, name = entry["id"].rpartition(".")
        if name.partition(":")[0] == "value[x]" and above in urls:
            values[urls[above]] = () if entry.get("max") == "0" else tuple(t["code"] for t in entry.get("type", ()))
            required = _required(entry)
            if required:
                bound_to[urls[above]] = required
    contexts = tuple(c["expression"] for c in structure.get("context", ()) if c["type"] != "fhirpath")
    return Extension(contexts, values, bound_to)


@cache
def definitions() -> Definitions:
    """Give the definitions of the installed packages.

    Raises `NotInstalled`.
    """
    return Definitions()


@dataclass(frozen=True)
class Node:
    """A place in a resource, with its definition."""

    path: str
    """In the resource: `Patient.contact[0].name`."""
    element: Element
    type: str
    value: Any
    """None when only `_name` is there."""
    beside: Json | None
    """What stands in `_name`: id and extensions of a primitive."""
    resource: Json
    """The resource it is in; of a contained one, that."""
    root: Json
    """The resource that is in no other one, or only in a Bundle."""
    above: Node | None


def walk(resource: Json, known: Definitions) -> Iterator[Node]:
    """Give every defined place of a resource, root first. Skips what has no definition."""
    root = known.root(str(resource.get("resourceType")))
    if root is not None:
        yield from _walk(Node(root.path, root, root.path, resource, None, resource, resource, None), known)


def _walk(node: Node, known: Definitions) -> Iterator[Node]:
    yield node
    for content in (node.value, node.beside):
        if not isinstance(content, dict):
            continue
        # Of `_name` only id and extension are read, which every type has.
        children = known.children(node.element, node.type)
        for name, child in children.items():
            value, beside = content.get(name), content.get("_" + name)
            if value is None and beside is None:
                continue
            if not isinstance(value, list) and not isinstance(beside, list):
                yield from _child(node, name, child, value, beside, known)
                continue
            values = value if isinstance(value, list) else []
            besides = beside if isinstance(beside, list) else []
            for n in range(max(len(values), len(besides))):
                one = values[n] if n < len(values) else None
                two = besides[n] if n < len(besides) else None
                yield from _child(node, f"{name}[{n}]", child, one, two, known)


def _child(node: Node, step: str, child: Child, value: Any, beside: Any, known: Definitions) -> Iterator[Node]:
    path = f"{node.path}.{step}"
    if child.type == "Resource":
        if not isinstance(value, dict):
            return
        root = known.root(str(value.get("resourceType")))
        if root is not None:
            outer = value if node.element.path in ("Bundle.entry", "Bundle.entry.response") else node.root
            yield from _walk(Node(path, root, root.path, value, None, value, outer, node), known)
        return
    two = beside if isinstance(beside, dict) else None
    yield from _walk(Node(path, child.element, child.type, value, two, node.resource, node.root, node), known)
