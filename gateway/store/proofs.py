"""Rows of `signature_proof`, `material` and `archive`: what is known of signatures, and what is still wanted."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection, Row

from gateway.faults import ItemDeadly, NothingThere
from gateway.states import ARCHIVE, PROOF, advance, sources
from gateway.store import leases
from gateway.store.ids import uuid7
from gateway.store.leases import DEADLY, RELEASED, Taking, count_death
from gateway.store.messages import fault_values
from gateway.store.proof_schema import archive, material, signature_material, signature_proof
from gateway.store.schema import document, signature
from mappings.formats.faults import Fault
from signing.evidence import Evidence

_WANTING = sa.text("signature_proof.state IN ('bare', 'stamped')")
"""Written out, not bound: only then does the index of what is wanted serve."""
_CURRENT = sa.text("archive.state = 'current'")
_OF_RECORDS = sa.text("archive.state = 'current' AND archive.kind LIKE '%.e'")
_OF_FILES = sa.text("archive.state = 'current' AND archive.kind NOT LIKE '%.e'")
_OPEN = ((signature_proof, _WANTING), (archive, _CURRENT))
"""What a node works on, and which of it is not done."""
_TYPES = {"certificate": "certificates", "ocsp": "ocsp_responses", "crl": "crls", "timestamp": "timestamps"}


def put(connection: Connection, values: Mapping[str, Any], evidence: Evidence) -> None:
    """Store what is known of a signature that was just made."""
    proof_id = uuid7()
    connection.execute(signature_proof.insert().values(id=proof_id, **values))
    add(connection, proof_id, evidence)


def add(connection: Connection, proof_id: str, evidence: Evidence) -> None:
    """Keep what was given about a signature, behind what is kept already; nothing twice."""
    pieces = [(name, der) for name, field in _TYPES.items() for der in getattr(evidence, field)]
    named = {hashlib.sha256(der).hexdigest(): (name, der) for name, der in pieces}
    known = _linked(connection, proof_id)
    fresh = [one for one in named if one not in known]
    if not fresh:
        return
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    connection.execute(
        insert(material).on_conflict_do_nothing(),
        [{"sha256": one, "type": named[one][0], "der": named[one][1]} for one in fresh],
    )
    connection.execute(
        signature_material.insert(),
        [
            {"proof_id": proof_id, "position": n, "sha256": one}
            for n, one in enumerate(fresh, 1 + max(known.values(), default=-1))
        ],
    )


def _linked(connection: Connection, proof_id: str) -> dict[str, int]:
    """Map what is kept about a signature to its position."""
    own = signature_material.c
    return {
        row.sha256: row.position
        for row in connection.execute(sa.select(own.sha256, own.position).where(own.proof_id == proof_id))
    }


def drop_stamps(connection: Connection, proof_id: str) -> None:
    """Forget the time stamps of a signature, which are worth nothing."""
    stamps = sa.select(material.c.sha256).where(material.c.type == "timestamp")
    connection.execute(
        signature_material.delete().where(
            signature_material.c.proof_id == proof_id, signature_material.c.sha256.in_(stamps)
        )
    )


def evidence(connection: Connection, proof_id: str) -> Evidence:
    """Return everything that is kept about a signature, in the order in which it came."""
    query = (
        sa.select(material.c.type, material.c.der)
        .join_from(signature_material, material)
        .where(signature_material.c.proof_id == proof_id)
        .order_by(signature_material.c.position)
    )
    found: dict[str, list[bytes]] = {}
    for row in connection.execute(query):
        found.setdefault(_TYPES[row.type], []).append(row.der)
    return Evidence(**{name: tuple(values) for name, values in found.items()})


def pieces(connection: Connection, proof_ids: Collection[str]) -> list[str]:
    """Return the SHA-256 of everything that is kept about these signatures, each once."""
    query = sa.select(signature_material.c.sha256).where(signature_material.c.proof_id.in_(proof_ids)).distinct()
    return sorted(connection.scalars(query))


def take_wanting(connection: Connection, *, owner: str, now: int, until: int, limit: int) -> list[Row[Any]]:
    """Lease the next signatures that want a time stamp or an answer, oldest first; none that a person has to look at."""
    return _TAKING(connection, owner=owner, now=now, until=until, limit=limit)


_TAKING = Taking(signature_proof, sa.and_(_WANTING, signature_proof.c.deaths < DEADLY))


def move(
    connection: Connection, proof_id: str, event: str, *, owner: str = "", fault: Fault | None = None, **values: Any
) -> bool:
    """Apply `event`; False when the state does not allow it or, with `owner`, when the lease is somebody else's by now."""
    (target,) = {advance(PROOF, state, event) for state in sources(PROOF, event)}
    condition = [signature_proof.c.id == proof_id, signature_proof.c.state.in_(sources(PROOF, event))]
    if owner:
        condition.append(signature_proof.c.lease_owner == owner)
    told = {**RELEASED, **fault_values(fault), "attempts": 0, "deaths": 0, **values}
    return bool(connection.execute(signature_proof.update().where(*condition).values(state=target, **told)).rowcount)


