"""Read by which algorithm a CSC client wants hashes signed, and say which ones a key has.

Standard: CSC API v2.0 §11.10; RFC 8017 appendix A.2.3 for the parameters of RSASSA-PSS
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Any, Final

from asn1crypto import algos
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from conformance.sandbox.holders import PublicKey
from conformance.sandbox.remote_credentials import Scheme

RSA: Final = "1.2.840.113549.1.1.1"
PSS: Final = "1.2.840.113549.1.1.10"
HASHES: Final[dict[str, Callable[[], hashes.HashAlgorithm]]] = {
    "2.16.840.1.101.3.4.2.1": hashes.SHA256,
    "2.16.840.1.101.3.4.2.2": hashes.SHA384,
    "2.16.840.1.101.3.4.2.3": hashes.SHA512,
}
_RSA: Final = {
    "1.2.840.113549.1.1.11": "2.16.840.1.101.3.4.2.1",
    "1.2.840.113549.1.1.12": "2.16.840.1.101.3.4.2.2",
    "1.2.840.113549.1.1.13": "2.16.840.1.101.3.4.2.3",
}
_ECDSA: Final = {
    "1.2.840.10045.4.3.2": "2.16.840.1.101.3.4.2.1",
    "1.2.840.10045.4.3.3": "2.16.840.1.101.3.4.2.2",
    "1.2.840.10045.4.3.4": "2.16.840.1.101.3.4.2.3",
}
ALL: Final = (RSA, *_RSA, PSS, *_ECDSA)
_CURVES: Final = {"secp256r1": "1.2.840.10045.3.1.7", "secp384r1": "1.3.132.0.34"}


class AlgorithmError(Exception):
    """Raised with the error text of the standard."""


def describe_key(key: PublicKey) -> dict[str, Any]:
    """Return `algo`, `len` and, for an elliptic key, `curve` of `credentials/info`."""
    if isinstance(key, rsa.RSAPublicKey):
        return {"algo": [RSA, *_RSA, PSS], "len": key.key_size}
    assert isinstance(key, ec.EllipticCurvePublicKey)
    return {"algo": [*_ECDSA], "len": key.key_size, "curve": _CURVES[key.curve.name]}


def read_scheme(key: PublicKey, asked: dict[str, Any]) -> Scheme:
    """Read signAlgo, hashAlgorithmOID and signAlgoParams. Raises AlgorithmError."""
    name = _text(asked, "signAlgo")
    if name not in describe_key(key)["algo"]:
        raise AlgorithmError("Invalid parameter signAlgo")
    if name == PSS:
        return _pss(key, asked)
    implied = _RSA.get(name) or _ECDSA.get(name)
    return Scheme(HASHES[implied]() if implied else read_hash(asked))


def read_hash(asked: dict[str, Any]) -> hashes.HashAlgorithm:
    """Read hashAlgorithmOID. Raises AlgorithmError."""
    oid = _text(asked, "hashAlgorithmOID")
    if oid not in HASHES:
        raise AlgorithmError("Invalid parameter hashAlgorithmOID")
    return HASHES[oid]()


def _pss(key: PublicKey, asked: dict[str, Any]) -> Scheme:
    try:
        given = algos.RSASSAPSSParams.load(base64.b64decode(_text(asked, "signAlgoParams"), validate=True), strict=True)
        digest, generator = given["hash_algorithm"], given["mask_gen_algorithm"]
        salt_length, trailer = given["salt_length"].native, given["trailer_field"].native
        digests = [digest["algorithm"].dotted, generator["parameters"]["algorithm"].dotted]
        chosen = [HASHES[each]() for each in digests]
        assert isinstance(key, rsa.RSAPublicKey)
        longest = padding.calculate_max_pss_salt_length(key, chosen[0])
        if (generator["algorithm"].native, trailer) != ("mgf1", "trailer_field_bc") or not 0 <= salt_length <= longest:
            raise ValueError(trailer)
    except (binascii.Error, ValueError, TypeError, KeyError) as error:
        raise AlgorithmError("Invalid parameter signAlgoParams") from error
    return Scheme(chosen[0], pss=True, salt_length=salt_length, mgf_hash=chosen[1])


def _text(asked: dict[str, Any], name: str) -> str:
    value = asked.get(name)
    if not isinstance(value, str) or not value:
        raise AlgorithmError(f"Missing (or invalid type) string parameter {name}")
    return value
