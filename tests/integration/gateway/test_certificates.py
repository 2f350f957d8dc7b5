"""The life of a certificate on both engines: what the law asks before it signs, and what stops it."""

from __future__ import annotations

import asyncio
import itertools
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy.engine import Connection

from gateway import states
from gateway.certificates import may_sign, notices, register, state_at
from gateway.clock import SECOND, to_datetime, to_instant
from gateway.faults import (
    CertificateExpired,
    CertificateNotActive,
    CertificateOfAnother,
    CertificateSuspended,
    CertificateTaken,
    CertificateUnknown,
    CertificateUnreadable,
    CertificateUnregistered,
    CertificateWithdrawn,
    CommitmentMissing,
    DayImpossible,
    HandOverMissing,
    HolderUnknown,
    IncidentOpen,
    NameDiffers,
    NotPossibleNow,
    NotReceivedInPerson,
    ReasonMissing,
    RenewalOpen,
    RoleNotHeld,
    StoreUnavailable,
)
from gateway.ops.scheduler import DAY_S, Job, Scheduler
from gateway.store import certificates as rows
from gateway.store import schema
from mappings.formats.faults import Fault
from signing import faults as signing_faults
from signing.faults import CertificateUntrusted, KeyUnsuitable
from signing.testing import Authority, new_rsa_key
from tests.conftest import HandClock
from tests.integration.gateway.certificates import DAY, Register, a_register, leaf, pem


@pytest.fixture
def desk(store_url: str, clock: HandClock) -> Iterator[Register]:
    with a_register(store_url, clock) as made:
        yield made


@pytest.fixture
def light(tmp_path: Any, clock: HandClock) -> Iterator[Register]:
    """Where the engine does not matter."""
    with a_register(f"sqlite:///{tmp_path}/ledger.db", clock) as made:
        yield made


def may(desk: Register, certificate_id: str, **options: Any) -> str:
    """Return `yes`, or the name of the fault."""
    row = desk.get(certificate_id)
    try:
        desk.store.read_now(lambda c: may_sign(c, row.sha256, desk.clock.now(), **options))
    except Fault as fault:
        return type(fault).__name__
    return "yes"


def test_from_request_to_signature(desk: Register) -> None:
    certificate_id = desk.requested()
    desk.step("approve", certificate_id)
    desk.issue(certificate_id, desk.certificate(), key_kind="pkcs11", key_name="hsm-1")
    assert may(desk, certificate_id) == "CertificateNotActive"
    desk.hand_over(certificate_id)
    assert may(desk, certificate_id) == "CertificateNotActive"
    desk.commit()
    desk.step("activate", certificate_id)
    assert may(desk, certificate_id, holder="NV001", role="doctor") == "yes"
    row = desk.get(certificate_id)
    assert (row.key_kind, row.key_name, row.device_serial, row.handed_by) == ("pkcs11", "hsm-1", "T-1", "Lê Thị Lan")
    events = desk.store.read_now(lambda c: rows.events(c, holder_id=row.holder_id))
    assert [(one.event, one.state) for one in reversed(events)] == [
        ("request", "requested"),
        ("approve", "approved"),
        ("issue", "issued"),
        ("hand_over", "handed_over"),
        ("commit", ""),
        ("activate", "active"),
    ]
    assert {one.actor for one in events} == {"lan"}


def test_what_the_desk_is_told(desk: Register) -> None:
    certificate_id = desk.active()
    row = desk.get(certificate_id)

    def ask(fingerprint: str = row.sha256, at: int = 0, **options: Any) -> None:
        desk.store.write_now(lambda c: may_sign(c, fingerprint, at or desk.clock.now(), **options))

    ask(row.sha256.upper())
    for expected, options in (
        (CertificateUnregistered, {"fingerprint": "0" * 64}),
        (CertificateOfAnother, {"holder": "NV002"}),
        (RoleNotHeld, {"role": "director"}),
        (RoleNotHeld, {"role": "doc"}),
        (CertificateExpired, {"at": row.not_after + 1}),
        (CertificateNotActive, {"at": row.not_before - 1}),
    ):
        with pytest.raises(expected):
            ask(**options)
    desk.step("suspend", certificate_id)
    with pytest.raises(CertificateSuspended):
        ask()
    desk.step("resume", certificate_id)
    ask()
    desk.step("revoke", certificate_id)
    with pytest.raises(CertificateWithdrawn):
        ask()


