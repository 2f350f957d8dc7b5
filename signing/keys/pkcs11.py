"""A key in a token or HSM, through the vendor's PKCS#11 module.

The PIN stays in memory, for logging in again after the token was away; it is never written anywhere. A wrong PIN is
tried once and then never again by this object, because a token locks itself after a few. A module must not be carried
over a fork: open the key in the process that signs. Keys that ask for the PIN at every signature
(CKA_ALWAYS_AUTHENTICATE) are not supported.

Standard: PKCS #11 v2.40 §2.1.8 (CKM_SHA256_RSA_PKCS)
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import pkcs11
from cryptography import x509
from pkcs11 import exceptions as p11

from mappings.formats.values import FileName, Secret
from signing import certificates
from signing.faults import KeyUnavailable, KeyUnsuitable, NotAuthorised

_PIN_REFUSED = (p11.PinIncorrect, p11.PinInvalid, p11.PinLenRange, p11.PinLocked, p11.PinExpired)


@dataclass(frozen=True)
class Settings:
    module: FileName
    """Path of the vendor's shared library."""
    token: str
    """Label of the token."""
    key: str
    """Label (CKA_LABEL) of the private key."""
    pin: Secret


class Key:
    """Sign inside the token. Threads take turns: one session carries one operation."""

    chain: tuple[x509.Certificate, ...]

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._turn = threading.Lock()
        self._pin_refused = False
        self._session: Any = None
        self._private_key: Any = None
        with self._turn:
            self._open()
            try:
                self.chain = self._read_chain()
            except p11.PKCS11Error as problem:
                self._close()
                raise KeyUnavailable("token", type(problem).__name__) from problem

    def sign(self, data: bytes) -> bytes:
        """Return the RSA PKCS#1 v1.5 signature with SHA-256 over `data`.

        A session the token has forgotten is opened again, once; then KeyUnavailable.
        """
        with self._turn:
            if self._private_key is not None:
                try:
                    return self._sign(data)
                except p11.PKCS11Error:
                    self._close()
            self._open()
            try:
                return self._sign(data)
            except p11.PKCS11Error as problem:
                self._close()
                raise KeyUnavailable("token", type(problem).__name__) from problem

    def __repr__(self) -> str:
        return f"<pkcs11 key, certificate {self.chain[0].serial_number:x}>"

    def _sign(self, data: bytes) -> bytes:
        return bytes(self._private_key.sign(data, mechanism=pkcs11.Mechanism.SHA256_RSA_PKCS))

    def _open(self) -> None:
        if self._pin_refused:
            raise NotAuthorised("pin", "refused before; not tried again")
        try:
            module = pkcs11.lib(self._settings.module)
        except (p11.PKCS11Error, OSError) as problem:
            raise KeyUnavailable("module", "cannot be loaded or started") from problem
        try:
            token = module.get_token(token_label=self._settings.token)
            try:
                self._session = token.open(user_pin=str(self._settings.pin))
            except p11.UserAlreadyLoggedIn:
                self._session = token.open()  # login belongs to the process: another key of this token is open
            self._private_key = self._session.get_key(
                object_class=pkcs11.ObjectClass.PRIVATE_KEY, key_type=pkcs11.KeyType.RSA, label=self._settings.key
            )
        except _PIN_REFUSED as problem:
            self._pin_refused = True
            raise NotAuthorised("pin", type(problem).__name__) from problem
        except p11.NoSuchKey as problem:
            self._close()
            raise KeyUnavailable("key", "no RSA private key with this label") from problem
        except p11.MultipleObjectsReturned as problem:
            self._close()
            raise KeyUnsuitable("key", "several private keys with this label") from problem
        except p11.PKCS11Error as problem:
            self._close()
            raise KeyUnavailable("token", type(problem).__name__) from problem

    def _close(self) -> None:
        session, self._session, self._private_key = self._session, None, None
        if session is not None:
            try:
                session.close()
            except p11.PKCS11Error:
                pass  # the token is gone and took the session with it

    def _read_chain(self) -> tuple[x509.Certificate, ...]:
        modulus = int.from_bytes(self._private_key[pkcs11.Attribute.MODULUS])
        found = []
        for entry in self._session.get_objects({pkcs11.Attribute.CLASS: pkcs11.ObjectClass.CERTIFICATE}):
            try:
                found.append(x509.load_der_x509_certificate(bytes(entry[pkcs11.Attribute.VALUE])))
            except certificates.UNREADABLE:
                continue  # another application's object; ours is found below or reported missing
        for certificate in found:
            if certificates.rsa_modulus(certificate) == modulus:
                certificates.signing_key(certificate)
                return certificates.order_chain(certificate, found)
        raise KeyUnsuitable("token", "no certificate for this key")
