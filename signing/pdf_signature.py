"""Find the signatures of a PDF, and which bytes each is over: a whole revision without the signature's own place, or a fault.

What a signature is over is said by its ByteRange, written by whoever made the file. It is believed only when the one gap in it
is the hexadecimal string of this signature's Contents and nothing else, and its end is the end of a revision that is a PDF of
its own. Not here: the CMS (`cms`), what was added later (`verify_pdf`).

Standard: ISO 32000-1 §12.7.4.5, §12.8.1; ETSI EN 319 142-1 V1.1.1 §5.3
Requirement: S0.6, S0.10
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.generic import parse_pdf_date

from signing import pdf_file
from signing.faults import AlgorithmRefused, ByteRangeRefused, ContentsRefused, PdfBroken, SignatureMisplaced
from signing.pdf_file import get

_HEX = re.compile(rb"(?:[0-9A-Fa-f]{2})+")
_END = re.compile(rb"startxref\s+(\d+)\s+%%EOF\s*$")
_TAIL = 1024
_DEPTH = 50
_FORMS: dict[str, Literal["PAdES", "PKCS7", "stamp"]] = {
    "/ETSI.CAdES.detached": "PAdES",
    "/adbe.pkcs7.detached": "PKCS7",
    "/ETSI.RFC3161": "stamp",
}


@dataclass(frozen=True)
class Entry:
    """A signature field as it stands in the form."""

    name: str
    holder: Any = field(repr=False)
    """The field's dictionary."""
    reference: Any = field(repr=False)
    value: Any = field(repr=False)
    """What /V refers to, None without /V."""
    value_reference: Any = field(repr=False)


@dataclass(frozen=True)
class Found:
    """A signature whose place is sound; nothing is said about the signature itself."""

    name: str
    """Of its field."""
    entry: Entry = field(repr=False)
    form: Literal["PAdES", "PKCS7", "stamp"]
    contents: bytes = field(repr=False)
    """With the zeros behind the CMS."""
    start: int
    """Where the gap of the ByteRange begins and ends."""
    end: int
    stop: int
    """How much of the file it is over, gap included."""
    revision: int
    """From 0."""
    claimed_at: datetime | None

    @property
    def is_stamp(self) -> bool:
        """Tell whether it is a document time stamp."""
        return self.form == "stamp"

    def octets(self, pdf: bytes) -> bytes:
        """Return what is signed."""
        return pdf[: self.start] + pdf[self.end : self.stop]


def entries(handler: Any) -> list[Entry]:
    """Return every signature field of a file or of one revision of it. Raises PdfBroken."""
    form = get(handler.root, "/AcroForm")
    if form is None:
        return []
    if not isinstance(form, generic.DictionaryObject):
        raise PdfBroken("AcroForm", "no dictionary")
    found = list(_entries(get(form, "/Fields", generic.ArrayObject()), "", None, 0))
    if len({one.name for one in found}) != len(found):
        raise SignatureMisplaced("AcroForm", "two signature fields of one name")
    return found


def find(pdf: bytes) -> list[Found]:
    """Return the signatures of a file, earliest first; raise what `locate` raises for the first that is not sound."""
    reader = pdf_file.opened(pdf)
    try:
        found = [locate(pdf, reader, entry) for entry in entries(reader) if entry.value_reference is not None]
    except pdf_file.UNREADABLE as problem:
        raise PdfBroken("file", "cannot be read") from problem
    return sorted(found, key=lambda one: one.stop)


