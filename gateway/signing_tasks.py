"""What happens to signing tasks: made with a document, ready in order, refused, left out, void, overdue.

Everything here is done inside the caller's transaction; keys and signatures are elsewhere (`gateway/signing_run.py` for people,
`gateway/signing_desk.py` for the seal). A task names its holder when the paper names one, else whoever has the role signs.

Requirement: S3.6–S3.8
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Protocol

from sqlalchemy.engine import Connection, Row

from gateway import papers
from gateway.certificates.permission import may_sign
from gateway.certificates.register import Act
from gateway.certificates.roles import ROLES
from gateway.clock import SECOND, to_datetime
from gateway.faults import (
    CertificateUnregistered,
    NotYourTurn,
    ReasonMissing,
    SignerNotEntitled,
    SignerUnknown,
    SkipNotAllowed,
    TaskGone,
)
from gateway.settings import Plan, Route, Signer
from gateway.signing_case import Facts
from gateway.store import actions, deliveries, documents, proofs
from gateway.store import signing_tasks as rows
from gateway.store.deadlines import next_notice
from gateway.store.documents import NewDocument
from mappings.formats.dates import zone_of
from signing import joint
from signing.forms import LEVELS
from signing.policy import SEAL, Case

log = logging.getLogger("lienthong.signing")

OPEN = ("waiting", "ready", "claimed")
KIND = "cda"
"""What people sign; the other renditions of a paper bear the seal alone."""
_DOCTOR = "treating_doctor"
_REGISTERED = {_DOCTOR: "doctor", "head_of_department": "head"}
_DEATH_PAPERS = ("death_notice",)


class MaySign(Protocol):
    """Raise a SigningFault unless a certificate may sign now: for this holder and in this role, if they are given."""

    def __call__(
        self, connection: Connection, certificate_fingerprint: str, at: int, *, holder: str = "", role: str = ""
    ) -> None: ...


def may_seal(
    connection: Connection, certificate_fingerprint: str, at: int, *, holder: str = "", role: str = ""
) -> None:
    """Raise a SigningFault unless the node's own certificate may seal now; one that the register does not know may."""
    try:
        may_sign(connection, certificate_fingerprint, at, holder=holder, role=role)
    except CertificateUnregistered:
        pass


def role_in_register(role: str) -> str:
    """Give the name by which the register of certificates knows a role; an empty text for one that it does not know."""
    name = _REGISTERED.get(role, role)
    return name if name in ROLES else ""


# ---- made, and ready in order ----


def needed(plan: Plan, row: Row[Any], facts: Facts, now: int) -> list[dict[str, Any]]:
    """Return the tasks of a document that is composed now, by the policy of today; the seal is the last."""
    conditions = set(facts.case.conditions)
    if row.paper in _DEATH_PAPERS:
        conditions.add("death")
    if row.actor:
        conditions.add("patient_request")
    wanted = plan.policies.wanted(row.paper, Case(frozenset(conditions), facts.case.visit_class))
    tasks = []
    for one in wanted:
        deadline = row.event_at + one.within * SECOND if one.within else row.deadline_at
        ready = one.number == wanted[0].number
        tasks.append(
            {
                "document_id": row.id,
                "number": one.number,
                "step": one.step,
                "role": one.part.role,
                "holder": _holder(plan, facts) if one.part.role == _DOCTOR else "",
                "departments": "" if one.part.role in (_DOCTOR, SEAL) else "\n".join(facts.departments),
                "optional": one.part.optional,
                "skippers": " ".join(one.part.may_be_skipped_by),
                "in_person": one.in_person,
                "countersigns": one.countersigns,
                "state": "ready" if ready else "waiting",
                "ready_at": now if ready else None,
                "deadline_at": deadline,
                "notice_at": now + max(0, round((deadline - now) * one.warn)),
            }
        )
    return tasks


def people_first(tasks: Sequence[Mapping[str, Any]]) -> bool:
    """Tell whether people sign before the seal."""
    return bool(tasks[0]["role"] != SEAL)


def _holder(plan: Plan, facts: Facts) -> str:
    """Name the doctor who wrote the paper, by the code of the staff where the number is known."""
    for number in facts.doctors:
        for code, signer in plan.signers.items():
            if number in (code, signer.settings.licence):
                return code
    return facts.doctors[0][:64] if facts.doctors else ""


