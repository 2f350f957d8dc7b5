"""Read HL7 v2 messages in ER7 encoding, lazily, on bytes, keeping the position of everything.

Splitting happens when a field is asked for; a value is decoded when it is read. Does not validate against message structures,
does not map, does not write whole messages (acknowledgements are written by `mappings/hl7v2/ack.py` with `escape`).

What is read gladly although the standard frowns: any of CR, LF, CRLF as segment end; white space or a byte order mark before
MSH; MSH-2 with fewer than four characters; declared ASCII that is UTF-8 (with a notice). What is refused is a fault with its
position, never a guess.

Standard: HL7 v2.5.1 §2.5–2.7, §2.10; the truncation character: HL7 v2.7 §2.5.5.2
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from functools import lru_cache
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

_NULL_BYTES = b'""'
_SPACE = b" \t\r\n\x0b\x0c"
_UTF8_BOM = b"\xef\xbb\xbf"
_SEGMENT = re.compile(rb"^[A-Z][A-Z0-9]{2}$")
_HEADERS = ("MSH", "FHS", "BHS")
_NAMES: dict[bytes, str] = {}
"""Segment names seen and found good, so that a name is checked once and shared."""
_CONTROLS = dict.fromkeys([*(n for n in range(32) if chr(n) not in "\t\n\r"), 0xFFFE, 0xFFFF])
"""Characters no XML and no database takes; they are left out of values (the raw bytes keep them)."""
_viqr = charsets.decoder("viqr")


class Delimiters(NamedTuple):
    """The characters of MSH-1 and MSH-2, each one byte; the last four may be `b""`."""

    field: bytes = b"|"
    component: bytes = b"^"
    repetition: bytes = b"~"
    escape: bytes = b"\\"
    subcomponent: bytes = b"&"
    truncation: bytes = b""


DEFAULT: Final = Delimiters()
_NONE: Final = Delimiters(component=b"", repetition=b"", escape=b"", subcomponent=b"")


# ---- values ----


class _Reading:
    """How the values of one message are read."""

    __slots__ = (
        "blank",
        "component",
        "decode",
        "delimiters",
        "escape",
        "field",
        "hexadecimal",
        "repetition",
        "subcomponent",
    )

    def __init__(
        self, delimiters: Delimiters, decode: Callable[[bytes], str], hexadecimal: Callable[[bytes], str] | None = None
    ) -> None:
        self.delimiters = delimiters
        self.decode = decode
        self.hexadecimal = hexadecimal
        """Decodes what `\\X..\\` holds when that is another charset than the bytes around it; None when it is the same."""
        # A delimiter that is not in use becomes CR, which stands in no value.
        self.field, self.component, self.repetition, self.escape, self.subcomponent = (
            mark or b"\r" for mark in delimiters[:5]
        )
        self.blank = self.component + self.repetition + self.subcomponent

    def value(self, data: bytes) -> str:
        """Give the text of one value: unescaped, composed (NFC), without control characters."""
        if self.escape in data:
            data = _unescaped(data, self)
        text = data.decode("ascii") if data.isascii() and self.decode is not _viqr else self.decode(data)
        if not text.isascii():
            text = unicodedata.normalize("NFC", text)
        return text if text.isprintable() else text.translate(_CONTROLS)


class _Components:
    """Something with components: a repetition, or a field standing for its first one."""

    __slots__ = ("_reading", "_split", "raw")

    def __init__(self, raw: bytes, reading: _Reading) -> None:
        self.raw = raw
        self._reading = reading
        self._split: list[bytes] | None = None

    def __bool__(self) -> bool:
        return bool(self.raw) and self.raw != _NULL_BYTES and bool(self.raw.strip(self._reading.blank))

    @property
    def is_null(self) -> bool:
        """Tell whether the whole is `""`: the sender wants the value deleted."""
        return self.raw == _NULL_BYTES

    @property
    def text(self) -> str:
        """The first subcomponent of the first component, unescaped; `""` when absent or null."""
        return self.c(1)

    def c(self, n: int, s: int = 1) -> str:
        """Give component `n`, subcomponent `s`, unescaped; `""` when absent or null."""
        parts = self._split or self._cut()
        if not 0 < n <= len(parts):
            return ""
        data = parts[n - 1]
        reading = self._reading
        if reading.subcomponent in data:
            below = data.split(reading.subcomponent)
            data = below[s - 1] if 0 < s <= len(below) else b""
        elif s != 1:
            return ""
        return reading.value(data) if data and data != _NULL_BYTES else ""

    @property
    def components(self) -> int:
        """How many components there are, empty ones included; 0 when absent."""
        return len(self._split or self._cut()) if self.raw else 0

    def is_null_component(self, n: int) -> bool:
        """Tell whether component `n` is `""`."""
        parts = self._split or self._cut()
        return 0 < n <= len(parts) and parts[n - 1] == _NULL_BYTES

    @property
    def whole(self) -> str:
        """The first repetition as one text, component marks left standing: for prose whose sender did not escape `&` or `^`."""
        data = self.raw.partition(self._reading.repetition)[0]
        return "" if data == _NULL_BYTES else self._reading.value(data)

    def _cut(self) -> list[bytes]:
        reading = self._reading
        self._split = self.raw.partition(reading.repetition)[0].split(reading.component)
        return self._split


class Repetition(_Components):
    """One repetition of a field."""

    __slots__ = ()


class Field(_Components):
    """One field. Its `c`, `text` and `components` are those of the first repetition; true when populated and not null."""

    __slots__ = ("_repetitions",)

    def __init__(self, raw: bytes, reading: _Reading) -> None:
        self.raw = raw
        self._reading = reading
        self._split = None
        self._repetitions: list[Repetition] | None = None

    @property
    def repetitions(self) -> list[Repetition]:
        """All repetitions in order, empty ones included; none when the field is absent or null."""
        if self._repetitions is None:
            raw, reading = self.raw, self._reading
            parts = raw.split(reading.repetition) if raw and raw != _NULL_BYTES else []
            self._repetitions = [Repetition(part, reading) for part in parts]
        return self._repetitions


class Segment:
    """One segment. `number` is its line in the message, `occurrence` its place among those of the same name; both from 1."""

    __slots__ = ("_fields", "_line", "_made", "_reading", "name", "number", "occurrence")

    def __init__(self, line: bytes, name: str, number: int, occurrence: int, reading: _Reading) -> None:
        self._line = line
        self._reading = reading
        self._fields: list[bytes] | None = None
        self._made: dict[int, Field] = {}
        self.name = name
        self.number = number
        self.occurrence = occurrence

    def __getitem__(self, n: int) -> Field:
        """Give field `n`, counted as in the standard: MSH-1 is the field separator itself."""
        made = self._made.get(n)
        if made is not None:
            return made
        fields = self._fields or self._cut()
        reading = self._reading
        if n <= 2 and self.name in _HEADERS:
            reading = _Reading(_NONE, reading.decode)
        field = self._made[n] = Field(fields[n] if 0 < n < len(fields) else b"", reading)
        return field

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
            [n for n, field in enumerate(fields) if n and field and (field.strip(blank) or (header and n <= 2))]
        )

    @property
    def raw(self) -> bytes:
        """The line as it came, without its end."""
        return self._line

    def _cut(self) -> list[bytes]:
        separator = self._reading.field
        fields = self._line.split(separator)
        if self.name in _HEADERS:
            fields.insert(1, separator)
        self._fields = fields
        return fields


# ---- messages ----

_POSITION = re.compile(
    r"^([A-Z][A-Z0-9]{2})(?:\[([1-9]\d*)\])?-([1-9]\d*)(?:\[([1-9]\d*)\])?(?:\.([1-9]\d*))?(?:\.([1-9]\d*))?$"
)


@lru_cache(maxsize=1024)
def _place(position: str) -> tuple[str, int, int, int, int, int]:
    match = _POSITION.match(position)
    if match is None:
        raise ValueError("a position is written like PID-3.1, PID-3[2].1 or OBX[2]-5.1.2")
    name, *numbers = match.groups()
    occurrence, field, repetition, component, subcomponent = (int(number or 1) for number in numbers)
    return name, occurrence, field, repetition, component, subcomponent


class Message:
    """One message. Made by `parse`; `raw` are the bytes as they came, `charset` is the codec they are read with."""

    __slots__ = ("_lines", "_notices", "_reading", "_segments", "_suspected", "charset", "delimiters", "raw")

    def __init__(
        self, raw: bytes, charset: str, reading: _Reading, lines: list[bytes], notices: list[tuple[int, str, str]]
    ) -> None:
        self.raw = raw
        self.charset = charset
        self.delimiters = reading.delimiters
        self._reading = reading
        self._lines = lines
        self._segments: list[Segment] | None = None
        self._notices = notices
        self._suspected = False

    @classmethod
    def parse(cls, raw: bytes, charset: str = "auto") -> Message:
        """Find delimiters, charset and segments; every byte is checked against the charset now, read later.

        `charset` is `auto` (MSH-18, and UTF-8 when that is silent), a Python codec, or `tcvn3`, `vni`, `viqr`.
        Raises EmptyMessage, HeaderMissing, DelimitersInvalid, CharsetMismatch and SegmentInvalid.
        """
        notices: list[tuple[int, str, str]] = []
        data, start, wide = _unwrapped(raw)
        if not data:
            raise EmptyMessage()
        if not data.startswith(b"MSH"):
            raise HeaderMissing(f"byte {start}")
        delimiters = _delimiters(data)
        codec = wide or _codec(data, delimiters, charset, start, notices)
        decode: Callable[[bytes], str] = charsets.decoder(codec)
        hexadecimal = None
        if wide or not charsets.is_transparent(codec):
            if not wide:
                data = _decoded(data, codec, start).encode()
            hexadecimal, decode = decode, charsets.decoder("utf-8")
            delimiters = _delimiters(data)
        reading = _Reading(delimiters, decode, hexadecimal)
        return cls(raw, codec, reading, _lines(data, delimiters.field, notices), notices)

    @property
    def segments(self) -> list[Segment]:
        """All segments in order; empty lines are none."""
        if self._segments is None:
            made: list[Segment] = []
            seen: dict[str, int] = {}
            for number, line in enumerate(self._lines, 1):
                if line:
                    name = _NAMES.get(line[:3]) or line[:3].decode("ascii")
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

    def value(self, position: str) -> str | None:
        """Give the value at `PID-3.1`, `PID-3[2].1`, `OBX[2]-5.1.2`: None when absent or empty, `NULL` when null.

        Numbers left out are 1. Raises ValueError when the position itself is written wrongly.
        """
        name, occurrence, n, r, c, s = _place(position)
        segment = next((one for one in self.segments if one.name == name and one.occurrence == occurrence), None)
        if segment is None:
            return None
        field = segment[n]
        if field.is_null:
            return NULL
        repetitions = field.repetitions
        if r > len(repetitions):
            return None
        repetition = repetitions[r - 1]
        found = repetition.c(c, s)
        if not found and s == 1 and repetition.is_null_component(c):
            return NULL
        return found or None

    @property
    def notices(self) -> list[tuple[int, str, str]]:
        """What a person should look at, as (code, where, detail); legacy encodings are looked for on first use."""
        if not self._suspected:
            self._suspected = True
            if self.charset in ("utf-8", "ascii", "iso8859-1", "cp1252"):
                self._notices += charsets.suspect(self._prose())
        return self._notices

    def _prose(self) -> bytes:
        """Give the beginning of the message with delimiters as spaces and escapes undone, for the eye of `suspect`."""
        data, reading = b"\r".join(self._lines[1:])[:65_536], self._reading
        data = data.translate(bytes.maketrans(reading.field + reading.blank, b" " * len(reading.field + reading.blank)))
        for letter, plain in ((b"S", reading.component), (b"R", reading.repetition), (b"T", reading.subcomponent)):
            data = data.replace(reading.escape + letter + reading.escape, plain)
        return data


def _unwrapped(raw: bytes) -> tuple[bytes, int, str]:
    """Take white space and byte order mark away: what is left, where it begins, and the codec when it was UTF-16 or -32."""
    for mark, codec in (
        (b"\xff\xfe\0\0", "utf-32"),
        (b"\0\0\xfe\xff", "utf-32"),
        (b"\xff\xfe", "utf-16"),
        (b"\xfe\xff", "utf-16"),
    ):
        if raw.startswith(mark):
            return _decoded(raw, codec, 0).encode().strip(_SPACE), 0, codec
    if b"\0" in raw[:8]:
        for sample, codec in ((b"M\0S\0", "utf-16-le"), (b"\0M\0S", "utf-16-be")):
            if raw.startswith(sample):
                return _decoded(raw, codec, 0).encode().strip(_SPACE), 0, codec
    data = raw.lstrip(_SPACE)
    if data.startswith(_UTF8_BOM):
        data = data[3:].lstrip(_SPACE)
    return data, len(raw) - len(data), ""


def _delimiters(data: bytes) -> Delimiters:
    if data[3:9] == b"|^~\\&|":
        return DEFAULT
    field = data[3:4]
    if not _usable(field):
        raise DelimitersInvalid("MSH-1")
    marks = re.split(rb"[\r\n" + re.escape(field) + rb"]", data[4:12], maxsplit=1)[0]
    if not 1 <= len(marks) <= 5 or not all(_usable(marks[i : i + 1]) for i in range(len(marks))):
        raise DelimitersInvalid("MSH-2", f"{len(marks)} characters")
    if len(set(marks + field)) != len(marks) + 1:
        raise DelimitersInvalid("MSH-2", "a character stands twice")
    return Delimiters(field, *(marks[i : i + 1] for i in range(5)))


def _usable(mark: bytes) -> bool:
    return len(mark) == 1 and 0x21 <= mark[0] <= 0x7E and not mark.isalnum() and mark != b'"'


def _codec(data: bytes, delimiters: Delimiters, charset: str, start: int, notices: list[tuple[int, str, str]]) -> str:
    """Choose the codec and make sure that the bytes obey it."""
    if charset != "auto":
        codec = charsets.codec_name(charset)
        if codec is None:
            raise CharsetMismatch("MSH-18", "the channel names an unknown charset")
        if charsets.is_transparent(codec):
            _check(data, codec, start)
        return codec
    line = _first_line(data, 0).split(delimiters.field, 18)
    declared = line[17].split(delimiters.repetition or b"~", 1)[0].strip() if len(line) > 17 else b""
    if data.isascii() and b"\x1b" not in data:
        known = charsets.TABLE_0211.get(declared.decode("ascii").upper(), "") if declared else "utf-8"
        if not known:
            notices.append((CHARSET_UNKNOWN, "MSH-18", ""))
        return known if known and charsets.is_transparent(known) else "utf-8"
    codec = charsets.TABLE_0211.get(declared.decode("ascii", "replace").upper()) if declared else "utf-8"
    if codec is None:
        _check(data, "utf-8", start)
        notices.append((CHARSET_UNKNOWN, "MSH-18", ""))
        return "utf-8"
    if codec == "ascii" or codec.startswith(("utf-16", "utf-32")):
        _check(data, "utf-8", start)
        notices.append((CHARSET_DECLARED_WRONGLY, "MSH-18", codec))
        return "utf-8"
    if charsets.is_transparent(codec):
        _check(data, codec, start)
        if codec.startswith("iso8859") and _is_utf8(data):
            notices.append((CHARSET_DOUBTFUL, "MSH-18", codec))
    return codec


def _check(data: bytes, codec: str, start: int) -> None:
    if not data.isascii():
        _decoded(data, codec, start)


def _decoded(data: bytes, codec: str, start: int) -> str:
    """Decode all of it or say where it cannot be."""
    try:
        return charsets.decoder(codec)(data)
    except UnicodeDecodeError as error:
        looks = charsets.suspect(data)
        hint = f"{codec}, looks like {looks[0][2]}" if looks else codec
        raise CharsetMismatch(f"byte {start + error.start}", hint) from None
    except LookupError:
        raise CharsetMismatch("MSH-18", "charset not supported") from None


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _lines(data: bytes, field: bytes, notices: list[tuple[int, str, str]]) -> list[bytes]:
    """Cut into segments; raise SegmentInvalid for a line that is none."""
    broken = False
    if b"\n" in data:
        data = data.rstrip(_SPACE).replace(b"\r\n", b"\r")
        if b"\r" not in data:
            data = data.replace(b"\n", b"\r")
        elif b"\n" in data:
            data = re.sub(rb"\n(?=[A-Z][A-Z0-9]{2}" + re.escape(field) + rb"|\r|\n)", b"\r", data)
            broken = b"\n" in data
    lines = data.split(b"\r")
    for number, line in enumerate(lines, 1):
        if line[3:4] == field and line[:3] in _NAMES:
            continue
        if not line.strip(_SPACE):
            lines[number - 1] = b""
            continue
        if not _SEGMENT.match(line[:3]) or line[3:4] not in (field, b""):
            raise SegmentInvalid(f"line {number}")
        if len(_NAMES) < 4096:
            _NAMES[line[:3]] = line[:3].decode("ascii")
    if broken:
        notices += [(LINE_BREAK_IN_FIELD, f"line {n}", "") for n, line in enumerate(lines, 1) if b"\n" in line]
    return lines


# ---- escapes ----

_MOST_SPACES = 50


def unescape(data: bytes, delimiters: Delimiters = DEFAULT, charset: str = "utf-8") -> str:
    """Give the text of an escaped value: one pass from the left, so that `\\E\\F\\E\\` is `\\F\\` and never `|`.

    Highlighting is dropped, `\\.br\\` and its kin become line breaks and spaces; character-set switches (`\\C..\\`, `\\M..\\`),
    local sequences (`\\Z..\\`) and everything unknown stay as they are. Raises CharsetMismatch; `where` is the byte in `data`.

    Standard: HL7 v2.5.1 §2.7
    """
    codec = charsets.codec_name(charset)
    if codec is None:
        raise CharsetMismatch("", "charset not supported")
    try:
        return _Reading(delimiters, charsets.decoder(codec)).value(data)
    except UnicodeDecodeError as error:
        raise CharsetMismatch(f"byte {error.start}", codec) from None


@lru_cache(maxsize=64)
def _sequences(mark: bytes) -> re.Pattern[bytes]:
    pattern = (
        rb"\\(?:(?P<plain>[FSTREPHN])"
        rb"|X(?P<hex>(?:[0-9A-Fa-f]{2})+(?:\\\\X(?:[0-9A-Fa-f]{2})+)*)"
        rb"|\.(?P<layout>[A-Za-z]{2}) *(?P<count>[+-]?\d{0,4})"
        rb"|(?P<kept>C[0-9A-Fa-f]{4}|M[0-9A-Fa-f]{4,6}|Z[0-9A-Za-z]*))\\"
    )
    return re.compile(pattern.replace(rb"\\", re.escape(mark)))


def _unescaped(data: bytes, reading: _Reading) -> bytes:
    marks = reading.delimiters
    plain = {b"F": reading.field, b"S": marks.component or b"^", b"T": marks.subcomponent or b"&", b"E": reading.escape}
    plain |= {b"R": marks.repetition or b"~", b"P": marks.truncation or b"#", b"H": b"", b"N": b""}

    def replaced(match: re.Match[bytes]) -> bytes:
        letter = match["plain"]
        if letter is not None:
            return plain[letter]
        if match["hex"] is not None:
            return _from_hex(match, reading)
        if match["layout"] is not None:
            return _layout(match)
        return match[0]

    return _sequences(reading.escape).sub(replaced, data)


def _from_hex(match: re.Match[bytes], reading: _Reading) -> bytes:
    """Give the bytes that are spelled out, in the charset of the bytes around them; as they stand when they are no text."""
    raw = bytes.fromhex(match["hex"].replace(reading.escape + reading.escape + b"X", b"").decode("ascii"))
    try:
        text = (reading.hexadecimal or reading.decode)(raw)
    except UnicodeDecodeError:
        return match[0]
    return text.encode() if reading.hexadecimal else raw


def _layout(match: re.Match[bytes]) -> bytes:
    command, count = match["layout"].lower(), match["count"]
    times = min(max(int(count), 1), _MOST_SPACES) if count.strip(b"+-") else 1
    match command:
        case b"br" | b"ce":
            return b"\n"
        case b"sp":
            return b"\n" * times
        case b"sk":
            return b" " * times
        case b"in" | b"ti" | b"fi" | b"nf":
            return b""
        case _:
            return match[0]


def escape(text: str, delimiters: Delimiters = DEFAULT) -> str:
    """Make text safe to stand in a field; line ends become `\\X0D\\` and `\\X0A\\`.

    Without an escape character a delimiter becomes a space. Standard: HL7 v2.5.1 §2.7
    """
    return text.translate(_escapes(delimiters))


@lru_cache(maxsize=64)
def _escapes(delimiters: Delimiters) -> dict[int, str]:
    mark = delimiters.escape.decode("ascii")
    table = {"\r": "X0D", "\n": "X0A"}
    letters = zip(delimiters, ("F", "S", "R", "E", "T", "P"), strict=True)
    table |= {delimiter.decode("ascii"): letter for delimiter, letter in letters if delimiter}
    return {ord(char): f"{mark}{letter}{mark}" if mark else " " for char, letter in table.items()}


# ---- batches ----


def split_batch(raw: bytes) -> list[bytes]:
    """Give the messages of a file or batch, each as its own bytes; FHS, BHS, BTS and FTS lines are left out.

    A single message gives `[raw]` unchanged, and so does anything without a batch header and with at most one MSH. Raises
    HeaderMissing when a batch holds something before its first MSH that is no batch segment.

    Standard: HL7 v2.5.1 §2.10.3
    """
    data, start, wide = _unwrapped(raw)
    if not data:
        return [raw]
    separator = re.escape(data[3:4])
    heads = [match.start() for match in re.finditer(rb"(?:^|(?<=[\r\n]))MSH(?=" + separator + rb")", data)]
    if data[:3] not in (b"FHS", b"BHS") and (len(heads) <= 1 or heads[0] != 0):
        return [raw]
    for line in re.split(rb"[\r\n]+", data[: heads[0] if heads else len(data)]):
        if line and line[:3] not in (b"FHS", b"BHS", b"BTS", b"FTS"):
            raise HeaderMissing(f"byte {start}")
    trailer = re.compile(rb"(?:^|(?<=[\r\n]))(?:BTS|FTS|FHS|BHS)(?:" + separator + rb"[^\r\n]*)?(?:[\r\n]+|$)")
    messages = [trailer.sub(b"", data[a:b]) for a, b in zip(heads, [*heads[1:], len(data)], strict=True)]
    return [message.decode("utf-8").encode(wide) for message in messages] if wide else messages


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
    line = _first_line(raw, at)
    try:
        delimiters = _delimiters(line)
    except DelimitersInvalid:
        mark = line[3:4]
        delimiters = DEFAULT._replace(field=mark) if _usable(mark) and mark not in DEFAULT[1:] else DEFAULT
    component = delimiters.component.decode("ascii")
    fields = line.decode("utf-8", "replace").split(delimiters.field.decode("ascii"), 18)
    if len(fields) < 18:
        fields += [""] * (18 - len(fields))

    def word(text: str) -> str:
        if text == NULL:
            return ""
        if not text.isascii() or not text.isprintable() or delimiters.escape.decode("ascii") in text:
            text = _Reading(delimiters, bytes.decode).value(text.encode())
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
