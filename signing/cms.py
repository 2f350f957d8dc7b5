"""CMS signatures over content that stands elsewhere, as a PDF holds them: made in two phases, and read strictly.

`attributes` gives the bytes to be signed, `assemble` puts the signature value in. Reading accepts one signer, signed
attributes, no content inside, and no algorithm that `algorithms` does not have.

Not here: where the content and the signature stand in a file (`pades`, `verify_pdf`), certificates and revocation.

Standard: RFC 5652 §5, §11; RFC 5035 §3 (ESSCertIDv2); RFC 6211; ETSI EN 319 122-1 V1.2.1 §5.2.2; ETSI EN 319 142-1 V1.1.1 §6.3
Requirement: S0.5, S0.10
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from asn1crypto import algos, cms, core, tsp
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding

from signing import certificates
from signing.algorithms import ALGORITHMS, Algorithm, joined
from signing.faults import (
    AlgorithmRefused,
    ContentChanged,
    ContentsRefused,
    KeyInfoRefused,
    KeyUnsuitable,
    PropertiesRefused,
    SignatureInvalid,
    SignatureValueWrong,
)

_HASHES = ("sha256", "sha384", "sha512")
_MAXIMUM_CERTIFICATES = 10
_MAXIMUM_TOKENS = 10
_UNREADABLE = (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, RecursionError)
"""What asn1crypto raises for bytes that a stranger made up, mostly at the first look at a field."""


@dataclass(frozen=True)
class Sealed:
    """A signature whose mathematics holds."""

    algorithm: str
    leaf: x509.Certificate
    others: tuple[x509.Certificate, ...] = field(repr=False)
    value: bytes = field(repr=False)
    """The signature octets, of which a signature time stamp is."""
    names_certificate: bool
    """The signed attributes hold the hash of the certificate, as PAdES wants it and plain PKCS#7 does not."""
    claimed_at: datetime | None
    tokens: tuple[bytes, ...] = field(repr=False)


# ---- made ----


def attributes(digest: bytes, certificate: x509.Certificate, algorithm: Algorithm) -> bytes:
    """Return the signed attributes in DER, the bytes to be signed, for content with this `digest`.

    No signing time is among them: a PDF states it beside the signature.
    """
    name = algorithm.hash.name
    fingerprint = hashlib.new(name, certificate.public_bytes(Encoding.DER)).digest()
    identifier: dict[str, Any] = {"cert_hash": fingerprint}
    if name != "sha256":  # the default of the standard, which DER leaves out
        identifier["hash_algorithm"] = {"algorithm": name}
    protection = cms.CMSAlgorithmProtection(
        {"digest_algorithm": _digest_algorithm(algorithm), "signature_algorithm": _signature_algorithm(algorithm)}
    )
    return bytes(
        cms.CMSAttributes(
            [
                {"type": "content_type", "values": ["data"]},
                {"type": "message_digest", "values": [digest]},
                {"type": "cms_algorithm_protection", "values": [protection]},
                {
                    "type": "signing_certificate_v2",
                    "values": [tsp.SigningCertificateV2({"certs": [tsp.ESSCertIDv2(identifier)]})],
                },
            ]
        ).dump()
    )


def assemble(
    signed_attributes: bytes, signature: bytes, algorithm: Algorithm, chain: Sequence[x509.Certificate]
) -> bytes:
    """Return the CMS ContentInfo in DER; an ECDSA `signature` is r and s, one after the other."""
    if algorithm.scheme == "ecdsa":
        half = len(signature) // 2
        signature = encode_dss_signature(int.from_bytes(signature[:half]), int.from_bytes(signature[half:]))
    held = [asn1_x509.Certificate.load(one.public_bytes(Encoding.DER)) for one in chain]
    signer = {
        "version": "v1",
        "sid": {
            "issuer_and_serial_number": {"issuer": held[0].issuer, "serial_number": chain[0].serial_number},
        },
        "digest_algorithm": _digest_algorithm(algorithm),
        "signed_attrs": cms.CMSAttributes.load(signed_attributes),
        "signature_algorithm": _signature_algorithm(algorithm),
        "signature": signature,
    }
    signed = {
        "version": "v1",
        "digest_algorithms": [_digest_algorithm(algorithm)],
        "encap_content_info": {"content_type": "data"},
        "certificates": held,
        "signer_infos": [signer],
    }
    return bytes(cms.ContentInfo({"content_type": "signed_data", "content": cms.SignedData(signed)}).dump())


def signature_value(contents: bytes) -> bytes:
    """Return what a signature time stamp stamps. Raises ContentsRefused."""
    try:
        return bytes(_parsed(contents)["signer_infos"][0]["signature"].native)
    except _UNREADABLE as problem:
        raise ContentsRefused("Contents", "cannot be read") from problem


