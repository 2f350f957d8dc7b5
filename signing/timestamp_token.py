"""Time-stamp tokens: what one says, what it stamps, who made it. Pure; asking for one is `signing/timestamp.py`.

Not here: revocation of the authority's certificate, which is judged with the rest of the evidence.

Standard: RFC 3161 §2.4.2; RFC 5652 §5; RFC 5816
Requirement: S0.5
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any, ClassVar

from asn1crypto import cms, core, tsp
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from signing import certificates
from signing.faults import CertificateUntrusted, KeyUnsuitable, TimestampInvalid

HASHES = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}
"""By their names in `hashlib`; others are refused."""

_PERMANENT = {"bad_alg", "bad_request", "bad_data_format", "unaccepted_policy", "unaccepted_extensions"}
_MAXIMUM_CERTIFICATES = 10
_MAXIMUM_TOKEN = 256 * 1024
_NONCE_BITS = 63
_UNREADABLE = (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError)
"""What asn1crypto raises for bytes that a stranger made up, mostly at the first look at a field."""


@dataclass(frozen=True)
class Token:
    der: bytes = field(repr=False)
    """The TimeStampToken: a CMS ContentInfo."""
    at: datetime
    """The moment it states (genTime); aware, UTC."""
    serial: int
    policy: str
    nonce: int | None
    hash_name: str
    imprint: bytes = field(repr=False)
    certificate: x509.Certificate = field(repr=False)
    """The authority's, identified by the signed attributes; whether it may stamp is told by `require_authority`."""
    certificates: tuple[x509.Certificate, ...] = field(repr=False)
    """Every certificate in the token."""


def read(der: bytes, known: Sequence[x509.Certificate] = ()) -> Token:
    """Read a token and check its signature; raise TimestampInvalid.

    The signer's certificate must be in the token or in `known`, and the signed attributes must name it (ESSCertID). Says
    nothing about what is stamped or whether the authority is one to trust.
    """
    if len(der) > _MAXIMUM_TOKEN:
        raise TimestampInvalid("token", f"{len(der)} bytes")
    try:
        info = cms.ContentInfo.load(der, strict=True)
        if info["content_type"].native != "signed_data":
            raise TimestampInvalid("token", "not signed data")
        data = info["content"]
        if data["encap_content_info"]["content_type"].native != "tst_info" or len(data["signer_infos"]) != 1:
            raise TimestampInvalid("token", "not one signature over a TSTInfo")
        stamp = data["encap_content_info"]["content"].parsed
        content = data["encap_content_info"]["content"].contents
        if len(data["certificates"]) > _MAXIMUM_CERTIFICATES:
            raise TimestampInvalid("token", f"more than {_MAXIMUM_CERTIFICATES} certificates")
        embedded = tuple(
            certificates.from_der(c.chosen.dump()) for c in data["certificates"] if c.name == "certificate"
        )
        signer = data["signer_infos"][0]
        signed = (
            b"\x31" + signer["signed_attrs"].dump()[1:]
        )  # under the tag of a SET; before a look inside re-encodes them
        attributes = _attributes(signer)
        certificate = _signer(signer, attributes, (*embedded, *known))
        _require_signature(signer, attributes, signed, content, certificate)
        imprint = stamp["message_imprint"]
        return Token(
            der=der,
            at=stamp["gen_time"].native,
            serial=stamp["serial_number"].native,
            policy=stamp["policy"].dotted,
            nonce=stamp["nonce"].native,
            hash_name=imprint["hash_algorithm"]["algorithm"].native,
            imprint=imprint["hashed_message"].native,
            certificate=certificate,
            certificates=embedded,
        )
    except (*_UNREADABLE, *certificates.UNREADABLE) as problem:
        raise TimestampInvalid("token", "cannot be read") from problem


def require_imprint(token: Token, data: bytes) -> None:
    """Raise TimestampInvalid unless `token` stamps `data`, with a hash that still counts."""
    if token.hash_name not in HASHES:
        raise TimestampInvalid("messageImprint", f"hash {token.hash_name}")
    if not hmac.compare_digest(token.imprint, hashlib.new(token.hash_name, data).digest()):
        raise TimestampInvalid("messageImprint", "stamps something else")


