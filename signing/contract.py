"""What a key is to those who sign: the same few words, whatever holds the key."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from cryptography import x509

from mappings.formats.faults import SigningFault


@dataclass(frozen=True)
class ToSign:
    """The hash of one document, and what a person who holds the key is shown before it is signed."""

    digest: bytes
    """Made with the hash of the algorithm asked for."""
    title: str = field(default="", repr=False)
    html: Callable[[], str] = field(default=str, repr=False)
    """Gives the paper as it is read; only providers with a person behind them ask for it."""


class KeyProvider(Protocol):
    """A private key that can be used but not seen. Implementations: `signing/keys/<kind>.py`.

    Constructing one may read a file or open a token; it is then used many times, from any thread.
    """

    @property
    def chain(self) -> tuple[x509.Certificate, ...]:
        """The signer's certificate first, then its issuers as far as known."""
        ...

    @property
    def algorithms(self) -> tuple[str, ...]:
        """Names in `signing.algorithms.ALGORITHMS` that this key can do, the usual one first; never empty."""
        ...

    def sign(self, data: bytes, algorithm: str = "") -> bytes:
        """Return the signature over `data`; an ECDSA one is r and s, one after the other.

        `algorithm` is the usual one unless named. Raises KeyUnsuitable for one the key cannot do, KeyUnavailable (transient)
        when the device is away, NotAuthorised when the PIN or password is wrong, KeyLocked when it is not asked any more.
        """
        ...

    def sign_hashes(self, documents: Sequence[ToSign], algorithm: str = "") -> Iterator[bytes | SigningFault]:
        """Sign hashes under one authorisation, and give the signatures in the same order, each as soon as it is made.

        A document that alone is not signed is a fault in its place. When the key cannot go on the iterator raises what
        `sign` raises: the signatures given before are good. Closing the iterator stops the signing.
        """
        ...


@runtime_checkable
class OnDevice(Protocol):
    """What a provider is besides when its key is in a device that says which one it is."""

    @property
    def device(self) -> str:
        """The serial number that the device states, as it states it; empty when it states none."""
        ...


def device_of(key: KeyProvider) -> str:
    """Return the serial number that the device of a key states; empty when it states none."""
    return key.device if isinstance(key, OnDevice) else ""


@runtime_checkable
class Attended(Protocol):
    """What a provider is besides when some of its keys need a person at every signature."""

    def require_unattended(self) -> None:
        """Prove with one try that this key signs with nobody there; raise KeyMisconfigured, or what `sign` raises."""
        ...
