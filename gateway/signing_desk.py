"""The desk where papers wait for their signature.

Who signs a paper, in which order and by when says its policy; without one the facility's seal is all. People sign with
`lienthong sign`; the seal, always the last, is made here by the node as soon as it is its turn. The desk knows rows and bytes;
`signing/` makes the signature.
Requirement: S0.10, S3.6, S3.7, S3.9.
"""

from __future__ import annotations

import logging
from typing import Any

from sqlalchemy.engine import Connection, Row

from gateway import signing_forms, signing_statements, signing_tasks, steps
from gateway.certificates import device
from gateway.certificates.permission import state_at
from gateway.clock import Clock
from gateway.faults import SignatureUnrecorded
from gateway.pool import Pool
from gateway.proof import rules as proof_rules
from gateway.proof.rules import NEVER, Made
from gateway.settings import Plan
from gateway.store import deliveries, documents
from gateway.store import signing_tasks as rows
from gateway.store.engine import Store
from mappings.documents import imaging_study
from signing.policy import SEAL

log = logging.getLogger("lienthong.signing")


class SigningDesk:
    def __init__(self, plan: Plan, store: Store, pool: Pool, clock: Clock, may_seal: signing_tasks.MaySign) -> None:
        self._plan = plan
        self._store = store
        self._keyring = plan.keyring
        self._pool = pool
        self._clock = clock
        self._may_seal = may_seal

    async def sign(self, row: Row[Any]) -> None:
        """Seal the renditions of a document whose turn it is, in one transaction.

        Its deliveries are released, or wait until the signatures in their files have the proofs that are wanted.
        Raises SigningFault; KeyUnavailable passes with time. Nothing is sealed that bears a signature which the desk does not
        know, or one of a certificate that might not sign then: SignatureUnrecorded.
        """
        renditions, gets, recorded = await self._store.read(
            lambda connection: (
                documents.renditions(connection, row.id),
                {one.destination: one.id for one in deliveries.listing(connection, document_id=row.id)},
                _recorded(connection, row.id),
            )
        )
        bare = [one for one in renditions if one.kind == imaging_study.RENDITION]
        people = await self._store.read(lambda connection: signing_statements.people(connection, self._plan, row.id))
        signed: dict[str, steps.Signed] = {}
        plain: dict[str, bytes] = {}
        waiting: set[str] = set()
        for rendition in renditions:
            if rendition.signed or documents.is_early(rendition.kind):
                continue
            unsigned = self._keyring.open(rendition.body, f"{row.id}/{rendition.kind}")
            if rendition in bare:
                plain[rendition.kind] = unsigned
                continue
            if rendition.kind in recorded or b"Signature" in unsigned:
                await self._pool.run(steps.require_signed_by, unsigned, recorded.get(rendition.kind, ()))
            for one in signing_forms.wanted(self._plan, row.paper, rendition.kind, gets):
                if one.form.reference == "detached":
                    plain[one.kind] = unsigned
                    name = f"{gets[one.destination]}.xml"
                    kind, made = documents.beside(one.kind), self._pool.run(steps.sign_beside, unsigned, name, one.form)
                else:
                    kind, made = one.kind, self._pool.run(steps.sign, unsigned, one.kind, one.form, people)
                signed[kind] = await made
                if one.form.lasting:
                    waiting.add(kind)
        await self._store.write(lambda connection: self._commit(connection, row, signed, plain, waiting))

    def _commit(
        self,
        connection: Connection,
        row: Row[Any],
        signed: dict[str, steps.Signed],
        plain: dict[str, bytes],
        waiting: set[str],
    ) -> None:
        now, document_id = self._clock.now(), row.id
        moved = (
            documents.move(connection, document_id, "prove", due_at=NEVER, attempts=0)
            if waiting
            else documents.move(connection, document_id, "sign", signed_at=now)
        )
        if not moved:
            return
        seal = [
            task for task in rows.of_document(connection, document_id) if task.role == SEAL and task.state == "ready"
        ]
        for task in seal:
            fingerprint = next(iter(signed.values())).certificate_sha256 if signed else ""
            rows.move(connection, task.id, "sign", signed_at=now, certificate_sha256=fingerprint)
        for fingerprint, serial in {(result.certificate_sha256, result.device) for result in signed.values()}:
            self._may_seal(connection, fingerprint, now)
            device.ask(connection, self._plan, fingerprint, serial, SEAL, now)
        for kind, body in plain.items():
            sealed = self._keyring.seal(body, f"{document_id}/{kind}")
            documents.put_rendition(connection, document_id, kind, steps.media_type(kind), body, sealed, signed=True)
        for kind, result in signed.items():
            sealed = self._keyring.seal(result.body, f"{document_id}/{kind}")
            documents.put_rendition(
                connection, document_id, kind, steps.media_type(kind), result.body, sealed, signed=kind not in waiting
            )
            for mark in result.marks:
                number = documents.put_signature(
                    connection,
                    document_id,
                    kind,
                    sha256=result.sha256,
                    signer=result.signer,
                    certificate=result.certificate_sha256,
                    at=now,
                    task_id=seal[0].id if seal else None,
                )
                made = Made(kind, number, SEAL, seal[0].step if seal else SEAL, mark, result.chain)
                proof_rules.record(connection, self._plan, row, made, now)
        if waiting:
            proof_rules.want(connection, self._plan, row, now)
            proof_rules.let_go(connection, self._plan, document_id, signed.keys() - waiting, now)
        else:
            deliveries.move_all(connection, document_id, "ready", now)


def _recorded(connection: Connection, document_id: str) -> dict[str, list[str]]:
    """Give the certificates with which people signed each rendition; raise SignatureUnrecorded for one out of use then."""
    found: dict[str, list[str]] = {}
    for one in documents.signatures(connection, document_id):
        if one.voided_at is not None or one.role == SEAL:
            continue
        state = state_at(connection, one.certificate_sha256, one.signed_at)
        if state not in ("", "active"):
            raise SignatureUnrecorded(document_id, f"certificate {state} when {one.role} signed")
        found.setdefault(one.kind, []).append(one.certificate_sha256)
    return found
