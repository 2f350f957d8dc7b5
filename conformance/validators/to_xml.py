"""Turn FHIR JSON into FHIR XML, in the element order of the definitions, so that HL7's XML schema can judge it.

Standard: FHIR R4 §2.6 (XML and JSON representations)
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from lxml import etree

from conformance.validators.definitions import Child, Definitions, Element
from conformance.validators.finding import Json

FHIR = "http://hl7.org/fhir"
NAMESPACES: dict[Any, str] = {None: FHIR}  # the stubs know no default namespace
BESIDE = ("id", "extension")


class NoSuchElement(Exception):
    """Say which part of the JSON has no definition, so that no XML can stand for it."""


def to_xml(resource: Json, known: Definitions) -> etree._Element:
    """Give the resource as FHIR XML.

    Raises `NoSuchElement` for an unknown element or a JSON form that the element does not have, and `ValueError` for text that
    no XML can hold.
    """
    kind = str(resource.get("resourceType"))
    root = known.root(kind)
    if root is None:
        raise NoSuchElement(f"resource type {kind}")
    made = etree.Element(f"{{{FHIR}}}{kind}", nsmap=NAMESPACES)
    content = {name: value for name, value in resource.items() if name != "resourceType"}
    _fill(made, content, root, kind, known, kind)
    return made


def _fill(into: etree._Element, content: Json, element: Element, kind: str, known: Definitions, path: str) -> None:
    children = known.children(element, kind)
    unknown = {name.removeprefix("_") for name in content} - set(children)
    if unknown:
        raise NoSuchElement(f"{path}.{min(unknown)}")
    for name, child in children.items():
        value, beside = content.get(name), content.get("_" + name)
        if value is None and beside is None:
            continue
        if child.element.many:
            values, besides = _list(value, path, name), _list(beside, path, name)
            for n in range(max(len(values), len(besides))):
                one = values[n] if n < len(values) else None
                two = besides[n] if n < len(besides) else None
                _add(into, name, child, one, two, known, f"{path}.{name}[{n}]")
        else:
            _add(into, name, child, value, beside, known, f"{path}.{name}")


def _list(value: Any, path: str, name: str) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise NoSuchElement(f"{path}.{name} as one value: it repeats, so it is a list")
    return value


def _add(into: etree._Element, name: str, child: Child, value: Any, beside: Any, known: Definitions, path: str) -> None:
    if child.type == "Resource":
        if not isinstance(value, dict):
            raise NoSuchElement(f"{path} as something else than a resource")
        etree.SubElement(into, f"{{{FHIR}}}{name}").append(to_xml(value, known))
    elif child.element.representation == "xmlAttr":
        into.set(name, _text(value, path))
    elif child.element.representation == "xhtml" or child.type == "xhtml":
        parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
        try:
            into.append(etree.fromstring(_text(value, path).encode(), parser))
        except etree.XMLSyntaxError as broken:
            raise NoSuchElement(f"{path} as text that is not XML: {broken.msg}") from broken
    elif known.is_primitive(child.type):
        made = etree.SubElement(into, f"{{{FHIR}}}{name}")
        if value is not None:
            made.set("value", _text(value, path))
        if isinstance(beside, dict):
            if set(beside) - set(BESIDE):
                raise NoSuchElement(f"{path}.{min(set(beside) - set(BESIDE))}")
            root = known.root("Element")
            assert root
            _fill(made, beside, root, "Element", known, path)
    elif isinstance(value, dict):
        _fill(etree.SubElement(into, f"{{{FHIR}}}{name}"), value, child.element, child.type, known, path)
    else:
        raise NoSuchElement(f"{path} as {type(value).__name__}: it is an object")


def _text(value: Any, path: str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | Decimal):
        return str(value)
    raise NoSuchElement(f"{path} as {type(value).__name__}: it is a primitive")
