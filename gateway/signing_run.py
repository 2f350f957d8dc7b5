"""One person signs what waits, in batches, with a key that this person alone can open.

Every document has its own state: what was signed before the key went away, the person stopped or the process died stays signed;
the rest is ready again, at once or when the lease runs out. Nothing is signed that the person may not sign at that moment: the
certificate is asked for in the transaction that keeps the signature.

Requirement: S0.5, S3.6, S3.7
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from sqlalchemy.engine import Connection, Row

from gateway import signing_tasks, steps
from gateway.certificates import device
from gateway.certificates.permission import may_sign
from gateway.clock import SECOND, Clock, to_datetime
from gateway.faults import TaskGone
from gateway.proof import rules as proof_rules
from gateway.proof.rules import Made
from gateway.settings import Plan
from gateway.signing_tasks import KIND
from gateway.store import actions, documents
from gateway.store import signing_tasks as rows
from gateway.store.engine import Store
from gateway.store.ids import uuid7
from mappings import documents as forms
from mappings.cda import html as page
from mappings.formats.faults import Fault, SigningFault
from signing import joint, proving, xades
from signing.contract import KeyProvider, ToSign, device_of
from signing.forms import Form

log = logging.getLogger("lienthong.signing")

BATCH = 20
_NOT_SIGNED = page.Options(stamp=page.Stamp.DRAFT)
LEASE = 300 * SECOND
"""For the key of a whole batch, and a person who enters a PIN or a code."""


@dataclass(frozen=True)
class Progress:
    """What became of one task."""

    number: int
    total: int
    task_id: str
    paper: str
    fault: Fault | None = None


@dataclass
class Outcome:
    signed: int = 0
    failed: list[tuple[str, Fault]] = field(default_factory=list)
    """Task → why it was not signed; it is ready again."""
    left: int = 0
    """Not reached: stopped, or the key cannot go on."""
    fault: Fault | None = None
    """Why the key could not go on."""


@dataclass(frozen=True)
class Ready:
    """A task that this sitting holds, and what is to be signed of it."""

    task: Row[Any]
    whom: str
    body: bytes = field(repr=False)
    sha256: str
    prepared: xades.Prepared = field(repr=False)

    def shown(self) -> ToSign:
        """Give the hash, and what the signer is shown of the paper."""
        return ToSign(
            self.prepared.digest,
            forms.title(self.task.paper),
            lambda: page.html(self.body, _NOT_SIGNED).decode(),
        )


@dataclass(frozen=True)
class Run:
    """One sitting of one person, `code`, at `workstation`, under the machine's `account`."""

    plan: Plan
    store: Store
    clock: Clock
    code: str
    key: KeyProvider
    account: str
    workstation: str
    may_sign: signing_tasks.MaySign = may_sign
    progress: Callable[[Progress], None] = lambda _: None
    stopped: Callable[[], bool] = lambda: False

    def sign(self, papers: Sequence[str] = (), limit: int = 0, tasks: Sequence[str] = ()) -> Outcome:
        """Sign what is ready for this person; `tasks` alone, if given. Raises SignerUnknown, and for `tasks` their faults."""
        outcome = Outcome()
        if tasks:
            now = self.clock.now()
            waiting = self.store.read_now(
                lambda c: [signing_tasks.require_ready(c, self.plan, one, self.code, now)[0] for one in tasks]
            )
        else:
            waiting = self.store.read_now(
                lambda c: signing_tasks.work_list(c, self.plan, self.code, self.clock.now(), papers=papers, ready=True)
            )
        waiting = waiting[: limit or None]
        owner = f"sign-{uuid7()}"
        for batch in self._batches(waiting):
            if not self.stopped() and outcome.fault is None:
                self._batch(batch, owner, len(waiting), outcome)
        outcome.left = len(waiting) - outcome.signed - len(outcome.failed)
        return outcome

    def _batches(self, waiting: Sequence[Row[Any]]) -> Iterator[Sequence[Row[Any]]]:
        """Cut what waits so that the papers of a batch are signed with one algorithm."""
        alike: dict[tuple[str, ...], list[Row[Any]]] = {}
        for task in waiting:
            alike.setdefault(self._form(task.paper).algorithms, []).append(task)
        for tasks in alike.values():
            yield from (tasks[start : start + BATCH] for start in range(0, len(tasks), BATCH))

    def _batch(self, batch: Sequence[Row[Any]], owner: str, total: int, outcome: Outcome) -> None:
        at = to_datetime(self.clock.now())
        claimed: list[Ready] = []
        signatures: Iterator[bytes | SigningFault] = iter(())
        try:
            for task in batch:
                try:
                    claimed.append(self.claim(task, owner, at))
                except Fault as fault:
                    self._failed(task, fault, total, outcome)
            signatures = self._signatures(claimed)
            for ready in claimed:
                if self.stopped():
                    break
                signature = next(signatures)
                try:
                    if isinstance(signature, SigningFault):
                        raise signature
                    self.keep(ready, owner, signature, at)
                except Fault as fault:
                    self._failed(ready.task, fault, total, outcome)
                    continue
                outcome.signed += 1
                done = outcome.signed + len(outcome.failed)
                self.progress(Progress(done, total, ready.task.id, ready.task.paper))
        except SigningFault as fault:
            log.warning("signing stopped: %s", fault)
            outcome.fault = fault
        finally:
            if isinstance(signatures, Generator):
                signatures.close()
            self.store.write_now(lambda c: [rows.move(c, one.id, "release", owner=owner) for one in batch])

    def claim(self, task: Row[Any], owner: str, at: datetime) -> Ready:
        """Take a task for `owner` and hash what is to be signed at `at`; raise why not."""
        now = self.clock.now()

        def take(connection: Connection) -> tuple[str, Row[Any]]:
            current, whom = signing_tasks.require_ready(connection, self.plan, task.id, self.code, now)
            self._ask(connection, current, whom, now)
            if not rows.claim(connection, task.id, owner, now + LEASE, self.code):
                raise TaskGone(task.id, "claimed")
            (kept,) = documents.renditions(connection, task.document_id, KIND)
            return whom, kept

        whom, kept = self.store.write_now(take)
        body = self.plan.keyring.open(kept.body, f"{task.document_id}/{KIND}")
        prepared = self._prepare(task, body, at)
        return Ready(task, whom, body, kept.sha256, prepared)

    def again(self, task_id: str, owner: str, at: datetime) -> Ready:
        """Give what `claim` gave `owner` at `at`, by another process or long ago; a lease that ran out is taken again.

        Raises TaskGone, NotYourTurn, SignerNotEntitled.
        """
        now = self.clock.now()

        def look(connection: Connection) -> tuple[Row[Any], str, Row[Any]]:
            task = signing_tasks.find(connection, task_id)
            whom = signing_tasks.for_whom(self.plan, task, self.code, signing_tasks.day(self.plan, now))
            if task.state == "ready":
                rows.claim(connection, task_id, owner, now + LEASE, self.code)
            elif task.lease_owner != owner:
                raise TaskGone(task_id, task.state)
            (kept,) = documents.renditions(connection, task.document_id, KIND)
            return task, whom, kept

        task, whom, kept = self.store.write_now(look)
        body = self.plan.keyring.open(kept.body, f"{task.document_id}/{KIND}")
        return Ready(task, whom, body, kept.sha256, self._prepare(task, body, at))

    def _prepare(self, task: Row[Any], body: bytes, at: datetime) -> xades.Prepared:
        algorithm = self._form(task.paper).algorithm(self.key.algorithms) or self.key.algorithms[0]
        leaf = self.key.chain[0]
        return joint.prepare(body, leaf, at, role=task.role, algorithm=algorithm, countersigns=task.countersigns)

    def _form(self, paper: str) -> Form:
        return self.plan.policies.forms.of(paper)

    def _ask(self, connection: Connection, task: Row[Any], whom: str, now: int) -> None:
        fingerprint = self.key.chain[0].fingerprint(hashes.SHA256()).hex()
        role = "" if whom else signing_tasks.role_in_register(task.role)
        self.may_sign(connection, fingerprint, now, holder=self.code, role=role)
        device.ask(connection, self.plan, fingerprint, device_of(self.key), f"{self.code} ({self.account})", now)

    def _signatures(self, claimed: Sequence[Ready]) -> Iterator[bytes | SigningFault]:
        """Sign under one authorisation; papers of one batch have one certificate, and so one algorithm."""
        if not claimed:
            return iter(())
        shown = [one.shown() for one in claimed]
        return self.key.sign_hashes(shown, claimed[0].prepared.algorithm)

    def keep(self, ready: Ready, owner: str, value: bytes, at: datetime) -> None:
        """Put a signature into the document as it is now, and let the next step begin.

        `at` as it was when the task was claimed. Raises KeyUnsuitable when the signature is another's, TaskGone, and what
        `may_sign` raises.
        """
        now = self.clock.now()
        task, document_id, keyring = ready.task, ready.task.document_id, self.plan.keyring
        leaf = self.key.chain[0]

        def keep(connection: Connection) -> None:
            documents.lock(connection, document_id)
            self._ask(connection, task, ready.whom, now)
            (kept,) = documents.renditions(connection, document_id, KIND)
            prepared = ready.prepared
            if kept.sha256 != ready.sha256:  # somebody else signed the same step meanwhile
                body = keyring.open(kept.body, f"{document_id}/{KIND}")
                prepared = self._prepare(task, body, at)
            signed = joint.finish(prepared, value, self.key.chain)
            fingerprint = leaf.fingerprint(hashes.SHA256()).hex()
            if not rows.move(
                connection,
                task.id,
                "sign",
                owner=owner,
                signed_at=now,
                signer=self.code,
                delegation=ready.whom,
                certificate_sha256=fingerprint,
            ):
                raise TaskGone(task.id)
            sealed = keyring.seal(signed, f"{document_id}/{KIND}")
            documents.put_rendition(connection, document_id, KIND, steps.media_type(KIND), signed, sealed, signed=False)
            self._evidence(connection, ready, signed, leaf, now)
            signing_tasks.go_on(connection, self.plan, document_id, signed, now)

        self.store.write_now(keep)

    def _evidence(self, connection: Connection, ready: Ready, signed: bytes, leaf: x509.Certificate, now: int) -> None:
        document_id = ready.task.document_id
        number = documents.put_signature(
            connection,
            document_id,
            KIND,
            sha256=hashlib.sha256(signed).hexdigest(),
            signer=leaf.subject.rfc4514_string(),
            certificate=leaf.fingerprint(hashes.SHA256()).hex(),
            at=now,
            role=ready.task.role,
            holder=self.code,
            account=self.account,
            workstation=self.workstation,
            task_id=ready.task.id,
        )
        made = Made(
            KIND, number, ready.task.role, ready.task.step, joint.marks(signed)[-1], proving.der(self.key.chain)
        )
        proof_rules.record(connection, self.plan, documents.get(connection, document_id), made, now)
        said = f"{ready.task.role}, thay {ready.whom}" if ready.whom else ready.task.role
        actor = f"{self.code} ({self.account})"[:64]
        actions.insert(connection, at=now, actor=actor, verb="sign", target=document_id, reason=said)

    def _failed(self, task: Row[Any], fault: Fault, total: int, outcome: Outcome) -> None:
        outcome.failed.append((task.id, fault))
        done = outcome.signed + len(outcome.failed)
        self.progress(Progress(done, total, task.id, task.paper, fault))
