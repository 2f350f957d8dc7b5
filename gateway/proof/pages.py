"""Seal the pages of an issued paper: a PAdES signature of the facility, at the level of the paper.

The pages are made when somebody first asks for them, and kept. What issuers have not said by then, the node puts behind them
later (`gateway/proof/desk.py`), and renews their archive time stamp (`gateway/proof/renewal.py`): each newer file, `pdf~1`,
`pdf~2` …, begins with all bytes of the one before. Who asks again gets the newest (promise P6). The signed CDA stays the
original.

Requirement: S0.5, S0.10, S3.9
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from cryptography.hazmat.primitives import hashes
from sqlalchemy.engine import Connection

from gateway import signing_tasks
from gateway.certificates import device
from gateway.clock import Clock, to_datetime, to_instant
from gateway.proof import archive, rules
from gateway.proof.archive import Apart, Archived
from gateway.proof.sources import Sources
from gateway.settings import Plan
from gateway.store import actions, documents
from gateway.store.engine import Store
from signing import proving
from signing.contract import KeyProvider, device_of
from signing.evidence import Evidence
from signing.faults import ProofNotOffered, ProofPending
from signing.forms import LEVELS
from signing.joint import Mark
from signing.keys import open_key
from signing.policy import SEAL

log = logging.getLogger("lienthong.proof")

KIND = "pdf"
"""The rendition that the sealed pages are, as they were first given out."""


@dataclass(frozen=True)
class _Sealed:
    """Pages with their seal, and what is known of it."""

    body: bytes = field(repr=False)
    mark: Mark
    known: Evidence = field(default=Evidence(), repr=False)
    state: str = "bare"
    stamped_at: int | None = None
    archived: Archived | None = None


def issue(plan: Plan, store: Store, clock: Clock, document_id: str, actor: str, render: Callable[[], bytes]) -> bytes:
    """Return the sealed pages of an issued paper: those given out before with their newest proofs, else what `render` gives.

    Whoever is first among several wins; all get the same bytes. Raises what `open_key` and `pades.sign` raise, what forbids the
    certificate of `[signing]` to seal now, and above B-B TimestampUnavailable (transient), TimestampInvalid,
    SignatureUnprovable, CertificateUntrusted.
    """
    before, paper = store.read_now(
        lambda connection: (_kept(connection, plan, document_id), documents.get(connection, document_id).paper)
    )
    if before is not None:
        return before
    key = open_key(plan.signing.kind, plan.signing.options)
    made = asyncio.run(_sealed(render(), plan.level_of(paper, KIND), plan, clock, key))
    leaf = key.chain[0]
    fingerprint = leaf.fingerprint(hashes.SHA256()).hex()

    def keep(connection: Connection) -> bytes:
        documents.lock(connection, document_id)
        earlier = _kept(connection, plan, document_id)
        if earlier is not None:
            return earlier
        now = clock.now()
        signing_tasks.may_seal(connection, fingerprint, now)
        device.ask(connection, plan, fingerprint, device_of(key), SEAL, now)
        body = plan.keyring.seal(made.body, f"{document_id}/{KIND}")
        documents.put_rendition(connection, document_id, KIND, "application/pdf", made.body, body, signed=True)
        sha256 = documents.digest(made.body)
        number = documents.put_signature(
            connection,
            document_id,
            KIND,
            sha256=sha256,
            signer=leaf.subject.rfc4514_string(),
            certificate=fingerprint,
            at=now,
        )
        told = rules.Made(
            KIND, number, SEAL, SEAL, made.mark, proving.der(key.chain), made.known, made.state, made.stamped_at
        )
        rules.record(connection, plan, documents.get(connection, document_id), told, now)
        if made.archived is not None:
            archive.note(connection, plan, now, document_id, KIND, 0, made.archived, sha256)
        actions.insert(connection, at=now, actor=actor, verb="seal", target=document_id, reason=KIND)
        return made.body

    return store.write_now(keep)


def _kept(connection: Connection, plan: Plan, document_id: str) -> bytes | None:
    found, _ = documents.newest_of(connection, document_id, KIND)
    return None if found is None else plan.keyring.open(found.body, f"{document_id}/{found.kind}")


async def _sealed(pdf: bytes, level: str, plan: Plan, clock: Clock, key: KeyProvider) -> _Sealed:
    from signing import pades, pades_levels, pdf_signature  # only now: the library behind it is slow to load

    body = pades.sign(pdf, key, at=to_datetime(clock.now()))
    mark = Mark(pdf_signature.find(body)[-1].name, pades_levels.timestamp_data(body), holds_proofs=True)
    if level == LEVELS[0]:
        return _Sealed(body, mark)
    sources = Sources(plan, clock)
    try:
        token = await sources.stamp(mark.octets)
        stamped = _Sealed(
            pades_levels.with_timestamp(body, token),
            mark,
            Evidence(timestamps=(token.der,)),
            "proved" if level == "B-T" else "stamped",
            to_instant(token.at),
        )
        if level == "B-T":
            return stamped
        chain = Evidence(certificates=proving.der(key.chain))
        signer = proving.signer_chain(chain, sources.roots, token.at)
        try:
            found = await sources.word(signer, proving.stamp_chain(token, sources.stamp_roots), token.at)
        except (ProofPending, ProofNotOffered) as fault:
            log.info("the seal on pages is given out before it is proved: %s", fault)
            return stamped
        made = await proved(stamped.body, found, level, sources, asyncio.to_thread)
    finally:
        await sources.close()
    body, archived = (made, None) if isinstance(made, bytes) else (made.body, made)
    return replace(stamped, body=body, known=stamped.known + found, state="proved", archived=archived)


async def proved(pdf: bytes, found: Evidence, level: str, sources: Sources, apart: Apart) -> bytes | Archived:
    """Return stamped pages with what issuers said in a revision behind them, and at B-LTA a document time stamp.

    Raises TimestampUnavailable (transient), TimestampInvalid.
    """
    from signing import pades_levels

    body: bytes = await apart(pades_levels.with_values, pdf, found)
    return await archive.of_pdf(body, sources, apart) if level == "B-LTA" else body
