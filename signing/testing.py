"""A throw-away certificate authority: for tests, the demo and the sandbox. Nothing it issues is worth anything.

Keys are made when asked for and live in memory; whoever wants files writes them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID

from mappings.formats.values import Secret
from signing.algorithms import PrivateKey, PublicKey, names_for, one_of
from signing.contract import ToSign


@dataclass(frozen=True)
class AnyMemoryKey:
    """A key provider without a file or a token."""

    private_key: PrivateKey = field(repr=False)
    chain: tuple[x509.Certificate, ...]

    @cached_property
    def algorithms(self) -> tuple[str, ...]:
        """Name what the key can do, its usual algorithm first."""
        return names_for(self.private_key.public_key())

    def sign(self, data: bytes, algorithm: str = "") -> bytes:
        """Return the signature over `data`."""
        chosen = one_of(self.algorithms, algorithm)
        return chosen.sign_digest(self.private_key, chosen.digest(data))

    def sign_hashes(self, documents: Sequence[ToSign], algorithm: str = "") -> Iterator[bytes]:
        """Sign one hash after the other."""
        chosen = one_of(self.algorithms, algorithm, (document.digest for document in documents))
        return (chosen.sign_digest(self.private_key, document.digest) for document in documents)

    def pkcs12(self, password: Secret) -> bytes:
        """Return the key and its chain as a PKCS#12 file."""
        return pkcs12.serialize_key_and_certificates(
            b"lienthong",
            self.private_key,
            self.chain[0],
            self.chain[1:],
            serialization.BestAvailableEncryption(password.encode()),
        )


@dataclass(frozen=True)
class MemoryKey(AnyMemoryKey):
    """An RSA one."""

    private_key: rsa.RSAPrivateKey = field(repr=False)


@dataclass(frozen=True)
class EllipticMemoryKey(AnyMemoryKey):
    """One on a curve."""

    private_key: ec.EllipticCurvePrivateKey = field(repr=False)


@dataclass(frozen=True)
class Authority:
    """An issuer; `certificate` of a root goes to those who verify."""

    private_key: rsa.RSAPrivateKey = field(repr=False)
    certificate: x509.Certificate
    issuers: tuple[x509.Certificate, ...] = ()
    """Between this authority and its root, itself first; empty for a root."""

    @classmethod
    def root(cls, name: str = "Thử nghiệm Root CA") -> Authority:
        """Make a self-signed root, valid for ten years."""
        key = new_rsa_key()
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        return cls(key, _authority_certificate(subject, key, subject, key))

    def intermediate(self, name: str = "Thử nghiệm CA cấp dưới") -> Authority:
        """Make an authority below this one."""
        key = new_rsa_key()
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = _authority_certificate(subject, key, self.certificate.subject, self.private_key)
        return Authority(key, certificate, (certificate, *self.issuers))

    def pem(self) -> bytes:
        """Return the certificate as PEM."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def issue(
        self,
        name: str,
        *,
        title: str = "",
        organisation: str = "",
        identifier: str = "",
        private_key: rsa.RSAPrivateKey | None = None,
        not_before: datetime | None = None,
        not_after: datetime | None = None,
    ) -> MemoryKey:
        """Make a signer's key and certificate; valid from yesterday for a year unless told otherwise."""
        key = private_key or new_rsa_key()
        texts = {
            NameOID.COMMON_NAME: name,
            NameOID.TITLE: title,
            NameOID.ORGANIZATION_NAME: organisation,
            NameOID.SERIAL_NUMBER: identifier,
        }
        subject = x509.Name([x509.NameAttribute(oid, text) for oid, text in texts.items() if text])
        return MemoryKey(key, self._certify(subject, key.public_key(), not_before, not_after))

    def issue_elliptic(self, name: str, curve: ec.EllipticCurve) -> EllipticMemoryKey:
        """Make a signer's key on `curve`, and its certificate."""
        key = ec.generate_private_key(curve)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        return EllipticMemoryKey(key, self._certify(subject, key.public_key(), None, None))

    def _certify(
        self, subject: x509.Name, key: PublicKey, not_before: datetime | None, not_after: datetime | None
    ) -> tuple[x509.Certificate, ...]:
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.certificate.subject)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(not_before or now - timedelta(days=1))
            .not_valid_after(not_after or now + timedelta(days=365))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(authority=False), critical=True)
            .sign(self.private_key, hashes.SHA256())
        )
        return (certificate, *self.issuers)


def new_rsa_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    """Make an RSA key; takes about a tenth of a second."""
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def _authority_certificate(
    subject: x509.Name, key: rsa.RSAPrivateKey, issuer: x509.Name, issuer_key: rsa.RSAPrivateKey
) -> x509.Certificate:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=365 * 5))
        .not_valid_after(now + timedelta(days=365 * 5))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_key_usage(authority=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(issuer_key, hashes.SHA256())
    )


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=not authority,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )
