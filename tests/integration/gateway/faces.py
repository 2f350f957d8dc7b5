"""The gateway's faces over real sockets, on a small hospital whose people can sign."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import SimpleQueue
from threading import Thread

import httpx
from cryptography.hazmat.primitives.serialization import Encoding

from conformance.sandbox.ca import DemoCA, Identity
from gateway.api import web
from gateway.certificates import binding
from gateway.certificates.desk import Desk as Certificates
from gateway.clock import SystemClock
from gateway.settings import Plan
from gateway.signing_relay import Relay
from gateway.verification import Verifier
from signing.certificates import load_roots
from tests.conftest import HandClock
from tests.integration.gateway.certificates import Register
from tests.integration.gateway.desk import Desk
from tests.integration.gateway.test_papers import FOLDER

HOST = "cong.benhvien.example"
TOKENS = {
    "BS1": "token-of-the-doctor-0001",
    "TK1": "token-of-the-head-000002",
    "his": "token-of-the-his-0000003",
    "portal": "token-of-the-portal-0004",
}
PEOPLE = {"BS1": ("Lê Quang Minh", "treating_doctor", "doctor"), "TK1": ("Đỗ Thị Năm", "head_of_department", "head")}
POLICY = """
[[policy]]
[[policy.step]]
name = "doctor"
role = "treating_doctor"
[[policy.step]]
name = "head"
role = "head_of_department"
may_be_skipped_by = ["treating_doctor"]
[[policy.step]]
role = "seal"
"""
SETTINGS = f"""
[http]
listen = "127.0.0.1:0"
tls = "none"
hosts = ["{HOST}"]
online = false
max_size = "2MB"

[[api.client]]
name = "his"
token = "secret:his"
may = ["certs", "sign", "verify"]

[[api.client]]
name = "portal"
token = "secret:portal"
may = ["verify"]
"""


class House:
    """A ledger with people of the register, a paper that waits, and what stands on the net."""

    def __init__(
        self,
        folder: Path,
        *,
        policies: str = POLICY,
        url: str = "",
        settings: str = SETTINGS,
        files: bool = False,
        more: Mapping[str, str] = {},
    ) -> None:
        (folder / "secrets").mkdir(parents=True)
        for name, token in TOKENS.items():
            (folder / "secrets" / name).write_text(token)
        self.ca = DemoCA(folder / "ca")
        if files:  # for TLS
            (folder / "keys").mkdir()
            server = self.ca.issue_server(("127.0.0.1", "localhost"))
            (folder / "keys" / "web.pem").write_bytes(server.pem)
            (folder / "keys" / "web.key").write_bytes(server.key_pem)
        self.people: dict[str, Identity] = {}
        self.label = ""
        tables = settings
        for code, (name, role, _) in PEOPLE.items():
            self.people[code] = self.ca.issue(name)
            licence = "000123/HNO-CCHN" if code == "BS1" else ""
            tables += (
                f'\n[[signer]]\ncode = "{code}"\nname = "{name}"\nroles = ["{role}"]\nlicence = "{licence}"\n'
                f'token = "secret:{code}"\n{more.get(code, "")}\n'
            )
        self.clock = HandClock(SystemClock().now() - 60_000_000)
        self.desk = Desk(
            folder,
            url or f"sqlite:///{folder}/ledger.db",
            self.clock,
            destinations=FOLDER,
            policies=policies,
            signers=tables,
            ca=self.ca,
        )
        self.register = Register(self.desk.store, self.clock)
        for code in PEOPLE:
            self.enrol(code)

    @property
    def plan(self) -> Plan:
        return self.desk.plan

    def enrol(self, code: str) -> None:
        """Put a person and an active certificate into the register."""
        name, _, role = PEOPLE[code]
        register, roots = self.register, load_roots(self.plan.signing.trust)
        data = self.people[code].certificate.public_bytes(Encoding.PEM)
        register.holder(code, name, roles=role)
        found = register.requested(code)
        register.step("approve", found)
        register.do(lambda c: binding.issue(c, register.get(found), data, roots, register.act()))
        register.hand_over(found)
        register.commit(code)
        register.step("activate", found)

    @contextmanager
    def open(self) -> Iterator[str]:
        """Serve on a free port; give the address of the pages."""
        plan, store, clock = self.plan, self.desk.store, SystemClock()
        verifier = Verifier(plan, store, clock)
        app = web.build(plan, Relay(plan, store, clock), verifier, Certificates(plan, store, clock), clock)
        ready: SimpleQueue[str] = SimpleQueue()
        loop = asyncio.new_event_loop()
        serving = loop.create_task(web.run(plan, app, ready.put))

        def run() -> None:
            with suppress(asyncio.CancelledError):
                loop.run_until_complete(serving)
            loop.run_until_complete(loop.shutdown_default_executor())
            loop.close()

        thread = Thread(target=run)
        thread.start()
        try:
            yield f"http://{ready.get(timeout=20)}"
        finally:
            loop.call_soon_threadsafe(serving.cancel)
            thread.join(timeout=20)
            verifier.close()


@contextmanager
def browser(address: str, **headers: str) -> Iterator[httpx.Client]:
    """Be a browser without a screen: asks for pages, keeps cookies, says where it comes from."""
    said = {"Accept": "text/html,*/*;q=0.8", "Origin": address, "Sec-Fetch-Site": "same-origin", **headers}
    with httpx.Client(base_url=address, headers=said, trust_env=False, follow_redirects=True, timeout=60) as client:
        yield client


@contextmanager
def program(address: str, name: str = "his", **headers: str) -> Iterator[httpx.Client]:
    """Be a program with a token."""
    said = {"Authorization": f"Bearer {TOKENS[name]}", **headers}
    with httpx.Client(base_url=address, headers=said, trust_env=False, timeout=60) as client:
        yield client
