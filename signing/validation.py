"""Give the verdict on a signed file: valid, invalid or undecided, with reasons, signers and what is covered.

The one door for those who verify. Certificates are judged at the moment of signing: that of the time stamp when there is
one, else the moment that the signer claims, with a warning, else the moment of verification, with a warning. Without a time
stamp a certificate that has ended since proves nothing any more: undecided.

Pure but for `Trust.ask`: with material at hand (levels LT and LTA, evidence kept elsewhere) nothing is asked, and the result
is the same in ten years.

Not here: mathematics (`verify_xml`, `verify_jws`, `verify_pdf`), the policy of a paper (who had to sign, in which order).

Standard: ETSI EN 319 102-1 §5; RFC 5280 §6; Thông tư 15/2025/TT-BKHCN App. II
Requirement: S0.6, S0.9, S0.10, S3.9
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Literal, Protocol

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from mappings.formats.faults import SigningFault
from signing import (
    certificates,
    evidence_record,
    revocation,
    verdict,
    verify_envelope,
    verify_nested,
    verify_policy,
    verify_provenance,
    verify_timestamp,
    verify_xml,
)
from signing.evidence import Evidence
from signing.faults import (
    CertificateRevoked,
    CertificateSuspended,
    CertificateUntrusted,
    KindUnknown,
    NotSigned,
    PolicyContradicted,
    PolicyUnknown,
    ProofMissing,
    RevocationUnknown,
    SignatureInvalid,
    TimeStampInvalid,
    TimeStampUntrusted,
    Undecided,
)
from signing.revocation import SKEW, Standing
from signing.verdict import Held, Reason, Report, Signed, Verdict
from signing.verify_envelope import Envelope
from signing.verify_timestamp import Stamp

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_PDF_MARK = 1024
"""Within so many bytes a viewer looks for the mark of a PDF."""


class Issuers(Protocol):
    """Somebody who can ask issuers now; `revocation_client.RevocationClient` is one."""

    def collect(self, chain: Sequence[x509.Certificate]) -> Evidence:
        """Return answers about every certificate of `chain` but the last."""
        ...

    def failure(self, certificate: x509.Certificate) -> RevocationUnknown | None:
        """Return why nothing was learned about `certificate`."""
        ...


@dataclass(frozen=True)
class Trust:
    """On whose word a verdict stands."""

    roots: Sequence[x509.Certificate]
    stamp_roots: Sequence[x509.Certificate] = ()
    """Roots of time stamp authorities; `roots` when empty."""
    evidence: Evidence = field(default_factory=Evidence)
    """Material that was kept outside the file."""
    ask: Issuers | None = None
    """None: offline."""
    sealers: Sequence[x509.Certificate] = ()
    """Certificates whose holders sign without putting them into the file: envelopes of the data axis."""
    policies: Mapping[str, bytes] | None = None
    """Documents of the signature policies that count, by identifier or file name; None: any policy does, with a warning."""


def validate(
    data: bytes, trust: Trust, now: datetime | None = None, files: Mapping[str, bytes] | None = None
) -> Report:
    """Judge a signed file as of `now` (an aware instant; the clock's when None). Never raises for what is in the file.

    XML (plain, XAdES, GIAMDINHHS), FHIR JSON and PDF are told apart by their first bytes. `files` are what a detached signature
    refers to, by URI. One signature that does not hold makes the whole file invalid.
    """
    moment = (now or datetime.now(UTC)).astimezone(UTC)
    try:
        held = _read(data, files or {}, trust.sealers)
    except SigningFault as fault:
        return Report(_verdict([fault]), (Reason.of(fault),))
    records = evidence_record.find(trust.evidence, data)
    if records != evidence_record.Found():
        trust = replace(trust, evidence=trust.evidence + records.evidence)
        held = [_archived(one, records) if isinstance(one, Held) else one for one in held]
    return judge(held, trust, moment)


def _archived(held: Held, records: evidence_record.Found) -> Held:
    """Add what evidence records say of the file in which a signature stands."""
    stamps, doubts = (*held.archive_stamps, *records.stamps), (*held.doubts, *records.faults)
    return replace(held, archive_stamps=stamps, doubts=doubts)


def judge(held: Sequence[Held | SigningFault], trust: Trust, now: datetime) -> Report:
    """Judge what a reader found in one file; for readers of other kinds."""
    signers: list[Signed] = []
    faults: list[Reason] = []
    verdicts: list[Verdict] = []
    for one in _flattened(held):
        if isinstance(one, Held):
            signed = _judge(one, trust, now)
            signers.append(signed)
            verdicts.append(signed.verdict)
            faults += signed.reasons
        else:
            faults.append(Reason.of(one))
            verdicts.append(_verdict([one]))
    said: Verdict = "invalid" if "invalid" in verdicts else "undecided" if "undecided" in verdicts else "valid"
    covers = {one.part: one for signed in signers for one in signed.covers}
    return Report(
        said,
        tuple(dict.fromkeys(faults)),
        tuple(signers),
        tuple(covers.values()) if said == "valid" else (),
        tuple(dict.fromkeys(warning for signed in signers for warning in signed.warnings)),
    )


def _read(
    data: bytes, files: Mapping[str, bytes], sealers: Sequence[x509.Certificate]
) -> Sequence[Held | SigningFault]:
    start = data.removeprefix(_BYTE_ORDER_MARK).lstrip()[:5]
    if start.startswith(b"{"):
        envelope = verify_envelope.find(data)
        return verify_provenance.read(data, files) if envelope is None else [*_sealed(envelope, sealers)]
    if start.startswith(b"<") or data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return [*verify_xml.read(data, files), *verify_nested.read(data)]
    if b"%PDF-" in data[:_PDF_MARK]:
        from signing import verify_pdf  # only now: the library behind it is slow to load

        return verify_pdf.read(data)
    raise KindUnknown("file", f"{len(data)} bytes")


def _sealed(envelope: Envelope, sealers: Sequence[x509.Certificate]) -> Iterable[Held | SigningFault]:
    """Give what seals the envelope, and the signatures of the paper in it."""
    try:
        yield verify_envelope.read(envelope, sealers)
    except SigningFault as fault:
        yield fault
    try:
        inside = _read(envelope.content, {}, ()) if envelope.content else ()
    except (NotSigned, KindUnknown):
        return  # a picture, a paper that nobody signed: the envelope vouches for it
    except SigningFault as fault:
        inside = [fault]
    for one in inside:
        if isinstance(one, Held):
            yield replace(one, where=f"data: {one.where}")
        else:
            yield type(one)(f"data: {one.where}", one.detail)


def _flattened(held: Iterable[Held | SigningFault]) -> Iterable[Held | SigningFault]:
    for one in held:
        yield one
        if isinstance(one, Held):
            yield from _flattened(one.countersigned)


def _verdict(faults: Sequence[SigningFault]) -> Verdict:
    if not faults:
        return "valid"
    return "undecided" if all(isinstance(one, Undecided) for one in faults) else "invalid"


# ---- one signature ----


@dataclass
class _Case:
    """The judgement of one signature, while it is made."""

    held: Held
    trust: Trust
    now: datetime
    evidence: Evidence
    """What the file and the store hold, and what was asked since."""
    faults: list[SigningFault] = field(default_factory=list)
    warnings: list[Reason] = field(default_factory=list)
    stamps_until: datetime | None = None

    @property
    def at_hand(self) -> list[x509.Certificate]:
        """Certificates that may be part of a chain."""
        found = [*self.held.others]
        for der in self.evidence.certificates:
            try:
                found.append(certificates.from_der(der))
            except ValueError:
                continue  # not a certificate: nothing that a chain could use
        return list(dict.fromkeys(one for one in found if one != self.held.leaf))


def _standing(
    case: _Case, certificate: x509.Certificate, issuer: x509.Certificate, at: datetime, evidence: Evidence | None = None
) -> Standing:
    """Ask all that is at hand, or `evidence`, about `certificate`; other keys of an issuer may have sealed its lists."""
    material = case.evidence if evidence is None else evidence
    roots = (*case.trust.roots, *case.trust.stamp_roots)
    signers = revocation.list_signers(case.at_hand, roots, material, at, case.now) if material.crls else []
    return revocation.standing(certificate, issuer, material, at, case.now, signers)


def _judge(held: Held, trust: Trust, now: datetime) -> Signed:
    kept = verify_timestamp.of(held.value, trust.evidence.timestamps)
    held = replace(held, stamps=tuple(dict.fromkeys((*held.stamps, *kept))))
    case = _Case(held, trust, now, held.evidence + trust.evidence, list(held.doubts), list(held.warnings))
    stamps = _stamps(case)
    at, at_is = _moment(case, stamps)
    chain: tuple[x509.Certificate, ...] = ()
    standing: Literal["good", "revoked", "suspended", "unknown", "not offered"] = "unknown"
    embedded = False
    try:
        chain = _chain(case, at, at_is)
        embedded = not case.faults and bool(stamps) and _is_known(case, chain, at, held.evidence)
        standing = _revocation(case, chain, at, at_is)
    except SigningFault as fault:
        case.faults.append(fault)
    archived = _archive(case, stamps)
    _policy(case)
    named = held.policy
    return Signed(
        where=held.where,
        verdict=_verdict(case.faults),
        reasons=tuple(Reason.of(one) for one in case.faults),
        signer=certificates.signer_of(held.leaf),
        at=at,
        at_is=at_is,
        claimed_at=held.claimed_at,
        level=_level(held, stamps, embedded, archived),
        revocation=standing,
        covers=held.covers,
        chain=chain,
        evidence=_kept(case, chain),
        warnings=tuple(dict.fromkeys(case.warnings)),
        stamps_until=case.stamps_until,
        policy=None if named is None else "implied" if named.implied else named.identifier,
    )


def _policy(case: _Case) -> None:
    try:
        unknown = case.held.policy and verify_policy.check(case.held.policy, case.trust.policies)
    except (PolicyContradicted, PolicyUnknown) as fault:
        case.faults.append(fault)
    else:
        case.warnings += [unknown] if unknown else []


def _stamps(case: _Case) -> list[Stamp]:
    """Return the signature's time stamps that hold, earliest first; one of something else is a fault."""
    good: list[Stamp] = []
    untrusted: list[TimeStampUntrusted] = []
    roots = case.trust.stamp_roots or case.trust.roots
    for one in case.held.stamps:
        try:
            stamp = verify_timestamp.check(one.token, one.octets, roots, case.at_hand)
            _require_past(stamp, case.now)
            _stamp_revocation(case, stamp)
            good.append(stamp)
        except TimeStampUntrusted as fault:
            untrusted.append(fault)
        except TimeStampInvalid as fault:
            case.faults.append(fault)
    if good:
        case.warnings += [Reason.of(fault) for fault in untrusted]
    else:
        case.faults += untrusted
    return sorted(good, key=lambda stamp: stamp.at)


def _require_past(stamp: Stamp, now: datetime) -> None:
    if stamp.at > now + SKEW:
        raise TimeStampInvalid("time stamp", f"from the future: {stamp.at:%Y-%m-%d %H:%M} UTC")


def _stamp_revocation(case: _Case, stamp: Stamp) -> None:
    """Raise TimeStampUntrusted when the authority's certificate was revoked; warn when nobody can say."""
    for certificate, issuer in itertools.pairwise(stamp.chain):
        found = _standing(case, certificate, issuer, stamp.at)
        if found.status == "unknown" and case.trust.ask is not None and revocation.names_a_service(certificate):
            case.evidence += case.trust.ask.collect([certificate, issuer])
            found = _standing(case, certificate, issuer, stamp.at)
        if found.status in ("revoked", "suspended"):
            raise TimeStampUntrusted("time stamp", "its authority's certificate was revoked")
        if found.compromised:
            raise TimeStampUntrusted("time stamp", "its authority's key is in other hands")
        if found.status == "unknown" and revocation.names_a_service(certificate):
            case.warnings.append(Reason(verdict.STAMP_REVOCATION_UNKNOWN))


def _moment(case: _Case, stamps: Sequence[Stamp]) -> tuple[datetime, Literal["stamped", "claimed", "unknown"]]:
    claimed = case.held.claimed_at
    if claimed is not None and claimed > case.now + SKEW:
        case.faults.append(SignatureInvalid("SigningTime", f"in the future: {claimed:%Y-%m-%d %H:%M} UTC"))
        return case.now, "unknown"
    if stamps:
        if claimed is not None and claimed > stamps[0].at + SKEW:
            case.faults.append(TimeStampInvalid("time stamp", "older than the signature says it is"))
        return stamps[0].at, "stamped"
    if claimed is not None:
        case.warnings.append(Reason(verdict.TIME_CLAIMED))
        return claimed, "claimed"
    case.warnings.append(Reason(verdict.TIME_MISSING))
    return case.now, "unknown"


def _chain(case: _Case, at: datetime, at_is: str) -> tuple[x509.Certificate, ...]:
    """Return the chain that was valid at `at`; without a time stamp it has to be valid still."""
    leaf, others, roots = case.held.leaf, case.at_hand, case.trust.roots
    if at_is == "unknown" and at > leaf.not_valid_after_utc:
        certificates.require_trusted(leaf, others, roots, leaf.not_valid_after_utc)
        raise ProofMissing("signer certificate", f"ended on {leaf.not_valid_after_utc:%Y-%m-%d}")
    chain = certificates.require_trusted(leaf, others, roots, at)
    if at_is == "claimed":
        try:
            certificates.require_trusted(leaf, others, roots, case.now)
        except CertificateUntrusted:
            end = min(one.not_valid_after_utc for one in chain)
            case.faults.append(ProofMissing("signer certificate", f"its chain ended on {end:%Y-%m-%d}"))
    return chain


def _is_known(case: _Case, chain: Sequence[x509.Certificate], at: datetime, evidence: Evidence) -> bool:
    """Tell whether the file itself holds what shows that every certificate was good."""
    pairs = list(itertools.pairwise(chain))
    return bool(pairs) and all(
        _standing(case, certificate, issuer, at, evidence).status == "good" for certificate, issuer in pairs
    )


def _revocation(
    case: _Case, chain: Sequence[x509.Certificate], at: datetime, at_is: str
) -> Literal["good", "revoked", "suspended", "unknown", "not offered"]:
    """Judge every certificate of the chain but its root; add faults and warnings."""
    said: list[Literal["good", "revoked", "suspended", "unknown", "not offered"]] = []
    pairs = list(itertools.pairwise(chain))
    known = [_standing(case, *pair, at) for pair in pairs]
    doubtful = at_is != "stamped" or any(one.status == "unknown" for one in known)
    if case.trust.ask is not None and doubtful and any(revocation.names_a_service(one) for one in chain[:-1]):
        case.evidence += case.trust.ask.collect(chain)
        known = [_standing(case, *pair, at) for pair in pairs]
    for (certificate, _), found in zip(pairs, known, strict=True):
        where = "signer certificate" if certificate == case.held.leaf else "issuer certificate"
        silent = found.status == "unknown" and not revocation.names_a_service(certificate)
        if silent and type(found.fault) is RevocationUnknown:
            case.warnings.append(Reason(verdict.NO_REVOCATION_SERVICE, where))
            said.append("not offered")
            continue
        said.append(found.status)
        _add_fault(case, where, certificate, found, at_is)
    order: tuple[Literal["revoked", "suspended", "unknown", "not offered"], ...]
    order = ("revoked", "suspended", "unknown", "not offered")
    return next((one for one in order if one in said), "good")


def _add_fault(case: _Case, where: str, certificate: x509.Certificate, found: Standing, at_is: str) -> None:
    since = "" if found.revoked_at is None else f"{found.revoked_at:%Y-%m-%d %H:%M} UTC {found.reason}".strip()
    if found.status == "revoked":
        case.faults.append(CertificateRevoked(where, since))
    elif found.status == "suspended":
        case.faults.append(CertificateSuspended(where, since))
    elif found.compromised and at_is != "stamped":
        case.faults.append(ProofMissing(where, since))
    elif found.status == "unknown":
        case.faults.append(_unknown(case, where, certificate, found))


def _unknown(case: _Case, where: str, certificate: x509.Certificate, found: Standing) -> RevocationUnknown:
    """Say why nobody knows: what came over the network says more than that nothing was at hand."""
    asked = case.trust.ask.failure(certificate) if case.trust.ask is not None else None
    if asked is not None and (found.fault is None or type(found.fault) is RevocationUnknown):
        return type(asked)(where, f"{asked.where} {asked.detail}")
    said = found.fault or RevocationUnknown()
    return type(said)(where, said.detail)


def _archive(case: _Case, stamps: Sequence[Stamp]) -> bool:
    """Check the archive time stamps, and how long the stamps last; tell whether there are any good.

    Each has to be made before the certificates of those before it ended; one that came too late makes nothing longer.
    """
    good: list[Stamp] = []
    roots = case.trust.stamp_roots or case.trust.roots
    for one in case.held.archive_stamps:
        try:
            stamp = verify_timestamp.check(one.token, one.octets, roots, case.at_hand)
            _require_past(stamp, case.now)
            _stamp_revocation(case, stamp)
            good.append(stamp)
        except TimeStampUntrusted as fault:
            case.warnings.append(Reason.of(fault))
        except TimeStampInvalid as fault:
            case.faults.append(fault)
    for stamp in (*stamps, *sorted(good, key=lambda stamp: stamp.at)):
        ends_at = min(one.not_valid_after_utc for one in stamp.chain)
        if case.stamps_until is None or stamp.at <= case.stamps_until:
            case.stamps_until = max(case.stamps_until or ends_at, ends_at)
    if case.stamps_until is not None and case.stamps_until < case.now:
        case.warnings.append(Reason(verdict.STAMP_EXPIRED))
    return bool(good)


def _level(held: Held, stamps: Sequence[Stamp], embedded: bool, archived: bool) -> str:
    if held.form not in ("XAdES", "PAdES"):
        return held.form
    if not stamps:
        return "B-B"
    if not embedded:
        return "B-T"
    return "B-LTA" if archived else "B-LT"


def _kept(case: _Case, chain: Sequence[x509.Certificate]) -> Evidence:
    """Return what the judgement stands on."""
    own = Evidence(certificates=tuple(one.public_bytes(Encoding.DER) for one in chain))
    tokens = tuple(one.token for one in (*case.held.stamps, *case.held.archive_stamps))
    return own + case.evidence + Evidence(timestamps=tokens)
