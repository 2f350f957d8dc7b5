"""One paper, signed once, that each destination gets at the level it asks for."""

from __future__ import annotations

import asyncio
import hashlib
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from conformance.sandbox.faults import Action
from connectors.kinds import load_destination
from gateway.clock import to_datetime
from gateway.delivery.sql_queue import SqlQueue
from gateway.store import deliveries, documents, proofs
from gateway.verification import issued
from signing.certificates import load_roots
from signing.faults import TimestampUnavailable
from signing.validation import Trust as Believed
from signing.validation import validate
from tests.integration.gateway.proofs import DOCTOR_HEAD_SEAL, SEAL_ALONE, Make, ProvingWard, Trust
from tests.integration.gateway.test_papers import change, discharge

YEARS = timedelta(days=3652)
FOLDERS = "".join(
    f'\n[[destination]]\nkind = "folder"\nname = "{name}"\nfolder = "{name}"\nbasis = "law"\n'
    for name in ("usual", "archive", "quick")
)
FORMS = """
[[form]]
papers = ["discharge_paper"]
destinations = ["archive"]
level = "B-LTA"

[[form]]
destinations = ["quick"]
level = "B-B"
"""


@pytest.fixture
def ward(ward: Make, tmp_path: Path) -> Make:
    for name in ("usual", "archive", "quick"):
        (tmp_path / "site" / name).mkdir(parents=True)
    return partial(ward, destinations=FOLDERS)


def delivered(here: ProvingWard, row: Any) -> dict[str, bytes]:
    """Deliver what is ready of a paper, and give what lies in each folder then."""
    queue = SqlQueue(here.desk.store, here.desk.keyring, here.clock, "n1", 1, "01999", {})
    _, make = load_destination("folder")
    found: dict[str, bytes] = {}
    for one in here.desk.store.read_now(lambda c: deliveries.listing(c, document_id=row.id)):
        if one.state != "queued":
            continue
        route = here.plan.routes[one.destination]
        document = asyncio.run(queue.load(one, route.renditions))
        asyncio.run(make(one.destination, route.settings, lambda data: data).deliver(document))
        (file,) = (here.plan.folder / one.destination).iterdir()
        found[one.destination] = file.read_bytes()
        assert hashlib.sha256(found[one.destination]).hexdigest() == document.sha256
    return found


def levels(here: ProvingWard, file: bytes, after: timedelta = timedelta(0)) -> tuple[str, list[str]]:
    """Verify offline, at another time."""
    told = validate(file, Believed(load_roots(here.plan.signing.trust)), to_datetime(here.clock.now()) + after)
    return told.verdict, [one.level for one in told.signers]


def test_one_paper_leaves_at_three_levels(ward: Make, store_url: str, trust: Trust) -> None:
    here = ward(store_url, policies=DOCTOR_HEAD_SEAL + FORMS, level="B-LT")
    here.send(discharge("1"))
    here.sign("BS1")
    here.work()
    here.sign("TK1")
    here.work()
    (row,) = here.rows()
    assert row.state == "signed", (row.fault_code, row.fault_detail)
    sent = delivered(here, row)
    trust.close()
    assert levels(here, sent["usual"], YEARS) == ("valid", ["B-LT"] * 3)
    assert levels(here, sent["archive"], YEARS) == ("valid", ["B-LTA"] * 3), "the signatures of people, too"
    assert levels(here, sent["quick"])[1] == ["B-B"] * 3
    assert b"SignatureTimeStamp" not in sent["quick"]
    start = sent["quick"].index(b"<Signature ")
    assert {one[:start] for one in sent.values()} == {sent["quick"][:start]}, "people signed one document"
    assert [one.kind for one in here.read(proofs.archives, row.id)] == [here.plan.routes["archive"].own_kind]
    for file in sent.values():
        told = here.read(issued, hashlib.sha256(file).hexdigest())
        assert [one.role for one in told.signers] == ["treating_doctor", "head_of_department", "seal"]


