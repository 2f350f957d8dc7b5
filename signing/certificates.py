"""Certificates: roots, chains, who the signer is.

Revocation is not consulted here, and nothing is fetched from the network: a chain is built from what the signature
carries and from the configured roots alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from asn1crypto import parser
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from signing import path
from signing.algorithms import PublicKey
from signing.faults import (
    CertificateExpired,
    CertificateNotYetValid,
    CertificateOutOfDate,
    CertificateUnsuitable,
    CertificateUntrusted,
    KeyUnsuitable,
    RootsUnreadable,
)

UNREADABLE = path.UNREADABLE
issued = path.issued

_CONTEXT = 2
"""The class of tags that `[0]` is of."""
DOCUMENTS = frozenset(
    {
        ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
        ExtendedKeyUsageOID.CLIENT_AUTH,
        ExtendedKeyUsageOID.EMAIL_PROTECTION,
        ObjectIdentifier("1.3.6.1.5.5.7.3.36"),  # RFC 9336, documentSigning
        ObjectIdentifier("1.3.6.1.4.1.311.10.3.12"),  # the same, older, of Microsoft
        ObjectIdentifier("1.2.840.113583.1.1.5"),  # PDF signing of Adobe
    }
)
"""Extended key usages of people's and organisations' signing certificates; one is enough, as is none at all."""
TIME_STAMPS = frozenset({ExtendedKeyUsageOID.TIME_STAMPING})


@dataclass(frozen=True)
class Signer:
    """What a certificate says about its holder; a fact it does not state is empty."""

    name: str
    title: str
    organisation: str
    identifier: str
    """Subject serialNumber, else UID: Vietnamese CAs write a tax code (MST) or a personal number there."""
    issuer: str
    serial: str
    """Serial number of the certificate, lower-case hexadecimal."""
    not_before: datetime
    not_after: datetime
    sha256: str
    """Fingerprint of the DER certificate, lower-case hexadecimal."""


def load_roots(files: Iterable[bytes]) -> tuple[x509.Certificate, ...]:
    """Read every certificate of every PEM file; raise RootsUnreadable for a file that holds none."""
    roots: list[x509.Certificate] = []
    for number, data in enumerate(files, start=1):
        try:
            roots.extend(x509.load_pem_x509_certificates(data))
        except UNREADABLE as problem:
            raise RootsUnreadable(f"file {number}", f"{len(data)} bytes") from problem
    return tuple(roots)


def signer_of(certificate: x509.Certificate) -> Signer:
    """Tell who holds `certificate`."""
    subject, issuer = _names(certificate.subject), _names(certificate.issuer)
    return Signer(
        name=subject.get(NameOID.COMMON_NAME, ""),
        title=subject.get(NameOID.TITLE, ""),
        organisation=subject.get(NameOID.ORGANIZATION_NAME, ""),
        identifier=subject.get(NameOID.SERIAL_NUMBER, "") or subject.get(NameOID.USER_ID, ""),
        issuer=issuer.get(NameOID.COMMON_NAME, "") or issuer.get(NameOID.ORGANIZATION_NAME, ""),
        serial=f"{certificate.serial_number:x}",
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        sha256=certificate.fingerprint(hashes.SHA256()).hex(),
    )


def public_key(certificate: x509.Certificate) -> PublicKey:
    """Return the public key, or raise KeyUnsuitable.

    RSA of 2048 bits or more, or the curves P-256 and P-384; never a certificate that is sealed with SHA-1 or MD5.
    """
    try:
        key = certificate.public_key()
        sealed_with = certificate.signature_hash_algorithm
    except UNREADABLE as problem:
        raise KeyUnsuitable("certificate", "unknown algorithm") from problem
    match key:
        case rsa.RSAPublicKey():
            if key.key_size < path.MINIMUM_RSA_BITS:
                raise KeyUnsuitable("certificate", f"RSA {key.key_size} bits")
        case ec.EllipticCurvePublicKey():
            if not isinstance(key.curve, ec.SECP256R1 | ec.SECP384R1):
                raise KeyUnsuitable("certificate", f"curve {key.curve.name}")
        case _:
            raise KeyUnsuitable("certificate", "neither RSA nor ECDSA")
    if isinstance(sealed_with, path.WEAK):
        raise KeyUnsuitable("certificate", f"sealed with {sealed_with.name}")
    return key


def signing_key(certificate: x509.Certificate) -> rsa.RSAPublicKey:
    """Return the public key as `public_key` does; raise KeyUnsuitable when it is not RSA."""
    key = public_key(certificate)
    if not isinstance(key, rsa.RSAPublicKey):
        raise KeyUnsuitable("certificate", "not an RSA key")
    return key


@lru_cache(maxsize=256)
def from_der(der: bytes) -> x509.Certificate:
    """Read a certificate; raise ValueError for what is not one, or not the one DER form of it.

    One whose serial number is not positive is none either: lists of revoked certificates could mean another one.
    """
    if not _has_serial_number(der):
        raise ValueError("a certificate whose serial number is not positive")
    try:
        certificate = x509.load_der_x509_certificate(der)
    except UNREADABLE as problem:
        raise ValueError("a certificate that cannot be read") from problem
    if not der.endswith(b"\x00" + certificate.signature):  # spare bits would give one certificate two fingerprints
        raise ValueError("a certificate that is not DER")
    return certificate


def _has_serial_number(der: bytes) -> bool:
    """Tell whether the serial number is positive, before the library sees it: that one only warns, and on the terminal."""
    try:
        inside = parser.parse(parser.parse(der)[4])[4]
        first = parser.parse(inside)
        if first[0] == _CONTEXT:  # the version
            first = parser.parse(inside[len(first[3]) + len(first[4]) :])
    except ValueError:
        return True  # no certificate at all, as the library will say
    return int.from_bytes(first[4], signed=True) > 0


def is_authority(certificate: x509.Certificate) -> bool:
    """Tell whether it says of itself that it issues certificates; one that cannot be read does not."""
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, *UNREADABLE):
        return False


def require_current(certificate: x509.Certificate, at: datetime) -> None:
    """Raise CertificateOutOfDate when `at` lies outside the certificate's validity."""
    if not _current(certificate, at):
        raise CertificateOutOfDate("certificate", _validity(certificate))


