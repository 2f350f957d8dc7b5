"""Signatures that stay provable: stamped soon, judged by their issuers, kept and renewed, whoever is away meanwhile."""

from __future__ import annotations

import asyncio
import io
import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from asn1crypto import x509 as asn1_x509
from cryptography.hazmat.primitives.serialization import Encoding
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.ades.report import AdESPassed
from pyhanko.sign.validation.ades import ades_lta_validation
from pyhanko.sign.validation.policy_decl import (
    LocalKnowledge,
    PdfSignatureValidationSpec,
    RevinfoOnlineFetchingRule,
    RevocationInfoGatheringSpec,
    SignatureValidationSpec,
)
from pyhanko_certvalidator.context import CertValidationPolicySpec
from pyhanko_certvalidator.ltv.types import ValidationTimingInfo
from pyhanko_certvalidator.policy_decl import REQUIRE_REVINFO, CertRevTrustPolicy, NonRevokedStatusAssertion
from pyhanko_certvalidator.registry import SimpleTrustManager
from sqlalchemy.engine import Connection

from conformance.sandbox.faults import Action
from conformance.sandbox.tsa import POLICY
from gateway import relief, repair, verification
from gateway.clock import to_datetime
from gateway.proof import pages
from gateway.proof.evidence import evidence
from gateway.store import actions, documents, proofs
from signing import xades_levels
from signing.certificates import load_roots
from signing.faults import TimestampUnavailable
from signing.kept import read_evidence
from signing.validation import Trust as Believed
from signing.validation import validate
from signing.verdict import Report
from tests.conftest import HandClock
from tests.integration.gateway.proofs import AUTHORITY, SEAL_ALONE, Make, ProvingWard, Trust, trust_services
from tests.integration.gateway.test_papers import FOLDER, change, discharge
from tests.site import cli
from tests.unit.signing.forge_pdf import base

YEARS = timedelta(days=3652)


def judged(here: ProvingWard, file: bytes, kept: bytes | None = None, after: timedelta = YEARS) -> Report:
    """Verify offline, at another time."""
    roots = load_roots(here.plan.signing.trust)
    found = Believed(roots) if kept is None else Believed(roots, evidence=read_evidence(kept))
    return validate(file, found, to_datetime(here.clock.now()) + after)


def levels(report: Report) -> list[str]:
    assert report.verdict == "valid", report.reasons
    assert {one.at_is for one in report.signers} == {"stamped"}
    return [one.level for one in report.signers]


def told_of(here: ProvingWard, row: Any) -> dict[str, Any]:
    return here.read(evidence, here.plan.keyring, row.id)


def archives(here: ProvingWard, row: Any) -> list[Any]:
    """Give what is noted of archive time stamps inside files."""
    return [one for one in here.read(proofs.archives, row.id) if not documents.is_record(one.kind)]


def wrong(here: ProvingWard) -> list[tuple[str, int]]:
    return [(item.what, item.fault_code) for item in here.read(repair.error_queue)]


def test_everybody_is_stamped_soon_and_the_paper_leaves_provable(ward: Make, store_url: str, trust: Trust) -> None:
    here = ward(store_url)
    here.send(discharge("1"))
    here.sign("BS1")
    (row,) = here.rows()
    here.work()
    assert here.proofs(row) == [("cda", "treating_doctor", "proved")], "long before the others have signed"
    here.clock.forward(4 * 3600)
    here.sign("TK1")
    assert here.deliveries(row) == ["awaiting"]
    here.work()
    (row,) = here.rows()
    assert row.state == "signed"
    assert here.deliveries(row) == ["queued"]
    assert [role for kind, role, _ in here.proofs(row) if kind == "cda"] == [
        "treating_doctor",
        "head_of_department",
        "seal",
    ]
    trust.close()
    report = judged(here, here.file(row))
    assert levels(report) == ["B-LT"] * 3
    assert here.read(documents.renditions, row.id, "cda")[0].signed
    first, second, _ = (one.at for one in report.signers)
    assert second - first >= timedelta(hours=4), "each at its own time"