def test_a_level_for_one_destination_alone_asks_for_what_that_needs(ward: Make, trust: Trust) -> None:
    """The paper itself is at B-B: only the archive's file waits for proofs."""
    here = ward(policies=DOCTOR_HEAD_SEAL + FORMS, level="B-B")
    trust.break_("tsa", Action.DOWN)
    here.send(discharge("1"))
    here.sign("BS1")
    here.sign("TK1")
    here.work()
    (row,) = here.rows()
    own = here.plan.routes["archive"].own_kind
    assert row.state == "proving"
    assert {(kind, state) for kind, role, state in here.proofs(row) if role == "seal"} >= {
        ("cda", "kept"),
        (own, "bare"),
    }
    assert {state for _, role, state in here.proofs(row) if role != "seal"} == {"bare"}
    first = delivered(here, row)
    assert {name: levels(here, file)[1] for name, file in first.items()} == {
        "usual": ["B-B"] * 3,
        "quick": ["B-B"] * 3,
    }
    assert row.signed_at is not None, "it has left"
    trust.repair()
    here.clock.forward(600)
    here.work()
    (row,) = here.rows()
    assert row.state == "signed"
    sent = delivered(here, row)
    assert levels(here, sent["archive"], YEARS) == ("valid", ["B-LTA"] * 3)
    assert {name: sent[name] for name in first} == first, "final bytes"
    assert sent["quick"] == sent["usual"], "the same level needs no rendition of its own"


def test_each_file_leaves_at_its_own_level(ward: Make, trust: Trust) -> None:
    """What waits for time stamps alone does not wait for issuers, and B-LT not for an archive time stamp."""
    here = ward(policies=DOCTOR_HEAD_SEAL + FORMS.replace('"B-B"', '"B-LT"'), level="B-T")
    trust.break_("ocsp", Action.DOWN)
    trust.break_("crl", Action.DOWN)
    here.send(discharge("1"))
    here.sign("BS1")
    here.sign("TK1")
    here.work()
    (row,) = here.rows()
    assert row.state == "proving"
    first = delivered(here, row)
    assert {name: levels(here, file)[1] for name, file in first.items()} == {"usual": ["B-T"] * 3}
    assert row.signed_at is not None, "it has left"
    trust.repair()
    trust.break_("tsa", Action.DOWN)
    here.clock.forward(600)
    here.work()
    (row,) = here.rows()
    assert (row.state, row.fault_code) == ("proving", 5050)
    sent = delivered(here, row)
    assert {name: levels(here, file)[1] for name, file in sent.items()} == {"usual": ["B-T"] * 3, "quick": ["B-LT"] * 3}
    trust.repair()
    here.clock.forward(600)
    here.work()
    (row,) = here.rows()
    assert row.state == "signed"
    last = delivered(here, row)
    assert levels(here, last["archive"], YEARS) == ("valid", ["B-LTA"] * 3)
    assert last == {**sent, "archive": last["archive"]}, "final bytes"


def test_a_file_that_is_ready_does_not_wait_for_the_seal_of_another(ward: Make, trust: Trust) -> None:
    """FHIR and CDA are sealed each by itself; the proofs of one are late."""
    fhir = FOLDERS.replace('folder = "quick"', 'folder = "quick"\nrendition = "fhir"')
    here = ward(policies=SEAL_ALONE, level="B-T", destinations=fhir)
    trust.break_("tsa", Action.DOWN)
    here.send(discharge("1"))
    (row,) = here.rows()
    late = next(one for one in here.read(proofs.of_document, row.id) if one.kind == "cda")
    here.desk.store.write_now(lambda c: proofs.postpone(c, late.id, "", late_fault(), here.clock.now() + 10**12))
    trust.repair()
    here.clock.forward(600)
    here.work()
    (row,) = here.rows()
    assert row.state == "proving"
    assert set(delivered(here, row)) == {"quick"}
    here.desk.store.write_now(lambda c: proofs.hurry(c, late.id, here.clock.now()))
    here.work()
    (row,) = here.rows()
    assert row.state == "signed"
    assert set(delivered(here, row)) == {"usual", "archive", "quick"}


def late_fault() -> TimestampUnavailable:
    return TimestampUnavailable("TSA", "away")


