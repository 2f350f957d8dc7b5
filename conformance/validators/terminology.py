"""Judge codes and extensions by HL7's own CodeSystems, ValueSets and extension definitions.

Codes of required bindings; codes and displays of every coding whose code system is published complete (FHIR's own, v2-*, v3-*);
extensions of HL7's namespace: defined, in an allowed context, with an allowed value. Where 4.0.1 and the newer terminology
differ, a code needs one of them and a display every edition that has the code, since a receiver may hold either. Knows no
LOINC, SNOMED CT, UCUM (judge `ucum`) nor any other code system that HL7 only registers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from conformance.validators.definitions import Definitions, Node, definitions, walk
from conformance.validators.finding import Json, Problem, read

HL7 = ("http://hl7.org/fhir/", "http://terminology.hl7.org/CodeSystem/")
EXTENSIONS = "http://hl7.org/fhir/StructureDefinition/"

GRAMMARS = {
    "urn:ietf:bcp:13": re.compile(
        r"[a-z0-9][\w.+-]*/[a-z0-9][\w.+-]*(;\s*[\w-]+=(\"[^\"]*\"|[^\s;]+))*", re.IGNORECASE
    ),
    "urn:ietf:bcp:47": re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*"),
    "https://www.iana.org/time-zones": re.compile(r"[A-Za-z]+(/[A-Za-z0-9_+-]+)*"),
    "urn:iso:std:iso:4217": re.compile(r"[A-Z]{3}"),
    "http://unitsofmeasure.org": re.compile(r"\S+"),
}
"""Code systems of required bindings that the package does not list: what their codes look like."""

Codes = frozenset[tuple[str, str]]


def check(texts: Sequence[str]) -> list[list[Problem]]:
    """Look up every code and extension of each resource."""
    return [list(_problems(read(text))) for text in texts]


def _problems(resource: Json) -> Iterator[Problem]:
    known = definitions()
    for node in walk(resource, known):
        if node.element.bound_to and node.value is not None:
            yield from _bound(node.path, node.value, node.element.bound_to)
        if node.type == "Coding" and isinstance(node.value, dict):
            yield from _coding(node.path, node.value, known)
        if node.type == "Extension" and isinstance(node.value, dict):
            yield from _extension(node, known)


# --- codings


def _coding(path: str, coding: Json, known: Definitions) -> Iterator[Problem]:
    system, code, display = coding.get("system"), coding.get("code"), coding.get("display")
    if not isinstance(system, str):
        return
    if not re.match(r"[a-zA-Z][a-zA-Z0-9+.-]*:", system):
        yield path, f"the system is no absolute URI: {system}"
    if system in known.value_sets:
        yield path, f"the system is a value set, not a code system: {system}"
    editions = known.code_systems.get(system)
    if editions is None:
        if system.startswith(HL7) and system not in known.registered:
            yield path, f"HL7 has no such code system: {system}"
        return
    if any(found.get("content") != "complete" for found in editions) or not isinstance(code, str):
        return
    displays = [concepts[code] for concepts in _concepts(system) if code in concepts]
    if not displays:
        yield path, f"no code {code!r} in {system}"
    elif isinstance(display, str) and any(display not in allowed for allowed in displays):
        both = sorted(set.intersection(*displays))
        yield path, f"wrong display {display!r} for {code!r} of {system}: {both or 'none that every edition has'}"


@cache
def _concepts(system: str) -> list[dict[str, set[str]]]:
    """Give the displays of every code, for each edition of a code system."""
    editions = definitions().code_systems[system]
    return [{concept["code"]: _displays(concept) for concept, _ in _tree(found, ())} for found in editions]


def _displays(concept: Json) -> set[str]:
    names = {designation["value"] for designation in concept.get("designation", ())}
    return names | {concept["display"]} if "display" in concept else names


def _tree(holder: Json, above: tuple[str, ...]) -> Iterator[tuple[Json, tuple[str, ...]]]:
    for concept in holder.get("concept", ()):
        inside = (*above, concept["code"])
        yield concept, inside
        yield from _tree(concept, inside)


# --- required bindings


def _bound(path: str, value: Any, url: str) -> Iterator[Problem]:
    if isinstance(value, str):
        fine = _holds(url, None, value)
    elif isinstance(value, dict) and "coding" in value:
        fine = any(_holds(url, coding.get("system"), coding.get("code")) for coding in value["coding"])
    elif isinstance(value, dict) and ("code" in value or "value" in value):
        fine = ("code" not in value and "system" not in value) or _holds(url, value.get("system"), value.get("code"))
    else:
        fine = False
    if not fine:
        yield path, f"no code of the required value set {url}"


def _holds(url: str, system: str | None, code: Any) -> bool:
    """Tell whether a code is in a value set; without a system, whether any of its systems has it."""
    members, grammars = _expansion(url)
    if not isinstance(code, str):
        return False
    if any(pattern.fullmatch(code) for name, pattern in grammars if system in (None, name)):
        return True
    if system is None:
        return code in _codes(url)
    return (system, code) in members


@cache
def _codes(url: str) -> frozenset[str]:
    return frozenset(code for _, code in _expansion(url)[0])


@cache
def _expansion(url: str) -> tuple[Codes, tuple[tuple[str, re.Pattern[str]], ...]]:
    """Give the codes of a value set, and the grammars of what it takes whole from code systems that are not lists."""
    found = definitions().value_sets.get(url)
    if found is None:
        raise LookupError(f"the package has no value set {url}")
    members: set[tuple[str, str]] = set()
    grammars: list[tuple[str, re.Pattern[str]]] = []
    for part in found["compose"]["include"]:
        inside = _included(part, grammars)
        for other in part.get("valueSet", ()):
            codes, more = _expansion(other.partition("|")[0])
            inside = codes if inside is None else inside & codes
            grammars += more
        members |= inside or frozenset()
    for part in found["compose"].get("exclude", ()):
        members -= _included(part, []) or frozenset()
    return frozenset(members), tuple(grammars)


def _included(part: Json, grammars: list[tuple[str, re.Pattern[str]]]) -> Codes | None:
    system = part.get("system")
    if system is None:
        return None
    if "concept" in part:
        return frozenset((system, concept["code"]) for concept in part["concept"])
    holder = next(iter(definitions().code_systems.get(system, ())), None)
    if holder is None or holder.get("content") == "not-present":
        grammars.append((system, GRAMMARS[system]))
        return frozenset()
    tree = list(_tree(holder, ()))
    for rule in part.get("filter", ()):
        if (rule["property"], rule["op"]) != ("concept", "is-a"):
            raise NotImplementedError(f"filter {rule} of {system}")
        tree = [(concept, inside) for concept, inside in tree if rule["value"] in _parents(concept, inside, tree)]
    return frozenset((system, concept["code"]) for concept, _ in tree)


def _parents(concept: Json, inside: tuple[str, ...], tree: list[tuple[Json, tuple[str, ...]]]) -> set[str]:
    """Give a concept and all above it: by nesting, and by the property `subsumedBy` that v3 code systems use."""
    by_code = {found["code"]: found for found, _ in tree}
    found, waiting = set(inside), list(inside)
    while waiting:
        for property_ in by_code.get(waiting.pop(), {}).get("property", ()):
            if property_["code"] == "subsumedBy" and property_["valueCode"] not in found:
                found.add(property_["valueCode"])
                waiting.append(property_["valueCode"])
    return found


# --- extensions


def _extension(node: Node, known: Definitions) -> Iterator[Problem]:
    url = node.value.get("url")
    if not isinstance(url, str):
        return
    above = node.above
    assert above is not None
    inner = above.type == "Extension" and ":" not in url
    outer = above.value.get("url") if inner and isinstance(above.value, dict) else url
    if not isinstance(outer, str) or not outer.startswith(EXTENSIONS):
        return
    found = known.extension(outer)
    key = url if inner else ""
    if found is None:
        if not inner:
            yield node.path, f"HL7 has no such extension: {url}"
        return
    if not inner and not _allowed_at(found.contexts, above, known):
        yield node.path, f"{url} stands on {above.element.path}, it belongs on {', '.join(found.contexts)}"
    if key not in found.values:
        yield node.path, f"{outer} has no part {url!r}"
        return
    values = [name for name in node.value if name.lstrip("_").startswith("value")]
    allowed = {f"value{kind[:1].upper()}{kind[1:]}" for kind in found.values[key]}
    wrong = sorted({name.lstrip("_") for name in values} - allowed)
    if wrong:
        yield node.path, f"{url} has {', '.join(wrong)}, it takes {', '.join(sorted(allowed)) or 'no value'}"
    elif key in found.bound_to:
        for name in values:
            if not name.startswith("_"):
                yield from _bound(f"{node.path}.{name}", node.value[name], found.bound_to[key])


def _allowed_at(contexts: tuple[str, ...], above: Node, known: Definitions) -> bool:
    names = {above.element.path, above.element.path.removesuffix("[x]"), *known.lineage(above.type)}
    if above.element.same_as:
        names.add(above.element.same_as)
    if above.type == "Extension" and isinstance(above.value, dict):
        names.add(str(above.value.get("url")))
    return not contexts or bool(names & set(contexts)) or "Element" in contexts
