"""The people of the demo sign all day, each with their own key; at midday the head of department loses the token.

Everything is done as it would be at a hospital: batches at the signing desk, the incident with `lienthong certs`, the provider
told so that its OCSP and CRL say it too, a deputy who takes over by delegation.
"""

from __future__ import annotations

import asyncio
import platform
import sys
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from gateway import signing_run, signing_tasks
from gateway.cli.access import actor
from gateway.cli.demo_enrolment import Enrolled
from gateway.cli.demo_people import DEPUTY, DEPUTY_CREDENTIAL, HEAD, Signer
from gateway.clock import SystemClock
from gateway.faults import InternalFault, TaskGone
from gateway.settings import Plan
from gateway.store import documents, schema
from gateway.store.engine import Store
from signing import joint
from signing.contract import KeyProvider, ToSign
from signing.keys import open_key

_ROUND_S = 0.5
"""How long people do something else when nothing waits for them."""


@dataclass(frozen=True)
class Incident:
    """What became of the head's work when the token was lost."""

    at: str
    """From when the provider calls the certificate suspended."""
    serial: str
    signed_before: int
    waiting: int
    """Papers that were ready for the head then."""
    refused: Mapping[str, int]
    """Fault → papers that were not signed when the head tried all the same."""
    signed_after: int
    """By the head; none, if all is well."""
    outside: str
    """File that was signed with the head's key afterwards, past the signing desk."""


@dataclass(frozen=True)
class Signatures:
    """Who signed how much, with what."""

    role: str
    kind: str
    """Of the key."""
    people: int
    signatures: int


