"""A token of SoftHSM for the demo's head of department: the key is born in it and never leaves.

A real PKCS#11 module whose tokens are files, so not a place for keys that matter.

Standard: PKCS #11 v2.40; RFC 2986 (PKCS #10)
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pkcs11
from asn1crypto import csr, pem
from asn1crypto import x509 as asn1_x509
from asn1crypto.keys import PublicKeyInfo
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pkcs11 import Attribute, ObjectClass

from mappings.formats.values import Secret
from signing import token

INSTALL = "sudo apt-get install softhsm2"
_PLACES = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/*/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
)
_LABEL = "signer"


def module() -> str:
    """Give the path of SoftHSM's library; an empty text where it or its program is not installed."""
    if shutil.which("softhsm2-util") is None:
        return ""
    found = (path for place in _PLACES for path in sorted(Path("/").glob(place.lstrip("/"))))
    return str(next(found, ""))


@dataclass(frozen=True)
class DemoToken:
    """One token in a folder of its own; a process has one, the last that was made or plugged."""

    folder: Path
    module: str
    label: str
    pin: Secret

    def make(self) -> None:
        """Make the token and a key in it."""
        (self.folder / "tokens").mkdir(parents=True, mode=0o700)
        (self.folder / "softhsm2.conf").write_text(
            f"directories.tokendir = {self.folder / 'tokens'}\nlog.level = ERROR\n", encoding="utf-8"
        )
        os.environ["SOFTHSM2_CONF"] = str(self.folder / "softhsm2.conf")
        command = ["softhsm2-util", "--init-token", "--free", "--label", self.label]
        command += ["--pin", self.pin, "--so-pin", self.pin]
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - nothing in it comes from outside
        token.restart(self.module)
        with self._open() as session:
            session.generate_keypair(pkcs11.KeyType.RSA, 2048, store=True, label=_LABEL, id=b"\x01")

    def request(self, subject: x509.Name) -> str:
        """Return a request for a certificate, PEM, signed inside the token."""
        with self._open() as session:
            public = session.get_key(object_class=ObjectClass.PUBLIC_KEY, label=_LABEL)
            numbers = [int.from_bytes(public[name]) for name in (Attribute.PUBLIC_EXPONENT, Attribute.MODULUS)]
            spki = rsa.RSAPublicNumbers(*numbers).public_key()
            wanted = csr.CertificationRequestInfo(
                {
                    "version": "v1",
                    "subject": asn1_x509.Name.load(subject.public_bytes()),
                    "subject_pk_info": PublicKeyInfo.load(
                        spki.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
                    ),
                    "attributes": csr.CRIAttributes([]),
                }
            )
            private = session.get_key(object_class=ObjectClass.PRIVATE_KEY, label=_LABEL)
            signature = private.sign(wanted.dump(), mechanism=pkcs11.Mechanism.SHA256_RSA_PKCS)
        signed = csr.CertificationRequest(
            {
                "certification_request_info": wanted,
                "signature_algorithm": {"algorithm": "sha256_rsa"},
                "signature": signature,
            }
        )
        return str(pem.armor("CERTIFICATE REQUEST", signed.dump()).decode())

    def put(self, chain: Sequence[x509.Certificate]) -> None:
        """Put the certificate and those above it beside the key."""
        with self._open() as session:
            for certificate in chain:
                der = certificate.public_bytes(Encoding.DER)
                session.create_object(
                    {
                        Attribute.CLASS: ObjectClass.CERTIFICATE,
                        Attribute.CERTIFICATE_TYPE: pkcs11.CertificateType.X_509,
                        Attribute.TOKEN: True,
                        Attribute.PRIVATE: False,
                        Attribute.ID: b"\x01" if certificate == chain[0] else hashlib.sha256(der).digest()[:8],
                        Attribute.SUBJECT: certificate.subject.public_bytes(),
                        Attribute.VALUE: der,
                    }
                )

    def serial(self) -> str:
        """Return the serial number that the token states, as it would stand on its case."""
        return token.serial(token.find(token.load(self.module), self.label))

    def _open(self) -> Any:
        return token.find(token.load(self.module), self.label).open(rw=True, user_pin=str(self.pin))
