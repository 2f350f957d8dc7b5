"""What documents of ours say in FHIR's own words: which resource an entry is, and the elements CDA has no place for.

An id whose root is made of `<base>/<type>` says which resource it is. A code of the system of FHIR's definitions is the path of
an element (`Procedure.performer[0].function`), its value the element's; what is said so stands in place of what was read of the
rest. Nothing is taken that would leave the resource unsound.

Standard: FHIR R4 §2.6 (element definitions)
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from typing import Any

from mappings.cda.read.codings import cd_to_codeable_concept, cd_to_coding, ed_to_text
from mappings.cda.read.datatypes import bl, ii_to_identifier
from mappings.cda.read.draft import Draft, Place
from mappings.cda.read.elements import Element, compact
from mappings.cda.read.node import Node
from mappings.cda.read.quantities import ivl_pq_to_choice, ivl_pq_to_range, pq_to_quantity, rto_to_ratio
from mappings.cda.read.relations import claim, element_of, parts, path_parts, relate, take_comments
from mappings.cda.read.systems import resource_of
from mappings.cda.read.times import ivl_ts_to_period, number, ts_to_datetime
from mappings.fhir import problems
from mappings.fhir.tables import load
from mappings.outcome import Resource

_STEP = re.compile(r"([a-z][A-Za-z]*)(?:\[([0-9]{1,3})\])?")
_QUANTITIES = frozenset({"Quantity", "SimpleQuantity", "Age", "Duration", "Count", "Distance"})
_NUMBERS = frozenset({"integer", "positiveInt", "unsignedInt"})
_PARTLY = frozenset({"dosageInstruction", "dosage"})
"""Elements of which the paths say only what the entry does not."""
_TIMES = frozenset({"date", "dateTime", "instant"})


def kind_of(node: Node) -> str:
    """Tell which type of resource an entry says it is; `""` when it says none."""
    for ii in node.all("id"):
        found = resource_of(ii.peek("root"), ii.peek("extension"), ii.peek("assigningAuthorityName"))
        if found:
            return found[1]
    return ""


def entry_to_resource(kind: str, node: Node, draft: Draft, place: Place) -> list[str]:
    """Make a resource that is said by its paths alone; nothing when that leaves it unsound."""
    names = typed(kind)
    numbers = [found for ii in node.all("id") if (found := _number(ii))]
    made: Resource = {"resourceType": kind, "id": draft.known(kind, numbers, node)}
    if numbers and "identifier" in names:
        made["identifier"] = numbers if names["identifier"][1] == 0 else numbers[0]
    for name in ("subject", "patient"):
        if name in names:
            made[name] = draft.subject
    take_elements(node, made, draft, whole=False)
    take_comments(node, made, draft)
    made = compact(made)
    if "intent" in names:
        made.setdefault("intent", "order")
    if problems(made):
        node.give_up("a resource that its paths leave unsound")
        return []
    for child in node.children:
        if child.name not in ("id", "entryRelationship", "component", "templateId"):
            child.pass_over("says again what a path says")
    for relation, statement in list(parts(node)):
        if not kind_of(statement):
            statement.done = True
            relation.pass_over("says again what a path says")
    node.take("classCode", "moodCode", "negationInd")
    reference = draft.add(made, node, place)
    return [reference, *relate(node, made, draft, place)]


def _number(ii: Node) -> Element | None:
    if resource_of(ii.peek("root"), ii.peek("extension"), ii.peek("assigningAuthorityName")):
        ii.take("root", "extension", "assigningAuthorityName")
        return None
    return ii_to_identifier(ii)


@cache
def typed(shape: str) -> dict[str, tuple[str, int]]:
    """Give the elements of a type, or of a part of one, by their name in JSON: type, and the greatest number (0: many)."""
    found: dict[str, tuple[str, int]] = {}
    for row in load().rows(shape):
        for kind in row.types:
            name = row.name.removesuffix("[x]")
            suffix = (
                ("Quantity" if kind == "SimpleQuantity" else kind[:1].upper() + kind[1:]) if row.name != name else ""
            )
            found[name + suffix] = (kind, row.maximum)
    return found


def take_elements(node: Node, resource: Resource, draft: Draft, whole: bool = True) -> None:
    """Set what is said under the paths of a resource, each element as a whole.

    With `whole` an element that would leave the resource unsound is not taken.
    """
    kind = resource["resourceType"]
    said: dict[str, list[tuple[Node, Node, list[tuple[str, int | None]], Any]]] = {}
    for relation, statement in list(path_parts(node)):
        path = element_of(statement)
        if not path.startswith(f"{kind}."):
            continue
        steps = list(_steps(path.removeprefix(f"{kind}.")))
        value = _value(statement, _type(kind, steps), draft) if steps else None
        if value is None and statement.first("value").peek("nullFlavor"):
            relation.pass_over("says that nothing is known")
            statement.done = True
        if value is not None:
            said.setdefault(steps[0][0], []).append((relation, statement, steps, value))
    for element, leaves in said.items():
        before = deepcopy(resource)
        for other in _siblings(kind, element):
            resource.pop(other, None)
        if element not in _PARTLY:
            resource.pop(element, None)
        for _, _, steps, value in leaves:
            _set(resource, kind, steps, value)
        if whole and problems(compact(resource)):
            resource.clear()
            resource.update(before)
            continue
        for relation, statement, _, _ in leaves:
            claim(relation, statement)
            statement.becomes(f"{kind}/{resource['id']}", element)
            statement.first("code").take("code", "codeSystem", "codeSystemName", "displayName")


def _steps(path: str) -> Iterator[tuple[str, int | None]]:
    for step in path.split("."):
        found = _STEP.fullmatch(step)
        if found is None:
            return
        yield found[1], int(found[2]) if found[2] else None


def _type(shape: str, steps: list[tuple[str, int | None]]) -> str:
    kind = ""
    for name, _ in steps:
        kind = typed(shape).get(name, ("", 0))[0]
        shape = kind.removeprefix("#")
        if not kind or not (shape[:1].isupper()):
            break
    return kind


def _siblings(kind: str, element: str) -> list[str]:
    """Give the other types of a choice element (`onsetDateTime` beside `onsetAge`)."""
    for row in load().rows(kind):
        base = row.name.removesuffix("[x]")
        if base != row.name and element.startswith(base) and element in typed(kind):
            return [name for name in typed(kind) if name.startswith(base) and name != element]
    return []


def _set(holder: Element, shape: str, steps: list[tuple[str, int | None]], value: Any) -> None:
    (name, at), rest = steps[0], steps[1:]
    kind, maximum = typed(shape)[name]
    if maximum == 0:
        listed = holder.setdefault(name, [])
        while len(listed) <= (at or 0):
            listed.append({})
        if rest:
            _set(listed[at or 0], kind.removeprefix("#"), rest, value)
        else:
            listed[at or 0] = value
    elif rest:
        _set(holder.setdefault(name, {}), kind.removeprefix("#"), rest, value)
    else:
        holder[name] = value


def _value(statement: Node, kind: str, draft: Draft) -> Any:
    """Read the value of an element of a type; None when there is none of that type."""
    value = statement.first("value")
    if kind == "Reference":
        return _reference(statement, draft)
    if kind == "Identifier":
        return ii_to_identifier(statement.first("id"))
    if kind == "CodeableConcept":
        return cd_to_codeable_concept(value, draft)
    if kind == "Coding":
        return cd_to_coding(value)
    if kind in _QUANTITIES:
        return (
            ivl_pq_to_choice("value", value).get("valueQuantity") if value.type == "IVL_PQ" else pq_to_quantity(value)
        )
    if kind == "Period":
        return ivl_ts_to_period(value, draft) or None
    if kind == "Range":
        return ivl_pq_to_range(value) or None
    if kind == "Ratio":
        return rto_to_ratio(value) or None
    if kind == "boolean":
        return bl(value)
    if kind in _NUMBERS:
        found = number(value)
        return int(found) if found is not None and found == int(found) else None
    if kind == "decimal":
        return number(value)
    if kind in _TIMES:
        moment = ts_to_datetime(value, draft)
        return (moment[:10] if kind == "date" else moment) or None
    return ed_to_text(value, draft) or None if kind and not kind.startswith("#") else None


def _reference(statement: Node, draft: Draft) -> Element | None:
    """Make the Reference to what a statement names: a resource of the document, a number, or a name alone."""
    ii = statement.first("id")
    own = resource_of(ii.peek("root"), ii.peek("extension"), ii.peek("assigningAuthorityName"))
    display = statement.first("text").said()
    if own:
        ii.take("root", "extension", "assigningAuthorityName")
        target = draft.patient if own[1] == "Patient" else f"{own[1]}/{draft.known(own[1], [], statement)}"
        found = compact({"reference": target, "display": display})
        draft.references.append(found)
        return found
    identifier = ii_to_identifier(ii)
    return compact({"identifier": identifier, "display": display}) or None


def close_references(draft: Draft) -> None:
    """Make references to what is not in the document logical ones."""
    for reference in draft.references:
        target = reference.get("reference", "")
        if target not in draft.resources:
            kind, _, value = target.partition("/")
            del reference["reference"]
            reference["type"] = kind
            reference["identifier"] = {"system": f"{draft.context.systems.own}/{kind}", "value": value}
