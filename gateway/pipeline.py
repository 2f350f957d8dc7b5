"""The way of one message from the ledger to deliveries, in steps; each step is one transaction and safe to repeat.

    received ─ map ──▶ mapped: resources, coverage, papers due, their deliveries (pending)
    due ─ compose ──▶ composed: FHIR document and renditions, signing tasks
    due ─ submit ──▶ signing: the same, and people sign first; when they have, it is composed
    composed ─ sign ──▶ signed: final bytes, evidence, deliveries queued
    composed ─ prove ──▶ proving: sealed; when its signatures have their proofs, these are put in and it is signed

A node may die between or inside steps: what was committed stays, what was not is done again after the lease. Deliveries are
made together with the papers that are due, so that a later paper of the same patient waits for an earlier one that is still
being signed (promise P4).
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import Any

from sqlalchemy.engine import Connection, Row

from gateway import (
    device_windows,
    imaging_steps,
    lab_calls,
    lab_steps,
    meters,
    papers,
    pictures,
    relief,
    result_steps,
    signing_tasks,
    steps,
    unknown_units,
)
from gateway.clock import SECOND, Clock, to_datetime
from gateway.delivery import disclosure
from gateway.delivery.retry import Retry, decide
from gateway.faults import (
    DocumentWithheld,
    InternalFault,
    NothingThere,
    PaperOvertaken,
    SignatureRefused,
    StoreFault,
    WorkerLost,
)
from gateway.pool import Pool, alone
from gateway.proof.desk import ProofDesk
from gateway.records import critical_values, identity, laboratory, message_search, resources, same_report, worklist
from gateway.records.resources import Said
from gateway.safe_log import describe
from gateway.settings import Channel, Plan
from gateway.signing_desk import SigningDesk
from gateway.store import actions, deliveries, documents, leases, messages
from gateway.store import signing_tasks as rows
from gateway.store.engine import Store
from gateway.store.leases import BACK
from gateway.store.schema import document, message
from gateway.store.sealed import Keyring
from gateway.tasks import TaskSet
from gateway.tracing import OFF, Moment, Tracer
from mappings.documents import imaging_study
from mappings.documents.faults import PaperNotWanted
from mappings.formats import json
from mappings.formats.faults import Fault, FaultClass
from mappings.hl7v2 import Context as MessageContext
from mappings.hl7v2.faults import UnsupportedMessage
from mappings.outcome import Resource

log = logging.getLogger("lienthong.pipeline")

_PATIENCE = Retry()
"""How a step is tried again when its fault says that time may help."""
_SMALL = 1 << 16
"""Bytes of a message that is mapped together with others; a longer one would let them wait."""
_STEPS = {"due": "compose", "composed": "sign", "proving": "complete"}
"""State of a document → the step that it waits for."""
_BESIDE = 1
"""Messages of low priority that are mapped while anything is under way that comes first: what was taken stands in the way of
that in the pool and in the commits."""
_MANY = 4
"""Messages of low priority under way for each place of what comes first: the more there are, the more share one commit."""
_STORED_AT_ONCE = 24
"""Of them, those that one commit stores at most: whoever has a message taken meanwhile waits for that."""


class Pipeline:
    """Take rows that are due and move them one step on, many at a time, of each key in order."""

    def __init__(
        self,
        plan: Plan,
        store: Store,
        pool: Pool,
        clock: Clock,
        owner: str,
        *,
        ring: Callable[[], None],
        parallel: int,
        proofs: ProofDesk | None = None,
        may_seal: signing_tasks.MaySign = signing_tasks.may_seal,
        tracer: Tracer = OFF,
    ) -> None:
        self._tracer = tracer
        self._plan = plan
        self._channels: Mapping[str, Channel] = {channel.settings.name: channel for channel in plan.channels}
        self._store = store
        self._keyring: Keyring = plan.keyring
        self._pool = pool
        self._clock = clock
        self._owner = owner
        self._ring = ring
        self._desk = SigningDesk(plan, store, pool, clock, may_seal)
        self._proofs = proofs
        self._tasks = TaskSet(parallel)
        self._low_tasks = TaskSet(parallel * _MANY)
        self._large = asyncio.Semaphore(parallel)
        """Of messages of low priority, those too long to be mapped together with others: each is held in memory."""
        self._storing = asyncio.Semaphore(_STORED_AT_ONCE)
        self._lease = round(plan.node.lease.total_seconds() * SECOND)
        self._jitter = random.Random(owner)  # noqa: S311 - spreads retries, guards nothing
        self._held: set[str] = set()
        self._low: set[str] = set()
        """Of what is held, the messages of low priority."""
        self._has_instruments = laboratory.has_instruments(plan)
        self._suspect = ""
        """What outlived a process that held it, and is under way: one at a time, so that its guilt can be seen."""

    async def run(self, wake: asyncio.Event, poll_s: float = 1.0) -> None:
        """Work until cancelled; `wake` says that there may be something new."""
        try:
            while True:
                wake.clear()
                try:
                    busy = await self.take()
                except StoreFault as fault:
                    log.error("%s", fault)
                    busy = False
                if not busy:
                    await wait(wake, poll_s)
        finally:
            await self.drain()

    async def drain(self) -> None:
        """Wait for the steps that are under way; cancel what takes too long."""
        await asyncio.gather(self._tasks.drain(), self._low_tasks.drain())

    async def take(self) -> bool:
        """Start as many steps as there is room for; False when nothing was due."""
        await self._tasks.room()
        now = self._clock.now()
        until = now + self._lease
        limit, low = self._tasks.free, max(self._low_tasks.free, 0)
        suspects = 0 if self._suspect else 1
        beside = min(max(_BESIDE - len(self._low), 0), low)
        comes_first = len(self._held) > len(self._low)

        def claim(connection: Connection) -> tuple[list[Row[Any]], list[Row[Any]]]:
            papers = documents.take_unfinished(connection, owner=self._owner, now=now, until=until, limit=limit)
            rest = limit - len(papers)
            received = messages.take_received(
                connection,
                owner=self._owner,
                now=now,
                until=until,
                limit=rest,
                low=low,
                beside=beside,
                busy=comes_first or bool(papers),
            )
            left = leases.too_many((*papers, *received), suspects)
            if left:
                for table in (document, message):
                    leases.give_back(connection, table, left, self._owner, now + BACK)
            return [row for row in papers if row.id not in left], [row for row in received if row.id not in left]

        papers, received = await self._store.write(claim)
        for row in papers:
            self._start(self._tasks, row, self._paper_step)
        for row in received:
            if row.priority:
                self._low.add(row.id)
            self._start(self._low_tasks if row.priority else self._tasks, row, self._map_step)
        return bool(papers or received)

    def _start(self, tasks: TaskSet, row: Row[Any], step: Callable[[Row[Any]], Awaitable[None]]) -> None:
        if row.deaths:
            self._suspect = row.id
        self._held.add(row.id)
        tasks.start(self._held_step(row, step))

    async def _held_step(self, row: Row[Any], step: Callable[[Row[Any]], Awaitable[None]]) -> None:
        try:
            with alone(bool(row.deaths)):
                await step(row)
        finally:
            self._held.discard(row.id)
            self._low.discard(row.id)
            if self._suspect == row.id:
                self._suspect = ""

    async def heartbeat(self) -> None:
        """Extend the leases of what is under way."""
        until = self._clock.now() + self._lease
        held = sorted(self._held)

        def extend(connection: Connection) -> None:
            for table in (document, message):
                leases.extend(connection, table, held, self._owner, until)

        if held:
            await self._store.write(extend)

    # ---- received → mapped ----

    async def _map_step(self, row: Row[Any]) -> None:
        started, at = time.perf_counter(), self._clock.now()
        fault = None
        try:
            async with self._large if row.priority and row.size > _SMALL else nullcontext():
                await self._map(row)
        except Exception as error:  # noqa: BLE001 - whatever it is, it becomes an entry a person can see
            fault = _counted("map", error)
            await self._message_failed(row, fault)
        else:
            meters.observe(meters.STEP, time.perf_counter() - started, step="map")
        said = {"lienthong.message": row.id, "lienthong.channel": row.channel}
        self._tracer.span(row.id, "map", at, self._clock.now(), said, parent=f"message/{row.id}", fault=fault)
        self._ring()

    async def _map(self, row: Row[Any]) -> None:
        channel = self._channels.get(row.channel)
        charset = channel.charset if channel else "auto"
        produce = channel.settings.produce if channel else ()
        sealed = await self._store.read_each(messages.bodies, row.id)
        if sealed is None:
            raise NothingThere(where=row.id)
        raw = self._keyring.open(sealed, row.id)
        context = MessageContext(self._plan.facility.code, self._plan.systems, self._plan.node.zone, message_id=row.id)
        around = await self._around(raw) if imaging_steps.is_study(row.type) else imaging_steps.Around()
        told = await self._laboratory_of(row, raw, channel)
        mapped = await self._runner(row, raw)(steps.map_message, raw, charset, row.type, context, produce, around, told)
        if mapped is None:
            positions = await self._pool.run(steps.populated, raw, charset, row.type)
            account = json.dumps({"mapped": {}, "ignored": {}, "unknown": positions, "notices": ()})
            await self._store.write(lambda connection: self._keep(connection, row.id, len(positions), account))
            return
        if imaging_steps.is_study(row.type):
            await self._require_same_person(raw, mapped.patient_id)
        async with self._storing if row.priority else nullcontext():
            await self._store.write_each(self._commit_each, (row, channel, mapped))
        for fate, amount in mapped.values.items():
            meters.count(meters.DEVICE_VALUES, amount, fate=fate)

    def _runner(self, row: Row[Any], raw: bytes) -> Callable[..., Awaitable[Any]]:
        return partial(self._pool.run_small, last=bool(row.priority)) if len(raw) <= _SMALL else self._pool.run

    async def _around(self, raw: bytes) -> imaging_steps.Around:
        """Find the orders that the record has for the accession numbers of a study."""
        asked = await self._pool.run(imaging_steps.asked_of, raw)
        orders = await self._store.read(lambda connection: worklist.orders_of(connection, self._keyring, asked))
        return imaging_steps.Around(orders, self._plan.http.dicomweb_base)

    async def _laboratory_of(self, row: Row[Any], raw: bytes, channel: Channel | None) -> steps.LabChannel:
        """Find whose the results of a laboratory are; raise the faults of `laboratory.Finder`."""
        told = laboratory.channel_of(channel)
        if not (lab_steps.is_lab(row.type) or row.type == result_steps.ROWS):
            return told
        charset = channel.charset if channel else "auto"
        asked = await self._runner(row, raw)(steps.persons_asked, raw, charset, row.type, told)
        if not asked:
            return told
        known = await self._store.read_each(self._known_each, (row.id, asked))
        if isinstance(known, Fault):
            raise known
        return replace(told, known=known)

    def _known_each(
        self, connection: Connection, asked: list[tuple[str, tuple[lab_steps.Person, ...]]]
    ) -> list[dict[str, lab_steps.Known] | Fault]:
        """Find the persons of several messages; where one cannot be found, its fault."""
        finder = laboratory.Finder.of(connection, self._plan, self._clock.now())
        found: list[dict[str, lab_steps.Known] | Fault] = []
        for message_id, persons in asked:
            try:
                found.append(finder.known_of(message_id, persons))
            except Fault as fault:
                found.append(fault)
        return found

    async def _require_same_person(self, raw: bytes, patient_id: str | None) -> None:
        """Raise WrongPatient when a study has the number of a person of the record and names somebody else."""

        def known(connection: Connection) -> Resource | None:
            return resources.newest(connection, self._keyring, f"Patient/{patient_id}")

        patient = await self._store.read(known) if patient_id else None
        if patient is not None:
            await self._pool.run(imaging_steps.require_same_person, raw, json.dumps(patient))

    def _keep(self, connection: Connection, message_id: str, unknown: int, account: bytes) -> None:
        if messages.move(connection, message_id, "keep", UnsupportedMessage("MSH-9")):
            sealed = self._keyring.seal(account, f"coverage/{message_id}")
            messages.put_coverage(connection, {message_id: ((0, 0, unknown), sealed)})

    def _commit_each(
        self, connection: Connection, done: list[tuple[Row[Any], Channel | None, steps.Mapped]]
    ) -> list[None]:
        """Store what became of several messages, in one turn of the writer and with one look at what the record has."""
        count = len(done)
        done = [one for one in done if messages.move(connection, one[0].id, "map", keyed=True)]
        self._account(connection, [(row, mapped) for row, _, mapped in done])
        told: list[list[Resource]] = [json.loads(mapped.resources) for _, _, mapped in done]
        alone = any(mapped.identity for _, _, mapped in done)  # a merge writes more than it tells
        known = None if alone else resources.look_up(connection, chain.from_iterable(told))
        for one, resources_ in zip(done, told, strict=True):
            self._commit_mapped(connection, *one, resources_, known)
        return [None] * count

    def _account(self, connection: Connection, done: list[tuple[Row[Any], steps.Mapped]]) -> None:
        """Store the numbers by which messages are found, what became of their fields, and their codes that no table has."""
        if not done:
            return
        message_search.put(connection, self._keyring, {row.id: mapped.keys for row, mapped in done})
        accounts = {
            row.id: (mapped.counts, self._keyring.seal(mapped.positions, f"coverage/{row.id}")) for row, mapped in done
        }
        first = messages.put_coverage(connection, accounts)
        unknown_units.tell(
            connection, [(row.channel, mapped.unmapped, row.received_at) for row, mapped in done if row.id in first]
        )

    def _commit_mapped(
        self,
        connection: Connection,
        row: Row[Any],
        channel: Channel | None,
        mapped: steps.Mapped,
        told: list[Resource],
        known: resources.Known | None,
    ) -> None:
        now = self._clock.now()
        # changes first: a moved visit has to be found where it was before this message names its new owner
        _, pairs = identity.apply(connection, self._keyring, mapped.identity, now, message_id=row.id)
        said = Said.of(row, mapped.sent_at, mapped.patient_id, mapped.cleared, mapped.assumed)
        if lab_steps.is_lab(row.type):
            laboratory.cumulate(connection, self._keyring, told)
        settled = same_report.settle(connection, self._keyring, told, said, mapped.due, known)
        same_report.put(connection, self._keyring, settled, known, now)
        told, said = settled.told, settled.said
        late = resources.save(connection, self._keyring, told, said, now, known)
        if mapped.values:
            device_windows.put(connection, self._keyring, row.id, mapped.patient_id, mapped.samples, now)
        identity.settle(connection, self._keyring, pairs, now)
        worklist.Keeper.of(connection, self._plan, row, now).follow(told, mapped.patient_id, pairs)
        if self._has_instruments:
            lab_calls.owe(connection, self._plan, laboratory.follow(connection, self._keyring, told, now), now)
        critical_values.note(connection, self._keyring, mapped.critical, told, row.id, now)
        if channel is not None:
            papers.ask(connection, self._plan, channel, row, settled.due, late, mapped.patient_id, now)
        if mapped.patient_id is not None and told:
            papers.told_more(connection, mapped.patient_id, now)

    async def _message_failed(self, row: Row[Any], fault: Fault) -> None:
        log.warning("message %s: %s", row.id, fault)
        if isinstance(fault, WorkerLost):
            now = self._clock.now()
            guilty = await self._store.write(lambda c: relief.messages_died(c, self._owner, now, row.id))
            self._tell(guilty)
            return
        due_at = self._again(fault, row)
        if due_at:
            await self._store.write(lambda connection: messages.postpone(connection, row.id, fault, due_at))
        else:
            await self._store.write(lambda connection: messages.move(connection, row.id, "fail", fault))

    # ---- due → composed → signed ----

    async def _paper_step(self, row: Row[Any]) -> None:
        started, at, step = time.perf_counter(), self._clock.now(), _STEPS[row.state]
        fault = None
        try:
            if row.state == "due":
                await self._compose(row)
            elif row.state == "composed":
                await self._desk.sign(row)
            elif self._proofs is not None:
                await self._proofs.complete(row)
        except Exception as error:  # noqa: BLE001 - whatever it is, it becomes an entry a person can see
            fault = _counted(step, error)
            await self._paper_failed(row, fault)
        else:
            meters.observe(meters.STEP, time.perf_counter() - started, step=step)
        if self._tracer.wants(row.message_id):
            await self._trace(row, step, at, fault)
        self._ring()

    async def _trace(self, row: Row[Any], step: str, at: int, fault: Fault | None) -> None:
        """Hand over the span of a step, and that of the paper once all have signed, with who signed when."""
        now, key = self._clock.now(), f"document/{row.id}"
        said = {"lienthong.document": row.id, "lienthong.paper": row.paper}
        self._tracer.span(row.message_id, step, at, now, said, parent=key, fault=fault)
        if fault is not None or step == "compose":
            return
        try:
            document, tasks = await self._store.read(lambda c: (documents.get(c, row.id), rows.of_document(c, row.id)))
        except Fault:
            return  # a trace with a hole
        if document.state != "signed":
            return
        moments = [
            Moment(event, when, {"lienthong.role": task.role, "lienthong.step": task.step})
            for task in tasks
            for event, when in (("ready", task.ready_at), (task.state, task.signed_at))
            if when is not None
        ]
        end = document.signed_at or now
        above = f"message/{row.message_id}"
        self._tracer.span(row.message_id, "paper", row.event_at, end, said, key=key, parent=above, moments=moments)

    async def _compose(self, row: Row[Any]) -> None:
        owner = await self._store.read(lambda connection: self._owner_of(connection, row))
        record, known, signing, before = await self._store.read(
            lambda connection: (
                resources.record(connection, self._keyring, owner),
                documents.given_out(connection, row.paper, row.subject),
                documents.waiting_for_people(connection, row.paper, row.subject, row.id),
                documents.get(connection, row.replaces_id) if row.replaces_id else None,
            )
        )
        nothing_to_change = known is None or known.act == "cancel"
        if nothing_to_change and (row.act == "cancel" or (row.act == "renew" and not signing)):
            await self._store.write(lambda connection: self._back_to(connection, row, known))
            return
        withheld = disclosure.closed_list(record, self._plan.facility.closed_lists)
        context = replace(
            self._plan.paper_context(row.id, to_datetime(row.event_at)),
            version=known.version + 1 if known else 1,
            replaces=known.id if known else None,
            reason=row.reason,
            by=row.actor,
            reissue=row.act == "reissue",
        )
        head = self._plan.facility.head_licence
        asked_for = papers.guides_asked(self._plan, row.channel)
        if row.paper == imaging_study.PAPER:
            paper = await self._store.read(
                lambda connection: pictures.compose(connection, self._plan, row.subject, owner, record)
            )
        elif row.act == "cancel":
            assert known is not None
            body = await self._store.read(lambda connection: self._fhir(connection, known.id))
            paper = await self._pool.run(steps.cancel, body, context, asked_for, self._plan.cda, self._plan.insurance)
        else:
            try:
                paper = await self._pool.run(
                    steps.compose,
                    row.paper,
                    row.subject,
                    json.dumps(record),
                    context,
                    head,
                    asked_for,
                    self._plan.cda,
                    self._plan.insurance_of(row.paper),
                )
            except PaperNotWanted:
                if row.actor:
                    raise
                await self._store.write(lambda connection: self._nothing_new(connection, row))
                return
        digest = self._keyring.search_key("document", paper.digest)
        if row.act != "reissue":
            if signing and signing[-1].digest == digest:
                await self._store.write(lambda connection: self._nothing_new(connection, row))
                return
            if known is not None and known.state == "signed" and known.digest == digest:
                await self._store.write(lambda connection: self._back_to(connection, row, known))
                return
            if before is not None and before.state == "returned" and before.digest == digest and not row.actor:
                who, role = await self._store.read(lambda c: signing_tasks.refused_by(c, before.id))
                if who:
                    raise SignatureRefused(who, role)
        settled = {"version": context.version, "replaces_id": context.replaces, "digest": digest}
        await self._store.write(lambda connection: self._commit_composed(connection, row, paper, withheld, settled))

    @staticmethod
    def _owner_of(connection: Connection, row: Row[Any]) -> str:
        """Give whose record a paper is made of: a study may have gone to somebody else since it was due."""
        found = resources.patient_of(connection, row.subject) if row.paper == imaging_study.PAPER else None
        return found or str(row.patient_id)

    def _fhir(self, connection: Connection, document_id: str) -> bytes:
        (rendition,) = documents.renditions(connection, document_id, "fhir")
        return self._keyring.open(rendition.body, f"{document_id}/fhir")

    def _nothing_new(self, connection: Connection, row: Row[Any]) -> bool:
        """Leave a paper unissued that would say nothing or what the version before says (S3.10); False when that is done."""
        if not documents.move(connection, row.id, "repeat"):
            return False
        deliveries.move_all(connection, row.id, "repeat", self._clock.now())
        return True

    def _back_to(self, connection: Connection, row: Row[Any], known: Row[Any] | None) -> None:
        """Leave a paper unissued after which `known` holds as it is: what people are signing is wanted no more."""
        if self._nothing_new(connection, row):
            self._supersede(connection, row, known.id if known else None)

    def _supersede(self, connection: Connection, row: Row[Any], known: str | None) -> None:
        """Void the versions that people are signing; raise PaperOvertaken when one left while `row` was composed."""
        now = self._clock.now()
        for one in documents.waiting_for_people(connection, row.paper, row.subject, row.id):
            if not signing_tasks.supersede(connection, one.id, row.id, now):
                raise PaperOvertaken(one.id)
        left = documents.given_out(connection, row.paper, row.subject)
        if (left.id if left else None) != known:
            raise PaperOvertaken(row.id)

    def _commit_composed(
        self,
        connection: Connection,
        row: Row[Any],
        paper: steps.Paper,
        withheld: str | None,
        settled: Mapping[str, Any],
    ) -> None:
        now = self._clock.now()
        tasks = signing_tasks.needed(self._plan, row, paper.facts, now) if paper.facts else []
        people = bool(tasks) and signing_tasks.people_first(tasks)
        if not documents.move(connection, row.id, "submit" if people else "compose", due_at=now, attempts=0, **settled):
            return
        self._supersede(connection, row, settled["replaces_id"])
        if tasks:
            rows.insert_all(connection, tasks)
        for kind, body in paper.renditions.items():
            sealed = self._keyring.seal(body, f"{row.id}/{kind}")
            documents.put_rendition(connection, row.id, kind, steps.media_type(kind), body, sealed, signed=False)
        for delivery in deliveries.listing(connection, document_id=row.id, states=("pending",)):
            refused = paper.refused.get(self._plan.routes[delivery.destination].rendition)
            if refused is not None:
                deliveries.move(connection, delivery.id, "fail", None, refused, due_at=now)
        if withheld is not None:
            self._withhold(connection, row.id, withheld)
        if people:
            deliveries.move_all(connection, row.id, "await", now)

    def _withhold(self, connection: Connection, document_id: str, reason: str) -> None:
        """Keep a paper from destinations that may not see it, and say so in the log of actions (promise P10)."""
        now = self._clock.now()
        for delivery in deliveries.listing(connection, document_id=document_id, states=("pending",)):
            if self._plan.routes[delivery.destination].common.closed_lists:
                continue
            fault = DocumentWithheld(detail=reason)
            if deliveries.move(connection, delivery.id, "withhold", None, fault):
                actions.insert(
                    connection, at=now, actor="egress gate", verb="withhold", target=delivery.id, reason=reason
                )

    async def _paper_failed(self, row: Row[Any], fault: Fault) -> None:
        log.warning("document %s: %s", row.id, fault)
        now = self._clock.now()
        if isinstance(fault, WorkerLost):
            self._tell(await self._store.write(lambda connection: self._died(connection, row.id, now)))
            return
        due_at = self._again(fault, row)

        def fail(connection: Connection) -> None:
            if due_at:
                documents.postpone(connection, row.id, fault, due_at)
            elif documents.move(connection, row.id, "fail", fault):
                deliveries.move_all(connection, row.id, "fail", now, fault)

        await self._store.write(fail)

    def _died(self, connection: Connection, document_id: str, now: int) -> list[str]:
        return relief.documents_died(connection, self._owner, now, document_id)

    @staticmethod
    def _tell(guilty: list[str]) -> None:
        for item_id in guilty:
            log.error("%s went to the error queue: the step killed its process again, alone", item_id)

    def _again(self, fault: Fault, row: Row[Any]) -> int:
        """Return when a failed step is tried again; 0 = it is for a person."""
        if fault.fault_class not in (FaultClass.TRANSIENT, FaultClass.THROTTLED):
            return 0
        created = getattr(row, "event_at", None) or row.received_at
        return decide(
            fault.fault_class,
            _PATIENCE,
            failures=row.attempts + 1,
            created_at=created,
            now=self._clock.now(),
            jitter=self._jitter.random(),
        ).due_at


def _counted(step: str, error: Exception) -> Fault:
    fault = as_fault(error)
    meters.count(meters.STEP_FAULTS, step=step, fault_class=fault.fault_class.value)
    return fault


def as_fault(error: Exception) -> Fault:
    """Return a fault of ours as it is, and anything else as InternalFault that tells its place."""
    return error if isinstance(error, Fault) else InternalFault(detail=describe(error))


async def wait(wake: asyncio.Event, seconds: float) -> None:
    """Wait for the event, but not longer."""
    try:
        async with asyncio.timeout(seconds):
            await wake.wait()
    except TimeoutError:
        pass
