"""Read the elements of a data set, in any of the four ways they are written, in bounded memory.

pydicom is the dictionary here and the judge in tests, not the reader: that one reads whole what lies in sequences,
however large, warns where we must notice, and ends some bad files with exceptions of many kinds. This reader keeps what
was sound before the first thing it cannot follow, and says so.

Standard: DICOM PS3.5 §7
"""

from __future__ import annotations

from functools import lru_cache
from struct import Struct
from typing import Any

from pydicom.datadict import dictionary_VR, private_dictionary_VR

from mappings.dicom import faults
from mappings.dicom.charset import Charset
from mappings.dicom.limits import Limits
from mappings.dicom.stream import Stream
from mappings.dicom.values import BINARY_VRS, LONG_VRS, STRING_VRS, VRS, Element, single, to_element

Dataset = dict[str, Element]

UNDEFINED = 0xFFFFFFFF
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_CHARSET, _SOP_CLASS = 0x00080005, 0x00080016
_SIGNED = 0x00280103
"""PixelRepresentation: decides where the dictionary leaves a choice."""
_CHOICE = "US or SS"
_DOCUMENT = 0x00420011
_PIXELS = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
_CODES = frozenset(vr.encode() for vr in VRS)
_LONG = frozenset(vr.encode() for vr in LONG_VRS)


_OVERHEAD = 64
"""Bytes that an element takes beside its value, for the count."""


class _Broken(Exception):
    """Where the bytes cannot be followed any more; never leaves this module."""


