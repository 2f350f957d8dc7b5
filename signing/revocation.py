"""Was a certificate revoked when it signed? Answers out of OCSP responses and CRLs that are at hand.

Pure: nothing is fetched (`revocation_client` does that) and no clock is read. An answer that cannot be used says nothing;
when none can be used, the standing is *unknown*, which is neither good nor bad.

Not here: delta CRLs, indirect CRLs, CRLs for some reasons only: they are refused as unusable.

Standard: RFC 6960 §3.2, §4.2; RFC 5280 §5, §6.3
Requirement: S0.9, S0.10
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID

from signing import certificates
from signing.certificates import UNREADABLE
from signing.evidence import Evidence
from signing.faults import (
    KeyUnsuitable,
    RevocationMismatch,
    RevocationStale,
    RevocationUnauthorised,
    RevocationUnknown,
)

E = TypeVar("E", bound=x509.ExtensionType)

SKEW = timedelta(minutes=5)
"""By how much the clocks of two parties may differ."""
_COMPROMISED = frozenset(
    {x509.ReasonFlags.key_compromise, x509.ReasonFlags.ca_compromise, x509.ReasonFlags.aa_compromise}
)
_HASHES: dict[type[hashes.HashAlgorithm], Callable[[bytes], bytes]] = {
    hashes.SHA1: lambda data: hashlib.sha1(data, usedforsecurity=False).digest(),
    hashes.SHA256: lambda data: hashlib.sha256(data).digest(),
    hashes.SHA384: lambda data: hashlib.sha384(data).digest(),
    hashes.SHA512: lambda data: hashlib.sha512(data).digest(),
}


@dataclass(frozen=True)
class Answer:
    """What one OCSP response or CRL says about one certificate."""

    source: Literal["ocsp", "crl"]
    status: Literal["good", "revoked", "unknown"]
    this_update: datetime
    next_update: datetime | None
    revoked_at: datetime | None = None
    reason: x509.ReasonFlags | None = None
    der: bytes = b""


@dataclass(frozen=True)
class Standing:
    """Whether a certificate was in force at a moment, as far as can be known."""

    status: Literal["good", "revoked", "suspended", "unknown"]
    source: str = ""
    known_at: datetime | None = None
    """When the issuer said so."""
    revoked_at: datetime | None = None
    """Set, too, when the certificate was revoked later than the moment asked about."""
    reason: str = ""
    compromised: bool = False
    """Revoked because the key is in other hands: what the signer claims about time is worth nothing then."""
    fault: RevocationUnknown | None = None
    """Why the standing is unknown."""


def standing(
    certificate: x509.Certificate, issuer: x509.Certificate, evidence: Evidence, at: datetime, now: datetime
) -> Standing:
    """Judge `certificate` at the moment `at` by all answers in `evidence`; the newest that says something counts.

    Revoked before `at` beats every other answer; revoked later means that the certificate was good at `at`.
    """
    usable: list[Answer] = []
    fault: RevocationUnknown | None = None
    for answer in _answers(certificate, issuer, evidence):
        problem = answer if isinstance(answer, RevocationUnknown) else _speaks_of(answer, certificate, at, now)
        if problem is not None:
            fault = fault or problem
        elif isinstance(answer, Answer):
            usable.append(answer)
    if not usable:
        return Standing("unknown", fault=fault or RevocationUnknown("certificate", "nothing at hand"))
    usable.sort(key=lambda one: one.this_update, reverse=True)
    final = [one for one in usable if one.status == "revoked" and one.reason is not x509.ReasonFlags.certificate_hold]
    told = min(final, key=lambda one: one.revoked_at or at) if final else usable[0]
    reason = told.reason.value if told.reason else ""
    status: Literal["good", "revoked", "suspended"] = "good"
    if told.revoked_at is not None and told.revoked_at <= at:
        status = "suspended" if told.reason is x509.ReasonFlags.certificate_hold else "revoked"
    return Standing(status, told.source, told.this_update, told.revoked_at, reason, told.reason in _COMPROMISED)


def read_ocsp(
    der: bytes,
    certificate: x509.Certificate,
    issuer: x509.Certificate,
    nonce: bytes | None = None,
    crls: Sequence[bytes] = (),
) -> Answer:
    """Read what an OCSP response says about `certificate`; raise a RevocationUnknown fault when it may not be used.

    `nonce` is what the request held: an answer with another one is refused, an answer without one is not, because most
    responders make theirs in advance. A delegated responder without `id-pkix-ocsp-nocheck` is looked up in `crls`.
    """
    try:
        response = ocsp.load_der_ocsp_response(der)
        if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
            raise RevocationUnknown("ocsp", response.response_status.name.lower())
        single = _single(response, certificate, issuer)
        _require_responder(response, issuer, crls)
        if nonce is not None:
            _require_nonce(response, nonce)
        return _ocsp_answer(single, der)
    except UNREADABLE as problem:
        raise RevocationUnknown("ocsp", "cannot be read") from problem


def read_crl(der: bytes, certificate: x509.Certificate, issuer: x509.Certificate) -> Answer:
    """Read what a CRL says about `certificate`; raise a RevocationUnknown fault when it may not be used."""
    try:
        crl = x509.load_der_x509_crl(der)
        if crl.issuer != certificate.issuer or crl.issuer != issuer.subject:
            raise RevocationUnknown("crl", "of another issuer")
        _require_crl_seal(crl, issuer)
        _require_scope(crl, certificate)
        entry = crl.get_revoked_certificate_by_serial_number(certificate.serial_number)
        reason = _entry_reason(entry)
    except UNREADABLE as problem:
        raise RevocationUnknown("crl", "cannot be read") from problem
    if entry is None or reason is x509.ReasonFlags.remove_from_crl:
        return Answer("crl", "good", crl.last_update_utc, crl.next_update_utc, der=der)
    return Answer("crl", "revoked", crl.last_update_utc, crl.next_update_utc, entry.revocation_date_utc, reason, der)


def request(certificate: x509.Certificate, issuer: x509.Certificate, nonce: bytes | None) -> bytes:
    """Return the OCSP request about `certificate`, DER. SHA-1 names the issuer here, as every responder understands."""
    builder = ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, hashes.SHA1())  # noqa: S303 - names the certificate, RFC 6960 §4.1.1
    if nonce is not None:
        builder = builder.add_extension(x509.OCSPNonce(nonce), critical=False)
    return builder.build().public_bytes(serialization.Encoding.DER)


def ocsp_addresses(certificate: x509.Certificate) -> tuple[str, ...]:
    """Return where the issuer answers about `certificate` (authorityInfoAccess)."""
    access = _extension(certificate, x509.AuthorityInformationAccess)
    if access is None:
        return ()
    found = (one for one in access if one.access_method == AuthorityInformationAccessOID.OCSP)
    return tuple(
        one.access_location.value for one in found if isinstance(one.access_location, x509.UniformResourceIdentifier)
    )


def crl_addresses(certificate: x509.Certificate) -> tuple[str, ...]:
    """Return where the CRL for `certificate` is (cRLDistributionPoints)."""
    points = _extension(certificate, x509.CRLDistributionPoints)
    return tuple(name for point in points or () for name in _uris(point.full_name))


def names_a_service(certificate: x509.Certificate) -> bool:
    """Tell whether `certificate` says where its revocation can be asked about."""
    return bool(ocsp_addresses(certificate) or crl_addresses(certificate))


def _answers(
    certificate: x509.Certificate, issuer: x509.Certificate, evidence: Evidence
) -> Iterator[Answer | RevocationUnknown]:
    problems: list[RevocationUnknown] = []
    for der in evidence.ocsp_responses:
        try:
            yield read_ocsp(der, certificate, issuer, crls=evidence.crls)
        except RevocationUnknown as problem:
            problems.append(problem)
    for der in evidence.crls:
        try:
            yield read_crl(der, certificate, issuer)
        except RevocationUnknown as problem:
            problems.append(problem)
    # evidence holds answers of every issuer in the chain: that one is another's is no news while there is other news
    yield from sorted(problems, key=lambda one: type(one) is RevocationUnknown)


def _speaks_of(answer: Answer, certificate: x509.Certificate, at: datetime, now: datetime) -> RevocationUnknown | None:
    """Return why `answer` says nothing about the moment `at`, or None when it does."""
    if answer.status == "unknown":
        return RevocationUnknown(answer.source, "the issuer does not know the certificate")
    if answer.this_update > now + SKEW:
        return RevocationStale(answer.source, f"from the future: {answer.this_update:%Y-%m-%d %H:%M} UTC")
    if answer.status == "revoked":
        return None
    if answer.this_update > certificate.not_valid_after_utc:
        return RevocationStale(answer.source, "made after the certificate's end, when entries may be gone")
    if answer.this_update + SKEW >= at:
        return None
    if answer.next_update is None or answer.next_update + SKEW < at:
        return RevocationStale(answer.source, f"out of date since {answer.next_update or answer.this_update:%Y-%m-%d}")
    return None


# ---- OCSP ----


def _require_responder(response: ocsp.OCSPResponse, issuer: x509.Certificate, crls: Sequence[bytes]) -> None:
    """Raise unless the issuer sealed the response, or somebody whom the issuer made its responder."""
    responders = [
        issuer,
        *(one for one in response.certificates if _is_delegate(one, issuer, response.produced_at_utc)),
    ]
    sealed_by = next((one for one in responders if _is_named(response, one) and _sealed(response, one)), None)
    if sealed_by is None:
        raise RevocationUnauthorised("ocsp", "not sealed by the issuer or its responder")
    if sealed_by != issuer and _extension(sealed_by, x509.OCSPNoCheck) is None and _is_listed(sealed_by, issuer, crls):
        raise RevocationUnauthorised("ocsp", "its responder was revoked")


def _is_listed(responder: x509.Certificate, issuer: x509.Certificate, crls: Sequence[bytes]) -> bool:
    for der in crls:
        try:
            if read_crl(der, responder, issuer).status == "revoked":
                return True
        except RevocationUnknown:
            continue
    return False


def _is_delegate(candidate: x509.Certificate, issuer: x509.Certificate, at: datetime) -> bool:
    purposes = _extension(candidate, x509.ExtendedKeyUsage)
    return (
        purposes is not None
        and ExtendedKeyUsageOID.OCSP_SIGNING in purposes
        and candidate.not_valid_before_utc <= at <= candidate.not_valid_after_utc
        and certificates.issued(issuer, candidate)
    )


def _is_named(response: ocsp.OCSPResponse, responder: x509.Certificate) -> bool:
    if response.responder_name is not None:
        return response.responder_name == responder.subject
    return response.responder_key_hash == _key_hash(responder, hashes.SHA1)


def _sealed(response: ocsp.OCSPResponse, responder: x509.Certificate) -> bool:
    algorithm = response.signature_hash_algorithm
    if algorithm is None or isinstance(algorithm, hashes.SHA1 | hashes.MD5):
        return False
    try:
        key = certificates.public_key(responder)
    except KeyUnsuitable:
        return False
    scheme: padding.AsymmetricPadding = padding.PKCS1v15()
    if response.signature_algorithm_oid == x509.SignatureAlgorithmOID.RSASSA_PSS:
        scheme = padding.PSS(padding.MGF1(algorithm), padding.PSS.AUTO)
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(response.signature, response.tbs_response_bytes, scheme, algorithm)
        else:
            key.verify(response.signature, response.tbs_response_bytes, ec.ECDSA(algorithm))
    except InvalidSignature:
        return False
    return True


def _require_nonce(response: ocsp.OCSPResponse, nonce: bytes) -> None:
    for extension in response.extensions:
        if isinstance(extension.value, x509.OCSPNonce) and extension.value.nonce != nonce:
            raise RevocationMismatch("ocsp", "the nonce of another request")


def _single(
    response: ocsp.OCSPResponse, certificate: x509.Certificate, issuer: x509.Certificate
) -> ocsp.OCSPSingleResponse:
    of_this_issuer = False
    for single in response.responses:
        digest = _HASHES.get(type(single.hash_algorithm))
        if digest is not None and single.issuer_name_hash == digest(issuer.subject.public_bytes()):
            of_this_issuer = True
            same_key = single.issuer_key_hash == _key_hash(issuer, type(single.hash_algorithm))
            if same_key and single.serial_number == certificate.serial_number:
                return single
    if of_this_issuer:
        raise RevocationMismatch("ocsp", "about another certificate")
    raise RevocationUnknown("ocsp", "of another issuer")


def _ocsp_answer(single: ocsp.OCSPSingleResponse, der: bytes) -> Answer:
    if single.certificate_status is ocsp.OCSPCertStatus.UNKNOWN:
        return Answer("ocsp", "unknown", single.this_update_utc, single.next_update_utc, der=der)
    revoked = single.certificate_status is ocsp.OCSPCertStatus.REVOKED
    if revoked and single.revocation_reason is x509.ReasonFlags.remove_from_crl:
        revoked = False
    return Answer(
        "ocsp",
        "revoked" if revoked else "good",
        single.this_update_utc,
        single.next_update_utc,
        single.revocation_time_utc if revoked else None,
        single.revocation_reason if revoked else None,
        der,
    )


def _key_hash(certificate: x509.Certificate, algorithm: type[hashes.HashAlgorithm]) -> bytes:
    """Hash the BIT STRING of the public key, without its tag, length and unused bits."""
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        octets = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.PKCS1)
    elif isinstance(key, ec.EllipticCurvePublicKey):
        octets = key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    else:
        return b""
    return _HASHES[algorithm](octets)


# ---- CRL ----


def _require_crl_seal(crl: x509.CertificateRevocationList, issuer: x509.Certificate) -> None:
    usage = _extension(issuer, x509.KeyUsage)
    if usage is not None and not usage.crl_sign:
        raise RevocationUnauthorised("crl", "its issuer may not sign CRLs")
    if isinstance(crl.signature_hash_algorithm, hashes.SHA1 | hashes.MD5):
        raise RevocationUnauthorised("crl", "sealed with a weak algorithm")
    key = issuer.public_key()
    if not isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey) or not crl.is_signature_valid(key):
        raise RevocationUnauthorised("crl", "not sealed by the issuer")


def _require_scope(crl: x509.CertificateRevocationList, certificate: x509.Certificate) -> None:
    for extension in crl.extensions:
        match extension.value:
            case x509.IssuingDistributionPoint() as point:
                _require_point(point, certificate)
            case _ if extension.critical:
                raise RevocationMismatch("crl", "a delta, or of a kind that is not understood")


def _require_point(point: x509.IssuingDistributionPoint, certificate: x509.Certificate) -> None:
    constraints = _extension(certificate, x509.BasicConstraints)
    authority = constraints is not None and constraints.ca
    wrong_kind = point.only_contains_user_certs if authority else point.only_contains_ca_certs
    if wrong_kind or point.indirect_crl or point.only_some_reasons or point.only_contains_attribute_certs:
        raise RevocationMismatch("crl", "not a list of this kind of certificate")
    named, asked = set(_uris(point.full_name)), set(crl_addresses(certificate))
    if named and asked and not named & asked:
        raise RevocationMismatch("crl", "of another distribution point")


def _entry_reason(entry: x509.RevokedCertificate | None) -> x509.ReasonFlags | None:
    if entry is None:
        return None
    for extension in entry.extensions:
        if isinstance(extension.value, x509.CRLReason):
            return extension.value.reason
        if extension.critical:
            raise RevocationMismatch("crl", "an entry that is not understood")
    return None


# ---- both ----


def _extension(certificate: x509.Certificate, kind: type[E]) -> E | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except (x509.ExtensionNotFound, *UNREADABLE):
        return None


def _uris(names: Iterable[x509.GeneralName] | None) -> Sequence[str]:
    return [name.value for name in names or () if isinstance(name, x509.UniformResourceIdentifier)]
