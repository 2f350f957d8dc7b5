"""One paper for several destinations, each in the form of signatures that it asks for."""

from __future__ import annotations

import asyncio
import hashlib
import json
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from conformance.sandbox.ca import DemoCA
from connectors.kinds import load_destination
from gateway import probes
from gateway.clock import SystemClock
from gateway.configuration import load
from gateway.delivery.sql_queue import SqlQueue
from gateway.signing_run import Run
from gateway.store import deliveries, documents
from signing.certificates import load_roots
from signing.keys import open_key
from signing.validation import Trust, validate
from signing.verdict import Report
from tests.conftest import HandClock
from tests.integration.gateway.desk import Desk
from tests.integration.gateway.test_papers import discharge, rows
from tests.site import PASSWORD

DESTINATIONS = """
[[destination]]
kind = "folder"
name = "out"
folder = "out"
basis = "law"

[[destination]]
kind = "folder"
name = "archive"
folder = "archive"
basis = "law"

[[destination]]
kind = "folder"
name = "share"
folder = "share"
rendition = "fhir"
basis = "law"

[[destination]]
kind = "insurance_portal"
name = "portal"
url = "http://127.0.0.1:1"
username = "01999_BV"
password = "secret:destinations"
facility = "01999"
basis = "law"

[[destination]]
kind = "insurance_portal"
name = "province"
url = "http://127.0.0.1:2"
username = "01999_BV"
password = "secret:destinations"
facility = "01999"
basis = "law"
"""
FORMS = """
[[form]]
destinations = ["province"]
reference = "parts"
algorithm = "RS512"

[[form]]
destinations = ["archive"]
reference = "detached"
signature = "xades"

[[form]]
papers = ["discharge_paper"]
canonical = "fhir"
algorithm = ["ES256", "PS256"]

[[form]]
destinations = ["out"]
algorithm = "PS256"
"""


MakeDesk = Callable[..., Desk]


@pytest.fixture
def make_desk(tmp_path: Path, store_url: str, clock: HandClock) -> Iterator[MakeDesk]:
    """Make desks, and close their stores at the end: a connection left open is missing elsewhere."""
    made: list[Desk] = []

    def make(**site: Any) -> Desk:
        made.append(Desk(tmp_path, store_url, clock, destinations=DESTINATIONS, **site))
        return made[-1]

    yield make
    for one in made:
        one.store.close()


@pytest.fixture
def desk(tmp_path: Path, make_desk: MakeDesk) -> Desk:
    for name in ("out", "archive", "share"):
        (tmp_path / name).mkdir()
    return make_desk(policies=FORMS, ca=DemoCA(tmp_path / "ca"))


def outbound(desk: Desk, row: Any) -> dict[str, Any]:
    """Give what goes to each destination."""
    queue = SqlQueue(desk.store, desk.keyring, desk.clock, "n1", 1, "01999", {})
    found = desk.store.read_now(lambda c: deliveries.listing(c, document_id=row.id))
    load = {one.destination: queue.load(one, desk.plan.routes[one.destination].renditions) for one in found}
    return {name: asyncio.run(one) for name, one in load.items()}


def judged(desk: Desk, data: bytes, **files: bytes) -> Report:
    return validate(data, Trust(load_roots(desk.plan.signing.trust)), files=files)


def test_a_later_version_of_an_insurance_file_goes_as_a_correction(desk: Desk) -> None:
    """The portal's history does not tell it from the one before, so a lost answer is for a person."""
    desk.send(discharge("1"))
    desk.send(discharge("2", treatment="Truyền dịch, hạ sốt"))
    first, second = sorted(rows(desk), key=lambda row: int(row.version))
    assert (second.state, second.version) == ("signed", 2)
    assert outbound(desk, first)["portal"].media_type == "application/xml; decision=3176"
    sent = outbound(desk, second)
    assert sent["portal"].media_type == "application/xml; decision=3176; corrects=1"
    assert sent["out"].media_type == "application/xml"


