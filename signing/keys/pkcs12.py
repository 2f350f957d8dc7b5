"""An RSA or ECDSA key in a PKCS#12 file (.p12, .pfx). For tests and for envelopes: the law wants production keys in a device.

Standard: RFC 7292
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import pkcs12

from mappings.formats.values import FileName, Secret
from signing import certificates
from signing.algorithms import PrivateKey, names_for, one_of
from signing.contract import ToSign
from signing.faults import KeyUnavailable, KeyUnsuitable, NotAuthorised

_MAXIMUM_FILE_SIZE = 1024 * 1024


@dataclass(frozen=True)
class Settings:
    file: FileName
    """The .p12 or .pfx file."""
    password: Secret
    """Of the file."""


class Key:
    """Sign with a key read from the file once; safe to share between threads."""

    chain: tuple[x509.Certificate, ...]
    algorithms: tuple[str, ...]

    def __init__(self, settings: Settings) -> None:
        data = _read(settings.file)
        try:
            content = pkcs12.load_pkcs12(data, settings.password.encode())
        except UnsupportedAlgorithm as problem:
            raise KeyUnsuitable("file", "encrypted with an unknown algorithm") from problem
        except ValueError as problem:
            raise NotAuthorised("password") from problem
        if content.key is None or content.cert is None:
            raise KeyUnsuitable("file", "no private key with its certificate")
        leaf = content.cert.certificate
        public_key = certificates.public_key(leaf)
        if not isinstance(content.key, PrivateKey) or content.key.public_key() != public_key:
            raise KeyUnsuitable("file", "key and certificate do not belong together")
        self._private_key = content.key
        self.algorithms = names_for(public_key)
        self.chain = certificates.order_chain(leaf, [other.certificate for other in content.additional_certs])

    def sign(self, data: bytes, algorithm: str = "") -> bytes:
        """Return the signature over `data`."""
        chosen = one_of(self.algorithms, algorithm)
        return chosen.sign_digest(self._private_key, chosen.digest(data))

    def sign_hashes(self, documents: Sequence[ToSign], algorithm: str = "") -> Iterator[bytes]:
        """Sign one hash after the other."""
        chosen = one_of(self.algorithms, algorithm, (document.digest for document in documents))
        return (chosen.sign_digest(self._private_key, document.digest) for document in documents)

    def __repr__(self) -> str:
        return f"<pkcs12 key, certificate {self.chain[0].serial_number:x}>"


def _read(file: str) -> bytes:
    try:
        with Path(file).open("rb") as stream:
            data = stream.read(_MAXIMUM_FILE_SIZE + 1)
    except (OSError, ValueError) as problem:
        raise KeyUnavailable("file", "cannot be read") from problem
    if not _is_one_der_sequence(data):
        raise KeyUnavailable("file", "not a whole PKCS#12 file")
    return data


def _is_one_der_sequence(data: bytes) -> bool:
    """Tell a damaged file from a wrong password: the library reports both with the same error."""
    if len(data) < 2 or data[0] != 0x30:
        return False
    if data[1] == 0x80:
        return True
    width = data[1] & 0x7F if data[1] & 0x80 else 0
    length = int.from_bytes(data[2 : 2 + width]) if width else data[1]
    return len(data) == 2 + width + length
