"""Resend and reprocess what a person selects: count first, then one by one, in key order, at a rate, until done or stopped.

    choose ── what is selected, counted; nothing is changed
    begin  ── the selection as counted becomes a job in the ledger
    work   ── each item in a transaction of its own, which also notes that it is done; whoever is killed is continued

An item is done only in the state in which it was counted; otherwise it is left, and the job says why. What a destination has
accepted is sent again by force and with a reason only. What one act does is `gateway/repair.py`'s business.

Requirement: S1.10, S3.21
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
from sqlalchemy.engine import Connection, Row

from gateway import repair
from gateway.clock import SECOND, Clock
from gateway.export import Visit, visit_of, visit_reference
from gateway.faults import DestinationsUnnamed, NothingThere, NotPossibleNow, ReasonMissing
from gateway.records import persons
from gateway.records.message_search import messages_with, patients_with
from gateway.records.versions import opened
from gateway.settings import Plan
from gateway.states import DELIVERY, MESSAGE, sources
from gateway.store import actions, jobs, resources, selections
from gateway.store.engine import Store
from gateway.store.selections import Wanted
from mappings.formats.faults import Fault

RESENT = (*sources(DELIVERY, "resend"), *sources(DELIVERY, "send_again"))
"""States of deliveries that can be sent again, the last by force only."""
REPROCESSED = sources(MESSAGE, "reprocess")
_UNITS = {"s": 1, "min": 60, "h": 3600}
_GRACE = 60 * SECOND
"""How long who works on a job may be silent before another may go on with it."""


def gap(rate: str) -> int:
    """Return the microseconds between two items at a rate such as `10/min`; raise `ValueError` when it is none."""
    found = re.fullmatch(r"([1-9]\d{0,5})/(s|min|h)", rate)
    if found is None:
        raise ValueError(f"{rate!r}: 10/min, 2/s, 100/h")
    return _UNITS[found[2]] * SECOND // int(found[1])


# ---- choose ----


@dataclass(frozen=True)
class Selection:
    """What a person selects, in a person's words."""

    wanted: Wanted = field(default_factory=Wanted)
    messages: tuple[str, ...] = ()
    documents: tuple[str, ...] = ()
    deliveries: tuple[str, ...] = ()
    control_ids: tuple[str, ...] = ()
    patient: str = ""
    """Number of a person: of this hospital, of a card, of the citizen."""
    encounter: str = ""
    """Number of a visit."""

    @property
    def starts(self) -> bool:
        """Tell whether it begins somewhere else than at the error queue."""
        named = (self.messages, self.documents, self.deliveries, self.control_ids, self.patient, self.encounter)
        return bool(self.wanted.begin) or any(named)

    def described(self) -> str:
        """Say it as JSON, for the ledger: numbers of persons and visits are left out."""
        said: dict[str, Any] = {name: getattr(self.wanted, name) for name in Wanted.__dataclass_fields__}
        said |= {name: getattr(self, name) for name in ("messages", "documents", "deliveries", "control_ids")}
        said |= {"patient": bool(self.patient), "encounter": bool(self.encounter)}
        return msgspec.json.encode({name: value for name, value in said.items() if value}).decode()


@dataclass(frozen=True)
class Chosen:
    """What a selection holds now."""

    items: Sequence[tuple[str, str]]
    """Target and state of what can be done, by key and age."""
    counted: Mapping[tuple[str, ...], int]
    """Resend: destination, state, what speaks against it. Reprocess: channel, type, state."""
    leads_to: tuple[str, ...] = ()
    """Destinations that new versions of papers would go to."""


UNSIGNED, OVERTAKEN, FORCED = "unsigned", "overtaken", "accepted"


def deliveries_to_resend(connection: Connection, plan: Plan, selection: Selection, *, force: bool) -> Chosen:
    """Choose deliveries; without `force` none that was accepted, and none of which a newer version was.

    Raises `DestinationsUnnamed` when the selection names no destination.
    """
    wanted = selection.wanted
    if not wanted.destinations:
        raise DestinationsUnnamed(detail=", ".join(plan.routes))
    found: list[Row[Any]] | None = None
    asked_by = _messages_named(connection, plan, selection)
    if asked_by is not None:
        ids = selections.documents_of_messages(connection, asked_by)
        found = _both(found, selections.deliveries_among(connection, wanted, ids))
    if selection.documents:
        found = _both(found, selections.deliveries_among(connection, wanted, selection.documents))
    if selection.deliveries:
        found = _both(found, selections.deliveries_named(connection, wanted, selection.deliveries))
    if selection.patient or selection.encounter:
        rows = _papers_about(connection, plan, selection)
        found = _both(found, selections.deliveries_among(connection, wanted, {row.id for row in rows}))
    if found is None:
        found = selections.deliveries_in(connection, wanted)
    counted: Counter[tuple[str, ...]] = Counter((row.destination, row.state, _against(row)) for row in found)
    usual = ("", OVERTAKEN, FORCED) if force else ("",)
    doable = sorted((bytes(row.order_key), row.id, row.state) for row in found if _against(row) in usual)
    return Chosen([(id_, state) for _, id_, state in doable], counted)


