"""Sign in two requests: hashes go out to who holds the key, signatures come back, each paper its own state.

The gateway sees neither key nor PIN. Between the requests nothing is kept but the leases of the tasks: what has to be known
again travels in a sealed ticket, so any node goes on with it, and a restart loses nothing. Whoever brings the signatures, page
or program, only carries them: a signature that is not of the certificate, or of other bytes, is refused.

Requirement: S0.5, S3.6, S3.7
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy.engine import Connection, Row

from gateway import signing_tasks
from gateway.certificates.device import OtherDevice, find_other
from gateway.clock import SECOND, Clock, iso, to_datetime
from gateway.faults import FaceBusy, SittingUnknown, StoreFault
from gateway.settings import Plan
from gateway.signing_run import LEASE, Run
from gateway.signing_tasks import KIND
from gateway.store import documents
from gateway.store import signing_tasks as rows
from gateway.store.engine import Store
from gateway.store.ids import uuid7
from mappings import documents as forms
from mappings.cda import html as page
from mappings.cda.whose import whose
from mappings.formats.faults import Fault, SigningFault
from signing import certificates
from signing.algorithms import ALGORITHMS, Algorithm
from signing.contract import ToSign
from signing.faults import KeyUnsuitable
from signing.policy import SEAL

LARGEST = 300
"""Papers of one sitting."""
GOOD_FOR = 12 * 3600 * SECOND
"""How long a sitting may last."""
_ROW = "sitting"
_DRAFT = page.Options(stamp=page.Stamp.DRAFT)


@dataclass(frozen=True)
class Who:
    """Somebody who signs, and through whom."""

    code: str
    """Of the staff."""
    account: str
    workstation: str = ""


class _Ticket(msgspec.Struct, frozen=True):
    owner: str
    code: str
    at: int
    algorithm: str
    chain: tuple[bytes, ...]
    device: str = ""


@dataclass(frozen=True)
class _Elsewhere:
    """A key that is not here: its certificate alone, and what its device is said to be."""

    chain: tuple[x509.Certificate, ...]
    algorithms: tuple[str, ...]
    device: str = ""

    def sign(self, data: bytes, algorithm: str = "") -> bytes:
        raise NotImplementedError

    def sign_hashes(self, documents: Sequence[ToSign], algorithm: str = "") -> Iterator[bytes | SigningFault]:
        raise NotImplementedError


@dataclass(frozen=True)
class Handed:
    """What a sitting begins with."""

    ticket: str
    """Comes back with the signatures."""
    algorithm: str
    certificate: str
    """SHA-256 of the signer's, as the agent wants it."""
    signer: certificates.Signer
    papers: Mapping[str, ToSign]
    """Task → hash, and the paper as it is shown."""
    refused: Mapping[str, Fault]
    other_device: OtherDevice | None = None
    """The signer has another device than was handed over."""


