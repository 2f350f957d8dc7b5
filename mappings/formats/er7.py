"""Read HL7 v2 messages in ER7 encoding, lazily, keeping the position of everything.

The bytes are decoded and cut into lines at once, because the charset has to be checked anyhow; everything below a line is split
and unescaped when it is asked for. Does not validate against message structures, does not map, does not write messages
(`er7_writer` does).

What is read gladly although the standard frowns: any of CR, LF, CRLF as segment end; white space or a byte order mark before
MSH; MSH-2 with fewer than four characters; declared ASCII that is UTF-8 (with a notice). What is refused is a fault with its
position, never a guess.

Standard: HL7 v2.5.1 §2.5–2.7, §2.10; the truncation character: HL7 v2.7 §2.5.5.2
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise
from typing import Final, NamedTuple

from mappings.formats import charsets
from mappings.formats.faults import (
    CHARSET_DECLARED_WRONGLY,
    CHARSET_DOUBTFUL,
    CHARSET_UNKNOWN,
    LINE_BREAK_IN_FIELD,
    CharsetMismatch,
    DelimitersInvalid,
    EmptyMessage,
    HeaderMissing,
    SegmentInvalid,
)

NULL: Final = '""'
"""The value that says "delete what you have", which an empty field does not. Standard: HL7 v2.5.1 §2.5.3"""

_SPACE = " \t\r\n\v\f"
_SPACE_BYTES = _SPACE.encode("ascii")
_SEGMENT = re.compile(r"^[A-Z][A-Z0-9]{2}$")
_HEADERS = ("MSH", "FHS", "BHS")
_NAMES: set[str] = set()
"""Segment names found good, so that a name is checked once."""
_CONTROLS = dict.fromkeys([*(n for n in range(32) if chr(n) not in "\t\n\r"), 0x7F, 0xFFFE, 0xFFFF])
"""Characters that XML, FHIR or a database does not take; they are left out of values (the raw bytes keep them)."""


class Delimiters(NamedTuple):
    """The characters of MSH-1 and MSH-2, each one byte; the last four may be `b""`."""

    field: bytes = b"|"
    component: bytes = b"^"
    repetition: bytes = b"~"
    escape: bytes = b"\\"
    subcomponent: bytes = b"&"
    truncation: bytes = b""


DEFAULT: Final = Delimiters()


# ---- values ----


class _Reading:
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


class _Components:
    """Something with components: a repetition, or a field standing for its first one."""

    __slots__ = ("_reading", "_split", "_written")

    def __init__(self, written: str, reading: _Reading) -> None:
        self._written = written
        self._reading = reading
        self._split: list[str] | None = None

    def __bool__(self) -> bool:
        written = self._written
        if not written or written == NULL:
            return False
        blank = self._reading.blank
        return written[0] not in blank or written.strip(blank) != ""

    @property
    def raw(self) -> bytes:
        """The whole as it was written, escapes and all, in UTF-8 whatever the charset of the message."""
        return self._written.encode()

    @property
    def usual(self) -> str:
        """The whole as it was written, when the usual delimiters were used: what is written alike then means the same.

        `""` under any others.
        """
        return self._written if self._reading.is_usual else ""

    @property
    def is_null(self) -> bool:
        """Tell whether the whole is `""`: the sender wants the value deleted."""
        return self._written == NULL

    @property
    def text(self) -> str:
        """The first subcomponent of the first component, unescaped; `""` when absent or null."""
        return self.c(1)

    def c(self, n: int, s: int = 1) -> str:
        """Give component `n`, subcomponent `s`, unescaped; `""` when absent or null."""
        reading = self._reading
        parts = self._split
        if parts is None:
            text = self._written
            if text.isalnum() and text.isascii() and not reading.is_viqr:
                return text if n == 1 == s else ""
            parts = self._cut()
        if not 0 < n <= len(parts):
            return ""
        text = parts[n - 1]
        if reading.subcomponent in text:
            below = text.split(reading.subcomponent)
            text = below[s - 1] if 0 < s <= len(below) else ""
        elif s != 1:
            return ""
        if text.isalnum() and text.isascii() and not reading.is_viqr:
            return text
        return reading.value(text) if text and text != NULL else ""

    @property
    def components(self) -> int:
        """How many components there are, empty ones included; 0 when absent."""
        return len(self._split or self._cut()) if self._written else 0

    def subcomponents(self, n: int) -> int:
        """How many subcomponents component `n` has, empty ones included; 0 when absent."""
        parts = self._split or self._cut()
        if not 0 < n <= len(parts) or not parts[n - 1]:
            return 0
        return parts[n - 1].count(self._reading.subcomponent) + 1

    def is_null_component(self, n: int) -> bool:
        """Tell whether component `n` is `""`."""
        parts = self._split or self._cut()
        return 0 < n <= len(parts) and parts[n - 1] == NULL

    @property
    def whole(self) -> str:
        """The first repetition as one text, component marks left standing: for prose whose sender did not escape `&` or `^`."""
        text = self._written.partition(self._reading.repetition)[0]
        return "" if text == NULL else self._reading.value(text)

    def _cut(self) -> list[str]:
        reading = self._reading
        written = self._written
        if reading.repetition in written:
            written = written.partition(reading.repetition)[0]
        self._split = parts = written.split(reading.component)
        return parts


class Repetition(_Components):
    """One repetition of a field."""

    __slots__ = ()


class Field(_Components):
    """One field. Its `c`, `text` and `components` are those of the first repetition; true when populated and not null."""

    __slots__ = ("_repetitions",)

    def __init__(self, written: str, reading: _Reading) -> None:
        self._written = written
        self._reading = reading
        self._split = None
        self._repetitions: list[Repetition] | None = None

    @property
    def repetitions(self) -> list[Repetition]:
        """All repetitions in order, empty ones included; none when the field is absent or null."""
        if self._repetitions is None:
            written, reading = self._written, self._reading
            if reading.repetition in written:
                self._repetitions = [Repetition(part, reading) for part in written.split(reading.repetition)]
            else:
                self._repetitions = [Repetition(written, reading)] if written and written != NULL else []
        return self._repetitions


class Segment:
    """One segment. `number` is its line in the message, `occurrence` its place among those of the same name; both from 1."""

    __slots__ = ("_fields", "_line", "_made", "_reading", "name", "number", "occurrence")

    _made: dict[int, Field]

    def __init__(self, line: str, name: str, number: int, occurrence: int, reading: _Reading) -> None:
        self._line = line
        self._reading = reading
        self._fields: list[str] | None = None
        self.name = name
        self.number = number
        self.occurrence = occurrence

    def __getitem__(self, n: int) -> Field:
        """Give field `n`, counted as in the standard: MSH-1 is the field separator itself."""
        fields = self._fields or self._cut()
        made = self._made.get(n)
        if made is None:
            reading = self._reading
            if n <= 2 and self.name in _HEADERS:
                reading = _LITERAL
            made = self._made[n] = Field(fields[n] if 0 < n < len(fields) else "", reading)
        return made

    def __len__(self) -> int:
        """Give the number of the last populated field."""
        return max(self.populated(), default=0)

    def position(self) -> str:
        """Give the name that positions begin with: `OBX`, and `OBX[2]` from the second one on."""
        return self.name if self.occurrence == 1 else f"{self.name}[{self.occurrence}]"

    def populated(self) -> Iterator[int]:
        """Give the numbers of the fields that say something; null says something, a lone separator does not."""
        fields = self._fields or self._cut()
        blank = self._reading.blank
        header = self.name in _HEADERS
        return iter(
            [
                n
                for n, field in enumerate(fields)
                if field and n and (field[0] not in blank or field.strip(blank) or (header and n <= 2))
            ]
        )

    @property
    def raw(self) -> bytes:
        """The line as it was written, without its end, in UTF-8 whatever the charset of the message."""
        return self._line.encode()

    def _cut(self) -> list[str]:
        separator = self._reading.field
        fields = self._line.split(separator)
        if self.name in _HEADERS:
            fields.insert(1, separator)
        self._fields = fields
        self._made = {}
        return fields


_LITERAL: Final = _Reading(Delimiters(component=b"", repetition=b"", escape=b"", subcomponent=b""), "utf-8")
"""How MSH-1 and MSH-2 are read: as they stand."""


# ---- messages ----


class Position(NamedTuple):
    """Where something stands; a number that was not said is 0, an occurrence 1."""

    segment: str
    occurrence: int = 1
    field: int = 0
    repetition: int = 0
    component: int = 0
    subcomponent: int = 0


_POSITION = re.compile(
    r"^([A-Z][A-Z0-9]{2})(?:\[([1-9]\d*)\])?(?:-([1-9]\d*)(?:\[([1-9]\d*)\])?(?:\.([1-9]\d*))?(?:\.([1-9]\d*))?)?$"
)


@lru_cache(maxsize=1024)
def position(text: str) -> Position:
    """Read `OBX[2]`, `PID-3`, `PID-3[2].1` or `OBX[2]-5.1.2`; raise ValueError when it is no position."""
    match = _POSITION.match(text)
    if match is None:
        raise ValueError("a position is written like PID-3.1, PID-3[2].1 or OBX[2]-5.1.2")
    name, occurrence, *numbers = match.groups()
    return Position(name, int(occurrence or 1), *[int(number or 0) for number in numbers])


class Message:
    """One message. Made by `parse`; `raw` are the bytes as they came, `charset` is the codec they were read with."""

    __slots__ = ("_lines", "_notices", "_reading", "_segments", "_suspected", "charset", "delimiters", "raw")

    def __init__(self, raw: bytes, reading: _Reading, lines: list[str], notices: list[tuple[int, str, str]]) -> None:
        self.raw = raw
        self.charset = reading.charset
        self.delimiters = reading.delimiters
        self._reading = reading
        self._lines = lines
        self._segments: list[Segment] | None = None
        self._notices = notices
        self._suspected = False

    @classmethod
    def parse(cls, raw: bytes, charset: str = "auto") -> Message:
        """Find charset, delimiters and segments.

        `charset` is `auto` (MSH-18, and UTF-8 when that is silent), a Python codec, or `tcvn3`, `vni`, `viqr`.
        Raises EmptyMessage, HeaderMissing, DelimitersInvalid, CharsetMismatch and SegmentInvalid.
        """
        notices: list[tuple[int, str, str]] = []
        start = len(raw) - len(raw.lstrip(_SPACE_BYTES))
        if start == len(raw):
            raise EmptyMessage()
        codec = _wide(raw)
        if not codec:
            if raw.startswith(b"\xef\xbb\xbf", start):
                start = len(raw) - len(raw[start + 3 :].lstrip(_SPACE_BYTES))
                if start == len(raw):
                    raise EmptyMessage()
            if not raw.startswith(b"MSH", start):
                raise HeaderMissing(f"byte {start}")
            codec = _chosen(charset) if charset != "auto" else _declared(raw, start, notices)
        text = _decoded(raw, codec, start)
        if not text.startswith("MSH"):
            text = text.lstrip(_SPACE + "\ufeff")
            if not text.startswith("MSH"):
                raise HeaderMissing(f"byte {start}") if text else EmptyMessage()
        reading = _Reading(_delimiters(text), codec)
        return cls(raw, reading, _lines(text, reading.field, notices), notices)

    @property
    def segments(self) -> list[Segment]:
        """All segments in order; empty lines are none."""
        if self._segments is None:
            made: list[Segment] = []
            seen: dict[str, int] = {}
            for number, line in enumerate(self._lines, 1):
                if line:
                    name = line[:3]
                    seen[name] = occurrence = seen.get(name, 0) + 1
                    made.append(Segment(line, name, number, occurrence, self._reading))
            self._segments = made
        return self._segments

    def first(self, name: str) -> Segment | None:
        """Give the first segment of that name."""
        for segment in self.segments:
            if segment.name == name:
                return segment
        return None

    def all(self, name: str) -> list[Segment]:
        """Give all segments of that name, in order."""
        return [segment for segment in self.segments if segment.name == name]

    def value(self, where: str) -> str | None:
        """Give the value at `PID-3.1`, `PID-3[2].1`, `OBX[2]-5.1.2`: None when absent or empty, `NULL` when null.

        Numbers left out are 1. Raises ValueError when the position itself is written wrongly.
        """
        name, occurrence, n, r, c, s = position(where)
        if not n:
            raise ValueError("a value has a position with a field, such as PID-3")
        segment = self._nth(name, occurrence)
        if segment is None:
            return None
        field = segment[n]
        if field.is_null:
            return NULL
        repetitions = field.repetitions
        if (r or 1) > len(repetitions):
            return None
        repetition = repetitions[(r or 1) - 1]
        if s <= 1 and repetition.is_null_component(c or 1):
            return NULL
        return repetition.c(c or 1, s or 1) or None

    def _nth(self, name: str, occurrence: int) -> Segment | None:
        """Find one segment, without making the others when nobody asked for them yet."""
        if self._segments is not None:
            return next((one for one in self._segments if one.name == name and one.occurrence == occurrence), None)
        seen = 0
        for number, line in enumerate(self._lines, 1):
            if line[:3] == name:
                seen += 1
                if seen == occurrence:
                    return Segment(line, name, number, occurrence, self._reading)
        return None

    @property
    def notices(self) -> list[tuple[int, str, str]]:
        """What a person should look at, as (code, where, detail); legacy encodings are looked for on first use."""
        if not self._suspected:
            self._suspected = True
            if self.charset in ("utf-8", "ascii", "iso8859-1", "cp1252"):
                self._notices += charsets.suspect(self._prose())
        return self._notices

    def _prose(self) -> str:
        """Give the beginning of the message with delimiters as spaces and escapes undone, for the eye of `suspect`."""
        reading, mark = self._reading, self._reading.escape
        text = "\r".join(self._lines[1:])[: charsets.EXAMINED]
        text = text.translate(dict.fromkeys(map(ord, reading.field + reading.blank), " "))
        for letter, plain in (("S", reading.component), ("R", reading.repetition), ("T", reading.subcomponent)):
            text = text.replace(mark + letter + mark, plain)
        return text


def _wide(raw: bytes) -> str:
    """Name the codec when the bytes are UTF-16 or UTF-32, which show in the first of them; else `""`."""
    if raw.startswith((b"\xff\xfe\0\0", b"\0\0\xfe\xff")):
        return "utf-32"
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    return {b"M\0S\0": "utf-16-le", b"\0M\0S": "utf-16-be"}.get(raw[:4], "")


def _delimiters(text: str) -> Delimiters:
    if text[3:9] == "|^~\\&|":
        return DEFAULT
    field = text[3:4]
    if not _usable(field):
        raise DelimitersInvalid("MSH-1")
    marks = re.split("[\r\n" + re.escape(field) + "]", text[4:12], maxsplit=1)[0]
    if not 1 <= len(marks) <= 5 or not all(map(_usable, marks)):
        raise DelimitersInvalid("MSH-2", f"{len(marks)} characters")
    if len({*marks, field}) != len(marks) + 1:
        raise DelimitersInvalid("MSH-2", "a character stands twice")
    return Delimiters(field.encode("ascii"), *(marks[i : i + 1].encode("ascii") for i in range(5)))


def _usable(mark: str) -> bool:
    return len(mark) == 1 and "!" <= mark <= "~" and not mark.isalnum() and mark != '"'


def _chosen(charset: str) -> str:
    codec = charsets.codec_name(charset)
    if codec is None:
        raise CharsetMismatch("MSH-18", "the channel names an unknown charset")
    return codec


def _declared(raw: bytes, start: int, notices: list[tuple[int, str, str]]) -> str:
    """Choose the codec MSH-18 declares; where it plainly lies, the one that is plainly true, with a notice."""
    line = _first_line(raw, start)
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


def _decoded(raw: bytes, codec: str, start: int) -> str:
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


def _lines(text: str, field: str, notices: list[tuple[int, str, str]]) -> list[str]:
    """Cut into segments; raise SegmentInvalid for a line that is none."""
    broken = False
    if "\n" in text:
        text = text.rstrip("\r\n").replace("\r\n", "\r")
        if "\r" not in text:
            text = text.replace("\n", "\r")
        elif "\n" in text:
            text = re.sub("\n(?=[A-Z][A-Z0-9]{2}" + re.escape(field) + "|[\r\n])", "\r", text)
            broken = "\n" in text
    lines = text.split("\r")
    for number, line in enumerate(lines, 1):
        if line[3:4] == field and line[:3] in _NAMES:
            continue
        if not line.strip(_SPACE):
            lines[number - 1] = ""
            continue
        if not _SEGMENT.match(line[:3]) or line[3:4] not in (field, ""):
            raise SegmentInvalid(f"line {number}")
        if len(_NAMES) < 4096:
            _NAMES.add(line[:3])
    if broken:
        notices += [(LINE_BREAK_IN_FIELD, f"line {n}", "") for n, line in enumerate(lines, 1) if "\n" in line]
    return lines


# ---- escapes ----

_MOST_SPACES = 50


def unescape(data: bytes, delimiters: Delimiters = DEFAULT, charset: str = "utf-8") -> str:
    """Give the text of an escaped value: one pass from the left, so that `\\E\\F\\E\\` is `\\F\\` and never `|`.

    Highlighting is dropped, `\\.br\\` and its kin become line breaks and spaces; character-set switches (`\\C..\\`, `\\M..\\`),
    local sequences (`\\Z..\\`) and everything unknown stay as they are. Raises CharsetMismatch; `where` is the byte in `data`.

    Standard: HL7 v2.5.1 §2.7
    """
    codec = _chosen(charset)
    return _Reading(delimiters, codec).value(_decoded(data, codec, 0))


@lru_cache(maxsize=64)
def _sequences(mark: str) -> re.Pattern[str]:
    pattern = (
        r"@(?:(?P<plain>[FSTREPHN])"
        r"|X(?P<hex>(?:[0-9A-Fa-f]{2})+(?:@@X(?:[0-9A-Fa-f]{2})+)*)"
        r"|\.(?P<layout>[A-Za-z]{2}) *(?P<count>[+-]?[0-9]{0,4})"
        r"|(?:C[0-9A-Fa-f]{4}|M[0-9A-Fa-f]{4,6}|Z[0-9A-Za-z]*))@"
    )
    return re.compile(pattern.replace("@", re.escape(mark)))


def _unescaped(text: str, reading: _Reading) -> str:
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


def _from_hex(match: re.Match[str], reading: _Reading) -> str:
    """Give the text that is spelled out in the message's charset; as it stands when it is no text there."""
    try:
        return _decoded(bytes.fromhex(match["hex"].replace(reading.escape * 2 + "X", "")), _spelled(reading.charset), 0)
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