def test_suspension_counts_for_a_clock_that_is_behind(light: Register) -> None:
    certificate_id = light.active()
    light.step("suspend", certificate_id)
    light.clock.forward(-DAY)
    assert may(light, certificate_id) == "CertificateSuspended"


def test_a_step_happens_only_where_the_table_has_it(light: Register) -> None:
    certificate_id = light.active()
    for state, event in itertools.product(states.states(states.CERTIFICATE), states.events(states.CERTIFICATE)):
        light.do(lambda c, state=state: c.execute(schema.certificate.update().values(state=state)))
        before = len(light.store.read_now(lambda c: rows.events(c)))

        def unit(connection: Any, event: str = event) -> str:
            return register.step(connection, register.find(connection, certificate_id), event, light.act())

        if (state, event) in states.CERTIFICATE:
            assert light.do(unit) == states.CERTIFICATE[state, event] == light.get(certificate_id).state
        else:
            with pytest.raises(NotPossibleNow):
                light.do(unit)
            assert light.get(certificate_id).state == state
        after = len(light.store.read_now(lambda c: rows.events(c)))
        assert after - before == ((state, event) in states.CERTIFICATE)


def test_two_people_at_once(desk: Register) -> None:
    certificate_id = desk.active()
    seen = desk.get(certificate_id)
    desk.step("revoke", certificate_id)
    with pytest.raises(NotPossibleNow):
        desk.do(register.suspend, seen, desk.act())


def test_not_active_before_hand_over_and_commitment(light: Register) -> None:
    certificate_id = light.issued()
    for options, fault in (
        ({"received_by": "Trần Thị Bình"}, NotReceivedInPerson),
        ({"device_serial": ""}, HandOverMissing),
        ({"handed_by": " "}, HandOverMissing),
        ({"on": register.today(light.clock.now()) + timedelta(days=1)}, DayImpossible),
        ({"on": register.today(light.clock.now()) - timedelta(days=1)}, DayImpossible),
    ):
        with pytest.raises(fault):
            light.hand_over(certificate_id, **options)
    with pytest.raises(NotPossibleNow):
        light.step("activate", certificate_id)
    light.hand_over(certificate_id, received_by="NGUYỄN VĂN AN")
    with pytest.raises(CommitmentMissing):
        light.step("activate", certificate_id)
    light.do(lambda c: c.execute(schema.certificate.update().values(received_by="")))
    light.commit()
    with pytest.raises(HandOverMissing):
        light.step("activate", certificate_id)


def test_a_commitment_is_a_paper_or_a_file_of_the_past(light: Register) -> None:
    who = light.holder()
    today = register.today(light.clock.now())
    for options in ({"reference": " "}, {"reference": "", "sha256": ""}):
        with pytest.raises(CommitmentMissing):
            light.do(register.commit, who, light.act(), on=today, **options)
    with pytest.raises(DayImpossible):
        light.do(register.commit, who, light.act(), on=today + timedelta(days=1), reference="x")


@pytest.mark.parametrize("event", ["reject", "suspend", "resume", "revoke"])
@pytest.mark.parametrize("reason", ["", "  "])
def test_what_takes_something_away_or_gives_it_back_has_a_reason(light: Register, event: str, reason: str) -> None:
    certificate_id = light.requested() if event == "reject" else light.active()
    if event == "resume":
        light.step("suspend", certificate_id)
    state = light.get(certificate_id).state
    with pytest.raises(ReasonMissing):
        light.step(event, certificate_id, reason=reason)
    assert light.get(certificate_id).state == state