def postpone(connection: Connection, proof_id: str, owner: str, fault: Fault, due_at: int) -> None:
    """Leave a signature as it is, to be asked about again at `due_at`."""
    connection.execute(
        signature_proof.update()
        .where(signature_proof.c.id == proof_id, signature_proof.c.lease_owner == owner)
        .values(due_at=due_at, attempts=signature_proof.c.attempts + 1, deaths=0, **RELEASED, **fault_values(fault))
    )


def want(connection: Connection, proof_ids: Collection[str], now: int) -> None:
    """Ask for proofs of those of these signatures for which none were wanted when they were made."""
    connection.execute(
        signature_proof.update()
        .where(signature_proof.c.id.in_(proof_ids), signature_proof.c.state.in_(sources(PROOF, "want")))
        .values(state=advance(PROOF, "kept", "want"), due_at=now)
    )


def raise_level(connection: Connection, proof_id: str, level: str, event: str, now: int) -> None:
    """Want more of a signature in a file that is final: what proves it is kept beside the file from now on.

    `event` is what its state goes through, none when it stays.
    """
    values = {"level": level, "inside": False, "due_at": now, "attempts": 0, "deaths": 0}
    values |= RELEASED | fault_values(None)
    condition = [signature_proof.c.id == proof_id]
    if event:
        states = sources(PROOF, event)
        condition.append(signature_proof.c.state.in_(states))
        (values["state"],) = {advance(PROOF, state, event) for state in states}
    connection.execute(signature_proof.update().where(*condition).values(**values))


def role(connection: Connection, row: Row[Any]) -> str:
    """Return in which role a signature was made."""
    same = [getattr(signature.c, name) == getattr(row, name) for name in ("document_id", "kind", "number")]
    return str(connection.scalar(sa.select(signature.c.role).where(*same)) or "")


def hurry(connection: Connection, proof_id: str, now: int) -> bool:
    """Ask again at once for what a signature lacks, or for newer archive time stamps; False when nothing is wanted."""
    statements = [
        table.update().where(table.c.id == proof_id, wanted).values(due_at=now, deaths=0) for table, wanted in _OPEN
    ]
    return any(connection.execute(statement).rowcount for statement in statements)


def get(connection: Connection, proof_id: str) -> Row[Any]:
    """Return what is known of a signature, or archive time stamps; raise NothingThere."""
    for table, _ in _OPEN:
        row = connection.execute(sa.select(table).where(table.c.id == proof_id)).one_or_none()
        if row is not None:
            return row
    raise NothingThere(where=proof_id)


def void(connection: Connection, document_id: str) -> None:
    """Say of the signatures of a document that nothing is wanted for them any more."""
    connection.execute(
        signature_proof.update()
        .where(signature_proof.c.document_id == document_id, signature_proof.c.state.in_(sources(PROOF, "void")))
        .values(state="void", **RELEASED)
    )


def of_document(connection: Connection, document_id: str) -> list[Row[Any]]:
    """Return what is known of the signatures of a document that count, with their rows in `signature`."""
    same = sa.and_(
        signature.c.document_id == signature_proof.c.document_id,
        signature.c.kind == signature_proof.c.kind,
        signature.c.number == signature_proof.c.number,
    )
    own = ("document_id", "kind", "number")
    query = (
        sa.select(signature_proof, *(column for column in signature.c if column.name not in own))
        .join_from(signature_proof, signature, same)
        .where(signature_proof.c.document_id == document_id, signature.c.voided_at.is_(None))
        .order_by(signature_proof.c.kind, signature_proof.c.number)
    )
    return list(connection.execute(query))


def wanting(connection: Connection, *, failed: bool = False, limit: int = 0) -> list[Row[Any]]:
    """Return the signatures that lack something, oldest first, with their paper; only those that met a fault, if asked."""
    query = sa.select(signature_proof, document.c.paper, document.c.event_at).join_from(signature_proof, document)
    query = query.where(_WANTING)
    if failed:
        query = query.where(signature_proof.c.fault_code != 0)
    return list(connection.execute(query.order_by(signature_proof.c.id).limit(limit or None)))


