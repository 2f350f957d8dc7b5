"""Judge with HL7's XML schema (npm `hl7.fhir.r4.corexml`, `fhir-single.xsd`): order, cardinality, forms and lengths of
primitives, codes of required bindings, and the elements narrative may have."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from lxml import etree

from conformance.validators.definitions import definitions
from conformance.validators.finding import INSTALLED, NotInstalled, Problem, read
from conformance.validators.to_xml import NoSuchElement, to_xml

FILE = INSTALLED / "node" / "node_modules" / "hl7.fhir.r4.corexml" / "xml" / "fhir-single.xsd"


@cache
def schema() -> etree.XMLSchema:
    """Load the schema.

    Raises `NotInstalled`.
    """
    if not FILE.is_file():
        raise NotInstalled
    return etree.XMLSchema(etree.parse(FILE))


def check(texts: Sequence[str]) -> list[list[Problem]]:
    """Write each resource as FHIR XML and validate that."""
    return [_problems(read(text)) for text in texts]


def _problems(resource: Any) -> list[Problem]:
    kind = str(resource.get("resourceType"))
    try:
        made = to_xml(resource, definitions())
    except NoSuchElement as unknown:
        return [(kind, f"no XML for {unknown}")]
    except ValueError as refused:  # control characters
        return [(kind, str(refused))]
    judge = schema()
    if judge.validate(made):
        return []
    said = list(judge.error_log)  # type: ignore[call-overload]  # the stubs do not know that it is a list
    by_place = {made.getroottree().getpath(element): _path(element) for element in made.iter()}
    return [
        (by_place.get(error.path or "", kind), error.message.replace("{http://hl7.org/fhir}", "")) for error in said
    ]


def _path(element: etree._Element) -> str:
    steps = [etree.QName(step).localname for step in (element, *element.iterancestors()) if isinstance(step.tag, str)]
    return ".".join(reversed(steps))
