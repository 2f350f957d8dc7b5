"""A register with somebody in it, in the hand of a test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy.engine import Connection

from gateway.certificates import binding, register
from gateway.certificates.register import Act
from gateway.clock import to_datetime
from gateway.store import certificates as rows
from gateway.store.engine import Store, open_store
from gateway.store.ids import uuid7
from signing.testing import Authority, new_rsa_key
from tests.conftest import HandClock

T = TypeVar("T")
ROOT = Authority.root()
KEY: rsa.RSAPrivateKey = new_rsa_key()
NAME = "Nguyễn Văn An"
DAY = 86_400


@dataclass
class Register:
    """Steps as a person takes them, one transaction each."""

    store: Store
    clock: HandClock
    stopped: list[str] = field(default_factory=list)

    def do(self, step: Callable[..., T], *arguments: Any, **options: Any) -> T:
        return self.store.write_now(lambda connection: step(connection, *arguments, **options))

    def act(self, reason: str = "theo quyết định") -> Act:
        return Act("lan", reason, self.clock.now())

    def get(self, certificate_id: str) -> Any:
        return self.store.read_now(lambda connection: rows.get(connection, certificate_id))

    def step(self, name: str, certificate_id: str, *, reason: str = "theo quyết định", **options: Any) -> Any:
        """Take one step of `register` on a certificate."""
        self.clock.forward(1)
        if name in ("suspend", "revoke"):
            options["stop"] = self.stop

        def unit(connection: Connection) -> Any:
            return getattr(register, name)(
                connection, register.find(connection, certificate_id), self.act(reason), **options
            )

        return self.store.write_now(unit)

    def stop(self, _connection: Connection, row: Any, _act: Act) -> int:
        """Be a desk with two tasks of everybody."""
        self.stopped.append(row.id)
        return 2

    def holder(self, code: str = "NV001", name: str = NAME, kind: str = "person", roles: str = "doctor") -> Any:
        values = {
            "kind": kind,
            "code": code,
            "name": name,
            "roles": roles,
            "private": b"",
            "listed": True,
            "recorded_at": self.clock.now(),
        }
        self.do(rows.put_holder, uuid7(), values)
        return self.store.read_now(lambda connection: rows.holder_of(connection, code))

    def certificate(self, name: str = NAME, days: float = 365, **options: Any) -> bytes:
        now = to_datetime(self.clock.now())
        return pem(name, not_before=now - timedelta(days=1), not_after=now + timedelta(days=days), **options)

    def issue(self, certificate_id: str, data: bytes, **options: Any) -> Any:
        def unit(connection: Connection) -> Any:
            row = register.find(connection, certificate_id)
            return binding.issue(connection, row, data, (ROOT.certificate,), self.act(), **options)

        return self.store.write_now(unit)

    def requested(self, code: str = "NV001", **options: Any) -> str:
        who = self.store.read_now(lambda connection: rows.holder_of(connection, code)) or self.holder(code, **options)
        return self.do(register.request, who.id, self.act())

    def issued(self, code: str = "NV001", days: float = 365) -> str:
        """Issue a certificate of somebody, who becomes An when nobody has the code."""
        certificate_id = self.requested(code)
        self.step("approve", certificate_id)
        self.issue(certificate_id, self.certificate(self.get(certificate_id).holder_name, days=days))
        return certificate_id

    def hand_over(self, certificate_id: str, **options: Any) -> None:
        on = register.today(self.clock.now())
        given: dict[str, Any] = {"on": on, "device_serial": "T-1", "handed_by": "Lê Thị Lan"}
        self.step("hand_over", certificate_id, **(given | options))

    def commit(self, code: str = "NV001") -> None:
        who = self.store.read_now(lambda connection: rows.holder_of(connection, code))
        self.do(register.commit, who, self.act(), on=register.today(self.clock.now()), reference="Tủ 3, số 12")

    def active(self, code: str = "NV001", days: float = 365) -> str:
        certificate_id = self.issued(code, days)
        self.hand_over(certificate_id)
        self.commit(code)
        self.step("activate", certificate_id)
        return certificate_id


@contextmanager
def a_register(store_url: str, clock: HandClock) -> Iterator[Register]:
    store = open_store(store_url)
    try:
        yield Register(store, clock)
    finally:
        store.close()


def pem(name: str = NAME, *, root: Authority = ROOT, key: rsa.RSAPrivateKey = KEY, **options: Any) -> bytes:
    made = root.issue(name, private_key=key, **options)
    return made.chain[0].public_bytes(Encoding.PEM)


def leaf(data: bytes) -> x509.Certificate:
    return x509.load_pem_x509_certificate(data)