# ---- batches ----


def split_batch(raw: bytes) -> list[bytes]:
    """Give the messages of a file or batch, each as its own bytes; FHS, BHS, BTS and FTS lines are left out.

    A single message gives `[raw]` unchanged, and so does anything without a batch header and with at most one MSH. Raises
    HeaderMissing when a batch holds something before its first MSH that is no batch segment, CharsetMismatch for broken UTF-16.

    Standard: HL7 v2.5.1 §2.10.3
    """
    wide = _wide(raw)
    data = (_decoded(raw, wide, 0).encode() if wide else raw).lstrip(_SPACE_BYTES)
    data = data.removeprefix(b"\xef\xbb\xbf").lstrip(_SPACE_BYTES)
    separator = re.escape(data[3:4])
    heads = [match.start() for match in re.finditer(rb"(?:^|(?<=[\r\n]))MSH(?=" + separator + rb")", data)]
    if data[:3] not in (b"FHS", b"BHS") and (len(heads) <= 1 or heads[0] != 0):
        return [raw]
    for line in re.split(rb"[\r\n]+", data[: heads[0] if heads else len(data)]):
        if line and line[:3] not in (b"FHS", b"BHS", b"BTS", b"FTS"):
            raise HeaderMissing(f"byte {raw.find(data[:3])}")
    around = re.compile(rb"(?:^|(?<=[\r\n]))(?:BTS|FTS|FHS|BHS)(?:" + separator + rb"[^\r\n]*)?(?:[\r\n]+|$)")
    messages = [around.sub(b"", data[a:b]) for a, b in pairwise([*heads, len(data)])]
    return [message.decode().encode(wide) for message in messages] if wide else messages


