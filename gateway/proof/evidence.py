"""Show what proves the signatures on a document, for people and for whoever verifies it in ten years.

Requirement: S0.10
"""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.engine import Connection, Row

from gateway.clock import to_datetime
from gateway.store import documents, proofs
from gateway.store.sealed import Keyring
from signing.evidence import Evidence
from signing.kept import FIELDS, FORMAT, RECORD


def of_file(connection: Connection, keyring: Keyring, sha256: str) -> Evidence:
    """Return what is kept about the signatures of a paper that has a file of this hash; nothing when none has."""
    found = documents.with_hash(connection, sha256)
    if found is None:
        return Evidence()
    row, _ = found
    records = (_record(connection, keyring, one) for one in proofs.archives(connection, row.id))
    kept = Evidence(records=tuple(one for one in records if one))
    for one in proofs.of_document(connection, row.id):
        kept += proofs.evidence(connection, one.id)
    return kept


def evidence(connection: Connection, keyring: Keyring, document_id: str) -> dict[str, Any]:
    """Return everything that is kept about the signatures of a document, JSON-shaped; raise NothingThere.

    Signatures that count no more, and those made before proofs were kept, are told without material.
    """
    row = documents.get(connection, document_id)
    known = {(one.kind, one.number): one for one in proofs.of_document(connection, document_id)}
    return {
        "format": FORMAT,
        "document": row.id,
        "paper": row.paper,
        "version": row.version,
        "state": row.state,
        "files": [
            {"kind": one.kind, "media_type": one.media_type, "sha256": one.sha256, "final": bool(one.signed)}
            for one in documents.renditions(connection, document_id)
        ],
        "archive": [
            {
                "kind": documents.renewed_kind(one.kind, one.number),
                "sha256": one.sha256,
                "before_sha256": one.before_sha256,
                "stamped_at": _iso(one.stamped_at),
                "ends_at": _iso(one.ends_at),
                RECORD: b64encode(_record(connection, keyring, one)).decode() or None,
            }
            for one in proofs.archives(connection, document_id)
        ],
        "signatures": [
            _signature(connection, one, known.get((one.kind, one.number)))
            for one in documents.signatures(connection, document_id)
        ],
    }


def _record(connection: Connection, keyring: Keyring, one: Row[Any]) -> bytes:
    """Open the evidence record that a row of `archive` is about; nothing for other rows, and for those that were renewed."""
    if one.state != "current" or not one.number or not documents.is_record(one.kind):
        return b""
    (kept,) = documents.renditions(connection, one.document_id, one.kind)
    return keyring.open(kept.body, f"{one.document_id}/{one.kind}")


def _signature(connection: Connection, one: Row[Any], proof: Row[Any] | None) -> dict[str, Any]:
    told = {
        "kind": one.kind,
        "number": one.number,
        "role": one.role,
        "holder": one.holder,
        "account": one.account,
        "workstation": one.workstation,
        "signer": one.signer,
        "certificate_sha256": one.certificate_sha256,
        "sha256": one.sha256,
        "signed_at": _iso(one.signed_at),
        "voided_at": _iso(one.voided_at),
    }
    if proof is None:
        return told | {name: [] for name in FIELDS.values()}
    found = proofs.evidence(connection, proof.id)
    return told | {
        "signature_id": proof.signature_id,
        "value": b64encode(proof.octets).decode(),
        "inside": bool(proof.inside),
        "policy": proof.policy,
        "step": proof.step,
        "level": proof.level,
        "state": proof.state,
        "stamped_at": _iso(proof.stamped_at),
        **{name: [b64encode(der).decode() for der in getattr(found, field)] for field, name in FIELDS.items()},
    }


def _iso(instant: int | None) -> str | None:
    moment: datetime | None = None if instant is None else to_datetime(instant)
    return None if moment is None else moment.astimezone(UTC).isoformat()
