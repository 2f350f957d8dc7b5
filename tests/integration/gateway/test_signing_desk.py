"""The desk: several people and the seal, in order, with every way it can go wrong."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy.engine import Connection

from conformance.sandbox.ca import DemoCA
from gateway import papers, renderings, repair, signing_run, signing_tasks
from gateway.certificates import binding, permission
from gateway.certificates.register import suspend
from gateway.clock import SECOND, SystemClock, to_datetime
from gateway.faults import NotYourTurn, ReasonMissing, SignerNotEntitled, SignerUnknown, SkipNotAllowed, TaskGone
from gateway.signing_run import Outcome, Progress, Run
from gateway.store import actions, deliveries, documents
from gateway.store import signing_tasks as tasks
from mappings.formats.faults import SigningFault
from signing.certificates import load_roots
from signing.faults import KeyUnavailable
from signing.keys import open_key
from signing.validation import Trust, validate
from signing.verdict import DOCUMENT
from tests.conftest import HandClock
from tests.integration.gateway.certificates import Register
from tests.integration.gateway.desk import Desk
from tests.integration.gateway.test_papers import FOLDER, change, discharge, rows, states, waiting
from tests.site import PASSWORD

HOUR = 3600 * SECOND

PEOPLE = {
    "BS1": ("Lê Quang Minh", ["treating_doctor"], 'licence = "000123/HNO-CCHN"'),
    "BS2": ("Trần Văn Hai", ["treating_doctor"], ""),
    "DD1": ("Phạm Thị Ba", ["nurse"], ""),
    "KTV1": ("Võ Văn Bốn", ["technician"], ""),
    "TK1": ("Đỗ Thị Năm", ["head_of_department"], 'departments = ["K1"]'),
    "TK2": ("Ngô Văn Sáu", ["head_of_department"], 'departments = ["K2"]'),
    "GD1": ("Bùi Thị Bảy", ["director"], ""),
    "PGD1": ("Lý Văn Tám", ["deputy"], ""),
}

DOCTOR_HEAD_SEAL = """
[[policy]]

[[policy.step]]
name = "doctor"
role = "treating_doctor"

[[policy.step]]
name = "head"
role = "head_of_department"
within = "4d"
may_be_skipped_by = ["director"]

[[policy.step]]
name = "director"
role = "director"
when = ["death", "patient_request"]
in_person = ["death"]

[[policy.step]]
role = "seal"