def names(der: bytes, data: bytes) -> bool:
    """Tell whether a token states the hash of `data`; nothing else of it is looked at, and unreadable ones state nothing."""
    try:
        imprint = cms.ContentInfo.load(der, strict=True)["content"]["encap_content_info"]["content"].parsed[
            "message_imprint"
        ]
        hash_name = imprint["hash_algorithm"]["algorithm"].native
        return hash_name in HASHES and imprint["hashed_message"].native == hashlib.new(hash_name, data).digest()
    except _UNREADABLE:
        return False


def require_authority(
    token: Token, roots: Sequence[x509.Certificate], others: Sequence[x509.Certificate] = ()
) -> tuple[x509.Certificate, ...]:
    """Return the chain of the token's certificate to one of `roots`, valid when it stamped; raise TimestampInvalid.

    The certificate must be for time stamps and for nothing else, critically.
    Standard: RFC 3161 §2.3
    """
    try:
        usage = token.certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    except (x509.ExtensionNotFound, *certificates.UNREADABLE) as problem:
        raise TimestampInvalid("certificate", "not for time stamps") from problem
    if not usage.critical or list(usage.value) != [ExtendedKeyUsageOID.TIME_STAMPING]:
        raise TimestampInvalid("certificate", "not for time stamps alone")
    pool = [other for other in (*token.certificates, *others) if other != token.certificate]
    try:
        certificates.public_key(token.certificate)
        return _chain(token.certificate, tuple(pool), tuple(roots), token.at)
    except (CertificateUntrusted, KeyUnsuitable) as problem:
        raise TimestampInvalid("certificate", problem.detail) from problem


_Chain = tuple[x509.Certificate, ...]
_KEPT_CHAINS = 64
_chains: dict[tuple[x509.Certificate, _Chain, _Chain], _Chain] = {}
"""Chains that were found: an authority's is the same for every stamp while its certificates last."""


def _chain(certificate: x509.Certificate, pool: _Chain, roots: _Chain, at: datetime) -> _Chain:
    found = _chains.get((certificate, pool, roots))
    if found is None or not all(one.not_valid_before_utc <= at <= one.not_valid_after_utc for one in found):
        found = certificates.require_trusted(certificate, pool, roots, at, certificates.TIME_STAMPS)
        if len(_chains) >= _KEPT_CHAINS:
            _chains.clear()
        _chains[certificate, pool, roots] = found
    return found


def _signer(signer: Any, attributes: Mapping[str, Any], candidates: Sequence[x509.Certificate]) -> x509.Certificate:
    """Return the certificate that SignerInfo points to and the signed attributes name."""
    if "signing_certificate_v2" in attributes:
        named = attributes["signing_certificate_v2"]["certs"][0]
        hash_name, fingerprint = named["hash_algorithm"]["algorithm"].native, named["cert_hash"].native
    elif "signing_certificate" in attributes:
        hash_name, fingerprint = "sha1", attributes["signing_certificate"]["certs"][0]["cert_hash"].native
    else:
        raise TimestampInvalid("token", "its signer is not named")
    if hash_name not in {"sha1", *HASHES}:
        raise TimestampInvalid("token", "its signer is named with an unknown hash")
    for candidate in candidates:
        der = candidate.public_bytes(Encoding.DER)
        if hmac.compare_digest(hashlib.new(hash_name, der).digest(), fingerprint) and _points_to(
            signer["sid"], candidate
        ):
            return candidate
    raise TimestampInvalid("token", "without its signer's certificate")


def _attributes(signer: Any) -> dict[str, Any]:
    """Return the signed attributes, each with its one value; which of two would count is nothing to guess at."""
    found: dict[str, Any] = {}
    for attribute in signer["signed_attrs"]:
        name = attribute["type"].native
        if name in found or len(attribute["values"]) != 1:
            raise TimestampInvalid("token", "an attribute that stands twice")
        found[name] = attribute["values"][0]
    return found


def _points_to(sid: Any, certificate: x509.Certificate) -> bool:
    if sid.name == "issuer_and_serial_number":
        named = sid.chosen
        same = named["issuer"].dump() == certificate.issuer.public_bytes()
        return bool(same and named["serial_number"].native == certificate.serial_number)
    try:
        own = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    except x509.ExtensionNotFound:
        return False
    return bool(sid.chosen.native == own)