class Reader:
    """Reads one data set from a stream; `read` once."""

    def __init__(self, stream: Stream, *, explicit: bool, little: bool, limits: Limits, charset: Charset) -> None:
        self._stream = stream
        self._explicit = explicit
        self._little = little
        self._limits = limits
        self.charset = charset
        self._mark = "<" if little else ">"
        self._pair = Struct(f"{self._mark}HH").unpack
        self._short = Struct(f"{self._mark}H").unpack
        self._word = Struct(f"{self._mark}I").unpack
        self._kept = 0
        self._signed = False
        self.whole = False
        """Whether the object is a document, of which nothing may be missing."""
        self.documents: frozenset[str] = frozenset()
        """SOP classes that are read whole."""
        self.notices: dict[int, str] = {}
        """Code of a notice → the first place it is about."""

    def read(self) -> Dataset:
        """Read until the pixels or the end. Raises `NestedTooDeeply`, `HeaderTooLarge`."""
        found: Dataset = {}
        try:
            self._dataset(found, None, self.charset, 0, self._explicit)
        except _Broken as place:
            self.notices.setdefault(faults.TRUNCATED, str(place))
        return found

    def one(self) -> tuple[str, Element] | None:
        """Read one element of a stream that has at least its first 8 bytes; `None` where it cannot be followed."""
        try:
            head = self._stream.peek(8)
            group, number = self._pair(head[:4])
            tag = group << 16 | number
            vr, length = self._head(head, tag, self._explicit, {})
            if length == UNDEFINED:
                return None
            return f"{tag:08X}", self._value(tag, vr, length, self.charset, 0, self._explicit)
        except _Broken:
            return None

    def _dataset(self, found: Dataset, end: int | None, charset: Charset, depth: int, explicit: bool) -> None:
        """Read elements up to `end`, a delimiter, the pixels or the end of the file."""
        stream = self._stream
        creators: dict[int, str] = {}
        while end is None or stream.position < end:
            head = stream.peek(8)
            if len(head) < 8:
                if head or depth:
                    raise _Broken("")
                return
            group, number = self._pair(head[:4])
            tag = group << 16 | number
            if tag in (_ITEM_END, _SEQUENCE_END):
                if not depth:
                    raise _Broken(_place(tag))
                if tag == _ITEM_END:
                    stream.skip(8)
                return
            vr, length = self._head(head, tag, explicit, creators)
            if vr == "UN" and group & 1 and length <= self._limits.value:
                known = _vr_of(tag, _creator(tag, creators))
                vr = known if known != "SQ" else vr
            name = f"{tag:08X}"
            if not depth and tag in _PIXELS:
                found[name] = _left_out(vr, length)
                return
            if end is not None and length != UNDEFINED and stream.position + length > end:
                raise _Broken(_place(tag))
            element = self._value(tag, vr, length, charset, depth, explicit)
            if number:  # group lengths are retired and say nothing
                found[name] = element
            if tag == _CHARSET:
                charset = charset.within([str(one or "") for one in element.get("Value", [])])
            elif tag == _SOP_CLASS and not depth:
                self.whole = next(iter(element.get("Value", [""])), "") in self.documents
            elif tag == _SIGNED:
                self._signed = element.get("Value") == [1]
            elif group & 1 and 0x10 <= number <= 0xFF:
                creators[group << 8 | number] = str(next(iter(element.get("Value", [])), "") or "")

    def _head(self, head: bytes, tag: int, explicit: bool, creators: dict[int, str]) -> tuple[str, int]:
        """Take what stands before a value: its VR, said or looked up, and its length."""
        stream, code = self._stream, head[4:6]
        if not explicit or not (code in _CODES or (code.isalpha() and code.isupper())):
            stream.skip(8)
            return _vr_of(tag, _creator(tag, creators)), self._word(head[4:8])[0]
        if code not in _LONG:
            stream.skip(8)
            vr = code.decode("ascii")
            return (vr if code in _CODES else _vr_of(tag, "")), self._short(head[6:8])[0]
        whole = stream.take(12)
        if len(whole) < 12:
            raise _Broken(_place(tag))
        return code.decode("ascii"), self._word(whole[8:12])[0]

    def _value(self, tag: int, vr: str, length: int, charset: Charset, depth: int, explicit: bool) -> Element:
        if vr == "UN":
            known = _vr_of(tag, "")
            if length == UNDEFINED or known == "SQ":
                vr, explicit = "SQ", False
            elif known != "UN" and length <= self._limits.value:
                vr = known
        if vr == _CHOICE:
            vr = "SS" if self._signed else "US"
        if vr == "SQ" or (length == UNDEFINED and not _is_bulk(tag) and self._begins_item(vr)):
            return self._sequence(tag, length, charset, depth, explicit)
        if length == UNDEFINED:
            self._pass_fragments()
            return _left_out(vr, length)
        if self._is_left_out(tag, vr, length):
            self._stream.skip(length)
            return _left_out(vr, length)
        raw = self._stream.take(length)
        if len(raw) < length:
            raise _Broken(_place(tag))
        if tag == _CHARSET:
            charset = Charset()
        if vr not in STRING_VRS and vr not in BINARY_VRS and vr in VRS:
            vr = _numeric(tag, vr, length)
        return to_element(vr, raw, self._little, charset)

    def _is_left_out(self, tag: int, vr: str, length: int) -> bool:
        """Tell whether a value is too much to keep; what is kept is counted."""
        limits = self._limits
        if self.whole and (vr in STRING_VRS or tag == _DOCUMENT):
            if length > limits.whole and tag != _DOCUMENT:
                raise faults.HeaderTooLarge(_place(tag), f"{limits.whole} bytes")
            longest = limits.whole
        else:
            longest = limits.private_binary if tag >> 16 & 1 and vr in BINARY_VRS else limits.value
        return length > longest or _is_bulk(tag) or self._is_beyond(tag, length)

    def _is_beyond(self, tag: int, length: int) -> bool:
        """Count what is kept of the object; tell whether it is more than may be."""
        self._kept += length + _OVERHEAD
        if self._kept <= (self._limits.whole if self.whole else self._limits.header):
            return False
        if self.whole:
            raise faults.HeaderTooLarge(_place(tag), f"{self._limits.whole} bytes")
        self.notices.setdefault(faults.HEADER_CUT, _place(tag))
        return True

    def _sequence(self, tag: int, length: int, charset: Charset, depth: int, explicit: bool) -> Element:
        """Read the items of a sequence; one of a picture that is too long is passed over."""
        if depth >= self._limits.depth:
            raise faults.NestedTooDeeply(_place(tag), str(self._limits.depth))
        stream, start, kept = self._stream, self._stream.position, self._kept
        if length != UNDEFINED and length > self._limits.value and not self.whole:
            stream.skip(length)
            return _left_out("SQ", length)
        end = None if length == UNDEFINED else start + length
        items: list[Dataset] = []
        element: Element = {"vr": "SQ", "Value": items}
        too_long = False
        while end is None or stream.position < end:
            head = stream.take(8)
            if len(head) < 8:
                raise _Broken(_place(tag))
            group, number = self._pair(head[:4])
            (size,) = self._word(head[4:])
            mark = group << 16 | number
            if mark == _SEQUENCE_END:
                break
            if mark != _ITEM or (end is not None and size != UNDEFINED and stream.position + size > end):
                raise _Broken(_place(tag))
            item: Dataset = {}
            too_long = too_long or self._is_beyond(tag, 0)
            if not too_long:
                items.append(item)
            item_end = None if size == UNDEFINED else stream.position + size
            self._dataset(item, item_end, charset, depth + 1, explicit)
            if item_end is not None and stream.position < item_end:
                stream.skip(item_end - stream.position)
            too_long = too_long or (not self.whole and stream.position - start > self._limits.value)
            if too_long:
                items.clear()
                self._kept = kept
        if too_long:
            return _left_out("SQ", stream.position - start)
        return element if items else {"vr": "SQ"}

    def _begins_item(self, vr: str) -> bool:
        """Tell whether a value of undefined length is a sequence after all: its first item holds elements, not pixels."""
        if vr in ("OB", "OW"):
            return False
        head = self._stream.peek(4)
        return len(head) == 4 and self._pair(head) == (0xFFFE, 0xE000)

    def _pass_fragments(self) -> None:
        """Pass over compressed pixels within a sequence. Standard: DICOM PS3.5 §A.4"""
        while True:
            head = self._stream.take(8)
            if len(head) < 8:
                raise _Broken("")
            group, number = self._pair(head[:4])
            if group << 16 | number == _SEQUENCE_END:
                return
            (size,) = self._word(head[4:])
            if group << 16 | number != _ITEM or size == UNDEFINED:
                raise _Broken("")
            self._stream.skip(size)


