"""What a signature needs to be believed later, when nobody can be asked any more. Data alone: nothing is judged here.

Standard: ETSI EN 319 132-1 §5.4 (CertificateValues, RevocationValues); RFC 6960; RFC 5280; RFC 3161
Requirement: S0.10
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Evidence:
    """Validation material, every item in DER, in the order in which it was found, none twice."""

    certificates: tuple[bytes, ...] = field(default=(), repr=False)
    ocsp_responses: tuple[bytes, ...] = field(default=(), repr=False)
    """Whole `OCSPResponse` values, as an `EncapsulatedOCSPValue` holds them."""
    crls: tuple[bytes, ...] = field(default=(), repr=False)
    timestamps: tuple[bytes, ...] = field(default=(), repr=False)
    """`TimeStampToken` values (CMS ContentInfo), without the response around them."""
    records: tuple[bytes, ...] = field(default=(), repr=False)
    """`EvidenceRecord` values (RFC 4998): archive time stamps over a file and what is kept beside it."""

    def __add__(self, other: Evidence) -> Evidence:
        """Return both together; what both hold stands once, where it stood first."""
        return Evidence(
            _union(self.certificates, other.certificates),
            _union(self.ocsp_responses, other.ocsp_responses),
            _union(self.crls, other.crls),
            _union(self.timestamps, other.timestamps),
            _union(self.records, other.records),
        )

    @property
    def pieces(self) -> tuple[bytes, ...]:
        """Everything that an evidence record may be over."""
        return (*self.certificates, *self.ocsp_responses, *self.crls, *self.timestamps)

    def within(self, level: str) -> Evidence:
        """Return what a signature of this level holds: nothing, the time stamps, or all when there is a time stamp."""
        if level == "B-B" or not self.timestamps:
            return Evidence()
        return Evidence(timestamps=self.timestamps) if level == "B-T" else self


def _union(first: tuple[bytes, ...], second: tuple[bytes, ...]) -> tuple[bytes, ...]:
    return tuple(dict.fromkeys((*first, *second)))
