"""Write elements of CDA as text.

An element is a `Markup`, final text; everything else that goes into one is escaped. Attributes stand in the order they are
given, so the same calls write the same bytes.
"""

from __future__ import annotations

import re

NS = "urn:hl7-org:v3"
XSI = "http://www.w3.org/2001/XMLSchema-instance"

_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\n": "&#10;", "\t": "&#9;", "\r": "&#13;"}
_IN_ATTRIBUTE = re.compile('[&<>"\n\t\r]')
_IN_TEXT = re.compile("[&<>\r]")
_CONTROLS = bytes({*range(0x20)} - {0x09, 0x0A, 0x0D})
_NO_CHARACTERS = ("\ufffe".encode(), "\uffff".encode())
_NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


class Markup(str):
    """Text that is markup already."""

    __slots__ = ()


def el(tag: str, *children: Markup | str | None, **attributes: str | None) -> Markup:
    """Write an element; None leaves a child or an attribute out. `xsi_type` is written as xsi:type."""
    head = tag
    for name, value in attributes.items():
        if value is not None:
            if _IN_ATTRIBUTE.search(value):
                value = _IN_ATTRIBUTE.sub(_entity, value)
            head = f'{head} {"xsi:type" if name == "xsi_type" else name}="{value}"'
    inner = ""
    for child in children:
        if child is not None:
            inner += child if type(child) is Markup else escape(child)
    return Markup(f"<{head}>{inner}</{tag}>" if inner else f"<{head}/>")


def attribute(name: str, value: str) -> str:
    """Write an attribute, with the space before it."""
    return f' {name}="{_IN_ATTRIBUTE.sub(_entity, value) if _IN_ATTRIBUTE.search(value) else value}"'


def escape(text: str) -> Markup:
    """Write text as the content of an element."""
    return Markup(_IN_TEXT.sub(_entity, text) if _IN_TEXT.search(text) else text)


def joined(*parts: Markup | None) -> Markup:
    """Write elements one after another."""
    return Markup("".join([part for part in parts if part is not None]))


def document(root: str, *children: Markup | None) -> bytes:
    """Write a document: declaration, root element with the name spaces of CDA; characters XML has no place for become �."""
    text = f'<{root} xmlns="{NS}" xmlns:xsi="{XSI}">{joined(*children)}</{root}>'
    return b"<?xml version='1.0' encoding='UTF-8'?>\n" + _encoded(text)


def _encoded(text: str) -> bytes:
    try:
        encoded = text.encode()
    except UnicodeEncodeError:
        return _NO_XML.sub("\ufffd", text).encode()
    clean = len(encoded.translate(None, _CONTROLS)) == len(encoded) and not any(
        one in encoded for one in _NO_CHARACTERS
    )
    return encoded if clean else _NO_XML.sub("\ufffd", text).encode()


def _entity(match: re.Match[str]) -> str:
    return _ENTITIES[match[0]]
