"""What one OCSP response or CRL says about one certificate. Data alone.

Standard: RFC 6960 §4.2; RFC 5280 §5
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from cryptography import x509


@dataclass(frozen=True)
class Answer:
    source: Literal["ocsp", "crl"]
    status: Literal["good", "revoked", "unknown"]
    this_update: datetime
    next_update: datetime | None
    revoked_at: datetime | None = None
    reason: x509.ReasonFlags | None = None
    der: bytes = field(default=b"", repr=False)
    reasons: frozenset[x509.ReasonFlags] | None = None
    """For which reasons of revocation it speaks; None for all of them."""
    keeps_ended_since: datetime | None = None
    """Certificates that ended after this are still listed (archive cutoff, expiredCertsOnCRL); None: until their end."""
