"""PAdES signatures, level B-B, made in two phases: prepare, then inject the signature value that a key made elsewhere.

Every signature is an incremental update: each byte that was there stays (promise P6), so signatures of others stay good.
Preparing writes the revision with an empty place for the signature; the bytes to be signed are the CMS signed attributes, which
hold the hash of the rest. The same in one step is `sign`.

Not here: the levels above B-B (`pades_levels`), verification, passwords, certifying signatures (DocMDP), reasons and places.

Standard: ETSI EN 319 142-1 V1.1.1 §5.3, §6.3; ISO 32000-1 §12.8
Requirement: S0.5, S0.10, S3.6, S3.9
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign.fields import MDPPerm, SigSeedSubFilter
from pyhanko.sign.signers.cms_embedder import PdfCMSEmbedder, SigIOSetup, SigObjSetup
from pyhanko.sign.signers.constants import ESIC_EXTENSION_1
from pyhanko.sign.signers.pdf_byterange import SignatureObject
from pyhanko.sign.validation.pdf_embedded import read_certification_data

from signing import certificates, cms, pades_block, pades_field, pdf_file
from signing.algorithms import ALGORITHMS, algorithm_for
from signing.contract import KeyProvider
from signing.faults import DocumentUnsignable, KeyUnsuitable, RoomTooSmall

ROOM = 16 * 1024
"""Bytes kept for the CMS: signature, a chain of three certificates, one time stamp with its own chain."""


@dataclass(frozen=True)
class Prepared:
    """A signature waiting for its value; plain data, so that it may wait in a store or travel to who signs."""

    to_be_signed: bytes
    """The CMS signed attributes in DER."""
    algorithm: str
    """How to sign it, by the names of `signing/algorithms.py`."""
    name: str
    """Of the signature field."""
    certificate_sha256: str
    """Fingerprint of the certificate that the signature names; only its key fits."""
    document: bytes = field(repr=False)
    """The whole new revision, its place for the signature empty."""
    start: int = field(repr=False)
    """Where the place begins and ends, its brackets included."""
    end: int = field(repr=False)

    @property
    def digest(self) -> bytes:
        """Hash of `to_be_signed`, for devices and services that sign hashes."""
        return hashlib.new(ALGORITHMS[self.algorithm].hash.name, self.to_be_signed).digest()


def with_fields(pdf: bytes, names: Sequence[str]) -> bytes:
    """Return `pdf` with empty signature fields of these names, each at its slot, in one revision.

    Worth doing before the first signature of several on a tagged PDF: only then can all be tagged for screen readers. Raises
    FieldUnfit, DocumentUnsignable and what `prepare` raises for the file.
    """
    writer = writer_for(pdf)
    if pades_field.is_signed(writer):
        raise DocumentUnsignable("Signature", "signed already")
    output = io.BytesIO()

    def add() -> None:
        for name in names:
            pades_field.require(writer, name, visible=True, label=f"Chữ ký số {name}")
        writer.write(output)

    careful(add)
    return output.getvalue()


def prepare(
    pdf: bytes,
    certificate: x509.Certificate,
    *,
    field: str = "",
    algorithm: str = "",
    at: datetime | None = None,
    said: Sequence[str] | None = None,
) -> Prepared:
    """Write the revision that the holder of `certificate` is to sign, and hash it.

    `field` is the name of an empty signature field, or of one to be made (`pades_field` says where); empty: the next free name.
    `algorithm` empty is the usual one of the key. `at` is the claimed signing time, now when None. `said` are the lines of the
    visible block: the signer's name, title, moment and certificate when None; none at all for a signature that is not seen.
    Raises DocumentUnsignable, PdfBroken, PdfEncrypted, PdfActive, PdfTooLarge, FieldUnfit, FontMissing, KeyUnsuitable,
    CertificateOutOfDate.
    """
    moment = at or datetime.now(UTC)
    chosen = algorithm_for(certificates.public_key(certificate), algorithm)
    certificates.require_current(certificate, moment)
    writer = writer_for(pdf)
    lines = pades_block.lines(certificate, moment) if said is None else tuple(said)
    name = field or careful(lambda: pades_field.free_name(writer))
    signer = certificates.signer_of(certificate)

    def write() -> tuple[bytes, Any]:
        target = pades_field.require(writer, name, visible=bool(lines), label=f"Chữ ký số của {signer.name}")
        width, height = pades_field.size(target.get_object())
        if lines and width and height:
            pades_field.show(writer, target.get_object(), pades_block.draw(writer, lines, width, height))
        placeholder = SignatureObject(moment, SigSeedSubFilter.PADES, name=signer.name, bytes_reserved=2 * ROOM)
        writer.register_extension(ESIC_EXTENSION_1)
        return written(writer, name, placeholder, chosen.hash.name)

    document, place = careful(write)
    return Prepared(
        to_be_signed=cms.attributes(place.document_digest, certificate, chosen),
        algorithm=chosen.name,
        name=name,
        certificate_sha256=certificate.fingerprint(hashes.SHA256()).hex(),
        document=document,
        start=place.reserved_region_start,
        end=place.reserved_region_end,
    )


def inject(prepared: Prepared, signature: bytes, chain: Sequence[x509.Certificate]) -> bytes:
    """Return the final bytes: what was prepared with its signature value and `chain`, the signer's certificate first.

    An ECDSA signature is r and s, one after the other. Raises KeyUnsuitable when `chain[0]` is not the certificate that the
    signature was prepared for, or `signature` was not made with its key; RoomTooSmall.
    """
    if not chain or chain[0].fingerprint(hashes.SHA256()).hex() != prepared.certificate_sha256:
        raise KeyUnsuitable("chain", "not the certificate that was prepared for")
    algorithm = ALGORITHMS[prepared.algorithm]
    if not algorithm.holds(certificates.public_key(chain[0]), signature, prepared.to_be_signed):
        raise KeyUnsuitable("chain", "signature and certificate do not belong together")
    contents = cms.assemble(prepared.to_be_signed, signature, algorithm, chain)
    return filled(prepared.document, prepared.start, prepared.end, contents)


def sign(
    pdf: bytes,
    key: KeyProvider,
    *,
    field: str = "",
    algorithm: str = "",
    at: datetime | None = None,
    said: Sequence[str] | None = None,
) -> bytes:
    """Return `pdf` with a signature by `key` in a further revision; every byte that was there stays as it was.

    Arguments and faults as for `prepare`, but for `algorithm`: empty is the key's own first; and what `key.sign` raises.
    """
    prepared = prepare(pdf, key.chain[0], field=field, algorithm=algorithm or key.algorithms[0], at=at, said=said)
    return inject(prepared, key.sign(prepared.to_be_signed, prepared.algorithm), key.chain)


# ---- for `pades_levels` too ----


def written(writer: Any, name: str, placeholder: Any, hash_name: str) -> tuple[bytes, Any]:
    """Write the revision with `placeholder` as the value of the field; return it and where the place is."""
    steps = PdfCMSEmbedder().write_cms(name, writer, existing_fields_only=True)
    next(steps)
    steps.send(SigObjSetup(placeholder))
    place, output = steps.send(SigIOSetup(hash_name))
    return output.getvalue(), place


def filled(document: bytes, start: int, end: int, contents: bytes) -> bytes:
    """Return the document with `contents` in its place. Raises RoomTooSmall."""
    room = end - start - 2
    digits = contents.hex().encode()
    if len(digits) > room:
        raise RoomTooSmall("Contents", f"{len(contents)} bytes in {room // 2}")
    return b"".join((document[: start + 1], digits.ljust(room, b"0"), document[end - 1 :]))


def writer_for(pdf: bytes) -> Any:
    """Open a PDF for one more revision. Raises what `prepare` says about the file."""
    reader = pdf_file.opened(pdf)
    pdf_file.require_still(reader)

    def open_writer() -> Any:
        certified = read_certification_data(reader)
        if certified is not None and certified.permission is MDPPerm.NO_CHANGES:
            raise DocumentUnsignable("DocMDP", "its author permits no change")
        return IncrementalPdfFileWriter.from_reader(reader)

    return careful(open_writer)


def careful(step: Callable[[], Any]) -> Any:
    try:
        return step()
    except pdf_file.UNREADABLE as problem:
        raise DocumentUnsignable("PDF", "its structure cannot be added to") from problem