def _require_signature(
    signer: Any, attributes: Mapping[str, Any], signed: bytes, content: bytes, certificate: x509.Certificate
) -> None:
    """Check the CMS signature. Standard: RFC 5652 §5.4, §5.6."""
    digest_name = signer["digest_algorithm"]["algorithm"].native
    if digest_name not in HASHES:
        raise TimestampInvalid("token", f"hash {digest_name}")
    digest = hashlib.new(digest_name, content).digest()
    if attributes["content_type"].native != "tst_info" or attributes["message_digest"].native != digest:
        raise TimestampInvalid("token", "changed after it was signed")
    method = signer["signature_algorithm"]
    hash_name = digest_name if method["algorithm"].native == "rsassa_pkcs1v15" else method.hash_algo
    if hash_name not in HASHES:
        raise TimestampInvalid("token", f"hash {hash_name}")
    key, value = certificate.public_key(), signer["signature"].native
    try:
        match key, method.signature_algo:
            case rsa.RSAPublicKey(), "rsassa_pkcs1v15":
                key.verify(value, signed, padding.PKCS1v15(), HASHES[hash_name])
            case rsa.RSAPublicKey(), "rsassa_pss":
                parameters = method["parameters"]
                mask = parameters["mask_gen_algorithm"]["parameters"]["algorithm"].native
                form = padding.PSS(padding.MGF1(HASHES[mask]), parameters["salt_length"].native)
                key.verify(value, signed, form, HASHES[hash_name])
            case ec.EllipticCurvePublicKey(), "ecdsa":
                key.verify(value, signed, ec.ECDSA(HASHES[hash_name]))
            case _:
                raise TimestampInvalid("token", "algorithm not accepted")
    except InvalidSignature as problem:
        raise TimestampInvalid("token", "changed after it was signed") from problem


def request(imprint: bytes, hash_name: str, nonce: int, policy: str = "") -> bytes:
    """Return a TimeStampReq in DER that asks for the authority's certificate too."""
    if nonce.bit_length() != _NONCE_BITS:
        return _request(imprint, hash_name, nonce, policy)
    before, between, after = _around(len(imprint), hash_name, policy)
    return b"".join((before, imprint, between, nonce.to_bytes(_NONCE_BITS // 8 + 1), after))


def new_nonce() -> int:
    """Return a random number whose requests all have the same length; only what changes in them is written."""
    return 1 << _NONCE_BITS - 1 | secrets.randbits(_NONCE_BITS - 1)


@lru_cache(maxsize=32)
def _around(size: int, hash_name: str, policy: str) -> tuple[bytes, bytes, bytes]:
    """Return what stands around imprint and nonce in such a request."""
    imprint, nonce = b"\xa5" * size, (1 << _NONCE_BITS) - 1
    before, _, rest = _request(imprint, hash_name, nonce, policy).partition(imprint)
    between, _, after = rest.partition(nonce.to_bytes(_NONCE_BITS // 8 + 1))
    return before, between, after


def _request(imprint: bytes, hash_name: str, nonce: int, policy: str) -> bytes:
    asked: dict[str, Any] = {
        "version": "v1",
        "message_imprint": {"hash_algorithm": {"algorithm": hash_name}, "hashed_message": imprint},
        "nonce": nonce,
        "cert_req": True,
    }
    if policy:
        asked["req_policy"] = policy
    return bytes(tsp.TimeStampReq(asked).dump())


@dataclass(frozen=True)
class Response:
    granted: bool
    status: str
    """Name of the PKIStatus and, for a refusal, of the PKIFailureInfo; never text of the authority."""
    permanent: bool = False
    """The authority will never stamp this question: its algorithm, form or policy is not accepted."""
    token: bytes = field(default=b"", repr=False)


class _TimeStampResp(core.Sequence):  # type: ignore[misc]  # the library's own insists on a token
    _fields: ClassVar[list[Any]] = [
        ("status", tsp.PKIStatusInfo),
        ("time_stamp_token", cms.ContentInfo, {"optional": True}),
    ]


def read_response(der: bytes) -> Response:
    """Read a TimeStampResp; raise TimestampInvalid for bytes that are none."""
    try:
        response = _TimeStampResp.load(der, strict=True)
        status = response["status"]["status"].native
        if status in ("granted", "granted_with_mods"):
            return Response(True, status, token=response["time_stamp_token"].dump())
        failures = response["status"]["fail_info"].native or set()
        return Response(False, " ".join([status, *sorted(failures)]), permanent=bool(failures & _PERMANENT))
    except _UNREADABLE as problem:
        raise TimestampInvalid("response", "cannot be read") from problem
