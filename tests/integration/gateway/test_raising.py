"""Papers that were signed when less was wanted: their proofs are made up, beside files that stay as they were sent."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from gateway.clock import to_datetime
from gateway.configuration import load
from gateway.proof import raising
from gateway.proof.evidence import evidence
from gateway.proof.raising import Raised
from gateway.store import actions, documents, proofs
from gateway.store.proof_schema import archive
from signing.certificates import load_roots
from signing.kept import read_evidence
from signing.validation import Trust as Believed
from signing.validation import validate
from signing.verdict import Report
from tests.integration.gateway.proofs import DOCTOR_HEAD_SEAL, SEAL_ALONE, Make, ProvingWard, Trust
from tests.integration.gateway.test_papers import discharge
from tests.site import cli

YEARS = timedelta(days=3652)
KINDS = ("cda", "fhir", "gdbhyt")


def judged(here: ProvingWard, row: Any, kind: str, after: timedelta = YEARS) -> Report:
    """Verify a file with what is kept, offline, years later."""
    known = read_evidence(json.dumps(here.read(evidence, here.plan.keyring, row.id)).encode())
    trusted = Believed(load_roots(here.plan.signing.trust), evidence=known)
    return validate(here.file(row, kind), trusted, to_datetime(here.clock.now()) + after)


def wants(here: ProvingWard, level: str) -> None:
    """Let the policy of papers want another level from now on."""
    file = here.plan.folder / "signing.toml"
    before = file.read_text(encoding="utf-8")
    file.write_text(re.sub('level = "B-L?T?A?B?"', f'level = "{level}"', before), encoding="utf-8")
    here.plan = load(here.plan.folder)


def ask(here: ProvingWard, row: Any) -> Raised:
    return here.desk.store.write_now(
        lambda c: raising.ask(c, here.plan, documents.get(c, row.id), "lan", "đã có TSA", here.clock.now())
    )


def signed_at(here: ProvingWard, *people: str) -> Any:
    here.send(discharge("1"))
    for code in people:
        here.sign(code)
        here.work()
    (row,) = here.rows()
    assert row.state == "signed"
    return row


@pytest.mark.parametrize("before", ["B-B", "B-T"])
def test_what_was_signed_at_a_lower_level_is_proved_beside_its_files(
    before: str, ward: Make, store_url: str, trust: Trust
) -> None:
    here = ward(store_url, policies=DOCTOR_HEAD_SEAL, level=before)
    row = signed_at(here, "BS1", "TK1")
    sent = {kind: here.file(row, kind) for kind in KINDS}
    assert judged(here, row, "cda").verdict == "undecided", "its certificates have ended by then"
    assert ask(here, row) == Raised(), "nothing more is wanted"
    wants(here, "B-LT")
    here.clock.forward(86_400)
    assert ask(here, row) == Raised(signatures=5)
    assert ask(here, row) == Raised(), "it is under way"
    here.work()
    assert ask(here, row) == Raised()
    assert {kind: here.file(row, kind) for kind in KINDS} == sent, "the files stay as they were sent"
    assert here.deliveries(row) == ["queued"]
    for kind in KINDS:
        report = judged(here, row, kind)
        assert report.verdict == "valid", (kind, report.reasons)
        assert {(one.at_is, one.revocation) for one in report.signers} == {("stamped", "good")}
    noted = [(one.verb, one.reason) for one in here.read(actions.of_target, row.id)]
    assert noted.count(("raise", "đã có TSA")) == 1


@pytest.mark.parametrize("before", ["B-B", "B-T", "B-LT"])
def test_what_has_to_last_gets_a_record_that_is_renewed(before: str, ward: Make, trust: Trust) -> None:
    here = ward(policies=DOCTOR_HEAD_SEAL, level=before, proof='renew_before = "1500d"\n')
    row = signed_at(here, "BS1", "TK1")
    sent = {kind: here.file(row, kind) for kind in KINDS}
    wants(here, "B-LTA")
    done = ask(here, row)
    here.work()
    asked = [one for one in here.read(proofs.archives, row.id) if one.kind.endswith(".e")]
    assert sorted(one.kind for one in asked) == ["cda.e", "fhir.e", "gdbhyt.e"]
    assert done == (Raised(3, 3) if before == "B-LT" else Raised(5))
    assert here.renew() == 3
    here.clock.at = max(one.due_at for one in here.read(proofs.archives, row.id) if one.state == "current")
    here.trust.new_stamping_unit()
    assert here.renew() == 3
    assert ask(here, row) == Raised()
    assert {kind: here.file(row, kind) for kind in KINDS} == sent
    first, *_, until = sorted(one.ends_at for one in here.read(proofs.archives, row.id) if one.number)
    old = timedelta(microseconds=first - here.clock.at) + timedelta(days=30)
    for kind in KINDS:
        report = judged(here, row, kind, old)
        assert (report.verdict, [one.code for one in report.warnings]) == ("valid", [])
        assert {one.stamps_until for one in report.signers} == {to_datetime(until).replace(microsecond=0)}


def test_papers_from_before_there_were_records_get_theirs(ward: Make) -> None:
    here = ward(policies=SEAL_ALONE, level="B-LTA")
    row = signed_at(here)
    here.desk.store.write_now(lambda c: c.execute(archive.delete().where(archive.c.kind.like("%.e"))))
    assert here.renew() == 0
    assert ask(here, row) == Raised(records=2)
    assert ask(here, row) == Raised()
    assert here.renew() == 2
    assert judged(here, row, "fhir").verdict == "valid"


def test_a_certificate_that_has_ended_is_told_and_a_revoked_one_takes_no_paper_back(ward: Make, trust: Trust) -> None:
    here = ward(policies=DOCTOR_HEAD_SEAL, level="B-B")
    row = signed_at(here, "BS1", "TK1")
    wants(here, "B-LT")
    trust.revoke(here.people["BS1"].certificate)
    here.clock.forward(60)
    assert ask(here, row).signatures == 5
    here.work()
    states = {one.role: one.state for one in here.read(proofs.of_document, row.id) if one.kind == "cda"}
    assert states == {"treating_doctor": "error", "head_of_department": "proved", "seal": "proved"}
    assert here.read(documents.get, row.id).state == "signed", "it has left, and stays"
    here.desk.store.write_now(
        lambda c: (
            c.execute(sa.text("UPDATE signature_proof SET state = 'kept' WHERE kind = 'fhir'"))
            and c.execute(sa.text("DELETE FROM signature_material WHERE position > 3"))
        )
    )
    here.clock.forward(20 * 365 * 86_400)
    assert ask(here, row).ended == 1


def test_a_person_asks_for_all_papers_or_for_some(ward: Make) -> None:
    here = ward(policies=SEAL_ALONE, level="B-B")
    row = signed_at(here)
    wants(here, "B-LT")
    config = ("-c", str(here.plan.folder), "--json")
    none = {"signatures": 0, "records": 0, "ended": 0}
    assert cli("sign", "raise", *config).returncode == 2, "a reason is wanted"
    assert "LT5109" in cli("sign", "raise", "-r", " ", *config).stderr
    for chosen, expected in (
        (("--paper", "death_notice"), none),
        ((row.id, "--paper", "death_notice"), none),
        ((row.id,), none | {"signatures": 3}),
        ((), none),
    ):
        done = cli("sign", "raise", *chosen, "-r", "đã có TSA", *config)
        assert json.loads(done.stdout) == expected, done.stderr
    here.clock.forward(600)
    here.work()
    assert judged(here, row, "cda").verdict == "valid"
