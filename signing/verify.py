"""Verification of a document under one enveloped signature, against roots alone: what was signed, and by whom.

For callers that know the moment of signing from elsewhere and want a plain yes or a fault. The full verdict — time stamps,
revocation, several signatures — is given by `validation`.

Not here: revocation (stated in the result), time stamps, signatures over parts of a document, the network.

Standard: XML Signature Syntax and Processing 1.1 §3.2
Requirement: S0.6, S0.10, S3.9
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cryptography import x509

from signing import certificates, verify_xml
from signing.certificates import Signer
from signing.faults import SignatureInvalid, SignatureMisplaced
from signing.verdict import DOCUMENT, Held


@dataclass(frozen=True)
class Verified:
    """A signature that holds."""

    data: bytes = field(repr=False)
    """What was signed: the canonical document without its signature."""
    signer: Signer
    chain: tuple[x509.Certificate, ...] = field(repr=False)
    """The signer's certificate up to the configured root."""
    checked_for: datetime
    """The moment at which the certificates had to be valid."""
    claimed_at: datetime | None = None
    """When the signer says to have signed; a plain XML signature does not say."""
    revocation: str = "not checked"
    warnings: tuple[str, ...] = ("revocation not checked", "no signing time in the signature")


def verify(xml: bytes, roots: Sequence[x509.Certificate], at: datetime | None = None) -> Verified:
    """Return what was signed and by whom, or raise; `at` is an aware instant, now when None.

    Raises NotSigned, SignatureInvalid (changed content or a form we do not accept), CertificateUntrusted.
    """
    moment = (at or datetime.now(UTC)).astimezone(UTC)
    found = verify_xml.read(xml)
    if len(found) != 1:
        raise SignatureMisplaced("Signature", f"{len(found)} signatures, one expected")
    held = found[0]
    if not isinstance(held, Held):
        raise held
    if [covered.part for covered in held.covers] != [DOCUMENT]:
        raise SignatureInvalid("Reference", "not to the whole document")
    chain = certificates.require_trusted(held.leaf, held.others, roots, moment)
    return Verified(held.covers[0].data, certificates.signer_of(held.leaf), chain, moment, held.claimed_at)
