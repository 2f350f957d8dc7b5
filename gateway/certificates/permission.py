"""Whether a certificate may sign now, and whether it could then.

Requirement: S0.3, S0.7, S0.9
"""

from __future__ import annotations

from sqlalchemy.engine import Connection

from gateway.clock import to_datetime
from gateway.faults import (
    CertificateExpired,
    CertificateNotActive,
    CertificateOfAnother,
    CertificateSuspended,
    CertificateUnregistered,
    CertificateWithdrawn,
    RoleNotHeld,
)
from gateway.store import certificates as rows

_SHOWN = 16


def may_sign(
    connection: Connection, certificate_fingerprint: str, at: int, *, holder: str = "", role: str = ""
) -> None:
    """Raise unless this certificate may sign at `at`, which is now: for `holder` (a staff code) and in `role`, if given.

    `certificate_fingerprint` is SHA-256 of the DER certificate in hexadecimal. Call it in the transaction that keeps the
    signature: nobody suspends or revokes the certificate between the answer and the commit.

    Raises CertificateUnregistered, CertificateWithdrawn, CertificateSuspended, CertificateNotActive, CertificateExpired,
    CertificateOfAnother, RoleNotHeld.
    """
    row = rows.by_fingerprint(connection, certificate_fingerprint.lower())
    if row is None:
        raise CertificateUnregistered(detail=certificate_fingerprint[:_SHOWN])
    where = row.id
    match row.state:
        case "revoked":
            raise CertificateWithdrawn(where, _said("since", row.revoked_at))
        case "suspended":
            raise CertificateSuspended(where, _said("since", row.state_since))
        case "expired":
            raise CertificateExpired(where, _said("since", row.not_after))
        case "active":
            pass
        case state:
            raise CertificateNotActive(where, state)
    if at > row.not_after:
        raise CertificateExpired(where, _said("since", row.not_after))
    if at < row.not_before:
        raise CertificateNotActive(where, _said("valid from", row.not_before))
    if holder and holder != row.holder_code:
        raise CertificateOfAnother(where)
    if role and role not in row.holder_roles.split():
        raise RoleNotHeld(where, role)


def state_at(connection: Connection, certificate_fingerprint: str, at: int) -> str:
    """Return the state that a certificate was in at an instant, as is known today; `""` before it was requested.

    A signature of an instant at which it was `active` stays valid, whatever became of the certificate later. A revocation
    counts from the instant it takes effect, which may lie before the day on which it was written down.
    """
    row = rows.by_fingerprint(connection, certificate_fingerprint.lower())
    if row is None:
        return ""
    if row.revoked_at is not None and at >= row.revoked_at:
        return "revoked"
    past = [
        event
        for event in rows.events(connection, certificate_id=row.id)
        if event.state and event.state != "revoked" and event.effective_at <= at
    ]
    last = max(past, key=lambda event: (event.effective_at, event.id), default=None)
    if last is None:
        return ""
    return "expired" if at > row.not_after else str(last.state)


def _said(word: str, instant: int) -> str:
    return f"{word} {to_datetime(instant):%Y-%m-%dT%H:%MZ}"