def _against(row: Row[Any]) -> str:
    """Say what speaks against sending a delivery again; empty when nothing does."""
    if row.document_state != "signed" and row.signed_at is None:
        return UNSIGNED
    return OVERTAKEN if row.overtaken else FORCED if row.state == "accepted" else ""


def messages_to_reprocess(connection: Connection, plan: Plan, selection: Selection) -> Chosen:
    """Choose messages; they are given with the destinations that their channels lead to."""
    wanted = selection.wanted
    ids = _messages_named(connection, plan, selection)
    if selection.documents:
        ids = _narrowed(ids, selections.messages_of_documents(connection, selection.documents))
    if wanted.faults:
        ids = _narrowed(ids, selections.messages_with_fault(connection, wanted.faults, wanted.destinations))
    if selection.patient or selection.encounter:
        ids = _narrowed(ids, _messages_about(connection, plan, selection))
    if ids is None:
        found = selections.messages_in(connection, wanted)
    else:
        found = selections.messages_named(connection, wanted, ids)
    leads_to = [
        name
        for channel in plan.channels
        if any(row.channel == channel.settings.name for row in found)
        for name in channel.routes
        if any(plan.routes[name].carries(paper) for paper in channel.settings.produce)
    ]
    return Chosen(
        [(id_, state) for _, id_, state in sorted((bytes(row.order_key), row.id, row.state) for row in found)],
        Counter((row.channel, row.type, row.state) for row in found),
        tuple(dict.fromkeys(leads_to)),
    )


def _messages_named(connection: Connection, plan: Plan, selection: Selection) -> set[str] | None:
    """Name the messages that are given by their id or control id; None when none is."""
    ids = set(selection.messages) if selection.messages else None
    if selection.control_ids:
        with_id = (messages_with(connection, plan.keyring, "control", one) for one in selection.control_ids)
        ids = _narrowed(ids, set().union(*with_id))
    return ids


def _both(before: list[Row[Any]] | None, found: list[Row[Any]]) -> list[Row[Any]]:
    if before is None:
        return found
    ids = {row.id for row in before}
    return [row for row in found if row.id in ids]


def _narrowed(before: set[str] | None, found: Collection[str]) -> set[str]:
    return set(found) if before is None else before & set(found)


def _papers_about(connection: Connection, plan: Plan, selection: Selection) -> list[Row[Any]]:
    """Return the papers of a person, of a visit, or of a visit of a person."""
    found: list[Row[Any]] | None = None
    if selection.patient:
        ids = patients_with(connection, plan.keyring, selection.patient)
        found = selections.documents_of_persons(connection, ids)
    if selection.encounter:
        visit = visit_of(connection, plan, selection.encounter)
        about = _of_visit(connection, plan, visit)
        ids = persons.all_ids(connection, visit.patient_id)
        found = _both(found, selections.documents_of_persons(connection, ids, set(about)))
    return found or []


def _messages_about(connection: Connection, plan: Plan, selection: Selection) -> set[str]:
    """Name the messages of a person or a visit: those that name it, and those on which its record and papers rest."""
    ids: set[str] | None = None
    if selection.patient:
        ids = messages_with(connection, plan.keyring, "patient", selection.patient)
        ids |= messages_with(connection, plan.keyring, "card", selection.patient)
        patients = patients_with(connection, plan.keyring, selection.patient)
        ids |= selections.messages_of_persons(connection, patients)
    if selection.encounter:
        named = messages_with(connection, plan.keyring, "encounter", selection.encounter)
        try:
            visit = visit_of(connection, plan, selection.encounter)
        except NothingThere:
            if not named:
                raise
        else:
            about = _of_visit(connection, plan, visit)
            patients = persons.all_ids(connection, visit.patient_id)
            rows = selections.documents_of_persons(connection, patients, set(about))
            named |= {*about.values(), *(row.message_id for row in rows)}
        ids = _narrowed(ids, named)
    return ids or set()


def _of_visit(connection: Connection, plan: Plan, visit: Visit) -> dict[str, str]:
    """Give what belongs to a visit, and the message that spoke last of each."""
    found = {}
    for row in resources.of_patients(connection, persons.all_ids(connection, visit.patient_id)):
        reference = f"{row.type}/{row.id}"
        own = f"Encounter/{visit.id}"
        if own in (reference, visit_reference(opened(plan.keyring, row))):
            found[reference] = row.message_id
    return found


# ---- begin and work ----


