"""Judge a time stamp token: is it of these bytes, and did a trusted authority make it?

Strict on purpose: one signer, named by its certificate's hash; SHA-256 or better; the authority's certificate is for time
stamps and nothing else, and was valid when the stamp was made.

Not here: fetching tokens, revocation of the authority (`validation`).

Standard: RFC 3161 §2.4.2; RFC 5652 §5.4; RFC 5816; ETSI EN 319 422
Requirement: S0.5, S0.10
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from asn1crypto import cms, tsp
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from signing import certificates
from signing.certificates import UNREADABLE
from signing.faults import CertificateUntrusted, KeyUnsuitable, TimeStampInvalid, TimeStampUntrusted

_HASHES: dict[str, hashes.HashAlgorithm] = {
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}
_BROKEN = (ValueError, TypeError, KeyError, OverflowError)
"""What the ASN.1 library raises for what a stranger made up."""
_MAXIMUM_TOKEN = 1024 * 1024
_MAXIMUM_CERTIFICATES = 10


@dataclass(frozen=True)
class Stamp:
    """A time stamp that holds."""

    at: datetime
    chain: tuple[x509.Certificate, ...] = field(repr=False)
    """The authority's certificate up to a configured root."""
    policy: str
    serial: int
    token: bytes = field(repr=False)


def check(
    token: bytes, octets: bytes, roots: Sequence[x509.Certificate], others: Sequence[x509.Certificate] = ()
) -> Stamp:
    """Return what `token` says about `octets`.

    `others` are certificates that may be needed for the chain. Raises TimeStampInvalid (of something else, broken, weak) and
    TimeStampUntrusted (no chain to one of `roots` at the moment of the stamp).
    """
    try:
        return _check(token, octets, roots, others)
    except _BROKEN as problem:
        raise TimeStampInvalid("time stamp", "not a time stamp token") from problem


def _check(token: bytes, octets: bytes, roots: Sequence[x509.Certificate], others: Sequence[x509.Certificate]) -> Stamp:
    if len(token) > _MAXIMUM_TOKEN:
        raise TimeStampInvalid("time stamp", "too large")
    content = cms.ContentInfo.load(token, strict=True)
    if content["content_type"].native != "signed_data":
        raise TimeStampInvalid("time stamp", "not signed data")
    signed = content["content"]
    encapsulated = signed["encap_content_info"]
    if encapsulated["content_type"].native != "tst_info" or len(signed["signer_infos"]) != 1:
        raise TimeStampInvalid("time stamp", "not a time stamp of one signer")
    info_der = encapsulated["content"].contents
    info = tsp.TSTInfo.load(info_der, strict=True)
    at = info["gen_time"].native.astimezone(UTC)
    _require_imprint(info["message_imprint"], octets)
    signer = signed["signer_infos"][0]
    held = list(_certificates(signed))
    leaf = _signer_certificate(signer["sid"], [*held, *others])
    _require_attributes(signer, info_der, leaf)
    _require_seal(signer, leaf)
    return Stamp(
        at, _trusted(leaf, [*held, *others], roots, at), info["policy"].native, info["serial_number"].native, token
    )


def _require_imprint(imprint: Any, octets: bytes) -> None:
    name = imprint["hash_algorithm"]["algorithm"].native
    if name not in _HASHES:
        raise TimeStampInvalid("time stamp", "a weak or unknown hash")
    if not hmac.compare_digest(hashlib.new(name, octets).digest(), imprint["hashed_message"].native):
        raise TimeStampInvalid("time stamp", "of something else")


def _certificates(signed: Any) -> Iterable[x509.Certificate]:
    found = list(signed["certificates"] or ())
    if len(found) > _MAXIMUM_CERTIFICATES:
        raise TimeStampInvalid("time stamp", f"more than {_MAXIMUM_CERTIFICATES} certificates")
    for one in found:
        if one.name == "certificate":
            yield certificates.from_der(one.chosen.dump())


def _signer_certificate(sid: Any, held: Sequence[x509.Certificate]) -> x509.Certificate:
    for one in held:
        if sid.name == "issuer_and_serial_number":
            named = sid.chosen["issuer"].dump() == one.issuer.public_bytes()
            if named and sid.chosen["serial_number"].native == one.serial_number:
                return one
        elif sid.chosen.native == x509.SubjectKeyIdentifier.from_public_key(one.public_key()).digest:
            return one
    raise TimeStampInvalid("time stamp", "without its authority's certificate")


