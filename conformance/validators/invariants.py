"""Judge with the FHIRPath invariants (severity error) of the definitions, evaluated by fhirpathpy on every element with some.

Does not evaluate what stands in `LEFT_OUT`, and looks itself at what stands in `DIRECT`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any

import fhirpathpy
from fhirpathpy.engine.nodes import ResourceNode
from fhirpathpy.models import models
from lxml import etree

from conformance.validators.definitions import Node, Rule, definitions, walk
from conformance.validators.finding import Problem, read, write

LEFT_OUT = {
    "ctm-1": "asks resolve() for the resource behind a reference, which stands outside the resource",
    "ras-2": "RiskAssessment: fhirpathpy takes no number of JSON for a decimal",
    "que-7": "Questionnaire: fhirpathpy takes no truth value of JSON for a Boolean",
    "ig-1": "ImplementationGuide: written with %context for another element than the one it stands on",
    "ig-2": "ImplementationGuide: written with %context for another element than the one it stands on",
}
"""Invariant → why it is not evaluated."""

ONLY_WITH = {
    "dom-2": "contained",
    "dom-3": "contained",
    "dom-4": "contained",
    "dom-5": "contained",
    "bdl-8": "fullUrl",
    "ref-1": "reference",
}
"""Invariant → the element it speaks of. Without that there is nothing to ask, and to bdl-8 and ref-1 FHIRPath has no answer."""

LOOKS_OUTSIDE = re.compile(r"%resource|%rootResource|%context")

XHTML = "{http://www.w3.org/1999/xhtml}"
_TAGS = """a abbr acronym b big blockquote br caption cite code col colgroup dd dfn div dl dt em h1 h2 h3 h4 h5 h6 hr i img li
ol p pre q samp small span strong sub sup table tbody td tfoot th thead tr tt ul var"""
_ATTRIBUTES = """abbr accesskey align alt axis border cellhalign cellpadding cellspacing cellvalign char charoff charset cite
class colspan compact coords dir frame headers height href hreflang hspace id lang longdesc name noshade rel rev rowspan rules
scope shape span src start style summary tabindex title type valign value vspace width"""
ALLOWED_TAGS, ALLOWED_ATTRIBUTES = frozenset(_TAGS.split()), frozenset(_ATTRIBUTES.split())
"""Basic formatting of chapters 7-11 (without the forms of 9.4) and 15 of HTML 4.0, as Narrative.div allows."""


def _has_content(node: Node) -> bool:
    """ele-1: a primitive has a value, another element something besides its id; either may have extensions instead."""
    if isinstance(node.value, dict):
        return bool(set(node.value) - {"id", "resourceType"}) or "resourceType" in node.value
    return (node.value is not None and node.value not in ("", [])) or bool((node.beside or {}).get("extension"))


def _is_narrative(node: Node) -> bool:
    """txt-1 and txt-2: allowed elements and attributes only, and something to read."""
    if not isinstance(node.value, str):
        return False
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    try:
        div = etree.fromstring(node.value.encode(), parser)
    except etree.XMLSyntaxError:
        return False
    elements = [element for element in div.iter() if isinstance(element.tag, str)]
    names = all(e.tag.startswith(XHTML) and e.tag.removeprefix(XHTML) in ALLOWED_TAGS for e in elements)
    attributes = all(str(a).rpartition("}")[2] in ALLOWED_ATTRIBUTES for e in elements for a in e.attrib)
    shown = "".join(str(text) for text in div.itertext()).strip() or any(e.tag == XHTML + "img" for e in elements)
    return div.tag == XHTML + "div" and names and attributes and bool(shown)


def _range_goes_up(node: Node) -> bool:
    """rng-2: both ends in one unit, the low one not above the high one."""
    assert isinstance(node.value, dict)
    low, high = node.value.get("low"), node.value.get("high")
    if not isinstance(low, dict) or not isinstance(high, dict) or "value" not in low or "value" not in high:
        return True
    names = ("system", "code") if "code" in low else ("system", "code", "unit")
    return all(low.get(name) == high.get(name) for name in names) and bool(low["value"] <= high["value"])


def _contained_is_used(node: Node) -> bool:
    """dom-3: something in the resource points to each contained one, or that one points back to its container."""
    assert isinstance(node.value, dict)
    named = set(_texts(node.value))
    return all(f"#{one.get('id')}" in named or "#" in set(_texts(one)) for one in node.value["contained"])


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner)


DIRECT: dict[str, Callable[[Node], bool]] = {
    "dom-3": _contained_is_used,
    "ele-1": _has_content,
    "rng-2": _range_goes_up,
    "txt-1": _is_narrative,
    "txt-2": _is_narrative,
}
"""Invariants looked at here: dom-3 asks `as()` of many things at once, which FHIRPath forbids and fhirpathpy refuses; ele-1
stands on every element there is; rng-2 compares quantities, which fhirpathpy cannot; htmlChecks() is none of its functions."""


def check(texts: Sequence[str]) -> list[list[Problem]]:
    """Evaluate every invariant on every element of each resource."""
    return [list(_problems(text)) for text in texts]


def _problems(text: str) -> Iterator[Problem]:
    known = definitions()
    for node in walk(read(text), known):
        root = known.root(node.type)
        rules = node.element.rules
        if root is not None and root is not node.element:
            rules = tuple(dict.fromkeys((*rules, *root.rules)))
        for rule in rules:
            if rule.key in LEFT_OUT or (rule.key in ONLY_WITH and ONLY_WITH[rule.key] not in node.value):
                continue
            if not _holds(rule, node):
                yield node.path, f"{rule.key}: {rule.human}"


def _holds(rule: Rule, node: Node) -> bool:
    direct = DIRECT.get(rule.key)
    if direct is not None:
        return direct(node)
    if node.value is None:
        return True  # only id and extensions, which are judged as elements of their own
    if LOOKS_OUTSIDE.search(rule.expression):
        return _evaluate(rule.expression, node)
    key = (rule.expression, _base(node), write(node.value))
    if key not in VERDICTS:
        VERDICTS[key] = _evaluate(rule.expression, node)
    return VERDICTS[key]


VERDICTS: dict[tuple[str, str, str], bool] = {}
"""What was found for an element that looks the same; only of invariants that look at nothing outside it."""


class CannotEvaluate(Exception):
    """Say which invariant fhirpathpy gives up on, so that it is looked at and not passed over."""


@cache
def _compiled(expression: str) -> Callable[..., list[Any]]:
    return fhirpathpy.compile(expression, models["r4"], OPTIONS)


def _has_value(inputs: list[Any]) -> list[bool]:
    return [len(inputs) == 1 and inputs[0] is not None and not isinstance(inputs[0], dict)]


OPTIONS = {
    "userInvocationTable": {"hasValue": {"fn": _has_value}},  # a function of FHIR, not of FHIRPath
    "traceFn": lambda *_: None,
    "returnRawData": True,
}


def _evaluate(expression: str, node: Node) -> bool:
    focus = ResourceNode.create_node(node.value, _base(node))  # type: ignore[no-untyped-call]
    try:
        found = _compiled(expression)(focus, {"resource": node.resource, "rootResource": node.root})
    except Exception as failed:
        raise CannotEvaluate(f"{expression} at {node.element.path}: {type(failed).__name__}") from failed
    return found == [True]  # no answer is a no, as in HL7's own validator


def _base(node: Node) -> str:
    """Name the focus so that the types below it are known: a data type by its name, an element of a resource by its path."""
    if node.type in ("BackboneElement", "Element"):
        return node.element.same_as or node.element.path
    return node.type
