"""Read the envelope `{header, data, signature}` of the ministry's data axis: whether the transport key sealed these bytes.

The text that is signed is `A.B`: A is the upper-case hexadecimal SHA-256 of the header as compact JSON, B that of `data`, of
the text itself when `data` is a text. Only white space between tokens is taken out: order, escapes and numbers are those of the
sender, so both hashes are of the bytes that were sent. The envelope does not hold the certificate; who verifies has to have it.

Not here: the paper inside, which has signatures of its own (`content` gives it), and what an answer says.

Standard: QĐ 1551/QĐ-BYT annex 02, replaced by QĐ 2062/QĐ-BYT
Requirement: S0.10
"""

from __future__ import annotations

import binascii
import hashlib
import json
import re
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from cryptography import x509

from mappings.formats import json_canonical
from mappings.formats.faults import JsonInvalid
from signing import certificates
from signing.algorithms import ALGORITHMS, PublicKey
from signing.faults import (
    DocumentUnreadable,
    KeyUnsuitable,
    NotSigned,
    SealerUnknown,
    SignatureValueWrong,
)
from signing.verdict import Covered, Held

_MEMBERS: Final = frozenset({"header", "data", "signature"})
_INSIDE: Final = ("file_content", "content")
_STRING_OR_SPACE = re.compile(r'("(?:[^"\\]|\\.)*")|[ \t\r\n]+')
_SPACE = re.compile(r"[ \t\r\n]*")
_MILLISECONDS = re.compile(r"[0-9]{13}")
_RSA = ALGORITHMS["RS256"]


@dataclass(frozen=True)
class Envelope:
    header: dict[str, Any]
    header_text: bytes
    """Compact."""
    data: Any
    data_text: bytes
    """Compact; of a text what stands between the quotes."""
    signature: str

    @property
    def signed(self) -> bytes:
        """`A.B`."""
        return b".".join(
            hashlib.sha256(text).hexdigest().upper().encode() for text in (self.header_text, self.data_text)
        )

    @property
    def content(self) -> bytes:
        """The paper inside; empty when there is none in base64, as in answers."""
        inside = next((self.data[name] for name in _INSIDE if name in self.data), "") if self._is_object else self.data
        try:
            return b64decode(inside, validate=True) if isinstance(inside, str) else b""
        except (binascii.Error, ValueError):
            return b""

    @property
    def _is_object(self) -> bool:
        return isinstance(self.data, dict)


def find(data: bytes) -> Envelope | None:
    """Return the envelope that `data` is; None for JSON of another kind. Raises DocumentUnreadable."""
    try:
        value = json_canonical.loads(data)
    except JsonInvalid as problem:
        raise DocumentUnreadable(problem.where, problem.detail or "not JSON") from problem
    if not isinstance(value, dict) or not {"header", "data"} <= value.keys() <= _MEMBERS:
        return None
    header, inside, signature = value["header"], value["data"], value.get("signature") or ""
    if not isinstance(header, dict) or not isinstance(inside, str | dict) or not isinstance(signature, str):
        raise DocumentUnreadable("envelope", "members of other types")
    texts = _members(data.decode())
    bare = inside if isinstance(inside, str) else _compact(texts["data"])
    return Envelope(header, _compact(texts["header"]).encode(), inside, bare.encode(), signature)


def read(envelope: Envelope, sealers: Sequence[x509.Certificate]) -> Held:
    """Return what the envelope's signature vouches for, made by the key of one of `sealers`.

    Raises NotSigned, SealerUnknown when there is nobody to try, SignatureValueWrong, DocumentUnreadable.
    """
    if not envelope.signature:
        raise NotSigned("envelope")
    try:
        value = b64decode(envelope.signature, validate=True)
    except (binascii.Error, ValueError) as problem:
        raise DocumentUnreadable("envelope", "signature is not base64") from problem
    if b64encode(value).decode() != envelope.signature:
        raise DocumentUnreadable("envelope", "signature is not base64")
    known = [(one, key) for one in sealers if (key := _key(one)) is not None]
    if not known:
        raise SealerUnknown("envelope", "no certificate given")
    leaf = next((one for one, key in known if _RSA.holds(key, value, envelope.signed)), None)
    if leaf is None:
        raise SignatureValueWrong("envelope", "header or data changed, or sealed with another key than those given")
    return Held(
        where="envelope",
        form="envelope",
        leaf=leaf,
        others=tuple(one for one in sealers if one != leaf),
        covers=(Covered("header", envelope.header_text), Covered("data", envelope.data_text)),
        claimed_at=_moment(envelope.header.get("send_datetime")),
    )


def _key(certificate: x509.Certificate) -> PublicKey | None:
    try:
        key = certificates.public_key(certificate)
    except KeyUnsuitable:
        return None
    return key if _RSA.fits(key) else None


def _moment(milliseconds: object) -> datetime | None:
    text = str(milliseconds)
    if not _MILLISECONDS.fullmatch(text):
        return None
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=int(text))


def _members(text: str) -> dict[str, str]:
    """Cut a JSON object that was read already into its members as they are written."""
    decoder = json.JSONDecoder()
    found: dict[str, str] = {}
    at = _skip(text, 0) + 1
    while True:
        name, at = decoder.raw_decode(text, _skip(text, at))
        start = _skip(text, _skip(text, at) + 1)
        _, end = decoder.raw_decode(text, start)
        found[name] = text[start:end]
        at = _skip(text, end)
        if text[at] != ",":
            return found
        at += 1


def _skip(text: str, at: int) -> int:
    space = _SPACE.match(text, at)
    return space.end() if space else at


def _compact(text: str) -> str:
    return _STRING_OR_SPACE.sub(lambda match: match[1] or "", text)
