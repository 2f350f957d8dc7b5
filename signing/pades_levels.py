"""PAdES above level B-B: time stamps, validation material and document time stamps put into a PDF that is signed.

Each step but the first appends a revision and leaves every byte that was there alone.

    level   with_timestamp                 B-T    in the signature itself, while nothing stands behind it
            with_values                    B-LT   document security store (DSS), for all signatures at once
            prepare_archive_timestamp,
            with_archive_timestamp         B-LTA  document time stamp; again, after `with_values` with fresh material,
                                                  before the last TSA's certificate ends

A document time stamp on a B-B signature gives B-T as well. Not here: getting tokens (`signing/timestamp.py`) and validation
material, or judging them.

Standard: ETSI EN 319 142-1 V1.1.1 §5.4 (DSS), §5.5 (document time stamp), §6.3
Requirement: S0.5, S0.10
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.decode_limits import DecodePurpose
from pyhanko.pdf_utils.generic import pdf_name
from pyhanko.sign.signers.constants import ESIC_EXTENSION_1
from pyhanko.sign.signers.pdf_byterange import DocumentTimestamp

from signing import cms, pades, pades_field, pdf_signature, timestamp_token
from signing.evidence import Evidence
from signing.faults import DocumentUnsignable
from signing.pdf_file import get
from signing.pdf_signature import Found
from signing.timestamp_token import Token

_MATERIAL = {"/Certs": DecodePurpose.CERTIFICATE, "/OCSPs": DecodePurpose.OCSP_RESPONSE, "/CRLs": DecodePurpose.CRL}


@dataclass(frozen=True)
class PreparedStamp:
    """A document time stamp waiting for its token."""

    octets: bytes = field(repr=False)
    """What is stamped: the new revision without the place for the token."""
    document: bytes = field(repr=False)
    start: int
    end: int


def timestamp_data(pdf: bytes, field: str = "") -> bytes:
    """Return what a signature time stamp stamps: the value of the signature in `field`, or of the only one.

    Raises DocumentUnsignable.
    """
    return cms.signature_value(_signature(pdf, field).contents)


def with_timestamp(pdf: bytes, token: Token, field: str = "") -> bytes:
    """Return `pdf` with `token` (over `timestamp_data`) in its signature: level B-T.

    Raises TimestampInvalid when the token stamps something else, RoomTooSmall, DocumentUnsignable, also when a further revision
    covers the signature already.
    """
    found = _signature(pdf, field)
    timestamp_token.require_imprint(token, cms.signature_value(found.contents))
    if found.stop != len(pdf):
        raise DocumentUnsignable("field", "signed again since")
    return pades.filled(pdf, found.start, found.end, cms.with_token(found.contents, token.der))


def with_values(pdf: bytes, evidence: Evidence) -> bytes:
    """Return `pdf` with the validation material that it does not hold yet: level B-LT.

    Time stamps of `evidence` are not put in. The same bytes come back when nothing is new. Raises DocumentUnsignable.
    """
    writer = pades.writer_for(pdf)
    output = io.BytesIO()

    def add() -> bool:
        _require_signed(writer)
        store = get(writer.root, "/DSS")
        if store is None:
            store = generic.DictionaryObject({pdf_name("/Type"): pdf_name("/DSS")})
            writer.root[pdf_name("/DSS")] = writer.add_object(store)
            writer.update_root()
        lists = (evidence.certificates, evidence.ocsp_responses, evidence.crls)
        new = [_added(writer, store, key, items) for key, items in zip(_MATERIAL, lists, strict=True)]
        if not any(new):
            return False
        writer.update_container(store)
        writer.register_extension(ESIC_EXTENSION_1)
        writer.write(output)
        return True

    return output.getvalue() if pades.careful(add) else pdf


def prepare_archive_timestamp(pdf: bytes) -> PreparedStamp:
    """Write the revision that a document time stamp will cover. Raises DocumentUnsignable, also when nobody has signed."""
    writer = pades.writer_for(pdf)

    def write() -> tuple[bytes, Any]:
        _require_signed(writer)
        name = pades_field.free_name(writer)
        pades_field.require(writer, name, visible=False, label="Dấu thời gian của tài liệu")
        writer.register_extension(ESIC_EXTENSION_1)
        return pades.written(writer, name, DocumentTimestamp(bytes_reserved=2 * pades.ROOM), "sha256")

    document, place = pades.careful(write)
    start, end = place.reserved_region_start, place.reserved_region_end
    return PreparedStamp(document[:start] + document[end:], document, start, end)


def with_archive_timestamp(prepared: PreparedStamp, token: Token) -> bytes:
    """Return the document with `token` (over `prepared.octets`): level B-LTA when the material was put in before.

    Raises TimestampInvalid when the token stamps something else, RoomTooSmall.
    """
    timestamp_token.require_imprint(token, prepared.octets)
    return pades.filled(prepared.document, prepared.start, prepared.end, token.der)


def document_timestamps(pdf: bytes) -> tuple[bytes, ...]:
    """Return the tokens of the document time stamps, the earliest first; nothing is checked but their places."""
    return tuple(cms.without_padding(one.contents) for one in pdf_signature.find(pdf) if one.is_stamp)


def _signature(pdf: bytes, name: str) -> Found:
    """Find the signature in the field `name`, or the only one."""
    found = [one for one in pdf_signature.find(pdf) if not one.is_stamp and name in ("", one.name)]
    if len(found) != 1:
        raise DocumentUnsignable("field", f"{len(found)} signatures where one is meant")
    return found[0]


def _require_signed(writer: Any) -> None:
    if not pades_field.is_signed(writer):
        raise DocumentUnsignable("Signature", "not signed")


def _added(writer: Any, store: Any, key: str, items: Sequence[bytes]) -> bool:
    """Add to one list of the store what it does not hold."""
    held = get(store, key, generic.ArrayObject())
    known = {hashlib.sha256(one.get_object().read_data(_MATERIAL[key])).digest() for one in held}
    new = [one for one in items if hashlib.sha256(one).digest() not in known]
    if new:
        streams = [writer.add_object(generic.StreamObject(stream_data=one)) for one in new]
        store[pdf_name(key)] = generic.ArrayObject([*held, *streams])
    return bool(new)
