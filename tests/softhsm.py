"""Tokens made of SoftHSM2, for tests and measurements: a real PKCS#11 module whose tokens can be pulled.

Not a place for keys that matter: they lie in files.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pkcs11
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pkcs11 import Attribute, ObjectClass
from pkcs11.util import ec as ec_parameters

from mappings.formats.values import Secret
from signing import token
from signing.testing import AnyMemoryKey

MODULE = "/usr/lib/softhsm/libsofthsm2.so"


@dataclass
class SoftHsm:
    """SoftHSM with its tokens in one folder; one at a time in a process, which `start` chooses."""

    folder: Path

    @property
    def tokens(self) -> Path:
        """The folder that goes away when the tokens are pulled."""
        return self.folder / "tokens"

    def start(self) -> None:
        """Make this folder's tokens the ones that are plugged in."""
        self.tokens.mkdir(exist_ok=True)
        configuration = self.folder / "softhsm2.conf"
        configuration.write_text(f"directories.tokendir = {self.tokens}\nlog.level = ERROR\n")
        os.environ["SOFTHSM2_CONF"] = str(configuration)
        token.restart(MODULE)

    def add(self, label: str, pin: Secret) -> None:
        """Make an empty token."""
        command = ["softhsm2-util", "--init-token", "--free", "--label", label, "--pin", pin, "--so-pin", "so-pin-1"]
        subprocess.run(command, check=True, capture_output=True)
        token.restart(MODULE)

    def put(
        self, label: str, pin: Secret, key: AnyMemoryKey, name: str = "signer", *, asks_always: bool = False
    ) -> None:
        """Put a key with its chain on a token; `asks_always` is CKA_ALWAYS_AUTHENTICATE."""
        with token.find(token.load(MODULE), label).open(rw=True, user_pin=str(pin)) as session:
            session.create_object(
                {
                    Attribute.CLASS: ObjectClass.PRIVATE_KEY,
                    Attribute.LABEL: name,
                    Attribute.ID: b"\x01",
                    Attribute.TOKEN: True,
                    Attribute.PRIVATE: True,
                    Attribute.SENSITIVE: True,
                    Attribute.SIGN: True,
                    Attribute.ALWAYS_AUTHENTICATE: asks_always,
                    **_numbers(key),
                }
            )
            for certificate in reversed(key.chain):  # the issuer first: the order in a token means nothing
                session.create_object(
                    {
                        Attribute.CLASS: ObjectClass.CERTIFICATE,
                        Attribute.CERTIFICATE_TYPE: pkcs11.CertificateType.X_509,
                        Attribute.TOKEN: True,
                        Attribute.PRIVATE: False,
                        Attribute.SUBJECT: certificate.subject.public_bytes(),
                        Attribute.VALUE: certificate.public_bytes(serialization.Encoding.DER),
                    }
                )

    def set_pin(self, label: str, old: Secret, new: Secret) -> None:
        """Change a PIN."""
        token.restart(MODULE)
        with token.find(token.load(MODULE), label).open(rw=True, user_pin=str(old)) as session:
            session.set_pin(str(old), str(new))

    def pull(self) -> None:
        """Pull every token: sessions end."""
        shutil.move(self.tokens, self.folder / "away")
        self.tokens.mkdir()
        token.restart(MODULE)

    def plug(self) -> None:
        """Put them back."""
        self.tokens.rmdir()
        shutil.move(self.folder / "away", self.tokens)
        token.restart(MODULE)


def _numbers(key: AnyMemoryKey) -> dict[Attribute, object]:
    if not isinstance(key.private_key, rsa.RSAPrivateKey):
        point = key.private_key.private_numbers()
        return {
            Attribute.KEY_TYPE: pkcs11.KeyType.EC,
            Attribute.EC_PARAMS: ec_parameters.encode_named_curve_parameters(key.private_key.curve.name),
            Attribute.VALUE: point.private_value.to_bytes(key.private_key.curve.key_size // 8),
        }
    numbers = key.private_key.private_numbers()
    return {
        Attribute.KEY_TYPE: pkcs11.KeyType.RSA,
        Attribute.MODULUS: _octets(numbers.public_numbers.n),
        Attribute.PUBLIC_EXPONENT: _octets(numbers.public_numbers.e),
        Attribute.PRIVATE_EXPONENT: _octets(numbers.d),
        Attribute.PRIME_1: _octets(numbers.p),
        Attribute.PRIME_2: _octets(numbers.q),
        Attribute.EXPONENT_1: _octets(numbers.dmp1),
        Attribute.EXPONENT_2: _octets(numbers.dmq1),
        Attribute.COEFFICIENT: _octets(numbers.iqmp),
    }


def _octets(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8)