def order_chain(leaf: x509.Certificate, others: Iterable[x509.Certificate]) -> tuple[x509.Certificate, ...]:
    """Return leaf, its issuer, the issuer's issuer … as far as `others` goes; what does not belong is left out."""
    pool = [other for other in others if other != leaf]
    chain = [leaf]
    while (issuer := next((other for other in pool if issued(other, chain[-1])), None)) is not None:
        chain.append(issuer)
        pool.remove(issuer)
    return tuple(chain)


def find_leaf(certificates: Sequence[x509.Certificate]) -> x509.Certificate:
    """Return the one certificate that issued none of the others: KeyInfo of other people's software is in any order."""
    leaves = find_leaves(certificates)
    if len(leaves) != 1:
        raise CertificateUntrusted("KeyInfo", f"{len(leaves)} chains in {len(certificates)} certificates")
    return leaves[0]


def find_leaves(certificates: Sequence[x509.Certificate]) -> list[x509.Certificate]:
    """Return every certificate that issued none of the others."""
    return [
        candidate
        for candidate in certificates
        if not any(issued(candidate, other) for other in certificates if other != candidate)
    ]


def require_trusted(
    leaf: x509.Certificate,
    others: Sequence[x509.Certificate],
    roots: Sequence[x509.Certificate],
    at: datetime,
    purposes: frozenset[ObjectIdentifier] = DOCUMENTS,
) -> tuple[x509.Certificate, ...]:
    """Return the chain from `leaf` to one of `roots`, all valid at `at`; raise CertificateUntrusted.

    Issuers must be certificate authorities (basicConstraints, keyCertSign), the leaf must not be one, may sign data, and has,
    when it limits what it is for, one of `purposes` among it.
    Standard: RFC 5280 §6.1
    """
    if at < leaf.not_valid_before_utc or at > leaf.not_valid_after_utc:
        outside = CertificateNotYetValid if at < leaf.not_valid_before_utc else CertificateExpired
        raise outside("signer certificate", f"{_validity(leaf)}, asked about {at.astimezone(UTC):%Y-%m-%d}")
    _require_purpose(leaf, purposes)
    if not roots:
        raise CertificateUntrusted("roots", "none configured")
    return path.find(leaf, others, roots, at)


def may_seal_lists(certificate: x509.Certificate) -> bool:
    """Tell whether it says of itself that its key seals CRLs."""
    try:
        return certificate.extensions.get_extension_for_class(x509.KeyUsage).value.crl_sign
    except (x509.ExtensionNotFound, *UNREADABLE):
        return False


def _require_purpose(leaf: x509.Certificate, purposes: frozenset[ObjectIdentifier]) -> None:
    try:
        extensions = {type(one.value): one.value for one in leaf.extensions}
    except UNREADABLE as problem:
        raise CertificateUnsuitable("signer certificate", "its extensions cannot be read") from problem
    constraints, usage = extensions.get(x509.BasicConstraints), extensions.get(x509.KeyUsage)
    if isinstance(constraints, x509.BasicConstraints) and constraints.ca:
        raise CertificateUnsuitable("signer certificate", "belongs to a certificate authority")
    if isinstance(usage, x509.KeyUsage) and not (usage.digital_signature or usage.content_commitment):
        raise CertificateUnsuitable("signer certificate", "its key is not for signatures")
    extended = extensions.get(x509.ExtendedKeyUsage)
    if isinstance(extended, x509.ExtendedKeyUsage) and not purposes & set(extended):
        raise CertificateUnsuitable("signer certificate", "its extended key usage is something else")


def _names(name: x509.Name) -> dict[x509.ObjectIdentifier, str]:
    return {attribute.oid: str(attribute.value) for attribute in name}


def _current(certificate: x509.Certificate, at: datetime) -> bool:
    return certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc


def _validity(certificate: x509.Certificate) -> str:
    return f"valid {certificate.not_valid_before_utc:%Y-%m-%d} to {certificate.not_valid_after_utc:%Y-%m-%d}"
