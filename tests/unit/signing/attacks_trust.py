"""Attacks and failures around certificates, revocation and time stamps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from signing import faults
from signing.evidence import Evidence
from tests.unit.signing.attacks import Case, Scene, invalid, undecided, valid
from tests.unit.signing.forge import (
    CRL,
    LONG,
    NOW,
    SIGNED,
    TIME_STAMPING,
    XADES141,
    Pair,
    World,
    crl,
    issue,
    ocsp_response,
    point,
    properties,
    stamp_property,
    time_stamp,
    values,
)

CASES: list[Case] = []
DAY = timedelta(days=1)
IN_TEN_YEARS = NOW.replace(year=2036)
REASON = x509.ReasonFlags


def _by(make: Callable[[World], Pair]) -> Callable[[World], Scene]:
    """A stamped signature by somebody; nothing is known of revocation but that the CAs are good."""

    def scene(w: World) -> Scene:
        signer = make(w)
        return Scene(w.stamped(signer=signer), evidence=w.standing(NOW))

    return scene


def _issue(**more: Any) -> Callable[[World], Scene]:
    return _by(lambda w: issue(w.ca, "Ai Đó", 10, **more))


def _deep(w: World) -> Pair:
    above = w.ca
    for number in range(4):
        above = issue(above, f"CA {number}", 20 + number, ca=True, **LONG)
    return issue(above, "Xa", 10)


def _too_long_a_path(w: World) -> Pair:
    first = issue(w.root, "CA hẹp", 30, ca=True, path_length=0, **LONG)
    return issue(issue(first, "CA dưới", 31, ca=True, **LONG), "Xa", 10)


def _loop(w: World) -> Pair:
    """Two authorities that issued each other, and no root."""
    a, b = issue(None, "A", 40, ca=True, **LONG), issue(None, "B", 41, ca=True, **LONG)
    a_by_b = issue(b, "A", 40, ca=True, **LONG).certificate
    b_by_a = issue(a, "B", 41, ca=True, **LONG).certificate
    leaf = issue(a, "Vòng", 10)
    return Pair(leaf.key, leaf.certificate, (a_by_b, b_by_a))


def _pretended(w: World) -> Pair:
    """Issued by a person's certificate."""
    return issue(Pair(w.person.key, w.person.certificate, w.person.above), "Giả", 10)


def _powerless(w: World) -> Pair:
    return issue(issue(w.root, "CA không quyền", 32, ca=True, signs=False, **LONG), "Ai", 10)


def _namesake(w: World) -> Pair:
    """A root with the trusted root's name and another key."""
    return issue(issue(issue(None, "Gốc", 50, ca=True, **LONG), "CA", 51, ca=True, **LONG), "Giả", 10)


CASES += [
    valid("certificate at the moment of the stamp", _issue(), "B-T"),
    invalid("certificate expired before signing", faults.CertificateExpired, _issue(end=SIGNED - DAY)),
    invalid("certificate not yet valid when signing", faults.CertificateNotYetValid, _issue(start=SIGNED + DAY)),
    invalid(
        "certificate for TLS servers", faults.CertificateUnsuitable, _issue(purposes=[ExtendedKeyUsageOID.SERVER_AUTH])
    ),
    invalid("certificate for time stamps", faults.CertificateUnsuitable, _issue(purposes=TIME_STAMPING)),
    invalid("certificate for encryption", faults.CertificateUnsuitable, _issue(signs=False)),
    invalid("authority as signer", faults.CertificateUnsuitable, _issue(ca=True)),
    invalid("untrusted root", faults.CertificateUntrusted, _by(_namesake)),
    invalid("certificate issued by a person", faults.CertificateUntrusted, _by(_pretended)),
    invalid("path too long for its constraint", faults.PathRefused, _by(_too_long_a_path)),
    invalid("path deeper than anybody's", faults.PathRefused, _by(_deep)),
    invalid("loop of authorities", faults.CertificateUntrusted, _by(_loop)),
    invalid("self-signed person", faults.CertificateUntrusted, _by(lambda w: issue(None, "Tự ký", 10))),
    undecided(
        "B-B after the certificate's end",
        faults.ProofMissing,
        lambda w: Scene(w.basic(at=SIGNED).text().join(("<r><a>x</a>", "</r>")), w.good(), IN_TEN_YEARS),
    ),
    undecided(
        "plain signature after the certificate's end",
        faults.ProofMissing,
        lambda w: Scene(w.plain(), Evidence(), IN_TEN_YEARS),
    ),
    invalid(
        "plain signature before the certificate's begin",
        faults.CertificateNotYetValid,
        lambda w: Scene(w.plain(), now=datetime(2025, 6, 1, tzinfo=UTC)),
    ),
]


