"""Put archive time stamps over signed files and their proofs, and remember when these have to be renewed.

In XML each signature has its own; a PDF has one over the whole file. A file that holds no proofs has them in an evidence record
beside it (`gateway/proof/records.py`), which begins with the first renewal: that is asked for at once. Not here: when it is
done (`gateway/proof/desk.py`, `gateway/proof/renewal.py`, `gateway/proof/pages.py`).

Requirement: S0.10
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy.engine import Connection, Row

from gateway.clock import SECOND, to_instant
from gateway.proof.sources import Sources
from gateway.settings import Plan
from gateway.store import documents, proofs
from signing import joint, proving
from signing.timestamp_token import Token

Apart = Callable[..., Awaitable[Any]]
"""Calls a function away from the event loop, in a thread or another process."""


@dataclass(frozen=True)
class Archived:
    """Bytes with archive time stamps."""

    body: bytes = field(repr=False)
    ends_at: datetime
    """When the first certificate of their authorities ends."""


async def of_xml(body: bytes, identifiers: Sequence[str], sources: Sources, apart: Apart) -> Archived:
    """Put an archive time stamp into each of these signatures; raise what `Sources.stamp` raises."""
    ends: list[datetime] = []
    for identifier in identifiers:
        token = await sources.stamp(await apart(joint.archive_data, body, identifier))
        body = await apart(joint.with_archive, body, {identifier: token.der})
        ends.append(ends_at(token, sources))
    return Archived(body, min(ends))


async def of_pdf(body: bytes, sources: Sources, apart: Apart) -> Archived:
    """Put a document time stamp behind what is there; raise what `Sources.stamp` raises."""
    from signing import pades_levels  # only now: the library behind it is slow to load

    prepared = await apart(pades_levels.prepare_archive_timestamp, body)
    token = await sources.stamp(prepared.octets)
    return Archived(pades_levels.with_archive_timestamp(prepared, token), ends_at(token, sources))


def ends_at(token: Token, sources: Sources) -> datetime:
    """Tell when the first certificate of a time stamp's authority ends."""
    return min(one.not_valid_after_utc for one in proving.stamp_chain(token, sources.stamp_roots))


def note(
    connection: Connection,
    plan: Plan,
    now: int,
    document_id: str,
    kind: str,
    number: int,
    archived: Archived,
    before_sha256: str,
) -> None:
    """Remember when archive time stamps have to be renewed: in good time, but not before half of theirs is over.

    `before_sha256` is of the bytes that these replace as proof.
    """
    end = to_instant(archived.ends_at)
    ahead = round(plan.proof.renew_before.total_seconds() * SECOND)
    values = {
        "document_id": document_id,
        "kind": kind,
        "number": number,
        "sha256": documents.digest(archived.body),
        "before_sha256": before_sha256,
        "stamped_at": now,
        "ends_at": end,
        "due_at": max(end - ahead, now + (end - now) // 2),
    }
    proofs.put_archive(connection, values)


def want_record(connection: Connection, document_id: str, kind: str, now: int, end: int) -> None:
    """Ask for the evidence record of a file that holds no proofs; the time stamp of its signature lasts until `end`."""
    (kept,) = documents.renditions(connection, document_id, kind)
    values = {
        "document_id": document_id,
        "kind": documents.record_of(kind),
        "number": 0,
        "sha256": kept.sha256,
        "before_sha256": kept.sha256,
        "stamped_at": now,
        "ends_at": end,
        "due_at": now,
    }
    proofs.put_archive(connection, values)


def keep(connection: Connection, plan: Plan, now: int, before: Row[Any], number: int, made: bytes | Archived) -> None:
    """Keep bytes with newer proofs beside those `before`, which stay as they are, as number `number` of the rendition."""
    document_id, own = before.document_id, before.kind.partition("~")[0]
    kind, body = documents.renewed_kind(own, number), made if isinstance(made, bytes) else made.body
    sealed = plan.keyring.seal(body, f"{document_id}/{kind}")
    documents.put_rendition(connection, document_id, kind, before.media_type, body, sealed, signed=True)
    if isinstance(made, Archived):
        note(connection, plan, now, document_id, own, number, made, before.sha256)