def with_token(contents: bytes, token: bytes) -> bytes:
    """Return the signature with a time stamp `token` among its unsigned attributes. Raises ContentsRefused."""
    try:
        info = cms.ContentInfo.load(without_padding(contents))
        signer = info["content"]["signer_infos"][0]
        held = [] if isinstance(signer["unsigned_attrs"], core.Void) else list(signer["unsigned_attrs"])
        stamp = cms.CMSAttribute({"type": "signature_time_stamp_token", "values": [cms.ContentInfo.load(token)]})
        signer["unsigned_attrs"] = cms.CMSAttributes([*held, stamp])
        return bytes(info.dump())
    except _UNREADABLE as problem:
        raise ContentsRefused("Contents", "cannot be read") from problem


def without_padding(contents: bytes) -> bytes:
    """Cut what a PDF fills the place with; raise ContentsRefused when it is more than zeros."""
    if not contents.startswith(b"\x30"):
        raise ContentsRefused("Contents", "no CMS signature")
    length = len(cms.ContentInfo.load(contents).dump())
    if contents[length:].strip(b"\0"):
        raise ContentsRefused("Contents", "more than a signature")
    return contents[:length]


def _digest_algorithm(algorithm: Algorithm) -> algos.DigestAlgorithm:
    return algos.DigestAlgorithm({"algorithm": algorithm.hash.name})


def _signature_algorithm(algorithm: Algorithm) -> algos.SignedDigestAlgorithm:
    name = algorithm.hash.name
    if algorithm.scheme != "pss":
        return algos.SignedDigestAlgorithm({"algorithm": f"{name}_{'rsa' if algorithm.scheme == 'pkcs1' else 'ecdsa'}"})
    parameters = {
        "hash_algorithm": {"algorithm": name},
        "mask_gen_algorithm": {"algorithm": "mgf1", "parameters": {"algorithm": name}},
        "salt_length": algorithm.hash.digest_size,
    }
    return algos.SignedDigestAlgorithm({"algorithm": "rsassa_pss", "parameters": algos.RSASSAPSSParams(parameters)})


# ---- read ----


def read(contents: bytes, digest: Callable[[str], bytes]) -> Sealed:
    """Return what a detached signature says, when it holds for content whose hash `digest` gives by name of the hash.

    `contents` may end in zeros, as it does in a PDF. Raises faults of the class SignatureInvalid.
    """
    try:
        return _read(contents, digest)
    except (*_UNREADABLE, *certificates.UNREADABLE) as problem:
        raise ContentsRefused("Contents", "cannot be read") from problem


def _read(contents: bytes, digest: Callable[[str], bytes]) -> Sealed:
    data = _parsed(contents)
    encapsulated = data["encap_content_info"]
    if encapsulated["content_type"].native != "data" or not isinstance(encapsulated["content"], core.Void):
        raise ContentsRefused("Contents", "with content of its own")
    signer = data["signer_infos"][0]
    if isinstance(signer["signed_attrs"], core.Void) or not len(signer["signed_attrs"]):
        raise ContentsRefused("Contents", "no signed attributes")
    # under the tag of a SET, and before a look inside encodes them again
    to_be_signed = b"\x31" + signer["signed_attrs"].dump()[1:]
    found = _attributes(signer["signed_attrs"])
    known = _certificates(data)
    leaf = _leaf(signer, known)
    algorithm = _algorithm(signer, found, leaf)
    names = _named(found, leaf)
    if found["content_type"].native != "data":
        raise PropertiesRefused("Contents", "signed attributes of other content")
    if not hmac.compare_digest(found["message_digest"].native, digest(algorithm.hash.name)):
        raise ContentChanged("Contents")
    value = bytes(signer["signature"].native)
    if not _holds(algorithm, leaf, value, to_be_signed):
        raise SignatureValueWrong("Contents", "not made by the certificate's key over these attributes")
    time = found.get("signing_time")
    return Sealed(
        algorithm=algorithm.name,
        leaf=leaf,
        others=tuple(one for one in known if one != leaf),
        value=value,
        names_certificate=names,
        claimed_at=None if time is None else time.native.astimezone(UTC),
        tokens=_tokens(signer),
    )


def _parsed(contents: bytes) -> Any:
    info = cms.ContentInfo.load(without_padding(contents), strict=True)
    if info["content_type"].native != "signed_data":
        raise ContentsRefused("Contents", "no CMS signature")
    if len(info["content"]["signer_infos"]) != 1:
        raise ContentsRefused("Contents", f"{len(info['content']['signer_infos'])} signers")
    return info["content"]


def _attributes(held: Any) -> dict[str, Any]:
    """Return the signed attributes, each with its one value; which of two would count is nothing to guess at."""
    found: dict[str, Any] = {}
    for attribute in held:
        name = attribute["type"].native
        if name in found or len(attribute["values"]) != 1:
            raise PropertiesRefused("Contents", "an attribute that stands twice")
        found[name] = attribute["values"][0]
    if not {"content_type", "message_digest"} <= found.keys():
        raise PropertiesRefused("Contents", "without the hash of what is signed")
    return found