@dataclass(frozen=True)
class Relay:
    """Hand out and take back, for everybody of the plan; blocking, so call it in a thread."""

    plan: Plan
    store: Store
    clock: Clock

    # ---- what waits ----

    def work(self, code: str) -> list[dict[str, Any]]:
        """List what waits for this person, as programs are told; raise SignerUnknown."""
        now = self.clock.now()

        def query(connection: Connection) -> list[dict[str, Any]]:
            found = signing_tasks.work_list(connection, self.plan, code, now)
            return [told(connection, self.plan, task, now) for task in found]

        return self.store.read_now(query)

    def whose(self, tasks: Sequence[Mapping[str, Any]]) -> dict[str, str]:
        """Say of tasks, as `work` lists them, which patient each is about."""
        found: dict[str, str] = {}
        for task in tasks:
            body = self._body(task["document"])
            found[task["id"]] = whose(body) if body else ""
        return found

    def paper(self, code: str, task_id: str) -> bytes:
        """Show a paper to somebody who may sign it, as HTML; raise SignerNotEntitled, TaskGone, NothingThere."""
        now = self.clock.now()

        def query(connection: Connection) -> str:
            task = signing_tasks.find(connection, task_id)
            signing_tasks.for_whom(self.plan, task, code, signing_tasks.day(self.plan, now))
            return str(task.document_id)

        return page.html(self._body(self.store.read_now(query)), _DRAFT)

    def _body(self, document_id: str) -> bytes:
        kept = self.store.read_now(lambda c: documents.renditions(c, document_id, KIND))
        return self.plan.keyring.open(kept[0].body, f"{document_id}/{KIND}") if kept else b""

    # ---- a sitting ----

    def begin(
        self, who: Who, tasks: Sequence[str], chain: Sequence[bytes], algorithms: Sequence[str], device: str = ""
    ) -> Handed:
        """Claim tasks for a certificate and give their hashes; what cannot be signed is told with its reason.

        `device` is the serial number of the token, as the agent says it.
        Raises FaceBusy for more than LARGEST tasks, KeyUnsuitable, CertificateUntrusted.
        """
        if len(tasks) > LARGEST:
            raise FaceBusy("tasks", f"{LARGEST} at most")
        now = self.clock.now()
        trusted, algorithm = self._key(chain, algorithms, now)
        owner = f"page-{uuid7()}"
        run = self._run(who, _Elsewhere(trusted, (algorithm.name,), device))
        papers: dict[str, ToSign] = {}
        refused: dict[str, Fault] = {}
        self.store.write_now(lambda c: rows.expire(c, now))
        for task_id in dict.fromkeys(tasks):
            try:
                task = self.store.read_now(lambda c, one=task_id: signing_tasks.find(c, one))  # type: ignore[misc]
                papers[task_id] = run.claim(task, owner, to_datetime(now)).shown()
            except StoreFault:
                raise
            except Fault as fault:
                refused[task_id] = fault
        der = tuple(one.public_bytes(Encoding.DER) for one in trusted)
        ticket = self._seal(_Ticket(owner, who.code, now, algorithm.name, der, device))
        fingerprint = trusted[0].fingerprint(hashes.SHA256()).hex()
        signer = certificates.signer_of(trusted[0])
        other = self.store.read_now(lambda c: find_other(c, fingerprint, device))
        return Handed(ticket, algorithm.name, fingerprint, signer, papers, refused, other)

    def take(self, who: Who, ticket: str, signatures: Mapping[str, bytes]) -> dict[str, Fault | None]:
        """Keep signatures, each by itself, and hold the rest of the sitting; None for what is signed.

        What was signed in this sitting before is signed: an answer that was lost may be asked for again. What has a fault is
        ready for another sitting. Raises SittingUnknown.
        """
        sitting = self._open(who, ticket)
        chain = tuple(certificates.from_der(der) for der in sitting.chain)
        run = self._run(who, _Elsewhere(chain, (sitting.algorithm,), sitting.device))
        until = self.clock.now() + LEASE
        self.store.write_now(lambda c: rows.renew(c, sitting.owner, until))
        done: dict[str, Fault | None] = {}
        for task_id, value in signatures.items():
            try:
                if not self._signed(task_id, who.code, chain[0]):
                    ready = run.again(task_id, sitting.owner, to_datetime(sitting.at))
                    run.keep(ready, sitting.owner, value, to_datetime(sitting.at))
                done[task_id] = None
            except StoreFault:
                raise
            except Fault as fault:
                done[task_id] = fault
                self.store.write_now(lambda c, one=task_id: rows.move(c, one, "release", owner=sitting.owner))  # type: ignore[misc]
        return done

    def end(self, who: Who, ticket: str) -> int:
        """Give back what was not signed in a sitting; return how many that was. Raises SittingUnknown."""
        owner = self._open(who, ticket).owner

        def unit(connection: Connection) -> int:
            held = rows.renew(connection, owner, 0)
            return sum(rows.move(connection, task_id, "release", owner=owner) for task_id in held)

        return self.store.write_now(unit)

    # ---- without a signature ----

    def refuse(self, who: Who, task_id: str, reason: str) -> str:
        """Send a paper back; return the id of the one that takes its place. Raises what `signing_tasks.refuse` raises."""
        now = self.clock.now()
        return self.store.write_now(
            lambda c: signing_tasks.refuse(c, self.plan, task_id, who.code, reason, who.account, now)
        )

    def skip(self, who: Who, task_id: str, reason: str) -> None:
        """Leave a signature out. Raises what `signing_tasks.skip` raises."""
        now = self.clock.now()
        self.store.write_now(lambda c: signing_tasks.skip(c, self.plan, task_id, who.code, reason, who.account, now))

    # ---- inside ----

    def _run(self, who: Who, key: _Elsewhere) -> Run:
        return Run(self.plan, self.store, self.clock, who.code, key, who.account, who.workstation[:64])

    def _key(
        self, chain: Sequence[bytes], algorithms: Sequence[str], now: int
    ) -> tuple[tuple[x509.Certificate, ...], Algorithm]:
        try:
            given = [certificates.from_der(der) for der in chain]
        except ValueError as problem:
            raise KeyUnsuitable("chain", "certificate cannot be read") from problem
        if not given:
            raise KeyUnsuitable("chain", "no certificate")
        roots = certificates.load_roots(self.plan.signing.trust)
        trusted = certificates.require_trusted(given[0], given[1:], roots, to_datetime(now))
        public = certificates.public_key(trusted[0])
        for name in algorithms:
            if name in ALGORITHMS and ALGORITHMS[name].fits(public):
                return trusted, ALGORITHMS[name]
        raise KeyUnsuitable("algorithms", "none that this key does")

    def _signed(self, task_id: str, code: str, leaf: x509.Certificate) -> bool:
        task = self.store.read_now(lambda c: rows.get(c, task_id))
        fingerprint = leaf.fingerprint(hashes.SHA256()).hex()
        return bool(task.state == "signed" and task.signer == code and task.certificate_sha256 == fingerprint)

    def _seal(self, ticket: _Ticket) -> str:
        return base64.urlsafe_b64encode(self.plan.keyring.seal(msgspec.json.encode(ticket), _ROW)).decode()

    def _open(self, who: Who, text: str) -> _Ticket:
        try:
            opened = self.plan.keyring.open(base64.urlsafe_b64decode(text), _ROW)
            ticket = msgspec.json.decode(opened, type=_Ticket)
        except (StoreFault, binascii.Error, ValueError, IndexError) as problem:
            raise SittingUnknown("ticket") from problem
        if ticket.code != who.code or self.clock.now() - ticket.at > GOOD_FOR:
            raise SittingUnknown("ticket")
        return ticket


def told(connection: Connection, plan: Plan, task: Row[Any], now: int) -> dict[str, Any]:
    """Describe an open task, from `open_tasks`, for programs: what waits, why and for whom; no patient data."""
    waits = [] if task.role == SEAL else signing_tasks.candidates(plan, task, now)
    return {
        "id": task.id,
        "document": task.document_id,
        "paper": task.paper,
        "title": forms.title(task.paper),
        "version": task.version,
        "step": task.step,
        "role": task.role,
        "state": task.state,
        "after": signing_tasks.waited_for(connection, task) if task.state == "waiting" else [],
        "waits_for": waits or ([task.holder] if task.holder else []),
        "optional": bool(task.optional),
        "ready_at": iso(task.ready_at),
        "deadline_at": iso(task.deadline_at),
        "warned": is_near(task, now),
        "overdue": task.deadline_at < now,
    }


def is_near(task: Row[Any], now: int) -> bool:
    """Tell whether the deadline of a task is near or past."""
    return task.warned_at is not None or (task.notice_at is not None and task.notice_at <= now)