def _place(tag: int) -> str:
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


def _left_out(vr: str, length: int) -> Element:
    found: dict[str, Any] = {"vr": vr, "BulkDataURI": ""}
    if length != UNDEFINED:
        found["Length"] = length
    return found


def _is_bulk(tag: int) -> bool:
    """Tell whether a value is pixels, an overlay, a curve or a waveform."""
    group, number = tag >> 16, tag & 0xFFFF
    if tag in _PIXELS or tag == 0x54001010:
        return True
    return number == 0x3000 and (0x6000 <= group <= 0x60FF or 0x5000 <= group <= 0x50FF)


@lru_cache(maxsize=8192)
def _vr_of(tag: int, creator: str) -> str:
    """Look the VR up; UN where nobody knows it."""
    group, number = tag >> 16, tag & 0xFFFF
    if number == 0:
        return "UL"
    try:
        if not group & 1:
            return single(dictionary_VR(tag))
        if 0x10 <= number <= 0xFF:
            return "LO"
        return single(private_dictionary_VR(tag, creator)) if creator else "UN"
    except KeyError:
        return "UN"


def _creator(tag: int, creators: dict[int, str]) -> str:
    """Give who reserved the block of a private element."""
    return creators.get(tag >> 16 << 8 | (tag & 0xFF00) >> 8, "") if tag >> 16 & 1 else ""


_SIZES = {"US": 2, "SS": 2, "UL": 4, "SL": 4, "FL": 4, "AT": 4, "FD": 8, "UV": 8, "SV": 8}


def _numeric(tag: int, vr: str, length: int) -> str:
    """Give the VR that a number of this length can have; the dictionary's where the one that is said cannot be."""
    if length % _SIZES.get(vr, 1) == 0:
        return vr
    known = _vr_of(tag, "")
    return known if known in STRING_VRS else "UN"