[[delegation]]
of = "GD1"
to = "PGD1"
role = "director"
since = 2026-09-01
until = 2026-09-30
"""

WARD = """
[[policy]]
[[policy.step]]
name = "ward"
parallel = [{ role = "nurse" }, { role = "technician", optional = true }]
[[policy.step]]
role = "seal"
"""


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> tuple[DemoCA, dict[str, bytes]]:
    """An authority, and the keys of those who sign."""
    ca = DemoCA(tmp_path_factory.mktemp("ca"))
    since = datetime(2026, 1, 1, tzinfo=UTC)
    return ca, {code: ca.issue(name, not_before=since).pkcs12(PASSWORD) for code, (name, _, _) in PEOPLE.items()}


def everybody_may(*_: Any, **__: Any) -> None:
    """Be a register in which everything is in order."""


@dataclass
class Ward:
    """A gateway and the people who sign in it."""

    desk: Desk

    def sign(self, code: str, **options: Any) -> Outcome:
        return self.sitting(code).sign(**options)

    def sitting(self, code: str, **options: Any) -> Run:
        plan = self.desk.plan
        key = plan.signers[code].key
        assert key is not None
        opened = options.pop("key", None) or open_key(key.kind, key.options)
        options.setdefault("may_sign", everybody_may)
        return Run(plan, self.desk.store, self.desk.clock, code, opened, "lan", "PC-12", **options)

    def tasks(self, row: Any) -> list[tuple[str, str]]:
        found = self.desk.store.read_now(lambda c: tasks.of_document(c, row.id))
        return [(one.step, one.state) for one in found]

    def ready(self, code: str) -> list[Any]:
        now = self.desk.clock.now()
        return self.desk.store.read_now(lambda c: signing_tasks.work_list(c, self.desk.plan, code, now, ready=True))

    def listed(self, code: str) -> list[Any]:
        now = self.desk.clock.now()
        return self.desk.store.read_now(lambda c: signing_tasks.work_list(c, self.desk.plan, code, now))

    def act(self, act: Callable[..., Any], task: str, code: str, reason: str = "chưa đúng") -> Any:
        now = self.desk.clock.now()
        return self.desk.store.write_now(lambda c: act(c, self.desk.plan, task, code, reason, "lan", now))

    def signatures(self, row: Any) -> list[Any]:
        found = self.desk.store.read_now(lambda c: documents.signatures(c, row.id))
        return [one for one in found if one.kind == "cda"]

    def body(self, row: Any, kind: str = "cda") -> tuple[bytes, bool]:
        (kept,) = self.desk.store.read_now(lambda c: documents.renditions(c, row.id, kind))
        return self.desk.keyring.open(kept.body, f"{row.id}/{kind}"), kept.signed

    def names(self, file: bytes) -> list[str]:
        """Verify a file as anybody may, and name who signed it."""
        roots = tuple(load_roots(self.desk.plan.signing.trust))
        judged = validate(file, Trust(roots), max(datetime.now(UTC), to_datetime(self.desk.clock.now())))
        assert judged.verdict == "valid", judged.reasons
        assert DOCUMENT in {covered.part for covered in judged.covers}
        return [one.signer.name for one in judged.signers]

    def tell(self) -> int:
        now = self.desk.clock.now()
        return len(self.desk.store.write_now(lambda c: signing_tasks.tell(c, self.desk.plan, now)))


class Interrupted:
    """A key before whose first signature something happens."""

    def __init__(self, key: Any, happens: Callable[[], None]) -> None:
        self.chain, self.algorithms = key.chain, key.algorithms
        self._key = key
        self._happens = happens

    def sign_hashes(self, documents: Any, algorithm: str = "") -> Iterator[bytes]:
        assert all(one.title and "<html" in one.html() for one in documents), "who signs sees the paper"
        self._happens()
        yield from self._key.sign_hashes(documents, algorithm)


Make = Callable[..., Ward]


@pytest.fixture
def ward(tmp_path: Path, store_url: str, clock: HandClock, people: tuple[DemoCA, dict[str, bytes]]) -> Make:
    def make(policies: str = DOCTOR_HEAD_SEAL, destinations: str = FOLDER, *, today: bool = False, **site: Any) -> Ward:
        if today:  # certificates of the test are no older
            clock.at = SystemClock().now()
        ca, keys = people
        folder = tmp_path / "site-of-test"
        (folder / "keys").mkdir(parents=True)
        tables = ""
        for code, (name, roles, more) in PEOPLE.items():
            (folder / "keys" / f"{code}.p12").write_bytes(keys[code])
            tables += (
                f'\n[[signer]]\ncode = "{code}"\nname = "{name}"\nroles = {roles}\n{more}\n'
                f'key = {{ kind = "pkcs12", file = "keys/{code}.p12", password = "secret:keys" }}\n'
            ).replace("'", '"')
        return Ward(
            Desk(folder, store_url, clock, destinations=destinations, policies=policies, signers=tables, ca=ca, **site)
        )

    return make


def test_doctor_then_head_then_the_seal(ward: Make) -> None:
    here = ward(today=True)
    here.desk.send(discharge("1"))
    (row,) = rows(here.desk)
    assert row.state == "signing"
    assert here.tasks(row) == [("doctor", "ready"), ("head", "waiting"), ("seal", "waiting")]
    assert waiting(here.desk, row) == ["awaiting"]
    assert [here.sign(code).signed for code in ("TK1", "GD1", "BS2", "BS1")] == [0, 0, 0, 1]
    assert here.tasks(row) == [("doctor", "signed"), ("head", "ready"), ("seal", "waiting")]
    assert waiting(here.desk, row) == ["awaiting"]
    assert here.sign("TK2").signed == 0, "another department"
    assert here.sign("TK1").signed == 1
    assert here.tasks(row) == [("doctor", "signed"), ("head", "signed"), ("seal", "ready")]
    here.desk.work()
    assert states(here.desk) == [("make", 1, "signed")]
    assert here.tasks(row)[-1] == ("seal", "signed")
    assert waiting(here.desk, row) == ["queued"]
    kept = here.signatures(row)
    assert [(one.number, one.role, one.holder) for one in kept] == [
        (1, "treating_doctor", "BS1"),
        (2, "head_of_department", "TK1"),
        (3, "seal", ""),
    ]
    assert [(one.account, one.workstation) for one in kept[:2]] == [("lan", "PC-12")] * 2
    final, signed = here.body(row)
    assert signed
    assert here.names(final) == ["Lê Quang Minh", "Đỗ Thị Năm", "Bệnh viện Đa khoa Thử Nghiệm"]
    done = here.desk.store.read_now(lambda c: actions.of_target(c, row.id))
    assert [(one.actor, one.verb, one.reason) for one in done] == [
        ("BS1 (lan)", "sign", "treating_doctor"),
        ("TK1 (lan)", "sign", "head_of_department"),
    ]


def test_what_each_person_signed_can_be_proved(ward: Make) -> None:
    here = ward(today=True)
    here.desk.send(discharge("1"))
    (row,) = rows(here.desk)
    here.sign("BS1")
    (kept,) = here.signatures(row)
    whole = here.desk.store.read_now(lambda c: signing_tasks.whole_now(c, here.desk.plan, row.id))
    assert whole is not None
    assert here.names(whole) == ["Lê Quang Minh"]
    assert kept.sha256 == hashlib.sha256(whole).hexdigest()


def test_the_page_shows_the_block_of_everybody_who_signed(ward: Make) -> None:
    here = ward(today=True)
    here.desk.send(discharge("1"))
    for code in ("BS1", "TK1"):
        here.sign(code)
    here.desk.work()
    row = rows(here.desk)[0]
    source = here.desk.store.read_now(lambda c: renderings.stored(c, here.desk.plan, row))
    assert [(one.slot, one.name) for one in source.options.signatures] == [
        ("professional", "Lê Quang Minh"),
        ("other", "Đỗ Thị Năm"),
        ("legal", "Bệnh viện Đa khoa Thử Nghiệm"),
    ]
    _, made = renderings.render(source, "html")
    for name in ("Lê Quang Minh", "Đỗ Thị Năm", "Bệnh viện Đa khoa Thử Nghiệm"):
        assert name in made.decode()


def test_without_policies_the_node_seals_at_once(ward: Make) -> None:
    here = ward("")
    here.desk.send(discharge("1"))
    (row,) = rows(here.desk)
    assert row.state == "signed"
    assert here.tasks(row) == [("seal", "signed")]
    assert waiting(here.desk, row) == ["queued"]


def test_wrong_order_role_person_and_code_are_told_and_nothing_is_signed(ward: Make) -> None:
    here = ward()
    here.desk.send(discharge("1"))
    (row,) = rows(here.desk)
    doctor, head = here.listed("BS1")[0].id, here.listed("TK1")[0].id
    for code, task, fault in (
        ("TK1", head, NotYourTurn),
        ("BS2", doctor, SignerNotEntitled),
        ("DD1", doctor, SignerNotEntitled),
        ("TK2", head, SignerNotEntitled),
    ):
        with pytest.raises(fault):
            here.sign(code, tasks=[task])
    with pytest.raises(SignerUnknown):
        here.act(signing_tasks.refuse, doctor, "XX9")
    here.sign("BS1")
    with pytest.raises(TaskGone):
        here.sign("BS1", tasks=[doctor])
    assert [one.role for one in here.signatures(row)] == ["treating_doctor"]
    assert waiting(here.desk, row) == ["awaiting"]


def test_a_certificate_that_may_not_sign_stops_it(ward: Make) -> None:
    here = ward()
    here.desk.send(discharge("1"))
    (row,) = rows(here.desk)
    asked: list[tuple[str, str]] = []

    class Suspended(SigningFault):
        code = 5102

    def may_sign(_c: Connection, fingerprint: str, _at: int, *, holder: str = "", role: str = "") -> None:
        asked.append((holder, role))
        if len(asked) > 1:
            raise Suspended(detail=fingerprint[:8])

    outcome = here.sitting("BS1", may_sign=may_sign).sign()
    assert asked == [("BS1", "doctor")] * 2, "before it is claimed, and when the signature is kept"
    assert (outcome.signed, [fault.code for _, fault in outcome.failed]) == (0, [5102])
    assert here.tasks(row)[0] == ("doctor", "ready")
    assert here.signatures(row) == []


def test_a_certificate_out_of_date_signs_nothing(ward: Make, clock: HandClock) -> None:
    here = ward()
    here.desk.send(discharge("1"))
    clock.forward(400 * 86400 * 10)
    outcome = here.sign("BS1")
    assert [fault.code for _, fault in outcome.failed] == [5008]
    assert here.tasks(rows(here.desk)[0])[0] == ("doctor", "ready")


def test_a_refusal_sends_the_paper_back_until_the_data_change(ward: Make) -> None:
    here = ward()
    here.desk.send(discharge("1"))
    (row,) = rows(here.desk)
    here.sign("BS1")
    head = here.ready("TK1")[0].id
    with pytest.raises(ReasonMissing):
        here.act(signing_tasks.refuse, head, "TK1", " ")
    here.act(signing_tasks.refuse, head, "TK1")
    assert here.tasks(row) == [("doctor", "void"), ("head", "refused"), ("seal", "void")]
    assert [one.voided_at is not None for one in here.signatures(row)] == [True]
    said = here.desk.store.read_now(lambda c: actions.of_target(c, row.id))[-1]
    assert said.verb == "void"
    assert "Lê Quang Minh" in said.reason
    assert waiting(here.desk, row) == ["closed"]
    here.desk.work()
    first, again = rows(here.desk)
    assert (first.state, again.state, again.fault_code, again.fault_where) == ("returned", "error", 5143, "TK1")
    here.desk.send(change("2"))
    assert rows(here.desk)[1].fault_code == 5143, "nothing new was said"
    here.desk.send(change("3", treatment="Kháng sinh, hạ sốt"))
    assert [(one.version, one.state) for one in rows(here.desk)][:2] == [(1, "returned"), (1, "signing")]
    here.sign("BS1")
    here.sign("TK1")
    here.desk.work()
    done = rows(here.desk)[1]
    assert done.state == "signed"
    assert waiting(here.desk, done) == ["queued"]


def test_a_person_may_ask_for_a_refused_paper_as_it_is(ward: Make, clock: HandClock) -> None:
    here = ward()
    here.desk.send(discharge("1"))
    here.act(signing_tasks.refuse, here.ready("BS1")[0].id, "BS1")
    here.desk.work()
    again = rows(here.desk)[1]
    here.desk.store.write_now(lambda c: repair.retry(c, again.id, "lan", "thử lại", clock))
    here.desk.work()
    assert rows(here.desk)[1].state == "error"
    here.desk.store.write_now(
        lambda c: papers.request(
            c, here.desk.plan, again.paper, again.subject, "make", actor="lan", reason="đúng rồi", now=clock.now()
        )
    )
    here.desk.work()
    assert rows(here.desk)[1].state == "signing"
    assert ("director", "waiting") in here.tasks(again), "asked for by a person"


def test_a_change_of_content_voids_the_signatures_of_the_version(ward: Make) -> None:
    here = ward()
    here.desk.send(discharge("1"))
    (first,) = rows(here.desk)
    here.sign("BS1")
    here.desk.send(change("2", illness="J15.9^Viêm phổi do vi khuẩn^I10"))
    assert [row.state for row in rows(here.desk)] == ["superseded", "signing"]
    assert here.tasks(first) == [("doctor", "void"), ("head", "void"), ("seal", "void")]
    said = here.desk.store.read_now(lambda c: actions.of_target(c, first.id))[-1]
    assert "Lê Quang Minh" in said.reason
    assert waiting(here.desk, first) == ["closed"]
    assert here.sign("TK1").signed == 0
    for code in ("BS1", "TK1"):
        here.sign(code)
    here.desk.work()
    assert states(here.desk)[-1] == ("renew", 1, "signed")


def test_the_same_content_voids_nothing(ward: Make) -> None:
    here = ward()
    here.desk.send(discharge("1"))
    (first,) = rows(here.desk)
    here.sign("BS1")
    here.desk.send(change("2"))
    assert [row.state for row in rows(here.desk)] == ["signing", "unchanged"]
    assert here.tasks(first)[0] == ("doctor", "signed")


def test_a_withdrawal_before_all_have_signed_leaves_nothing_to_sign(ward: Make) -> None:
    here = ward()
    here.desk.send(discharge("1"))
    here.sign("BS1")
    here.desk.send(change("2", trigger="ADT^A13", end=""))
    assert [row.state for row in rows(here.desk)] == ["superseded", "unchanged"]
    assert here.ready("TK1") == []


def test_content_that_goes_back_to_what_was_issued_is_issued_no_second_time(ward: Make) -> None:
    here = ward()
    here.desk.send(discharge("1"))
    for code in ("BS1", "TK1"):
        here.sign(code)
    here.desk.work()
    here.desk.send(change("2", illness="J15.9^Viêm phổi do vi khuẩn^I10"))
    assert [row.state for row in rows(here.desk)] == ["signed", "signing"]
    here.desk.send(change("3"))
    assert [row.state for row in rows(here.desk)] == ["signed", "superseded", "unchanged"]


def test_a_destination_may_accept_an_earlier_step(ward: Make) -> None:
    early = FOLDER.replace("basis", 'name = "early"\naccepts = "doctor"\nbasis') + FOLDER.replace('"out"', '"late"')
    here = ward(destinations=early, today=True)
    here.desk.send(discharge("1"))
    (row,) = rows(here.desk)

    def sent() -> dict[str, str]:
        found = here.desk.store.read_now(lambda c: deliveries.listing(c, document_id=row.id))
        return {one.destination: one.state for one in found}

    assert sent() == {"early": "awaiting", "folder": "awaiting"}
    here.sign("BS1")
    assert sent() == {"early": "queued", "folder": "awaiting"}
    route = here.desk.plan.routes["early"]

    def leaving() -> str:
        found = here.desk.store.read_now(lambda c: documents.first_signed(c, row.id, route.renditions))
        assert found is not None
        return str(found.sha256)

    before = leaving()
    assert here.names(here.body(row, "cda@doctor")[0]) == ["Lê Quang Minh"]
    here.sign("TK1")
    here.desk.work()
    assert sent() == {"early": "queued", "folder": "queued"}
    assert leaving() == before, "what was sent once is sent again as it was"


def test_what_left_early_is_replaced_by_the_next_version(ward: Make) -> None:
    here = ward(destinations=FOLDER.replace("basis", 'accepts = "doctor"\nbasis'))
    here.desk.send(discharge("1"))
    (first,) = rows(here.desk)
    here.sign("BS1")
    here.desk.send(change("2", illness="J15.9^Viêm phổi do vi khuẩn^I10"))
    second = rows(here.desk)[1]
    assert (second.version, second.replaces_id, second.state) == (2, first.id, "signing")


def test_a_step_that_countersigns_covers_the_signatures_before_it(ward: Make) -> None:
    here = ward(DOCTOR_HEAD_SEAL.replace('name = "head"', 'name = "head"\ncountersigns = true'), today=True)
    here.desk.send(discharge("1"))
    (row,) = rows(here.desk)
    for code in ("BS1", "TK1"):
        here.sign(code)
    here.desk.work()
    final, _ = here.body(row)
    assert final.count(b'Type="http://uri.etsi.org/01903#CountersignedSignature"') == 1
    assert len(here.names(final)) == 3


def test_parallel_signatures_come_in_any_order(ward: Make) -> None:
    here = ward(WARD)
    here.desk.send(discharge("1"))
    (row,) = rows(here.desk)
    assert here.sign("KTV1").signed == 1
    assert rows(here.desk)[0].state == "signing"
    assert here.sign("DD1").signed == 1
    here.desk.work()
    assert rows(here.desk)[0].state == "signed"
    assert [one.role for one in here.signatures(row)] == ["technician", "nurse", "seal"]


def test_two_who_sign_the_same_step_at_once_lose_nothing(ward: Make) -> None:
    here = ward(WARD)
    here.desk.send(discharge("1"))
    (row,) = rows(here.desk)
    nurse = here.sitting("DD1")
    key = nurse.key

    def meanwhile() -> None:
        here.sign("KTV1")

    assert here.sitting("DD1", key=Interrupted(key, meanwhile)).sign().signed == 1
    here.desk.work()
    assert rows(here.desk)[0].state == "signed"
    assert [one.role for one in here.signatures(row)] == ["technician", "nurse", "seal"]


def test_who_may_leave_a_signature_out(ward: Make) -> None:
    here = ward()
    here.desk.send(discharge("1"))
    (row,) = rows(here.desk)
    here.sign("BS1")
    head = here.ready("TK1")[0].id
    for code in ("TK1", "BS1"):
        with pytest.raises(SkipNotAllowed):
            here.act(signing_tasks.skip, head, code)
    with pytest.raises(ReasonMissing):
        here.act(signing_tasks.skip, head, "GD1", "")
    here.act(signing_tasks.skip, head, "GD1")
    here.desk.work()
    assert rows(here.desk)[0].state == "signed"
    assert here.tasks(row) == [("doctor", "signed"), ("head", "skipped"), ("seal", "signed")]
    with pytest.raises(TaskGone):
        here.act(signing_tasks.skip, head, "GD1")


def test_an_optional_signature_is_left_out_by_its_holder_or_by_time(ward: Make, clock: HandClock) -> None:
    here = ward(WARD)
    here.desk.send(discharge("1"))
    here.desk.send(discharge("2").replace(b"BN1", b"BN2").replace(b"VV1", b"VV2"))
    assert here.sign("DD1").signed == 2
    first, second = rows(here.desk)
    mine = {one.document_id: one.id for one in here.ready("KTV1")}
    with pytest.raises(SkipNotAllowed):
        here.act(signing_tasks.skip, mine[first.id], "BS1")
    here.act(signing_tasks.skip, mine[first.id], "KTV1")
    here.desk.work()
    assert [row.state for row in rows(here.desk)] == ["signed", "signing"]
    clock.at = second.deadline_at
    here.tell()
    here.desk.work()
    assert [row.state for row in rows(here.desk)] == ["signed", "signed"]


def test_a_deputy_signs_for_the_director_within_the_delegation(ward: Make, clock: HandClock) -> None:
    here = ward(DOCTOR_HEAD_SEAL.replace('when = ["death", "patient_request"]\n', ""))
    here.desk.send(discharge("1"))
    for code in ("BS1", "TK1"):
        here.sign(code)
    (task,) = here.ready("PGD1")
    assert signing_tasks.candidates(here.desk.plan, task, clock.now()) == ["GD1", "PGD1"]
    assert here.sign("PGD1").signed == 1
    kept = here.desk.store.read_now(lambda c: tasks.get(c, task.id))
    assert (kept.signer, kept.delegation) == ("PGD1", "GD1")
    here.desk.send(discharge("2").replace(b"BN1", b"BN2").replace(b"VV1", b"VV2"))
    for code in ("BS1", "TK1"):
        here.sign(code)
    clock.forward(20 * 86400)
    assert here.ready("PGD1") == []
    assert len(here.ready("GD1")) == 1


def test_nobody_stands_in_for_the_director_when_somebody_died(ward: Make) -> None:
    here = ward()
    pid, rest = discharge("1").split(b"\rPV1", 1)
    fields = pid.rpartition(b"\rPID")[2].split(b"|")
    fields += [b""] * (31 - len(fields))
    fields[30] = b"Y"
    here.desk.send(pid.rpartition(b"\rPID")[0] + b"\rPID" + b"|".join(fields) + b"\rPV1" + rest)
    for code in ("BS1", "TK1"):
        here.sign(code)
    assert here.ready("PGD1") == []
    assert here.sign("GD1").signed == 1


def many(here: Ward, count: int) -> None:
    for n in range(count):
        here.desk.send(discharge(str(n)).replace(b"BN1", f"BN{n}".encode()).replace(b"VV1", f"VV{n}".encode()))


class Failing:
    """A key that is away after some signatures."""

    def __init__(self, key: Any, after: int) -> None:
        self.chain, self.algorithms = key.chain, key.algorithms
        self._key = key
        self._after = after

    def sign_hashes(self, documents: Any, algorithm: str = "") -> Iterator[bytes]:
        for number, one in enumerate(documents):
            if number == self._after:
                raise KeyUnavailable("token", "away")
            yield from self._key.sign_hashes([one], algorithm)


def test_a_batch_goes_on_after_the_token_was_away(ward: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signing_run, "BATCH", 3)
    here = ward()
    many(here, 5)
    said: list[Progress] = []
    sitting = here.sitting("BS1", progress=said.append)
    outcome = here.sitting("BS1", key=Failing(sitting.key, 2), progress=said.append).sign()
    assert (outcome.signed, outcome.left, outcome.fault and outcome.fault.code) == (2, 3, 5001)
    assert [(one.number, one.total) for one in said] == [(1, 5), (2, 5)]
    assert len(here.ready("BS1")) == 3, "none stays claimed"
    outcome = here.sign("BS1", limit=2)
    assert (outcome.signed, outcome.left) == (2, 0)
    assert here.sign("BS1").signed == 1
    assert here.ready("BS1") == []


def test_a_batch_is_stopped_between_two_papers(ward: Make) -> None:
    here = ward()
    many(here, 3)
    said: list[Progress] = []
    outcome = here.sitting("BS1", progress=said.append, stopped=lambda: len(said) >= 1).sign()
    assert (outcome.signed, outcome.left, outcome.fault) == (1, 2, None)
    assert len(here.ready("BS1")) == 2


def test_what_a_process_held_that_died_is_ready_again_when_its_lease_ends(ward: Make, clock: HandClock) -> None:
    here = ward()
    here.desk.send(discharge("1"))
    (task,) = here.ready("BS1")
    here.desk.store.write_now(lambda c: tasks.claim(c, task.id, "gone", clock.now() + signing_run.LEASE, "BS1"))
    assert here.ready("BS1") == []
    with pytest.raises(TaskGone):
        here.sign("BS1", tasks=[task.id])
    clock.forward(signing_run.LEASE / SECOND)
    here.tell()
    assert here.sign("BS1").signed == 1


def bind(here: Ward, register: Register, found: str, data: bytes) -> None:
    """Issue a certificate of somebody whose request was approved."""
    roots = load_roots(here.desk.plan.signing.trust)
    register.do(lambda c: binding.issue(c, register.get(found), data, roots, register.act()))


def registered(here: Ward, code: str, name: str, roles: str) -> tuple[Register, str]:
    """Enter somebody with the certificate of their key in the register, up to its first day."""
    register = Register(here.desk.store, here.desk.clock)
    register.holder(code, name, roles=roles)
    found = register.requested(code)
    register.step("approve", found)
    bind(here, register, found, here.sitting(code).key.chain[0].public_bytes(Encoding.PEM))
    register.hand_over(found)
    register.commit(code)
    return register, found


def test_only_who_is_in_the_register_signs_and_a_suspension_stops_at_once(ward: Make) -> None:
    here = ward(today=True)
    many(here, 3)
    strict: Any = {"may_sign": permission.may_sign}

    def codes() -> list[int]:
        return [fault.code for _, fault in here.sitting("BS1", **strict).sign().failed]

    assert codes() == [5100] * 3
    register, found = registered(here, "BS1", "Lê Quang Minh", "doctor")
    assert codes() == [5101] * 3
    register.step("activate", found)
    assert here.sitting("BS1", **strict).sign(limit=1).signed == 1
    key = here.sitting("BS1").key

    def lose() -> None:
        certificate = register.get(found)
        stopped = register.do(lambda c: suspend(c, certificate, register.act(), signing_tasks.stop_tasks))
        assert stopped.tasks == 2

    outcome = here.sitting("BS1", key=Interrupted(key, lose), **strict).sign()
    assert (outcome.signed, [fault.code for _, fault in outcome.failed]) == (0, [5102, 5102])
    assert [one.state for one in here.ready("BS1")] == ["ready", "ready"]
    signed = [one for row in rows(here.desk) for one in here.signatures(row)]
    assert [one.voided_at for one in signed] == [None], "what was signed before stays"


def test_the_register_is_asked_for_the_role(ward: Make) -> None:
    here = ward(today=True)
    here.desk.send(discharge("1"))
    register, found = registered(here, "BS1", "Lê Quang Minh", "nurse")
    register.step("activate", found)
    assert [fault.code for _, fault in here.sitting("BS1", may_sign=permission.may_sign).sign().failed] == [5106]


def test_a_seal_that_is_suspended_seals_nothing(ward: Make, clock: HandClock) -> None:
    here = ward("", today=True)
    register = Register(here.desk.store, clock)
    name = "Bệnh viện Đa khoa Thử Nghiệm"
    register.holder("01999", name, "organisation", "seal")
    found = register.requested("01999")
    register.step("approve", found)
    bind(here, register, found, (here.desk.plan.folder / "keys" / "facility.pem").read_bytes())
    here.desk.send(discharge("1"))
    (row,) = rows(here.desk)
    assert (row.state, row.fault_code) == ("error", 5101)
    assert waiting(here.desk, row) == ["error"]


def test_deadlines_are_told_once_before_and_once_after(
    ward: Make, clock: HandClock, caplog: pytest.LogCaptureFixture
) -> None:
    here = ward()
    here.desk.send(discharge("1"))
    (row,) = rows(here.desk)
    doctor, head = here.listed("BS1")[0], here.listed("TK1")[0]
    assert doctor.deadline_at == row.deadline_at
    assert head.deadline_at == row.event_at + 96 * HOUR
    assert here.tell() == 0
    with caplog.at_level(logging.WARNING, "lienthong.signing"):
        clock.at = doctor.notice_at
        due = here.desk.store.read_now(lambda c: tasks.open_tasks(c, near_at=clock.now()))
        assert doctor.id in [one.id for one in due]
        assert here.tell() >= 1
        assert here.tell() == 0
        clock.at = doctor.deadline_at
        here.tell()
    told = [record.getMessage() for record in caplog.records if doctor.id in record.getMessage()]
    assert [line.rpartition(": ")[2] for line in told] == ["deadline near", "deadline passed"]
    assert not any(word in line for line in told for word in ("BN1", "VV1", "Nguyễn"))
    kept = here.desk.store.read_now(lambda c: tasks.get(c, doctor.id))
    assert (kept.warned_at, kept.breached_at, kept.notice_at) == (doctor.notice_at, doctor.deadline_at, None)


def test_when_the_seal_fails_people_need_not_sign_again(ward: Make, clock: HandClock) -> None:
    here = ward()
    here.desk.send(discharge("1"))
    (row,) = rows(here.desk)
    for code in ("BS1", "TK1"):
        here.sign(code)

    class NoSeal(SigningFault):
        code = 5102

    def no(*_: Any, **__: Any) -> None:
        raise NoSeal()

    here.desk.pipeline._desk._may_seal = no
    here.desk.work()
    assert (rows(here.desk)[0].state, waiting(here.desk, row)) == ("error", ["error"])
    assert here.body(row)[1] is False, "nothing leaves"
    here.desk.pipeline._desk._may_seal = signing_tasks.may_seal
    assert here.tasks(row)[-1] == ("seal", "ready")
    here.desk.store.write_now(lambda c: repair.retry(c, row.id, "lan", "con dấu dùng lại được", clock))
    here.desk.work()
    assert rows(here.desk)[0].state == "signed"
    assert [one.role for one in here.signatures(row)] == ["treating_doctor", "head_of_department", "seal"]
    assert waiting(here.desk, row) == ["queued"]


def test_a_paper_that_nobody_wants_any_more_waits_for_nobody(ward: Make, clock: HandClock) -> None:
    here = ward("")

    class NoSeal(SigningFault):
        code = 5102

    def no(*_: Any, **__: Any) -> None:
        raise NoSeal()

    here.desk.pipeline._desk._may_seal = no
    here.desk.send(discharge("1"))
    (row,) = rows(here.desk)
    here.desk.store.write_now(lambda c: repair.close(c, row.id, "lan", "không cần", clock))
    assert here.tasks(row) == [("seal", "void")]
    assert here.desk.store.read_now(lambda c: tasks.open_tasks(c)) == []


def test_a_paper_that_waits_for_people_keeps_no_other_paper_waiting(ward: Make) -> None:
    policies = DOCTOR_HEAD_SEAL.replace("[[policy]]\n", '[[policy]]\npapers = ["discharge_paper"]\n', 1)
    here = ward(policies)
    here.desk.send(discharge("1"))
    here.desk.send(
        discharge("2").replace(b"ADT^A03", b"ORU^R01").split(b"\rDG1")[0]
        + b"\rOBR|1||XN1^LIS|58410-2^CBC^LN|||20261121080000|||||||||||||||20261121090000||LAB|F"
        + b"\rOBX|1|NM|718-7^Hemoglobin^LN||130|g/L|120-160|N|||F\r"
    )
    found = {row.paper: row for row in rows(here.desk)}
    assert found["discharge_paper"].state == "signing"
    assert found["lab_report"].state == "signed"
    taken = here.desk.store.write_now(
        lambda c: deliveries.take_queued(c, "folder", owner="n1", now=here.desk.clock.now(), until=1 << 60, limit=9)
    )
    assert [one.document_id for one in taken] == [found["lab_report"].id]
