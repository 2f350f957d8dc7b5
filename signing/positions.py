"""Where in the bytes an element ends, so that something can be put into it without serialising the rest.

Standard: XML 1.0 §3.1
"""

from __future__ import annotations

from typing import Any
from xml.parsers import expat  # positions only: the same bytes went through safe_xml before, which refuses any DTD

from lxml import etree

from signing.xmldsig import open_empty_tag


def split_before_end(xml: bytes, element: etree._Element) -> tuple[bytes, bytes]:
    """Cut `xml` where the last child of `element` would end; `element` is of the tree that `safe_xml` made of `xml`.

    An empty-element tag is written with two tags; every other byte is kept.
    """
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


def _number(element: etree._Element) -> int:
    """Count the elements that begin before this one."""
    for number, other in enumerate(element.getroottree().getroot().iter("*")):
        if other is element:
            return number
    raise ValueError("not an element of its tree")