# ---- revocation ----


def _known(
    *,
    ocsp_responses: Callable[[World], Sequence[bytes]] = lambda _: (),
    crls: Callable[[World], Sequence[bytes]] = lambda _: (),
    stamped: bool = True,
    now: datetime = NOW,
) -> Callable[[World], Scene]:
    def scene(w: World) -> Scene:
        data = w.stamped() if stamped else w.basic().text().join(("<r><a>x</a>", "</r>"))
        return Scene(data, w.about(ocsp_responses=ocsp_responses(w), crls=crls(w)), now)

    return scene


def _answer(**more: Any) -> Callable[[World], Scene]:
    return _known(ocsp_responses=lambda w: [ocsp_response(w.person, w.ca, **more)])


def _revoked(at: datetime, reason: x509.ReasonFlags | None, *, stamped: bool = True) -> Callable[[World], Scene]:
    return _known(crls=lambda w: [crl(w.ca, [(w.person, at, reason)])], stamped=stamped)


def _released(w: World) -> Scene:
    """On hold in an older list, gone from the newer one."""
    older = crl(w.ca, [(w.person, SIGNED - DAY, REASON.certificate_hold)], at=SIGNED - DAY)
    return Scene(w.stamped(), w.about(crls=[older, crl(w.ca)]))


def _responder(**more: Any) -> Callable[[World], Scene]:
    def scene(w: World) -> Scene:
        by = issue(more.pop("above", w.ca), "OCSP lạ", 60, **more)
        return Scene(w.stamped(), w.about(ocsp_responses=[ocsp_response(w.person, w.ca, by=by)]))

    return scene


OCSP_SIGNING = [ExtendedKeyUsageOID.OCSP_SIGNING]


def _revoked_responder(w: World) -> Scene:
    place = "http://crl.example/responders.crl"
    by = issue(w.ca, "OCSP bị thu hồi", 61, purposes=OCSP_SIGNING, points=[point(place)])
    listed = crl(w.ca, [(by, SIGNED - DAY, None)], extension=_points(place))
    return Scene(w.stamped(), w.about(ocsp_responses=[ocsp_response(w.person, w.ca, by=by)], crls=[listed]))


def _foreign_responder(w: World) -> Scene:
    by = issue(w.root, "OCSP của gốc", 62, purposes=OCSP_SIGNING)
    return Scene(w.stamped(), w.about(ocsp_responses=[ocsp_response(w.person, w.ca, by=by)]))


def _wrong_issuer(w: World) -> Scene:
    twin = issue(w.root, "CA", 63, ca=True, **LONG)
    return Scene(w.stamped(), w.about(ocsp_responses=[ocsp_response(w.person, twin)]))


def _forged_crl(w: World) -> Scene:
    twin = issue(w.root, "CA", 63, ca=True, **LONG)
    return Scene(w.stamped(), w.about(crls=[crl(twin)]))


def _issuer_revoked(w: World) -> Scene:
    listed = crl(w.root, [(w.ca, SIGNED - DAY, REASON.ca_compromise)])
    good = ocsp_response(w.person, w.ca, by=w.responder)
    tsa = issue(w.root, "TSA của gốc", 73, purposes=TIME_STAMPING, service=False, **LONG)
    return Scene(
        w.stamped(token=time_stamp(w.basic().value_octets, tsa)), Evidence(ocsp_responses=(good,), crls=(listed,))
    )


