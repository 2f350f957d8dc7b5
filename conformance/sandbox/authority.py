"""Be the issuing CA below the demo root: issue, renew, suspend and revoke, and remember it for as long as the folder lives.

It decides what is so; `ocsp_responder.py` and `crl_server.py` tell it to others. It asks no one who a holder is.

Standard: RFC 5280
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID

from conformance.sandbox.ca import DemoCA, key_usage, write_private
from conformance.sandbox.holders import Credential, Holder, KeyKind, PrivateKey, PublicKey, Validity, load_key, make_key

ISSUING_NAME: Final = "Lien Thong Sandbox Issuing CA"
POLICY: Final = x509.ObjectIdentifier("2.999.1.1")
"""Certificate policy of signers, under the arc for examples."""
YEAR: Final = timedelta(days=365)

IssuerName = Literal["root", "issuing"]
Purpose = Literal["signer", "issuing", "tsa", "ocsp"]

REASONS: Final = {
    "unspecified": 0,
    "keyCompromise": 1,
    "cACompromise": 2,
    "affiliationChanged": 3,
    "superseded": 4,
    "cessationOfOperation": 5,
    "certificateHold": 6,
    "privilegeWithdrawn": 9,
    "aACompromise": 10,
}
"""Standard: RFC 5280 §5.3.1"""
_HOLD: Final = "certificateHold"
_SIGNER_PURPOSES: Final = (
    ExtendedKeyUsageOID.CLIENT_AUTH,
    ExtendedKeyUsageOID.EMAIL_PROTECTION,
    x509.ObjectIdentifier("1.3.6.1.5.5.7.3.36"),  # id-kp-documentSigning, RFC 9336
)


class UnknownCertificateError(Exception):
    """Raised when nothing was issued under a serial number."""


class LifeCycleError(Exception):
    """Raised when a certificate cannot go from the state it is in to the one asked for."""


@dataclass(frozen=True)
class Revocation:
    """That a certificate does not hold from a moment on; a suspension has the reason `certificateHold`."""

    at: datetime
    reason: str
    invalid_since: datetime | None = None
    """When the key is believed to have been lost, where that was earlier."""


@dataclass(frozen=True)
class Entry:
    """One line of the register."""

    certificate: x509.Certificate
    issuer: IssuerName
    purpose: Purpose
    revocation: Revocation | None = None

    @property
    def serial(self) -> int:
        """The serial number; one register, so no number is given twice."""
        return self.certificate.serial_number

    def revoked_at(self, moment: datetime) -> Revocation | None:
        """Return the revocation or suspension that is in force at a moment."""
        return self.revocation if self.revocation is not None and self.revocation.at <= moment else None

    def state(self, moment: datetime) -> Literal["valid", "expired", "revoked", "suspended"]:
        """Name the state at a moment in the words of CSC's `cert/status`."""
        revocation = self.revoked_at(moment)
        if revocation is not None:
            return "suspended" if revocation.reason == _HOLD else "revoked"
        return "valid" if moment <= self.certificate.not_valid_after_utc else "expired"


