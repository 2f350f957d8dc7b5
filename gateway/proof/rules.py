"""What is noted of a signature when it is made, and what follows when something is known of it.

Everything here is done inside the caller's transaction; who is asked, and when, is `gateway/proof/desk.py`.

Requirement: S0.5, S0.10
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.engine import Connection, Row

from gateway import signing_tasks
from gateway.settings import Plan
from gateway.store import deliveries, documents, proofs
from mappings.formats.faults import SigningFault
from signing.evidence import Evidence
from signing.joint import Mark
from signing.policy import LEVELS, SEAL

log = logging.getLogger("lienthong.proof")

NEVER = 2**62
"""When a document is looked at that only waits for its signatures: something else wakes it."""


@dataclass(frozen=True)
class Made:
    """A signature that was just made."""

    kind: str
    """Of the rendition."""
    number: int
    step: str
    mark: Mark
    chain: tuple[bytes, ...] = field(repr=False)


def record(connection: Connection, plan: Plan, row: Row[Any], made: Made, now: int) -> None:
    """Keep what proves a signature on document `row`, and ask for the rest when its paper's level wants it."""
    level = plan.level_of(row.paper)
    named = plan.policies.of(row.paper).papers
    values = {
        "document_id": row.id,
        "kind": made.kind,
        "number": made.number,
        "signature_id": made.mark.identifier,
        "octets": made.mark.octets,
        "inside": made.mark.holds_proofs,
        "policy": row.paper if row.paper in named else "*",
        "step": made.step,
        "level": level,
        "state": "kept" if level == LEVELS[0] else "bare",
        "due_at": now,
    }
    proofs.put(connection, values, Evidence(certificates=made.chain))


def proved(connection: Connection, plan: Plan, document_id: str, now: int) -> None:
    """Go on with a document of which one more signature has its proofs."""
    documents.lock(connection, document_id)
    signing_tasks.release_early(connection, plan, document_id, now)
    if complete(proofs.of_document(connection, document_id)):
        documents.wake(connection, document_id, now)


def complete(known: list[Row[Any]]) -> bool:
    """Tell whether nothing is wanted for any of these signatures."""
    return all(one.state in ("proved", "kept") for one in known)


def unprovable(connection: Connection, plan: Plan, proof: Row[Any], fault: SigningFault, now: int) -> None:
    """Take the consequence of a signature that can never be proved: a person's has the paper signed again.

    The seal's needs somebody who gives the node another key first: the document goes to the error queue.
    """
    documents.lock(connection, proof.document_id)
    if not proofs.move(connection, proof.id, "fail", owner=proof.lease_owner, fault=fault):
        return
    of_seal = any(one.role == SEAL for one in proofs.of_document(connection, proof.document_id) if one.id == proof.id)
    if of_seal:
        if documents.move(connection, proof.document_id, "fail", fault):
            deliveries.move_all(connection, proof.document_id, "fail", now, fault)
        return
    why = f"không chứng minh được một chữ ký: LT{fault.code} {fault.detail}"
    if signing_tasks.send_back(connection, plan, proof.document_id, why, now):
        log.warning("document %s is to be signed again: %s", proof.document_id, fault)