def test_a_certificate_is_given_to_whom_it_names(light: Register) -> None:
    def issue(data: bytes, **options: Any) -> str:
        certificate_id = light.requested()
        light.step("approve", certificate_id)
        try:
            light.issue(certificate_id, data, **options)
        except Fault as fault:
            assert light.get(certificate_id).state == "approved"
            return type(fault).__name__
        return "issued"

    stranger = Authority.root("Một CA khác")
    old = to_datetime(light.clock.now()) - timedelta(days=400)
    for data, expected, options in (
        (light.certificate("Nguyễn Văn Án"), NameDiffers, {}),
        (light.certificate(""), NameDiffers, {}),
        (light.certificate(identifier="CCCD:001085000002"), NameDiffers, {"citizen_id": "001085000001"}),
        (pem(root=stranger, not_before=old), CertificateUntrusted, {}),
        (pem(not_before=old, not_after=old + timedelta(days=30)), signing_faults.CertificateExpired, {}),
        (light.certificate(key=new_rsa_key(1024)), KeyUnsuitable, {}),
        (b"no certificate", CertificateUnreadable, {}),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", CertificateUnreadable, {}),
        (b"x" * 300_000, CertificateUnreadable, {}),
    ):  # fmt: skip
        assert issue(data, **options) == expected.__name__
    good = light.certificate(identifier="CCCD:001085000001")
    assert issue(good, citizen_id="001085000001") == "issued"
    assert issue(good) == CertificateTaken.__name__
    assert issue(leaf(light.certificate("NGUYEN VAN AN")).public_bytes(Encoding.DER)) == "issued"
    assert issue(light.certificate("NGUYỄN VĂN AN")) == "issued"


def test_the_seal_names_the_organisation(light: Register) -> None:
    name = "Bệnh viện Đa khoa Thử Nghiệm"
    certificate_id = light.requested("01999", name=name, kind="organisation", roles="seal")
    light.step("approve", certificate_id)
    light.issue(certificate_id, light.certificate("Con dấu số 1", organisation=name.upper()))
    with pytest.raises(HandOverMissing):
        light.hand_over(certificate_id)
    light.hand_over(certificate_id, received_by="Trần Thị Bình")
    light.commit("01999")
    light.step("activate", certificate_id)
    assert may(light, certificate_id, role="seal") == "yes"


@pytest.mark.parametrize("kind", register.INCIDENTS)
def test_incidents_and_their_path(light: Register, kind: str) -> None:
    certificate_id = light.active()
    incident, stopped = light.step("report", certificate_id, kind=kind, stop=light.stop)
    if kind not in register.STOPPING:
        assert (may(light, certificate_id), stopped.tasks) == ("yes", 0)
        return
    assert (may(light, certificate_id), stopped.tasks) == ("CertificateSuspended", 2)
    assert light.stopped == [certificate_id]
    with pytest.raises(IncidentOpen):
        light.step("resume", certificate_id)
    light.do(register.settle, incident, light.act("tìm thấy trong tủ khóa"))
    with pytest.raises(NotPossibleNow):
        light.do(register.settle, incident, light.act())
    light.step("resume", certificate_id)
    assert may(light, certificate_id) == "yes"


def test_an_incident_has_a_reason_and_a_certificate(light: Register) -> None:
    requested = light.requested()
    with pytest.raises(NotPossibleNow):
        light.step("report", requested, kind="lost")
    certificate_id = light.active("NV002")
    with pytest.raises(ReasonMissing):
        light.step("report", certificate_id, kind="lost", reason="")
    with pytest.raises(CertificateUnknown):
        light.do(register.settle, "no-such", light.act())


def test_what_is_lost_before_it_was_used_never_becomes_active(light: Register) -> None:
    certificate_id = light.issued()
    light.hand_over(certificate_id)
    light.commit()
    light.step("report", certificate_id, kind="lost")
    assert light.get(certificate_id).state == "handed_over"
    with pytest.raises(IncidentOpen):
        light.step("activate", certificate_id)
    light.step("revoke", certificate_id)
    (incident,) = light.store.read_now(lambda c: rows.incidents(c, certificate_id))
    assert incident.outcome == "revoked"