class Authority:
    """Hold the register and the keys of the issuing CA and of its services; keys are made when first needed."""

    def __init__(self, root: DemoCA, clock: Callable[[], datetime]) -> None:
        self.root = root
        self.clock = clock
        self.entries: dict[int, Entry] = {}
        self.addresses: dict[str, str] = {}
        """Where the certificates say that OCSP (`ocsp`) and CRLs (`crl`) are to be had."""
        self._crl_numbers: dict[str, int] = {}
        self._services: dict[str, Credential] = {}
        self._register = root.folder / "register.json"
        if self._register.exists():
            self._load()

    def publish_at(self, ocsp: str, crl: str) -> None:
        """Write these addresses into certificates issued from now on."""
        self.addresses = {"ocsp": ocsp, "crl": crl}

    @property
    def issuing(self) -> Credential:
        """The issuing CA."""

        def make(key: PrivateKey) -> x509.Certificate:
            extensions: list[tuple[x509.ExtensionType, bool]] = [
                (x509.BasicConstraints(ca=True, path_length=0), True),
                (key_usage(key_cert_sign=True, crl_sign=True), True),
            ]
            name = Holder(ISSUING_NAME).subject()
            return self._certify("root", "issuing", name, key.public_key(), extensions, self._validity(5 * YEAR))

        return self._service("issuing", "rsa2048", make, (self.root.certificate,))

    def issuer(self, name: IssuerName) -> tuple[PrivateKey, x509.Certificate]:
        """Return key and certificate of one of the two authorities."""
        return (
            (self.root.key, self.root.certificate) if name == "root" else (self.issuing.key, self.issuing.certificate)
        )

    def issue(self, holder: Holder, key: KeyKind = "rsa2048", validity: Validity | None = None) -> Credential:
        """Make a key and a signer's certificate for it. Valid one year unless told otherwise."""
        private = make_key(key)
        return self.credential(private, self.certify(holder.subject(), private.public_key(), validity))

    def certify(self, subject: x509.Name, key: PublicKey, validity: Validity | None = None) -> x509.Certificate:
        """Issue a signer's certificate for a key that the holder made: on a token, or at a remote signer."""
        extensions: list[tuple[x509.ExtensionType, bool]] = [
            (x509.BasicConstraints(ca=False, path_length=None), True),
            (key_usage(digital_signature=True, content_commitment=True), True),
            (x509.ExtendedKeyUsage(_SIGNER_PURPOSES), False),
            (x509.CertificatePolicies([x509.PolicyInformation(POLICY, None)]), False),
        ]
        validity = validity or self._validity(YEAR)
        return self._certify("issuing", "signer", subject, key, extensions, validity)

    def credential(self, key: PrivateKey, certificate: x509.Certificate) -> Credential:
        """Put a key with its certificate of ours and the two above it."""
        return Credential(key, certificate, (self.issuing.certificate, self.root.certificate))

    def validity(self, days: int, not_before: datetime | None = None) -> Validity:
        """Return so many days from `not_before`, or from an hour ago."""
        begin = not_before or self.clock() - timedelta(hours=1)
        return Validity(begin, begin + timedelta(days=days))

    def find(self, serial: int) -> Entry:
        """Return a line of the register. Raises UnknownCertificateError."""
        try:
            return self.entries[serial]
        except KeyError as error:
            raise UnknownCertificateError from error

    def holds(self, certificate: x509.Certificate, at: datetime | None = None) -> bool:
        """Tell whether a certificate may sign at `at`, or now; one that the root issued by itself always may."""
        entry = self.entries.get(certificate.serial_number)
        return entry is None or entry.state(at or self.clock()) == "valid"

    def renew(self, serial: int, validity: Validity | None = None) -> x509.Certificate:
        """Issue again for the same subject and key; the earlier certificate stays as it is. Raises LifeCycleError when it is
        revoked or suspended, UnknownCertificateError.
        """
        entry = self.find(serial)
        if entry.purpose != "signer" or entry.state(self.clock()) in ("revoked", "suspended"):
            raise LifeCycleError("only a signer's certificate that is neither revoked nor suspended is renewed")
        key = entry.certificate.public_key()
        assert isinstance(key, PublicKey)
        return self.certify(entry.certificate.subject, key, validity)

    def suspend(self, serial: int, at: datetime | None = None) -> None:
        """Put on hold from `at`, or from now. Raises LifeCycleError, UnknownCertificateError."""
        self.revoke(serial, _HOLD, at)

    def resume(self, serial: int) -> None:
        """End a suspension; it leaves no trace. Raises LifeCycleError, UnknownCertificateError."""
        entry = self.find(serial)
        if entry.revocation is None or entry.revocation.reason != _HOLD:
            raise LifeCycleError("not suspended")
        self._record(replace(entry, revocation=None))

    def revoke(
        self,
        serial: int,
        reason: str = "unspecified",
        at: datetime | None = None,
        invalid_since: datetime | None = None,
    ) -> None:
        """Revoke from `at`, which may lie in the past or the future, or from now. Raises LifeCycleError when it is revoked
        already or the reason is none of RFC 5280, UnknownCertificateError.
        """
        entry = self.find(serial)
        if reason not in REASONS:
            raise LifeCycleError("no such reason")
        if entry.revocation is not None and (entry.revocation.reason != _HOLD or reason == _HOLD):
            raise LifeCycleError("revoked or suspended already")
        moment = (at or self.clock()).replace(microsecond=0)
        self._record(replace(entry, revocation=Revocation(moment, reason, invalid_since)))

    def in_force(self, issuer: IssuerName, moment: datetime) -> dict[int, Revocation]:
        """Return what one authority has revoked or suspended at a moment, by serial number."""
        found = ((each.serial, each.revoked_at(moment)) for each in self.entries.values() if each.issuer == issuer)
        return {serial: revocation for serial, revocation in found if revocation is not None}

    def next_crl_number(self, issuer: IssuerName) -> int:
        """Return a number that no earlier CRL of this authority has."""
        self._crl_numbers[issuer] = self._crl_numbers.get(issuer, 0) + 1
        self._save()
        return self._crl_numbers[issuer]

    def ocsp_signer(self, issuer: IssuerName) -> Credential:
        """The delegate of one authority that signs its OCSP answers.

        Standard: RFC 6960 §4.2.2.2
        """
        certificate = self.issuer(issuer)[1]
        above = (certificate,) if issuer == "root" else (certificate, self.root.certificate)
        purposes: list[tuple[x509.ExtensionType, bool]] = [
            (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING]), False),
            (x509.OCSPNoCheck(), False),
        ]
        name = Holder(f"Lien Thong Sandbox OCSP ({issuer})")
        return self._end_entity(f"ocsp-{issuer}", issuer, "ocsp", name, purposes, above, self._validity(YEAR))

    def time_stamper(self, *, expired: bool = False) -> Credential:
        """The authority's time stamping unit, or one whose certificate ended yesterday.

        Standard: RFC 3161 §2.3
        """
        purposes: list[tuple[x509.ExtensionType, bool]] = [
            (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), True)
        ]
        above = (self.issuing.certificate, self.root.certificate)
        now = self.clock()
        validity = Validity(now - YEAR, now - timedelta(days=1)) if expired else self._validity(3 * YEAR)
        name = "tsa-expired" if expired else "tsa"
        return self._end_entity(
            name, "issuing", "tsa", Holder(f"Lien Thong Sandbox {name.upper()}"), purposes, above, validity
        )

    def nobody_in_particular(self) -> Credential:
        """A signer of ours without any right to answer for a service."""
        return self._end_entity(
            "ordinary",
            "issuing",
            "signer",
            Holder("Không được ủy quyền"),
            [],
            (self.issuing.certificate, self.root.certificate),
            self._validity(YEAR),
        )

    def stranger(self, name: str) -> Credential:
        """An authority that is not ours but has this name; self-signed, with the right to everything."""

        def make(key: PrivateKey) -> x509.Certificate:
            subject = Holder(name).subject()
            purposes = [ExtendedKeyUsageOID.OCSP_SIGNING]
            if "TSA" in name:
                purposes = [ExtendedKeyUsageOID.TIME_STAMPING]
            validity = self._validity(YEAR)
            usage = key_usage(digital_signature=True, crl_sign=True, key_cert_sign=True)
            return (
                x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
                .not_valid_before(validity.not_before)
                .not_valid_after(validity.not_after)
                .add_extension(usage, critical=True)
                .add_extension(x509.ExtendedKeyUsage(purposes), critical="TSA" in name)
                .sign(key, hashes.SHA256())
            )

        return self._service(f"stranger-{name.rpartition(' ')[2].lower()}", "ec256", make, ())

    def _end_entity(
        self,
        file_name: str,
        issuer: IssuerName,
        purpose: Purpose,
        holder: Holder,
        purposes: list[tuple[x509.ExtensionType, bool]],
        above: tuple[x509.Certificate, ...],
        validity: Validity,
    ) -> Credential:
        def make(key: PrivateKey) -> x509.Certificate:
            extensions: list[tuple[x509.ExtensionType, bool]] = [
                (x509.BasicConstraints(ca=False, path_length=None), True),
                (key_usage(digital_signature=True), True),
                *purposes,
            ]
            return self._certify(issuer, purpose, holder.subject(), key.public_key(), extensions, validity)

        return self._service(file_name, "rsa2048", make, above)

    def _service(
        self,
        name: str,
        kind: KeyKind,
        make: Callable[[PrivateKey], x509.Certificate],
        above: tuple[x509.Certificate, ...],
    ) -> Credential:
        if name not in self._services:
            path = self.root.folder / f"service-{name}.pem"
            if path.exists():
                data = path.read_bytes()
                made = Credential(load_key(data), x509.load_pem_x509_certificate(data), above)
            else:
                key = make_key(kind)
                made = Credential(key, make(key), above)
                write_private(path, made.key_pem + made.pem)
            self._services[name] = made
        return self._services[name]

    def _validity(self, length: timedelta) -> Validity:
        now = self.clock()
        return Validity(now - timedelta(hours=1), now + length)

    def _certify(
        self,
        issuer: IssuerName,
        purpose: Purpose,
        subject: x509.Name,
        key: PublicKey,
        extensions: list[tuple[x509.ExtensionType, bool]],
        validity: Validity,
    ) -> x509.Certificate:
        issuer_key, issuer_certificate = self.issuer(issuer)
        above = issuer_certificate.public_key()
        assert isinstance(above, rsa.RSAPublicKey | ec.EllipticCurvePublicKey)
        builder = (
            x509.CertificateBuilder(issuer_certificate.subject, subject, key, x509.random_serial_number())
            .not_valid_before(validity.not_before)
            .not_valid_after(validity.not_after)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(above), critical=False)
        )
        for extension, critical in [*extensions, *self._where_to_ask(issuer, purpose)]:
            builder = builder.add_extension(extension, critical=critical)
        certificate = builder.sign(issuer_key, hashes.SHA256())
        self._record(Entry(certificate, issuer, purpose))
        return certificate

    def _where_to_ask(self, issuer: IssuerName, purpose: Purpose) -> list[tuple[x509.ExtensionType, bool]]:
        """Standard: RFC 5280 §4.2.2.1, §4.2.1.13"""
        if not self.addresses or purpose == "ocsp":
            return []
        about = x509.UniformResourceIdentifier(f"{self.addresses['crl']}/{issuer}.cer")
        responder = x509.UniformResourceIdentifier(self.addresses["ocsp"])
        access = [
            x509.AccessDescription(AuthorityInformationAccessOID.OCSP, responder),
            x509.AccessDescription(AuthorityInformationAccessOID.CA_ISSUERS, about),
        ]
        point = x509.UniformResourceIdentifier(f"{self.addresses['crl']}/{issuer}.crl")
        points = [x509.DistributionPoint([point], None, None, None)]
        return [(x509.AuthorityInformationAccess(access), False), (x509.CRLDistributionPoints(points), False)]

    def _record(self, entry: Entry) -> None:
        self.entries[entry.serial] = entry
        self._save()

    def _save(self) -> None:
        lines = [_written(entry) for entry in self.entries.values()]
        content = {"addresses": self.addresses, "crl_numbers": self._crl_numbers, "certificates": lines}
        fresh = self._register.with_suffix(".new")
        write_private(fresh, json.dumps(content, ensure_ascii=False, indent=1).encode())
        fresh.replace(self._register)

    def _load(self) -> None:
        content = json.loads(self._register.read_bytes())
        self.addresses = content["addresses"]
        self._crl_numbers = content["crl_numbers"]
        self.entries = {entry.serial: entry for entry in map(_read, content["certificates"])}


