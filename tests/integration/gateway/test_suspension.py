"""A certificate is suspended in the middle of the day: what stops, what stays; nothing signed later passes anywhere."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from conformance.sandbox.ca import Identity
from conformance.sandbox.holders import Credential, Holder
from gateway import signing_run, signing_tasks, steps
from gateway.certificates import binding
from gateway.certificates.register import find, suspend
from gateway.clock import SystemClock, to_datetime
from gateway.faults import CertificateSuspended
from gateway.store import deliveries, documents
from gateway.store import signing_tasks as tasks
from signing import faults, joint
from signing.certificates import load_roots
from signing.contract import ToSign
from signing.keys import open_key
from signing.revocation_client import RevocationClient
from signing.validation import Trust, validate
from signing.verdict import TIME_CLAIMED, Report
from tests.conftest import HandClock
from tests.integration.gateway.certificates import Register
from tests.integration.gateway.desk import Desk
from tests.integration.gateway.test_papers import FOLDER, discharge, rows
from tests.integration.sandbox.peer import AxisClient, CoordinationClient
from tests.remote_service import RemoteService, remote_service
from tests.site import GLN, PASSWORD, cli

PEOPLE = {
    "BS1": ("Lê Quang Minh", "treating_doctor", "doctor"),
    "TK1": ("Đỗ Thị Năm", "head_of_department", "head"),
    "PTK1": ("Ngô Văn Sáu", "deputy_head", "other"),
}
SIGNER = """
[[signer]]
code = "{code}"
name = "{name}"
roles = ["{role}"]
licence = "{licence}"
key = {{ kind = "pkcs12", file = "keys/{code}.p12", password = "secret:keys" }}
"""
POLICY = """
[[policy]]
[[policy.step]]
name = "doctor"
role = "treating_doctor"
[[policy.step]]
name = "head"
role = "head_of_department"
[[policy.step]]
role = "seal"
[[delegation]]
of = "TK1"
to = "PTK1"
role = "head_of_department"
since = {since}
until = {until}
"""


@pytest.fixture(scope="module")
def service() -> Iterator[RemoteService]:
    with remote_service() as running:
        yield running


@dataclass
class Hospital:
    """A gateway whose people have certificates of the sandbox's authority, and one paper in each state."""

    desk: Desk
    register: Register
    service: RemoteService
    head: Credential
    folder: Path
    ids: dict[str, str] = field(default_factory=dict)

    def sitting(self, code: str) -> signing_run.Run:
        key = self.desk.plan.signers[code].key
        assert key is not None
        opened = open_key(key.kind, key.options)
        return signing_run.Run(self.desk.plan, self.desk.store, self.desk.clock, code, opened, "lan", "PC-1")

    def sign(self, code: str) -> signing_run.Outcome:
        return self.sitting(code).sign()

    def tasks(self, row: Any) -> list[tuple[str, str]]:
        return [(one.step, one.state) for one in self.desk.store.read_now(lambda c: tasks.of_document(c, row.id))]

    def body(self, row: Any) -> bytes:
        (kept,) = self.desk.store.read_now(lambda c: documents.renditions(c, row.id, "cda"))
        return self.desk.keyring.open(kept.body, f"{row.id}/cda")

    def outside(self, body: bytes, at: datetime) -> bytes:
        """Sign as the head with functions alone, past the desk, and claim `at`."""
        key = self.sitting("TK1").key
        prepared = joint.prepare(body, key.chain[0], at, role="head_of_department", algorithm=key.algorithms[0])
        (value,) = key.sign_hashes([ToSign(prepared.digest)], prepared.algorithm)
        assert isinstance(value, bytes)
        return joint.finish(prepared, value, key.chain)

    def verdict(self, body: bytes) -> Report:
        """Judge as a stranger does who asks the issuer now."""
        with httpx.Client(trust_env=False) as client:
            roots = load_roots(self.desk.plan.signing.trust)
            return validate(body, Trust(roots, ask=RevocationClient(client)), to_datetime(self.desk.clock.now()))

    def offer(self, scene: Callable[[httpx.AsyncClient], Awaitable[Any]]) -> Any:
        async def run() -> Any:
            async with httpx.AsyncClient(trust_env=False) as http:
                return await scene(http)

        return asyncio.run(run())

    def coordination(self, body: bytes) -> tuple[int, str]:
        async def scene(http: httpx.AsyncClient) -> tuple[int, str]:
            client = CoordinationClient(self.service.sandbox, http)
            await client.login()
            answer = await client.send(body, str(uuid.uuid4()))
            return answer.status_code, answer.json().get("code", "")

        found: tuple[int, str] = self.offer(scene)
        return found

    def axis(self, body: bytes) -> tuple[str, str]:
        """Push a paper to the axis; return its verdict and code."""
        sandbox = self.service.sandbox
        transport: Identity = sandbox.ca.issue("Khóa truyền")
        sandbox.register(GLN, transport.pem)

        async def scene(http: httpx.AsyncClient) -> None:
            client = AxisClient(sandbox, http, transport)
            await client.login()
            await client.push(client.envelope(body))

        self.offer(scene)
        record = sandbox.records.all("moh_axis")[-1]
        return record.verdict.value, record.code

    def suspend(self) -> Any:
        """Take the head's certificate out of use here and at its authority, from now."""
        self.desk.clock.forward(2)
        at = to_datetime(self.desk.clock.now())
        stopped = self.register.do(
            lambda c: suspend(c, find(c, self.ids["TK1"]), self.register.act("mất token"), signing_tasks.stop_tasks)
        )
        self.service.sandbox.authority.suspend(self.head.certificate.serial_number, at)
        self.desk.clock.forward(2)
        return stopped


