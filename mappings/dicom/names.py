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
_META = 0x00020000


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
    whole: bool
    """Whether the header ended within the bytes that were given."""


class _Broken(Exception):
    """The elements cannot be walked."""


def read_names(beginning: bytes) -> Names | None:
    """Read the names from the beginning of a file; None when it is no DICOM.

    A file whose header goes on behind `beginning` is read as far as it goes.
    """
    start = 132 if beginning[128:132] == b"DICM" else 0
    found: dict[str, str] = {}
    try:
        position = _walk(beginning, start, found, big=False, implicit=False, until=_META + 0xFFFF) if start else 0
        syntax = found.pop("syntax", "")
        content, shift = beginning, 0
        if syntax == _DEFLATED:
            content, shift = zlib.decompressobj(-zlib.MAX_WBITS).decompress(beginning[position:], 1 << 24), position
            position = 0
        implicit = syntax == _IMPLICIT or not _looks_explicit(content, position)
        big = syntax == _BIG or (not syntax and content[position : position + 2] == b"\0\x08")
        end = _walk(content, position, found, big=big, implicit=implicit, until=None)
    except (_Broken, zlib.error):
        return None
    whole = end < len(content) or syntax == _DEFLATED or end == len(content)
    header = len(beginning) if shift or end >= len(content) else end
    named = {name: found.get(name, "") for name in ("sop_class", "sop_instance", "study", "series", "patient")}
    return Names(**named, syntax=syntax, header=header, whole=whole)


def _looks_explicit(data: bytes, position: int) -> bool:
    return data[position + 4 : position + 6].isalpha() and data[position + 4 : position + 6].isupper()


def _walk(data: bytes, position: int, found: dict[str, str], *, big: bool, implicit: bool, until: int | None) -> int:
    """Walk the elements from `position`; give where the first one begins that is pixels, or behind `until`, or cut off."""
    order = ">" if big else "<"
    tag_of = struct.Struct(f"{order}HH").unpack_from
    length_of, short_of = struct.Struct(f"{order}L").unpack_from, struct.Struct(f"{order}H").unpack_from
    end = len(data)
    while position + 8 <= end:
        group, element = tag_of(data, position)
        tag = group << 16 | element
        if tag in _PIXELS or (until is not None and tag > until):
            return position
        kind = data[position + 4 : position + 6]
        if implicit:
            (length,) = length_of(data, position + 4)
            begin = position + 8
        elif kind in _LONG_FORM:
            if position + 12 > end:
                return position
            (length,) = length_of(data, position + 8)
            begin = position + 12
        else:
            if not (kind.isalpha() and kind.isupper()):
                raise _Broken
            (length,) = short_of(data, position + 6)
            begin = position + 8
        if length == _UNDEFINED:
            after = _skip(data, begin, big=big, implicit=implicit or kind == b"UN", depth=0)
            if after is None:
                return position
        else:
            after = begin + length
        if tag in _WANTED:
            found.setdefault(_WANTED[tag], data[begin:after].decode("latin-1").strip("\0 "))
        if after > end:
            return end
        position = after
    return position


def _skip(data: bytes, position: int, *, big: bool, implicit: bool, depth: int) -> int | None:
    """Give where a sequence of undefined length ends; None when it goes on behind the data."""
    if depth > _DEEPEST:
        raise _Broken
    order = ">" if big else "<"
    head = struct.Struct(f"{order}HHL").unpack_from
    end = len(data)
    while position + 8 <= end:
        group, element, length = head(data, position)
        tag, position = group << 16 | element, position + 8
        if tag == _SEQUENCE_END:
            return position
        if tag != _ITEM:
            raise _Broken
        if length != _UNDEFINED:
            position += length
            continue
        inside = _skip_item(data, position, big=big, implicit=implicit, depth=depth)
        if inside is None:
            return None
        position = inside
    return None


def _skip_item(data: bytes, position: int, *, big: bool, implicit: bool, depth: int) -> int | None:
    """Give where an item of undefined length ends; None when it goes on behind the data."""
    order = ">" if big else "<"
    tag_of = struct.Struct(f"{order}HH").unpack_from
    length_of, short_of = struct.Struct(f"{order}L").unpack_from, struct.Struct(f"{order}H").unpack_from
    end = len(data)
    while position + 8 <= end:
        group, element = tag_of(data, position)
        kind = data[position + 4 : position + 6]
        if group << 16 | element == _ITEM_END:
            return position + 8
        if implicit:
            (length,) = length_of(data, position + 4)
            begin = position + 8
        elif kind in _LONG_FORM:
            if position + 12 > end:
                return None
            (length,) = length_of(data, position + 8)
            begin = position + 12
        else:
            if not (kind.isalpha() and kind.isupper()):
                raise _Broken
            (length,) = short_of(data, position + 6)
            begin = position + 8
        if length == _UNDEFINED:
            after = _skip(data, begin, big=big, implicit=implicit or kind == b"UN", depth=depth + 1)
            if after is None:
                return None
            position = after
        else:
            position = begin + length
    return None