def test_signatures_before_a_revocation_stay_valid(desk: Register) -> None:
    certificate_id = desk.active()
    row = desk.get(certificate_id)
    signed_at = desk.clock.now()
    desk.clock.forward(3600)
    exposed_at = desk.clock.now()
    desk.clock.forward(3600)
    stopped = desk.step("revoke", certificate_id, effective_at=exposed_at, device_returned=True)
    assert (stopped.tasks, stopped.signed_since) == (2, ())

    def state(at: int) -> str:
        return desk.store.read_now(lambda c: state_at(c, row.sha256, at))

    assert state(signed_at) == "active"
    assert state(exposed_at - 1) == "active"
    assert state(exposed_at) == "revoked"
    assert state(desk.clock.now()) == "revoked"
    assert state(row.requested_at - 1) == ""
    assert desk.store.read_now(lambda c: state_at(c, "0" * 64, signed_at)) == ""


def test_a_past_suspension_is_remembered(light: Register) -> None:
    certificate_id = light.active()
    row = light.get(certificate_id)
    light.step("suspend", certificate_id)
    between = light.clock.now()
    light.step("resume", certificate_id)

    def state(at: int) -> str:
        return light.store.read_now(lambda c: state_at(c, row.sha256, at))

    assert [state(at) for at in (between - 1, between, light.clock.now())] == ["active", "suspended", "active"]
    assert state(row.not_after + 1) == "expired"


def test_what_was_signed_since_a_revocation_is_named(light: Register) -> None:
    certificate_id = light.active()
    row = light.get(certificate_id)

    with closing(sqlite3.connect(light.store.engine.url.database or "")) as connection, connection:
        for document, at in (("before", light.clock.now()), ("after", light.clock.now() + SECOND)):
            connection.execute(
                "INSERT INTO signature (document_id, kind, number, role, holder, account, workstation, sha256, signer,"
                " certificate_sha256, signed_at) VALUES (?, 'cda', 1, '', '', '', '', '', '', ?, ?)",
                (document, row.sha256, at),
            )
    light.clock.forward(1)
    stopped = light.step("revoke", certificate_id, effective_at=light.clock.now())
    assert stopped.signed_since == ("after",)


@pytest.mark.parametrize("seconds", [1, -400 * DAY])
def test_a_revocation_takes_effect_in_the_life_of_the_certificate(light: Register, seconds: int) -> None:
    certificate_id = light.active()
    at = light.clock.now() + (seconds + 1) * SECOND
    with pytest.raises(DayImpossible):
        light.step("revoke", certificate_id, effective_at=at)
    assert may(light, certificate_id) == "yes"


def test_a_renewal_is_a_request_that_names_what_it_replaces(light: Register) -> None:
    certificate_id = light.active()
    renewal = light.step("renew", certificate_id)
    assert (light.get(renewal).state, light.get(renewal).replaces_id) == ("requested", certificate_id)
    with pytest.raises(RenewalOpen):
        light.step("renew", certificate_id)
    with pytest.raises(NotPossibleNow):
        light.step("renew", renewal)
    light.step("reject", renewal)
    assert light.step("renew", certificate_id) != renewal
    assert may(light, certificate_id) == "yes"


def test_what_is_past_its_end_expires(desk: Register) -> None:
    certificate_id = desk.active(days=30)
    row = desk.get(certificate_id)
    assert desk.do(register.expire, desk.clock.now()) == []
    desk.clock.forward(30 * DAY + 1)
    assert may(desk, certificate_id) == "CertificateExpired"
    assert [one.id for one in desk.do(register.expire, desk.clock.now())] == [certificate_id]
    assert desk.do(register.expire, desk.clock.now()) == []
    assert (desk.get(certificate_id).state, desk.get(certificate_id).state_since) == ("expired", row.not_after)
    assert may(desk, certificate_id) == "CertificateExpired"


