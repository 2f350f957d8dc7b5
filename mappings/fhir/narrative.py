"""Is a narrative's `div` well-formed XHTML that cannot do anything?

Not an XML parser: a scanner of tags against lists of what is allowed, so that nothing hostile is ever interpreted. No
declarations, processing instructions or CDATA sections; no scripts, forms, frames, objects, event attributes or addresses that
run code. Standard: FHIR R4 §2.4 Narrative, rules txt-1 and txt-2.
"""

from __future__ import annotations

import re
from functools import lru_cache
from html.entities import name2codepoint

_element = re.compile(
    "a|abbr|acronym|b|big|blockquote|br|caption|cite|code|col|colgroup|dd|dfn|div|dl|dt|em|h[1-6]|hr|i|img|li|ol|p|pre|q|samp"
    "|small|span|strong|sub|sup|table|tbody|td|tfoot|th|thead|tr|tt|ul|var"
).fullmatch

_attribute = re.compile(
    "abbr|accesskey|align|alt|axis|bgcolor|border|cellpadding|cellspacing|char|charoff|charset|cite|class|colspan|coords|dir"
    "|frame|headers|height|href|hreflang|id|lang|longdesc|name|nowrap|rel|rev|rowspan|rules|scope|shape|span|src|start|style"
    "|summary|tabindex|title|type|valign|value|width|xml:lang|xml:space|xmlns"
).fullmatch

XHTML = "http://www.w3.org/1999/xhtml"
_PIECE = re.compile(
    r"<!--(?:(?!--).)*-->|<[^<>\"']*(?:\"[^<\"]*\"[^<>\"']*|'[^<']*'[^<>\"']*)*>|[^<>]+|[<>]", re.DOTALL
)
_TAG = re.compile(r"<(/?)([A-Za-z][A-Za-z0-9]*)((?:\s+[A-Za-z:_-]+\s*=\s*(?:\"[^<\"]*\"|'[^<']*'))*)\s*(/?)>")
_ATTRIBUTE = re.compile(r"([A-Za-z:_-]+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)')")
_REFERENCE = re.compile(r"&(?:#([0-9]{1,7})|#x([0-9A-Fa-f]{1,6})|([A-Za-z][A-Za-z0-9]*));|(&)")
_NAMED = frozenset(name2codepoint) | {"apos"}
_SAFE_ADDRESS = re.compile(
    r"(?:https?:|mailto:|tel:|ftp:|cid:|urn:|data:\s*image/(?:png|jpeg|gif|webp);|[^:]*$|[^:]*[/?#])", re.I
)
_ACTIVE_STYLE = re.compile(r"expression|javascript|@import|behaviou?r|binding|\\", re.IGNORECASE)
_STYLE_ADDRESS = re.compile(r"url\s*\(\s*['\"]?\s*([^)'\"]*)", re.IGNORECASE)
_OWN_IMAGE = re.compile(r"data:\s*image/(?:png|jpeg|gif|webp);|(?!//)[^:]*$", re.IGNORECASE).match
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")


def is_safe_div(text: str) -> bool:
    """Return whether the text is one XHTML `div` with content and nothing that could run."""
    if _CONTROL.search(text):
        return False
    open_elements: list[str] = []
    content = closed = False
    for match in _PIECE.finditer(text):
        piece = match.group()
        if piece[0] != "<":
            blank = piece.isspace()
            if (not open_elements and not blank) or piece == ">" or not _references_fine(piece):
                return False
            content = content or not blank
            continue
        if piece.startswith("<!--"):
            continue
        tag = _read_tag(piece) if len(piece) <= _LONGEST_KEPT else _read_tag.__wrapped__(piece)
        if tag is None or closed:
            return False
        name, closes, empty = tag
        if closes:
            if not open_elements or open_elements.pop() != name:
                return False
            closed = not open_elements
        else:
            if not open_elements and (name != "div" or empty or XHTML not in piece):
                return False
            if not empty:
                open_elements.append(name)
            content = content or name == "img"
    return content and closed


def _references_fine(text: str) -> bool:
    return "&" not in text or all(_reference_fine(match) for match in _REFERENCE.finditer(text))


def _reference_fine(match: re.Match[str]) -> bool:
    decimal, hexadecimal, named, bare = match.groups()
    if bare:
        return False
    if named:
        return named in _NAMED
    number = int(decimal) if decimal else int(hexadecimal, 16)
    return number in (9, 10, 13) or 32 <= number < 0xD800 or 0xE000 <= number <= 0xFFFD or 0x10000 <= number <= 0x10FFFF


_LONGEST_KEPT = 256
"""A longer tag is read again each time: one with a picture in it may be as long as the picture."""


@lru_cache(maxsize=1024)
def _read_tag(piece: str) -> tuple[str, bool, bool] | None:
    """Return name, closes, empty; None for a tag that may not stand in a narrative."""
    match = _TAG.fullmatch(piece)
    if match is None or not _element(match[2]) or (match[1] and (match[3] or match[4])):
        return None
    seen: set[str] = set()
    for name, double, single in _ATTRIBUTE.findall(match[3]):
        value = double or single
        if not _attribute(name) or name in seen or not _references_fine(value) or not _attribute_safe(name, value):
            return None
        seen.add(name)
    return match[2], bool(match[1]), bool(match[4])


def _attribute_safe(name: str, value: str) -> bool:
    if name == "xmlns":
        return value == XHTML
    if name == "style":
        return (
            "&" not in value
            and not _ACTIVE_STYLE.search(value)
            and all(_OWN_IMAGE(address) for address in _STYLE_ADDRESS.findall(value))
        )
    if name in ("href", "src", "cite", "longdesc"):
        return "&#" not in value and _SAFE_ADDRESS.match(value.strip()) is not None
    return True
