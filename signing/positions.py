"""Where in the bytes an element ends, so that something can be put into it without serialising the rest.

Standard: XML 1.0 §3.1
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from xml.parsers import expat  # positions only: the same bytes went through safe_xml before, which refuses any DTD

from lxml import etree

from signing import xml_parts
from signing.faults import DocumentUnsignable


def split_before_end(xml: bytes, element: etree._Element) -> tuple[bytes, bytes]:
    """Cut `xml` where the last child of `element` would end; `element` is of the tree that `safe_xml` made of `xml`.

    An empty-element tag is written with two tags; every other byte is kept.
    """
    if (found := _only_reading(xml, element)) is not None:
        return xml[:found], xml[found:]
    wanted = _number(element)
    depth = started = 0
    level = start = end = -1
    parser = expat.ParserCreate()

    def on_start(_: str, __: Any) -> None:
        nonlocal depth, started, level, start
        if started == wanted:
            level, start = depth, parser.CurrentByteIndex
        started += 1
        depth += 1

    def on_end(_: str) -> None:
        nonlocal depth, end
        depth -= 1
        if depth == level and end < 0:
            end = parser.CurrentByteIndex

    parser.StartElementHandler = on_start
    parser.EndElementHandler = on_end
    parser.Parse(xml, True)
    if xml.startswith(b"/>", end - 2) and not len(element) and not element.text:
        return open_empty_tag(xml, start, end)
    return xml[:end], xml[end:]


def with_ids(xml: bytes, root: etree._Element, names: Sequence[str]) -> bytes:
    """Return `xml` with an Id, its own name, on each child of the root with one of these local names that has none.

    `root` is of the tree that `safe_xml` made of `xml`. Every other byte is kept. Raises DocumentUnsignable when such a child
    is missing or there are several, or the Id is another's.
    """
    positions: dict[int, str] = {}
    for name in names:
        found = list(root.iterchildren(f"{{*}}{name}"))
        if len(found) != 1:
            raise DocumentUnsignable(name, f"{len(found)} children of the root have this name")
        if found[0].get("Id") is None:
            if any(name in one.attrib.values() for one in root.iter("*")):
                raise DocumentUnsignable(name, "its name is an Id already")
            positions[_number(found[0])] = name
    pieces, last, started = [], 0, 0
    parser = expat.ParserCreate()
    starts: list[tuple[int, str]] = []

    def on_start(_: str, __: Any) -> None:
        nonlocal started
        if started in positions:
            starts.append((parser.CurrentByteIndex, positions[started]))
        started += 1

    parser.StartElementHandler = on_start
    parser.Parse(xml, True)
    for start, name in starts:
        tag = re.compile(rb"<[^\s/>]+").match(xml, start)
        assert tag is not None, "an element starts here"
        pieces += [xml[last : tag.end()], f' Id="{name}"'.encode()]
        last = tag.end()
    return b"".join((*pieces, xml[last:]))


def ids_of(root: etree._Element, names: Sequence[str]) -> list[str]:
    """Return the Ids of the children of the root with these local names, all of which have one."""
    return [str(child.get("Id")) for name in names for child in root.iterchildren(f"{{*}}{name}")]


def open_empty_tag(xml: bytes, start: int, end: int) -> tuple[bytes, bytes]:
    """Write the empty-element tag at `start` to `end` with two tags, and cut between them."""
    name = re.split(rb"[\s/]", xml[start + 1 : end], maxsplit=1)[0]
    return xml[: end - 2] + b">", b"</" + name + b">" + xml[end:]


def _only_reading(xml: bytes, element: etree._Element) -> int | None:
    """Return where the end tag of `element` begins, when searching for tags of its name can find nothing else.

    So it is where there is no comment, CDATA or later instruction, every element written under that name has an end tag,
    and none stands in another: then the tags are those of the elements, one after the other.
    """
    if xml_parts.declares(xml) or xml_parts.instructs(xml):
        return None
    name = f"{element.prefix}:{etree.QName(element).localname}" if element.prefix else etree.QName(element).localname
    alike = [one for one in element.getroottree().getroot().iter(element.tag) if one.prefix == element.prefix]
    if any(above.tag == element.tag for one in alike for above in one.iterancestors()):
        return None
    start, end = b"<" + name.encode(), b"</" + name.encode()
    if (
        not xml.count(start) == xml.count(end) == len(alike)
    ):  # elements whose names are longer count, too: then not here
        return None
    found = -1
    for _ in range(alike.index(element) + 1):
        found = xml.index(end, found + 1)
    return found


def _number(element: etree._Element) -> int:
    """Count the elements that begin before this one."""
    for number, other in enumerate(element.getroottree().getroot().iter("*")):
        if other is element:
            return number
    raise ValueError("not an element of its tree")