def test_what_cannot_hold_its_proofs_has_them_beside_it(ward: Make, trust: Trust) -> None:
    here = ward(policies=SEAL_ALONE)
    here.send(discharge("1"))
    (row,) = here.rows()
    assert row.state == "signed"
    trust.close()
    kept = json.dumps(told_of(here, row)).encode()
    for kind in ("fhir", "gdbhyt"):
        file = here.file(row, kind)
        assert judged(here, file).verdict != "valid"
        report = judged(here, file, kept)
        assert report.verdict == "valid", (kind, report.reasons)
        assert [(one.at_is, one.revocation) for one in report.signers] == [("stamped", "good")]


def test_a_provenance_has_a_time_stamp_of_its_own(ward: Make, trust: Trust) -> None:
    form = '\n[[form]]\npapers = ["discharge_paper"]\nprovenance = true\n'
    here = ward(policies=SEAL_ALONE + form, level="B-LTA")
    here.send(discharge("1"))
    (row,) = here.rows()
    assert row.state == "signed", (row.fault_code, row.fault_detail)
    assert here.renew() == 2
    kept = json.dumps(told_of(here, row)).encode()
    trust.close()
    report = judged(here, here.file(row, "fhir"), kept, timedelta(days=600))
    assert report.verdict == "valid", report.reasons
    assert [(one.where, one.at_is, one.revocation) for one in report.signers] == [
        ("Bundle.signature", "stamped", "good"),
        ("Provenance 1.signature", "stamped", "good"),
    ]
    document = json.loads(here.file(row, "fhir"))
    (apart,) = (one["resource"] for one in document["entry"] if "signature" in one["resource"])
    believed = Believed(load_roots(here.plan.signing.trust), evidence=read_evidence(kept))
    then = to_datetime(here.clock.now()) + timedelta(days=300)
    alone = validate(json.dumps(apart).encode(), believed, then, {"paper.json": here.file(row, "fhir")})
    assert (alone.verdict, [one.at_is for one in alone.signers]) == ("valid", ["stamped"])
    (sealed,) = here.read(verification.issued, documents.digest(here.file(row, "fhir"))).signers
    assert sealed.role == "seal", "people are told of one seal"


def test_the_evidence_says_who_signed_what_where_and_how_it_is_known(ward: Make) -> None:
    here = ward()
    here.send(discharge("1"))
    here.sign("BS1")
    here.sign("TK1")
    here.work()
    told = told_of(here, here.rows()[0])
    doctor = next(one for one in told["signatures"] if one["role"] == "treating_doctor")
    assert (doctor["holder"], doctor["account"], doctor["workstation"]) == ("BS1", "lan", "PC-12")
    assert (doctor["policy"], doctor["step"], doctor["level"], doctor["state"]) == ("*", "doctor", "B-LT", "proved")
    assert doctor["signature_id"].encode() in here.file(here.rows()[0])
    assert [len(doctor[name]) > 0 for name in ("certificates", "ocsp", "timestamps")] == [True] * 3
    assert doctor["stamped_at"] >= doctor["signed_at"][:19]
    assert {one["kind"] for one in told["files"] if one["final"]} == {"cda", "fhir", "gdbhyt"}


def test_evidence_of_another_paper_proves_nothing(ward: Make) -> None:
    here = ward(policies=SEAL_ALONE)
    here.send(discharge("1"))
    here.clock.forward(60)
    here.send(change("2", illness="J15.9^Viêm phổi do vi khuẩn^I10"))
    first, second = (json.dumps(told_of(here, row)).encode() for row in here.rows())
    file = here.file(here.rows()[1], "fhir")
    assert judged(here, file, second).verdict == "valid"
    assert judged(here, file, first).verdict == "undecided"