def test_each_destination_gets_its_form(desk: Desk) -> None:
    desk.send(discharge("1"))
    (row,) = rows(desk)
    assert row.state == "signed", (row.fault_code, row.fault_detail)
    sent = outbound(desk, row)
    assert set(sent) == {"out", "archive", "share", "portal", "province"}

    assert {sent[name].media_type for name in ("portal", "province")} == {"application/xml; decision=3176"}
    assert sent["out"].media_type == "application/xml"
    portal, province = judged(desk, sent["portal"].body), judged(desk, sent["province"].body)
    assert (portal.verdict, [one.part for one in portal.covers]) == ("valid", ["document"])
    assert b"sha256-rsa-MGF1" in sent["portal"].body
    assert (province.verdict, [one.part for one in province.covers]) == ("valid", ["THONGTINDONVI", "THONGTINHOSO"])
    assert b"rsa-sha512" in sent["province"].body
    strip = sent["province"].body.replace(b' Id="THONGTINDONVI"', b"").replace(b' Id="THONGTINHOSO"', b"")
    assert strip.split(b"<Signature")[0] == sent["portal"].body.split(b"<Signature")[0]

    out = judged(desk, sent["out"].body)
    assert (out.verdict, [one.level for one in out.signers]) == ("valid", ["XMLDSig"])
    assert b"MGF1" in sent["out"].body
    assert sent["out"].signature == b""

    archive = sent["archive"]
    told = judged(desk, archive.signature, **{f"{archive.key}.xml": archive.body})
    assert (told.verdict, [one.level for one in told.signers]) == ("valid", ["B-B"])
    assert b"Signature>" not in archive.body
    assert hashlib.sha256(archive.body).hexdigest() == archive.sha256

    share = judged(desk, sent["share"].body)
    assert share.verdict == "valid"
    assert b"canonicalization=http://hl7.org/fhir/canonicalization/json#document" in sent["share"].body


def test_the_folder_writes_both_files_and_knows_them_again(desk: Desk) -> None:
    desk.send(discharge("1"))
    (row,) = rows(desk)
    document = outbound(desk, row)["archive"]
    _, make = load_destination("folder")
    route = desk.plan.routes["archive"]
    destination = make("archive", route.settings, lambda data: data)
    first = asyncio.run(destination.deliver(document))
    folder = desk.plan.folder / "archive"
    assert {one.name for one in folder.iterdir()} == {f"{document.key}.xml", f"{document.key}.xml.xades"}
    assert asyncio.run(destination.find(document)) == first == asyncio.run(destination.deliver(document))
    (folder / f"{document.key}.xml").unlink()
    assert asyncio.run(destination.find(document)) is None


def test_kept_signatures_say_which_rendition_they_are_of(desk: Desk) -> None:
    desk.send(discharge("1"))
    (row,) = rows(desk)
    routes = desk.plan.routes
    kept = {one.kind for one in desk.store.read_now(lambda c: documents.signatures(c, row.id))}
    own = {routes["province"].own_kind, routes["archive"].own_kind + ".s"}
    assert routes["out"].own_form, "but a rule before its own says what holds"
    assert routes["share"].own_form is False
    assert kept == own | {"cda", "fhir", "gdbhyt"}


def test_a_form_that_is_everybodys_needs_no_rendition_of_its_own(tmp_path: Path, make_desk: MakeDesk) -> None:
    (tmp_path / "out").mkdir()
    forms = '[[form]]\ndestinations = ["out"]\nsignature = "xades"\n[[form]]\nsignature = "xades"\n'
    desk = make_desk(policies=forms)
    desk.send(discharge("1"))
    (row,) = rows(desk)
    assert {one.kind for one in desk.store.read_now(lambda c: documents.renditions(c, row.id))} == {
        "cda",
        "fhir",
        "gdbhyt",
    }
    assert [one.level for one in judged(desk, outbound(desk, row)["out"].body).signers] == ["B-B"]


def test_a_destination_named_later_gets_old_papers_as_they_were(desk: Desk) -> None:
    desk.send(discharge("1"))
    (row,) = rows(desk)
    before = outbound(desk, row)["share"].body
    (desk.plan.folder / "signing.toml").write_text(
        f'{FORMS}\n[[form]]\ndestinations = ["share"]\nalgorithm = "RS384"\n'
    )
    desk.plan = load(desk.plan.folder)
    assert desk.plan.routes["share"].own_form
    assert outbound(desk, row)["share"].body == before


