"""JOSE's signature algorithms: which key each one fits, and whether a signature holds.

None of those with a shared secret, and not `none`: who can verify must not be able to sign.

Standard: RFC 7518 §3.1, §3.3–§3.5
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import (
    Prehashed,
    decode_dss_signature,
    encode_dss_signature,
)

from signing.faults import KeyUnsuitable

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@dataclass(frozen=True)
class Algorithm:
    name: str
    hash: hashes.HashAlgorithm
    scheme: Literal["pkcs1", "pss", "ecdsa"]
    curve: type[ec.EllipticCurve] | None = None

    def fits(self, key: PublicKey) -> bool:
        """Tell whether this is an algorithm for such a key."""
        if isinstance(key, rsa.RSAPublicKey):
            return self.curve is None
        return self.curve is not None and isinstance(key.curve, self.curve)

    def digest(self, data: bytes) -> bytes:
        """Hash `data`."""
        hasher = hashes.Hash(self.hash)
        hasher.update(data)
        return hasher.finalize()

    def sign_digest(self, key: PrivateKey, digest: bytes) -> bytes:
        """Sign a hash with a key in memory; an ECDSA signature is r and s, one after the other."""
        if isinstance(key, rsa.RSAPrivateKey):
            return key.sign(digest, self._padding(), Prehashed(self.hash))
        return joined(key.sign(digest, ec.ECDSA(Prehashed(self.hash))), key.public_key())

    def holds(self, key: PublicKey, signature: bytes, data: bytes) -> bool:
        """Tell whether `key` made `signature` over `data`. An ECDSA signature is r and s, one after the other."""
        return self.holds_digest(key, signature, self.digest(data))

    def holds_digest(self, key: PublicKey, signature: bytes, digest: bytes) -> bool:
        """Tell whether `key` made `signature` over what has this hash."""
        try:
            if isinstance(key, rsa.RSAPublicKey):
                key.verify(signature, digest, self._padding(), Prehashed(self.hash))
            else:
                size = (key.curve.key_size + 7) // 8
                if len(signature) != 2 * size:
                    return False
                r, s = int.from_bytes(signature[:size]), int.from_bytes(signature[size:])
                key.verify(encode_dss_signature(r, s), digest, ec.ECDSA(Prehashed(self.hash)))
        except InvalidSignature:
            return False
        return True

    def _padding(self) -> padding.AsymmetricPadding:
        if self.scheme == "pkcs1":
            return padding.PKCS1v15()
        return padding.PSS(padding.MGF1(self.hash), self.hash.digest_size)


ALGORITHMS: Mapping[str, Algorithm] = {
    algorithm.name: algorithm
    for algorithm in (
        Algorithm("RS256", hashes.SHA256(), "pkcs1"),
        Algorithm("RS384", hashes.SHA384(), "pkcs1"),
        Algorithm("RS512", hashes.SHA512(), "pkcs1"),
        Algorithm("PS256", hashes.SHA256(), "pss"),
        Algorithm("PS384", hashes.SHA384(), "pss"),
        Algorithm("PS512", hashes.SHA512(), "pss"),
        Algorithm("ES256", hashes.SHA256(), "ecdsa", ec.SECP256R1),
        Algorithm("ES384", hashes.SHA384(), "ecdsa", ec.SECP384R1),
    )
}
"""The first that fits a key is the one it signs with unless another is asked for."""


def joined(signature: bytes, key: ec.EllipticCurvePublicKey) -> bytes:
    """Turn a DER ECDSA signature into r and s, one after the other; raise ValueError for other bytes."""
    size = (key.curve.key_size + 7) // 8
    r, s = decode_dss_signature(signature)
    return r.to_bytes(size) + s.to_bytes(size)


def names_for(key: PublicKey) -> tuple[str, ...]:
    """Name every algorithm for such a key, its usual one first."""
    return tuple(name for name, algorithm in ALGORITHMS.items() if algorithm.fits(key))


def one_of(names: tuple[str, ...], name: str, digests: Iterable[bytes] = ()) -> Algorithm:
    """Give the algorithm called `name`, or the first of `names` for the empty name.

    Raises KeyUnsuitable when the key cannot do it, or when one of `digests` does not have the length of its hash.
    """
    chosen = name or names[0]
    if chosen not in names:
        raise KeyUnsuitable("alg", f"this key does {', '.join(names)}")
    algorithm = ALGORITHMS[chosen]
    for digest in digests:
        if len(digest) != algorithm.hash.digest_size:
            raise KeyUnsuitable("digest", f"{len(digest)} bytes for {chosen}")
    return algorithm


def algorithm_for(key: PublicKey, name: str = "") -> Algorithm:
    """Give the algorithm called `name`, or the usual one of the key; raise KeyUnsuitable when it does not fit."""
    wanted = [ALGORITHMS[name]] if name in ALGORITHMS else [] if name else list(ALGORITHMS.values())
    for algorithm in wanted:
        if algorithm.fits(key):
            return algorithm
    raise KeyUnsuitable("alg", "no algorithm for this key")
