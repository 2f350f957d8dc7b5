"""Attacks and failures around the rules of chains and around lists of revoked certificates of unusual kinds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from asn1crypto import core
from asn1crypto import ocsp as asn1_ocsp
from asn1crypto import x509 as asn1
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, NameOID, ObjectIdentifier

from signing import faults
from signing.evidence import Evidence
from tests.unit.signing.attacks import Case, Scene, invalid, undecided, valid
from tests.unit.signing.forge import (
    CRL,
    LONG,
    NOW,
    SIGNED,
    TIME_STAMPING,
    Pair,
    World,
    crl,
    der,
    issue,
    ocsp_response,
    point,
    time_stamp,
)

CASES: list[Case] = []
DAY = timedelta(days=1)
REASON = x509.ReasonFlags
URI = x509.UniformResourceIdentifier
POLICY = "1.2.704.1.1"
OTHER_POLICY = "1.2.704.1.2"
SOME = [REASON.key_compromise, REASON.ca_compromise, REASON.aa_compromise]
REST = [
    REASON.affiliation_changed,
    REASON.superseded,
    REASON.cessation_of_operation,
    REASON.certificate_hold,
    REASON.privilege_withdrawn,
]
Extensions = Sequence[tuple[x509.ExtensionType, bool]]


# ---- rules of chains ----


def _below(
    authority: Extensions = (), person: Extensions = (), deeper: Extensions | None = None
) -> Callable[[World], Scene]:
    """A stamped signature of somebody below an authority with rules of its own."""

    def scene(w: World) -> Scene:
        above = issue(w.root, "CA có luật", 80, ca=True, **LONG, more=authority)
        lists = [crl(w.root), crl(above)]
        if deeper is not None:
            above = issue(above, "CA dưới luật", 81, ca=True, **LONG, more=deeper)
            lists.append(crl(above))
        signer = issue(above, "Người Ký", 10, more=person)
        return Scene(w.stamped(signer=signer), Evidence(crls=(*lists, *w.standing(NOW).crls)))

    return scene


def _organisation(name: str) -> x509.DirectoryName:
    return x509.DirectoryName(x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, name)]))


def _names(
    permitted: Sequence[x509.GeneralName] = (), excluded: Sequence[x509.GeneralName] = ()
) -> tuple[x509.ExtensionType, bool]:
    return x509.NameConstraints(list(permitted) or None, list(excluded) or None), True


def _also(*names: x509.GeneralName) -> tuple[x509.ExtensionType, bool]:
    return x509.SubjectAlternativeName(names), False


def _policies(*oids: str) -> tuple[x509.ExtensionType, bool]:
    return x509.CertificatePolicies([x509.PolicyInformation(ObjectIdentifier(oid), None) for oid in oids]), False


def _insists(after: int = 0) -> tuple[x509.ExtensionType, bool]:
    return x509.PolicyConstraints(after, None), True


def _maps(own: str, theirs: str) -> tuple[x509.ExtensionType, bool]:
    pair = {"issuer_domain_policy": own, "subject_domain_policy": theirs}
    return x509.UnrecognizedExtension(ExtensionOID.POLICY_MAPPINGS, asn1.PolicyMappings([pair]).dump()), True


UNKNOWN = x509.UnrecognizedExtension(ObjectIdentifier("1.2.3.4.5"), b"\x05\x00")
HOSPITAL = _organisation("bệnh viện  THỬ")  # another spelling of the person's organisation


def _many_certificates(w: World) -> Scene:
    """Forty authorities of one name and one key, each issued by each: more ways up than anybody walks."""
    same = [issue(None, "Mê cung", 90, ca=True, **LONG) for _ in range(40)]
    signer = issue(same[0], "Lạc", 10)
    return Scene(w.stamped(signer=signer), Evidence(certificates=tuple(der(one.certificate) for one in same)))


CASES += [
    valid("name inside its issuer's constraints", _below([_names([HOSPITAL])])),
    valid("name outside what its issuer excludes", _below([_names(excluded=[_organisation("Công ty khác")])])),
    valid(
        "mailbox inside its issuer's constraints",
        _below([_names([x509.RFC822Name(".bv.vn")])], [_also(x509.RFC822Name("a@khoa.bv.vn"))]),
    ),
    invalid("name outside its issuer's constraints", faults.PathRefused, _below([_names([_organisation("Khác")])])),
    invalid("name that its issuer excludes", faults.PathRefused, _below([_names(excluded=[HOSPITAL])])),
    invalid(
        "name outside the constraints of two above",
        faults.PathRefused,
        _below([_names([_organisation("Khác")])], deeper=[]),
    ),
    invalid(
        "second name outside its issuer's constraints",
        faults.PathRefused,
        _below([_names([URI(".bv.vn")])], [_also(URI("https://a.bv.vn/"), URI("https://bv.vn.example/"))]),
    ),
    invalid(
        "name of a kind that constraints cannot be compared with",
        faults.PathRefused,
        _below(
            [_names([x509.RegisteredID(ObjectIdentifier("1.2.3"))])],
            [_also(x509.RegisteredID(ObjectIdentifier("1.2.3.4")))],
        ),
    ),
    valid("policy on which an issuer insists", _below([_policies(POLICY), _insists()], [_policies(POLICY)])),
    valid("any policy where an issuer insists", _below([_policies("2.5.29.32.0"), _insists()], [_policies(POLICY)])),
    valid(
        "policy mapped to another",
        _below([_policies(POLICY), _insists(), _maps(POLICY, OTHER_POLICY)], [_policies(OTHER_POLICY)]),
    ),
    invalid("no policy where an issuer insists", faults.PathRefused, _below([_policies(POLICY), _insists()])),
    invalid(
        "another policy than the one on which an issuer insists",
        faults.PathRefused,
        _below([_policies(POLICY), _insists()], [_policies(OTHER_POLICY)]),
    ),
    invalid(
        "any policy where an issuer inhibits it",
        faults.PathRefused,
        _below([_policies(POLICY), _insists(), (x509.InhibitAnyPolicy(0), True)], [_policies("2.5.29.32.0")]),
    ),
    invalid(
        "policy mapped to any",
        faults.PathRefused,
        _below([_policies(POLICY), _maps(POLICY, "2.5.29.32.0")], [_policies(POLICY)]),
    ),
    valid("unknown extension that is not critical", _below([(UNKNOWN, False)], [(UNKNOWN, False)])),
    invalid("unknown critical extension", faults.PathRefused, _below(person=[(UNKNOWN, True)])),
    invalid("unknown critical extension of an issuer", faults.PathRefused, _below([(UNKNOWN, True)])),
    invalid("more certificates than a path can be looked for in", faults.CertificateUntrusted, _many_certificates),
]


# ---- lists of unusual kinds ----


def _scope(
    uri: str = "",
    *,
    names: Sequence[x509.GeneralName] = (),
    people: bool = False,
    authorities: bool = False,
    indirect: bool = False,
    reasons: Sequence[x509.ReasonFlags] = (),
) -> x509.IssuingDistributionPoint:
    full = [*names, *([URI(uri)] if uri else [])]
    return x509.IssuingDistributionPoint(
        full or None, None, people, authorities, frozenset(reasons) or None, indirect, False
    )


def _listed(
    *lists: Callable[[World, Pair], bytes], points: Sequence[x509.DistributionPoint] = (), more: Sequence[str] = ()
) -> Callable[[World], Scene]:
    """A stamped signature of somebody whose certificate names `points`; `more` are authorities at hand."""

    def scene(w: World) -> Scene:
        signer = issue(w.ca, "Người Ký", 10, points=points)
        held = tuple(der(MORE[name](w).certificate) for name in more)
        found = tuple(make(w, signer) for make in lists)
        return Scene(w.stamped(signer=signer), Evidence(certificates=held, crls=(crl(w.root), *found)))

    return scene


def _lister(w: World) -> Pair:
    """An authority for lists of others."""
    return issue(w.root, "Danh sách", 82, ca=True, **LONG)


def _second_key(w: World) -> Pair:
    """Another key of the CA, of the same root."""
    return issue(w.root, "CA", 83, ca=True, **LONG)


def _namesake_below(w: World) -> Pair:
    """An authority with the CA's name somewhere else under the root."""
    return issue(_lister(w), "CA", 84, ca=True, **LONG)


