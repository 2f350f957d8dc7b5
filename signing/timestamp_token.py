"""Time-stamp tokens: what one says, what it stamps, who made it. Pure; asking for one is `signing/timestamp.py`.

Not here: revocation of the authority's certificate, which is judged with the rest of the evidence.

Standard: RFC 3161 §2.4.2; RFC 5652 §5; RFC 5816
Requirement: S0.5
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, ClassVar, NamedTuple

from asn1crypto import algos, cms, core, tsp
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from signing import certificates
from signing.der import Element, element
from signing.faults import CertificateUntrusted, KeyUnsuitable, TimestampInvalid

HASHES = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}
"""By their names in `hashlib`; others are refused."""

_PERMANENT = {"bad_alg", "bad_request", "bad_data_format", "unaccepted_policy", "unaccepted_extensions"}
_MAXIMUM_CERTIFICATES = 10
_MAXIMUM_TOKEN = 256 * 1024
_NONCE_BITS = 63
_SEQUENCE, _SET, _INTEGER = 0x30, 0x31, 0x02
_OPTIONAL = (0x30, 0x01, _INTEGER, 0xA0, 0xA1)
"""Tags of accuracy, ordering, nonce, tsa and extensions of a TSTInfo, in their order."""
_GENERAL_TIME = re.compile(rb"(\d{14})(?:\.(\d+))?Z")
_SIGNED_DATA = core.ObjectIdentifier("1.2.840.113549.1.7.2").contents
_TST_INFO = core.ObjectIdentifier("1.2.840.113549.1.9.16.1.4").contents
_CONTENT_TYPE = core.ObjectIdentifier("1.2.840.113549.1.9.3").contents
_MESSAGE_DIGEST = core.ObjectIdentifier("1.2.840.113549.1.9.4").contents
_CERTIFICATE = core.ObjectIdentifier("1.2.840.113549.1.9.16.2.12").contents
_CERTIFICATE_V2 = core.ObjectIdentifier("1.2.840.113549.1.9.16.2.47").contents
_GRANTED = {0: "granted", 1: "granted_with_mods"}
_UNREADABLE = (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError)
"""What reading raises for bytes that a stranger made up, asn1crypto mostly at the first look at a field."""


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
        data = _signed_data(der)
        content = data.content.octets
        stamp = _stamp(content)
        embedded = tuple(certificates.from_der(one.whole) for one in data.certificates if one.tag == _SEQUENCE)
        signer = _signer_info(data.signer)
        certificate = _signer(signer, (*embedded, *known))
        _require_signature(signer, content, certificate)
        return Token(der=der, certificate=certificate, certificates=embedded, **stamp)
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
        stamp = _stamp(_signed_data(der).content.octets)
        hash_name = stamp["hash_name"]
        return hash_name in HASHES and stamp["imprint"] == hashlib.new(hash_name, data).digest()
    except (TimestampInvalid, *_UNREADABLE):
        return False


def hash_of(der: bytes) -> str:
    """Name the hash with which a token stamps; empty when it cannot be read."""
    try:
        return str(_stamp(_signed_data(der).content.octets)["hash_name"])
    except (TimestampInvalid, *_UNREADABLE):
        return ""


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


# ---- what is in a token ----


class _SignedData(NamedTuple):
    content: Element
    """The OCTET STRING that holds the TSTInfo."""
    certificates: Sequence[Element]
    signer: Element


class _SignerInfo(NamedTuple):
    points_to: Element
    digest_name: str
    attributes: Mapping[bytes, Element]
    signed: bytes
    """The signed attributes under the tag of a SET, as they came."""
    method: _Method
    value: bytes


class _Method(NamedTuple):
    """How a signature was made; the hash is empty where the digest algorithm of the signer says it."""

    scheme: str
    hash_name: str = ""
    mask: str = ""
    salt: int = 0


def _signed_data(der: bytes) -> _SignedData:
    form, wrapped = element(der).inside(_SEQUENCE)
    if form.content != _SIGNED_DATA:
        raise TimestampInvalid("token", "not signed data")
    (data,) = wrapped.inside(0xA0)
    _, _, encapsulated, *rest = data.inside(_SEQUENCE)
    stamp_form, *content = encapsulated.inside(_SEQUENCE)
    held = rest.pop(0).inside(0xA0) if rest[0].tag == 0xA0 else []
    if rest[0].tag == 0xA1:  # lists of revoked certificates
        rest.pop(0)
    (signers,) = rest
    infos = signers.inside(_SET)
    if stamp_form.content != _TST_INFO or len(infos) != 1 or len(content) != 1:
        raise TimestampInvalid("token", "not one signature over a TSTInfo")
    if len(held) > _MAXIMUM_CERTIFICATES:
        raise TimestampInvalid("token", f"more than {_MAXIMUM_CERTIFICATES} certificates")
    (octets,) = content[0].inside(0xA0)
    return _SignedData(octets, held, infos[0])


def _stamp(content: bytes) -> dict[str, Any]:
    """Return what a TSTInfo says, by the fields of `Token`. Standard: RFC 3161 §2.4.2."""
    _, policy, imprint, serial, moment, *more = element(content).inside(_SEQUENCE)
    order = [_OPTIONAL.index(one.tag) for one in more]
    if order != sorted(set(order)):
        raise ValueError("fields that stand twice or in another order")
    nonces = [one.number for one in more if one.tag == _INTEGER]
    algorithm, hashed = imprint.inside(_SEQUENCE)
    return {
        "at": _moment(moment),
        "serial": serial.number,
        "policy": _dotted(policy.whole),
        "nonce": nonces[0] if nonces else None,
        "hash_name": _hash_name(algorithm.whole),
        "imprint": hashed.octets,
    }


def _moment(one: Element) -> datetime:
    said = _GENERAL_TIME.fullmatch(one.content) if one.tag == 0x18 else None
    if said is None:
        raise ValueError("not a moment")
    digits = said[1]
    year, (month, day, hour, minute, second) = int(digits[:4]), (int(digits[at : at + 2]) for at in range(4, 14, 2))
    return datetime(year, month, day, hour, minute, second, int(f"{(said[2] or b'').decode():0<6.6}"), UTC)


def _signer_info(info: Element) -> _SignerInfo:
    _, points_to, digest, attributes, method, value, *_ = info.inside(_SEQUENCE)
    return _SignerInfo(
        points_to,
        _hash_name(digest.whole),
        _attributes(attributes.inside(0xA0)),
        attributes.under(_SET),
        _method(method.whole),
        value.octets,
    )


def _attributes(attributes: Sequence[Element]) -> dict[bytes, Element]:
    """Return the signed attributes, each with its one value; which of two would count is nothing to guess at."""
    found: dict[bytes, Element] = {}
    for attribute in attributes:
        form, values = attribute.inside(_SEQUENCE)
        held = values.inside(_SET)
        if form.content in found or len(held) != 1:
            raise TimestampInvalid("token", "an attribute that stands twice")
        found[form.content] = held[0]
    return found


def _signer(signer: _SignerInfo, candidates: Sequence[x509.Certificate]) -> x509.Certificate:
    """Return the certificate that SignerInfo points to and the signed attributes name."""
    hash_name, fingerprint = _named(signer.attributes)
    if hash_name not in {"sha1", *HASHES}:
        raise TimestampInvalid("token", "its signer is named with an unknown hash")
    for candidate in candidates:
        der = candidate.public_bytes(Encoding.DER)
        if hmac.compare_digest(hashlib.new(hash_name, der).digest(), fingerprint) and _points_to(
            signer.points_to, candidate
        ):
            return candidate
    raise TimestampInvalid("token", "without its signer's certificate")


def _named(attributes: Mapping[bytes, Element]) -> tuple[str, bytes]:
    """Return hash and fingerprint of the certificate that is named. Standard: RFC 5035 §4, §5."""
    named = attributes.get(_CERTIFICATE_V2) or attributes.get(_CERTIFICATE)
    if named is None:
        raise TimestampInvalid("token", "its signer is not named")
    first, *more = named.inside(_SEQUENCE)[0].inside(_SEQUENCE)[0].inside(_SEQUENCE)
    if _CERTIFICATE_V2 not in attributes:
        return "sha1", first.octets
    return (_hash_name(first.whole), more[0].octets) if first.tag == _SEQUENCE else ("sha256", first.octets)


def _points_to(pointer: Element, certificate: x509.Certificate) -> bool:
    if pointer.tag == _SEQUENCE:
        issuer, serial = pointer
        return issuer.whole == certificate.issuer.public_bytes() and serial.number == certificate.serial_number
    try:
        own = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    except x509.ExtensionNotFound:
        return False
    return pointer.tag == 0x80 and pointer.content == own


def _require_signature(signer: _SignerInfo, content: bytes, certificate: x509.Certificate) -> None:
    """Check the CMS signature. Standard: RFC 5652 §5.4, §5.6."""
    if signer.digest_name not in HASHES:
        raise TimestampInvalid("token", f"hash {signer.digest_name}")
    digest = hashlib.new(signer.digest_name, content).digest()
    said, stated = signer.attributes[_CONTENT_TYPE], signer.attributes[_MESSAGE_DIGEST]
    if said.content != _TST_INFO or stated.octets != digest:
        raise TimestampInvalid("token", "changed after it was signed")
    method = signer.method
    hash_name = method.hash_name or signer.digest_name
    if hash_name not in HASHES:
        raise TimestampInvalid("token", f"hash {hash_name}")
    key = certificate.public_key()
    try:
        match key, method.scheme:
            case rsa.RSAPublicKey(), "rsassa_pkcs1v15":
                key.verify(signer.value, signer.signed, padding.PKCS1v15(), HASHES[hash_name])
            case rsa.RSAPublicKey(), "rsassa_pss":
                form = padding.PSS(padding.MGF1(HASHES[method.mask]), method.salt)
                key.verify(signer.value, signer.signed, form, HASHES[hash_name])
            case ec.EllipticCurvePublicKey(), "ecdsa":
                key.verify(signer.value, signer.signed, ec.ECDSA(HASHES[hash_name]))
            case _:
                raise TimestampInvalid("token", "algorithm not accepted")
    except InvalidSignature as problem:
        raise TimestampInvalid("token", "changed after it was signed") from problem


@lru_cache(maxsize=64)
def _dotted(der: bytes) -> str:
    return str(core.ObjectIdentifier.load(der, strict=True).dotted)


@lru_cache(maxsize=64)
def _hash_name(der: bytes) -> str:
    return str(algos.DigestAlgorithm.load(der, strict=True)["algorithm"].native)


@lru_cache(maxsize=64)
def _method(der: bytes) -> _Method:
    read = algos.SignedDigestAlgorithm.load(der, strict=True)
    scheme = read.signature_algo
    if scheme == "rsassa_pss":
        said = read["parameters"]
        mask = said["mask_gen_algorithm"]["parameters"]["algorithm"].native
        return _Method(scheme, read.hash_algo, mask, said["salt_length"].native)
    return _Method(scheme, "" if read["algorithm"].native == "rsassa_pkcs1v15" else read.hash_algo)


# ---- over the wire ----


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
        said, *token = element(der).inside(_SEQUENCE)
        if next(iter(said)).number in _GRANTED and len(token) == 1:
            return Response(True, _GRANTED[next(iter(said)).number], token=token[0].whole)
        response = _TimeStampResp.load(der, strict=True)
        status = response["status"]["status"].native
        failures = response["status"]["fail_info"].native or set()
        return Response(False, " ".join([status, *sorted(failures)]), permanent=bool(failures & _PERMANENT))
    except _UNREADABLE as problem:
        raise TimestampInvalid("response", "cannot be read") from problem