def test_a_step_that_is_done_twice_is_done_once(ward: Make, trust: Trust) -> None:
    """What a node did before it died is done again by the next one, from the same rows."""
    here = ward(policies=SEAL_ALONE, level="B-LTA")
    trust.break_("tsa", Action.DOWN)
    here.send(discharge("1"))
    trust.repair()
    here.clock.forward(600)
    now = here.clock.now()

    async def run() -> None:
        sources, _, desk, _ = here._parts()
        taken = await here.desk.store.write(
            lambda c: proofs.take_wanting(c, owner="n1", now=now, until=now + 1, limit=10)
        )
        for _ in range(2):
            for row in taken:
                await desk._step(row)
        stamped = await here.desk.store.write(
            lambda c: proofs.take_wanting(c, owner="n1", now=now, until=now + 1, limit=10)
        )
        for _ in range(2):
            for row in stamped:
                await desk._step(row)
        (row,) = here.rows()
        for _ in range(2):
            await desk.complete(row)
        await sources.close()

    asyncio.run(run())
    (row,) = here.rows()
    assert row.state == "signed"
    assert here.deliveries(row) == ["queued"]
    for one in here.read(proofs.of_document, row.id):
        assert len(here.read(proofs.evidence, one.id).timestamps) == 1
    assert here.file(row).count(b"<xades:SignatureTimeStamp") == 1
    assert len(archives(here, row)) == 1


def test_a_node_that_died_left_nothing_taken(ward: Make) -> None:
    here = ward(policies=SEAL_ALONE, proof='grace = "1m"\n')
    here.send(discharge("1"))
    here.clock.forward(600)
    now = here.clock.now()
    here.desk.store.write_now(lambda c: proofs.take_wanting(c, owner="n1", now=now, until=now + 10**12, limit=9))
    here.work()
    assert here.rows()[0].state == "proving"
    here.desk.store.write_now(lambda c: relief.take_back(c, "n1", now))
    one_by_one(here)
    assert here.rows()[0].state == "signed"
    assert {one.deaths for one in here.read(proofs.of_document, here.rows()[0].id)} == {0}


def one_by_one(here: ProvingWard) -> None:
    """Work while time passes: of what outlived a death, one is tried at a time."""
    for _ in range(9):
        here.clock.forward(1)
        here.work()


def test_a_signature_that_kills_its_node_twice_waits_for_a_person(ward: Make) -> None:
    here = ward(policies=SEAL_ALONE, proof='grace = "1m"\n')
    here.send(discharge("1"))
    here.clock.forward(600)
    now = here.clock.now()

    def take(connection: Connection, suspects: int) -> list[str]:
        found = proofs.take_wanting(connection, owner="n1", now=now, until=now + 10**12, limit=9)
        return [row.id for row in proofs.give_back(connection, found, suspects, "n1", now)]

    def die(connection: Connection) -> list[str]:
        return relief.take_back(connection, "n1", now)

    write = here.desk.store.write_now
    both = write(lambda c: take(c, 1))
    assert len(both) > 1, "those of nobody's death are taken together"
    assert write(die) == []
    assert write(lambda c: take(c, 0)) == [], "one suspect is at work already"
    assert write(lambda c: take(c, 1)) == both[:1]
    assert write(die) == both[:1]
    one_by_one(here)
    assert here.rows()[0].state == "proving"
    assert [(one.id, one.fault_code) for one in here.read(proofs.wanting)] == [(both[0], 8109)]
    assert wrong(here) == [("proof", 8109)]
    here.clock.forward(86400)
    one_by_one(here)
    assert here.rows()[0].state == "proving", "it is not tried again by itself"
    write(lambda c: repair.retry(c, both[0], "lan", "đã sửa", here.clock))
    one_by_one(here)
    assert here.rows()[0].state == "signed"
    assert [act.verb for act in here.read(actions.of_target, both[0])] == ["poison", "retry"]


def test_b_t_waits_for_the_stamps_alone(ward: Make, trust: Trust) -> None:
    here = ward(level="B-T")
    trust.break_("ocsp", Action.DOWN)
    trust.break_("crl", Action.DOWN)
    here.send(discharge("1"))
    here.sign("BS1")
    here.sign("TK1")
    here.work()
    (row,) = here.rows()
    assert row.state == "signed"
    assert {one.level for one in judged(here, here.file(row), after=timedelta()).signers} == {"B-T"}


