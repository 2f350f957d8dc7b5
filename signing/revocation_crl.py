"""What certificate revocation lists say about one certificate: complete, partitioned, indirect lists, lists of changes.

A list counts for a certificate when one of its distribution points (or, failing that, its issuer's name) leads to the list,
and when the certificate's issuer sealed it, or somebody for whom the caller vouches. A list of changes (delta) is read
together with a complete list that it continues.

Not here: fetching, whether an answer is fresh enough (`revocation`).

Standard: RFC 5280 §5, §6.3.3
Requirement: S0.9, S0.10
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TypeVar

from asn1crypto import core
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ObjectIdentifier

from signing import names, path
from signing.certificates import UNREADABLE
from signing.faults import RevocationMismatch, RevocationUnauthorised, RevocationUnknown
from signing.revocation_answer import Answer

E = TypeVar("E", bound=x509.ExtensionType)

Reasons = frozenset[x509.ReasonFlags]
EVERY_REASON: Reasons = frozenset(x509.ReasonFlags) - {
    x509.ReasonFlags.unspecified,
    x509.ReasonFlags.remove_from_crl,
}
_EXPIRED_ON_CRL = ObjectIdentifier("2.5.29.60")
_CRITICAL = b"\x01\x01\xff"


@dataclass(frozen=True)
class _List:
    """A list that may speak about a certificate, sealed by somebody who may seal it."""

    crl: x509.CertificateRevocationList
    der: bytes = field(repr=False)
    sealed_by: x509.Certificate
    point: x509.IssuingDistributionPoint | None
    reasons: Reasons | None
    """Which reasons it covers; None for all."""

    @property
    def base(self) -> int | None:
        """The number of the complete list that a list of changes continues."""
        found = _extension(self.crl, x509.DeltaCRLIndicator)
        return None if found is None else found.crl_number

    @property
    def number(self) -> int | None:
        found = _extension(self.crl, x509.CRLNumber)
        return None if found is None else found.crl_number


def answers(
    ders: Iterable[bytes],
    certificate: x509.Certificate,
    issuer: x509.Certificate,
    signers: Sequence[x509.Certificate] = (),
) -> Iterator[Answer | RevocationUnknown]:
    """Give what each list says about `certificate`, or why it says nothing; a list of changes with what it continues."""
    complete: list[_List] = []
    changes: list[_List] = []
    for der in ders:
        try:
            found = _read(der, certificate, issuer, signers)
        except RevocationUnknown as problem:
            yield problem
        except UNREADABLE:
            yield RevocationUnknown("crl", "cannot be read")
        else:
            (complete if found.base is None else changes).append(found)
    for one in complete:
        yield _told(one, certificate)
    for delta in changes:
        continued = [one for one in complete if _continues(delta, one)]
        yield _changed(delta, max(continued, key=lambda one: one.number or 0, default=None), certificate)


def read(der: bytes, certificate: x509.Certificate, issuer: x509.Certificate) -> Answer:
    """Read what one complete list says about `certificate`; raise a RevocationUnknown fault when it may not be used."""
    for answer in answers([der], certificate, issuer):
        if isinstance(answer, Answer):
            return answer
        raise answer
    raise AssertionError("unreachable")


def read_changes(der: bytes, complete: bytes, certificate: x509.Certificate, issuer: x509.Certificate) -> Answer:
    """Read what a list of changes to `complete` says about a certificate; raise a RevocationUnknown fault if nothing."""
    problem: RevocationUnknown | None = None
    for answer in answers([complete, der], certificate, issuer):
        if isinstance(answer, RevocationUnknown):
            problem = answer
        elif answer.der == der:
            return answer
    raise problem or RevocationUnknown("crl", "says nothing")


def addresses(certificate: x509.Certificate) -> tuple[str, ...]:
    """Return where lists for `certificate` are (cRLDistributionPoints)."""
    return _uris(_points(certificate))


def addresses_of_changes(certificate: x509.Certificate, complete: bytes) -> tuple[str, ...]:
    """Return where lists of what has changed since a complete list are (freshestCRL), by that list and by the certificate.

    Standard: RFC 5280 §5.2.6, §4.2.1.15
    """
    try:
        named = (
            _extension(x509.load_der_x509_crl(complete), x509.FreshestCRL),
            _extension(certificate, x509.FreshestCRL),
        )
    except UNREADABLE:
        return ()
    return tuple(dict.fromkeys(address for points in named for address in _uris(points or ())))


def _uris(points: Iterable[x509.DistributionPoint]) -> tuple[str, ...]:
    return tuple(
        name.value
        for point in points
        for name in point.full_name or ()
        if isinstance(name, x509.UniformResourceIdentifier)
    )


# ---- which lists count ----


def _read(
    der: bytes, certificate: x509.Certificate, issuer: x509.Certificate, signers: Sequence[x509.Certificate]
) -> _List:
    crl = x509.load_der_x509_crl(der)
    point = _extension(crl, x509.IssuingDistributionPoint)
    indirect = point is not None and point.indirect_crl
    own = names.same(crl.issuer, certificate.issuer)
    leading = [one for one in _leading_points(certificate) if _leads(one, crl, certificate, own=own, indirect=indirect)]
    if not leading and not own:
        raise RevocationUnknown("crl", "of another issuer")
    sealed_by = _require_seal(crl, [*([issuer] if own else []), *_may_seal(crl, issuer, signers, own=own)])
    _require_understood(crl)
    if point is not None:
        _require_kind(point, certificate)
        leading = [one for one in leading if _same_place(one, point, crl, certificate)]
    if not leading:
        raise RevocationMismatch("crl", "of another distribution point")
    covered = [one.reasons for one in leading]
    wanted: Reasons | None = None if None in covered else frozenset().union(*(one or () for one in covered))
    told = None if point is None else point.only_some_reasons
    reasons = told if wanted is None else wanted if told is None else wanted & told
    return _List(crl, der, sealed_by, point, reasons)


def _points(certificate: x509.Certificate) -> list[x509.DistributionPoint]:
    return list(_extension(certificate, x509.CRLDistributionPoints) or ())


def _leading_points(certificate: x509.Certificate) -> list[x509.DistributionPoint]:
    """Return the certificate's points and, last, the one to be assumed. Standard: RFC 5280 §6.3.3, at its end."""
    assumed = x509.DistributionPoint([x509.DirectoryName(certificate.issuer)], None, None, None)
    return [*_points(certificate), assumed]


