"""Name the holders of certificates the way Vietnamese authorities do, and keep a certificate with its key and chain.

Persons carry title, organisation and unit, and their citizen number; an organisation's seal its tax number. The number stands
in `UID` or, with other authorities, in `serialNumber`, with a word before it: `CCCD:…`, `MST:…`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey
KeyKind = Literal["rsa2048", "rsa3072", "rsa4096", "ec256", "ec384"]
_CURVES: Final = {"ec256": ec.SECP256R1, "ec384": ec.SECP384R1}


@dataclass(frozen=True)
class Holder:
    """Whom a certificate names. Empty fields are left out of the subject."""

    common_name: str
    title: str = ""
    organisation: str = ""
    unit: str = ""
    place: str = ""
    """Province or city."""
    identifier: str = ""
    """`CCCD:` and the citizen number of a person, `MST:` and the tax number of an organisation."""
    identifier_in: Literal["UID", "serialNumber"] = "UID"

    def subject(self) -> x509.Name:
        """Write the distinguished name, country first."""
        identifier = NameOID.USER_ID if self.identifier_in == "UID" else NameOID.SERIAL_NUMBER
        parts = [
            (NameOID.COUNTRY_NAME, "VN"),
            (NameOID.STATE_OR_PROVINCE_NAME, self.place),
            (NameOID.ORGANIZATION_NAME, self.organisation),
            (NameOID.ORGANIZATIONAL_UNIT_NAME, self.unit),
            (NameOID.TITLE, self.title),
            (NameOID.COMMON_NAME, self.common_name),
            (identifier, self.identifier),
        ]
        return x509.Name([x509.NameAttribute(oid, value) for oid, value in parts if value])


HOSPITAL: Final = "Bệnh viện Đa khoa Thử nghiệm"
DEMO_HOLDERS: Final = {
    "facility": Holder(HOSPITAL, place="Hà Nội", identifier="MST:0109999999"),
    "director": Holder("Trần Văn Giám", "Giám đốc", HOSPITAL, "Ban Giám đốc", "Hà Nội", "CCCD:001070999901"),
    "head": Holder("Lê Thị Trưởng", "Trưởng khoa", HOSPITAL, "Khoa Nội", "Hà Nội", "CCCD:001175999902", "serialNumber"),
    "doctor": Holder("Nguyễn Thị Bác", "Bác sĩ", HOSPITAL, "Khoa Nội", "Hà Nội", "CCCD:001180999903"),
    "nurse": Holder("Phạm Văn Dưỡng", "Điều dưỡng", HOSPITAL, "Khoa Nội", "Hà Nội", "CCCD:001090999904"),
}
"""The people of the demo facility and its seal; nobody has these numbers."""


@dataclass(frozen=True)
class Credential:
    """A private key with its certificate and those above it, root last."""

    key: PrivateKey
    certificate: x509.Certificate
    chain: tuple[x509.Certificate, ...]

    @property
    def pem(self) -> bytes:
        """The certificate alone."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def der(self) -> bytes:
        """The certificate alone."""
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def key_pem(self) -> bytes:
        """The private key, not encrypted."""
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    def pkcs12(self, password: str) -> bytes:
        """Key, certificate and chain, encrypted with `password`."""
        encryption = serialization.BestAvailableEncryption(password.encode())
        return pkcs12.serialize_key_and_certificates(None, self.key, self.certificate, self.chain, encryption)


@dataclass(frozen=True)
class Validity:
    """From when to when a certificate is to hold."""

    not_before: datetime
    not_after: datetime


def make_key(kind: KeyKind) -> PrivateKey:
    """Make a new private key."""
    if kind in _CURVES:
        return ec.generate_private_key(_CURVES[kind]())
    return rsa.generate_private_key(65537, int(kind.removeprefix("rsa")))


def load_key(pem: bytes) -> PrivateKey:
    """Read a private key that is not encrypted. Raises ValueError when it is neither RSA nor elliptic."""
    key = serialization.load_pem_private_key(pem, None)
    if not isinstance(key, PrivateKey):
        raise ValueError("neither an RSA nor an elliptic key")
    return key