def _require_attributes(signer: Any, info: bytes, leaf: x509.Certificate) -> None:
    """Raise unless the signed attributes are of this content and name this certificate; each stands once."""
    attributes: dict[str, Any] = {}
    for one in signer["signed_attrs"]:
        name = one["type"].native
        if name in attributes or len(one["values"]) != 1:
            raise TimeStampInvalid("time stamp", "an attribute that stands twice")
        attributes[name] = one["values"][0]
    digest = signer["digest_algorithm"]["algorithm"].native
    if digest not in _HASHES:
        raise TimeStampInvalid("time stamp", "a weak or unknown hash")
    content_type, message = attributes.get("content_type"), attributes.get("message_digest")
    if content_type is None or content_type.native != "tst_info" or message is None:
        raise TimeStampInvalid("time stamp", "without the attributes that it needs")
    if not hmac.compare_digest(hashlib.new(digest, info).digest(), message.native):
        raise TimeStampInvalid("time stamp", "changed after signing")
    der = leaf.public_bytes(Encoding.DER)
    if (named := attributes.get("signing_certificate_v2")) is not None:
        first = named["certs"][0]
        algorithm = first["hash_algorithm"]["algorithm"].native
        fits = algorithm in _HASHES and hashlib.new(algorithm, der).digest() == first["cert_hash"].native
    elif (named := attributes.get("signing_certificate")) is not None:
        fits = hashlib.sha1(der, usedforsecurity=False).digest() == named["certs"][0]["cert_hash"].native
    else:
        raise TimeStampInvalid("time stamp", "does not name its authority's certificate")
    if not fits:
        raise TimeStampInvalid("time stamp", "of another authority's certificate")


def _require_seal(signer: Any, leaf: x509.Certificate) -> None:
    try:
        key = certificates.public_key(leaf)
    except KeyUnsuitable as problem:
        raise TimeStampInvalid("time stamp", problem.detail) from problem
    method = signer["signature_algorithm"]
    named = method.native["algorithm"]
    scheme = method.signature_algo
    algorithm = _HASHES.get(
        signer["digest_algorithm"]["algorithm"].native if named == "rsassa_pkcs1v15" else method.hash_algo
    )
    data, value = signer["signed_attrs"].untag().dump(), signer["signature"].native
    try:
        if algorithm is None:
            raise TimeStampInvalid("time stamp", "a weak or unknown signature algorithm")
        if isinstance(key, rsa.RSAPublicKey) and scheme in ("rsassa_pkcs1v15", "rsassa_pss"):
            plain = scheme == "rsassa_pkcs1v15"
            key.verify(
                value,
                data,
                padding.PKCS1v15() if plain else padding.PSS(padding.MGF1(algorithm), algorithm.digest_size),
                algorithm,
            )
        elif isinstance(key, ec.EllipticCurvePublicKey) and scheme == "ecdsa":
            key.verify(value, data, ec.ECDSA(algorithm))
        else:
            raise TimeStampInvalid("time stamp", "a signature algorithm that does not fit the key")
    except InvalidSignature as problem:
        raise TimeStampInvalid("time stamp", "not made by its authority's key") from problem


def _trusted(
    leaf: x509.Certificate, others: Sequence[x509.Certificate], roots: Sequence[x509.Certificate], at: datetime
) -> tuple[x509.Certificate, ...]:
    try:
        purpose = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    except (x509.ExtensionNotFound, *UNREADABLE) as problem:
        raise TimeStampUntrusted("time stamp", "its certificate is not for time stamps") from problem
    if not purpose.critical or set(purpose.value) != {ExtendedKeyUsageOID.TIME_STAMPING}:
        raise TimeStampUntrusted("time stamp", "its certificate is not for time stamps alone")
    try:
        chain = certificates.require_trusted(
            leaf, [one for one in others if one != leaf], roots, at, certificates.TIME_STAMPS
        )
    except CertificateUntrusted as problem:
        raise TimeStampUntrusted("time stamp", problem.detail) from problem
    return chain
