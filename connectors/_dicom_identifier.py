"""Identifiers of queries: what is asked for, and the rows that come back, as plain dicts of keywords.

An answer is read without building a data set: values are looked at as bytes, so that nothing in an answer can raise, warn or
be quoted. Text that cannot be read stands as U+FFFD. Sequences are stepped over.

Standard: DICOM PS3.4 §C.3, §C.6.2 (Study Root), PS3.5 §6.1.2.3 and §7
"""

from __future__ import annotations

import codecs
import re
import struct
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypedDict, TypeVar, cast, get_type_hints

from pydicom.charset import python_encoding
from pydicom.datadict import dictionary_VR, tag_for_keyword

from connectors.faults import QuestionInvalid


class StudyRow(TypedDict):
    """A study as the PACS describes it; what it leaves out is empty, or 0."""

    StudyInstanceUID: str
    StudyDate: str
    StudyTime: str
    AccessionNumber: str
    ModalitiesInStudy: tuple[str, ...]
    StudyDescription: str
    StudyID: str
    PatientID: str
    PatientName: str
    PatientBirthDate: str
    PatientSex: str
    NumberOfStudyRelatedSeries: int
    NumberOfStudyRelatedInstances: int


class SeriesRow(TypedDict):
    """A series, likewise."""

    StudyInstanceUID: str
    SeriesInstanceUID: str
    Modality: str
    SeriesNumber: int
    SeriesDescription: str
    NumberOfSeriesRelatedInstances: int


class ImageRow(TypedDict):
    """An object, likewise. Not every PACS tells its class."""

    StudyInstanceUID: str
    SeriesInstanceUID: str
    SOPInstanceUID: str
    SOPClassUID: str
    InstanceNumber: int


Row = TypeVar("Row", StudyRow, SeriesRow, ImageRow)

LEVELS: Final[Mapping[type[Any], str]] = {StudyRow: "STUDY", SeriesRow: "SERIES", ImageRow: "IMAGE"}
_KEYWORDS: Final[Mapping[type[Any], Mapping[str, object]]] = {row: get_type_hints(row) for row in LEVELS}
"""The keywords of each kind of row, and the type of each."""
UNIQUE: Final[Mapping[type[Any], str]] = {
    StudyRow: "StudyInstanceUID",
    SeriesRow: "SeriesInstanceUID",
    ImageRow: "SOPInstanceUID",
}
"""The key that every row of a level has; one without it is no row."""

_UTF8: Final = "ISO_IR 192"
_LONG_FORM: Final = frozenset(
    (b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV")
)
_UNDEFINED: Final = 0xFFFFFFFF
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_CHARSET: Final = 0x00080005
_DEEPEST: Final = 16
_UIDS: Final = re.compile(r"[0-9.]{1,64}(\\[0-9.]{1,64})*")
_LENGTHS: Final = {"AE": 16, "CS": 16, "SH": 16, "LO": 64, "PN": 64, "DA": 17, "UI": 64, "IS": 12}
_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f\\]")


class Unreadable(Exception):
    """An answer that is no data set; the caller says so in a fault."""


# ---- what is asked ----


def question(row: type[Any], keys: Mapping[str, str]) -> dict[str, str]:
    """Give the identifier that asks for every attribute of a row where `keys` match; raises QuestionInvalid."""
    return {"QueryRetrieveLevel": LEVELS[row], **dict.fromkeys(_KEYWORDS[row], ""), **keys}


def write(identifier: Mapping[str, str], *, implicit: bool) -> bytes:
    """Encode an identifier in little endian, text as UTF-8; raises QuestionInvalid, which names the keyword only."""
    tagged = {cast(int, tag_for_keyword(keyword)): keyword for keyword in identifier}
    if any(not value.isascii() for value in identifier.values()):
        return _written({**tagged, _CHARSET: "SpecificCharacterSet"}, {**identifier, **_NAMED}, implicit)
    return _written(tagged, identifier, implicit)


_NAMED: Final = {"SpecificCharacterSet": _UTF8}


def _written(tagged: Mapping[int, str], identifier: Mapping[str, str], implicit: bool) -> bytes:
    content = b""
    for tag, keyword in sorted(tagged.items()):
        vr, text = dictionary_VR(tag), identifier[keyword]
        _check(keyword, vr, text)
        value = text.encode()
        if len(value) % 2:
            value += b"\x00" if vr == "UI" else b" "
        head = struct.pack("<HH", tag >> 16, tag & 0xFFFF)
        length = struct.pack("<L", len(value)) if implicit else vr.encode() + struct.pack("<H", len(value))
        content += head + length + value
    return content