@pytest.fixture
def hospital(tmp_path: Path, service: RemoteService) -> Hospital:
    folder = tmp_path / "config"
    (folder / "keys").mkdir(parents=True)
    made, tables = {}, ""
    for code, (name, role, _) in PEOPLE.items():
        made[code] = service.sandbox.authority.issue(Holder(name), "ec256")
        (folder / "keys" / f"{code}.p12").write_bytes(made[code].pkcs12(PASSWORD))
        licence = "000123/HNO-CCHN" if code == "BS1" else ""
        tables += SIGNER.format(code=code, name=name, role=role, licence=licence)
    clock = HandClock(SystemClock().now() - 120_000_000)  # what is done here lies in the past of the authority
    today = date.today()  # noqa: DTZ011 - wide enough for every zone
    policy = POLICY.format(since=today - timedelta(days=2), until=today + timedelta(days=2))
    url = f"sqlite:///{folder}/ledger.db"
    desk = Desk(folder, url, clock, destinations=FOLDER, policies=policy, signers=tables, ca=service.sandbox.ca)
    register = Register(desk.store, clock)
    found = Hospital(desk, register, service, made["TK1"], folder)
    roots = load_roots(desk.plan.signing.trust)
    for code, (name, _, role) in PEOPLE.items():
        register.holder(code, name, roles=role)
        certificate_id = found.ids[code] = register.requested(code)
        register.step("approve", certificate_id)
        chain = (made[code].certificate, *made[code].chain)
        pem = b"".join(one.public_bytes(Encoding.PEM) for one in chain)
        register.do(lambda c, i=certificate_id, p=pem: binding.issue(c, register.get(i), p, roots, register.act()))
        register.hand_over(certificate_id)
        register.commit(code)
        register.step("activate", certificate_id)
    desk.send(discharge("1"))
    return found


def test_tasks_of_the_holder_stop_and_a_deputy_takes_over(hospital: Hospital) -> None:
    (row,) = rows(hospital.desk)
    assert hospital.sign("BS1").signed == 1
    head = next(
        one for one in hospital.desk.store.read_now(lambda c: tasks.of_document(c, row.id)) if one.step == "head"
    )
    far = hospital.desk.clock.now() + 3_600_000_000
    hospital.desk.write(lambda c, _: tasks.claim(c, head.id, "a run that was under way", far, "TK1"))
    assert hospital.suspend().tasks == 1
    assert hospital.tasks(row)[1] == ("head", "ready"), "what was being signed is free again"
    outcome = hospital.sign("TK1")
    assert (outcome.signed, [type(fault) for _, fault in outcome.failed]) == (0, [CertificateSuspended])
    assert hospital.tasks(row)[1] == ("head", "ready")
    (waiting,) = hospital.desk.store.read_now(lambda c: tasks.open_tasks(c, states=("ready",)))
    waits_for = signing_tasks.candidates(hospital.desk.plan, waiting, hospital.desk.clock.now())
    assert set(waits_for) == {"TK1", "PTK1"}, "whom the paper waits for can be told"
    assert hospital.sign("PTK1").signed == 1
    hospital.desk.work()
    assert rows(hospital.desk)[0].state == "signed"


def test_signatures_before_stay_valid_and_are_delivered(hospital: Hospital) -> None:
    (row,) = rows(hospital.desk)
    assert [hospital.sign(code).signed for code in ("BS1", "TK1")] == [1, 1]
    hospital.suspend()
    hospital.desk.work()  # the seal comes after the suspension
    (row,) = rows(hospital.desk)
    assert row.state == "signed"
    report = hospital.verdict(hospital.body(row))
    assert (report.verdict, report.reasons) == ("valid", ())
    assert [one.signer.name for one in report.signers][1] == PEOPLE["TK1"][0]
    assert hospital.coordination(hospital.body(row))[0] == 201
    assert hospital.axis(hospital.body(row))[0] == "accepted"