def _written(entry: Entry) -> dict[str, Any]:
    revocation = entry.revocation
    return {
        "serial": f"{entry.serial:X}",
        "subject": entry.certificate.subject.rfc4514_string(),
        "issuer": entry.issuer,
        "purpose": entry.purpose,
        "revoked_at": revocation.at.isoformat() if revocation else None,
        "reason": revocation.reason if revocation else None,
        "invalid_since": revocation.invalid_since.isoformat() if revocation and revocation.invalid_since else None,
        "pem": entry.certificate.public_bytes(serialization.Encoding.PEM).decode(),
    }


def _read(line: dict[str, Any]) -> Entry:
    revocation = None
    if line["revoked_at"]:
        since = datetime.fromisoformat(line["invalid_since"]) if line["invalid_since"] else None
        revocation = Revocation(datetime.fromisoformat(line["revoked_at"]), line["reason"], since)
    certificate = x509.load_pem_x509_certificate(line["pem"].encode())
    return Entry(certificate, line["issuer"], line["purpose"], revocation)


def describe(entry: Entry, moment: datetime) -> dict[str, Any]:
    """Return what the admin interface shows of a certificate."""
    certificate = entry.certificate
    return {
        **_written(entry),
        "state": entry.state(moment),
        "not_before": certificate.not_valid_before_utc.astimezone(UTC).isoformat(),
        "not_after": certificate.not_valid_after_utc.astimezone(UTC).isoformat(),
    }