def begin(
    connection: Connection,
    verb: str,
    selection: Selection,
    chosen: Chosen,
    *,
    owner: str,
    actor: str,
    reason: str,
    force: bool,
    rate: str,
    clock: Clock,
) -> str:
    """Make a job of what was chosen, for `owner` to work on; return its id.

    Raises `ReasonMissing` when it is forced without a reason, `DestinationsUnnamed` when papers would leave to a destination
    that the selection does not name.
    """
    if force and not reason.strip():
        raise ReasonMissing("force")
    gap(rate)
    unnamed = [name for name in chosen.leads_to if name not in selection.wanted.destinations]
    if unnamed:
        raise DestinationsUnnamed(detail=", ".join(unnamed))
    now = clock.now()
    job_id = jobs.insert(
        connection,
        chosen.items,
        verb=verb,
        at=now,
        actor=actor,
        reason=reason,
        force=force,
        rate=rate,
        selection=selection.described(),
        lease_owner=owner,
        lease_until=now + _GRACE,
    )
    actions.insert(connection, at=now, actor=actor, verb=verb, target=job_id, reason=reason)
    return job_id


@dataclass(frozen=True)
class Progress:
    """How far a job is."""

    state: str
    total: int
    done: int = 0
    left: int = 0
    """Not done, because its state was not the one that was counted any more."""

    @property
    def waiting(self) -> int:
        return self.total - self.done - self.left


def progress(connection: Connection, job_id: str) -> Progress:
    job, counted = jobs.get(connection, job_id), jobs.counts(connection, job_id)
    return Progress(job.state, job.total, counted.get("done", 0), counted.get("left", 0))


def resume(connection: Connection, job_id: str, owner: str, actor: str, clock: Clock) -> None:
    """Go on with a job that was stopped, or whose owner died; raise `NotPossibleNow` when it runs or is done."""
    job, now = jobs.lock(connection, job_id), clock.now()
    if job.lease_until <= now:
        jobs.move(connection, job_id, "expire")
    if not jobs.move(connection, job_id, "resume", lease_owner=owner, lease_until=now + _GRACE):
        raise NotPossibleNow(job_id, f"resume while {job.state}")
    actions.insert(connection, at=now, actor=actor, verb="resume", target=job_id, reason="")


def stop(connection: Connection, job_id: str, actor: str, clock: Clock) -> None:
    """Stop a job after the item under way; raise `NotPossibleNow` when it does not run."""
    job = jobs.lock(connection, job_id)
    if not jobs.move(connection, job_id, "stop"):
        raise NotPossibleNow(job_id, f"stop while {job.state}")
    actions.insert(connection, at=clock.now(), actor=actor, verb="stop", target=job_id, reason="")


def work(
    store: Store,
    job_id: str,
    owner: str,
    actor: str,
    clock: Clock,
    *,
    rest: Callable[[float], bool],
    told: Callable[[Progress], None] = lambda progress: None,
) -> Progress:
    """Do what is left of a job that `owner` began or resumed, until it is done or stopped.

    `rest(seconds)` waits and says whether somebody wants it to stop. Between two items the pause of the job's rate is kept;
    time lost is not caught up.
    """
    at = store.read_now(lambda connection: progress(connection, job_id))
    pause = gap(store.read_now(lambda connection: jobs.get(connection, job_id)).rate)
    due = clock.now()
    while at.state == "running":
        if rest(max(0, due - clock.now()) / SECOND):
            with suppress(NotPossibleNow):  # somebody else was faster
                store.write_now(lambda connection: stop(connection, job_id, actor, clock))
            return replace(at, state="stopped")
        due = clock.now() + pause
        before = at
        at = store.write_now(lambda connection: _step(connection, job_id, owner, before, clock, pause))  # noqa: B023
        told(at)
    return at


def _step(connection: Connection, job_id: str, owner: str, at: Progress, clock: Clock, pause: int) -> Progress:
    job, now = jobs.lock(connection, job_id), clock.now()
    if job.state != "running" or job.lease_owner != owner:
        return replace(at, state=job.state if job.state != "running" else "stopped")
    item = jobs.next_item(connection, job_id)
    if item is None:
        return _finish(connection, job, at, now)
    jobs.move_lease(connection, job_id, owner, now + pause + _GRACE)
    fault = None
    try:
        _do(connection, job, item, clock)
    except Fault as refused:  # an act that is refused has changed nothing
        fault = refused
    jobs.settle(connection, item, fault)
    at = replace(at, done=at.done + (fault is None), left=at.left + (fault is not None))
    return at if at.waiting else _finish(connection, job, at, now)


def _finish(connection: Connection, job: Row[Any], at: Progress, now: int) -> Progress:
    jobs.move(connection, job.id, "finish", ended_at=now)
    actions.insert(connection, at=now, actor=job.actor, verb="finish", target=job.id, reason="")
    return replace(at, state="done")


_ACTS: Mapping[tuple[str, bool], Callable[[Connection, str, str, str, Clock], None]] = {
    ("reprocess", False): repair.reprocess,
    ("resend", False): repair.resend,
    ("resend", True): repair.send_again,
}


def _do(connection: Connection, job: Row[Any], item: Row[Any], clock: Clock) -> None:
    _, row = repair.kind_of(connection, item.target)
    if row.state != item.was:
        raise NotPossibleNow(item.target, f"{job.verb} while {row.state}, counted as {item.was}")
    act = _ACTS[job.verb, item.was == "accepted" and job.force]
    act(connection, item.target, job.actor, f"{job.reason} [{job.id}]".strip(), clock)
