"""Read HL7 v2 messages in ER7 encoding, lazily, keeping the position of everything.

The bytes are decoded and cut into lines at once, because the charset has to be checked anyhow; everything below a line is split
and unescaped when it is asked for. Does not validate against message structures, does not map.

Beside it stand `er7_encoding` (charset and delimiters), `er7_escapes`, `er7_header` (MSH out of anything), `er7_batch` (files
of messages) and `er7_writer`.

What is read gladly although the standard frowns: any of CR, LF, CRLF as segment end; white space or a byte order mark before
MSH; MSH-2 with fewer than four characters; declared ASCII that is UTF-8 (with a notice). What is refused is a fault with its
position, never a guess.

Standard: HL7 v2.5.1 §2.5–2.7
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final, NamedTuple

from mappings.formats import charsets
from mappings.formats.er7_encoding import (
    DEFAULT,
    NULL,
    SPACE,
    SPACE_BYTES,
    Delimiters,
    chosen_codec,
    declared_codec,
    decoded,
    delimiters_of,
    wide_codec,
)
from mappings.formats.er7_escapes import Reading
from mappings.formats.faults import (
    LINE_BREAK_IN_FIELD,
    EmptyMessage,
    HeaderMissing,
    SegmentInvalid,
    TooManyParts,
)

__all__ = ["DEFAULT", "NULL", "Delimiters", "Field", "Message", "Position", "Repetition", "Segment", "position"]

_SEGMENT = re.compile(r"^[A-Z][A-Z0-9]{2}$")
_HEADERS = ("MSH", "FHS", "BHS")
_NAMES: set[str] = set()
"""Segment names found good, so that a name is checked once."""
MOST_SEGMENTS, MOST_FIELDS = 200_000, 2_000_000
"""Lines of one message, and fields and their repetitions: what is made of so many takes two gigabytes of memory."""


# ---- values ----


class _Components:
    """Something with components: a repetition, or a field standing for its first one."""

    __slots__ = ("_reading", "_split", "_written")

    def __init__(self, written: str, reading: Reading) -> None:
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

    def __init__(self, written: str, reading: Reading) -> None:
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

    def __init__(self, line: str, name: str, number: int, occurrence: int, reading: Reading) -> None:
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


_LITERAL: Final = Reading(Delimiters(component=b"", repetition=b"", escape=b"", subcomponent=b""), "utf-8")
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

    def __init__(self, raw: bytes, reading: Reading, lines: list[str], notices: list[tuple[int, str, str]]) -> None:
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
        Raises EmptyMessage, HeaderMissing, DelimitersInvalid, CharsetMismatch, SegmentInvalid and TooManyParts.
        """
        notices: list[tuple[int, str, str]] = []
        start = len(raw) - len(raw.lstrip(SPACE_BYTES))
        if start == len(raw):
            raise EmptyMessage()
        codec = wide_codec(raw)
        if not codec:
            if raw.startswith(b"\xef\xbb\xbf", start):
                start = len(raw) - len(raw[start + 3 :].lstrip(SPACE_BYTES))
                if start == len(raw):
                    raise EmptyMessage()
            if not raw.startswith(b"MSH", start):
                raise HeaderMissing(f"byte {start}")
            codec = chosen_codec(charset) if charset != "auto" else declared_codec(raw, start, notices)
        text = decoded(raw, codec, start)
        if not text.startswith("MSH"):
            text = text.lstrip(SPACE + "\ufeff")
            if not text.startswith("MSH"):
                raise HeaderMissing(f"byte {start}") if text else EmptyMessage()
        reading = Reading(delimiters_of(text), codec)
        return cls(raw, reading, _lines(text, reading, notices), notices)

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


def require_few(text: str, reading: Reading) -> None:
    """Raise TooManyParts where a message has more lines, or more fields and repetitions, than one may have."""
    lines = text.count("\r")
    if lines > MOST_SEGMENTS:
        raise TooManyParts(detail=f"{lines} segments")
    fields = text.count(reading.field) + text.count(reading.repetition)
    if fields > MOST_FIELDS:
        raise TooManyParts(detail=f"{fields} fields")


def _lines(text: str, reading: Reading, notices: list[tuple[int, str, str]]) -> list[str]:
    """Cut into segments; raise SegmentInvalid for a line that is none, and TooManyParts."""
    broken, field = False, reading.field
    if "\n" in text:
        text = text.rstrip("\r\n").replace("\r\n", "\r")
        if "\r" not in text:
            text = text.replace("\n", "\r")
        elif "\n" in text:
            text = re.sub("\n(?=[A-Z][A-Z0-9]{2}" + re.escape(field) + "|[\r\n])", "\r", text)
            broken = "\n" in text
    require_few(text, reading)
    lines = text.split("\r")
    for number, line in enumerate(lines, 1):
        if line[3:4] == field and line[:3] in _NAMES:
            continue
        if not line.strip(SPACE):
            lines[number - 1] = ""
            continue
        if not _SEGMENT.match(line[:3]) or line[3:4] not in (field, ""):
            raise SegmentInvalid(f"line {number}")
        if len(_NAMES) < 4096:
            _NAMES.add(line[:3])
    if broken:
        notices += [(LINE_BREAK_IN_FIELD, f"line {n}", "") for n, line in enumerate(lines, 1) if "\n" in line]
    return lines
