"""Is a signature provable for good: what has to be known of its certificates once it has a time stamp. Pure.

A signature counts from its time stamp on, so its certificates have to have been good *then*, by the word of their issuers
given *after* that: a time stamp of 14:00 proves nothing when the certificate was revoked at noon.

Not here: asking (`timestamp`, `revocation_client`), putting in (`joint`), the verdict on a file (`validation`).

Standard: ETSI EN 319 102-1 §5.5 (signature augmentation), §5.2.5 (grace period)
Requirement: S0.5, S0.10
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from signing import certificates, revocation, timestamp_token
from signing.evidence import Evidence
from signing.faults import CertificateExpired, ProofNotOffered, ProofPending, SignatureUnprovable, TimestampInvalid
from signing.timestamp_token import Token


def signer_chain(
    evidence: Evidence, roots: Sequence[x509.Certificate], stamped_at: datetime
) -> tuple[x509.Certificate, ...]:
    """Return the chain of the signer, whose certificate is the first of `evidence`, as it was when the stamp was made.

    Raises SignatureUnprovable when the certificate had ended by then, CertificateUntrusted.
    """
    leaf, *others = [certificates.from_der(der) for der in evidence.certificates]
    try:
        return certificates.require_trusted(leaf, others, roots, stamped_at)
    except CertificateExpired as problem:
        raise SignatureUnprovable("signer certificate", f"had ended; {problem.detail}") from problem


def require_good(
    chain: Sequence[x509.Certificate], evidence: Evidence, at: datetime, since: datetime, now: datetime
) -> None:
    """Raise unless issuers said at `since` or later that every certificate of `chain` was good at `at`.

    Raises SignatureUnprovable, ProofPending (transient), ProofNotOffered.
    """
    for certificate, issuer in itertools.pairwise(chain):
        where = "signer certificate" if certificate == chain[0] else "issuer certificate"
        found = revocation.standing(certificate, issuer, evidence, at, now)
        if found.status in ("revoked", "suspended"):
            said = f"{found.status} {found.revoked_at:%Y-%m-%d %H:%M} UTC, time stamp {at:%Y-%m-%d %H:%M} UTC"
            raise SignatureUnprovable(where, said)
        if not revocation.names_a_service(certificate):
            raise ProofNotOffered(where, f"issued by {certificates.signer_of(certificate).issuer}")
        if found.status == "unknown" or found.known_at is None:
            raise ProofPending(where, found.fault.detail if found.fault is not None else "")
        if found.known_at < since:
            raise ProofPending(where, f"{found.source} of {found.known_at:%Y-%m-%d %H:%M} UTC is older than the stamp")


def stamp_chain(token: Token, roots: Sequence[x509.Certificate]) -> tuple[x509.Certificate, ...]:
    """Return the chain of a time stamp's authority; raise TimestampInvalid."""
    return timestamp_token.require_authority(token, roots)


def require_good_authority(
    chain: Sequence[x509.Certificate], evidence: Evidence, at: datetime, since: datetime, now: datetime
) -> None:
    """Do for the authority of a stamp as `require_good` does; one that names no place to ask passes.

    Raises TimestampInvalid when it was revoked, ProofPending.
    """
    try:
        require_good(chain, evidence, at, since, now)
    except SignatureUnprovable as problem:
        raise TimestampInvalid("certificate", problem.detail) from problem
    except ProofNotOffered:
        pass


def der(chain: Sequence[x509.Certificate]) -> tuple[bytes, ...]:
    """Return the certificates as evidence holds them."""
    return tuple(one.public_bytes(Encoding.DER) for one in chain)