def _leads(
    point: x509.DistributionPoint,
    crl: x509.CertificateRevocationList,
    certificate: x509.Certificate,
    *,
    own: bool,
    indirect: bool,
) -> bool:
    """Standard: RFC 5280 §6.3.3 (b)(1)."""
    if point.crl_issuer is None:
        return own
    return names.overlap(point.crl_issuer, [x509.DirectoryName(crl.issuer)]) and (indirect or own)


def _same_place(
    point: x509.DistributionPoint,
    scope: x509.IssuingDistributionPoint,
    crl: x509.CertificateRevocationList,
    certificate: x509.Certificate,
) -> bool:
    """Standard: RFC 5280 §6.3.3 (b)(2)(i)."""
    listed = _full(scope.full_name, scope.relative_name, crl.issuer)
    if not listed:
        return True
    above = next((n.value for n in point.crl_issuer or () if isinstance(n, x509.DirectoryName)), certificate.issuer)
    asked = _full(point.full_name, point.relative_name, above) or list(point.crl_issuer or ())
    return names.overlap(listed, asked)


def _full(
    full: Iterable[x509.GeneralName] | None, relative: x509.RelativeDistinguishedName | None, above: x509.Name
) -> list[x509.GeneralName]:
    if relative is not None:
        return [x509.DirectoryName(x509.Name([*above.rdns, relative]))]
    return list(full or ())


def _require_kind(point: x509.IssuingDistributionPoint, certificate: x509.Certificate) -> None:
    constraints = _extension(certificate, x509.BasicConstraints)
    authority = constraints is not None and constraints.ca
    wrong_kind = point.only_contains_user_certs if authority else point.only_contains_ca_certs
    if wrong_kind or point.only_contains_attribute_certs:
        raise RevocationMismatch("crl", "not a list of this kind of certificate")


def _require_understood(crl: x509.CertificateRevocationList) -> None:
    for extension in crl.extensions:
        if extension.critical and not isinstance(
            extension.value, x509.IssuingDistributionPoint | x509.DeltaCRLIndicator | x509.CRLNumber
        ):
            raise RevocationMismatch("crl", f"critical extension {extension.oid.dotted_string} is not understood")
    if _CRITICAL not in crl.tbs_certlist_bytes:
        return  # spares a walk through what may be a million entries
    for entry in crl:
        for one in entry.extensions:
            if one.critical and not isinstance(
                one.value, x509.CertificateIssuer | x509.CRLReason | x509.InvalidityDate
            ):
                raise RevocationMismatch("crl", "an entry that is not understood")


# ---- who sealed it ----


