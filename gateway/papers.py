"""What is asked of papers: by a message, as the rules have it, or by a person.

Everything here happens inside the caller's transaction. A paper that could not be made for lack of something is tried again as
soon as a message says more about the person; a person need not do it. Requirement: S3.8, S3.10.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.engine import Connection, Row

from gateway.clock import SECOND, end_of_day, to_instant
from gateway.faults import NothingThere, PaperNotThere, SignatureRefused
from gateway.records import persons, resources
from gateway.settings import Channel, Plan
from gateway.store import actions, deliveries, documents, messages, proofs, signing_tasks
from gateway.store import resources as rows
from gateway.store.documents import NewDocument
from mappings.documents import Due
from mappings.documents.faults import PaperIncomplete, SubjectMissing
from mappings.documents.rules import rules
from mappings.formats.dates import zone_of
from mappings.formats.values import END_OF_DAY, parse_within

_LACKING = (PaperIncomplete.code, SubjectMissing.code, SignatureRefused.code)
"""What newer data may cure."""
_STANDING = ("due", "signing", "composed", "proving", "signed")
"""States of a paper that is made or on its way."""


def ask(
    connection: Connection,
    plan: Plan,
    channel: Channel,
    row: Row[Any],
    asked: Sequence[Due],
    late: Collection[str],
    patient_id: str | None,
    now: int,
) -> None:
    """Do what message `row` asks; of subjects in `late` newer things were known, which other papers say already.

    What is to be made again is, also then: the message may tell something else beside, such as a charge of a visit that ended.
    """
    for one in asked:
        if one.subject in late and one.act != "renew":
            continue
        owner = resources.patient_of(connection, one.subject) or patient_id
        if owner is not None:
            _ask_one(connection, plan, channel, row, one, owner, now)


def _ask_one(
    connection: Connection,
    plan: Plan,
    channel: Channel,
    row: Row[Any],
    one: Due,
    patient_id: str,
    now: int,
) -> None:
    step, last = reaction(connection, row, one)
    if last is not None and step == "again":
        again(connection, last.id, now)
    if last is not None and step == "drop":
        drop(connection, last.id, now)
    if step != "new" and not (step == "drop" and documents.given_out(connection, one.paper, one.subject)):
        return
    if last is None or last.act == "cancel":
        since = to_instant(datetime.fromisoformat(one.since)) if one.since else row.received_at
    else:
        since = now  # what a later version says was not known before
    within = parse_within(channel.settings.deadline) if channel.settings.deadline else one.within
    new = NewDocument(
        one.paper,
        one.subject,
        channel.settings.name,
        row.id,
        patient_id,
        row.order_key,
        row.received_at,
        until(plan, since, within),
        act=one.act,
        reason="" if one.act == "make" and last is None else f"Dữ liệu mới từ bản tin {row.type}",
    )
    put(connection, plan, channel, new, now, since)


def reaction(connection: Connection, row: Row[Any], one: Due) -> tuple[str, Row[Any] | None]:
    """Say what comes of what message `row` asks, and which version it concerns.

    `new` = another version is due; `again` = the failed one is composed again; `drop` = the failed one is wanted no more, and
    what was given out before it is withdrawn; empty = nothing.
    """
    last = documents.newest(connection, one.paper, one.subject)
    if any(_stands(connection, paper, one) for paper in one.unless):
        return "", last
    if last is not None and "cancel" in (one.act, last.act) and _came_after(last, row):
        return "", last
    if last is None or last.act == "cancel":
        return ("new" if one.act == "make" else ""), last
    if last.state != "error":
        return "new", last
    if one.act == "cancel":
        return "drop", last
    # a wish to renew is none of its own here: what it lacks may have come, and that is tried whatever the rules say
    return ("again" if one.act == "make" else ""), last


def _stands(connection: Connection, paper: str, one: Due) -> bool:
    """Tell whether another paper about the same was asked for, or this one came to something, and was not withdrawn."""
    own = paper == one.paper
    last = documents.newest(connection, paper, one.subject if own else one.subject.partition("#")[0])
    return last is not None and last.act != "cancel" and (not own or last.state in _STANDING)


def _came_after(last: Row[Any], row: Row[Any]) -> bool:
    """Tell whether a version was asked for after a message: that one, mapped again, neither withdraws it nor brings it back."""
    return bool(last.message_id > row.id or (last.actor and last.id > row.id))


def until(plan: Plan, since: int, within: int) -> int:
    """Return when time that began at `since` is over; `within` are seconds, or END_OF_DAY."""
    return end_of_day(since, zone_of(plan.node.zone)) if within == END_OF_DAY else since + within * SECOND


def put(
    connection: Connection,
    plan: Plan,
    channel: Channel,
    new: NewDocument,
    now: int,
    since: int,
    deadlines: Mapping[str, int] | None = None,
) -> str:
    """Store a paper that is due and its deliveries, which wait for it; return its id.

    Its time began at `since`. `deadlines` are those by destination that were settled before.
    """
    document_id = documents.insert(connection, new)
    for name in channel.routes:
        route = plan.routes[name]
        if not route.carries(new.paper):
            continue
        own = route.common.deadline
        at = (deadlines or {}).get(name) or (until(plan, since, parse_within(own)) if own else new.deadline_at)
        warn_at = since + round((at - since) * channel.settings.warn)
        basis = route.common.basis
        deliveries.insert(
            connection, document_id, name, new.order_key, basis, now, "pending", deadline_at=at, notice_at=warn_at
        )
    return document_id


def again(connection: Connection, document_id: str, now: int, **values: Any) -> bool:
    """Compose a failed paper again; its deliveries wait for it again, and signatures of before count no more."""
    if not documents.move(connection, document_id, "retry", due_at=now, attempts=0, **values):
        return False
    signing_tasks.void_all(connection, document_id, "lập lại")
    documents.void_signatures(connection, document_id, now)
    deliveries.move_all(connection, document_id, "renew", now)
    return True


def drop(connection: Connection, document_id: str, now: int) -> None:
    """Take a failed paper that nobody needs any more off the error queue, with its deliveries."""
    if documents.move(connection, document_id, "close"):
        signing_tasks.void_all(connection, document_id, "đóng")
        proofs.void(connection, document_id)
        deliveries.move_all(connection, document_id, "close", now)


def told_more(connection: Connection, patient_id: str, now: int) -> None:
    """Try again what could not be made of a person's record for lack of something."""
    for row in incomplete(connection, patient_id):
        again(connection, row.id, now)


