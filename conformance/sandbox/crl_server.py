"""Publish what the two authorities revoked, and their certificates, over HTTP. Full lists only; no delta, no partitions.

Standard: RFC 5280 §5, §4.2.2.1
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import ClassVar, Final

from asn1crypto import core, crl
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from conformance.sandbox import der
from conformance.sandbox.authority import Authority, IssuerName, Revocation
from conformance.sandbox.faults import Call, PaperNames
from conformance.sandbox.holders import PrivateKey
from conformance.sandbox.wire import Received, Reply

LIFE: Final = timedelta(days=1)
"""From thisUpdate to nextUpdate."""
HUGE: Final = 300_000
"""Entries of the huge list: about 11 MB."""
_PATH: Final = re.compile(r"/(root|issuing)\.(crl|cer)")


@dataclass(frozen=True)
class _Issue:
    lines: dict[int, Revocation]
    made_at: datetime
    data: bytes


class CrlServer:
    """Serve `/{root,issuing}.crl` and `/{root,issuing}.cer`, both DER.

    A list is made anew, with the next number, when what is revoked changed or half of its life is over.
    """

    name: ClassVar[str] = "crl"

    def __init__(self, authority: Authority) -> None:
        self._authority = authority
        self._issues: dict[IssuerName, _Issue] = {}

    def call(self, request: Received) -> Call | None:
        """Know the download of a list, and of an authority's certificate as a question of another kind."""
        found = _PATH.fullmatch(request.path)
        if found is None or request.method != "GET":
            return None
        return Call.SUBMIT if found[2] == "crl" else Call.FIND

    def answer(self, call: Call, request: Received) -> Reply:
        """Hand out the list or the certificate."""
        issuer = _issuer(request)
        if call is Call.FIND:
            certificate = self._authority.issuer(issuer)[1].public_bytes(serialization.Encoding.DER)
            return Reply(200, certificate, "application/pkix-cert")
        return _reply(self.current(issuer))

    def current(self, issuer: IssuerName) -> bytes:
        """Return the list that is in force."""
        now = self._authority.clock()
        lines = self._authority.in_force(issuer, now)
        issue = self._issues.get(issuer)
        if issue is None or issue.lines != lines or not issue.made_at <= now < issue.made_at + LIFE / 2:
            number = self._authority.next_crl_number(issuer)
            issue = _Issue(lines, now, _der(self._list(issuer, now, number), self._authority.issuer(issuer)[0]))
            self._issues[issuer] = issue
        return issue.data

    def names(self, request: Received) -> PaperNames:
        """Know a download by its path."""
        return PaperNames(hashlib.sha256(request.path.encode()).hexdigest(), request.path, "")

    def refuse(self, request: Received, code: str | None) -> Reply:
        """Have no list at all."""
        return Reply(404, b"", "text/plain")

    def distort(self, call: Call, request: Received, code: str) -> Reply:
        """Hand out a list that is wrong in the way `code` names."""
        if call is not Call.SUBMIT:
            return self.answer(call, request)
        issuer = _issuer(request)
        key, now = self._authority.issuer(issuer)[0], self._authority.clock()
        if code == "stale":
            return _reply(_der(self._list(issuer, now - 3 * LIFE, 1), key))
        if code == "wrong_issuer":
            other = self._authority.stranger("Stranger CRL")
            return _reply(_der(self._list(issuer, now, 1, other.certificate.subject), other.key))
        if code == "wrong_signer":
            return _reply(_der(self._list(issuer, now, 1), self._authority.stranger("Stranger CRL").key))
        if code == "huge":
            return _reply(_huge(self.current(issuer), key))
        good = self.current(issuer)
        return _reply(der.spoilt(good) if code == "bad_signature" else good[: len(good) // 2])

    def _list(
        self, issuer: IssuerName, now: datetime, number: int, name: x509.Name | None = None
    ) -> x509.CertificateRevocationListBuilder:
        certificate = self._authority.issuer(issuer)[1]
        identifier = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(name or certificate.subject)
            .last_update(der.whole_second(now))
            .next_update(der.whole_second(now) + LIFE)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
            .add_extension(x509.CRLNumber(number), critical=False)
        )
        for serial, revocation in self._authority.in_force(issuer, now).items():
            line = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(revocation.at)
            if revocation.reason != "unspecified":
                line = line.add_extension(x509.CRLReason(x509.ReasonFlags(revocation.reason)), critical=False)
            if revocation.invalid_since is not None:
                line = line.add_extension(x509.InvalidityDate(revocation.invalid_since), critical=False)
            builder = builder.add_revoked_certificate(line.build())
        return builder


def _issuer(request: Received) -> IssuerName:
    return "root" if request.path.startswith("/root.") else "issuing"


def _reply(data: bytes) -> Reply:
    return Reply(200, data, "application/pkix-crl")


def _der(builder: x509.CertificateRevocationListBuilder, key: PrivateKey) -> bytes:
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def _huge(good: bytes, key: PrivateKey) -> bytes:
    """Put very many entries into a list; none of them is of a certificate that was issued."""
    content = crl.CertificateList.load(good)["tbs_cert_list"].copy()
    moment = bytes(core.UTCTime(datetime(2026, 1, 1, tzinfo=UTC)).dump())
    lines = (der.sequence(b"\x02\x10\x40" + number.to_bytes(15, "big"), moment) for number in range(HUGE))
    content["revoked_certificates"] = crl.RevokedCertificates.load(der.sequence(*lines))
    algorithm, signature = der.sign(key, content.dump())
    signed = {"tbs_cert_list": content, "signature_algorithm": algorithm, "signature": signature}
    return bytes(crl.CertificateList(signed).dump())
