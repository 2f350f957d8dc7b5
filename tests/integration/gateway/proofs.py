"""A gateway whose papers have to be provable, beside the sandbox's authority, time stamps and answers about certificates."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from cryptography import x509

from conformance.sandbox.faults import Action, Rule
from conformance.sandbox.holders import Credential, Holder
from conformance.sandbox.server import Sandbox, Settings
from conformance.sandbox.tsa import POLICY
from gateway import signing_tasks
from gateway.clock import to_datetime
from gateway.pipeline import Pipeline
from gateway.proof.desk import ProofDesk
from gateway.proof.renewal import Renewal
from gateway.proof.sources import Sources
from gateway.signing_run import Outcome, Run
from gateway.store import deliveries, documents, proofs
from signing.keys import open_key
from tests.conftest import HandClock
from tests.integration.gateway.desk import Desk, Inline
from tests.integration.sandbox.peer import ACCOUNTS
from tests.site import PASSWORD

T = TypeVar("T")

SIGNER = """
[[signer]]
code = "{code}"
name = "{name}"
roles = ["{role}"]
licence = "{licence}"
key = {{ kind = "pkcs12", file = "keys/{code}.p12", password = "secret:keys" }}
"""
PEOPLE = {
    "BS1": ("Lê Quang Minh", "treating_doctor", "000123/HNO-CCHN"),
    "TK1": ("Đỗ Thị Năm", "head_of_department", ""),
}
DOCTOR_HEAD_SEAL = """
[[policy]]
level = "{level}"
[[policy.step]]
name = "doctor"
role = "treating_doctor"
[[policy.step]]
name = "head"
role = "head_of_department"
countersigns = true
[[policy.step]]
role = "seal"
"""
SEAL_ALONE = '[[policy]]\nlevel = "{level}"\n[[policy.step]]\nrole = "seal"\n'
AUTHORITY = """
[[proof.authority]]
url = "{url}"
policy = "{policy}"
"""


class Trust:
    """The sandbox in a thread of its own, under the clock of the test."""

    def __init__(self, folder: Path, clock: HandClock) -> None:
        settings = Settings(accounts=ACCOUNTS, folder=folder)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.sandbox = self.run(self._open(settings, clock))
        self.authority = self.sandbox.authority
        self.pem_file = self.sandbox.ca.pem_file
        self.tsa_url = self.sandbox.tsa_url
        self.do(self.authority.time_stamper)  # makes its key, for which no test waits

    async def _open(self, settings: Settings, clock: HandClock) -> Sandbox:
        return await Sandbox(settings, clock=lambda: to_datetime(clock.at)).__aenter__()

    def run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def do(self, act: Callable[[], T]) -> T:
        """Change something where the sandbox runs, and wait until its ports are as it says."""

        async def there() -> T:
            found = act()
            await self.sandbox.settle()
            return found

        result: T = self.run(there())
        return result

    def break_(self, service: str, action: Action, code: str | None = None, **more: Any) -> None:
        self.do(lambda: self.sandbox.faults.add(Rule(service, action, code=code, call=None, **more)))

    def repair(self) -> None:
        self.do(self.sandbox.faults.clear)

    def issue(self, name: str, organisation: str = "") -> Credential:
        """Make a signer below the issuing CA; what `write_site` asks of an authority."""
        made: Credential = self.do(lambda: self.authority.issue(Holder(name, organisation=organisation)))
        return made

    def revoke(self, certificate: x509.Certificate) -> None:
        self.do(lambda: self.authority.revoke(certificate.serial_number, "keyCompromise"))

    def new_stamping_unit(self) -> None:
        """Give the time stamp authority a new key and certificate."""

        def act() -> None:
            self.authority._services.pop("tsa")
            (self.sandbox.ca.folder / "service-tsa.pem").unlink()

        self.do(act)

    def close(self) -> None:
        self.run(self.sandbox.__aexit__(None, None, None))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@contextmanager
def trust_services(folder: Path, clock: HandClock) -> Iterator[Trust]:
    trust = Trust(folder, clock)
    try:
        yield trust
    finally:
        if trust._thread.is_alive():
            trust.close()


def configure(folder: Path, trust: Trust) -> tuple[str, dict[str, Credential]]:
    """Write the keys of people; return their `[[signer]]` tables and who they are."""
    (folder / "keys").mkdir(parents=True)
    made = {code: trust.issue(name) for code, (name, _, _) in PEOPLE.items()}
    for code, one in made.items():
        (folder / "keys" / f"{code}.p12").write_bytes(one.pkcs12(PASSWORD))
    tables = "".join(
        SIGNER.format(code=code, name=name, role=role, licence=licence)
        for code, (name, role, licence) in PEOPLE.items()
    )
    return tables, made


class ProvingWard:
    """A gateway without sockets, its people, and those whom it asks."""

    def __init__(
        self,
        folder: Path,
        url: str,
        clock: HandClock,
        trust: Trust,
        *,
        level: str = "B-LT",
        policies: str = DOCTOR_HEAD_SEAL,
        proof: str = "",
        more: str = "",
        **site: Any,
    ) -> None:
        signers, self.people = configure(folder, trust)
        own = f"\n[proof]\n{proof}" + AUTHORITY.format(url=trust.tsa_url, policy=POLICY) + more
        authority: Any = trust
        self.clock = clock
        self.trust = trust
        self.desk = Desk(
            folder, url, clock, ca=authority, signers=signers + own, policies=policies.format(level=level), **site
        )
        self.plan = self.desk.plan

    def work(self) -> None:
        """Do everything that is due: map, compose, seal, stamp, ask, complete."""

        async def run() -> None:
            sources, pipeline, desk, _ = self._parts()
            while await pipeline.take() | await desk.take():
                await pipeline.drain()
                await desk.drain()
            await sources.close()

        asyncio.run(run())

    def renew(self) -> int:
        async def run() -> int:
            sources, _, _, renewal = self._parts()
            try:
                return await renewal.due()
            finally:
                await sources.close()

        return asyncio.run(run())

    def _parts(self) -> tuple[Sources, Pipeline, ProofDesk, Renewal]:
        pool: Any = Inline()
        shared = (self.plan, self.desk.store, pool, self.clock, "n1")
        sources = Sources(self.plan, self.clock)
        desk = ProofDesk(*shared, sources=sources, ring=lambda: None)
        pipeline = Pipeline(*shared, ring=lambda: None, parallel=1, proofs=desk)
        return sources, pipeline, desk, Renewal(*shared, sources=sources)

    def send(self, raw: bytes) -> None:
        assert self.desk.ask(raw).positive
        self.clock.forward(1)
        self.work()

    def sign(self, code: str) -> Outcome:
        key = self.plan.signers[code].key
        assert key is not None
        sitting = Run(
            self.plan, self.desk.store, self.clock, code, open_key(key.kind, key.options), "lan", "PC-12",
            may_sign=lambda *_, **__: None,
        )  # fmt: skip
        return sitting.sign()

    def read(self, query: Callable[..., T], *arguments: Any) -> T:
        return self.desk.store.read_now(lambda connection: query(connection, *arguments))

    def rows(self) -> list[Any]:
        return self.read(documents.listing)[::-1]

    def file(self, row: Any, kind: str = "cda") -> bytes:
        (kept,) = self.read(documents.renditions, row.id, kind)
        return self.desk.keyring.open(kept.body, f"{row.id}/{kind}")

    def proofs(self, row: Any) -> list[tuple[str, str, str]]:
        return [(one.kind, one.role, one.state) for one in self.read(proofs.of_document, row.id)]

    def deliveries(self, row: Any) -> list[str]:
        return [one.state for one in self.desk.store.read_now(lambda c: deliveries.listing(c, document_id=row.id))]

    def waits_for(self, code: str) -> list[Any]:
        return self.desk.store.read_now(
            lambda c: signing_tasks.work_list(c, self.plan, code, self.clock.now(), ready=True)
        )


Make = Callable[..., ProvingWard]
"""The fixture `ward`."""