def _check(keyword: str, vr: str, text: str) -> None:
    if vr == "UI":
        if text and (not _UIDS.fullmatch(text) or len(text) > 0xFFFE):
            raise QuestionInvalid(keyword, "no UID")
    elif _CONTROLS.search(text):
        raise QuestionInvalid(keyword, "a backslash or a control character")
    elif len(text) > _LENGTHS.get(vr, 64):
        raise QuestionInvalid(keyword, f"longer than {_LENGTHS.get(vr, 64)}")


# ---- what comes back ----


def read(data: bytes, row: type[Row], *, implicit: bool) -> Row | None:
    """Read a row; None where it lacks its own UID. Raises Unreadable for what is no data set."""
    values = dict(_elements(data, implicit))
    decode = _decoder(values.get(_CHARSET, b""))
    found = {}
    for keyword, kind in _KEYWORDS[row].items():
        raw = values.get(cast(int, tag_for_keyword(keyword)), b"")
        found[keyword] = _KINDS[kind](decode(raw))
    return cast("Row", found) if found[UNIQUE[row]] else None


def uids(data: bytes, keyword: str, *, implicit: bool) -> tuple[str, ...]:
    """Give the UIDs that one attribute lists; empty where it is not there, or nothing can be read."""
    try:
        raw = dict(_elements(data, implicit)).get(cast(int, tag_for_keyword(keyword)), b"")
    except Unreadable:
        return ()
    return _several(raw.decode("ascii", "replace"))


def _text(text: str) -> str:
    return text.strip(" \x00")


def _number(text: str) -> int:
    try:
        return int(_text(text)[:12] or 0)
    except ValueError:
        return 0


def _several(text: str) -> tuple[str, ...]:
    return tuple(one for part in text.split("\\") if (one := _text(part)))


_KINDS: Final[Mapping[object, Callable[[str], object]]] = {str: _text, int: _number, tuple[str, ...]: _several}


def _decoder(charset: bytes) -> Callable[[bytes], str]:
    """Give what reads text: the first set named, and UTF-8 where none is and it fits, as some PACS have it."""
    names = [one.strip(" \x00") for one in charset.decode("ascii", "replace").split("\\")]
    named = next((one for one in names if one and one != "ISO 2022 IR 6"), "")
    encoding = python_encoding.get(named, "")
    if encoding in ("", "iso8859") or not _known(encoding):
        return _unnamed
    return lambda raw: raw.decode(encoding, "replace")


def _unnamed(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _known(encoding: str) -> bool:
    try:
        codecs.lookup(encoding)
    except LookupError:
        return False
    return True


def _elements(data: bytes, implicit: bool) -> Iterator[tuple[int, bytes]]:
    """Yield tag and value of every element that is no sequence."""
    position = 0
    while position < len(data):
        tag, length, start = head(data, position, implicit)
        if length == _UNDEFINED:
            position = _after(data, start, implicit, 0)
            continue
        position = start + length
        if position > len(data):
            raise Unreadable
        yield tag, data[start:position]


def head(data: bytes, position: int, implicit: bool) -> tuple[int, int, int]:
    """Give tag, length and where the value starts; raises Unreadable."""
    try:
        group, number = struct.unpack_from("<HH", data, position)
        tag = group << 16 | number
        if implicit or group == _ITEM >> 16:
            return tag, struct.unpack_from("<L", data, position + 4)[0], position + 8
        if data[position + 4 : position + 6] in _LONG_FORM:
            return tag, struct.unpack_from("<L", data, position + 8)[0], position + 12
        return tag, struct.unpack_from("<H", data, position + 6)[0], position + 8
    except struct.error:
        raise Unreadable from None


def _after(data: bytes, position: int, implicit: bool, depth: int) -> int:
    """Give where a sequence or item of undefined length ends."""
    if depth > _DEEPEST:
        raise Unreadable
    while True:
        tag, length, start = head(data, position, implicit)
        if tag in (_ITEM_END, _SEQUENCE_END):
            return start
        position = _after(data, start, implicit, depth + 1) if length == _UNDEFINED else start + length
