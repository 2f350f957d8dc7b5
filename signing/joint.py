"""How the signatures of several people and the seal of the facility stand on one XML document.

Everybody signs the document without the signatures of the others (decision 0015), so each stays valid when the next is added;
whoever countersigns covers the values of those before, too. With signatures of people the seal is one of them, the last; alone
it is a plain XML signature, as interfaces ask. Nothing is serialised again (P6).

Everything that decides this is here; who signs and when is decided elsewhere.

Requirement: S3.6, S3.7
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from cryptography import x509

from mappings.formats.faults import SigningFault
from signing import certificates, verify_xml, xades, xmldsig
from signing.contract import KeyProvider
from signing.policy import SEAL
from signing.verdict import DOCUMENT, Held
from signing.xades_properties import Claims
from signing.xmldsig import SIGNATURE, parse_document


def prepare(
    xml: bytes,
    certificate: x509.Certificate,
    at: datetime,
    *,
    role: str,
    algorithm: str = "",
    countersigns: bool = False,
) -> xades.Prepared:
    """Hash `xml` for a person's signature; raise DocumentUnsignable, KeyUnsuitable, CertificateOutOfDate.

    The same arguments give the same `to_be_signed` after somebody else has signed, unless it countersigns.
    """
    confirms = _identifiers(xml) if countersigns else ()
    return xades.prepare(
        xml, certificate, parallel=True, claims=Claims((role,)), algorithm=algorithm, at=at, confirms=confirms
    )


def finish(prepared: xades.Prepared, signature: bytes, chain: Sequence[x509.Certificate]) -> bytes:
    """Return the document with the signature; raise KeyUnsuitable when it was not made with the key of `chain[0]`."""
    return xades.inject(prepared, signature, chain)


def seal(xml: bytes, key: KeyProvider, place: str | None = None) -> bytes:
    """Return the final bytes: `xml` with the seal of the facility."""
    if b"Signature" in xml and place is None and _identifiers(xml):
        return xades.sign(xml, key, parallel=True, claims=Claims((SEAL,)))
    return xmldsig.sign(xml, key, place)


def signers(xml: bytes, roots: Sequence[x509.Certificate], at: datetime) -> list[certificates.Signer]:
    """Name everybody who signed, in order; nobody when one signature does not hold or is not over the whole document."""
    try:
        found = verify_xml.read(xml)
        for held in found:
            if not isinstance(held, Held):
                raise held
            if held.doubts or not any(covered.part == DOCUMENT for covered in held.covers):
                return []
            certificates.require_trusted(held.leaf, held.others, roots, at)
    except SigningFault:
        return []
    return [certificates.signer_of(held.leaf) for held in found if isinstance(held, Held)]


def _identifiers(xml: bytes) -> tuple[str, ...]:
    return tuple(signature.get("Id", "") for signature in parse_document(xml).iterchildren(SIGNATURE))
