"""Encryption at rest: what a payload is on disk, and what it is found by.

Payloads are AES-256-GCM with a random nonce and the row they belong to as associated data, so sealed bytes do not open in
another row. Search keys are HMAC-SHA-256, cut to 16 bytes: equal values are found, values are not read back.

Does not keep keys: they come from a key file (one `id:base64` per line, 32 bytes each; the last line seals, all lines open,
the first line also makes search keys and therefore stays for ever) or from the environment. One key must not seal more than
2^32 payloads (NIST SP 800-38D §8.3); add a line long before.

Requirement: S1.13, S2.15.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import os
from collections.abc import Mapping

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gateway.faults import KeyUnknown, SealBroken

_NONCE = 12
_MAX_ID = 32


class Keyring:
    """Seal and open payloads, and make search keys. `repr` shows key ids only."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        self._ciphers = {name: AESGCM(key) for name, key in keys.items()}
        first, *_, self.current = (*keys, *keys)
        self._search = HKDF(hashes.SHA256(), 32, salt=None, info=b"lienthong search key 1").derive(keys[first])
        name = self.current.encode()
        self._prefix = bytes([len(name)]) + name

    def __repr__(self) -> str:
        return f"Keyring({', '.join(self._ciphers)})"

    @classmethod
    def parse(cls, text: str) -> Keyring:
        """Read the content of a key file; raise `ValueError` naming the line that is wrong."""
        keys: dict[str, bytes] = {}
        for number, line in enumerate(text.splitlines(), 1):
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            name, _, encoded = line.strip().partition(":")
            try:
                key = base64.b64decode(encoded, validate=True)
            except binascii.Error:
                key = b""
            if not name or len(name.encode()) > _MAX_ID or len(key) != 32:
                raise ValueError(f"line {number} of the key file is not id:base64 of 32 bytes")
            keys[name] = key
        if not keys:
            raise ValueError("the key file holds no key; make one with `lienthong key new`")
        return cls(keys)

    def seal(self, payload: bytes, row: str) -> bytes:
        nonce = os.urandom(_NONCE)
        return self._prefix + nonce + self._ciphers[self.current].encrypt(nonce, payload, row.encode())

    def open(self, sealed: bytes, row: str) -> bytes:
        """Return the payload; raise KeyUnknown or SealBroken."""
        end = 1 + sealed[0]
        name = sealed[1:end].decode(errors="replace")
        cipher = self._ciphers.get(name)
        if cipher is None:
            raise KeyUnknown(where=row, detail=f"key id {name!r}")
        try:
            return cipher.decrypt(sealed[end : end + _NONCE], sealed[end + _NONCE :], row.encode())
        except InvalidTag:
            raise SealBroken(where=row) from None

    def search_key(self, name: str, value: str) -> bytes:
        """Return the 16 bytes under which `value` of kind `name` is found."""
        return hmac.digest(self._search, f"{name}\0{value}".encode(), "sha256")[:16]


def new_key_line(name: str) -> str:
    """Return a fresh line for a key file."""
    return f"{name}:{base64.b64encode(AESGCM.generate_key(256)).decode()}"
