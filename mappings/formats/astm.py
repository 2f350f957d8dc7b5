"""Read and write the records of laboratory instruments (ASTM E1394, CLSI LIS2-A2), keeping the position of everything.

    H|\\^&|||XN-550|||||||P|LIS2-A2|20260305083000      header: its second field names the delimiters
    P|1||BN000123||TRAN^VAN^AN                          patient
    O|1|26030500017||^^^WBC\\^^^RBC                      order
    R|1|^^^WBC|6.25|10*3/uL||N||F                       result
    L|1|N                                               end

Fields are counted as the standard counts them: the name of a record is its first field, so `R-4` is the value of a result.
Values are those of `er7`: split and unescaped when they are asked for. Does not know what fields mean (`mappings/lab` does)
and takes no part in the link that carries them; `unframed` reads what was recorded of one.

What is read gladly although the standard frowns: any of CR, LF, CRLF as end of a record; control characters of the link at
either end; UTF-8; the delimiters of HL7 v2 in their own order; a delimiter written twice (with a notice).

Standard: CLSI LIS2-A2 §5.4 (delimiters and escapes), §5.2 (character set ISO 8859-1); CLSI LIS1-A §8.3 (frames)
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Final, NamedTuple, TypeAlias

from mappings.formats import charsets
from mappings.formats.er7 import NULL, Field, require_few
from mappings.formats.er7_encoding import SPACE, Delimiters, usable
from mappings.formats.er7_escapes import Reading, escape
from mappings.formats.faults import (
    DELIMITER_TWICE,
    LINE_BREAK_IN_FIELD,
    STANDARD_CHARSET_ASSUMED,
    CharsetMismatch,
    DelimitersInvalid,
    EmptyMessage,
    NotWritable,
    RecordHeaderMissing,
    RecordInvalid,
)

__all__ = ["DEFAULT", "Message", "Position", "Record", "Value", "is_astm", "position", "split", "unframed", "write"]

DEFAULT: Final = Delimiters(field=b"|", component=b"^", repetition=b"\\", escape=b"&", subcomponent=b"")
"""The delimiters that the standard recommends; there are no subcomponents. Standard: CLSI LIS2-A2 §5.4.2"""
_HL7 = "^~\\&"
STANDARD_CHARSET: Final = "iso8859-1"
_LINK = "\x02\x03\x04\x05\x06\x15\x17"
"""STX, ETX, EOT, ENQ, ACK, NAK, ETB."""
_AROUND = SPACE + _LINK + "\x00\ufeff"
_LITERAL: Final = Reading(Delimiters(component=b"", repetition=b"", escape=b"", subcomponent=b""), "utf-8")
"""How H-2 is read: as it stands."""
_HEADER = re.compile(rb"^[\x00-\x20]*(?:\xef\xbb\xbf)?[\x00-\x20]*[0-7]?H[^0-9A-Za-z\s\x00-\x1f\x7f-\xff]")
_FRAME = re.compile(rb"\x02([0-7]?)([^\x02\x03\x17]*)(?:([\x03\x17])[0-9A-Fa-f]{0,2}[\r\n]*|(?=\x02)|$)")
_NOT_STANDARD = re.compile(rb"[\x80-\x9f]|[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
"""Control characters that no text has, and letters of UTF-8: one that stands among what is none shows damaged UTF-8."""
_GUESSED = re.compile("[À-ÖØ-öø-ÿ]")


def is_astm(raw: bytes) -> bool:
    """Tell whether bytes begin like a message of records, with or without what carried them; no other content does."""
    return _HEADER.match(raw[:64]) is not None


# ---- positions ----


class Position(NamedTuple):
    """Where something stands; a number that was not said is 0, an occurrence 1."""

    record: str
    occurrence: int = 1
    field: int = 0
    repetition: int = 0
    component: int = 0


_POSITION = re.compile(r"^([A-Z])(?:\[([1-9]\d*)\])?(?:-([1-9]\d*)(?:\[([1-9]\d*)\])?(?:\.([1-9]\d*))?)?$")


@lru_cache(maxsize=1024)
def position(text: str) -> Position:
    """Read `R[2]`, `P-3`, `O-5[2].4` or `R[2]-3.4`; raise ValueError when it is no position."""
    match = _POSITION.match(text)
    if match is None:
        raise ValueError("a position is written like P-3, O-5[2].4 or R[2]-3.4")
    name, occurrence, *numbers = match.groups()
    return Position(name, int(occurrence or 1), *[int(number or 0) for number in numbers])


# ---- reading ----


class Record:
    """One record. `number` is its line in the message, `occurrence` its place among those of the same name; both from 1."""

    __slots__ = ("_fields", "_line", "_made", "_reading", "name", "number", "occurrence")

    def __init__(self, line: str, number: int, occurrence: int, reading: Reading) -> None:
        self._line = line
        self._reading = reading
        self._fields: list[str] | None = None
        self._made: dict[int, Field] = {}
        self.name = line[:1]
        self.number = number
        self.occurrence = occurrence

    def __getitem__(self, n: int) -> Field:
        """Give field `n`; the name of the record is field 1."""
        made = self._made.get(n)
        if made is None:
            fields = self._cut()
            reading = _LITERAL if n <= 2 and self.name == "H" else self._reading
            made = self._made[n] = Field(fields[n - 1] if 0 < n <= len(fields) else "", reading)
        return made

    def parts(self, n: int) -> list[tuple[str, ...]]:
        """Give the repetitions of field `n`, each its components, stripped; none when absent or null."""
        fields, reading = self._cut(), self._reading
        written = fields[n - 1] if 0 < n <= len(fields) else ""
        if not written or written == NULL:
            return []
        if n > 2 and written.isascii() and written.isprintable() and not reading.is_special(written):
            return [tuple(["" if one == NULL else one.strip() for one in written.split(reading.component)])]
        return [tuple([one.c(m).strip() for m in range(1, one.components + 1)]) for one in self[n].repetitions]

    def populated(self) -> list[int]:
        """Give the numbers of the fields that say something, the name of the record left aside; null says something."""
        header = self.name == "H"
        return [
            n
            for n, field in enumerate(self._cut(), 1)
            if n > 1 and (field.strip(self._reading.blank + SPACE) or (header and n == 2 and field))
        ]

    def position(self) -> str:
        """Give the name that positions begin with: `R`, and `R[2]` from the second one on."""
        return self.name if self.occurrence == 1 else f"{self.name}[{self.occurrence}]"

    def where(self, n: int) -> str:
        """Give the position of field `n`: `R[2]-4`."""
        return f"{self.position()}-{n}"

    def _cut(self) -> list[str]:
        if self._fields is None:
            self._fields = self._line.split(self._reading.field)
        return self._fields


class Message:
    """One message, from H to L. Made by `parse`; `raw` are the bytes as they came, `charset` the codec they were read with."""

    __slots__ = ("_guessed", "_notices", "_reading", "_suspected", "_text", "charset", "delimiters", "raw", "records")

    def __init__(
        self, raw: bytes, text: str, reading: Reading, notices: list[tuple[int, str, str]], guessed: bool
    ) -> None:
        self.raw = raw
        self.charset = reading.charset
        self.delimiters = reading.delimiters
        self._reading = reading
        self._text = text
        self._notices = notices
        self._suspected = False
        self._guessed = guessed
        self.records = list(_records(text, reading, notices))

    @classmethod
    def parse(cls, raw: bytes, charset: str = "auto") -> Message:
        """Find charset, delimiters and records.

        `charset` is `auto` (UTF-8 where the bytes are that, else the ISO 8859-1 of the standard, with a notice where letters
        depend on it; damaged UTF-8, and what is no text in either, is a fault), a Python codec, or `tcvn3`, `vni`, `viqr`.
        Raises EmptyMessage, RecordHeaderMissing, DelimitersInvalid, CharsetMismatch, RecordInvalid and
        TooManyParts.
        """
        codec, text = _decoded(raw, charset)
        text = text.strip(_AROUND)
        if not text:
            raise EmptyMessage()
        text = re.sub(r"^[0-7](?=H[^0-9A-Za-z\s])", "", text)
        if text[:1] != "H" or not usable(text[1:2]):
            raise RecordHeaderMissing("line 1")
        notices: list[tuple[int, str, str]] = []
        guessed = charset == "auto" and codec == STANDARD_CHARSET
        return cls(raw, text, Reading(_delimiters(text, notices), codec), notices, guessed)

    def first(self, name: str) -> Record | None:
        """Give the first record of that name."""
        return next((record for record in self.records if record.name == name), None)

    def all(self, name: str) -> list[Record]:
        """Give all records of that name, in order."""
        return [record for record in self.records if record.name == name]

    def value(self, where: str) -> str | None:
        """Give the value at `P-3`, `O-5[2].4`, `R[2]-3.4`: None when absent or empty, `er7.NULL` when null.

        Numbers left out are 1. Raises ValueError when the position itself is written wrongly.
        """
        name, occurrence, n, r, c = position(where)
        if not n:
            raise ValueError("a value has a position with a field, such as P-3")
        record = next((one for one in self.records if one.occurrence == occurrence and one.name == name), None)
        if record is None:
            return None
        field = record[n]
        if field.is_null:
            return NULL
        repetitions = field.repetitions
        return (repetitions[(r or 1) - 1].c(c or 1) or None) if (r or 1) <= len(repetitions) else None

    @property
    def notices(self) -> list[tuple[int, str, str]]:
        """What a person should look at, as (code, where, detail); legacy encodings are looked for on first use."""
        if not self._suspected:
            self._suspected = True
            if self.charset in ("utf-8", "ascii", STANDARD_CHARSET, "cp1252") and not self._text.isascii():
                prose = self._text[: charsets.EXAMINED]
                marks = dict.fromkeys(map(ord, self._reading.field + self._reading.blank), " ")
                found = charsets.suspect(prose.translate(marks))
                if not found and self._guessed and _GUESSED.search(self._text):
                    found = [(STANDARD_CHARSET_ASSUMED, "", STANDARD_CHARSET)]
                self._notices += found
        return self._notices


def _decoded(raw: bytes, charset: str) -> tuple[str, str]:
    """Give the codec and the text."""
    if charset == "auto":
        try:
            return "utf-8", raw.decode("utf-8")
        except UnicodeDecodeError as error:
            if _NOT_STANDARD.search(raw):
                raise CharsetMismatch(f"byte {error.start}", f"neither utf-8 nor {STANDARD_CHARSET}") from None
            return STANDARD_CHARSET, raw.decode(STANDARD_CHARSET)
    codec = charsets.codec_name(charset)
    if codec is None:
        raise CharsetMismatch("", "the channel names an unknown charset")
    try:
        return codec, raw.decode("ascii") if codec == "viqr" else charsets.decoder(codec)(raw)
    except UnicodeDecodeError as error:
        raise CharsetMismatch(f"byte {error.start}", codec) from None


def _delimiters(text: str, notices: list[tuple[int, str, str]]) -> Delimiters:
    """Read the field delimiter and H-2 of a text that begins with a header; raise DelimitersInvalid."""
    field = text[1]
    marks = re.split("[\r\n" + re.escape(field) + "]", text[2:12], maxsplit=1)[0].strip()
    if marks == _HL7 and field != "\\":
        return Delimiters(field.encode("ascii"))
    once = "".join(dict.fromkeys(marks))
    if once != marks and len(marks) == 4 and len(once) == 3:
        notices.append((DELIMITER_TWICE, "H-2", ""))
        marks = once
    if not 1 <= len(marks) <= 3 or not all(map(usable, marks)):
        raise DelimitersInvalid("H-2", f"{len(marks)} characters")
    if len({*marks, field}) != len(marks) + 1:
        raise DelimitersInvalid("H-2", "a character stands twice")
    repetition, component, mark = (marks[n : n + 1].encode("ascii") for n in range(3))
    return Delimiters(field.encode("ascii"), component, repetition, mark, b"")


def _records(text: str, reading: Reading, notices: list[tuple[int, str, str]]) -> Iterator[Record]:
    """Cut into records; raise RecordInvalid for a line that is none, and TooManyParts."""
    text = text.replace("\r\n", "\r")
    starts = "[A-Z](?:" + re.escape(reading.field) + "|[\r\n]|$)"
    if "\n" in text:
        text = re.sub(f"\n(?={starts}|[\r\n])", "\r", text)
    require_few(text, reading)
    seen: dict[str, int] = {}
    is_record = re.compile(starts).match
    for number, line in enumerate(text.split("\r"), 1):
        line = line.strip(_LINK + "\n\x00")
        if not line.strip(SPACE):
            continue
        if not is_record(line):
            raise RecordInvalid(f"line {number}")
        if "\n" in line:
            notices.append((LINE_BREAK_IN_FIELD, f"line {number}", ""))
        seen[line[:1]] = occurrence = seen.get(line[:1], 0) + 1
        yield Record(line, number, occurrence, reading)


def unframed(raw: bytes) -> bytes:
    """Give the records of what was recorded of a link: frames opened and put together, control characters left out.

    Gives bytes without a frame as they are. Does not check frame numbers and checksums, as the link does: what is here was
    taken. Standard: CLSI LIS1-A §8.3
    """
    if b"\x02" not in raw:
        return raw
    text = b"".join(match[2] for match in _FRAME.finditer(raw))
    return text if text.strip() else raw


def split(raw: bytes) -> list[bytes]:
    """Give the messages of a file, each from its H to its L; a file with at most one H as it is."""
    starts = [
        match.start(1) for match in re.finditer(rb"(?:^|[\r\n\x02][0-7]?)(H[^0-9A-Za-z\s\x00-\x1f\x7f-\xff])", raw)
    ]
    if len(starts) < 2:
        return [raw]
    return [raw[begin:end] for begin, end in pairwise([*starts, len(raw)])]


# ---- writing ----

Repetition: TypeAlias = str | tuple[str, ...]
Value: TypeAlias = str | tuple[str, ...] | list[Repetition]
"""A text, the components of a field, or its repetitions."""


def write(
    records: Iterable[tuple[str, Mapping[int, Value]]], delimiters: Delimiters = DEFAULT, charset: str = "utf-8"
) -> bytes:
    """Write a message, each record (name, field number → value) ending with a carriage return.

    H-2 writes itself; delimiters at the end of a record are left out. Raises NotWritable with the position that cannot be
    written: the charset lacks a character, or the delimiters a mark.
    """
    seen: dict[str, int] = {}
    lines: list[bytes] = []
    for name, fields in records:
        seen[name] = seen.get(name, 0) + 1
        place = name if seen[name] == 1 else f"{name}[{seen[name]}]"
        parts = [b""] * max((*fields, 2))
        parts[0] = name.encode("ascii")
        if name == "H":
            parts[1] = delimiters.repetition + delimiters.component + delimiters.escape
        for n, value in fields.items():
            if n < 2 or (name == "H" and n == 2):
                raise ValueError("fields are counted from 2 on, those of H from 3 on: the others write themselves")
            parts[n - 1] = _encoded(_written(value, delimiters, charset, f"{place}-{n}"), charset, f"{place}-{n}")
        lines.append(delimiters.field.join(parts).rstrip(delimiters.field))
    return b"".join(line + b"\r" for line in lines)


def _written(value: Value, delimiters: Delimiters, charset: str, where: str) -> str:
    if isinstance(value, str):
        return escape(value, delimiters, charset)
    mark = (delimiters.component if isinstance(value, tuple) else delimiters.repetition).decode("ascii")
    parts: Sequence[Value] = value
    if not mark and len(parts) > 1:
        raise NotWritable(where, "no such delimiter in H-2")
    joined = mark.join(_written(one, delimiters, charset, where) for one in parts)
    return joined.rstrip(mark) if mark else joined


def _encoded(text: str, charset: str, where: str) -> bytes:
    try:
        return text.encode() if charset == "utf-8" else charsets.encode(text, charset)
    except UnicodeEncodeError:
        raise NotWritable(where, charset) from None
