"""Write HL7 v2 messages in ER7 encoding: new ones, and changed ones of which every untouched byte stays as it came.

A value is written as plain data: a text is itself, a tuple the components of a field or repetition, a tuple in it the
subcomponents, a list the repetitions; `""` is empty and `er7.NULL` is null. Escaping is done here and nowhere else. Does not
know message structures, does not choose what to say, does not translate a message into another charset.

Standard: HL7 v2.5.1 §2.5–2.7
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple, TypeAlias

from mappings.formats import charsets, er7, er7_escapes
from mappings.formats.faults import NotWritable

Component: TypeAlias = str | tuple[str, ...]
Repetition: TypeAlias = str | tuple[Component, ...]
Value: TypeAlias = str | tuple[Component, ...] | list[Repetition]

_HEADERS = ("MSH", "FHS", "BHS")


class Segment(NamedTuple):
    """A segment to be written: field number → value. MSH-1 and MSH-2 are written by themselves."""

    name: str
    fields: Mapping[int, Value]


def write(segments: Iterable[Segment], delimiters: er7.Delimiters = er7.DEFAULT, charset: str = "utf-8") -> bytes:
    """Write a message, each segment ending with a carriage return; trailing separators are left out.

    MSH-18 is the caller's to fill. Raises NotWritable with the position that cannot be written.
    """
    form = _form(delimiters, charset)
    segments = list(segments)
    try:
        return form.encoded("\r".join([*[form.segment(one) for one in segments], ""]))
    except (UnicodeEncodeError, _Undelimited):
        raise _culprit(form, segments) from None


def _culprit(form: _Form, segments: Sequence[Segment]) -> NotWritable:
    """Find the first field that cannot be written."""
    seen: dict[str, int] = {}
    for name, fields in segments:
        seen[name] = seen.get(name, 0) + 1
        place = name if seen[name] == 1 else f"{name}[{seen[name]}]"
        for n, value in sorted(fields.items()):
            try:
                form.encoded(form.value(value))
            except (UnicodeEncodeError, _Undelimited) as error:
                return form.fault(f"{place}-{n}", error)
    return NotWritable("", form.charset)


class _Undelimited(Exception):
    """MSH-2 has no delimiter for what is to be written."""


class _Form:
    """How the values of one message are written."""

    __slots__ = (
        "_special",
        "charset",
        "component",
        "delimiters",
        "field",
        "head",
        "marks",
        "repetition",
        "subcomponent",
    )

    def __init__(self, delimiters: er7.Delimiters, charset: str) -> None:
        self.delimiters = delimiters
        self.charset = charset
        self.marks = [mark.decode("ascii") for mark in delimiters]
        self.field, self.component, self.repetition, _, self.subcomponent, _ = self.marks
        self.head = self.field + "".join(self.marks[1:])
        self._special = re.compile("[\0-\x08\n-\x1f" + re.escape("".join(self.marks)) + "]").search

    def text(self, text: str) -> str:
        if self.charset == "viqr":
            text = charsets.text_to_viqr(text)
        if text.isalnum() or not self._special(text):
            return text
        if not self.delimiters.escape:
            raise _Undelimited("escape character")
        return er7_escapes.escape(text, self.delimiters, self.charset)

    def value(self, value: Value) -> str:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, tuple):
            return self._joined([one if one == "" else self.subcomponents(one) for one in value], self.component)
        return self._joined([self.value(one) for one in value], self.repetition)

    def subcomponents(self, value: Component) -> str:
        if isinstance(value, str):
            return self.text(value)
        return self._joined([self.text(one) for one in value], self.subcomponent)

    def _joined(self, parts: list[str], mark: str) -> str:
        if mark:
            return mark.join(parts).rstrip(mark)
        if any(parts[1:]):
            raise _Undelimited("such delimiter")
        return "".join(parts)

    def segment(self, segment: Segment) -> str:
        name, fields = segment
        parts = [""] * (max(fields, default=0) + 1)
        first = 3 if name in _HEADERS else 1
        for n, value in fields.items():
            if n < first:
                raise ValueError("fields are counted from 1 on, those of MSH from 3 on: the others write themselves")
            if value:
                parts[n] = self.value(value)
        parts[:first] = [name + self.head if first == 3 else name]
        return self.field.join(parts).rstrip(self.field)

    def encoded(self, text: str) -> bytes:
        if self.charset == "utf-8":
            return text.encode()
        if self.charset == "viqr":
            return text.encode("ascii")  # its values are VIQR by now
        return charsets.encode(text, self.charset)

    def fault(self, where: str, error: Exception) -> NotWritable:
        return NotWritable(where, f"no {error} in MSH-2" if isinstance(error, _Undelimited) else self.charset)


@lru_cache(maxsize=64)
def _form(delimiters: er7.Delimiters, charset: str) -> _Form:
    return _Form(delimiters, charset)


# ---- changes ----


class _Line:
    __slots__ = ("data", "end", "name")

    def __init__(self, name: str, data: bytes, end: bytes) -> None:
        self.name = name
        self.data = data
        self.end = end


class Revision:
    """A message under change; whatever is not changed is written byte for byte as it came.

    Positions count the segments as they stand now, after what was inserted and removed.
    """

    def __init__(self, message: er7.Message) -> None:
        self._codec = _ordered(message.charset, message.raw)
        self._form = _form(message.delimiters, self._codec)
        self._width = len("|".encode(self._codec)) if self._codec.startswith("utf-") else 1
        raw = message.raw
        view, ends = _view(raw, self._codec)
        head = view.index("MSH")
        cuts = [(head, head), *_line_ends(view, head, self._form.field)]
        if cuts[-1][1] < len(view):
            cuts.append((len(view), len(view)))

        def at(n: int) -> int:
            return ends[n - 1] if n else 0

        self._before = raw[: at(head)]
        self._lines: list[_Line] = []
        for (_, start), (stop, after) in pairwise(cuts):
            name = view[start : start + 3] if view[start:stop].strip(" \t\r\n\v\f") else ""
            # The bytes of a line end that a stateful charset puts before the character belong to the line.
            edge = at(after) - (after - stop) * self._width
            self._lines.append(_Line(name, raw[at(start) : edge], raw[edge : at(after)]))

    def set(self, where: str, value: Value) -> None:
        """Write a value at `PID-3` (the whole field), `PID-3[2]`, `PID-3.1` or `PID-3.1.2`.

        What the position names is replaced whole, everything beside it stays; separators are added where they are missing.
        Raises NotWritable when there is no such segment, or the charset or MSH-2 of the message lacks what is needed;
        ValueError when the position is none that can be set (MSH-1, MSH-2 and MSH-18 say how the message is read).
        """
        place = er7.position(where)
        header = place.segment in _HEADERS
        if not place.field or (header and place.field in (1, 2, 18)):
            raise ValueError("this position cannot be set")
        line = self._lines[self._find(place, where)]
        try:
            new = self._form.encoded(self._written(value, place))
            path = [(self._form.field, place.field + (0 if header else 1))]
            path += [(self._form.repetition, place.repetition or 1)] if place.repetition or place.component else []
            path += [(self._form.component, place.component)] if place.component else []
            path += [(self._form.subcomponent, place.subcomponent)] if place.subcomponent else []
            line.data = self._put(line.data, path, new)
        except (UnicodeEncodeError, _Undelimited) as error:
            raise self._form.fault(where, error) from None

    def insert(self, segment: Segment, after: str) -> None:
        """Insert a segment behind the one that `after` names: `PID`, `OBX[2]`."""
        at = self._find(er7.position(after), after)
        try:
            data = self._form.encoded(self._form.segment(segment))
        except (UnicodeEncodeError, _Undelimited):
            raise _culprit(self._form, [segment]) from None
        before = self._lines[at]
        line = _Line(segment.name, data, before.end)
        if not before.end:
            before.end = next((one.end for one in self._lines if one.end), self._form.encoded("\r"))
        self._lines.insert(at + 1, line)

    def remove(self, segment: str) -> None:
        """Remove the segment `PID`, `OBX[2]`."""
        place = er7.position(segment)
        if place.segment == "MSH" and place.occurrence == 1:
            raise ValueError("without MSH there is no message")
        del self._lines[self._find(place, segment)]

    def write(self) -> bytes:
        """Give the bytes of the message as it stands now."""
        return b"".join([self._before, *(part for line in self._lines for part in (line.data, line.end))])

    def _find(self, place: er7.Position, where: str) -> int:
        found = [n for n, line in enumerate(self._lines) if line.name == place.segment]
        if len(found) < place.occurrence:
            raise NotWritable(where, "no such segment")
        return found[place.occurrence - 1]

    def _written(self, value: Value, place: er7.Position) -> str:
        if isinstance(value, str):
            return self._form.text(value)
        if isinstance(value, list):
            if place.repetition or place.component:
                raise ValueError("only a whole field takes repetitions")
            return self._form.value(value)
        if not place.component:
            return self._form.value(value)
        texts = tuple(part for part in value if isinstance(part, str))
        if place.subcomponent or len(texts) < len(value):
            raise ValueError("this position takes no parts so deep")
        return self._form.subcomponents(texts)

    def _put(self, old: bytes, path: list[tuple[str, int]], new: bytes) -> bytes:
        """Replace one piece of what is written; an empty piece that is not there is not added."""
        if not path:
            return new
        (mark, n), deeper = path[0], path[1:]
        pieces = [b""] if old == self._form.encoded(er7.NULL) else self._split(old, mark)
        if n > len(pieces):
            if not new:
                return old
            if not mark:
                raise _Undelimited("such delimiter")
            pieces += [b""] * (n - len(pieces))
        pieces[n - 1] = self._put(pieces[n - 1], deeper, new)
        return self._form.encoded(mark).join(pieces)

    def _split(self, data: bytes, mark: str) -> list[bytes]:
        if not mark:
            return [data]
        if self._codec.startswith(_PLAIN):
            return data.split(mark.encode("ascii"))
        view, ends = _view(data, self._codec)
        pieces, start = [], 0
        for char, end in zip(view, ends, strict=True):
            if char == mark:
                pieces.append(data[start : end - self._width])
                start = end
        return [*pieces, data[start:]]


_PLAIN = ("utf-8", "ascii", "iso8859", "cp125", "euc_kr", "tcvn3", "vni", "viqr")
"""Charsets in which a byte below 0x80 is that character of ASCII, wherever it stands."""


def _ordered(charset: str, raw: bytes) -> str:
    """Name the charset with the byte order that the message's mark says, so that no other mark is written."""
    if charset not in ("utf-16", "utf-32"):
        return charset
    return charset + ("-le" if raw.startswith(b"\xff\xfe") else "-be")


def _view(data: bytes, charset: str) -> tuple[str, Sequence[int]]:
    """Give text in which every delimiter is where it is, and the offset at which each of its characters ends."""
    if charset.startswith(_PLAIN):
        return data.decode("latin-1"), range(1, len(data) + 1)
    decoder = codecs.getincrementaldecoder(charset)()
    text: list[str] = []
    ends: list[int] = []
    for n in range(1, len(data) + 1):
        decoded = decoder.decode(data[n - 1 : n], n == len(data))
        text += decoded
        ends += [n] * len(decoded)
    return "".join(text), ends


def _line_ends(view: str, head: int, field: str) -> list[tuple[int, int]]:
    """Find the line ends that the reader sees: a bare line feed may stand inside a field."""
    body = len(view.rstrip("\r\n"))
    within = "\n"
    if view.find("\r", head, body) >= 0:
        within = "\n(?=[A-Z][A-Z0-9]{2}" + re.escape(field) + "|[\r\n])"
    found = [match.span() for match in re.compile("\r\n|\r|" + within).finditer(view, head, body)]
    return found + [match.span() for match in re.compile("\r\n|\r|\n").finditer(view, body)]
