"""Write elements of CDA as text.

An element is a `Markup`, final text in pieces, so that no element is copied for each one around it; everything else that goes
into one is escaped, and what XML has no place for becomes �. Attributes stand in the order they are given, so the same calls
write the same bytes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import chain
from typing import Any

NS = "urn:hl7-org:v3"
XSI = "http://www.w3.org/2001/XMLSchema-instance"

_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\n": "&#10;", "\t": "&#9;", "\r": "&#13;"}
_NO_XML = "\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff"
_IN_ATTRIBUTE = re.compile(f'[&<>"\n\t\r{_NO_XML}]')
_IN_TEXT = re.compile(f"[&<>\r{_NO_XML}]")


Markup = tuple[str, ...]
"""Text that is markup already."""


def el(tag: str, *children: Markup | str | None, **attributes: str | None) -> Markup:
    """Write an element; None leaves a child or an attribute out. `xsi_type` is written as xsi:type."""
    head = tag
    for name, value in attributes.items():
        if value is not None:
            head += attribute(name if name != "xsi_type" else "xsi:type", value)
    inner: list[str] = []
    for child in children:
        if child:
            if isinstance(child, tuple):
                inner += child
            else:
                inner.append(escape(child))
    return (f"<{head}>", *inner, f"</{tag}>") if inner else (f"<{head}/>",)


def attribute(name: str, value: str) -> str:
    """Write an attribute, with the space before it."""
    plain = value.isalnum() or not _IN_ATTRIBUTE.search(value)
    return f' {name}="{value if plain else _IN_ATTRIBUTE.sub(_entity, value)}"'


def escape(text: str) -> str:
    """Write text as the content of an element."""
    return _IN_TEXT.sub(_entity, text) if _IN_TEXT.search(text) else text


def joined(*parts: Markup | None) -> Markup:
    """Write elements one after another."""
    return tuple(chain.from_iterable(part for part in parts if part))


def text_of(markup: Markup) -> str:
    """Give markup as one text."""
    return "".join(markup)


_MOST_KEPT, _LONGEST_KEPT = 2048, 1024


def kept(make: Callable[..., Markup]) -> Callable[..., Markup]:
    """Keep what a function writes, in one piece, for who asks the same again: a facility has few codes, states and limits.

    What is long is written anew each time, so that no paper's text stays in memory; when too much is kept, all is forgotten.
    """
    known: dict[tuple[object, ...], Markup] = {}

    def written(*said: Any) -> Markup:
        made = known.get(said)
        if made is None:
            text = text_of(make(*said))
            made = (text,)
            if len(text) <= _LONGEST_KEPT:
                if len(known) >= _MOST_KEPT:
                    known.clear()
                known[said] = made
        return made

    return written


def document(root: str, *children: Markup | None) -> bytes:
    """Write a document in UTF-8: declaration, root element with the name spaces of CDA."""
    head = f"<?xml version='1.0' encoding='UTF-8'?>\n<{root} xmlns=\"{NS}\" xmlns:xsi=\"{XSI}\">"
    return "".join([head, *joined(*children), f"</{root}>"]).encode()


def _entity(match: re.Match[str]) -> str:
    return _ENTITIES.get(match[0], "\ufffd")
