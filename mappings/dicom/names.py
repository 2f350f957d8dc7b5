"""Find the UIDs of a DICOM file, the patient's number, and where its header ends, without building a data set.

This is what stands between an object and the answer to its sender, so it walks the elements and copies five values. Reads every
transfer syntax of PS3.5 (little and big endian, implicit, deflated) and files without meta group. Decodes no text, checks no
value; what it cannot walk is not readable.

Standard: DICOM PS3.5 §7 (data elements), Annex A (transfer syntaxes); PS3.10 §7.1 (file meta)
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

_IMPLICIT, _BIG, _DEFLATED = "1.2.840.10008.1.2", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"
_LONG_FORM = frozenset((b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"))
_UNDEFINED = 0xFFFFFFFF
_DELIMITERS = 0xFFFE
"""Group of items and their ends, which have no VR."""
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_PIXELS = frozenset((0x7FE00008, 0x7FE00009, 0x7FE00010))
_WANTED = {
    0x00020010: "syntax",
    0x00080016: "sop_class",
    0x00080018: "sop_instance",
    0x00100020: "patient",
    0x0020000D: "study",
    0x0020000E: "series",
}
_DEEPEST = 64
_META = 0x0002


@dataclass(frozen=True)
class Names:
    """What an object calls itself. A name that it does not have is empty."""

    sop_class: str
    sop_instance: str
    study: str
    series: str
    patient: str
    """PatientID as its bytes read in ISO 8859-1: for keys alone, not for people."""
    syntax: str
    """Transfer syntax, as the file meta says it."""
    header: int
    """Where the pixels begin, in bytes from the beginning of the file; the whole length when there are none."""


class _Broken(Exception):
    """The elements cannot be walked."""


def read_names(beginning: bytes) -> Names | None:
    """Read the names from the beginning of a file; None when it is no DICOM.

    A file whose header goes on behind `beginning` is read as far as it goes.
    """
    start = 132 if beginning[128:132] == b"DICM" else 0
    found: dict[str, str] = {}
    try:
        meta = _Layout(big=False, implicit=False)
        position = _walk(beginning, start, found, meta, _META) if start else 0
        syntax = found.pop("syntax", "")
        content, shift = beginning, 0
        if syntax == _DEFLATED:
            content, shift = zlib.decompressobj(-zlib.MAX_WBITS).decompress(beginning[position:], 1 << 24), position
            position = 0
        implicit = syntax == _IMPLICIT or not _looks_explicit(content, position)
        big = syntax == _BIG or (not syntax and content[position : position + 2] == b"\0\x08")
        end = _walk(content, position, found, _Layout(big=big, implicit=implicit))
    except (_Broken, zlib.error):
        return None
    header = len(beginning) if shift or end >= len(content) else end
    named = {name: found.get(name, "") for name in ("sop_class", "sop_instance", "study", "series", "patient")}
    return Names(**named, syntax=syntax, header=header)


def _looks_explicit(data: bytes, position: int) -> bool:
    return data[position + 4 : position + 6].isalpha() and data[position + 4 : position + 6].isupper()


class _Layout:
    """How elements are written: byte order, and whether each says its VR."""

    def __init__(self, *, big: bool, implicit: bool) -> None:
        order = ">" if big else "<"
        self.implicit = implicit
        self.tag = struct.Struct(f"{order}HH").unpack_from
        self.short = struct.Struct(f"{order}H").unpack_from
        self.long = struct.Struct(f"{order}L").unpack_from
        self.big = big

    def group(self, data: bytes, position: int) -> int:
        return int(self.short(data, position)[0]) if position + 2 <= len(data) else -1

    def head(self, data: bytes, position: int) -> tuple[int, int, int, bool] | None:
        """Give tag, where the value begins, its length, and whether it is of VR UN; None when it is cut off."""
        if position + 8 > len(data):
            return None
        group, element = self.tag(data, position)
        tag = group << 16 | element
        if self.implicit or group == _DELIMITERS:
            return tag, position + 8, self.long(data, position + 4)[0], False
        kind = data[position + 4 : position + 6]
        if kind in _LONG_FORM:
            if position + 12 > len(data):
                return None
            return tag, position + 12, self.long(data, position + 8)[0], kind == b"UN"
        if not (kind.isalpha() and kind.isupper()):
            raise _Broken
        return tag, position + 8, self.short(data, position + 6)[0], False

    def inside(self, is_unknown: bool) -> _Layout:
        """Give how the items of a sequence are written: those of an unknown VR are implicit. Standard: PS3.5 §6.2.2"""
        return _Layout(big=self.big, implicit=True) if is_unknown and not self.implicit else self


def _walk(data: bytes, position: int, found: dict[str, str], layout: _Layout, group: int | None = None) -> int:
    """Walk the elements from `position`; give where the first one begins that is pixels, cut off, or of another `group`."""
    while (group is None or layout.group(data, position) == group) and (
        head := layout.head(data, position)
    ) is not None:
        tag, begin, length, is_unknown = head
        if tag in _PIXELS:
            return position
        after = begin + length
        if length == _UNDEFINED:
            ended = _skip(data, begin, layout.inside(is_unknown), depth=0)
            if ended is None:
                return position
            after = ended
        if tag in _WANTED:
            found.setdefault(_WANTED[tag], data[begin:after].decode("latin-1").strip("\0 "))
        if after > len(data):
            return len(data)
        position = after
    return position


def _skip(data: bytes, position: int, layout: _Layout, depth: int) -> int | None:
    """Give where a sequence of undefined length ends; None when it goes on behind the data."""
    if depth > _DEEPEST:
        raise _Broken
    while (head := layout.head(data, position)) is not None:
        tag, begin, length, _ = head
        if tag == _SEQUENCE_END:
            return begin
        if tag != _ITEM:
            raise _Broken
        ended = begin + length if length != _UNDEFINED else _skip_item(data, begin, layout, depth)
        if ended is None:
            return None
        position = ended
    return None


def _skip_item(data: bytes, position: int, layout: _Layout, depth: int) -> int | None:
    """Give where an item of undefined length ends; None when it goes on behind the data."""
    while (head := layout.head(data, position)) is not None:
        tag, begin, length, is_unknown = head
        if tag == _ITEM_END:
            return begin
        ended = begin + length if length != _UNDEFINED else _skip(data, begin, layout.inside(is_unknown), depth + 1)
        if ended is None:
            return None
        position = ended
    return None