@dataclass
class Ward:
    """Everybody who signs, at their desks until `leave`."""

    plan: Plan
    store: Store
    enrolled: Enrolled
    admin: httpx.AsyncClient
    folder: Path
    incident: Incident | None = None
    _keys: dict[str, KeyProvider] = field(default_factory=dict)
    _midday: bool = False
    _over: asyncio.Event = field(default_factory=asyncio.Event)
    _head_signed_at: float = 0.0

    async def work(self) -> None:
        """Sign what is ready, person by person, again and again."""
        while not self._over.is_set():
            signed = 0
            for one in self._present():
                signed += await asyncio.to_thread(self._sit, one)
            if self._lost and self.incident is None:
                self.incident = await self._lose_the_token()
            if not signed:
                await self._pause(_ROUND_S)

    def noon(self) -> None:
        """Let the head lose the token as soon as some papers are signed with it and others wait."""
        self._midday = True

    def leave(self) -> None:
        """Let everybody go home."""
        self._over.set()

    def _present(self) -> list[Signer]:
        away = ({DEPUTY} if self.incident is None else set()) | ({HEAD} if self._lost else set())
        return [one for one in self.enrolled.people if one.code not in away]

    @property
    def _lost(self) -> bool:
        return self._midday and self._head_signed_at > 0.0

    def _sit(self, one: Signer) -> int:
        outcome = self._sitting(one.code).sign(limit=signing_run.BATCH if one.code == HEAD else 0)  # has patients, too
        faults = [outcome.fault] if outcome.fault else [fault for _, fault in outcome.failed]
        for fault in faults:
            if not isinstance(fault, TaskGone):  # a newer version of the paper came meanwhile
                raise fault
        if one.code == HEAD and outcome.signed:
            self._head_signed_at = time.monotonic()
        return outcome.signed

    def _sitting(self, code: str) -> signing_run.Run:
        clock, place = SystemClock(), platform.node()[:64]
        return signing_run.Run(self.plan, self.store, clock, code, self._key(code), actor(), place)

    def _key(self, code: str) -> KeyProvider:
        if code not in self._keys:
            key = self.plan.signers[code].key
            assert key is not None
            self._keys[code] = open_key(key.kind, key.options, self._telephone)
        return self._keys[code]

    def _telephone(self, _: str) -> str:
        """Read the one-time code where the sandbox shows it instead of sending it."""
        answer = httpx.get(
            f"{self.admin.base_url}/_sandbox/csc/credentials/{DEPUTY_CREDENTIAL}", trust_env=False, timeout=60
        )
        return str(answer.raise_for_status().json()["otp"] or "")

    # ---- midday ----

    async def _lose_the_token(self) -> Incident | None:
        """Report the loss, tell the provider, and let the head try all the same; None while nothing is ready for the head."""
        ready = await self.store.read(lambda c: self._ready(c, HEAD))
        if not ready:
            return None
        signed_before = await self.store.read(lambda c: _signed_by(c, HEAD))
        # a signature says only the second in which it was made: the suspension begins in a later one
        await asyncio.sleep(max(0.0, self._head_signed_at + 1.1 - time.monotonic()))
        await _lienthong(
            "certs", "incident", HEAD, "--kind", "lost", "-r", "đánh rơi token", "-c", str(self.plan.folder)
        )
        serial = self.enrolled.serials[HEAD]
        answer = await self.admin.post(f"/_sandbox/authority/certificates/{serial}/suspend", json={})
        at = str(answer.raise_for_status().json()["revoked_at"])
        outcome = await asyncio.to_thread(self._sitting(HEAD).sign)
        refused = [fault for _, fault in outcome.failed if not isinstance(fault, TaskGone)]
        outside = self.folder / "suspended" / "signed-outside.cda.xml"
        outside.parent.mkdir()
        outside.write_bytes(await asyncio.to_thread(self._sign_outside, ready[0]))
        return Incident(
            at,
            serial,
            signed_before,
            len(refused) + outcome.signed,
            dict(Counter(f"LT{fault.code:04d}" for fault in refused)),
            outcome.signed,
            str(outside.relative_to(self.folder)),
        )

    def _ready(self, connection: Connection, code: str) -> list[Any]:
        return signing_tasks.work_list(connection, self.plan, code, SystemClock().now(), ready=True)

    def _sign_outside(self, task: Any) -> bytes:
        """Do what a finder of token and PIN could do: sign a paper with functions, past the desk."""
        (kept,) = self.store.read_now(lambda c: documents.renditions(c, task.document_id, "cda"))
        body, key = self.plan.keyring.open(kept.body, f"{task.document_id}/cda"), self._key(HEAD)
        prepared = joint.prepare(body, key.chain[0], datetime.now(UTC), role=task.role, algorithm=key.algorithms[0])
        (signature,) = key.sign_hashes([ToSign(prepared.digest)], prepared.algorithm)
        assert isinstance(signature, bytes)
        return joint.finish(prepared, signature, key.chain)

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._over.wait()
        except TimeoutError:
            pass

    # ---- what it came to ----

    def signatures(self, connection: Connection) -> list[Signatures]:
        """Count the signatures that hold, by role and kind of key; the seal's too."""
        own = schema.signature.c
        query = sa.select(own.role, own.holder, sa.func.count().label("signatures")).where(own.voided_at.is_(None))
        rows = list(connection.execute(query.group_by(own.role, own.holder)))
        kinds = {one.code: one.kind for one in self.enrolled.people} | {"": self.plan.signing.kind}
        found: dict[tuple[str, str], list[int]] = {}
        for row in rows:
            role = "deputy_head" if row.holder == DEPUTY else row.role
            found.setdefault((role, kinds[row.holder]), []).append(row.signatures)
        order = ("treating_doctor", "head_of_department", "deputy_head", "seal")
        return [
            Signatures(role, kind, len(counts), sum(counts))
            for (role, kind), counts in sorted(found.items(), key=lambda one: order.index(one[0][0]))
        ]


def _signed_by(connection: Connection, holder: str) -> int:
    own = schema.signature.c
    query = sa.select(sa.func.count()).where(own.holder == holder, own.voided_at.is_(None))
    return int(connection.scalar(query.select_from(schema.signature)) or 0)


async def _lienthong(*arguments: str) -> None:
    """Run a command as a person would; raise InternalFault when it says no."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway.cli", *arguments, stdout=asyncio.subprocess.DEVNULL
    )
    if await process.wait():
        raise InternalFault(where=arguments[0], detail=f"exit code {process.returncode}")
