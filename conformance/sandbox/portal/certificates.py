"""Know the signing certificates that facilities registered with the portal (Danh mục chứng thư số)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from conformance.sandbox.ca import common_name


@dataclass(frozen=True)
class Registered:
    """One registered certificate."""

    facility: str
    certificate: x509.Certificate

    @property
    def fingerprint(self) -> str:
        """SHA-256 in hex."""
        return self.certificate.fingerprint(hashes.SHA256()).hex()

    def describe(self) -> dict[str, str]:
        """Return what a page or the admin interface shows."""
        return {
            "facility": self.facility,
            "subject": common_name(self.certificate),
            "serial": f"{self.certificate.serial_number:X}",
            "not_after": self.certificate.not_valid_after_utc.isoformat(),
            "sha256": self.fingerprint,
        }


class CertificateBook:
    """Keeps certificates by facility, in memory or in a folder that a later start reads again."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._all: dict[tuple[str, str], Registered] = {}
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            for path in sorted(folder.glob("*.pem")):
                self._note(path.stem.partition("-")[0], x509.load_pem_x509_certificate(path.read_bytes()))

    def add(self, facility: str, pem: bytes) -> Registered:
        """Register a certificate, PEM or DER, for a facility. Raises ValueError."""
        if not (facility.isascii() and facility.isalnum() and len(facility) == 5):
            raise ValueError("MACSKCB phải là 5 ký tự")
        certificate = (
            x509.load_pem_x509_certificate(pem) if b"-----BEGIN" in pem else x509.load_der_x509_certificate(pem)
        )
        one = self._note(facility, certificate)
        if self._folder is not None:
            path = self._folder / f"{facility}-{one.fingerprint}.pem"
            path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        return one

    def remove(self, sha256: str) -> bool:
        """Forget a certificate; False when it was not there."""
        found = [key for key in self._all if key[1] == sha256]
        for key in found:
            del self._all[key]
            if self._folder is not None:
                (self._folder / f"{key[0]}-{key[1]}.pem").unlink(missing_ok=True)
        return bool(found)

    def all(self, facility: str | None = None) -> tuple[Registered, ...]:
        """Return the certificates of one facility or of all."""
        return tuple(each for each in self._all.values() if facility in (None, each.facility))

    def _note(self, facility: str, certificate: x509.Certificate) -> Registered:
        one = Registered(facility, certificate)
        self._all[facility, one.fingerprint] = one
        return one