def _revoked_lister(w: World) -> Pair:
    return issue(w.root, "Danh sách bị thu hồi", 85, ca=True, **LONG)


MORE = {"lister": _lister, "second": _second_key, "namesake": _namesake_below}
INDIRECT = x509.DistributionPoint(
    [URI(CRL)], None, None, [x509.DirectoryName(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Danh sách")]))]
)


def _named(by: Callable[[World], Pair]) -> Callable[[World], x509.CertificateIssuer]:
    return lambda w: x509.CertificateIssuer([x509.DirectoryName(by(w).certificate.subject)])


def _indirect(
    *, revoked: bool, of: Callable[[World], Pair] = lambda w: w.ca, flagged: bool = True
) -> Callable[[World, Pair], bytes]:
    def make(w: World, signer: Pair) -> bytes:
        entries = [(signer, SIGNED - DAY, None)] if revoked else []
        scope = _scope(CRL, indirect=True) if flagged else _scope(CRL)
        return crl(_lister(w), entries, extension=scope, entry=_named(of)(w) if revoked else None)

    return make


def _complete(
    reason: x509.ReasonFlags | None = None,
    *,
    revoked: bool = False,
    number: int | None = None,
    scope: x509.ExtensionType | None = None,
) -> Callable[[World, Pair], bytes]:
    return lambda w, signer: crl(
        w.ca, [(signer, SIGNED - DAY, reason)] if revoked else [], number=number, extension=scope
    )


def _delta(
    base: int, number: int, *entry: x509.ReasonFlags | None, by: Callable[[World], Pair] | None = None
) -> Callable[[World, Pair], bytes]:
    def make(w: World, signer: Pair) -> bytes:
        entries = [(signer, SIGNED - DAY / 2, one) for one in entry]
        at = SIGNED + timedelta(hours=2)
        return crl(
            w.ca, entries, at=at, extension=x509.DeltaCRLIndicator(base), number=number, by=by(w) if by else None
        )

    return make


def _by_second_key(w: World, signer: Pair) -> bytes:
    return crl(w.ca, [(signer, SIGNED - DAY, None)], by=_second_key(w))


def _by_namesake(w: World, signer: Pair) -> bytes:
    return crl(w.ca, by=_namesake_below(w))


def _critical_entry(w: World, signer: Pair) -> bytes:
    """Somebody else's entry has an extension that nobody understands."""
    return crl(w.ca, [(w.other, SIGNED - DAY, None)], entry=UNKNOWN)


def _by_revoked_lister(w: World) -> Scene:
    lister = _revoked_lister(w)
    signer = issue(w.ca, "Người Ký", 10, points=[point(CRL, issuer=lister)])
    lists = (
        crl(w.root, [(lister, SIGNED - DAY, None)]),
        crl(lister, extension=_scope(CRL, indirect=True)),
    )
    return Scene(w.stamped(signer=signer), Evidence(certificates=(der(lister.certificate),), crls=lists))


def _partition(w: World, signer: Pair) -> bytes:
    """A part of the CA's list, told by a directory name that the certificate does not have."""
    return crl(w.ca, extension=_scope(names=[_organisation("Phần 2")]))


CASES += [
    valid("own list that says it is indirect", _listed(_complete(scope=_scope(indirect=True)))),
    valid("good by an indirect list", _listed(_indirect(revoked=False), points=[INDIRECT], more=["lister"])),
    valid(
        "indirect list with an entry of another issuer's certificate of the same number",
        _listed(_indirect(revoked=True, of=lambda w: w.root), points=[INDIRECT], more=["lister"]),
    ),
    invalid(
        "revoked by an indirect list",
        faults.CertificateRevoked,
        _listed(_indirect(revoked=True), points=[INDIRECT], more=["lister"]),
    ),
    undecided(
        "indirect list whose issuer is not at hand",
        faults.RevocationUnauthorised,
        _listed(_indirect(revoked=False), points=[INDIRECT]),
    ),
    undecided(
        "list of another issuer that does not say it is indirect",
        faults.RevocationUnknown,
        _listed(_indirect(revoked=False, flagged=False), points=[INDIRECT], more=["lister"]),
    ),
    undecided(
        "indirect list that the certificate does not name",
        faults.RevocationUnknown,
        _listed(_indirect(revoked=False), more=["lister"]),
    ),
    undecided("indirect list of a revoked issuer", faults.RevocationUnauthorised, _by_revoked_lister),
    invalid(
        "revoked by a list under the issuer's second key",
        faults.CertificateRevoked,
        _listed(_by_second_key, more=["second"]),
    ),
    undecided(
        "list under the issuer's second key, which is not at hand",
        faults.RevocationUnauthorised,
        _listed(_by_second_key),
    ),
    undecided("list by a namesake elsewhere", faults.RevocationUnauthorised, _listed(_by_namesake, more=["namesake"])),
    valid("good by a list of people only", _listed(_complete(scope=_scope(people=True)))),
    undecided("part of a list, of another place", faults.RevocationMismatch, _listed(_partition)),
    valid(
        "lists that cover all reasons together",
        _listed(_complete(scope=_scope(reasons=SOME)), _complete(scope=_scope(reasons=REST))),
    ),
    undecided("list for some reasons only", faults.RevocationMismatch, _listed(_complete(scope=_scope(reasons=SOME)))),
    invalid(
        "revoked by one of two lists for some reasons",
        faults.CertificateRevoked,
        _listed(
            _complete(scope=_scope(reasons=REST)),
            _complete(REASON.key_compromise, revoked=True, scope=_scope(reasons=SOME)),
        ),
    ),
    invalid(
        "on hold by one of two lists for some reasons",
        faults.CertificateSuspended,
        _listed(
            _complete(scope=_scope(reasons=SOME)),
            _complete(REASON.certificate_hold, revoked=True, scope=_scope(reasons=REST)),
        ),
    ),
    valid("list with what changed since", _listed(_complete(number=5), _delta(5, 6))),
    valid(
        "on hold, released by what changed since",
        _listed(_complete(REASON.certificate_hold, revoked=True, number=5), _delta(5, 6, REASON.remove_from_crl)),
    ),
    invalid(
        "revoked by what changed since",
        faults.CertificateRevoked,
        _listed(_complete(number=5), _delta(5, 6, REASON.key_compromise)),
    ),
    invalid("revoked by a list of changes alone", faults.CertificateRevoked, _listed(_delta(5, 6, None))),
    undecided("list of changes alone", faults.RevocationMismatch, _listed(_delta(5, 6))),
    undecided(
        "list of changes since a newer list than the one at hand",
        faults.RevocationStale,
        _listed(lambda w, _: crl(w.ca, number=3, at=SIGNED - 9 * DAY, until=SIGNED - 8 * DAY), _delta(5, 6)),
    ),
    undecided("list with an unknown critical extension", faults.RevocationMismatch, _listed(_complete(scope=UNKNOWN))),
    undecided("list with an entry that nobody understands", faults.RevocationMismatch, _listed(_critical_entry)),
]


# ---- answers about certificates that have ended; responders ----


def _after_the_end(cutoff: datetime | None) -> Callable[[World], Scene]:
    """Asked a year after the certificate's end; the responder may say how far back it remembers."""

    def scene(w: World) -> Scene:
        ended = datetime(2028, 1, 1, tzinfo=UTC)
        now = ended + DAY
        response = ocsp.OCSPResponseBuilder().add_response(
            w.person.certificate,
            w.ca.certificate,
            hashes.SHA1(),
            ocsp.OCSPCertStatus.GOOD,
            ended,
            now + DAY,
            None,
            None,
        )
        made = response.responder_id(ocsp.OCSPResponderEncoding.NAME, w.ca.certificate).sign(w.ca.key, hashes.SHA256())
        octets = made.public_bytes(Encoding.DER)
        if cutoff is not None:
            octets = _with_cutoff(octets, cutoff, w.ca)
        return Scene(w.stamped(), w.about(ocsp_responses=[octets]), now)

    return scene


def _with_cutoff(octets: bytes, cutoff: datetime, by: Pair) -> bytes:
    """Put an archive cutoff into the one answer, and seal it again."""
    whole = asn1_ocsp.OCSPResponse.load(octets)
    basic = whole["response_bytes"]["response"].parsed
    value = {
        "extn_id": "archive_cutoff",
        "critical": False,
        "extn_value": core.ParsableOctetString(core.GeneralizedTime(cutoff).dump()),
    }
    basic["tbs_response_data"]["responses"][0]["single_extensions"] = [value]
    basic["signature"] = by.key.sign(basic["tbs_response_data"].dump(force=True), padding.PKCS1v15(), hashes.SHA256())
    whole["response_bytes"]["response"] = core.ParsableOctetString(basic.dump(force=True))
    return bytes(whole.dump(force=True))


def _expired_kept(since: datetime) -> Callable[[World], Scene]:
    kept = x509.UnrecognizedExtension(ObjectIdentifier("2.5.29.60"), core.GeneralizedTime(since).dump())
    ended = datetime(2028, 1, 1, tzinfo=UTC)

    def scene(w: World) -> Scene:
        builder = x509.CertificateRevocationListBuilder().issuer_name(w.ca.certificate.subject).last_update(ended)
        made = builder.next_update(ended + 9 * DAY).add_extension(kept, critical=False).sign(w.ca.key, hashes.SHA256())
        return Scene(w.stamped(), w.about(crls=[made.public_bytes(Encoding.DER)]), ended + DAY)

    return scene


def _by_name(w: World) -> Scene:
    builder = ocsp.OCSPResponseBuilder().add_response(
        w.person.certificate, w.ca.certificate, hashes.SHA256(), ocsp.OCSPCertStatus.GOOD, SIGNED + DAY, NOW, None, None
    )
    builder = builder.responder_id(ocsp.OCSPResponderEncoding.NAME, w.responder.certificate)
    made = builder.certificates([w.responder.certificate]).sign(w.responder.key, hashes.SHA256())
    return Scene(w.stamped(), w.about(ocsp_responses=[made.public_bytes(Encoding.DER)]))


def _not_critical_stamps(w: World) -> Scene:
    """A time stamp authority whose purpose is not critical."""
    purpose = x509.ExtendedKeyUsage(TIME_STAMPING)
    tsa = issue(w.ca, "TSA", 74, ca=False, service=False, more=[(purpose, False)], **LONG)
    return Scene(w.stamped(token=time_stamp(w.basic().value_octets, tsa)), w.good())


def _responder_of_both(w: World) -> Scene:
    """One certificate for OCSP answers and more: the purpose counts, not that it is the only one."""
    by = issue(
        w.ca, "OCSP và hơn nữa", 62, purposes=[ExtendedKeyUsageOID.OCSP_SIGNING, ExtendedKeyUsageOID.CLIENT_AUTH]
    )
    return Scene(w.stamped(), w.about(ocsp_responses=[ocsp_response(w.person, w.ca, by=by)]))


CASES += [
    valid("OCSP by a responder named by its name", _by_name),
    valid("OCSP by a responder for more than that", _responder_of_both),
    valid("OCSP after the end, of a responder that remembers", _after_the_end(datetime(2026, 6, 1, tzinfo=UTC))),
    valid("CRL after the end, that keeps the ended", _expired_kept(datetime(2026, 6, 1, tzinfo=UTC))),
    undecided("OCSP after the end", faults.RevocationStale, _after_the_end(None)),
    undecided(
        "OCSP after the end, of a responder that forgets",
        faults.RevocationStale,
        _after_the_end(datetime(2027, 6, 1, tzinfo=UTC)),
    ),
    undecided(
        "CRL after the end, that forgets", faults.RevocationStale, _expired_kept(datetime(2027, 6, 1, tzinfo=UTC))
    ),
    undecided(
        "time stamp by an authority whose purpose is not critical", faults.TimeStampUntrusted, _not_critical_stamps
    ),
]