def go_on(connection: Connection, plan: Plan, document_id: str, whole: bytes | None, now: int) -> None:
    """Make ready what comes next, now that a task has ended; `whole` is what may leave when no later step is waited for."""
    documents.lock(connection, document_id)
    tasks = [task for task in rows.of_document(connection, document_id) if task.state != "void"]
    still = [task for task in tasks if task.state in OPEN]
    current = min(task.number for task in still)
    for task in still:
        if task.number == current and task.state == "waiting":
            rows.move(connection, task.id, "ready", ready_at=now)
    done = {task.step for task in tasks if task.number < current}
    if whole is not None and any(task.state == "signed" for task in tasks):
        _give_out(connection, plan, document_id, done, whole, now)
    if all(task.role == SEAL for task in still):
        documents.move(connection, document_id, "seal", due_at=now, attempts=0)


def _give_out(connection: Connection, plan: Plan, document_id: str, done: set[str], whole: bytes, now: int) -> None:
    """Let go to destinations that wait for no later step, with the bytes as they are now, for ever."""
    for delivery in deliveries.listing(connection, document_id=document_id, states=("awaiting",)):
        route = plan.routes[delivery.destination]
        if route.common.accepts not in done:
            continue
        kind = _early_kind(plan, delivery.paper, route)
        final = plan.level_of(delivery.paper, kind) == LEVELS[0]
        if not documents.renditions(connection, document_id, kind):
            sealed = plan.keyring.seal(whole, f"{document_id}/{kind}")
            documents.put_rendition(connection, document_id, kind, "application/xml", whole, sealed, signed=final)
        if final:
            documents.note_given_out(connection, document_id, now)
            deliveries.move(connection, delivery.id, "ready", None, due_at=now)
    release_early(connection, plan, document_id, now)


def _early_kind(plan: Plan, paper: str, route: Route) -> str:
    """Name what a destination gets of a paper after the step that it accepts: its own where its level is another."""
    own = route.own_form and plan.level_of(paper, route.own_early_kind) != plan.level_of(paper)
    return route.own_early_kind if own else route.early_kind


def release_early(connection: Connection, plan: Plan, document_id: str, now: int) -> None:
    """Let go what waits for the proofs of the signatures that it holds, once all are there."""
    waiting = documents.waiting_early(connection, document_id)
    if not waiting:
        return
    known = {one.signature_id: one for one in proofs.of_document(connection, document_id) if one.kind == KIND}
    paper = documents.get(connection, document_id).paper
    for kept in waiting:
        whole = plan.keyring.open(kept.body, f"{document_id}/{kept.kind}")
        held = [known.get(mark.identifier) for mark in joint.marks(whole)]
        level = plan.level_of(paper, kept.kind)
        if any(one is None or not proved_for(level, one.state) for one in held):
            continue
        found = {one.signature_id: proofs.evidence(connection, one.id) for one in held if one is not None}
        whole = joint.with_proofs(whole, {name: one.within(level) for name, one in found.items()})
        sealed = plan.keyring.seal(whole, f"{document_id}/{kept.kind}")
        documents.put_rendition(connection, document_id, kept.kind, kept.media_type, whole, sealed, signed=True)
        documents.note_given_out(connection, document_id, now)
        for delivery in deliveries.listing(connection, document_id=document_id, states=("awaiting",)):
            route = plan.routes[delivery.destination]
            if route.common.accepts and _early_kind(plan, paper, route) == kept.kind:
                deliveries.move(connection, delivery.id, "ready", None, due_at=now)


def proved_for(level: str, state: str) -> bool:
    """Tell whether a signature in this state has what a file of this level wants of it."""
    return state == "proved" or (level == "B-T" and state == "stamped")


# ---- who may ----


def signer(plan: Plan, code: str) -> Signer:
    """Return who has this code; raise SignerUnknown."""
    try:
        return plan.signers[code]
    except KeyError:
        raise SignerUnknown(code) from None


def day(plan: Plan, now: int) -> date:
    """Return the day on which it is, here."""
    return to_datetime(now).astimezone(zone_of(plan.node.zone)).date()


def for_whom(plan: Plan, task: Row[Any], code: str, on: date) -> str:
    """Return for whom this person signs the task: an empty text for themselves, or the code of who delegated it.

    `task` comes from `open_tasks`, with its paper. Raises SignerUnknown, SignerNotEntitled.
    """
    if _fits(task, signer(plan, code)):
        return ""
    if not task.in_person:
        for other in plan.policies.delegated_to(code, task.role, task.paper, on):
            if other in plan.signers and _fits(task, plan.signers[other]):
                return other
    raise SignerNotEntitled(task.id, task.role)