def lacking(connection: Connection) -> tuple[int, int]:
    """Count the signatures that lack something, and tell the newest fault among them, 0 when there is none."""
    count = connection.scalar(sa.select(sa.func.count()).select_from(signature_proof).where(_WANTING))
    faulty = sa.select(signature_proof.c.fault_code).where(_WANTING, signature_proof.c.fault_code != 0)
    return int(count or 0), int(connection.scalar(faulty.order_by(signature_proof.c.id.desc()).limit(1)) or 0)


def release_leases(connection: Connection, node: str) -> None:
    """Give back what a node held that ends."""
    for table, wanted in _OPEN:
        connection.execute(table.update().where(wanted, table.c.lease_owner == node).values(**RELEASED))


def died(connection: Connection, node: str) -> list[str]:
    """Count a death against what a node held; return what is not tried again before a person asks for it."""
    guilty = fault_values(ItemDeadly())
    return [
        one
        for table, wanted in _OPEN
        for one in count_death(connection, table, sa.and_(wanted, table.c.lease_owner == node), guilty)
    ]


def give_back(
    connection: Connection, rows: Sequence[Row[Any]], suspects: int, owner: str, due_at: int
) -> list[Row[Any]]:
    """Keep of what was taken so many suspects; the rest of them is due again then. Return what was kept."""
    left = leases.too_many(rows, suspects)
    for table, _ in _OPEN if left else ():
        leases.give_back(connection, table, left, owner, due_at)
    return [row for row in rows if row.id not in left]


# ---- archive time stamps ----


def put_archive(connection: Connection, values: Mapping[str, Any]) -> None:
    """Note that bytes with archive time stamps are stored."""
    connection.execute(archive.insert().values(id=uuid7(), state="current", **values))


def take_ending(
    connection: Connection, *, owner: str, now: int, until: int, limit: int, records: bool = False
) -> list[Row[Any]]:
    """Lease the archive time stamps that are due for renewal, those that end first: in files, or those of evidence records.

    None that a person has to look at.
    """
    order = archive.c.due_at
    wanted = sa.and_(_OF_RECORDS if records else _OF_FILES, archive.c.deaths < DEADLY)
    return Taking(archive, wanted, order=order)(connection, owner=owner, now=now, until=until, limit=limit)


def renewed(connection: Connection, archive_id: str, owner: str) -> bool:
    """Say that newer stamps have taken the place of these; False when the lease is somebody else's by now."""
    statement = (
        archive.update()
        .where(archive.c.id == archive_id, archive.c.lease_owner == owner, _CURRENT)
        .values(state=advance(ARCHIVE, "current", "renew"), **RELEASED, **fault_values(None))
    )
    return bool(connection.execute(statement).rowcount)


def postpone_archive(connection: Connection, archive_id: str, owner: str, fault: Fault, due_at: int) -> None:
    """Leave archive time stamps as they are, to be renewed at `due_at`."""
    connection.execute(
        archive.update()
        .where(archive.c.id == archive_id, archive.c.lease_owner == owner)
        .values(due_at=due_at, attempts=archive.c.attempts + 1, deaths=0, **RELEASED, **fault_values(fault))
    )


def archives(connection: Connection, document_id: str) -> list[Row[Any]]:
    """Return the archive time stamps of a document, oldest first: the trail of its renewals."""
    query = sa.select(archive).where(archive.c.document_id == document_id)
    return list(connection.execute(query.order_by(archive.c.kind, archive.c.number)))


def to_renew(connection: Connection, until: int) -> tuple[int, int, int]:
    """Count the archive time stamps to be renewed `until` then; tell when the first is due, and how many met a fault."""
    faulty = sa.func.sum(sa.case((archive.c.fault_code != 0, 1), else_=0))
    query = sa.select(sa.func.count(), sa.func.min(archive.c.due_at), faulty).where(_CURRENT, archive.c.due_at <= until)
    count, first, failed = connection.execute(query).one()
    return int(count), int(first or 0), int(failed or 0)


def not_renewed(connection: Connection, limit: int = 0) -> list[Row[Any]]:
    """Return the archive time stamps whose renewal met a fault, with their paper."""
    query = sa.select(archive, document.c.paper).join_from(archive, document)
    query = query.where(_CURRENT, archive.c.due_at > 0, archive.c.fault_code != 0)
    return list(connection.execute(query.order_by(archive.c.due_at).limit(limit or None)))
