"""What a person does: look, try again, send the same bytes again, map again, confirm, close, hold, release.

Each act is one transaction, leaves a row in the log of actions with the person and the reason, and is refused when the
present state does not allow it. Requirement: S1.10, S3.21.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy.engine import Connection, Row

from gateway import commitments, lab_calls, papers, signing_tasks
from gateway.clock import Clock
from gateway.faults import NothingThere, NotPossibleNow, ReasonMissing, SkippedByPerson
from gateway.states import COMMITMENT, DOCUMENT, LAB_CALL, sources
from gateway.store import actions, deliveries, destinations, documents, messages, proofs
from gateway.store import commitments as commitment_rows
from gateway.store import lab_calls as call_rows
from gateway.store import signing_tasks as tasks
from signing.policy import SEAL


@dataclass(frozen=True)
class Item:
    """One row of the error queue."""

    what: str
    """`message`, `document`, `delivery`, `commitment`: a report that a device did not take, `lab_call`: an order that an
    instrument refused, or `proof`: what a signature lacks, which the node goes on asking for."""
    id: str
    about: str
    """Type of message, name of paper, paper → destination, or AE title; nothing of a patient."""
    fault_code: int
    where: str
    detail: str
    at: int


def error_queue(connection: Connection, limit: int = 0) -> list[Item]:
    """Return everything that waits for a person, newest first; `limit` 0 = all."""
    items = [
        Item("message", row.id, row.type, row.fault_code, row.fault_where, row.fault_detail, row.received_at)
        for row in messages.listing(connection, states=("error",), limit=limit)
    ]
    items += [
        Item("document", row.id, row.paper, row.fault_code, row.fault_where, row.fault_detail, row.event_at)
        for row in documents.in_state(connection, "error", limit)
    ]
    items += [
        Item(
            "delivery",
            row.id,
            f"{row.paper} → {row.destination}",
            row.fault_code,
            row.fault_where,
            row.fault_detail,
            row.created_at,
        )
        for row in deliveries.listing(connection, states=("error",), limit=limit)
    ]
    items += [
        Item("commitment", row.id, row.calling, row.fault_code, row.fault_where, row.fault_detail, row.asked_at)
        for row in commitment_rows.given_up(connection, limit)
    ]
    items += [
        Item("lab_call", row.id, row.channel, row.fault_code, row.fault_where, row.fault_detail, row.changed_at)
        for row in call_rows.refused(connection, limit)
    ]
    items += [
        Item("proof", row.id, row.paper, row.fault_code, row.fault_where, row.fault_detail, row.event_at)
        for row in proofs.wanting(connection, failed=True, limit=limit)
    ]
    items += [
        Item("proof", row.id, row.paper, row.fault_code, row.fault_where, row.fault_detail, row.stamped_at)
        for row in proofs.not_renewed(connection, limit)
    ]
    return sorted(items, key=lambda item: item.id, reverse=True)[: limit or None]


def kind_of(connection: Connection, item_id: str) -> tuple[str, Row[Any]]:
    """Return what an id names; raise NothingThere."""
    kinds = {
        "message": messages.get,
        "document": documents.get,
        "delivery": deliveries.get,
        "proof": proofs.get,
        "commitment": commitment_rows.get,
        "lab_call": call_rows.get,
    }
    for name, get in kinds.items():
        try:
            return name, get(connection, item_id)
        except NothingThere:
            continue
    raise NothingThere(where=item_id)


def retry(connection: Connection, item_id: str, actor: str, reason: str, clock: Clock) -> None:
    """Do the failed step again: map the message, compose the document, send the delivery or the report, ask for the proof."""
    what, _ = kind_of(connection, item_id)
    acts = {"message": reprocess, "document": compose_again, "delivery": resend, "proof": ask_again}
    act = acts.get(what) or (tell_again if what == "lab_call" else report_again)
    act(connection, item_id, actor, reason, clock)


def reprocess(connection: Connection, message_id: str, actor: str, reason: str, clock: Clock) -> None:
    """Map a message again; papers that come of it are new versions linked to the old ones."""
    now = clock.now()
    _do(
        connection,
        message_id,
        "reprocess",
        actor,
        reason,
        clock,
        lambda: messages.move(connection, message_id, "reprocess", due_at=now, attempts=0),
    )


def ask_again(connection: Connection, proof_id: str, actor: str, reason: str, clock: Clock) -> None:
    """Ask at once for what a signature lacks."""
    _do(connection, proof_id, "retry", actor, reason, clock, lambda: proofs.hurry(connection, proof_id, clock.now()))


def report_again(connection: Connection, commitment_id: str, actor: str, reason: str, clock: Clock) -> None:
    """Give a device its report of storage commitment once more."""
    now = clock.now()
    _do(
        connection,
        commitment_id,
        "retry",
        actor,
        reason,
        clock,
        lambda: commitments.again(connection, commitment_id, now),
    )


def tell_again(connection: Connection, call_id: str, actor: str, reason: str, clock: Clock) -> None:
    """Tell an instrument once more of an order that it refused."""
    now = clock.now()
    _do(connection, call_id, "retry", actor, reason, clock, lambda: lab_calls.again(connection, call_id, now))


def compose_again(connection: Connection, document_id: str, actor: str, reason: str, clock: Clock) -> None:
    """Compose a failed document again, or do only what is missing: the seal when people have signed, proofs when it is
    sealed. Its deliveries wait for it again.
    """
    now = clock.now()

    def act() -> bool:
        known = proofs.of_document(connection, document_id)
        worthless = any(one.state == "error" for one in known)
        if worthless and documents.get(connection, document_id).signed_at is not None:
            raise NotPossibleNow(document_id, "an earlier step of it has left: issue it again")
        if worthless or not signing_tasks.people_have_signed(connection, document_id):
            return papers.again(connection, document_id, now)
        sealed = any(one.role == SEAL for one in known)
        if not documents.move(connection, document_id, "prove" if sealed else "resume", due_at=now, attempts=0):
            return False
        deliveries.move_all(connection, document_id, "renew", now)
        return True

    _do(connection, document_id, "retry", actor, reason, clock, act)


def resend(connection: Connection, delivery_id: str, actor: str, reason: str, clock: Clock) -> None:
    """Send the same bytes under the same key again, unless the destination, asked first, has them."""
    document = documents.get(connection, deliveries.get(connection, delivery_id).document_id)
    if document.state != "signed" and document.signed_at is None:
        raise NotPossibleNow(delivery_id, "its document is not signed")
    _resend(connection, delivery_id, "resend", actor, reason, clock)


def send_again(connection: Connection, delivery_id: str, actor: str, reason: str, clock: Clock) -> None:
    """Send the same bytes under the same key once more to a destination that has accepted them. Wants a reason."""
    if not reason:
        raise ReasonMissing(delivery_id)
    _resend(connection, delivery_id, "send_again", actor, reason, clock)


def _resend(connection: Connection, delivery_id: str, event: str, actor: str, reason: str, clock: Clock) -> None:
    now = clock.now()

    def act() -> bool:
        return deliveries.move(connection, delivery_id, event, None, due_at=now, resent_at=now, attempts=0, deaths=0)

    _do(connection, delivery_id, event, actor, reason, clock, act)


def confirm(connection: Connection, delivery_id: str, actor: str, reason: str, clock: Clock, reference: str) -> None:
    """Note that a person saw the document at the destination, under `reference`."""
    now = clock.now()
    if deliveries.get(connection, delivery_id).state == "sending":
        raise NotPossibleNow(delivery_id, "accept while sending")
    _do(
        connection,
        delivery_id,
        "accept",
        actor,
        reason,
        clock,
        lambda: deliveries.move(connection, delivery_id, "accept", None, accepted_at=now, reference=reference),
    )


def hold(connection: Connection, item_id: str, actor: str, reason: str, clock: Clock) -> None:
    """Stop a message or delivery that waits; it holds only its key."""
    _do(connection, item_id, "hold", actor, reason, clock, _moves(connection, item_id, "hold"))


def release(connection: Connection, item_id: str, actor: str, reason: str, clock: Clock) -> None:
    """Let a held message or delivery go on."""
    _do(connection, item_id, "release", actor, reason, clock, _moves(connection, item_id, "release"))


def skip(connection: Connection, delivery_id: str, actor: str, reason: str, clock: Clock) -> None:
    """Let what comes after a delivery of the same key go on without it; it moves to the error queue. Wants a reason."""
    if not reason:
        raise ReasonMissing(delivery_id)
    deliveries.get(connection, delivery_id)
    fault = SkippedByPerson()
    _do(
        connection,
        delivery_id,
        "skip",
        actor,
        reason,
        clock,
        lambda: deliveries.move(connection, delivery_id, "skip", None, fault),
    )


def pause(connection: Connection, destination: str, actor: str, reason: str, clock: Clock) -> None:
    """Stop everything to a destination until somebody lets it go on. Wants a reason."""
    if not reason:
        raise ReasonMissing(destination)
    if not destinations.pause(connection, destination, at=clock.now(), actor=actor, reason=reason):
        raise NotPossibleNow(destination, "pause while paused")
    actions.insert(connection, at=clock.now(), actor=actor, verb="pause", target=destination, reason=reason)


def resume(connection: Connection, destination: str, actor: str, reason: str, clock: Clock) -> None:
    """Let a destination go on; its next delivery is tried at once."""
    if not destinations.resume(connection, destination):
        raise NotPossibleNow(destination, "resume while not paused")
    actions.insert(connection, at=clock.now(), actor=actor, verb="resume", target=destination, reason=reason)


def close(connection: Connection, item_id: str, actor: str, reason: str, clock: Clock) -> None:
    """Take an item off the queue: a person decided that nothing more is to be done. It stays in the ledger."""
    _do(connection, item_id, "close", actor, reason, clock, _moves(connection, item_id, "close"))


def _moves(connection: Connection, item_id: str, event: str) -> Callable[[], bool]:
    what, row = kind_of(connection, item_id)
    if what == "document":
        if not sources(DOCUMENT, event):
            raise NotPossibleNow(item_id, f"{event} while {row.state}")
        return lambda: _end(connection, item_id, event)
    if what == "proof":
        raise NotPossibleNow(item_id, f"{event} while {row.state}")
    if what == "message":
        return lambda: messages.move(connection, item_id, event)
    if what == "commitment":
        if not sources(COMMITMENT, event):
            raise NotPossibleNow(item_id, f"{event} while {row.state}")
        return lambda: commitment_rows.move(connection, item_id, event)
    if what == "lab_call":
        if not sources(LAB_CALL, event):
            raise NotPossibleNow(item_id, f"{event} while {row.state}")
        return lambda: call_rows.move(connection, item_id, event)
    return lambda: deliveries.move(connection, item_id, event, None)


def _end(connection: Connection, document_id: str, event: str) -> bool:
    """Apply `event`, after which nobody signs a document any more."""
    if not documents.move(connection, document_id, event):
        return False
    tasks.void_all(connection, document_id, event)
    proofs.void(connection, document_id)
    return True


def _do(
    connection: Connection,
    target: str,
    verb: str,
    actor: str,
    reason: str,
    clock: Clock,
    act: Callable[[], bool],
) -> None:
    _, row = kind_of(connection, target)
    if not act():
        raise NotPossibleNow(target, f"{verb} while {row.state}")
    actions.insert(connection, at=clock.now(), actor=actor, verb=verb, target=target, reason=reason)