def _fits(task: Row[Any], signer: Signer) -> bool:
    own = signer.settings
    if task.role not in own.roles:
        return False
    if task.holder:
        return task.holder in (own.code, own.licence)
    here = set(task.departments.split("\n")) - {""}
    return not own.departments or not here or not here.isdisjoint(own.departments)


def work_list(
    connection: Connection, plan: Plan, code: str, now: int, *, papers: Sequence[str] = (), ready: bool = False
) -> list[Row[Any]]:
    """Return the open tasks that this person may sign, oldest first; only those that are ready, if asked."""
    on = day(plan, now)
    own = signer(plan, code).settings.roles
    lent = (one.role for one in plan.policies.delegations if one.to == code)
    roles = list(dict.fromkeys((*own, *lent)))
    if not roles:
        return []
    states = ("ready",) if ready else ()
    found = []
    for task in rows.open_tasks(connection, roles=roles, states=states, papers=papers):
        try:
            for_whom(plan, task, code, on)
        except SignerNotEntitled:
            continue
        found.append(task)
    return found


def require_ready(connection: Connection, plan: Plan, task_id: str, code: str, now: int) -> tuple[Row[Any], str]:
    """Return a task that this person may act on now, and for whom.

    Raises SignerUnknown, SignerNotEntitled, NotYourTurn, TaskGone, NothingThere.
    """
    task = find(connection, task_id)
    whom = for_whom(plan, task, code, day(plan, now))
    if task.state == "waiting":
        raise NotYourTurn(task_id, ", ".join(waited_for(connection, task)))
    if task.state != "ready":
        raise TaskGone(task_id, task.state)
    return task, whom


def find(connection: Connection, task_id: str) -> Row[Any]:
    """Return an open task with its paper; raise TaskGone, NothingThere."""
    task = rows.open_one(connection, task_id)
    if task is None:
        raise TaskGone(task_id, rows.get(connection, task_id).state)
    return task


def waited_for(connection: Connection, task: Row[Any]) -> list[str]:
    """Name the steps that come before a task and are not done."""
    steps = (
        one.step
        for one in rows.of_document(connection, task.document_id)
        if one.number < task.number and one.state in OPEN
    )
    return list(dict.fromkeys(steps))


def candidates(plan: Plan, task: Row[Any], now: int) -> list[str]:
    """Give the codes of those who may sign a task: whose it is first, then who stands in."""
    on = day(plan, now)
    found: dict[str, bool] = {}
    for code in plan.signers:
        try:
            found[code] = bool(for_whom(plan, task, code, on))
        except SignerNotEntitled:
            continue
    return sorted(found, key=lambda code: found[code])


# ---- refused, left out, void ----


def refuse(connection: Connection, plan: Plan, task_id: str, code: str, reason: str, account: str, now: int) -> str:
    """Send a paper back: its signatures count no more, and it is made again when its data change; return the new id.

    Raises what `require_ready` raises, and ReasonMissing.
    """
    if not reason.strip():
        raise ReasonMissing(task_id)
    task, whom = require_ready(connection, plan, task_id, code, now)
    rows.move(connection, task_id, "refuse", signer=code, delegation=whom, reason=reason)
    row = documents.get(connection, task.document_id)
    documents.move(connection, row.id, "return")
    actions.insert(connection, at=now, actor=f"{code} ({account})"[:64], verb="refuse", target=row.id, reason=reason)
    return _again(connection, plan, row, "bị từ chối ký", now)


def send_back(connection: Connection, plan: Plan, document_id: str, why: str, now: int) -> bool:
    """Have a paper signed again by everybody, because a signature on it is worth nothing; False when it is too late."""
    if not documents.move(connection, document_id, "return"):
        return False
    _again(connection, plan, documents.get(connection, document_id), why, now)
    return True


def _again(connection: Connection, plan: Plan, row: Row[Any], why: str, now: int) -> str:
    """Make another document in the place of one that was returned; return its id."""
    _void(connection, row.id, why, now)
    channel = next(one for one in plan.channels if one.settings.name == row.channel)
    again = NewDocument(
        row.paper,
        row.subject,
        row.channel,
        row.message_id,
        row.patient_id,
        row.order_key,
        row.event_at,
        row.deadline_at,
        act=row.act,
        reason=row.reason,
    )
    kept = {one.destination: one.deadline_at for one in deliveries.listing(connection, document_id=row.id)}
    return papers.put(connection, plan, channel, again, now, now, kept)