# ---- headers ----


class Header(NamedTuple):
    """What could be read of MSH; every text is `""` when it is absent or unreadable."""

    delimiters: Delimiters = DEFAULT
    sending_application: str = ""
    sending_facility: str = ""
    receiving_application: str = ""
    receiving_facility: str = ""
    type: str = ""
    trigger: str = ""
    structure: str = ""
    control_id: str = ""
    processing_id: str = ""
    version: str = ""
    accept_ack: str = ""
    """MSH-15."""
    application_ack: str = ""
    """MSH-16."""
    charset: str = ""
    """MSH-18, as written."""


def header(raw: bytes) -> Header:
    """Read what can be read of MSH, even out of rubbish; never raises. Only the first MSH line is looked at."""
    at = raw.find(b"MSH")
    if at < 0:
        if b"\0" not in raw[:64]:
            return Header()
        raw = raw[:8192].replace(b"\0", b"")  # UTF-16 or -32: in a header only ASCII matters
        at = raw.find(b"MSH")
        if at < 0:
            return Header()
    line = _first_line(raw, at).decode("utf-8", "replace")
    try:
        delimiters = _delimiters(line)
    except DelimitersInvalid:
        mark = line[3:4]
        delimiters = DEFAULT._replace(field=mark.encode("ascii")) if _usable(mark) and mark not in "^~\\&" else DEFAULT
    component = delimiters.component.decode("ascii")
    fields = line.split(delimiters.field.decode("ascii"), 18)
    if len(fields) < 18:
        fields += [""] * (18 - len(fields))

    def word(text: str) -> str:
        if text == NULL:
            return ""
        if not text.isascii() or not text.isprintable() or delimiters.escape.decode("ascii") in text:
            text = _Reading(delimiters, "utf-8").value(text)
        return text.strip()

    def first(text: str) -> str:
        return word(text.partition(component)[0]) if text else ""

    kind = [*fields[8].split(component, 3), "", ""]
    return Header(
        delimiters,
        first(fields[2]),
        first(fields[3]),
        first(fields[4]),
        first(fields[5]),
        word(kind[0]),
        word(kind[1]),
        word(kind[2]),
        first(fields[9]),
        first(fields[10]),
        first(fields[11]),
        first(fields[14]),
        first(fields[15]),
        word(fields[17].partition((delimiters.repetition or b"~").decode("ascii"))[0]),
    )


def _first_line(raw: bytes, at: int) -> bytes:
    """Give the line beginning at `at`, at most 64 KB of it."""
    end = raw.find(b"\r", at, at + 65_536)
    line = raw[at : end if end >= 0 else at + 65_536]
    return line.partition(b"\n")[0] if b"\n" in line else line
