"""The narrative block of a CDA section as safe XHTML, and the words by ID that entries refer to.

Only what FHIR allows in a narrative is written; whatever else stands in a block is inert: scripts and the like are dropped,
unknown markup loses its tags and keeps its words. Both are told.

Standard: CDA R2 §4.3.5; FHIR R4 §2.4
"""

from __future__ import annotations

import re
from collections.abc import Callable
from html import escape

from lxml import etree

from mappings.fhir.narrative import XHTML, is_safe_div

_V3 = "{urn:hl7-org:v3}"
_NAMES = {
    "paragraph": "p",
    "content": "span",
    "list": "ul",
    "item": "li",
    "table": "table",
    "thead": "thead",
    "tbody": "tbody",
    "tfoot": "tfoot",
    "colgroup": "colgroup",
    "col": "col",
    "tr": "tr",
    "th": "th",
    "td": "td",
    "caption": "caption",
    "sub": "sub",
    "sup": "sup",
    "br": "br",
    "linkHtml": "a",
    "footnote": "span",
    "footnoteRef": "span",
    "renderMultiMedia": "span",
}
_DROPPED = frozenset(
    {"script", "style", "iframe", "object", "embed", "applet", "form", "input", "button", "link", "meta", "svg"}
)
_KEPT = frozenset(
    {"border", "width", "align", "valign", "colspan", "rowspan", "span", "cellpadding", "cellspacing", "scope"}
)
_STYLES = {"bold": "b", "italics": "i", "emphasis": "em", "underline": "u"}
_VOID = frozenset({"br", "col"})
_SAFE_LINK = re.compile(r"(?:https?://|mailto:|#)[^\s\"'<>]*", re.IGNORECASE)
_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_:.-]*")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def text_to_div(text: etree._Element, refused: Callable[[str], None]) -> str:
    """Write the block as a `div`, `""` when it has no words; `refused` is told each name that may not stand in it."""
    inside = _inside(text, "text", refused)
    div = f'<div xmlns="{XHTML}">{inside}</div>'
    if is_safe_div(div):
        return div
    plain = escape(_CONTROL.sub("", " ".join("".join(_words(text)).split())), quote=False)
    return f'<div xmlns="{XHTML}"><p>{plain}</p></div>' if plain else ""


def _inside(element: etree._Element, parent: str, refused: Callable[[str], None]) -> str:
    parts = [_escaped(element.text, parent)]
    for child in element:
        if isinstance(child.tag, str):
            parts.append(_element(child, parent, refused))
        parts.append(_escaped(child.tail, parent))
    return "".join(parts)


def _escaped(text: str | None, parent: str) -> str:
    if not text or (parent in ("table", "thead", "tbody", "tfoot", "tr", "colgroup", "list") and text.isspace()):
        return ""
    return escape(_CONTROL.sub("", text), quote=False)


def _element(child: etree._Element, parent: str, refused: Callable[[str], None]) -> str:
    name = str(child.tag).removeprefix(_V3)
    local = name.rpartition("}")[2]
    if local.lower() in _DROPPED:
        refused(local)
        return ""
    if name not in _NAMES:
        refused(local)
        return _inside(child, parent, refused)
    tag = _NAMES[name]
    if name == "list" and child.get("listType") == "ordered":
        tag = "ol"
    if name == "caption" and parent != "table":
        tag = "li" if parent == "list" else "span"
    inside = _inside(child, name, refused)
    if name == "content":
        inside = _styled(inside, child.get("styleCode", ""))
    if name == "footnoteRef":
        return inside
    attributes = _attributes(child, tag, refused)
    if tag in _VOID:
        return f"<{tag}{attributes}/>"
    return f"<{tag}{attributes}>{inside}</{tag}>"


def _styled(inside: str, style: str) -> str:
    for word in style.lower().split():
        tag = _STYLES.get(word)
        if tag and tag != "u":
            inside = f"<{tag}>{inside}</{tag}>"
    return inside


def _attributes(element: etree._Element, tag: str, refused: Callable[[str], None]) -> str:
    found: dict[str, str] = {}
    for raw, value in element.attrib.items():
        name, said = str(raw), str(value)
        if name == "ID" and _KEY.fullmatch(said):
            found["id"] = said
        elif name == "href" and tag == "a":
            if _SAFE_LINK.fullmatch(said.strip()):
                found["href"] = said.strip()
            else:
                refused("href")
        elif name == "styleCode" and "underline" in said.lower().split():
            found["style"] = "text-decoration: underline"
        elif name in _KEPT and tag in ("table", "col", "colgroup", "tr", "th", "td", "thead", "tbody", "tfoot"):
            found[name] = said
        elif name.lower().startswith("on") or name.lower() == "style":
            refused(name)
    return "".join(f' {name}="{escape(_CONTROL.sub("", value))}"' for name, value in found.items())


def texts_by_id(text: etree._Element) -> dict[str, str]:
    """Give the words of every element of a block that has an ID."""
    found: dict[str, str] = {}
    for element in text.iter():
        key = element.get("ID") if isinstance(element.tag, str) else None
        if key:
            words = "".join(_words(element))
            lines = (" ".join(line.split()) for line in _CONTROL.sub("", words).split("\n"))
            found.setdefault(key, "\n".join(line for line in lines if line))
    return found


def _words(element: etree._Element) -> list[str]:
    """Give the words of an element; cells are parted by a space, lines by a line end; what is dropped has none."""
    name = str(element.tag).rpartition("}")[2]
    if name.lower() in _DROPPED:
        return []
    if name == "br":
        return ["\n"]
    parts = [" ".join(_spaces(element.text))]
    for child in element:
        if isinstance(child.tag, str):
            parts += _words(child)
        parts.append(" ".join(_spaces(child.tail)))
    if name in ("td", "th"):
        parts.append(" ")
    elif name in ("paragraph", "item", "tr", "caption"):
        parts.append("\n")
    return parts


def _spaces(text: str | None) -> list[str]:
    """Split at white space so that a line break of the source file is a space; ends are kept as spaces."""
    return (text or "").replace("\n", " ").split(" ")


def empty_div(title: str) -> str:
    """Write the `div` of a section that has only a title."""
    words = escape(_CONTROL.sub("", title), quote=False)
    return f'<div xmlns="{XHTML}"><p>{words or "—"}</p></div>'