@pytest.mark.parametrize(
    ("action", "code", "fault"),
    [
        (Action.DOWN, None, 5050),
        (Action.UNAVAILABLE, None, 5050),
        (Action.REFUSE, "systemFailure", 5050),
        (Action.DISTORT, "wrong_nonce", 5051),
        (Action.DISTORT, "wrong_policy", 5051),
        (Action.DISTORT, "expired_certificate", 5051),
    ],
)
def test_an_authority_that_is_away_or_wrong_stops_nobody_from_signing(
    ward: Make, trust: Trust, action: Action, code: str | None, fault: int
) -> None:
    here = ward()
    here.send(discharge("1"))
    trust.break_("tsa", action, code)
    assert (here.sign("BS1").signed, here.sign("TK1").signed) == (1, 1)
    here.work()
    (row,) = here.rows()
    assert row.state == "proving"
    assert set(here.deliveries(row)) == {"awaiting"}
    assert set(wrong(here)) == {("proof", fault)}, "visible, with what to do"
    trust.repair()
    here.work()
    assert here.rows()[0].state == "proving", "not at once"
    for _ in range(3):
        here.clock.forward(120)
        here.work()
    assert here.rows()[0].state == "signed"
    assert wrong(here) == []
    assert levels(judged(here, here.file(row))) == ["B-LT"] * 3


def test_a_slow_authority_is_passed_over(ward: Make, trust: Trust, tmp_path: Path, today_clock: HandClock) -> None:
    with trust_services(tmp_path / "second", today_clock) as other:
        roots = other.pem_file.as_posix()
        here = ward(
            proof='timeout = "1s"\n',
            more=AUTHORITY.format(url=other.tsa_url, policy=POLICY) + f'trust = ["{roots}"]\n',
            policies=SEAL_ALONE,
            level="B-T",
        )
        trust.break_("tsa", Action.SLOW, delay_ms=4000)
        here.send(discharge("1"))
        (row,) = here.rows()
        assert row.state == "signed"


@pytest.mark.parametrize(("code", "kind"), [("stale", "ocsp"), ("unknown", "ocsp"), ("bad_signature", "ocsp")])
def test_the_word_of_issuers_has_to_come_after_the_stamp(ward: Make, trust: Trust, code: str, kind: str) -> None:
    here = ward(policies=SEAL_ALONE, proof='revocation = ["ocsp"]\n')
    trust.break_(kind, Action.DISTORT, code)
    here.send(discharge("1"))
    (row,) = here.rows()
    assert row.state == "proving"
    assert set(wrong(here)) == {("proof", 5161)}
    assert here.deliveries(row) == ["pending"]
    trust.repair()
    here.clock.forward(600)
    here.work()
    assert here.rows()[0].state == "signed"


def test_the_time_of_grace_is_waited_for(ward: Make) -> None:
    here = ward(policies=SEAL_ALONE, proof='grace = "2h"\n')
    here.send(discharge("1"))
    assert here.rows()[0].state == "proving"
    here.clock.forward(3600)
    here.work()
    assert here.rows()[0].state == "proving"
    here.clock.forward(3600)
    for _ in range(3):
        here.clock.forward(300)
        here.work()
    assert here.rows()[0].state == "signed"


def test_revoked_between_signature_and_stamp_is_signed_again(ward: Make, trust: Trust) -> None:
    here = ward()
    here.send(discharge("1"))
    trust.break_("tsa", Action.DOWN)
    here.sign("BS1")
    here.work()
    here.clock.forward(7200)
    trust.revoke(here.people["BS1"].certificate)
    here.clock.forward(7200)
    trust.repair()
    here.work()
    first, second = here.rows()
    assert (first.state, second.state) == ("returned", "signing")
    assert [one.document_id for one in here.waits_for("BS1")] == [second.id]
    assert here.proofs(first) == [], "its signatures count no more"
    (told,) = [one for one in here.read(actions.of_target, first.id) if one.verb == "void"]
    assert "LT5160" in told.reason
    assert here.deliveries(first) == ["closed"]


def test_a_certificate_revoked_after_the_stamp_takes_nothing_away(ward: Make, trust: Trust) -> None:
    here = ward()
    here.send(discharge("1"))
    here.sign("BS1")
    here.work()
    here.clock.forward(7200)
    trust.revoke(here.people["BS1"].certificate)
    here.sign("TK1")
    here.work()
    (row,) = here.rows()
    assert row.state == "signed"
    assert levels(judged(here, here.file(row))) == ["B-LT"] * 3