def _points(name: str = "", *, authorities: bool = False) -> x509.IssuingDistributionPoint:
    names = [x509.UniformResourceIdentifier(name)] if name else None
    return x509.IssuingDistributionPoint(names, None, False, authorities, None, False, False)


def _scoped(extension: x509.ExtensionType) -> Callable[[World], Scene]:
    return _known(crls=lambda w: [crl(w.ca, extension=extension)])


CASES += [
    valid("good by OCSP of the issuer", _answer(), "B-T"),
    valid(
        "good by OCSP of its responder",
        _known(ocsp_responses=lambda w: [ocsp_response(w.person, w.ca, by=w.responder)]),
    ),
    valid("good by CRL", _known(crls=lambda w: [crl(w.ca)])),
    valid("good by the CRL of its distribution point", _scoped(_points(CRL))),
    valid("revoked after signing", _revoked(SIGNED + 2 * DAY, REASON.superseded)),
    valid("revoked after signing, compromised, but stamped", _revoked(SIGNED + 2 * DAY, REASON.key_compromise)),
    valid("revoked after the claimed time", _revoked(SIGNED + 2 * DAY, REASON.cessation_of_operation, stamped=False)),
    valid("removed from the list", _revoked(SIGNED - DAY, REASON.remove_from_crl)),
    valid("on hold, then released", _released),
    valid("on hold after signing", _revoked(SIGNED + DAY, REASON.certificate_hold)),
    invalid("revoked before signing", faults.CertificateRevoked, _revoked(SIGNED - DAY, REASON.key_compromise)),
    invalid("revoked before signing, no reason given", faults.CertificateRevoked, _revoked(SIGNED - DAY, None)),
    invalid("revoked before signing, by OCSP", faults.CertificateRevoked, _answer(revoked=SIGNED - DAY)),
    invalid("revoked before the claimed time", faults.CertificateRevoked, _revoked(SIGNED - DAY, None, stamped=False)),
    invalid("on hold when signing", faults.CertificateSuspended, _revoked(SIGNED - DAY, REASON.certificate_hold)),
    invalid(
        "good by an old OCSP answer, revoked by a CRL",
        faults.CertificateRevoked,
        _known(
            ocsp_responses=lambda w: [ocsp_response(w.person, w.ca)],
            crls=lambda w: [crl(w.ca, [(w.person, SIGNED - DAY, None)])],
        ),
    ),
    invalid("issuer revoked before signing", faults.CertificateRevoked, _issuer_revoked),
    undecided(
        "revoked since for compromise, time only claimed",
        faults.ProofMissing,
        _revoked(SIGNED + DAY, REASON.key_compromise, stamped=False),
    ),
    undecided("nothing known of revocation", faults.RevocationUnknown, _known()),
    undecided("OCSP stale", faults.RevocationStale, _answer(at=SIGNED - 9 * DAY, until=SIGNED - 8 * DAY)),
    undecided(
        "OCSP older than the signature, without an end", faults.RevocationStale, _answer(at=SIGNED - DAY, until=None)
    ),
    undecided("OCSP from the future", faults.RevocationStale, _answer(at=NOW + DAY, until=NOW + 2 * DAY)),
    undecided(
        "OCSP made after the certificate's end",
        faults.RevocationStale,
        _known(
            ocsp_responses=lambda w: [ocsp_response(w.person, w.ca, at=datetime(2028, 1, 1, tzinfo=UTC), until=None)],
            now=IN_TEN_YEARS,
        ),
    ),
    undecided(
        "OCSP for another certificate",
        faults.RevocationMismatch,
        _known(ocsp_responses=lambda w: [ocsp_response(w.other, w.ca)]),
    ),
    undecided("OCSP of another issuer of the same name", faults.RevocationMismatch, _wrong_issuer),
    undecided("OCSP by a stranger", faults.RevocationUnauthorised, _foreign_responder),
    undecided("OCSP by somebody who is no responder", faults.RevocationUnauthorised, _responder()),
    undecided(
        "OCSP by a responder for something else", faults.RevocationUnauthorised, _responder(purposes=TIME_STAMPING)
    ),
    undecided(
        "OCSP by a responder that had ended",
        faults.RevocationUnauthorised,
        _responder(purposes=OCSP_SIGNING, end=SIGNED - DAY),
    ),
    undecided("OCSP by a revoked responder", faults.RevocationUnauthorised, _revoked_responder),
    undecided("OCSP says it does not know", faults.RevocationUnknown, _answer(status=ocsp.OCSPCertStatus.UNKNOWN)),
    undecided("OCSP that is none", faults.RevocationUnknown, _known(ocsp_responses=lambda _: [b"0\x03\x0a\x01\x06"])),
    undecided(
        "CRL stale",
        faults.RevocationStale,
        _known(crls=lambda w: [crl(w.ca, at=SIGNED - 9 * DAY, until=SIGNED - 8 * DAY)]),
    ),
    undecided(
        "CRL from the future",
        faults.RevocationStale,
        _known(crls=lambda w: [crl(w.ca, at=NOW + DAY, until=NOW + 2 * DAY)]),
    ),
    undecided(
        "CRL of another issuer",
        faults.RevocationUnknown,
        _known(crls=lambda w: [crl(issue(w.root, "CA khác", 64, ca=True, **LONG))]),
    ),
    undecided("CRL of another issuer of the same name", faults.RevocationUnauthorised, _forged_crl),
    undecided("CRL of authorities only", faults.RevocationMismatch, _scoped(_points(authorities=True))),
    undecided(
        "CRL of another distribution point", faults.RevocationMismatch, _scoped(_points("http://crl.example/other.crl"))
    ),
    undecided("delta CRL", faults.RevocationMismatch, _scoped(x509.DeltaCRLIndicator(1))),
]


