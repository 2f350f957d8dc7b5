"""What is kept beside a paper's files stays proof: stamped again before the time stamp authority's certificate ends."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from conformance.sandbox.faults import Action
from gateway import repair
from gateway.certificates import lists
from gateway.clock import VIETNAM, moment, to_datetime
from gateway.proof.evidence import evidence, of_file
from gateway.store import deliveries, documents, proofs
from gateway.verification import Verifier
from signing import evidence_record
from signing.certificates import load_roots
from signing.kept import read_evidence
from signing.validation import Trust as Believed
from signing.validation import validate
from signing.verdict import STAMP_EXPIRED, Report
from tests.integration.gateway.proofs import SEAL_ALONE, Make, ProvingWard, Trust
from tests.integration.gateway.test_papers import change, discharge
from tests.site import cli

DAY = timedelta(days=1)


@pytest.fixture
def ward(ward: Make) -> Make:
    return partial(ward, policies=SEAL_ALONE, level="B-LTA")


def kept(here: ProvingWard, row: Any) -> bytes:
    return json.dumps(here.read(evidence, here.plan.keyring, row.id)).encode()


def judged(here: ProvingWard, file: bytes, known: bytes, after: timedelta = DAY) -> Report:
    """Verify offline, at another time."""
    roots = load_roots(here.plan.signing.trust)
    return validate(file, Believed(roots, evidence=read_evidence(known)), to_datetime(here.clock.now()) + after)


def records(here: ProvingWard, row: Any, kind: str = "fhir") -> list[Any]:
    """Give what is noted of the evidence record of one file, oldest first."""
    return [one for one in here.read(proofs.archives, row.id) if one.kind == f"{kind}.e"]


def renew_all(here: ProvingWard, row: Any) -> int:
    """Go to the day on which what is kept of a paper has to be renewed, with a new certificate of the authority."""
    here.clock.at = max(one.due_at for one in here.read(proofs.archives, row.id) if one.state == "current")
    here.trust.new_stamping_unit()
    return here.renew()


def codes(report: Report) -> tuple[str, list[int]]:
    return report.verdict, [one.code for one in report.warnings]


def test_what_is_kept_is_stamped_again_for_as_long_as_it_is_wanted(
    ward: Make, store_url: str, trust: Trust, tmp_path: Path
) -> None:
    here = ward(store_url, proof='renew_before = "1500d"\n')
    here.send(discharge("1"))
    (row,) = here.rows()
    sent = {kind: here.file(row, kind) for kind in ("fhir", "gdbhyt")}
    assert row.state == "signed", "nothing that leaves waits for a record"
    assert here.deliveries(row) == ["queued"]
    assert here.renew() == 2
    (asked, first) = records(here, row)
    assert (asked.state, first.state, asked.number, first.number) == ("renewed", "current", 0, 1)
    for _ in range(2):
        assert renew_all(here, row) == 3, "the CDA file, and two records"
    trail = records(here, row)
    assert [one.number for one in trail] == [0, 1, 2, 3]
    assert [one.before_sha256 for one in trail[1:]] == [one.sha256 for one in trail[:-1]]
    assert [one.ends_at for one in trail] == sorted(one.ends_at for one in trail)
    assert {kind: here.file(row, kind) for kind in sent} == sent, "the files stay as they are"

    old = timedelta(microseconds=trail[1].ends_at - here.clock.at) + 30 * DAY
    known = kept(here, row)
    alone = json.loads(known) | {"archive": []}
    for kind, file in sent.items():
        assert codes(judged(here, file, known, old)) == ("valid", [])
        assert codes(judged(here, file, json.dumps(alone).encode(), old)) == ("valid", [STAMP_EXPIRED]), kind
        assert judged(here, file, known, old).signers[0].stamps_until == to_datetime(trail[-1].ends_at).replace(
            microsecond=0
        )
    trust.close()
    (tmp_path / "paper.json").write_bytes(sent["fhir"])
    (tmp_path / "kept.json").write_bytes(known)
    then = (to_datetime(here.clock.now()) + old).isoformat()
    ask = ("verify", str(tmp_path / "paper.json"), "--evidence", str(tmp_path / "kept.json"), "--at", then)
    done = cli(*ask, "--trust", str(trust.pem_file), "--offline", "--json")
    assert done.returncode == 0, done.stdout
    shown = cli(*ask, "--trust", str(trust.pem_file), "--offline")
    assert f"(dấu thời gian tới {to_datetime(trail[-1].ends_at).astimezone(VIETNAM):%d/%m/%Y})" in shown.stdout
    (signer,) = json.loads(done.stdout)["signers"]
    assert signer["stamps_until"][:10] == to_datetime(trail[-1].ends_at).isoformat()[:10]


def test_people_see_what_is_to_be_renewed(ward: Make, trust: Trust) -> None:
    here = ward()
    here.send(discharge("1"))
    here.renew()
    (row,) = here.rows()

    def told(days: int) -> dict[str, Any]:
        return here.desk.store.read_now(lambda c: lists.stamps_ending(c, here.plan, here.clock.now(), days))

    assert told(60) == {"count": 0, "first": "", "failed": 0}
    first = min(one.due_at for one in here.read(proofs.archives, row.id) if one.state == "current")
    here.clock.at = first - 10 * 86_400_000_000
    assert told(60) == {"count": 3, "first": moment(first)[:10], "failed": 0}
    here.clock.forward(20 * 86_400)
    assert here.renew() == 0
    here.clock.forward(300 * 86_400)
    assert told(60)["failed"] == 3


def test_one_time_stamp_serves_many_papers(ward: Make, trust: Trust) -> None:
    here = ward()
    for number in range(5):
        here.send(discharge(str(number)) if not number else change(str(number), illness=f"J1{number}.9^Viêm phổi^I10"))
    rows = here.rows()
    assert here.renew() == 2 * len(rows)
    made = {one for row in rows for one in read_evidence(kept(here, row)).records}
    assert len({evidence_record.tokens(one)[0] for one in made}) == 1
    assert len(made) == 2 * len(rows)
    for row in rows:
        for kind in ("fhir", "gdbhyt"):
            assert codes(judged(here, here.file(row, kind), kept(here, row))) == ("valid", [])


def test_evidence_that_was_changed_or_lacks_a_link_is_told(ward: Make) -> None:
    here = ward(proof='renew_before = "1500d"\n')
    here.send(discharge("1"))
    (row,) = here.rows()
    assert here.renew() == 2
    renew_all(here, row)
    file, known = here.file(row, "fhir"), json.loads(kept(here, row))
    (own,) = (one for one in known["signatures"] if one["kind"] == "fhir")
    left = own["ocsp"][-1]
    for one in known["signatures"]:
        one["ocsp"] = [answer for answer in one["ocsp"] if answer != left]
    report = judged(here, file, json.dumps(known).encode())
    assert report.verdict == "undecided"
    assert [(one.code, one.detail[:4]) for one in report.reasons if one.code == 5207] == [(5207, "1 of")]


def test_the_ledger_finds_what_is_kept_by_the_hash_of_a_file(ward: Make) -> None:
    here = ward()
    here.send(discharge("1"))
    (row,) = here.rows()
    here.renew()
    file = here.file(row, "fhir")
    found = here.read(of_file, here.plan.keyring, documents.digest(file))
    assert len(found.records) == 2
    trusted = Believed(load_roots(here.plan.signing.trust), evidence=found)
    assert codes(validate(file, trusted, to_datetime(here.clock.now()) + DAY)) == ("valid", [])
    verifier = Verifier(here.plan, here.desk.store, here.clock)
    here.clock.forward(300 * 86_400)
    dropped = verifier._judge(file)
    verifier.close()
    assert (dropped.verdict, dropped.signers[0].at_is, dropped.signers[0].revocation) == ("valid", "stamped", "good")
    assert here.read(of_file, here.plan.keyring, "0" * 64) == replace(found, **dict.fromkeys(vars(found), ()))


def test_an_authority_that_is_away_or_has_no_newer_certificate_is_waited_for(ward: Make, trust: Trust) -> None:
    here = ward()
    here.send(discharge("1"))
    (row,) = here.rows()
    trust.break_("tsa", Action.DOWN)
    assert here.renew() == 0
    wrong = {(one.what, one.fault_code) for one in here.read(repair.error_queue)}
    assert wrong == {("proof", 5050)}
    trust.repair()
    here.clock.forward(86400)
    assert here.renew() == 2
    assert here.read(repair.error_queue) == []
    here.clock.at = max(one.due_at for one in records(here, row) if one.state == "current")
    assert here.renew() == 0
    assert {one.fault_code for one in here.read(repair.error_queue)} == {5164}
    trust.new_stamping_unit()
    here.clock.forward(50 * 86400)
    assert here.renew() == 3


def test_a_signature_beside_its_file_and_what_people_signed_in_that(ward: Make, tmp_path: Path) -> None:
    forms = '\n[[form]]\ndestinations = ["archive"]\nreference = "detached"\n'
    (tmp_path / "site" / "archive").mkdir(parents=True)
    folder = '\n[[destination]]\nkind = "folder"\nname = "archive"\nfolder = "archive"\nbasis = "law"\n'
    policy = '[[policy]]\nlevel = "{level}"\n[[policy.step]]\nname = "doctor"\nrole = "treating_doctor"\n'
    here = ward(policies=policy + '[[policy.step]]\nrole = "seal"\n' + forms, destinations=folder)
    here.send(discharge("1"))
    here.sign("BS1")
    here.work()
    (row,) = here.rows()
    assert row.state == "signed", (row.fault_where, row.fault_detail)
    own = here.plan.routes["archive"].own_kind
    assert here.renew() == 4
    known = read_evidence(kept(here, row))
    assert len(known.records) == 4
    file, seal = here.file(row, own), here.file(row, f"{own}.s")
    trusted = Believed(load_roots(here.plan.signing.trust), evidence=known)
    then = to_datetime(here.clock.now()) + 400 * DAY
    (delivery,) = here.desk.store.read_now(lambda c: [d.id for d in deliveries.listing(c, document_id=row.id)])
    for data, files in ((file, {}), (seal, {f"{delivery}.xml": file})):
        report = validate(data, trusted, then, files)
        assert codes(report) == ("valid", []), (report.reasons, report.warnings)
    assert validate(seal, trusted, then, {}).verdict != "valid"


@pytest.mark.parametrize("level", ["B-T", "B-LT"])
def test_below_b_lta_no_record_is_made(level: str, ward: Make) -> None:
    here = ward(level=level)
    here.send(discharge("1"))
    assert here.renew() == 0
    (row,) = here.rows()
    assert here.read(proofs.archives, row.id) == []