def test_a_seal_that_cannot_be_proved_is_for_a_person(ward: Make, trust: Trust) -> None:
    here = ward(policies=SEAL_ALONE)
    trust.break_("tsa", Action.DOWN)
    here.send(discharge("1"))
    entry = next(
        one for one in trust.authority.entries.values() if "Thử Nghiệm" in one.certificate.subject.rfc4514_string()
    )
    trust.revoke(entry.certificate)
    here.clock.forward(3600)
    trust.repair()
    here.work()
    (row,) = here.rows()
    assert (row.state, row.fault_code) == ("error", 5160)
    assert here.deliveries(row) == ["error"]
    here.desk.store.write_now(lambda c: repair.retry(c, row.id, "lan", "khóa mới", here.clock))
    assert here.rows()[0].state == "due", "composed and sealed anew, with the key of then"
    here.work()
    assert here.rows()[0].fault_code == 5160


def test_what_an_earlier_step_lets_go_is_provable_too(ward: Make, trust: Trust) -> None:
    accepts = FOLDER.replace('basis = "law"\n', 'basis = "law"\naccepts = "doctor"\n')
    here = ward(destinations=accepts)
    here.send(discharge("1"))
    trust.break_("tsa", Action.DOWN)
    here.sign("BS1")
    here.work()
    (row,) = here.rows()
    assert here.deliveries(row) == ["awaiting"]
    trust.repair()
    here.clock.forward(600)
    here.work()
    assert here.deliveries(row) == ["queued"]
    early = here.file(row, "cda@doctor")
    assert levels(judged(here, early)) == ["B-LT"]
    here.sign("TK1")
    here.work()
    assert here.rows()[0].state == "signed"
    assert here.file(row, "cda@doctor") == early, "final bytes"


def test_newer_content_takes_the_place_of_what_has_not_left(ward: Make, trust: Trust) -> None:
    here = ward(policies=SEAL_ALONE)
    trust.break_("tsa", Action.DOWN)
    here.send(discharge("1"))
    here.send(change("2"))
    assert [row.state for row in here.rows()] == ["proving", "unchanged"]
    here.send(change("3", illness="J15.9^Viêm phổi do vi khuẩn^I10"))
    assert [row.state for row in here.rows()] == ["superseded", "unchanged", "proving"]
    trust.repair()
    here.clock.forward(600)
    here.work()
    assert [row.state for row in here.rows()] == ["superseded", "unchanged", "signed"]
    assert [here.deliveries(row) for row in here.rows()] == [["closed"], ["closed"], ["queued"]]


def test_without_a_level_nothing_is_asked_and_evidence_is_kept_all_the_same(ward: Make, trust: Trust) -> None:
    trust.break_("tsa", Action.DOWN)
    here = ward(level="B-B")
    here.send(discharge("1"))
    here.sign("BS1")
    here.sign("TK1")
    here.work()
    (row,) = here.rows()
    assert row.state == "signed"
    assert {state for _, _, state in here.proofs(row)} == {"kept"}
    told = told_of(here, row)["signatures"]
    assert all(one["value"] and one["certificates"] for one in told)


def test_lowering_the_level_lets_go_what_waits(ward: Make, trust: Trust) -> None:
    here = ward(policies=SEAL_ALONE)
    trust.break_("tsa", Action.DOWN)
    here.send(discharge("1"))
    assert here.rows()[0].state == "proving"
    policies = here.plan.policies
    object.__setattr__(policies.policies[0], "level", "B-B")
    here.clock.forward(600)
    here.work()
    assert here.rows()[0].state == "signed"


def test_an_answer_of_before_is_not_believed_for_a_later_signature(ward: Make, trust: Trust) -> None:
    """The client remembers answers for an hour; one that is older than the stamp is asked for again."""
    here = ward(policies=SEAL_ALONE)
    here.send(discharge("1"))
    here.clock.forward(60)
    here.send(change("2", illness="J15.9^Viêm phổi do vi khuẩn^I10"))
    assert [row.state for row in here.rows()] == ["signed", "signed"]
    ((_, second),) = [tuple(here.rows())]
    (proof, *_) = here.read(proofs.of_document, second.id)
    known = here.read(proofs.evidence, proof.id)
    assert known.ocsp_responses


# ---- archive time stamps ----