def locate(pdf: bytes, reader: Any, entry: Entry) -> Found:
    """Return what the signature in a field is over. Raises ByteRangeRefused, ContentsRefused, AlgorithmRefused."""
    value = entry.value
    if not isinstance(entry.value_reference, generic.IndirectObject) or not isinstance(value, generic.DictionaryObject):
        raise ContentsRefused(entry.name, "no signature dictionary")
    held = value.raw_get("/Contents") if "/Contents" in value else None
    contents = getattr(held, "original_bytes", b"")
    if not contents.strip(b"\0"):
        raise ContentsRefused(entry.name, "empty")
    start, end, stop = _range(entry.name, value, len(pdf))
    gap = pdf[start + 1 : end - 1]
    if pdf[start : start + 1] + pdf[end - 1 : end] != b"<>" or not _HEX.fullmatch(gap):
        raise ByteRangeRefused(entry.name, "leaves out more than the signature")
    if not pdf[:start].rstrip().endswith(b"/Contents"):
        raise ByteRangeRefused(entry.name, "leaves out something else than the signature")
    if contents != bytes.fromhex(gap.decode()):
        raise ByteRangeRefused(entry.name, "leaves out another signature")
    form = _FORMS.get(str(get(value, "/SubFilter")))
    kind = str(get(value, "/Type", "/Sig"))
    if form is None or kind != ("/DocTimeStamp" if form == "stamp" else "/Sig"):
        raise AlgorithmRefused(entry.name, f"a signature of the form {str(get(value, '/SubFilter'))[:40]}")
    revision = reader.xrefs.get_last_change(entry.value_reference.reference)
    _require_revision(pdf, reader, entry.name, revision, stop)
    return Found(entry.name, entry, form, contents, start, end, stop, revision, _claimed(value))


def _entries(fields: Any, above: str, inherited: Any, depth: int) -> Iterator[Entry]:
    if not isinstance(fields, generic.ArrayObject) or depth > _DEPTH:
        raise PdfBroken("AcroForm", "fields that are no list, or too deep")
    for number in range(len(fields)):
        reference, entry = fields.raw_get(number), fields[number]
        if not isinstance(entry, generic.DictionaryObject):
            raise PdfBroken("AcroForm", "a field that is no dictionary")
        kind = get(entry, "/FT", inherited)
        name = ".".join(part for part in (above, str(get(entry, "/T", ""))) if part)
        held = entry.raw_get("/V") if "/V" in entry else None
        if kind == "/Sig" and ("/T" in entry or held is not None):
            yield Entry(name, entry, reference, get(entry, "/V"), held)
        if "/Kids" in entry:
            yield from _entries(entry["/Kids"], name, kind, depth + 1)


def _range(name: str, value: Any, size: int) -> tuple[int, int, int]:
    numbers = value.raw_get("/ByteRange") if "/ByteRange" in value else None
    if (
        not isinstance(numbers, generic.ArrayObject)
        or len(numbers) != 4
        or any(not isinstance(numbers.raw_get(at), generic.NumberObject) for at in range(4))
    ):
        raise ByteRangeRefused(name, "not four numbers")
    first, length, second, rest = (int(numbers[at]) for at in range(4))
    if first != 0 or length <= 0 or second < length + 4 or rest <= 0 or second + rest > size:
        raise ByteRangeRefused(name, "not the beginning and the end of a revision")
    return length, second, second + rest


def _require_revision(pdf: bytes, reader: Any, name: str, revision: int, stop: int) -> None:
    """Raise ByteRangeRefused unless `stop` is where the revision ends in which the signature was made."""
    end = _END.search(pdf[max(0, stop - _TAIL) : stop])
    xrefs = reader.xrefs
    if end is None or int(end[1]) != xrefs.get_startxref_for_revision(revision):
        raise ByteRangeRefused(name, "does not end where a revision ends")
    for number in range(xrefs.total_revisions):
        table = xrefs.get_xref_container_info(number)
        if (table.end_location > stop) if number <= revision else (table.start_location < stop):
            raise ByteRangeRefused(name, "does not end where a revision ends")


def _claimed(value: Any) -> datetime | None:
    """Return what the signature dictionary says about the time; it is among the bytes that are signed."""
    if "/M" not in value:
        return None
    try:
        moment = parse_pdf_date(str(value["/M"]), strict=False)
    except pdf_file.UNREADABLE:
        return None
    return moment.astimezone(UTC) if isinstance(moment, datetime) and moment.tzinfo else None
