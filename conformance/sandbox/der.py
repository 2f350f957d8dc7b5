"""Sign and wrap what answers of trust services are made of. Knows no protocol."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from asn1crypto import algos, core
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from conformance.sandbox.holders import PrivateKey


def sign(key: PrivateKey, data: bytes) -> tuple[Any, bytes]:
    """Sign with SHA-256: RSA with PKCS#1 v1.5 padding, or ECDSA. Returns the AlgorithmIdentifier and the signature."""
    if isinstance(key, rsa.RSAPrivateKey):
        algorithm = algos.SignedDigestAlgorithm({"algorithm": "sha256_rsa"})
        return algorithm, key.sign(data, padding.PKCS1v15(), hashes.SHA256())
    return algos.SignedDigestAlgorithm({"algorithm": "sha256_ecdsa"}), key.sign(data, ec.ECDSA(hashes.SHA256()))


def certificate(one: x509.Certificate) -> Any:
    """Return the certificate as asn1crypto has it."""
    return asn1_x509.Certificate.load(one.public_bytes(serialization.Encoding.DER))


def element(first: int, *contents: bytes) -> bytes:
    """Wrap DER elements in one with this first byte."""
    size = sum(map(len, contents))
    if size < 0x80:
        return b"".join((bytes((first, size)), *contents))
    width = (size.bit_length() + 7) // 8
    return b"".join((bytes((first, 0x80 | width)), size.to_bytes(width, "big"), *contents))


def sequence(*contents: bytes) -> bytes:
    """Wrap DER elements in a SEQUENCE."""
    return element(0x30, *contents)


def set_of(first: int, contents: Iterable[bytes]) -> bytes:
    """Wrap DER elements in a SET OF with this first byte: 0x31, or that of an implicit tag."""
    return element(first, *sorted(contents))


def oid(dotted: str) -> bytes:
    """Encode an OBJECT IDENTIFIER."""
    return bytes(core.ObjectIdentifier(dotted).dump())


def whole_second(moment: datetime) -> datetime:
    """Drop what GeneralizedTime of X.509 has no place for."""
    return moment.replace(microsecond=0)


def spoilt(signature: bytes) -> bytes:
    """Return a signature of the same length that does not hold."""
    return signature[:-1] + bytes([signature[-1] ^ 1])
