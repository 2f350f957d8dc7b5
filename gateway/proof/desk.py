"""Gather what proves signatures: a time stamp soon after each is made, then the word of issuers, then whole documents.

    bare ─ stamp ──▶ stamped ─ issuers' word, given after the stamp ──▶ proved      one signature
    proving ─ its files filled, each when its signatures are proved enough ──▶ signed   a document, in `Pipeline`

Nobody waits for it who signs; what leaves does. Whoever is asked may be away: it is tried again, for ever, with a pause that
grows, and shows where people look. Renewal of archive time stamps is `gateway/proof/renewal.py`.

Requirement: S0.5, S0.10
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.engine import Connection, Row

from gateway.clock import SECOND, Clock, to_instant
from gateway.delivery.retry import backoff
from gateway.faults import InternalFault, StoreFault
from gateway.pool import Pool
from gateway.proof import archive, pages, records, rules
from gateway.proof.archive import Archived
from gateway.proof.rules import NEVER
from gateway.proof.sources import Sources
from gateway.safe_log import describe
from gateway.settings import Plan
from gateway.store import deliveries, documents, proofs
from gateway.store.engine import Store
from gateway.store.leases import BACK
from gateway.tasks import TaskSet
from mappings.formats.faults import Fault
from signing import certificates, joint, proving, timestamp_token
from signing.evidence import Evidence
from signing.faults import SignatureUnprovable, TimestampInvalid
from signing.forms import LEVELS

log = logging.getLogger("lienthong.proof")

LEASE = 120 * SECOND
"""For one step: a time stamp from the last of several authorities, or the answers about two chains."""


class ProofDesk:
    def __init__(
        self,
        plan: Plan,
        store: Store,
        pool: Pool,
        clock: Clock,
        owner: str,
        *,
        sources: Sources,
        ring: Callable[[], None],
    ) -> None:
        self._plan = plan
        self._store = store
        self._keyring = plan.keyring
        self._pool = pool
        self._clock = clock
        self._owner = owner
        self._sources = sources
        self._ring = ring
        self._tasks = TaskSet(plan.proof.in_flight)
        self._suspect = ""
        """What is under way and outlived a death."""
        self._jitter = random.Random(owner)  # noqa: S311 - spreads retries, guards nothing

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
                    try:
                        async with asyncio.timeout(poll_s):
                            await wake.wait()
                    except TimeoutError:
                        pass
        finally:
            await self._tasks.drain()

    async def take(self) -> bool:
        """Start as many steps as there is room for; False when nothing was due."""
        await self._tasks.room()
        now, limit = self._clock.now(), self._tasks.free
        suspects = 0 if self._suspect else 1

        def claim(connection: Connection) -> list[Row[Any]]:
            rows = proofs.take_wanting(connection, owner=self._owner, now=now, until=now + LEASE, limit=limit)
            return proofs.give_back(connection, rows, suspects, self._owner, now + BACK)

        found = await self._store.write(claim)
        for row in found:
            if row.deaths:
                self._suspect = row.id
            self._tasks.start(self._step(row))
        return bool(found)

    async def drain(self) -> None:
        """Wait for what is under way."""
        await self._tasks.drain()

    # ---- one signature ----

    async def _step(self, row: Row[Any]) -> None:
        try:
            level, known = await self._store.read(
                lambda connection: (self._level(connection, row), proofs.evidence(connection, row.id))
            )
            if level == LEVELS[0]:  # the settings want nothing any more
                await self._store.write(lambda connection: self._proved(connection, row, Evidence()))
            elif row.state == "bare":
                await self._stamp(row, known, level)
            else:
                await self._ask(row, known, level)
        except SignatureUnprovable as fault:
            final = fault
            now = self._clock.now()
            log.warning("signature %s %s of document %s: %s", row.kind, row.number, row.document_id, fault)
            await self._store.write(lambda connection: rules.unprovable(connection, self._plan, row, final, now))
        except Exception as error:  # noqa: BLE001 - whatever it is, it shows where a person looks
            await self._later(row, error)
        finally:
            if self._suspect == row.id:
                self._suspect = ""
        self._ring()

    def _level(self, connection: Connection, row: Row[Any]) -> str:
        document = documents.get(connection, row.document_id)
        return rules.level_of(connection, self._plan, document, row.kind, proofs.role(connection, row))

    async def _stamp(self, row: Row[Any], known: Evidence, level: str) -> None:
        token = await self._sources.stamp(row.octets)
        leaf = certificates.from_der(known.certificates[0])
        if leaf.not_valid_after_utc < token.at:
            raise SignatureUnprovable("signer certificate", f"ended {leaf.not_valid_after_utc:%Y-%m-%d %H:%M} UTC")
        stamp = Evidence(timestamps=(token.der,))

        def keep(connection: Connection) -> None:
            now, at = self._clock.now(), to_instant(token.at)
            if not proofs.move(connection, row.id, "stamp", owner=self._owner, stamped_at=at, due_at=now):
                return
            proofs.add(connection, row.id, stamp)
            done = level == "B-T" and proofs.move(connection, row.id, "prove")
            if done or rules.stamps_may_do(self._plan):
                rules.more_proved(connection, self._plan, row.document_id, now)

        await self._store.write(keep)

    async def _ask(self, row: Row[Any], known: Evidence, level: str) -> None:
        if level == "B-T":
            await self._store.write(lambda connection: self._proved(connection, row, Evidence()))
            return
        token = timestamp_token.read(known.timestamps[-1])
        signer = proving.signer_chain(known, self._sources.roots, token.at)
        try:
            found = await self._sources.word(signer, proving.stamp_chain(token, self._sources.stamp_roots), token.at)
        except TimestampInvalid as fault:
            if row.kind == pages.KIND and row.inside:  # the stamp stands in what was given out
                raise
            await self._drop_stamp(row, fault)
            return
        if row.kind == pages.KIND and row.inside:
            await self._prove_pages(row, level, found)
        else:
            await self._store.write(lambda connection: self._proved(connection, row, found))

    async def _prove_pages(self, row: Row[Any], level: str, found: Evidence) -> None:
        """Put what proves the seal behind the pages that were given out, in a newer file."""
        before, number = await self._store.read(lambda c: documents.newest_of(c, row.document_id, row.kind))
        assert before is not None
        body = self._keyring.open(before.body, f"{row.document_id}/{before.kind}")
        made = await pages.proved(body, found, level, self._sources, self._pool.run)

        def keep(connection: Connection) -> None:
            if proofs.move(connection, row.id, "prove", owner=self._owner):
                proofs.add(connection, row.id, found)
                archive.keep(connection, self._plan, self._clock.now(), before, number + 1, made)

        await self._store.write(keep)

    def _proved(self, connection: Connection, row: Row[Any], found: Evidence) -> None:
        if proofs.move(connection, row.id, "prove", owner=self._owner):
            proofs.add(connection, row.id, found)
            rules.more_proved(connection, self._plan, row.document_id, self._clock.now())
            document = documents.get(connection, row.document_id)
            if document.state == "signed":  # its level was raised
                records.ask(connection, self._plan, document, self._clock.now())

    async def _drop_stamp(self, row: Row[Any], fault: TimestampInvalid) -> None:
        """Ask for another stamp: the authority of this one is not what it was."""
        log.warning("time stamp of signature %s of document %s: %s", row.number, row.document_id, fault)
        due_at, attempts = self._pause(row.attempts), row.attempts + 1

        def drop(connection: Connection) -> None:
            told = {"due_at": due_at, "attempts": attempts, "stamped_at": None}
            if proofs.move(connection, row.id, "drop", owner=self._owner, fault=fault, **told):
                proofs.drop_stamps(connection, row.id)

        await self._store.write(drop)

    async def _later(self, row: Row[Any], error: Exception) -> None:
        fault = error if isinstance(error, Fault) else InternalFault(detail=describe(error))
        log.warning("signature %s %s of document %s: %s", row.kind, row.number, row.document_id, fault)
        due_at = self._pause(row.attempts)
        await self._store.write(lambda c: proofs.postpone(c, row.id, self._owner, fault, due_at))

    def _pause(self, attempts: int) -> int:
        wait = backoff(self._plan.proof.retry, attempts + 1, self._jitter.random())
        return self._clock.now() + round(wait.total_seconds() * SECOND)

    # ---- a whole document ----

    async def complete(self, row: Row[Any]) -> None:
        """Put what was gathered into those files of a sealed document that have all they want, and let them leave.

        Files that want an archive time stamp come last: others do not wait for the authority. Raises SigningFault;
        TimestampUnavailable passes with time.
        """

        def read(connection: Connection) -> tuple[list[Row[Any]], dict[str, Evidence], dict[str, bytes]]:
            known = proofs.of_document(connection, row.id)
            kinds = rules.ready(connection, self._plan, row, known)
            bodies = {
                kept.kind: self._keyring.open(kept.body, f"{row.id}/{kept.kind}")
                for kept in documents.renditions(connection, row.id)
                if kept.kind in kinds
            }
            return known, {one.id: proofs.evidence(connection, one.id) for one in known}, bodies

        known, found, bodies = await self._store.read(read)
        last = [kind for kind in bodies if rules.standing(known, kind) and self._level_of(row, kind) == "B-LTA"]
        first = [kind for kind in bodies if kind not in last]
        if first or not last:
            made = _Files({kind: await self._filled(row, kind, bodies[kind], known, found) for kind in first})
            for kind, one in records.wanted(self._plan, row.paper, known).items():
                if kind in first or documents.beside(kind) in first:
                    made.ends[kind] = self._ends_at(found[one.id])
            await self._store.write(lambda connection: self._commit(connection, row, made, done=not last))
        if last:
            made = _Files()
            for kind in last:
                body = await self._filled(row, kind, bodies[kind], known, found)
                names = [one.signature_id for one in rules.standing(known, kind)]
                made.archived[kind] = await archive.of_xml(body, names, self._sources, self._pool.run)
                made.bodies[kind] = made.archived[kind].body
            await self._store.write(lambda connection: self._commit(connection, row, made, done=True))

    def _level_of(self, row: Row[Any], kind: str) -> str:
        return self._plan.level_of(row.paper, kind)

    async def _filled(
        self, row: Row[Any], kind: str, body: bytes, known: Sequence[Row[Any]], found: Mapping[str, Evidence]
    ) -> bytes:
        """Put into a file what its level wants of what was gathered for the signatures in it."""
        level = self._level_of(row, kind)
        material = {one.signature_id: found[one.id].within(level) for one in rules.standing(known, kind)}
        return await self._pool.run(joint.with_proofs, body, material) if material else body

    def _ends_at(self, known: Evidence) -> int:
        """Tell when the last time stamp of a signature ends."""
        return to_instant(archive.ends_at(timestamp_token.read(known.timestamps[-1]), self._sources))

    def _commit(self, connection: Connection, row: Row[Any], made: _Files, *, done: bool) -> None:
        """Keep finished files and let them go, and the document with the last of them; `done` says that no more come now."""
        now, document_id = self._clock.now(), row.id
        documents.lock(connection, document_id)
        if documents.get(connection, document_id).state != "proving":
            return
        finished = [kind for kind in documents.unfinished(connection, document_id) if kind in made.bodies]
        for kind in finished:
            (before,) = documents.renditions(connection, document_id, kind)
            body = made.bodies[kind]
            sealed = self._keyring.seal(body, f"{document_id}/{kind}")
            documents.put_rendition(connection, document_id, kind, before.media_type, body, sealed, signed=True)
            if kind in made.archived:
                archive.note(connection, self._plan, now, document_id, kind, 0, made.archived[kind], before.sha256)
        for kind, end in made.ends.items() if finished else ():
            archive.want_record(connection, document_id, kind, now, end)
        if not documents.unfinished(connection, document_id):
            documents.move(connection, document_id, "complete", signed_at=now)
            deliveries.move_all(connection, document_id, "ready", now)
            return
        rules.let_go(connection, self._plan, document_id, finished, now)
        if done:
            more = rules.ready(connection, self._plan, row, proofs.of_document(connection, document_id))
            documents.sleep(connection, document_id, now if more else NEVER)


@dataclass(frozen=True)
class _Files:
    """Files of a document that have all they want."""

    bodies: dict[str, bytes] = field(default_factory=dict, repr=False)
    archived: dict[str, Archived] = field(default_factory=dict)
    ends: dict[str, int] = field(default_factory=dict)
    """Of those that hold no proofs and want archive time stamps: when the time stamp of a signature ends."""