def _certificates(data: Any) -> list[x509.Certificate]:
    if isinstance(data["certificates"], core.Void) or not 0 < len(data["certificates"]) <= _MAXIMUM_CERTIFICATES:
        raise KeyInfoRefused("Contents", "no certificate, or too many")
    return [certificates.from_der(one.chosen.dump()) for one in data["certificates"] if one.name == "certificate"]


def _leaf(signer: Any, known: Sequence[x509.Certificate]) -> x509.Certificate:
    """Return the certificate to which SignerInfo points."""
    pointer = signer["sid"]
    for one in known:
        if pointer.name == "issuer_and_serial_number":
            named = pointer.chosen
            same = named["issuer"].dump() == one.issuer.public_bytes()
            if same and named["serial_number"].native == one.serial_number:
                return one
        elif _key_identifier(one) == pointer.chosen.native:
            return one
    raise KeyInfoRefused("Contents", "without its signer's certificate")


def _key_identifier(certificate: x509.Certificate) -> bytes | None:
    try:
        return certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    except x509.ExtensionNotFound:
        return None


def _algorithm(signer: Any, found: dict[str, Any], leaf: x509.Certificate) -> Algorithm:
    """Return the algorithm, one that all places agree on and that is for this key."""
    digest, method = signer["digest_algorithm"]["algorithm"].native, signer["signature_algorithm"]
    protected = found.get("cms_algorithm_protection")
    if protected is not None and (
        protected["digest_algorithm"].native != signer["digest_algorithm"].native
        or protected["signature_algorithm"].native != method.native
    ):
        raise AlgorithmRefused("Contents", "not the algorithm that is signed")
    if digest not in _HASHES:
        raise AlgorithmRefused("Contents", f"hash {digest}")
    try:
        key = certificates.public_key(leaf)
    except KeyUnsuitable as problem:
        raise AlgorithmRefused(problem.where, problem.detail) from problem
    named = method["algorithm"].native
    scheme = {"rsassa_pkcs1v15": "pkcs1", "rsassa_pss": "pss", "ecdsa": "ecdsa"}.get(method.signature_algo)
    hash_name = digest if named == "rsassa_pkcs1v15" else method.hash_algo
    if scheme == "pss":
        parameters = method["parameters"]
        mask = parameters["mask_gen_algorithm"]["parameters"]["algorithm"].native
        size = hashlib.new(digest).digest_size
        if mask != digest or parameters["salt_length"].native != size:
            raise AlgorithmRefused("Contents", "PSS with other parameters")
    for algorithm in ALGORITHMS.values():
        if (algorithm.scheme, algorithm.hash.name) == (scheme, hash_name) and algorithm.fits(key):
            if hash_name != digest:
                break
            return algorithm
    raise AlgorithmRefused("Contents", f"{named} with {digest}")


def _named(found: dict[str, Any], leaf: x509.Certificate) -> bool:
    """Tell whether the signed attributes name the certificate; raise PropertiesRefused when they name another."""
    if "signing_certificate_v2" in found:
        first = found["signing_certificate_v2"]["certs"][0]
        hash_name = first["hash_algorithm"]["algorithm"].native
        if hash_name not in _HASHES:
            raise PropertiesRefused("Contents", f"certificate named with {hash_name}")
    elif "signing_certificate" in found:
        first, hash_name = found["signing_certificate"]["certs"][0], "sha1"
    else:
        return False
    own = hashlib.new(hash_name, leaf.public_bytes(Encoding.DER), usedforsecurity=False).digest()
    if not hmac.compare_digest(first["cert_hash"].native, own):
        raise PropertiesRefused("Contents", "of another certificate")
    return True


def _holds(algorithm: Algorithm, leaf: x509.Certificate, value: bytes, data: bytes) -> bool:
    key = certificates.public_key(leaf)
    if not isinstance(key, rsa.RSAPublicKey):
        r, s = decode_dss_signature(value)
        if encode_dss_signature(r, s) != value:
            return False
        try:
            value = joined(value, key)
        except OverflowError:
            return False
    return algorithm.holds(key, value, data)


def _tokens(signer: Any) -> tuple[bytes, ...]:
    """Return the signature's time stamps, as they are found."""
    if isinstance(signer["unsigned_attrs"], core.Void):
        return ()
    found = [
        value.dump()
        for attribute in signer["unsigned_attrs"]
        if attribute["type"].native == "signature_time_stamp_token"
        for value in attribute["values"]
    ]
    if len(found) > _MAXIMUM_TOKENS:
        raise SignatureInvalid("Contents", f"more than {_MAXIMUM_TOKENS} time stamps")
    return tuple(found)