def _may_seal(
    crl: x509.CertificateRevocationList,
    issuer: x509.Certificate,
    signers: Sequence[x509.Certificate],
    *,
    own: bool,
) -> Iterator[x509.Certificate]:
    """Give those of `signers` that have the list's name: for the issuer's own list only its other keys."""
    for one in signers:
        by_itself = names.same(one.issuer, one.subject) or names.same(one.subject, issuer.issuer)
        another_key = by_itself or names.same(one.issuer, issuer.issuer)
        if one != issuer and names.same(one.subject, crl.issuer) and (another_key or not own):
            yield one


def _require_seal(crl: x509.CertificateRevocationList, candidates: Sequence[x509.Certificate]) -> x509.Certificate:
    if isinstance(crl.signature_hash_algorithm, path.WEAK):
        raise RevocationUnauthorised("crl", f"sealed with {crl.signature_hash_algorithm.name}")
    barred = False
    for one in candidates:
        key, usage = one.public_key(), _extension(one, x509.KeyUsage)
        if isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey) and crl.is_signature_valid(key):
            if usage is None or usage.crl_sign:
                return one
            barred = True
    raise RevocationUnauthorised("crl", "its issuer may not sign CRLs" if barred else "not sealed by the issuer")


# ---- what it says ----


def _told(found: _List, certificate: x509.Certificate) -> Answer:
    crl = found.crl
    entry = _entry(found, certificate)
    reason = _reason(entry)
    answer = Answer("crl", "good", crl.last_update_utc, crl.next_update_utc, der=found.der, reasons=found.reasons)
    answer = replace(answer, keeps_ended_since=_keeps_ended_since(crl))
    if entry is None or reason is x509.ReasonFlags.remove_from_crl:
        return answer
    return replace(answer, status="revoked", revoked_at=entry.revocation_date_utc, reason=reason)


def _continues(delta: _List, complete: _List) -> bool:
    """Tell whether `delta` lists what changed since `complete`. Standard: RFC 5280 §5.2.4."""
    return (
        delta.base is not None
        and complete.number is not None
        and delta.number is not None
        and delta.base <= complete.number < delta.number
        and names.same(delta.crl.issuer, complete.crl.issuer)
        and delta.point == complete.point
        and delta.sealed_by.public_key() == complete.sealed_by.public_key()
    )


def _changed(delta: _List, complete: _List | None, certificate: x509.Certificate) -> Answer | RevocationUnknown:
    answer = _told(delta, certificate)
    if answer.status == "revoked":
        return answer
    if complete is None:
        return RevocationMismatch("crl", "a list of changes, without the list that it continues")
    if _entry(delta, certificate) is not None:  # removed
        return answer
    before = _told(complete, certificate)
    return replace(before, this_update=answer.this_update, next_update=answer.next_update, der=delta.der)


def _entry(found: _List, certificate: x509.Certificate) -> x509.RevokedCertificate | None:
    """Find the certificate's entry; in an indirect list an entry is of the issuer that was named last before it."""
    if found.point is None or not found.point.indirect_crl:
        return found.crl.get_revoked_certificate_by_serial_number(certificate.serial_number)
    of: x509.Name = found.crl.issuer
    for entry in found.crl:
        named = _extension(entry, x509.CertificateIssuer)
        if named is not None:
            of = next((name.value for name in named if isinstance(name, x509.DirectoryName)), of)
        if entry.serial_number == certificate.serial_number and names.same(of, certificate.issuer):
            return entry
    return None


def _reason(entry: x509.RevokedCertificate | None) -> x509.ReasonFlags | None:
    found = None if entry is None else _extension(entry, x509.CRLReason)
    return None if found is None else found.reason


def _keeps_ended_since(crl: x509.CertificateRevocationList) -> datetime | None:
    """Return since when entries of certificates that have ended are kept. Standard: X.509 §9.5.2.8 (expiredCertsOnCRL)."""
    try:
        found = crl.extensions.get_extension_for_oid(_EXPIRED_ON_CRL).value
    except x509.ExtensionNotFound:
        return None
    return generalized_time(found.value) if isinstance(found, x509.UnrecognizedExtension) else None


def generalized_time(der: bytes) -> datetime | None:
    """Read a GeneralizedTime; None for what is none."""
    try:
        moment = core.GeneralizedTime.load(der, strict=True).native
    except (ValueError, TypeError):
        return None
    return moment.astimezone(UTC) if isinstance(moment, datetime) else None


def _extension(
    of: x509.Certificate | x509.CertificateRevocationList | x509.RevokedCertificate, kind: type[E]
) -> E | None:
    try:
        return of.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None
