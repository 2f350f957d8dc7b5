"""Judge the signature of a FHIR document Bundle with joserfc, against the demo CA.

As a third party would: the Bundle without `signature`, and without its own `id` and `meta`, in the form of RFC 8785 is the
payload of the detached JWS; the digits of numbers, and what the Signature says besides, are in a hash of their own. The
certificate has to have been good at the moment that the signature claims.
"""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import rfc8785
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from conformance.sandbox.ca import common_name
from conformance.sandbox.signatures import NotSignedError, SignatureError, Trust

WRITTEN: Final = "https://lienthong.vn/fhir/jws#written-sha256"
FHIR_JSON: Final = "http://hl7.org/fhir/canonicalization/json#document"
_MARK: Final = "\ue000"
_HOSTILE_INPUT: Final = (
    JoseError,
    InvalidSignature,
    UnsupportedAlgorithm,
    rfc8785.CanonicalizationError,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    IndexError,
    RecursionError,
)


class _Registry(jws.JWSRegistry):
    """joserfc with room for a chain of certificates and for a whole document."""

    max_header_length = 64_000
    max_payload_length = 64_000_000


_ALGORITHMS: Final = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384"]
_REGISTRY = _Registry(algorithms=_ALGORITHMS, strict_check_header=False)


def check_bundle(body: bytes, trust: Trust) -> list[str]:
    """Check that a document Bundle is signed as a whole and return its signer. Raises NotSignedError, SignatureError."""
    try:
        return [_check(body, trust)]
    except _HOSTILE_INPUT as error:
        raise SignatureError(type(error).__name__) from error


def _check(body: bytes, trust: Trust) -> str:
    bundle: dict[str, Any] = json.loads(body)
    if "signature" not in bundle:
        raise NotSignedError
    compact = base64.b64decode(bundle["signature"]["data"], validate=True)
    head, shown, _ = compact.split(b".")
    header = json.loads(base64.urlsafe_b64decode(head + b"=" * (-len(head) % 4)))
    if shown or {"crit", "b64"} & header.keys() or bundle["signature"]["when"] != header["sigT"]:
        raise SignatureError("not a detached signature of this form")
    leaf = _trusted([x509.load_der_x509_certificate(base64.b64decode(one)) for one in header["x5c"]], trust.ca_pem_file)
    if not trust.holds(leaf, datetime.fromisoformat(header["sigT"])):
        raise SignatureError("the certificate was suspended, revoked or out of date when it signed")
    pem = leaf.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    key = RSAKey.import_key(pem) if header["alg"][:2] in ("RS", "PS") else ECKey.import_key(pem)
    as_written = header.get("canon") == FHIR_JSON
    payload = _written(body, {}) if as_written else rfc8785.dumps(_covered(bundle))
    jws.deserialize_compact(compact, key, registry=_REGISTRY, payload=payload)
    if header[WRITTEN] != _written_sha256(body):
        raise SignatureError("digits of a number, or the Signature itself, changed")
    return common_name(leaf)


def _covered(bundle: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in bundle.items() if name not in ("id", "meta", "signature")}


def _written_sha256(body: bytes) -> str:
    """Hash the Bundle as it is written, and its signature without `data`."""
    about = {name: value for name, value in json.loads(body)["signature"].items() if name != "data"}
    return base64.urlsafe_b64encode(hashlib.sha256(_written(body, {"signature": about})).digest()).rstrip(b"=").decode()


def _written(body: bytes, more: dict[str, Any]) -> bytes:
    """Write what is covered, and more, in the form of RFC 8785, but with every number as it stands."""
    if _MARK in body.decode():
        raise SignatureError("a letter for private use")
    bundle = json.loads(body, parse_float=_marked, parse_int=_marked)
    text = rfc8785.dumps({**_covered(bundle), **more}).decode()
    return text.replace(f'"{_MARK}', "").replace(f'{_MARK}"', "").encode()


def _marked(number: str) -> str:
    return f"{_MARK}{number}{_MARK}"


def _trusted(chain: list[x509.Certificate], ca_pem_file: Path) -> x509.Certificate:
    """Return the first certificate, when each is issued by the next and the last by the demo CA."""
    authority = x509.load_pem_x509_certificate(ca_pem_file.read_bytes())
    for certificate, issuer in zip(chain, [*chain[1:], authority], strict=True):
        if certificate != issuer:
            certificate.verify_directly_issued_by(issuer)
    return chain[0]
