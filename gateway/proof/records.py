"""Make and renew evidence records: archive time stamps over files that hold no proofs and what is kept of their signatures.

A record (`signing/evidence_record.py`) is stored beside its file, as `fhir.e`, and each newer one in its place: it holds all
time stamps of the one before. It is over the hashes by which file and evidence are kept, so neither is opened; one time
stamp serves hundreds of papers. The file, which may have left long ago, stays as it is.

Not here: when it is done (`gateway/proof/renewal.py`).

Requirement: S0.10
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.engine import Connection, Row

from gateway.clock import to_instant
from gateway.proof import archive, rules
from gateway.proof.archive import Archived
from gateway.proof.sources import Sources
from gateway.settings import Plan
from gateway.store import documents, proofs
from gateway.store.engine import Store
from mappings.formats.faults import Fault
from signing import evidence_record, proving, timestamp_token
from signing.evidence import Evidence
from signing.evidence_record import Group, Tree
from signing.faults import RenewalPointless
from signing.timestamp_token import Token

MEDIA_TYPE = "application/octet-stream"
"""None is registered for RFC 4998."""


@dataclass(frozen=True)
class Made:
    """What became of some rows of `archive`."""

    records: list[tuple[Row[Any], Archived]] = field(default_factory=list)
    failed: list[tuple[Row[Any], Exception]] = field(default_factory=list)


async def renew(rows: Sequence[Row[Any]], plan: Plan, store: Store, sources: Sources) -> Made:
    """Stamp these records once together; what cannot be stamped is told with its fault, and so are all when nobody stamps."""
    made, ready = Made(), list[tuple[Row[Any], bytes, Group]]()
    said: dict[bytes, Evidence] = {}
    for row in rows:
        try:
            ready.append((row, *await _next(row, plan, store, sources, said)))
        except Exception as error:  # noqa: BLE001 - told where a person looks
            made.failed.append((row, error))
    if not ready:
        return made
    grown = evidence_record.grow([group for _, _, group in ready])
    try:
        token = await sources.stamp(grown.octets)
        ends_at = archive.ends_at(token, sources)
    except Fault as fault:
        made.failed.extend((row, fault) for row, _, _ in ready)
        return made
    for (row, before, _), tree in zip(ready, grown.trees, strict=True):
        if row.number and to_instant(ends_at) <= row.ends_at:
            made.failed.append((row, RenewalPointless("TSA", f"its certificate ends {ends_at:%Y-%m-%d}, as before")))
        else:
            made.records.append((row, Archived(_record(before, tree, token), ends_at)))
    return made


def _record(before: bytes, tree: Tree, token: Token) -> bytes:
    return evidence_record.extended(before, tree, token.der) if before else evidence_record.begun(tree, token.der)


async def _next(
    row: Row[Any], plan: Plan, store: Store, sources: Sources, said: dict[bytes, Evidence]
) -> tuple[bytes, Group]:
    """Return a record as it was, nothing before the first time stamp, and what the next one is over.

    `said` remembers what issuers said of the authorities of time stamps, of which many records share one.
    """
    if not row.number:
        return b"", Group(await store.read(lambda connection: _hashes(connection, row)))
    (kept,) = await store.read(lambda connection: documents.renditions(connection, row.document_id, row.kind))
    record = plan.keyring.open(kept.body, f"{row.document_id}/{row.kind}")
    token = evidence_record.tokens(record)[-1]
    if token not in said:
        stamp = timestamp_token.read(token)
        said[token] = await sources.word((), proving.stamp_chain(stamp, sources.stamp_roots), stamp.at)
    record = evidence_record.completed(record, said[token])
    return record, evidence_record.to_renew(record)


def _hashes(connection: Connection, row: Row[Any]) -> tuple[bytes, ...]:
    """Return the hashes of a file and of everything that is kept of the signatures on it."""
    kind = row.kind.removesuffix(".e")
    (file,) = documents.renditions(connection, row.document_id, kind)
    known = rules.kept_beside(proofs.of_document(connection, row.document_id), kind)
    return tuple(map(bytes.fromhex, (file.sha256, *proofs.pieces(connection, [one.id for one in known]))))


def keep(connection: Connection, plan: Plan, now: int, row: Row[Any], made: Archived) -> None:
    """Keep a record that was made after `row`, and remember when it has to be renewed."""
    sealed = plan.keyring.seal(made.body, f"{row.document_id}/{row.kind}")
    documents.put_record(connection, row.document_id, row.kind, MEDIA_TYPE, made.body, sealed)
    archive.note(connection, plan, now, row.document_id, row.kind, row.number + 1, made, row.sha256)


def ask(connection: Connection, plan: Plan, row: Row[Any], now: int) -> int:
    """Ask for the records of a signed document that it wants and has none of, where all signatures are proved; count them."""
    known = proofs.of_document(connection, row.id)
    begun = {one.kind for one in proofs.archives(connection, row.id)}
    asked = 0
    for kind, one in wanted(plan, row.paper, known).items():
        if documents.record_of(kind) in begun or any(held.state != "proved" for held in rules.kept_beside(known, kind)):
            continue
        token = timestamp_token.read(proofs.evidence(connection, one.id).timestamps[-1])
        archive.want_record(connection, row.id, kind, now, to_instant(token.certificate.not_valid_after_utc))
        asked += 1
    return asked


def wanted(plan: Plan, paper: str, known: Sequence[Row[Any]]) -> dict[str, Row[Any]]:
    """Name the files of a document that hold no proofs and want archive time stamps, each with a signature on it.

    `known` are its signatures.
    """
    found: dict[str, Row[Any]] = {}
    for one in known:
        if one.inside or one.stamped_at is None or plan.level_of(paper, one.kind) != "B-LTA":
            continue
        found[one.kind] = one
        beside = one.kind.removesuffix(".s")
        for other in rules.kept_beside(known, beside) if beside != one.kind else ():
            found[beside] = other
    return found
