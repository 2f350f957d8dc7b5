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
from collections.abc import Iterator, Mapping
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gateway.faults import KeyUnknown, SealBroken

_NONCE = 12
_SALT = 32
_TAG = 16
PIECE = 1 << 20
"""Bytes of a payload sealed at once in a stream."""
_MAX_ID = 32


class Keyring:
    """Seal and open payloads, and make search keys. `repr` shows key ids only."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        self._keys = dict(keys)
        self._ciphers = {name: AESGCM(key) for name, key in keys.items()}
        first, *_, self.current = (*keys, *keys)
        search = HKDF(hashes.SHA256(), 32, salt=None, info=b"lienthong search key 1").derive(keys[first])
        self._search = hmac.new(search, digestmod="sha256")
        """Begun once: a message has some twenty search keys, and beginning costs most of a short one."""
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

    def seal_stream(self, row: str) -> StreamSeal:
        """Begin a payload that is too large for memory."""
        salt = os.urandom(_SALT)
        return StreamSeal(self._prefix + salt, _stream_cipher(self._keys[self.current], salt, row))

    def open_stream(self, source: BinaryIO, row: str) -> Iterator[bytes]:
        """Give a payload sealed in pieces, piece by piece; raise KeyUnknown, or SealBroken where it was changed or cut off."""
        name = source.read((source.read(1) or b"\0")[0]).decode(errors="replace")
        key, salt = self._keys.get(name), source.read(_SALT)
        if key is None:
            raise KeyUnknown(where=row, detail=f"key id {name!r}")
        cipher = _stream_cipher(key, salt, row)
        number, piece = 0, source.read(PIECE + _TAG)
        while True:
            after = source.read(PIECE + _TAG)
            try:
                yield cipher.decrypt(_nonce(number, last=not after), piece, None)
            except InvalidTag:
                raise SealBroken(where=row) from None
            if not after:
                return
            number, piece = number + 1, after

    def search_key(self, name: str, value: str | bytes) -> bytes:
        """Return the 16 bytes under which `value` of kind `name` is found."""
        begun = self._search.copy()
        begun.update(f"{name}\0".encode() + (value if isinstance(value, bytes) else value.encode()))
        return begun.digest()[:16]


class StreamSeal:
    """Seals a payload in pieces of one size, under a key of its own; a piece that is missing, moved or cut is found.

    The construction is STREAM with a derived key: the nonce is the number of the piece and whether it is the last.
    Standard: Hoang, Reyhanitabar, Rogaway, Vizár 2015 (nOAE); NIST SP 800-38D
    """

    def __init__(self, head: bytes, cipher: AESGCM) -> None:
        self.head = head
        """What goes before the first piece."""
        self.first = bytearray()
        """The first piece in clear, as far as it has come; until the end."""
        self._cipher = cipher
        self._rest = self.first
        self._number = 0

    def add(self, chunk: bytes | memoryview) -> bytes:
        """Give what can be written now; the last piece waits for `end`."""
        self._rest += chunk
        pieces = []
        while len(self._rest) > PIECE:
            piece, self._rest = self._rest, self._rest[PIECE:]
            del piece[PIECE:]
            pieces.append(self._piece(piece, last=False))
        return b"".join(pieces)

    def end(self) -> bytes:
        """Give the last piece, and hold nothing any more."""
        sealed = self._piece(self._rest, last=True)
        self.first = self._rest = bytearray()
        return sealed

    def _piece(self, piece: bytearray, *, last: bool) -> bytes:
        sealed = self._cipher.encrypt(_nonce(self._number, last=last), piece, None)
        self._number += 1
        return sealed


def _stream_cipher(key: bytes, salt: bytes, row: str) -> AESGCM:
    return AESGCM(HKDF(hashes.SHA256(), 32, salt=salt, info=b"lienthong stream 1\0" + row.encode()).derive(key))


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(_NONCE - 1, "big") + bytes([last])


def new_key_line(name: str) -> str:
    """Return a fresh line for a key file."""
    return f"{name}:{base64.b64encode(AESGCM.generate_key(256)).decode()}"
