"""How the signatures of several people and the seal of the facility stand on one XML document.

Every person signs the document as it was composed, without the signatures of others: that is a whole signed document of its
own, kept beside. The seal is made last, over the same bytes, and stands in what is sent. Nothing is serialised again (P6).

Everything that decides this is here; who signs and when is decided elsewhere.

Requirement: S3.6, S3.7
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509

from mappings.formats.faults import SigningFault
from signing import certificates, xmldsig
from signing.contract import KeyProvider
from signing.verify import verify


@dataclass(frozen=True)
class Prepared:
    """A document waiting for the signature of one person."""

    digest: bytes
    algorithm: str
    """By the names of `signing/algorithms.py`."""
    inner: xmldsig.Prepared = field(repr=False)


@dataclass(frozen=True)
class Signed:
    """What one more signature makes of a document."""

    body: bytes = field(repr=False)
    """To be signed by those who follow."""
    whole: bytes = field(repr=False)
    """May be sent as it is."""
    beside: bytes | None = field(repr=False)
    """What has to be kept because `body` does not hold the signature."""


def prepare(
    xml: bytes, certificate: x509.Certificate, at: datetime, *, role: str, countersigns: bool = False
) -> Prepared:
    """Hash `xml` for a person's signature; raise DocumentUnsignable, KeyUnsuitable, CertificateOutOfDate."""
    certificates.require_current(certificate, at)
    certificates.signing_key(certificate)
    prepared = xmldsig.prepare(xml)
    return Prepared(hashlib.sha256(prepared.to_be_signed).digest(), "RS256", prepared)


def finish(xml: bytes, prepared: Prepared, signature: bytes, chain: Sequence[x509.Certificate]) -> Signed:
    """Put a signature in its place; raise KeyUnsuitable when it was not made with the key of `chain[0]`."""
    whole = xmldsig.inject(prepared.inner, signature, chain)
    return Signed(xml, whole, whole)


def seal(xml: bytes, key: KeyProvider, place: str | None = None) -> bytes:
    """Return the final bytes: `xml` with the seal of the facility."""
    return xmldsig.sign(xml, key, place)


def signers(files: Sequence[bytes], roots: Sequence[x509.Certificate], at: datetime) -> list[certificates.Signer]:
    """Name the signers of a document and of what is kept beside it, in order; what does not verify is left out."""
    found = []
    for one in files:
        try:
            found.append(verify(one, roots, at).signer)
        except SigningFault:
            continue
    return found
