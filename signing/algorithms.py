"""JOSE's signature algorithms: which key each one fits, and whether a signature holds.

None of those with a shared secret, and not `none`: who can verify must not be able to sign.

Standard: RFC 7518 §3.1, §3.3–§3.5
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from signing.faults import KeyUnsuitable

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey


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

    def holds(self, key: PublicKey, signature: bytes, data: bytes) -> bool:
        """Tell whether `key` made `signature` over `data`. An ECDSA signature is r and s, one after the other."""
        try:
            if isinstance(key, rsa.RSAPublicKey):
                key.verify(signature, data, self._padding(), self.hash)
            else:
                size = (key.curve.key_size + 7) // 8
                if len(signature) != 2 * size:
                    return False
                r, s = int.from_bytes(signature[:size]), int.from_bytes(signature[size:])
                key.verify(encode_dss_signature(r, s), data, ec.ECDSA(self.hash))
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


def algorithm_for(key: PublicKey, name: str = "") -> Algorithm:
    """Give the algorithm called `name`, or the usual one of the key; raise KeyUnsuitable when it does not fit."""
    wanted = [ALGORITHMS[name]] if name in ALGORITHMS else [] if name else list(ALGORITHMS.values())
    for algorithm in wanted:
        if algorithm.fits(key):
            return algorithm
    raise KeyUnsuitable("alg", "no algorithm for this key")
