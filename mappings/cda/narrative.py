"""Turn the XHTML of a FHIR section into the narrative block of a CDA section, element by element.

Only the markup our own papers use is known; anything else is a fault, because what is signed must be what was shown.

Standard: CDA R2 §4.3.5
"""

from __future__ import annotations

from mappings.cda.datatypes import NS, Node, el
from mappings.cda.faults import NarrativeUnsupported
from mappings.formats import safe_xml

_XHTML = "{http://www.w3.org/1999/xhtml}"
_SAME = {
    "table": "table",
    "thead": "thead",
    "tbody": "tbody",
    "tr": "tr",
    "th": "th",
    "td": "td",
    "br": "br",
    "p": "paragraph",
    "span": "content",
}


def text(div: str) -> Node:
    """Make the `text` of a section; raises `NarrativeUnsupported`, `XmlRefused`."""
    root = safe_xml.parse(div.encode())
    if root.tag != f"{_XHTML}div":
        raise NarrativeUnsupported("div")
    block = el("text", styleCode=root.get("class"))
    _copy(root, block)
    return block


def _copy(source: Node, target: Node) -> None:
    target.text = source.text
    for child in source:
        name = str(child.tag).removeprefix(_XHTML)
        if name not in _SAME:
            raise NarrativeUnsupported(name if name.isalnum() else "")
        made = el(_SAME[name], ID=child.get("id"), styleCode=child.get("class"))
        target.append(made)
        _copy(child, made)
        made.tail = child.tail


def cell_ids(block: Node) -> frozenset[str]:
    """Give the keys of a block's cells, for entries that point to what was shown."""
    return frozenset(key for cell in block.iter(f"{{{NS}}}td") if (key := cell.get("ID")))