def test_archive_stamps_are_renewed_before_their_authority_ends(ward: Make, trust: Trust) -> None:
    here = ward(level="B-LTA", proof='renew_before = "60d"\n')
    here.send(discharge("1"))
    here.sign("BS1")
    here.sign("TK1")
    here.work()
    (row,) = here.rows()
    sent = here.file(row)
    assert levels(judged(here, sent)) == ["B-LTA"] * 3
    before = here.deliveries(row)
    assert here.renew() == 2, "what is kept of two files gets its first archive time stamp"
    assert here.renew() == 0
    (noted,) = archives(here, row)
    here.clock.at = noted.due_at - 1
    assert here.renew() == 0, "a day too early"
    here.clock.at = noted.due_at
    assert here.renew() == 0, "the authority still has its old certificate"
    assert set(wrong(here)) == {("proof", 5164)}
    trust.new_stamping_unit()
    here.clock.forward(31 * 86400)
    assert here.renew() == 3
    assert wrong(here) == []
    assert here.file(row) == sent, "what was sent stays"
    renewed = here.file(row, "cda~1")
    assert xades_levels.XADES141.encode() in renewed
    assert levels(judged(here, renewed)) == ["B-LTA"] * 3
    old, new = archives(here, row)
    assert (old.state, new.state, new.number) == ("renewed", "current", 1)
    assert new.before_sha256 == old.sha256 == here.read(documents.renditions, row.id, "cda")[0].sha256
    assert new.ends_at > old.ends_at
    assert here.deliveries(row) == before, "nothing is sent again"
    assert here.renew() == 0
    told = told_of(here, row)["archive"]
    assert [one["kind"] for one in told if one["kind"].startswith("cda")] == ["cda", "cda~1"]


def test_a_renewal_waits_for_an_authority_that_is_away(ward: Make, trust: Trust) -> None:
    here = ward(level="B-LTA", policies=SEAL_ALONE)
    here.send(discharge("1"))
    (row,) = here.rows()
    (noted,) = archives(here, row)
    here.clock.at = noted.due_at
    trust.new_stamping_unit()
    trust.break_("tsa", Action.DOWN)
    assert here.renew() == 0
    assert set(wrong(here)) == {("proof", 5050)}
    trust.repair()
    here.clock.forward(86400)
    assert here.renew() == 3
    assert levels(judged(here, here.file(row, "cda~1"))) == ["B-LTA"]


def test_what_is_wanted_anew_of_a_signature_that_killed_is_tried(ward: Make) -> None:
    here = ward(policies=SEAL_ALONE, proof='grace = "1m"\n')
    here.send(discharge("1"))
    here.clock.forward(600)
    now, write = here.clock.now(), here.desk.store.write_now
    lease: Any = {"owner": "n1", "now": now, "until": now + 10**12, "limit": 1}
    for _ in range(2):
        (row,) = write(lambda c: proofs.take_wanting(c, **lease))
        write(lambda c: relief.take_back(c, "n1", now))
    write(lambda c: proofs.raise_level(c, row.id, "B-LTA", "", now))
    assert [one.id for one in write(lambda c: proofs.take_wanting(c, **lease))] == [row.id]


def test_archive_stamps_that_kill_their_node_twice_wait_for_a_person(ward: Make, trust: Trust) -> None:
    here = ward(level="B-LTA", policies=SEAL_ALONE)
    here.send(discharge("1"))
    (row,) = here.rows()
    (noted,) = archives(here, row)
    here.clock.at = now = noted.due_at
    trust.new_stamping_unit()
    write = here.desk.store.write_now

    def take(connection: Connection) -> list[str]:
        found = proofs.take_ending(connection, owner="n1", now=now, until=now + 10**12, limit=9)
        return [row.id for row in proofs.give_back(connection, found, 1, "n1", now)]

    assert write(take) == [noted.id]
    assert write(lambda c: relief.take_back(c, "n1", now)) == []
    assert write(take) == [noted.id]
    assert write(lambda c: relief.take_back(c, "n1", now)) == [noted.id]
    assert here.renew() == 2, "what is kept of two other files"
    assert [(item.id, item.fault_code) for item in here.read(repair.error_queue)] == [(noted.id, 8109)]
    write(lambda c: repair.retry(c, noted.id, "lan", "đã sửa", here.clock))
    assert here.renew() == 1
    assert wrong(here) == []


