"""Read what a paper says on its face, so that two versions can be told apart in the words that are printed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from lxml import etree

from mappings.documents.narrative import XHTML
from mappings.documents.versions import OWN_LINES
from mappings.formats import safe_xml
from mappings.outcome import Resource

_BLOCKS = tuple(f"{{{XHTML}}}{name}" for name in ("p", "tr"))
_ROW, _HEAD, _CELL = (f"{{{XHTML}}}{name}" for name in ("tr", "th", "td"))


def face(document: Resource) -> Mapping[str, tuple[str, ...]]:
    """Give the printed lines of a paper by where they stand: `section`, or `section / label` where the line has one.

    Left out: what a version says of itself, its number, and the running numbers of tables.
    """
    found: dict[str, list[str]] = {}
    number = document["identifier"]["value"]
    for part in document["entry"][0]["resource"].get("section", ()):
        for label, said in _lines(OWN_LINES.sub("", part.get("text", {}).get("div", "").replace(number, ""))):
            found.setdefault(" / ".join(filter(None, (part.get("title", ""), label))), []).append(said)
    return {place: tuple(lines) for place, lines in found.items()}


def _lines(div: str) -> Iterator[tuple[str, str]]:
    if not div:
        return
    for block in safe_xml.parse(div.encode()).iter(*_BLOCKS):
        cells = [cell for cell in block if not cell.get("id", "").startswith("STT")] if block.tag == _ROW else [block]
        labelled = [cell.tag for cell in cells[:2]] == [_HEAD, _CELL]
        label = _text(cells[0]).rstrip(":") if labelled else ""
        said = " | ".join(_text(cell) for cell in (cells[1:] if labelled else cells))
        if said.strip(" |"):
            yield label, said


def _text(node: etree._Element) -> str:
    return " ".join(" ".join(map(str, node.itertext())).split())
