"""Renew archive time stamps before the certificate of their authority ends, so that a signature stays provable.

A renewed document is other bytes of the same version, stored beside those that were sent: `cda~1`, `pdf~1` … Nothing is
sent again; the trail with the hashes of all of them is in the evidence. Renewed pages begin with those that were given out.
What is kept of files that hold no proofs has an evidence record, which is begun and renewed here, many at once.

Requirement: S0.10
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy.engine import Connection, Row

from gateway.clock import SECOND, Clock, to_datetime, to_instant
from gateway.faults import InternalFault
from gateway.pool import Pool
from gateway.proof import archive, pages, records, rules
from gateway.proof.archive import Archived
from gateway.proof.desk import LEASE
from gateway.proof.sources import Sources
from gateway.safe_log import describe
from gateway.settings import Plan
from gateway.store import documents, proofs
from gateway.store.engine import Store
from mappings.formats.faults import Fault
from signing import joint, proving, timestamp_token
from signing.evidence import Evidence
from signing.faults import RenewalPointless

log = logging.getLogger("lienthong.proof")

DAY = 86400 * SECOND
BATCH = 16
RECORDS = 500
"""Evidence records that share one time stamp."""


class Renewal:
    def __init__(self, plan: Plan, store: Store, pool: Pool, clock: Clock, owner: str, *, sources: Sources) -> None:
        self._plan = plan
        self._store = store
        self._keyring = plan.keyring
        self._pool = pool
        self._clock = clock
        self._owner = owner
        self._sources = sources

    async def daily(self, fence: Callable[[Connection], None]) -> None:
        """Renew what is due; `fence` raises in a transaction of a node that may not any more."""
        done = await self.due(fence)
        if done:
            log.info("archive time stamps of %d documents renewed", done)

    async def due(self, fence: Callable[[Connection], None] = lambda _: None) -> int:
        """Renew everything that is due now; return how many were renewed."""
        done = 0
        while rows := await self._take(fence, BATCH, records=False):
            for row in rows:
                done += await self._tried(row)
        while rows := await self._take(fence, RECORDS, records=True):
            done += await self._records(rows)
        return done

    async def _take(self, fence: Callable[[Connection], None], limit: int, *, records: bool) -> list[Row[Any]]:
        now = self._clock.now()

        def take(connection: Connection) -> list[Row[Any]]:
            fence(connection)
            until = now + LEASE
            rows = proofs.take_ending(connection, owner=self._owner, now=now, until=until, limit=limit, records=records)
            return proofs.give_back(connection, rows, 1, self._owner, now)

        return await self._store.write(take)

    async def _records(self, rows: Sequence[Row[Any]]) -> int:
        made = await records.renew(rows, self._plan, self._store, self._sources)
        for row, error in made.failed:
            await self._failed(row, error)

        def keep(connection: Connection) -> int:
            held = [one for one in made.records if proofs.renewed(connection, one[0].id, self._owner)]
            for row, archived in held:
                records.keep(connection, self._plan, self._clock.now(), row, archived)
            return len(held)

        return await self._store.write(keep)

    async def _tried(self, row: Row[Any]) -> bool:
        try:
            return await self._renew(row)
        except Exception as error:  # noqa: BLE001 - whatever it is, it shows where a person looks
            await self._failed(row, error)
            return False

    async def _failed(self, row: Row[Any], error: Exception) -> None:
        fault = error if isinstance(error, Fault) else InternalFault(detail=describe(error))
        log.warning("archive time stamps of document %s: %s", row.document_id, fault)
        wait = DAY if not isinstance(fault, RenewalPointless) else max(DAY, (row.ends_at - self._clock.now()) // 2)
        due_at = self._clock.now() + wait
        await self._store.write(lambda c: proofs.postpone_archive(c, row.id, self._owner, fault, due_at))

    async def _renew(self, row: Row[Any]) -> bool:
        kind = documents.renewed_kind(row.kind, row.number)

        def read(connection: Connection) -> tuple[Row[Any], list[Row[Any]]]:
            (kept,) = documents.renditions(connection, row.document_id, kind)
            return kept, proofs.of_document(connection, row.document_id)

        kept, known = await self._store.read(read)
        body = self._keyring.open(kept.body, f"{row.document_id}/{kind}")
        if row.kind == pages.KIND:
            archived = await self._pdf(body)
        else:
            archived = await self._xml(body, [one.signature_id for one in rules.standing(known, row.kind)])
        if to_instant(archived.ends_at) <= row.ends_at:
            raise RenewalPointless("TSA", f"its certificate ends {archived.ends_at:%Y-%m-%d}, as before")
        return await self._store.write(lambda connection: self._commit(connection, row, kept, archived))

    async def _xml(self, body: bytes, identifiers: Sequence[str]) -> Archived:
        about: dict[str, Evidence] = {}
        for identifier, tokens in (await self._pool.run(joint.archive_tokens, body)).items():
            about[identifier] = await self._word(tokens[-1])
        body = await self._pool.run(joint.with_proofs, body, about)
        return await archive.of_xml(body, identifiers, self._sources, self._pool.run)

    async def _pdf(self, body: bytes) -> Archived:
        from signing import pades_levels  # only now: the library behind it is slow to load

        (*_, token) = await self._pool.run(pades_levels.document_timestamps, body)
        body = await self._pool.run(pades_levels.with_values, body, await self._word(token))
        return await archive.of_pdf(body, self._sources, self._pool.run)

    async def _word(self, archive_token: bytes) -> Evidence:
        token = timestamp_token.read(archive_token)
        return await self._sources.word((), proving.stamp_chain(token, self._sources.stamp_roots), token.at)

    def _commit(self, connection: Connection, row: Row[Any], kept: Row[Any], archived: Archived) -> bool:
        if not proofs.renewed(connection, row.id, self._owner):
            return False
        now = self._clock.now()
        archive.keep(connection, self._plan, now, kept, row.number + 1, archived)
        log.info("document %s renewed at %s", row.document_id, to_datetime(now).isoformat())
        return True