def test_the_authority_goes_between_values_and_archive_stamp(ward: Make, trust: Trust) -> None:
    """A document whose signatures are proved waits for the archive stamp as it waited for the others."""
    here = ward(level="B-LTA", policies=SEAL_ALONE)
    trust.break_("tsa", Action.DOWN, first=4)
    here.send(discharge("1"))
    (row,) = here.rows()
    assert (row.state, row.fault_code) == ("proving", 5050)
    assert {state for _, _, state in here.proofs(row)} == {"proved"}
    trust.repair()
    here.clock.forward(600)
    here.work()
    assert here.rows()[0].state == "signed"
    assert levels(judged(here, here.file(row))) == ["B-LTA"]


# ---- pages ----


def pages_of(here: ProvingWard) -> bytes:
    (row,) = here.rows()
    return pages.issue(here.plan, here.desk.store, here.clock, row.id, "lan", base)


def pyhanko(pdf: bytes, trust: Trust, at: datetime) -> Any:
    """Let pyHanko judge by what the file holds alone: the signature by its time stamp, and each stamp by the next.

    Of the authority of the last stamp nobody has said anything yet; that it is good is told.
    """
    (root,) = load_roots([trust.pem_file.read_bytes()])
    reader = PdfFileReader(io.BytesIO(pdf))
    last = reader.embedded_timestamp_signatures[-1].signer_cert
    spec = SignatureValidationSpec(
        CertValidationPolicySpec(
            SimpleTrustManager.build([asn1_x509.Certificate.load(root.public_bytes(Encoding.DER))]),
            CertRevTrustPolicy(REQUIRE_REVINFO),
        ),
        RevocationInfoGatheringSpec(RevinfoOnlineFetchingRule.LOCAL_ONLY),
        local_knowledge=LocalKnowledge(nonrevoked_assertions=[NonRevokedStatusAssertion(last.sha256, at)]),
    )
    (signature,) = reader.embedded_regular_signatures
    timing = ValidationTimingInfo(at, at, point_in_time_validation=True)
    return asyncio.run(ades_lta_validation(signature, PdfSignatureValidationSpec(spec), timing))


@pytest.mark.parametrize("level", ["B-B", "B-T", "B-LT", "B-LTA"])
def test_pages_have_the_level_of_their_paper(level: str, ward: Make, trust: Trust) -> None:
    here = ward(policies=SEAL_ALONE, level=level, proof='level = "B-T"\n')
    here.send(discharge("1"))
    made = pages_of(here)
    lasts = level in ("B-LT", "B-LTA")
    report = judged(here, made, after=YEARS if lasts else timedelta(0))
    assert [signed.level for signed in report.signers] == [level]
    assert report.verdict == ("valid" if lasts else "undecided"), report.reasons
    (row,) = here.rows()
    (noted,) = [one for one in here.read(proofs.of_document, row.id) if one.kind == "pdf"]
    assert (noted.state, noted.level) == ("kept" if level == "B-B" else "proved", level)
    assert [one.kind for one in archives(here, row)] == (["cda", "pdf"] if level == "B-LTA" else [])
    told = next(one for one in told_of(here, row)["signatures"] if one["kind"] == "pdf")
    assert [len(told[name]) > 0 for name in ("certificates", "ocsp", "timestamps")] == [True, lasts, level != "B-B"]


def test_pages_wait_for_the_time_stamp_authority_alone(ward: Make, trust: Trust) -> None:
    here = ward(policies=SEAL_ALONE)
    here.send(discharge("1"))
    trust.break_("tsa", Action.UNAVAILABLE)
    with pytest.raises(TimestampUnavailable):
        pages_of(here)
    (row,) = here.rows()
    assert here.read(documents.renditions, row.id, "pdf") == []


