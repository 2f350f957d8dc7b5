"""What is noted of a signature when it is made, and what follows when something is known of it.

Everything here is done inside the caller's transaction; who is asked, and when, is `gateway/proof/desk.py`.

Requirement: S0.5, S0.10
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.engine import Connection, Row

from gateway import signing_tasks
from gateway.settings import Plan
from gateway.store import deliveries, documents, proofs
from mappings.formats.faults import SigningFault
from signing.evidence import Evidence
from signing.forms import LEVELS
from signing.joint import Mark
from signing.policy import SEAL

log = logging.getLogger("lienthong.proof")

NEVER = 2**62
"""When a document is looked at that only waits for its signatures: something else wakes it."""


@dataclass(frozen=True)
class Made:
    """A signature that was just made."""

    kind: str
    """Of the rendition."""
    number: int
    role: str
    step: str
    mark: Mark
    chain: tuple[bytes, ...] = field(repr=False)
    known: Evidence = field(default=Evidence(), repr=False)
    """What was gathered for it already."""
    state: str = "bare"
    """How far that goes; of no account where nothing is wanted."""
    stamped_at: int | None = None


def record(connection: Connection, plan: Plan, row: Row[Any], made: Made, now: int) -> None:
    """Keep what proves a signature on document `row`, and ask for the rest when its paper's level wants it."""
    level = level_of(connection, plan, row, made.kind, made.role)
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
        "state": "kept" if level == LEVELS[0] else made.state,
        "stamped_at": made.stamped_at,
        "due_at": now,
    }
    proofs.put(connection, values, Evidence(certificates=made.chain) + made.known)


def level_of(connection: Connection, plan: Plan, document: Row[Any], kind: str, role: str) -> str:
    """Give the level that a signature made on rendition `kind` has to reach: the highest of the files in which it stands.

    A person's stands in what everybody gets, and in what destinations get in a form of their own.
    """
    levels = [plan.level_of(document.paper, kind)]
    own = [route for route in plan.routes.values() if route.own_form and route.rendition == kind]
    if own and role != SEAL:
        gets = {one.destination for one in deliveries.listing(connection, document_id=document.id)}
        levels += [plan.level_of(document.paper, route.own_kind) for route in own if route.name in gets]
    return max(levels, key=LEVELS.index)


def want(connection: Connection, plan: Plan, document: Row[Any], now: int) -> None:
    """Ask for the proofs of signatures on a document that were not wanted when these were made."""
    known = proofs.of_document(connection, document.id)
    found = [one.id for one in known if level_of(connection, plan, document, one.kind, one.role) != LEVELS[0]]
    proofs.want(connection, found, now)


def standing(known: Iterable[Row[Any]], kind: str) -> list[Row[Any]]:
    """Return the signatures, of those of a document, that stand in the file `kind` and can hold proofs there."""
    base, _, own = kind.partition("+")
    of_people = own and not own.endswith(".s")
    return [
        one
        for one in known
        if one.inside and (one.kind == kind or (of_people and one.kind == base and one.role != SEAL))
    ]


def kept_beside(known: Iterable[Row[Any]], kind: str) -> list[Row[Any]]:
    """Return the signatures, of those of a document, that are about the file `kind` and have their proofs beside it alone.

    People's in a file with a seal beside it are among them, which is given out as they left it; and those whose level was
    raised when the file was final.
    """
    held = list(known)
    base, _, own = kind.partition("+")
    apart = any(one.kind == documents.beside(kind) for one in held)
    of_people = [one for one in held if own and not kind.endswith(".s") and one.kind == base and one.role != SEAL]
    return [
        *(one for one in of_people if apart or not one.inside),
        *(one for one in held if one.kind == kind and not one.inside),
    ]


def more_proved(connection: Connection, plan: Plan, document_id: str, now: int) -> None:
    """Go on with a document of which one more signature has its time stamp or all its proofs."""
    documents.lock(connection, document_id)
    signing_tasks.release_early(connection, plan, document_id, now)
    document = documents.get(connection, document_id)
    if ready(connection, plan, document, proofs.of_document(connection, document_id)):
        documents.wake(connection, document_id, now)


def stamps_may_do(plan: Plan) -> bool:
    """Tell whether a signature that wants more may stand in a file that wants its time stamp alone."""
    return any(rule.form.level for rule in plan.policies.forms.rules)


def ready(connection: Connection, plan: Plan, document: Row[Any], known: Sequence[Row[Any]]) -> list[str]:
    """Name the files of a sealed document that wait for no proof any more, and are not filled yet.

    `known` are the signatures of the document.
    """
    return [
        kind for kind in documents.unfinished(connection, document.id) if _enough(plan, document.paper, known, kind)
    ]


def _enough(plan: Plan, paper: str, known: Sequence[Row[Any]], kind: str) -> bool:
    """Tell whether every signature in the file `kind`, or beside it, has what the level of the file wants."""
    held = [*standing(known, kind), *kept_beside(known, kind), *kept_beside(known, kind.removesuffix(".s"))]
    level = plan.level_of(paper, kind)
    return all(one.state == "kept" or signing_tasks.proved_for(level, one.state) for one in held)


def let_go(connection: Connection, plan: Plan, document_id: str, final: Collection[str], now: int) -> None:
    """Let a document leave for those whose own file is among the `final` ones, while files of others wait for proofs."""
    for one in deliveries.listing(connection, document_id=document_id, states=("pending", "awaiting")):
        route = plan.routes.get(one.destination)
        if route is None:
            continue
        own = plan.form_of(one.paper, *route.called) != plan.form_of(one.paper)
        kind = route.own_kind if route.own_form and own else route.rendition
        if kind in final or documents.beside(kind) in final:
            documents.note_given_out(connection, document_id, now)
            deliveries.move(connection, one.id, "ready", None, due_at=now)


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