def test_newer_content_replaces_what_has_left_to_some(ward: Make, trust: Trust) -> None:
    here = ward(policies=SEAL_ALONE + FORMS, level="B-LT")
    trust.break_("tsa", Action.DOWN)
    here.send(discharge("1"))
    (first,) = here.rows()
    assert (first.state, list(delivered(here, first))) == ("proving", ["quick"])
    here.send(change("2", illness="J15.9^Viêm phổi do vi khuẩn^I10"))
    first, second = here.rows()
    assert (first.state, second.state, second.replaces_id) == ("superseded", "proving", first.id)
    told = {
        one.destination: one.state
        for one in here.desk.store.read_now(lambda c: deliveries.listing(c, document_id=first.id))
    }
    assert told == {"usual": "closed", "archive": "closed", "quick": "queued"}, (
        "what has left arrives, and before the newer one"
    )
    trust.repair()
    here.clock.forward(600)
    here.work()
    _, second = here.rows()
    assert second.state == "signed"


def test_what_leaves_early_has_the_level_of_its_destination(ward: Make, trust: Trust) -> None:
    accepts = FOLDERS.replace('basis = "law"\n', 'basis = "law"\naccepts = "doctor"\n')
    here = ward(policies=DOCTOR_HEAD_SEAL + FORMS.replace("B-LTA", "B-T"), level="B-LT", destinations=accepts)
    trust.break_("ocsp", Action.DOWN)
    trust.break_("crl", Action.DOWN)
    here.send(discharge("1"))
    here.sign("BS1")
    (row,) = here.rows()
    first = delivered(here, row)
    assert {name: levels(here, file)[1] for name, file in first.items()} == {"quick": ["B-B"]}
    trust.repair()
    here.clock.forward(600)
    here.work()
    sent = delivered(here, row)
    assert sent["quick"] == first["quick"]
    assert {name: levels(here, file)[1] for name, file in sent.items()} == {
        "quick": ["B-B"],
        "archive": ["B-T"],
        "usual": ["B-LT"],
    }
    here.sign("TK1")
    here.work()
    (row,) = here.rows()
    assert row.state == "signed"
    assert delivered(here, row) == sent, "final bytes"


def test_an_early_file_that_waits_for_proofs_is_not_sealed(ward: Make, trust: Trust) -> None:
    accepts = FOLDERS.replace('basis = "law"\n', 'basis = "law"\naccepts = "doctor"\n', 1)
    here = ward(policies=DOCTOR_HEAD_SEAL, level="B-LT", destinations=accepts)
    trust.break_("tsa", Action.DOWN)
    here.send(discharge("1"))
    here.sign("BS1")
    here.sign("TK1")
    here.work()
    (row,) = here.rows()
    assert "cda@doctor" not in {kind for kind, _, _ in here.proofs(row)}
    trust.repair()
    here.clock.forward(600)
    here.work()
    assert here.rows()[0].state == "signed"
    assert levels(here, delivered(here, row)["usual"]) == ("valid", ["B-LT"])


def test_archive_stamps_for_one_destination_are_renewed(ward: Make, trust: Trust) -> None:
    here = ward(policies=DOCTOR_HEAD_SEAL + FORMS, level="B-T")
    here.send(discharge("1"))
    here.sign("BS1")
    here.sign("TK1")
    here.work()
    (row,) = here.rows()
    own = here.plan.routes["archive"].own_kind
    (noted,) = here.read(proofs.archives, row.id)
    here.clock.at = noted.due_at
    trust.new_stamping_unit()
    assert here.renew() == 1
    assert levels(here, here.file(row, f"{own}~1"), YEARS) == ("valid", ["B-LTA"] * 3)


def test_the_seal_alone_is_made_for_each(ward: Make) -> None:
    here = ward(policies=SEAL_ALONE + FORMS, level="B-T")
    here.send(discharge("1"))
    (row,) = here.rows()
    sent = delivered(here, row)
    told = {name: levels(here, file)[1] for name, file in sent.items()}
    assert told == {"usual": ["B-T"], "archive": ["B-LTA"], "quick": ["XMLDSig"]}
    kinds = {one.kind for one in here.read(documents.renditions, row.id) if one.signed}
    routes = here.plan.routes
    assert kinds >= {"cda", routes["archive"].own_kind, routes["quick"].own_kind}