# ---- time stamps ----


def _token(**more: Any) -> Callable[[World], Scene]:
    def scene(w: World) -> Scene:
        whole = w.basic()
        arguments = {name: value(w) if callable(value) else value for name, value in more.items()}
        octets = arguments.pop("octets", whole.value_octets)
        authority = arguments.pop("authority", w.tsa)
        token = time_stamp(octets, authority, **arguments)
        return Scene(w.stamped(token=token), w.good())

    return scene


def _tsa(**more: Any) -> Callable[[World], Pair]:
    arguments = {"purposes": TIME_STAMPING, "service": False, **LONG, **more}
    return lambda w: issue(w.ca, "TSA lạ", 70, **arguments)


def _unknown_tsa(w: World) -> Pair:
    return issue(issue(None, "Gốc khác", 71, ca=True, **LONG), "TSA khác", 70, purposes=TIME_STAMPING, **LONG)


def _revoked_tsa(w: World) -> Scene:
    tsa = issue(w.ca, "TSA", 72, purposes=TIME_STAMPING, **LONG)
    whole = w.basic()
    token = time_stamp(whole.value_octets, tsa)
    evidence = w.good() + Evidence(crls=(crl(w.ca, [(tsa, SIGNED - DAY, None)]),))
    return Scene(w.stamped(token=token), evidence)


def _after_the_end(w: World) -> Scene:
    signer = issue(w.ca, "Hết hạn", 10, end=SIGNED + DAY)
    return Scene(w.stamped(signer=signer, at=SIGNED + 2 * DAY), w.standing(NOW))