def test_check_tells_an_algorithm_that_the_key_cannot_do(desk: Desk) -> None:
    assert list(probes.problems(desk.plan)) == []
    (desk.plan.folder / "signing.toml").write_text(FORMS.replace('"RS512"', '"ES384"'), encoding="utf-8")
    (problem,) = probes.problems(load(desk.plan.folder))
    assert (problem.code, problem.where) == (1004, "signing.toml:2")
    assert problem.detail.startswith("algorithm: ES384; the key of [signing] does RS256, ")


DOCTOR_FIRST = """
[[policy]]
[[policy.step]]
name = "doctor"
role = "treating_doctor"
[[policy.step]]
role = "seal"

[[form]]
destinations = ["share"]
provenance = true
canonical = "fhir"

[[form]]
papers = ["discharge_paper"]
algorithm = "RS384"
"""
DOCTOR = """
[[signer]]
code = "BS1"
name = "Lê Quang Minh"
licence = "000123/HNO-CCHN"
roles = ["treating_doctor"]
key = { kind = "pkcs12", file = "keys/BS1.p12", password = "secret:keys" }
"""


def test_the_fhir_document_says_who_signed_the_paper(tmp_path: Path, make_desk: MakeDesk, clock: HandClock) -> None:
    clock.at = SystemClock().now()  # certificates of the test are no older
    for name in ("out", "archive", "share", "keys"):
        (tmp_path / name).mkdir()
    ca = DemoCA(tmp_path / "ca")
    (tmp_path / "keys" / "BS1.p12").write_bytes(ca.issue("Lê Quang Minh").pkcs12(PASSWORD))
    desk = make_desk(policies=DOCTOR_FIRST, signers=DOCTOR, ca=ca)
    desk.send(discharge("1"))
    (row,) = rows(desk)
    key = desk.plan.signers["BS1"].key
    assert key is not None
    may: Any = lambda *_, **__: None  # noqa: E731 - a register in which everything is in order
    sitting = Run(desk.plan, desk.store, clock, "BS1", open_key(key.kind, key.options), "lan", "PC", may_sign=may)
    assert sitting.sign().signed == 1
    desk.work()
    (row,) = rows(desk)
    assert row.state == "signed", (row.fault_code, row.fault_detail)
    sent = outbound(desk, row)

    cda = judged(desk, sent["out"].body)
    assert (cda.verdict, cda.signers[0].signer.name) == ("valid", "Lê Quang Minh")
    assert sent["out"].body.count(b"rsa-sha384") == 2, "people and the seal sign as the paper asks"
    document = json.loads(sent["share"].body)
    person, facility = (e["resource"] for e in document["entry"] if e["resource"]["resourceType"] == "Provenance")
    covered = next(one for one in cda.covers if one.part == "document")
    digest = urlsafe_b64encode(hashlib.sha256(covered.data).digest()).rstrip(b"=").decode()
    assert person["entity"][0]["what"]["identifier"]["value"] == f"ni:///sha-256;{digest}"
    assert person["agent"][0]["type"]["coding"][0]["code"] == "author"
    assert person["agent"][0]["who"]["reference"].rpartition("/")[0].endswith("/Practitioner")
    assert person["target"] == facility["target"]
    assert person["target"][0]["identifier"] == document["identifier"]

    told = judged(desk, sent["share"].body)
    assert (told.verdict, [one.where for one in told.signers]) == (
        "valid",
        ["Bundle.signature", "Provenance 1.signature"],
    )
    del document["signature"]
    assert judged(desk, json.dumps(document).encode()).verdict == "valid", "each holds without the other"
    person["agent"][0]["role"][0]["text"] = "director"
    assert judged(desk, json.dumps(document).encode()).verdict == "invalid"
    plain = desk.store.read_now(lambda c: documents.renditions(c, row.id, "fhir"))
    assert b'"Provenance"' not in desk.keyring.open(plain[0].body, f"{row.id}/fhir")
