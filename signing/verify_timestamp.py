"""Judge a time stamp token: is it of these bytes, and did a trusted authority make it?

Strict on purpose: one signer, named by its certificate's hash; SHA-256 or better; the authority's certificate is for time
stamps and nothing else, and was valid when the stamp was made (`timestamp_token`).

Not here: fetching tokens, revocation of the authority (`validation`).

Standard: RFC 3161 §2.4.2; RFC 5652 §5.4; RFC 5816; ETSI EN 319 422
Requirement: S0.5, S0.10
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cryptography import x509

from signing import timestamp_token
from signing.faults import TimeStampInvalid, TimestampInvalid, TimeStampUntrusted
from signing.verdict import Stamped


@dataclass(frozen=True)
class Stamp:
    """A time stamp that holds."""

    at: datetime
    chain: tuple[x509.Certificate, ...] = field(repr=False)
    """The authority's certificate up to a configured root."""
    policy: str
    serial: int
    token: bytes = field(repr=False)


def of(octets: bytes, tokens: Iterable[bytes]) -> tuple[Stamped, ...]:
    """Return those of `tokens` that say that they stamp `octets`; whether they hold is told by `check`."""
    return tuple(Stamped(token, octets) for token in tokens if octets and timestamp_token.names(token, octets))


def check(
    token: bytes, octets: bytes, roots: Sequence[x509.Certificate], others: Sequence[x509.Certificate] = ()
) -> Stamp:
    """Return what `token` says about `octets`.

    `others` are certificates that may be needed for the chain. Raises TimeStampInvalid (of something else, broken, weak) and
    TimeStampUntrusted (no chain to one of `roots` at the moment of the stamp).
    """
    try:
        read = timestamp_token.read(token, others)
        timestamp_token.require_imprint(read, octets)
    except TimestampInvalid as problem:
        raise TimeStampInvalid("time stamp", problem.detail) from problem
    try:
        chain = timestamp_token.require_authority(read, roots, others)
    except TimestampInvalid as problem:
        raise TimeStampUntrusted("time stamp", problem.detail) from problem
    return Stamp(read.at.astimezone(UTC), chain, read.policy, read.serial, token)
