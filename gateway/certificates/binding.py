"""Give an issued certificate to the holder it was asked for.

The certificate comes from a configured authority, is strong enough, and names the holder: then its facts enter the register.

Requirement: S0.2, S0.3
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy.engine import Connection, Row

from gateway.certificates.register import Act, step
from gateway.clock import to_datetime, to_instant
from gateway.faults import CertificateTaken, CertificateUnreadable, NameDiffers
from gateway.store import certificates as rows
from mappings.formats.identifiers import match_key, match_key_unaccented
from signing.certificates import UNREADABLE, Signer, find_leaf, public_key, require_trusted, signer_of

_MAX_FILE = 256 * 1024
_PERSONAL_NUMBER = re.compile(r"(?<!\d)\d{12}(?!\d)")


def read(data: bytes) -> tuple[x509.Certificate, ...]:
    """Read a certificate, perhaps with its issuers, as PEM or DER; raise CertificateUnreadable."""
    if len(data) > _MAX_FILE:
        raise CertificateUnreadable(detail=f"{len(data)} bytes")
    try:
        if b"-----BEGIN" in data:
            return tuple(x509.load_pem_x509_certificates(data))
        return (x509.load_der_x509_certificate(data),)
    except UNREADABLE as problem:
        raise CertificateUnreadable(detail=f"{len(data)} bytes") from problem


def issue(
    connection: Connection,
    row: Row[Any],
    data: bytes,
    roots: Sequence[x509.Certificate],
    act: Act,
    *,
    citizen_id: str = "",
    device_kind: str = "",
    device_serial: str = "",
    provider: str = "",
    key_kind: str = "",
    key_name: str = "",
) -> Signer:
    """Bind the certificate in `data` to an approved request.

    Raises CertificateUnreadable, KeyUnsuitable, CertificateUntrusted (also when it is out of date), NameDiffers,
    CertificateTaken.
    """
    found = read(data)
    leaf = find_leaf(found)
    others = [one for one in found if one != leaf]
    public_key(leaf)
    require_trusted(leaf, others, roots, to_datetime(act.at))
    signer = signer_of(leaf)
    require_name(signer, row.holder_name, row.holder_kind, citizen_id)
    taken = rows.by_fingerprint(connection, signer.sha256)
    if taken is not None:
        raise CertificateTaken(taken.id)
    values: dict[str, Any] = {
        "device_kind": device_kind or row.device_kind,
        "device_serial": device_serial,
        "provider": provider or row.provider or signer.issuer,
        "key_kind": key_kind,
        "key_name": key_name,
        "serial": signer.serial,
        "issuer": signer.issuer,
        "sha256": signer.sha256,
        "not_before": to_instant(signer.not_before),
        "not_after": to_instant(signer.not_after),
    }
    facts = {**values, "not_before": signer.not_before.isoformat(), "not_after": signer.not_after.isoformat()}
    step(connection, row, "issue", act, facts=facts, der=leaf.public_bytes(Encoding.DER), **values)
    return signer


def require_name(signer: Signer, name: str, kind: str, citizen_id: str = "") -> None:
    """Raise NameDiffers unless a certificate names this holder; a personal number in it must be the holder's, too.

    A certificate without any accents is compared without them: some authorities write names so.
    """
    names = [signer.name] if kind == "person" else [signer.name, signer.organisation]
    if not any(_same(found, name) for found in names):
        raise NameDiffers("subject", "name")
    numbers = _PERSONAL_NUMBER.findall(signer.identifier)
    if kind == "person" and citizen_id and numbers and citizen_id not in numbers:
        raise NameDiffers("subject", "personal number")


def _same(found: str, name: str) -> bool:
    key = match_key_unaccented if found.isascii() else match_key
    return bool(found.strip()) and key(found) == key(name)