def refused_by(connection: Connection, document_id: str) -> tuple[str, str]:
    """Return who sent a document back, and in which role."""
    tasks = rows.of_document(connection, document_id)
    return next(((task.signer, task.role) for task in tasks if task.state == "refused"), ("", ""))


def skip(connection: Connection, plan: Plan, task_id: str, code: str, reason: str, account: str, now: int) -> None:
    """Leave a signature out, where the policy allows that to this person.

    Raises SignerUnknown, SkipNotAllowed, TaskGone, ReasonMissing, NothingThere.
    """
    if not reason.strip():
        raise ReasonMissing(task_id)
    task = find(connection, task_id)
    allowed = not set(task.skippers.split()).isdisjoint(signer(plan, code).settings.roles)
    if not allowed and task.optional:
        try:
            for_whom(plan, task, code, day(plan, now))
            allowed = True
        except SignerNotEntitled:
            pass
    if not allowed:
        raise SkipNotAllowed(task_id, task.role)
    if not rows.move(connection, task_id, "skip", signer=code, reason=reason):
        raise TaskGone(task_id, "claimed")
    actor = f"{code} ({account})"[:64]
    actions.insert(connection, at=now, actor=actor, verb="skip", target=task.document_id, reason=reason)
    go_on(connection, plan, task.document_id, whole_now(connection, plan, task.document_id), now)


def whole_now(connection: Connection, plan: Plan, document_id: str) -> bytes | None:
    """Return what may leave when nothing more is waited for: the document with what people signed so far."""
    signed = [one for one in documents.signatures(connection, document_id) if one.voided_at is None]
    if not signed:
        return None
    (kept,) = documents.renditions(connection, document_id, signed[-1].kind)
    return plan.keyring.open(kept.body, f"{document_id}/{kept.kind}")


def supersede(connection: Connection, document_id: str, by: str, now: int) -> bool:
    """Let another version take the place of one that people are signing; False when they all have signed meanwhile."""
    if not documents.move(connection, document_id, "supersede"):
        return False
    _void(connection, document_id, f"nội dung đổi: {by}", now)
    return True


def _void(connection: Connection, document_id: str, why: str, now: int) -> None:
    rows.void_all(connection, document_id, why)
    signers = documents.void_signatures(connection, document_id, now)
    if signers:
        reason = f"{why}; chữ ký hết giá trị: {', '.join(signers)}"
        actions.insert(connection, at=now, actor="signing desk", verb="void", target=document_id, reason=reason)
        log.info("document %s: %d signatures count no more", document_id, len(signers))
    deliveries.move_all(connection, document_id, "drop", now)


def people_have_signed(connection: Connection, document_id: str) -> bool:
    """Tell whether a document waits for nothing but the seal, after signatures of people."""
    tasks = [task for task in rows.of_document(connection, document_id) if task.state != "void"]
    return any(task.state == "signed" for task in tasks) and not any(
        task.state in OPEN and task.role != SEAL for task in tasks
    )


def stop_tasks(connection: Connection, certificate: Row[Any], _act: Act) -> int:
    """Take from the holder of a certificate what is being signed now; return how many tasks wait for this holder.

    For the register, when a certificate is suspended or revoked: from then on nothing passes `may_sign`.
    """
    return rows.release_of(connection, certificate.holder_code)


# ---- deadlines ----


def tell(connection: Connection, plan: Plan, now: int) -> list[tuple[str, str]]:
    """Say once of each task that its deadline is near, and once that it is past; return (role, `warned` or `breached`) of each.

    An optional signature whose time is past is left out. Leases that ran out are given back.
    """
    rows.expire(connection, now)
    said = []
    for task in rows.to_tell(connection, now):
        changes = next_notice(task, now)
        late = "breached_at" in changes
        if not rows.told(connection, task, **changes):
            continue
        said.append((task.role, "breached" if late else "warned"))
        log.warning(
            "signing task %s of %s (%s) for %s: %s",
            task.id,
            task.paper,
            task.document_id,
            task.role,
            "deadline passed" if late else "deadline near",
        )
        if late and task.optional and rows.move(connection, task.id, "skip", reason="quá hạn, không bắt buộc"):
            go_on(connection, plan, task.document_id, whole_now(connection, plan, task.document_id), now)
    return said