def test_which_certificate_is_meant(light: Register) -> None:
    first = light.active()
    serial = light.get(first).serial

    def find(key: str) -> str:
        return str(light.store.read_now(lambda c: register.find(c, key)).id)

    assert find(first) == find(serial.upper()) == find("NV001") == first
    light.step("revoke", first)
    assert find("NV001") == first
    second = light.requested()
    assert find("NV001") == second
    light.requested()
    for key in ("NV001", "NV009", "nothing"):
        with pytest.raises(CertificateUnknown):
            find(key)
    with pytest.raises(HolderUnknown):
        light.store.read_now(lambda c: register.holder(c, "NV009"))


def test_days_are_those_of_vietnam() -> None:
    assert register.today(to_instant_of("2026-11-05T18:30:00+00:00")).isoformat() == "2026-11-06"
    assert register.day_or_instant("2026-11-06") == to_instant_of("2026-11-05T17:00:00+00:00")
    assert register.day_or_instant("2026-11-06T08:00+00:00") == to_instant_of("2026-11-06T08:00:00+00:00")


def to_instant_of(text: str) -> int:
    return to_instant(datetime.fromisoformat(text))


def scheduler(light: Register) -> Scheduler:
    job = Job("certificates", DAY_S, partial(notices.watch, light.store, light.clock))
    return Scheduler(light.store, light.clock, "n1", 30 * SECOND, [job])


def test_the_node_that_leads_looks_every_day(light: Register, caplog: pytest.LogCaptureFixture) -> None:
    certificate_id = light.active(days=20)

    async def main() -> None:
        leading = scheduler(light)
        for _ in range(3):
            for _ in range(2):  # the second turn of a day finds nothing to do
                await leading.turn()
                await leading.settle()
            light.clock.forward(15 * DAY_S)

    asyncio.run(main())
    assert [record.getMessage() for record in caplog.records if record.name == "lienthong.certificates"] == [
        f"certificate {certificate_id} ends within 30 days: notice to holder",
        f"certificate {certificate_id} ends within 30 days: notice to it",
        f"certificate {certificate_id} ends within 7 days: notice to holder",
        f"certificate {certificate_id} ends within 7 days: notice to it",
        f"certificate {certificate_id} has expired",
    ]
    assert light.get(certificate_id).state == "expired"


def test_a_look_that_failed_is_done_again_soon(
    light: Register, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    certificate_id = light.active(days=20)

    def away(_connection: Connection, _now: int) -> None:
        raise StoreUnavailable(detail="gone")

    async def main() -> None:
        leading = scheduler(light)
        with monkeypatch.context() as broken:
            broken.setattr(notices, "daily", away)
            await leading.turn()
            await leading.settle()
        assert "LT8001" in caplog.text
        light.clock.forward(61)
        await leading.turn()
        await leading.settle()

    asyncio.run(main())
    assert f"certificate {certificate_id} ends within 30 days: notice to it" in caplog.text


def test_who_has_a_new_certificate_gets_no_notice_of_the_old(light: Register) -> None:
    old = light.active(days=20)
    renewal = light.step("renew", old)
    light.step("approve", renewal)
    light.issue(renewal, light.certificate(days=400))
    light.hand_over(renewal)

    def near() -> list[str]:
        return [row.id for row in light.store.read_now(lambda c: notices.ending(c, light.clock.now()))]

    assert near() == [old]
    light.step("activate", renewal)
    assert near() == []


@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)  # SQLite has one writer at a time
def test_nobody_suspends_between_the_answer_and_the_signature(desk: Register) -> None:
    certificate_id = desk.active()
    row = desk.get(certificate_id)
    with desk.store.engine.begin() as signing:
        may_sign(signing, row.sha256, desk.clock.now())

        def suspend(connection: Any) -> None:
            connection.exec_driver_sql("SET LOCAL lock_timeout = '50ms'")
            register.suspend(connection, register.find(connection, certificate_id), desk.act())

        with pytest.raises(StoreUnavailable, match="LockNotAvailable"):
            desk.store.write_now(suspend)
        may_sign(signing, row.sha256, desk.clock.now())
    desk.step("suspend", certificate_id)
    assert may(desk, certificate_id) == "CertificateSuspended"
