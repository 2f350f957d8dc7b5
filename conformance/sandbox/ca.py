"""Be the certificate authority of the sandbox: made at the first start, kept in one folder, trusted by nobody else.

It issues signers, transport keys and server certificates by itself, without revocation: the certificates that have that come
from the issuing CA below it (`authority.py`).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID

from conformance.sandbox.holders import Credential

ROOT_NAME = "Lien Thong Sandbox Root CA"


@dataclass(frozen=True)
class Identity:
    """A private key with its certificate and the root that issued it."""

    key: rsa.RSAPrivateKey
    certificate: x509.Certificate
    issuer: x509.Certificate

    @property
    def pem(self) -> bytes:
        """The certificate alone."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        """The private key, not encrypted."""
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    def pkcs12(self, password: str) -> bytes:
        """Key, certificate and root, encrypted with `password`."""
        encryption = serialization.BestAvailableEncryption(password.encode())
        return pkcs12.serialize_key_and_certificates(None, self.key, self.certificate, [self.issuer], encryption)


class DemoCA:
    """Load the root from `folder`, or make one there."""

    def __init__(self, folder: Path, *, key_size: int = 2048) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.pem_file = folder / "ca.pem"
        self._key_size = key_size
        key_file = folder / "ca-key.pem"
        if self.pem_file.exists() and key_file.exists():
            key = serialization.load_pem_private_key(key_file.read_bytes(), None)
            if not isinstance(key, rsa.RSAPrivateKey):
                raise ValueError(f"{key_file} does not hold an RSA key")
            self.key = key
            self.certificate = x509.load_pem_x509_certificate(self.pem_file.read_bytes())
            constraints = self.certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
            if constraints.path_length == 0:  # as made before there was an issuing CA: same name and key, room for one
                self._write_root()
        else:
            self.key = rsa.generate_private_key(65537, key_size)
            write_private(
                key_file,
                self.key.private_bytes(
                    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
                ),
            )
            self._write_root()

    def issue(
        self,
        common_name: str,
        *,
        title: str = "",
        organisation: str = "",
        not_before: datetime | None = None,
        not_after: datetime | None = None,
    ) -> Identity:
        """Make a signer: a person with a title, or an organisation's seal. Valid one year unless told otherwise."""
        usage = key_usage(digital_signature=True, content_commitment=True)
        return self._issue(_name(common_name, title, organisation), [(usage, True)], not_before, not_after)

    def issue_server(self, hosts: tuple[str, ...]) -> Identity:
        """Make a TLS server certificate for names and addresses."""
        names = x509.SubjectAlternativeName([_general_name(host) for host in hosts])
        purpose = x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.SERVER_AUTH])
        usage = key_usage(digital_signature=True)
        return self._issue(_name(hosts[0], "", ""), [(usage, True), (names, False), (purpose, False)], None, None)

    def write(self, name: str, identity: Identity | Credential, password: str) -> Path:
        """Write `<name>.p12` and `<name>.pem` into the CA's folder, readable by the owner alone; return the former."""
        path = self.folder / f"{name}.p12"
        write_private(path, identity.pkcs12(password))
        write_private(self.folder / f"{name}.pem", identity.pem)
        return path

    def _write_root(self) -> None:
        self.certificate = self._root()
        write_private(self.pem_file, self.certificate.public_bytes(serialization.Encoding.PEM))

    def _root(self) -> x509.Certificate:
        now = datetime.now(UTC)
        name = _name(ROOT_NAME, "", "")
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=3650))
            .add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
            .add_extension(key_usage(key_cert_sign=True, crl_sign=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), critical=False)
            .sign(self.key, hashes.SHA256())
        )

    def _issue(
        self,
        name: x509.Name,
        extensions: list[tuple[x509.ExtensionType, bool]],
        not_before: datetime | None,
        not_after: datetime | None,
    ) -> Identity:
        key = rsa.generate_private_key(65537, self._key_size)
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self.certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(not_before or now - timedelta(hours=1))
            .not_valid_after(not_after or now + timedelta(days=365))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
        )
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical=critical)
        return Identity(key, builder.sign(self.key, hashes.SHA256()), self.certificate)


def write_private(path: Path, data: bytes) -> None:
    """Write a file that only its owner can read, from its first byte on."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)


def common_name(certificate: x509.Certificate) -> str:
    """Return the subject's common name, or the empty string."""
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if names else ""


def _name(common_name: str, title: str, organisation: str) -> x509.Name:
    parts = [
        (NameOID.COUNTRY_NAME, "VN"),
        (NameOID.ORGANIZATION_NAME, organisation),
        (NameOID.TITLE, title),
        (NameOID.COMMON_NAME, common_name),
    ]
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in parts if value])


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def key_usage(
    *,
    digital_signature: bool = False,
    content_commitment: bool = False,
    key_cert_sign: bool = False,
    crl_sign: bool = False,
) -> x509.KeyUsage:
    """Make the extension with what is named and nothing else."""
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=content_commitment,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        encipher_only=False,
        decipher_only=False,
    )
