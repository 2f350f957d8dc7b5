"""What a key is to those who sign: one method, whatever holds the key."""

from __future__ import annotations

from typing import Protocol

from cryptography import x509


class KeyProvider(Protocol):
    """A private key that can be used but not seen. Implementations: `signing/keys/<kind>.py`.

    Constructing one may read a file or open a token; `sign` is then called many times.
    """

    chain: tuple[x509.Certificate, ...]
    """The signer's certificate first, then its issuers as far as known."""

    def sign(self, data: bytes) -> bytes:
        """Return the RSA PKCS#1 v1.5 signature with SHA-256 over `data`.

        Raises KeyUnavailable (transient) when the device is away, NotAuthorised when the PIN or password is wrong.
        """
        ...
