"""Was a certificate revoked when it signed? Answers out of OCSP responses and CRLs that are at hand.

Pure: nothing is fetched (`revocation_client` does that) and no clock is read. An answer that cannot be used says nothing;
when none can be used, the standing is *unknown*, which is neither good nor bad.

Not here: what CRLs say (`revocation_crl`).

Standard: RFC 6960 §3.2, §4.2; RFC 5280 §5, §6.3
Requirement: S0.9, S0.10
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID

from signing import certificates, path, revocation_crl
from signing.certificates import UNREADABLE
from signing.evidence import Evidence
from signing.faults import (
    CertificateUntrusted,
    KeyUnsuitable,
    RevocationMismatch,
    RevocationStale,
    RevocationUnauthorised,
    RevocationUnknown,
)
from signing.revocation_answer import Answer

E = TypeVar("E", bound=x509.ExtensionType)
crl_addresses = revocation_crl.addresses
read_crl = revocation_crl.read

SKEW = timedelta(minutes=5)
"""By how much the clocks of two parties may differ."""
_COMPROMISED = frozenset(
    {x509.ReasonFlags.key_compromise, x509.ReasonFlags.ca_compromise, x509.ReasonFlags.aa_compromise}
)
_ARCHIVE_CUTOFF = x509.ObjectIdentifier("1.3.6.1.5.5.7.48.1.6")
_HASHES: dict[type[hashes.HashAlgorithm], Callable[[bytes], bytes]] = {
    hashes.SHA1: lambda data: hashlib.sha1(data, usedforsecurity=False).digest(),
    hashes.SHA256: lambda data: hashlib.sha256(data).digest(),
    hashes.SHA384: lambda data: hashlib.sha384(data).digest(),
    hashes.SHA512: lambda data: hashlib.sha512(data).digest(),
}


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
    certificate: x509.Certificate,
    issuer: x509.Certificate,
    evidence: Evidence,
    at: datetime,
    now: datetime,
    signers: Sequence[x509.Certificate] = (),
) -> Standing:
    """Judge `certificate` at the moment `at` by all answers in `evidence`; the newest that says something counts.

    Revoked before `at` beats every other answer; revoked later means that the certificate was good at `at`. `signers` are
    further certificates for whose right to seal CRLs the caller vouches: other keys of the issuer, issuers of indirect CRLs.
    """
    usable: list[Answer] = []
    fault: RevocationUnknown | None = None
    for answer in _answers(certificate, issuer, evidence, signers):
        problem = answer if isinstance(answer, RevocationUnknown) else _speaks_of(answer, certificate, at, now)
        if problem is not None:
            fault = fault or problem
        elif isinstance(answer, Answer):
            usable.append(answer)
    told = _decisive(usable, at)
    if told is None:
        partial = RevocationMismatch("crl", "lists for some reasons only") if usable else None
        return Standing("unknown", fault=partial or fault or RevocationUnknown("certificate", "nothing at hand"))
    reason = told.reason.value if told.reason else ""
    status: Literal["good", "revoked", "suspended"] = "good"
    if told.revoked_at is not None and told.revoked_at <= at:
        status = "suspended" if told.reason is x509.ReasonFlags.certificate_hold else "revoked"
    return Standing(status, told.source, told.this_update, told.revoked_at, reason, told.reason in _COMPROMISED)


def list_signers(
    at_hand: Sequence[x509.Certificate],
    roots: Sequence[x509.Certificate],
    evidence: Evidence,
    at: datetime,
    now: datetime,
) -> list[x509.Certificate]:
    """Return who of `at_hand` may seal CRLs, with a path to one of `roots` on which nobody is known to be revoked."""
    found: list[x509.Certificate] = []
    for one in at_hand:
        if not certificates.may_seal_lists(one):
            continue
        try:
            chain = path.find(one, at_hand, roots, at)
        except CertificateUntrusted:
            continue
        stands = (standing(*pair, evidence, at, now).status for pair in itertools.pairwise(chain))
        if not {"revoked", "suspended"} & set(stands):
            found.append(one)
    return found


def _decisive(usable: Sequence[Answer], at: datetime) -> Answer | None:
    """Return the answer that counts; None when what is there speaks for some reasons only."""
    hold = x509.ReasonFlags.certificate_hold
    if final := [one for one in usable if one.status == "revoked" and one.reason is not hold]:
        return min(final, key=lambda one: one.revoked_at or at)
    newest: dict[frozenset[x509.ReasonFlags] | None, Answer] = {}
    for one in sorted(usable, key=lambda one: one.this_update):
        newest[one.reasons] = one
    whole = newest.pop(None, None)
    held = [one for one in newest.values() if one.status == "revoked"]
    if whole is not None:
        return max(whole, *held, key=lambda one: one.this_update) if held else whole
    if held:
        return held[0]
    covered = frozenset[x509.ReasonFlags]().union(*(one for one in newest if one))
    return min(newest.values(), key=lambda one: one.this_update) if covered >= revocation_crl.EVERY_REASON else None


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
        return _ocsp_answer(single, der, _archive_cutoff(response))
    except UNREADABLE as problem:
        raise RevocationUnknown("ocsp", "cannot be read") from problem


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


def names_a_service(certificate: x509.Certificate) -> bool:
    """Tell whether `certificate` says where its revocation can be asked about."""
    return bool(ocsp_addresses(certificate) or crl_addresses(certificate))


def _answers(
    certificate: x509.Certificate, issuer: x509.Certificate, evidence: Evidence, signers: Sequence[x509.Certificate]
) -> Iterator[Answer | RevocationUnknown]:
    problems: list[RevocationUnknown] = []
    for der in evidence.ocsp_responses:
        try:
            yield read_ocsp(der, certificate, issuer, crls=evidence.crls)
        except RevocationUnknown as problem:
            problems.append(problem)
    for answer in revocation_crl.answers(evidence.crls, certificate, issuer, signers):
        if isinstance(answer, RevocationUnknown):
            problems.append(answer)
        else:
            yield answer
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
    end = certificate.not_valid_after_utc
    kept = answer.keeps_ended_since is not None and answer.keeps_ended_since <= end
    if answer.this_update > end and not kept:
        return RevocationStale(answer.source, "made after the certificate's end, when entries may be gone")
    if answer.this_update + SKEW >= at:
        return None
    if answer.next_update is None or answer.next_update + SKEW < at:
        return RevocationStale(answer.source, f"out of date since {answer.next_update or answer.this_update:%Y-%m-%d}")
    return None


# ---- OCSP ----


def _require_responder(response: ocsp.OCSPResponse, issuer: x509.Certificate, crls: Sequence[bytes]) -> None:
    """Raise unless the issuer sealed the response, or somebody whom the issuer made its responder."""
    if isinstance(response.signature_hash_algorithm, path.WEAK):
        raise RevocationUnauthorised("ocsp", f"sealed with {response.signature_hash_algorithm.name}")
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
            if revocation_crl.read(der, responder, issuer).status == "revoked":
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
        and _is_strong(candidate)
    )


def _is_strong(certificate: x509.Certificate) -> bool:
    try:
        certificates.public_key(certificate)
    except KeyUnsuitable:
        return False
    return True


def _is_named(response: ocsp.OCSPResponse, responder: x509.Certificate) -> bool:
    if response.responder_name is not None:
        return response.responder_name == responder.subject
    return response.responder_key_hash == _key_hash(responder, hashes.SHA1)


def _sealed(response: ocsp.OCSPResponse, responder: x509.Certificate) -> bool:
    algorithm = response.signature_hash_algorithm
    if algorithm is None:
        return False
    key = responder.public_key()
    scheme: padding.AsymmetricPadding = padding.PKCS1v15()
    if response.signature_algorithm_oid == x509.SignatureAlgorithmOID.RSASSA_PSS:
        scheme = padding.PSS(padding.MGF1(algorithm), padding.PSS.AUTO)
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(response.signature, response.tbs_response_bytes, scheme, algorithm)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(response.signature, response.tbs_response_bytes, ec.ECDSA(algorithm))
        else:
            return False
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


def _archive_cutoff(response: ocsp.OCSPResponse) -> datetime | None:
    """Return since when certificates that have ended are answered about; a response about several says it of none.

    Standard: RFC 6960 §4.4.4
    """
    if len(list(response.responses)) != 1:
        return None
    for extension in response.single_extensions:
        if extension.oid == _ARCHIVE_CUTOFF and isinstance(extension.value, x509.UnrecognizedExtension):
            return revocation_crl.generalized_time(extension.value.value)
    return None


def _ocsp_answer(single: ocsp.OCSPSingleResponse, der: bytes, cutoff: datetime | None) -> Answer:
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
        keeps_ended_since=cutoff,
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


def _extension(certificate: x509.Certificate, kind: type[E]) -> E | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except (x509.ExtensionNotFound, *UNREADABLE):
        return None
