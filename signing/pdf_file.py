"""Open a PDF that a stranger may have made: only when it can be read in one way, without a password, and stands still.

Not here: what is signed in it (`verify_pdf`), writing (`pades`).

Standard: ISO 32000-1 §7.5, §7.6, §12.6
"""

from __future__ import annotations

import io
import logging
import struct
import zlib
from collections.abc import Iterator
from typing import Any

from pyhanko.pdf_utils import generic, misc
from pyhanko.pdf_utils.decode_limits import DecodeLimits, DecodePurpose
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.pdf_utils.xref import ObjStreamRef

from signing.faults import PdfActive, PdfBroken, PdfEncrypted, PdfTooLarge

MAXIMUM = 64 * 1024**2
"""Bytes of a file."""
MAXIMUM_OBJECTS = 100_000
MAXIMUM_REVISIONS = 200
UNREADABLE = (
    misc.PdfError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    NotImplementedError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)
"""What the library raises for bytes that a stranger made up, at opening or at the first look at an object."""

_SPACE = b"\0\t\n\f\r "
_SCRIPTS = frozenset({"/JS", "/XFA", "/AA", "/RichMediaContent", "/RichMediaSettings", "/OPI"})
_ACTIONS = frozenset(
    {
        "/JavaScript",
        "/Launch",
        "/SubmitForm",
        "/ImportData",
        "/ResetForm",
        "/Hide",
        "/SetOCGState",
        "/Rendition",
        "/RichMediaExecute",
    }
)


def opened(pdf: bytes) -> Any:
    """Return the library's reader. Raises PdfBroken, PdfEncrypted, PdfTooLarge."""
    logging.getLogger("pyhanko").setLevel(logging.CRITICAL + 1)  # what it logs may quote the document
    if len(pdf) > MAXIMUM:
        raise PdfTooLarge("file", f"{len(pdf)} bytes, at most {MAXIMUM}")
    if not pdf.startswith(b"%PDF-"):
        raise PdfBroken("file", "does not begin as a PDF")
    if not pdf.rstrip(_SPACE).endswith(b"%%EOF"):
        raise PdfBroken("file", "does not end as a PDF")
    try:
        reader = PdfFileReader(io.BytesIO(pdf), strict=True, decode_limits=DecodeLimits.for_untrusted_input())
        encrypted, revisions = reader.encrypted, reader.xrefs.total_revisions
        if not encrypted and reader.xrefs.hybrid_xrefs_present:
            raise PdfBroken("xref", "two tables for two kinds of readers")
        if not encrypted and not isinstance(reader.root, generic.DictionaryObject):
            raise PdfBroken("Root", "missing")
        if encrypted:
            raise PdfEncrypted("file")
        if revisions > MAXIMUM_REVISIONS:
            raise PdfTooLarge("file", f"{revisions} revisions, at most {MAXIMUM_REVISIONS}")
        _unpack(reader)
    except UNREADABLE as problem:
        raise PdfBroken("file", "cannot be read") from problem
    return reader


def get(entry: Any, key: str, default: Any = None) -> Any:
    """Return what stands under `key` of a dictionary, followed when it stands elsewhere; the library's `get` does not."""
    try:
        return entry[key]
    except KeyError:
        return default


def require_still(reader: Any) -> bool:
    """Raise PdfActive when what the file shows can change by itself; tell whether it has layers that may be hidden."""
    try:
        for entry in _dictionaries(reader):
            found = _SCRIPTS & entry.keys()
            if found or ("/S" in entry and get(entry, "/S") in _ACTIONS):
                raise PdfActive("file", min(found, default="/S").removeprefix("/"))
            if isinstance(entry, generic.StreamObject) and ("/F" in entry or "/Ref" in entry):
                raise PdfActive("file", "content that stands elsewhere")
        return "/OCProperties" in reader.root
    except UNREADABLE as problem:
        raise PdfBroken("file", "cannot be read") from problem


def _dictionaries(reader: Any) -> Iterator[Any]:
    """Give every dictionary of the file as it is now, each once."""
    for ref in _references(reader):
        waiting = [] if reader.xrefs[ref] is None else [reader.get_object(ref)]
        while waiting:
            one = waiting.pop()
            if isinstance(one, generic.DictionaryObject):
                yield one
                waiting.extend(one.values())
            elif isinstance(one, generic.ArrayObject):
                waiting.extend(one)


def _references(reader: Any) -> set[Any]:
    xrefs = reader.xrefs
    every = {ref for number in range(xrefs.total_revisions) for ref in xrefs.explicit_refs_in_revision(number)}
    if len(every) > MAXIMUM_OBJECTS:
        raise PdfTooLarge("file", f"{len(every)} objects, at most {MAXIMUM_OBJECTS}")
    return every


def _unpack(reader: Any) -> None:
    """Read the objects that stand in streams, each stream once: the library reads it again for every object."""
    streams: dict[int, list[tuple[Any, int]]] = {}
    for ref in _references(reader):
        marker = reader.xrefs[ref]
        if isinstance(marker, ObjStreamRef):
            streams.setdefault(marker.obj_stream_id, []).append((ref, marker.ix_in_stream))
    for number, wanted in streams.items():
        stream: Any = generic.Reference(number, 0, reader).get_object()
        data, first = stream.read_data(DecodePurpose.OBJECT_STREAM), int(stream["/First"])
        index = [int(one) for one in data[:first].split()]
        names, places = index[0::2], index[1::2]
        if stream["/Type"] != "/ObjStm" or len(names) != stream["/N"] or len(set(names)) != len(names):
            raise PdfBroken("file", "an object stream with a wrong index")
        buffer = io.BytesIO(data)
        for ref, at in wanted:
            if names[at] != ref.idnum or at < 0:
                raise PdfBroken("file", "an object in a wrong place")
            buffer.seek(first + places[at])
            found = generic.read_object(buffer, generic.Reference(ref.idnum, 0, reader))
            if isinstance(found, generic.StreamObject | generic.IndirectObject):
                raise PdfBroken("file", "an object in a wrong place")
            reader.cache_indirect_object(0, ref.idnum, found)
