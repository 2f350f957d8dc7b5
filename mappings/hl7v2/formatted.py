"""FT as XHTML: line breaks, indents, centred lines and highlighting of formatted text.

The plain text of the same value comes from the codec; this is only its look. Writes `p`, `b` and a fixed set of styles, so that
nothing the sender wrote can act.

Standard: HL7 v2.5.1 §2.7.6
"""

from __future__ import annotations

import re
from functools import lru_cache
from html import escape

from mappings.fhir.narrative import XHTML
from mappings.formats.er7 import Delimiters
from mappings.formats.er7_escapes import unescape

_DEEPEST = 40


def is_formatted(written: bytes, delimiters: Delimiters) -> bool:
    """Tell whether a value holds more of formatting than plain line breaks."""
    mark = delimiters.escape
    return bool(mark) and mark in written and any(kind != "br" for kind, *_ in _pieces(written, delimiters) if kind)


def ft_to_xhtml(written: bytes, delimiters: Delimiters) -> str:
    """Make the `div` of a narrative; `""` when nothing is to be seen."""
    lines: list[str] = []
    current: list[str] = []
    styles: list[str] = []
    indent = first = 0
    centred = bold = False
    filling = True

    def close() -> None:
        nonlocal first, centred
        style = ""
        if centred:
            style = "text-align:center"
        elif indent + first > 0:
            style = f"margin-left:{min(indent + first, _DEEPEST)}em"
        if not filling:
            style += f"{';' if style else ''}white-space:pre"
        text = "".join(current) + ("</b>" if bold else "")
        lines.append(text)
        styles.append(style)
        current[:] = ["<b>"] if bold else []
        first, centred = 0, False

    for kind, number, text in _pieces(written, delimiters):
        match kind:
            case "":
                current.append(escape(text, quote=False))
            case "H" if not bold:
                current.append("<b>")
                bold = True
            case "N" if bold:
                current.append("</b>")
                bold = False
            case "br":
                close()
            case "sp":
                for _ in range(min(max(number, 1), _DEEPEST)):
                    close()
            case "ce":
                if "".join(current).removeprefix("<b>"):
                    close()
                centred = True
            case "in":
                indent = max(number, 0)
            case "ti":
                first = number
            case "sk":
                current.append("\u00a0" * min(max(number, 1), _DEEPEST))
            case "fi" | "nf":
                filling = kind == "fi"
    close()
    body = "".join(
        f'<p style="{style}">{line}</p>' if style else f"<p>{line}</p>"
        for line, style in zip(lines, styles, strict=True)
    )
    seen = re.sub(r"<[^>]*>", "", body)
    return f'<div xmlns="{XHTML}">{body}</div>' if seen.strip("\u00a0 \t\r\n") else ""


def _pieces(written: bytes, delimiters: Delimiters) -> list[tuple[str, int, str]]:
    """Cut a value into (`""`, 0, text) and (command, its number, `""`)."""
    found: list[tuple[str, int, str]] = []
    at = 0
    for match in _commands(delimiters.escape).finditer(written):
        _text(written[at : match.start()], delimiters, found)
        at = match.end()
        letter, command, count = match.groups()
        if letter:
            found.append((letter.decode(), 0, ""))
        else:
            number = count.decode().strip()
            found.append((command.decode().lower(), int(number) if number.lstrip("+-") else 0, ""))
    _text(written[at:], delimiters, found)
    return found


def _text(written: bytes, delimiters: Delimiters, found: list[tuple[str, int, str]]) -> None:
    if written:
        parts = unescape(written, delimiters).replace("\r\n", "\n").split("\n")
        for n, part in enumerate(parts):
            if n:
                found.append(("br", 0, ""))
            found.append(("", 0, part))


@lru_cache(maxsize=16)
def _commands(mark: bytes) -> re.Pattern[bytes]:
    return re.compile(
        rb"@(?:([HN])|\.(br|sp|in|ti|fi|nf|ce|sk) *([+-]?[0-9]{0,4}))@".replace(b"@", re.escape(mark)), re.I
    )