def incomplete(connection: Connection, patient_id: str) -> list[Row[Any]]:
    """Return the papers of a person that failed for lack of something."""
    return documents.incomplete(connection, persons.all_ids(connection, patient_id), _LACKING)


def guides_asked(plan: Plan, channel: str) -> tuple[str, ...]:
    """Name the guides that destinations of a channel ask for, each once."""
    found = next((one for one in plan.channels if one.settings.name == channel), None)
    routes = [plan.routes[name].common for name in found.routes] if found else []
    return tuple(dict.fromkeys(route.guide for route in routes if route.guide))


def request(
    connection: Connection,
    plan: Plan,
    paper: str,
    subject: str,
    act: str,
    *,
    actor: str,
    reason: str,
    now: int,
) -> str:
    """Ask for a paper in a person's name: `make`, `reissue` or `cancel`; return the id of what is due now.

    Raises `NothingThere` when the record holds no such subject, `PaperNotThere` when no channel produces the paper or there is
    nothing to withdraw.
    """
    last = documents.newest(connection, paper, subject)
    if act in ("cancel", "reissue") and documents.given_out(connection, paper, subject) is None:
        raise PaperNotThere(paper, "not issued")
    channel = next((one for one in plan.channels if paper in one.settings.produce), None)
    if channel is None:
        raise PaperNotThere(paper, "no channel produces it")
    if last is not None and last.state == "error" and act == "make":
        again(connection, last.id, now, actor=actor)
        actions.insert(connection, at=now, actor=actor, verb="make", target=last.id, reason=reason)
        return str(last.id)
    type_, _, id_ = subject.partition("#")[0].partition("/")
    found = next(iter(rows.current(connection, [(type_, id_)])), None)
    if found is None or found.patient_id is None:
        raise NothingThere(subject)
    seconds = next((rule.within for rule in rules(paper)), 86400)
    new = NewDocument(
        paper,
        subject,
        channel.settings.name,
        found.message_id,
        found.patient_id,
        messages.get(connection, found.message_id).order_key,
        now,
        until(plan, now, seconds),
        act=act,
        reason=reason,
        actor=actor,
    )
    document_id = put(connection, plan, channel, new, now, now)
    actions.insert(connection, at=now, actor=actor, verb=act, target=document_id, reason=reason)
    return document_id
