"""What verification says: one shape for every kind of file.

Data alone. `Held` is what a reader (XML, JSON, PDF) found mathematically sound; `Report` is what `validation` makes of it.

Requirement: S0.6, S3.9
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from cryptography import x509

from mappings.formats.faults import Fault, SigningFault
from signing.certificates import Signer
from signing.evidence import Evidence

Verdict = Literal["valid", "invalid", "undecided"]
DOCUMENT = "document"
"""The name of the part that is everything but the signatures."""

NO_REVOCATION_SERVICE = 5093
TIME_CLAIMED = 5094
TIME_MISSING = 5095
COMMENTS = 5096
STAMP_REVOCATION_UNKNOWN = 5097
STAMP_EXPIRED = 5098
JSON_UNPROTECTED = 5099
PDF_LAYERS = 5153
POLICY_UNKNOWN = 5202
SERIAL_DIFFERS = 5203


@dataclass(frozen=True)
class Reason:
    """Why a verdict is what it is, or a warning; texts are under `code` in the gateway's files."""

    code: int
    where: str = ""
    detail: str = ""

    @classmethod
    def of(cls, fault: Fault) -> Reason:
        """Tell a fault."""
        return cls(fault.code, fault.where, fault.detail)


@dataclass(frozen=True)
class Covered:
    """Bytes that a signature vouches for; act on these and never on the file."""

    part: str
    """`DOCUMENT`, an element's name, a file's name, `signature <Id>` when another signature is confirmed, or `revision k of n`
    of a PDF when somebody has signed after this signer."""
    data: bytes = field(repr=False)


@dataclass(frozen=True)
class Stamped:
    """A time stamp that a reader found, and the bytes that it has to be of."""

    token: bytes = field(repr=False)
    octets: bytes = field(repr=False)


@dataclass(frozen=True)
class NamedPolicy:
    """A signature policy that a signature says it follows."""

    identifier: str
    digest_method: str = ""
    digest: bytes = field(default=b"", repr=False)
    whole: bool = True
    """The hash is of the document as it is, not of a form of it."""
    implied: bool = False
    """Only said to follow from the context."""
    document: bytes = field(default=b"", repr=False)
    """What the signature carries as the policy's document."""


@dataclass(frozen=True)
class Held:
    """A signature whose mathematics holds; nothing is said about its certificate yet."""

    where: str
    form: Literal["XMLDSig", "XAdES", "JWS", "PAdES", "PKCS7", "envelope"]
    leaf: x509.Certificate
    others: tuple[x509.Certificate, ...] = field(repr=False)
    covers: tuple[Covered, ...]
    claimed_at: datetime | None = None
    stamps: tuple[Stamped, ...] = ()
    archive_stamps: tuple[Stamped, ...] = ()
    evidence: Evidence = field(default_factory=Evidence)
    warnings: tuple[Reason, ...] = ()
    countersigned: tuple[Held | SigningFault, ...] = ()
    value: bytes = field(default=b"", repr=False)
    """What a time stamp of the signature that is kept outside the file is of; empty where there are none."""
    doubts: tuple[SigningFault, ...] = ()
    """Why who reads the file instead of `covers` could take it for something else; such a file is not valid."""
    policy: NamedPolicy | None = None


@dataclass(frozen=True)
class Signed:
    """One signature, judged."""

    where: str
    verdict: Verdict
    reasons: tuple[Reason, ...]
    signer: Signer
    at: datetime
    """The moment of signing for which the certificates were judged."""
    at_is: Literal["stamped", "claimed", "unknown"]
    """How sure that moment is; `unknown` is the moment of verification."""
    claimed_at: datetime | None
    level: str
    """XAdES and PAdES: `B-B`, `B-T`, `B-LT`, `B-LTA`; else the form, such as `XMLDSig`."""
    revocation: Literal["good", "revoked", "suspended", "unknown", "not offered"]
    covers: tuple[Covered, ...]
    chain: tuple[x509.Certificate, ...] = field(default=(), repr=False)
    evidence: Evidence = field(default_factory=Evidence)
    """What the judgement stands on: keep it with the document."""
    warnings: tuple[Reason, ...] = ()
    stamps_until: datetime | None = None
    """When the certificates of its last time stamp end, archive time stamps included; None without any."""
    policy: str | None = None
    """Identifier of the signature policy that the signer named; `implied` without one, None when none was named."""


@dataclass(frozen=True)
class Report:
    """The verdict on one file."""

    verdict: Verdict
    reasons: tuple[Reason, ...] = ()
    signers: tuple[Signed, ...] = ()
    covers: tuple[Covered, ...] = ()
    """What all signatures together vouch for; empty unless the verdict is `valid`."""
    warnings: tuple[Reason, ...] = ()

    @property
    def data(self) -> bytes | None:
        """The verified document; None when the verdict is not `valid` or the signatures are of parts or files."""
        return next((one.data for one in self.covers if one.part == DOCUMENT), None)


def report(judged: Report) -> dict[str, Any]:
    """Return the facts, JSON-shaped; the signed content itself is left out. Texts for people are the caller's."""
    return {
        "verdict": judged.verdict,
        "reasons": [_reason(one) for one in judged.reasons],
        "signers": [_signer(one) for one in judged.signers],
        "covers": [_covered(one) for one in judged.covers],
        "warnings": [_reason(one) for one in judged.warnings],
    }


def _reason(reason: Reason) -> dict[str, Any]:
    return {"code": f"LT{reason.code:04d}", "where": reason.where, "detail": reason.detail}


def _covered(covered: Covered) -> dict[str, Any]:
    digest = hashlib.sha256(covered.data).hexdigest()
    return {"part": covered.part, "bytes": len(covered.data), "sha256": digest}


def _signer(signed: Signed) -> dict[str, Any]:
    signer = signed.signer
    return {
        "where": signed.where,
        "verdict": signed.verdict,
        "reasons": [_reason(one) for one in signed.reasons],
        "name": signer.name,
        "title": signer.title,
        "organisation": signer.organisation,
        "identifier": signer.identifier,
        "serial": signer.serial,
        "certificate": {
            "issuer": signer.issuer,
            "not_before": signer.not_before.isoformat(),
            "not_after": signer.not_after.isoformat(),
            "sha256": signer.sha256,
        },
        "time": signed.at.isoformat(),
        "time_is": signed.at_is,
        "claimed_time": None if signed.claimed_at is None else signed.claimed_at.isoformat(),
        "level": signed.level,
        "revocation": signed.revocation,
        "stamps_until": None if signed.stamps_until is None else signed.stamps_until.isoformat(),
        "policy": signed.policy,
        "covers": [_covered(one) for one in signed.covers],
        "warnings": [_reason(one) for one in signed.warnings],
    }