def _archived(w: World, *, spoil: bool = False) -> Scene:
    whole = w.basic()
    token = stamp_property(time_stamp(whole.value_octets, w.tsa))
    kept = values(w.good())
    written = properties(w.person.certificate)
    ahead = "".join(
        part.replace(f"<xades:{name}", f'<xades:{name} xmlns:xades="http://uri.etsi.org/01903/v1.3.2#"', 1)
        for part, name in (
            (token, "SignatureTimeStamp"),
            (kept[: kept.index("<xades:RevocationValues>")], "CertificateValues"),
            (kept[kept.index("<xades:RevocationValues>") :], "RevocationValues"),
        )
    )
    octets = b"<r><a>x</a></r>" + written.encode() + whole.canonical() + ahead.encode()
    later = time_stamp(octets + (b"x" if spoil else b""), w.tsa, SIGNED + 30 * DAY)
    archive = stamp_property(later, "a:ArchiveTimeStamp", f' xmlns:a="{XADES141}"')
    return Scene(f"<r><a>x</a>{whole.text(token + kept + archive)}</r>", Evidence(), IN_TEN_YEARS)


def _long_term(w: World, drop: str = "") -> Scene:
    kept = w.good()
    evidence = Evidence(
        kept.certificates,
        () if drop == "ocsp" else kept.ocsp_responses,
        () if drop == "crl" else kept.crls,
    )
    return Scene(w.stamped(more=values(evidence)), Evidence(), IN_TEN_YEARS)


CASES += [
    valid("time stamp", _token(), "B-T"),
    valid("time stamp with SHA-512", _token(imprint="sha512"), "B-T"),
    valid("B-LT in ten years, offline", _long_term, "B-LT"),
    valid("B-LTA in ten years, offline", _archived, "B-LTA"),
    invalid(
        "time stamp of another signature",
        faults.TimeStampInvalid,
        _token(octets=lambda w: w.basic(signer=w.other).value_octets),
    ),
    invalid("time stamp of the document", faults.TimeStampInvalid, _token(octets=b"<r><a>x</a></r>")),
    invalid("time stamp with a changed imprint", faults.TimeStampInvalid, _token(spoil="content")),
    invalid("time stamp with a broken seal", faults.TimeStampInvalid, _token(spoil="seal")),
    invalid("time stamp that names no certificate", faults.TimeStampInvalid, _token(spoil="attributes")),
    invalid(
        "time stamp that names another certificate", faults.TimeStampInvalid, _token(named=lambda w: w.ca.certificate)
    ),
    invalid("time stamp over SHA-1", faults.TimeStampInvalid, _token(imprint="sha1")),
    invalid("time stamp from the future", faults.TimeStampInvalid, _token(at=NOW + DAY)),
    invalid("time stamp before the claimed time", faults.TimeStampInvalid, _token(at=SIGNED - DAY)),
    invalid(
        "time stamp that is none",
        faults.TimeStampInvalid,
        lambda w: Scene(w.stamped(token=b"0\x03\x02\x01\x01"), w.good()),
    ),
    invalid("time stamp empty", faults.DocumentUnreadable, lambda w: Scene(w.stamped(token=b""), w.good())),
    invalid("time stamp after the certificate's end", faults.CertificateExpired, _after_the_end),
    invalid("archive time stamp of something else", faults.TimeStampInvalid, lambda w: _archived(w, spoil=True)),
    undecided("time stamp of an unknown authority", faults.TimeStampUntrusted, _token(authority=_unknown_tsa)),
    undecided("time stamp by a person's certificate", faults.TimeStampUntrusted, _token(authority=lambda w: w.person)),
    undecided(
        "time stamp by a certificate for more than that",
        faults.TimeStampUntrusted,
        _token(authority=_tsa(purposes=[*TIME_STAMPING, ExtendedKeyUsageOID.CODE_SIGNING])),
    ),
    undecided(
        "time stamp by an authority that had ended", faults.TimeStampUntrusted, _token(authority=_tsa(end=SIGNED - DAY))
    ),
    undecided("time stamp by a revoked authority", faults.TimeStampUntrusted, _revoked_tsa),
    undecided("B-LT without the OCSP answer", faults.RevocationUnknown, lambda w: _long_term(w, "ocsp")),
    undecided("B-LT without the issuer's CRL", faults.RevocationUnknown, lambda w: _long_term(w, "crl")),
]