def test_what_is_signed_later_passes_nowhere(hospital: Hospital, tmp_path: Path) -> None:
    (row,) = rows(hospital.desk)
    assert hospital.sign("BS1").signed == 1
    hospital.suspend()
    forged = hospital.outside(hospital.body(row), to_datetime(hospital.desk.clock.now()))

    report = hospital.verdict(forged)
    assert (report.verdict, [one.code for one in report.reasons]) == ("invalid", [faults.CertificateSuspended.code])
    assert report.covers == ()
    file = tmp_path / "forged.xml"
    file.write_bytes(forged)
    done = cli("verify", str(file), "--trust", str(hospital.folder / "keys" / "ca.pem"))
    assert (done.returncode, "LT5071" in done.stdout) == (1, True)

    assert hospital.coordination(forged) == (422, "SIGNATURE_INVALID")
    assert hospital.axis(forged) == ("refused", "PS_DS_CA_SIGNATURE_INVALID")


def smuggle(hospital: Hospital, row: Any, body: bytes, **signature: Any) -> None:
    """Do what somebody could do who writes to the ledger and has its keys: put a signed paper where the seal is next."""
    now = hospital.desk.clock.now()

    def write(connection: Any, keyring: Any) -> None:
        sealed = keyring.seal(body, f"{row.id}/cda")
        documents.put_rendition(connection, row.id, "cda", steps.media_type("cda"), body, sealed, signed=False)
        (head,) = [one for one in tasks.of_document(connection, row.id) if one.step == "head"]
        tasks.move(connection, head.id, "sign", signed_at=now, signer="TK1")
        if signature:
            documents.put_signature(
                connection, row.id, "cda", sha256="", signer="", role="head_of_department", **signature
            )
        signing_tasks.go_on(connection, hospital.desk.plan, row.id, None, now)

    hospital.desk.write(write)
    hospital.desk.work()


def test_the_node_seals_nothing_that_its_desk_did_not_sign(hospital: Hospital) -> None:
    (row,) = rows(hospital.desk)
    assert hospital.sign("BS1").signed == 1
    before = to_datetime(hospital.desk.clock.now())
    hospital.suspend()
    smuggle(hospital, row, hospital.outside(hospital.body(row), before))
    (row,) = rows(hospital.desk)
    assert (row.state, row.fault_code, row.fault_detail) == ("error", 5139, "2 signatures, 1 recorded")
    sent = hospital.desk.store.read_now(lambda c: deliveries.listing(c, document_id=row.id))
    assert {one.state for one in sent} == {"error"}


def test_nor_what_was_recorded_with_a_certificate_out_of_use(hospital: Hospital) -> None:
    (row,) = rows(hospital.desk)
    assert hospital.sign("BS1").signed == 1
    hospital.suspend()
    now = hospital.desk.clock.now()
    fingerprint = hospital.register.get(hospital.ids["TK1"]).sha256
    smuggle(
        hospital,
        row,
        hospital.outside(hospital.body(row), to_datetime(now)),
        certificate=fingerprint,
        holder="TK1",
        at=now,
    )
    (row,) = rows(hospital.desk)
    assert (row.fault_code, row.fault_detail) == (5139, "certificate suspended when head_of_department signed")


def test_a_moment_that_is_only_claimed_is_said_to_be_so(hospital: Hospital) -> None:
    """Without a time stamp nobody can tell a backdated signature by itself: the verdict warns, the node is not fooled."""
    (row,) = rows(hospital.desk)
    assert hospital.sign("BS1").signed == 1
    before = to_datetime(hospital.desk.clock.now())
    hospital.suspend()
    report = hospital.verdict(hospital.outside(hospital.body(row), before))
    assert report.verdict == "valid"
    assert TIME_CLAIMED in {one.code for one in report.warnings}


def test_a_resumed_certificate_signs_again(hospital: Hospital) -> None:
    assert hospital.sign("BS1").signed == 1
    hospital.suspend()
    assert hospital.sign("TK1").signed == 0
    hospital.register.step("resume", hospital.ids["TK1"], reason="tìm thấy")
    hospital.service.sandbox.authority.resume(hospital.head.certificate.serial_number)
    assert hospital.sign("TK1").signed == 1
    hospital.desk.work()
    (row,) = rows(hospital.desk)
    assert hospital.verdict(hospital.body(row)).verdict == "valid"
    assert to_datetime(row.signed_at) <= datetime.now(UTC)
