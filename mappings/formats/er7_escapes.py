"""Escape sequences of ER7 values: text made safe to stand in a field, and escaped values as the text they mean.

Does not cut fields into components (`er7` does).

Standard: HL7 v2.5.1 §2.7
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from mappings.formats import charsets
from mappings.formats.er7_encoding import DEFAULT, Delimiters, chosen_codec, decoded
from mappings.formats.faults import CharsetMismatch

_CONTROLS = dict.fromkeys([*(n for n in range(32) if chr(n) not in "\t\n\r"), 0x7F, 0xFFFE, 0xFFFF])
"""Characters that XML, FHIR or a database does not take; they are left out of values (the raw bytes keep them)."""
_MOST_SPACES = 50


class Reading:
    """How the values of one message are read."""

    __slots__ = (
        "blank",
        "charset",
        "component",
        "delimiters",
        "escape",
        "field",
        "is_usual",
        "is_viqr",
        "repetition",
        "subcomponent",
    )

    def __init__(self, delimiters: Delimiters, charset: str) -> None:
        self.delimiters = delimiters
        self.charset = charset
        self.is_viqr = charset == "viqr"
        self.is_usual = delimiters[:5] == DEFAULT[:5] and not self.is_viqr
        # A delimiter that is not in use becomes CR, which stands in no value.
        marks = [(mark or b"\r").decode("ascii") for mark in delimiters[:5]]
        self.field, self.component, self.repetition, self.escape, self.subcomponent = marks
        self.blank = self.component + self.repetition + self.subcomponent

    def is_special(self, text: str) -> bool:
        """Tell whether a field has repetitions, subcomponents or escapes, or is written in VIQR."""
        return self.repetition in text or self.escape in text or self.subcomponent in text or self.is_viqr

    def value(self, text: str) -> str:
        """Give one value: unescaped, composed (NFC), without control characters."""
        if self.escape in text:
            text = _unescaped(text, self)
        elif text.isascii() and text.isprintable() and not self.is_viqr:
            return text
        if self.is_viqr:
            text = charsets.viqr_to_text(text)
        if not text.isascii():
            text = unicodedata.normalize("NFC", text)
        return text if text.isprintable() else text.translate(_CONTROLS)


def unescape(data: bytes, delimiters: Delimiters = DEFAULT, charset: str = "utf-8") -> str:
    """Give the text of an escaped value: one pass from the left, so that `\\E\\F\\E\\` is `\\F\\` and never `|`.

    Highlighting is dropped, `\\.br\\` and its kin become line breaks and spaces; character-set switches (`\\C..\\`, `\\M..\\`),
    local sequences (`\\Z..\\`) and everything unknown stay as they are. Raises CharsetMismatch; `where` is the byte in `data`.

    Standard: HL7 v2.5.1 §2.7
    """
    codec = chosen_codec(charset)
    return Reading(delimiters, codec).value(decoded(data, codec, 0))


@lru_cache(maxsize=64)
def _sequences(mark: str) -> re.Pattern[str]:
    pattern = (
        r"@(?:(?P<plain>[FSTREPHN])"
        r"|X(?P<hex>(?:[0-9A-Fa-f]{2})+(?:@@X(?:[0-9A-Fa-f]{2})+)*)"
        r"|\.(?P<layout>[A-Za-z]{2}) *(?P<count>[+-]?[0-9]{0,4})"
        r"|(?:C[0-9A-Fa-f]{4}|M[0-9A-Fa-f]{4,6}|Z[0-9A-Za-z]*))@"
    )
    return re.compile(pattern.replace("@", re.escape(mark)))


def _unescaped(text: str, reading: Reading) -> str:
    marks = reading.delimiters
    plain = {"F": reading.field, "E": reading.escape, "H": "", "N": ""}
    for letter, mark, usual in (
        ("S", marks.component, "^"),
        ("T", marks.subcomponent, "&"),
        ("R", marks.repetition, "~"),
        ("P", marks.truncation, "#"),
    ):
        plain[letter] = mark.decode("ascii") or usual

    def replaced(match: re.Match[str]) -> str:
        letter, digits, layout, count = match.groups()
        if letter is not None:
            return plain[letter]
        if digits is not None:
            return _from_hex(match, reading)
        return match[0] if layout is None else _layout(match[0], layout.lower(), count)

    return _sequences(reading.escape).sub(replaced, text)


def _from_hex(match: re.Match[str], reading: Reading) -> str:
    """Give the text that is spelled out in the message's charset; as it stands when it is no text there."""
    try:
        return decoded(bytes.fromhex(match["hex"].replace(reading.escape * 2 + "X", "")), _spelled(reading.charset), 0)
    except CharsetMismatch:
        return match[0]


def _layout(sequence: str, command: str, count: str) -> str:
    times = min(max(int(count), 1), _MOST_SPACES) if count.strip("+-") else 1
    match command:
        case "br" | "ce":
            return "\n"
        case "sp":
            return "\n" * times
        case "sk":
            return " " * times
        case "in" | "ti" | "fi" | "nf":
            return ""
        case _:
            return sequence


def _spelled(charset: str) -> str:
    """Name the codec of `\\X..\\`: in a wide charset the digits are code units, the high byte first."""
    return charset[:6] + "-be" if charset.startswith(("utf-16", "utf-32")) else charset


def escape(text: str, delimiters: Delimiters = DEFAULT, charset: str = "utf-8") -> str:
    """Make text safe to stand in a field; line ends and other controls become `\\X0D\\` and the like.

    Without an escape character a delimiter becomes a space. Standard: HL7 v2.5.1 §2.7
    """
    return text if text.isalnum() else text.translate(_escapes(delimiters, charset))


@lru_cache(maxsize=64)
def _escapes(delimiters: Delimiters, charset: str) -> dict[int, str]:
    mark = delimiters.escape.decode("ascii")
    codec = _spelled(charset) if charset.startswith(("utf-16", "utf-32")) else "ascii"
    table = {chr(n): "X" + chr(n).encode(codec).hex().upper() for n in range(32) if n != 9}
    letters = zip(delimiters, ("F", "S", "R", "E", "T", "P"), strict=True)
    table |= {delimiter.decode("ascii"): letter for delimiter, letter in letters if delimiter}
    return {ord(char): f"{mark}{letter}{mark}" if mark else " " for char, letter in table.items()}
