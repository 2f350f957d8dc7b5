"""Seal the pages of an issued paper: a PAdES signature of the facility, at B-LT with a time stamp authority, else at B-B.

The pages are made when somebody first asks for them, kept from then on as they were given out, and given again byte for byte
(promise P6). Their proofs are not renewed; the signed CDA stays the original.

Requirement: S0.5, S3.9
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives import hashes
from sqlalchemy.engine import Connection, Row

from gateway import signing_tasks
from gateway.clock import Clock, to_datetime
from gateway.proof.sources import Sources
from gateway.settings import Plan
from gateway.store import actions, documents
from gateway.store.engine import Store
from signing import proving
from signing.contract import KeyProvider
from signing.evidence import Evidence
from signing.keys import open_key

KIND = "pdf"
"""The rendition that the sealed pages are."""


def issue(plan: Plan, store: Store, clock: Clock, document_id: str, actor: str, render: Callable[[], bytes]) -> bytes:
    """Return the sealed pages of an issued paper: those given out before, else what `render` gives, sealed and kept.

    Whoever is first among several wins; all get the same bytes. Raises what `sealed` raises, and what forbids the certificate
    of `[signing]` to seal now.
    """
    before = store.read_now(lambda connection: _kept(connection, plan, document_id))
    if before is not None:
        return before
    key = open_key(plan.signing.kind, plan.signing.options)
    made = sealed(render(), plan, clock, key)
    leaf = key.chain[0]
    fingerprint = leaf.fingerprint(hashes.SHA256()).hex()

    def keep(connection: Connection) -> bytes:
        documents.lock(connection, document_id)
        earlier = _kept(connection, plan, document_id)
        if earlier is not None:
            return earlier
        now = clock.now()
        signing_tasks.may_seal(connection, fingerprint, now)
        body = plan.keyring.seal(made, f"{document_id}/{KIND}")
        documents.put_rendition(connection, document_id, KIND, "application/pdf", made, body, signed=True)
        documents.put_signature(
            connection,
            document_id,
            KIND,
            sha256=documents.digest(made),
            signer=leaf.subject.rfc4514_string(),
            certificate=fingerprint,
            at=now,
        )
        actions.insert(connection, at=now, actor=actor, verb="seal", target=document_id, reason=KIND)
        return made

    return store.write_now(keep)


def _kept(connection: Connection, plan: Plan, document_id: str) -> bytes | None:
    found: list[Row[Any]] = documents.renditions(connection, document_id, KIND)
    return plan.keyring.open(found[0].body, f"{document_id}/{KIND}") if found else None


def sealed(pdf: bytes, plan: Plan, clock: Clock, key: KeyProvider | None = None) -> bytes:
    """Return the pages with the seal of `[signing]`, its block on page 1.

    Raises what `open_key` and `pades.sign` raise; TimestampUnavailable (transient), TimestampInvalid.
    """
    from signing import pades  # only now: the library behind it is slow to load

    key = key or open_key(plan.signing.kind, plan.signing.options)
    made = pades.sign(pdf, key, at=to_datetime(clock.now()))
    if plan.proof.usual_level == "B-B":
        return made
    known = Evidence(certificates=proving.der(key.chain))
    return asyncio.run(_proved(made, known, plan, clock))


async def _proved(pdf: bytes, known: Evidence, plan: Plan, clock: Clock) -> bytes:
    from signing import pades_levels

    sources = Sources(plan, clock)
    try:
        token = await sources.stamp(pades_levels.timestamp_data(pdf))
        stamped = pades_levels.with_timestamp(pdf, token)
        if plan.proof.usual_level == "B-T":
            return stamped
        signer = proving.signer_chain(known, sources.roots, token.at)
        stamp = proving.stamp_chain(token, sources.stamp_roots)
        found = Evidence(certificates=proving.der((*signer[:-1], *stamp[:-1])))
        found += await sources.ask(signer, token.at)
        found += await sources.ask(stamp, token.at)
        return pades_levels.with_values(stamped, found)
    finally:
        await sources.close()