@pytest.mark.parametrize("why", ["responders", "grace"])
def test_pages_given_out_before_issuers_have_spoken_are_completed_behind_their_end(
    why: str, ward: Make, trust: Trust
) -> None:
    here = ward(policies=SEAL_ALONE, level="B-LTA", proof='grace = "2h"\n' if why == "grace" else "")
    here.send(discharge("1"))
    here.clock.forward(8000)
    here.work()
    if why == "responders":
        trust.break_("ocsp", Action.DOWN)
        trust.break_("crl", Action.DOWN)
    given = pages_of(here)
    assert [one.level for one in judged(here, given, after=timedelta(0)).signers] == ["B-T"]
    here.work()
    assert [one for one in wrong(here) if one[0] == "proof"] == [("proof", 5161)]
    assert pages_of(here) == given
    trust.repair()
    trust.break_("tsa", Action.DOWN)
    here.clock.forward(8000)
    here.work()
    assert pages_of(here) == given, "nothing by halves"
    assert [one for one in wrong(here) if one[0] == "proof"] == [("proof", 5050)]
    trust.repair()
    here.clock.forward(8000)
    here.work()
    assert wrong(here) == []
    whole = pages_of(here)
    assert whole.startswith(given)
    assert levels(judged(here, whole)) == ["B-LTA"]
    (row,) = here.rows()
    assert here.file(row, "pdf") == given
    assert here.file(row, "pdf~1") == whole
    (noted,) = [one for one in archives(here, row) if one.kind == "pdf"]
    assert (noted.number, noted.before_sha256) == (1, documents.digest(given))


def test_pages_whose_stamp_is_worth_nothing_by_now_are_for_a_person(ward: Make, trust: Trust) -> None:
    here = ward(policies=SEAL_ALONE)
    here.send(discharge("1"))
    trust.break_("ocsp", Action.DOWN)
    trust.break_("crl", Action.DOWN)
    given = pages_of(here)
    trust.repair()
    trust.revoke(trust.authority.time_stamper().certificate)
    here.clock.forward(8000)
    here.work()
    assert [one for one in wrong(here) if one[0] == "proof"] == [("proof", 5051)]
    assert pages_of(here) == given


def test_pages_are_renewed_behind_their_end(ward: Make, trust: Trust, tmp_path: Path) -> None:
    here = ward(policies=SEAL_ALONE, level="B-LTA", proof='renew_before = "1500d"\n')
    here.send(discharge("1"))
    given = pages_of(here)
    assert pyhanko(given, trust, to_datetime(here.clock.now())).ades_subindic == AdESPassed.OK
    (row,) = here.rows()
    trail = [given]
    for number in (1, 2):
        current = [one for one in archives(here, row) if one.state == "current"]
        assert {one.kind for one in current} == {"cda", "pdf"}
        here.clock.at = max(one.due_at for one in current)
        trust.new_stamping_unit()
        assert here.renew() == 4
        newest = pages_of(here)
        assert newest.startswith(trail[-1])
        assert len(newest) > len(trail[-1])
        assert here.file(row, f"pdf~{number}") == newest
        trail.append(newest)
        assert levels(judged(here, newest)) == ["B-LTA"]
        assert pyhanko(newest, trust, to_datetime(here.clock.now())).ades_subindic == AdESPassed.OK
    later = to_datetime(here.clock.now()) + timedelta(days=7)
    assert pyhanko(given, trust, later).ades_subindic != AdESPassed.OK, "alone it has ended"
    assert here.file(row, "pdf") == given, "what was given out stays"
    known = [one for one in archives(here, row) if one.kind == "pdf"]
    assert [one.sha256 for one in known] == [documents.digest(one) for one in trail]
    assert [one.before_sha256 for one in known[1:]] == [documents.digest(one) for one in trail[:-1]]
    told = told_of(here, row)
    assert [one["kind"] for one in told["archive"] if one["kind"].startswith("pdf")] == ["pdf", "pdf~1", "pdf~2"]
    assert {"pdf", "pdf~1", "pdf~2"} <= {one["kind"] for one in told["files"] if one["final"]}
    for one in trail:
        found = here.read(verification.issued, documents.digest(one))
        assert (found.state, [hand.role for hand in found.signers]) == ("current", ["seal"])

    trust.close()
    (tmp_path / "paper.pdf").write_bytes(trail[-1])
    then = to_datetime(here.clock.now()) + YEARS
    ask = ("verify", str(tmp_path / "paper.pdf"), "--trust", str(trust.pem_file), "--at", then.isoformat())
    done = cli(*ask, "--offline", "--json")
    assert done.returncode == 0, done.stdout
    assert json.loads(done.stdout)["verdict"] == "valid"
