"""How an ER7 message is encoded: its charset and its delimiters, as MSH-18, MSH-1 and MSH-2 say or the bytes show.

Does not read values (`er7_escapes` does) and does not know the legacy charsets themselves (`charsets` does).

Standard: HL7 v2.5.1 §2.5.4, §2.14.9.18; the truncation character: HL7 v2.7 §2.5.5.2
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from mappings.formats import charsets
from mappings.formats.faults import (
    CHARSET_DECLARED_WRONGLY,
    CHARSET_DOUBTFUL,
    CHARSET_UNKNOWN,
    CharsetMismatch,
    DelimitersInvalid,
)

NULL: Final = '""'
"""The value that says "delete what you have", which an empty field does not. Standard: HL7 v2.5.1 §2.5.3"""

SPACE: Final = " \t\r\n\v\f"
SPACE_BYTES: Final = SPACE.encode("ascii")
"""White space that may stand before a message."""


class Delimiters(NamedTuple):
    """The characters of MSH-1 and MSH-2, each one byte; the last four may be `b""`."""

    field: bytes = b"|"
    component: bytes = b"^"
    repetition: bytes = b"~"
    escape: bytes = b"\\"
    subcomponent: bytes = b"&"
    truncation: bytes = b""


DEFAULT: Final = Delimiters()


def wide_codec(raw: bytes) -> str:
    """Name the codec when the bytes are UTF-16 or UTF-32, which show in the first of them; else `""`."""
    if raw.startswith((b"\xff\xfe\0\0", b"\0\0\xfe\xff")):
        return "utf-32"
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    return {b"M\0S\0": "utf-16-le", b"\0M\0S": "utf-16-be"}.get(raw[:4], "")


def delimiters_of(text: str) -> Delimiters:
    """Read MSH-1 and MSH-2 of a text that begins with MSH; raise DelimitersInvalid."""
    if text[3:9] == "|^~\\&|":
        return DEFAULT
    field = text[3:4]
    if not usable(field):
        raise DelimitersInvalid("MSH-1")
    marks = re.split("[\r\n" + re.escape(field) + "]", text[4:12], maxsplit=1)[0]
    if not 1 <= len(marks) <= 5 or not all(map(usable, marks)):
        raise DelimitersInvalid("MSH-2", f"{len(marks)} characters")
    if len({*marks, field}) != len(marks) + 1:
        raise DelimitersInvalid("MSH-2", "a character stands twice")
    return Delimiters(field.encode("ascii"), *(marks[i : i + 1].encode("ascii") for i in range(5)))


def usable(mark: str) -> bool:
    """Tell whether a character can be a delimiter."""
    return len(mark) == 1 and "!" <= mark <= "~" and not mark.isalnum() and mark != '"'


def chosen_codec(charset: str) -> str:
    """Name the codec of a charset that the channel names; raise CharsetMismatch when there is none."""
    codec = charsets.codec_name(charset)
    if codec is None:
        raise CharsetMismatch("MSH-18", "the channel names an unknown charset")
    return codec


def declared_codec(raw: bytes, start: int, notices: list[tuple[int, str, str]]) -> str:
    """Choose the codec MSH-18 declares; where it plainly lies, the one that is plainly true, with a notice."""
    line = first_line(raw, start)
    fields = line.split(line[3:4] or b"|", 18)
    declared = re.split(rb"[^0-9A-Za-z _./-]", fields[17], maxsplit=1)[0].strip() if len(fields) > 17 else b""
    if not declared:
        return "utf-8"
    codec = charsets.TABLE_0211.get(declared.decode("ascii").upper())
    if codec is None:
        notices.append((CHARSET_UNKNOWN, "MSH-18", ""))
        return "utf-8"
    if codec.startswith(("utf-16", "utf-32")) or (codec == "ascii" and not raw.isascii()):
        notices.append((CHARSET_DECLARED_WRONGLY, "MSH-18", codec))
        return "utf-8"
    if codec.startswith("iso8859") and not raw.isascii() and _is_utf8(raw):
        notices.append((CHARSET_DOUBTFUL, "MSH-18", codec))
    return codec


def decoded(raw: bytes, codec: str, start: int) -> str:
    """Decode all of it or say where it cannot be."""
    try:
        if codec == "viqr":
            return raw[start:].decode("ascii")  # its marks are delimiters too: each value is decoded by itself
        return charsets.decoder(codec)(raw[start:] if start else raw)
    except UnicodeDecodeError as error:
        looks = charsets.suspect(raw)
        raise CharsetMismatch(
            f"byte {start + error.start}", f"{codec}, looks like {looks[0][2]}" if looks else codec
        ) from None


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def first_line(raw: bytes, at: int) -> bytes:
    """Give the line beginning at `at`, at most 64 KB of it."""
    end = raw.find(b"\r", at, at + 65_536)
    line = raw[at : end if end >= 0 else at + 65_536]
    return line.partition(b"\n")[0] if b"\n" in line else line
