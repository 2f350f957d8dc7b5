"""Read the envelope `{header, data, signature}` of the MoH axis and compute what its signature is over.

The text signed is `A.B`: A = upper-case hex SHA-256 of the header as compact JSON, B = the same of `data` (of the
string itself when `data` is a string). Both are taken from the bytes as sent: white space between tokens is dropped,
everything else – order of keys, escapes, numbers, white space inside values – stays as the sender wrote it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any, Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

_STRING_OR_SPACE: Final = re.compile(r'("(?:[^"\\]|\\.)*")|[ \t\r\n]+')
_SPACE: Final = re.compile(r"[ \t\r\n]*")


class EnvelopeError(Exception):
    """Raised when a body is not such an envelope; the text says where, never a value."""


@dataclass(frozen=True)
class Envelope:
    """An envelope with the exact texts its parts were sent as."""

    header: dict[str, Any]
    data: str | dict[str, Any]
    signature: str
    signed_text: bytes
    """`A.B`."""


def read_envelope(body: bytes) -> Envelope:
    """Take an envelope apart. Raises EnvelopeError."""
    try:
        text = body.decode("utf-8")
        members = _members(text)
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise EnvelopeError("không phải JSON UTF-8") from error
    if not {"header", "data"} <= members.keys():
        raise EnvelopeError("thiếu header hoặc data")
    header, header_text = members["header"]
    data, data_text = members["data"]
    signature, _ = members.get("signature", ("", ""))
    if not isinstance(header, dict):
        raise EnvelopeError("header phải là một đối tượng")
    if not isinstance(data, str | dict):
        raise EnvelopeError("data phải là chuỗi hoặc đối tượng")
    if not isinstance(signature, str | None):
        raise EnvelopeError("signature phải là chuỗi")
    signed = text_to_sign(_compact(header_text), data if isinstance(data, str) else _compact(data_text))
    return Envelope(header, data, signature or "", signed)


def text_to_sign(header: str, data: str) -> bytes:
    """Return `A.B` for two compact texts."""
    return f"{_hash(header)}.{_hash(data)}".encode()


def signature_holds(envelope: Envelope, certificate: x509.Certificate) -> bool:
    """Check RSA PKCS#1 v1.5 with SHA-256 over `A.B`."""
    key = certificate.public_key()
    if not isinstance(key, rsa.RSAPublicKey):
        return False
    try:
        signature = base64.b64decode(envelope.signature, validate=True)
        key.verify(signature, envelope.signed_text, padding.PKCS1v15(), hashes.SHA256())
    except (ValueError, InvalidSignature):
        return False
    return True


def write_envelope(header: dict[str, Any], data: dict[str, Any], key: rsa.RSAPrivateKey) -> bytes:
    """Make a signed envelope: what the axis answers with."""
    header_text, data_text = (json.dumps(part, ensure_ascii=False, separators=(",", ":")) for part in (header, data))
    signature = key.sign(text_to_sign(header_text, data_text), padding.PKCS1v15(), hashes.SHA256())
    encoded = base64.b64encode(signature).decode()
    return f'{{"header":{header_text},"data":{data_text},"signature":"{encoded}"}}'.encode()


def _members(text: str) -> dict[str, tuple[Any, str]]:
    decoder = json.JSONDecoder()
    members: dict[str, tuple[Any, str]] = {}
    at = _expect(text, 0, "{")
    while True:
        name, at = decoder.raw_decode(text, _skip(text, at))
        start = _skip(text, _expect(text, at, ":"))
        value, at = decoder.raw_decode(text, start)
        if not isinstance(name, str) or name in members:
            raise ValueError("bad or repeated member")
        members[name] = (value, text[start:at])
        at = _skip(text, at)
        if text[at : at + 1] != ",":
            break
        at += 1
    if _skip(text, _expect(text, at, "}")) != len(text):
        raise ValueError("more after the object")
    return members


def _expect(text: str, at: int, token: str) -> int:
    at = _skip(text, at)
    if text[at : at + 1] != token:
        raise ValueError(f"expected {token}")
    return at + 1


def _skip(text: str, at: int) -> int:
    space = _SPACE.match(text, at)
    return space.end() if space else at


def _compact(text: str) -> str:
    return _STRING_OR_SPACE.sub(lambda match: match.group(1) or "", text)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest().upper()
