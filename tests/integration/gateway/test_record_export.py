"""`lienthong record export`: the whole record of a visit, for somebody who may have it."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway import export
from gateway.faults import DocumentWithheld, NothingThere
from gateway.store import actions
from mappings import emr_export
from mappings.formats import json, safe_xml
from mappings.ids import resource_id
from signing.certificates import load_roots
from signing.verify import verify
from tests.conftest import HandClock
from tests.integration.gateway.desk import Desk, message, pid
from tests.integration.gateway.test_papers import change, discharge, segments
from tests.site import cli, cli_json

HIV = "B20^Bệnh HIV^I10"
PRODUCE = ("discharge_paper", "health_summary")


@pytest.fixture
def desk(tmp_path: Path, clock: HandClock) -> Iterator[Desk]:
    made = Desk(tmp_path / "site", f"sqlite:///{tmp_path / 'ledger.db'}", clock, produce=PRODUCE)
    yield made
    made.store.close()


def gathered(desk: Desk, number: str = "VV1", **how: Any) -> export.Export:
    options: dict[str, Any] = {"basis": "law", "now": desk.clock.now(), **how}
    return desk.store.read_now(lambda c: export.gather(c, desk.plan, export.visit_of(c, desk.plan, number), **options))


def visit(desk: Desk, number: str) -> str:
    """Name the visit that a number means."""
    return f"Encounter/{desk.store.read_now(lambda c: export.visit_of(c, desk.plan, number)).id}"


def opened(packed: bytes) -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(packed))


def test_everything_of_the_visit_is_inside_with_its_index(desk: Desk) -> None:
    desk.send(discharge("1"))
    desk.send(change("2", treatment="Kháng sinh, đổi thuốc"))
    archive = opened(export.as_zip(gathered(desk)))
    index = json.loads(archive.read("index.json"))
    assert (index["format"], index["basis"], index["encounter"]) == (
        "lienthong-record-export/1",
        "law",
        desk.visit("VV1"),
    )
    assert [(one["paper"], one["version"], one["state"]) for one in index["papers"]] == [
        ("discharge_paper", 1, "signed"),
        ("health_summary", 1, "signed"),
        ("discharge_paper", 2, "signed"),
        ("health_summary", 2, "signed"),
    ]
    told = {"index.json", "index.xml"}
    for file in [*index["files"], *(file for paper in index["papers"] for file in paper["files"])]:
        body = archive.read(file["path"])
        assert (hashlib.sha256(body).hexdigest(), len(body)) == (file["sha256"], file["size"])
        told.add(file["path"])
    assert told == set(archive.namelist())
    assert {file["kind"] for paper in index["papers"] for file in paper["files"]} >= {"cda", "fhir"}


def test_papers_are_the_signed_bytes_and_the_index_names_who_signed(desk: Desk, tmp_path: Path) -> None:
    desk.send(discharge("1"))
    made = gathered(desk)
    roots = load_roots([(tmp_path / "site/keys/ca.pem").read_bytes()])
    signed = [file for paper in made.index["papers"] for file in paper["files"] if file["kind"] == "cda"]
    bodies = {file.path: file.body for file in made.files}
    for file in signed:
        verified = verify(bodies[file["path"]], roots, None)
        assert verified.signer.name in file["signature"]["signer"]
        assert file["signed"]
    assert len(signed) == 2


def test_the_form_of_cv_365_is_inside(desk: Desk) -> None:
    desk.send(discharge("1"))
    archive = opened(export.as_zip(gathered(desk)))
    root = safe_xml.parse(archive.read("emr/HoSoBenhAn.xml"))
    assert [child.tag for child in root] == list(emr_export.GROUPS)
    assert root.findtext("ThongTinDieuTri/maicd") == "J18.9"
    assert json.loads(archive.read("emr/HoSoBenhAn.json"))["HoSoBenhAn"]["ThongTinBenhNhan"]["sovaovien"] == "VV1"


def test_a_visit_is_found_by_id_then_by_the_hospitals_number_then_by_ma_lk(desk: Desk) -> None:
    ma_lk = desk.plan.systems.episode
    desk.send(message("ADT^A01", "1", pid("BN2"), f"PV1|1|I|||||||||||||||||VV1^^^&{ma_lk}&URI^VN"))
    other = f"Encounter/{resource_id('Encounter', ma_lk, 'VV1')}"
    assert visit(desk, "VV1") == visit(desk, other) == other
    desk.send(discharge("2"))
    assert visit(desk, "VV1") == desk.visit("VV1")
    assert visit(desk, other) == visit(desk, other.removeprefix("Encounter/")) == other


def test_both_indexes_say_the_same(desk: Desk) -> None:
    desk.send(discharge("1"))
    made = gathered(desk)
    root = safe_xml.parse(export.index_to_xml(made.index))
    assert [one.text for one in root.iter("sha256")] == [
        *(file["sha256"] for file in made.index["files"]),
        *(file["sha256"] for paper in made.index["papers"] for file in paper["files"]),
    ]
    assert [one.findtext("signature/signer") for one in root.iter("file") if one.findtext("signed") == "true"] == [
        file["signature"]["signer"] for paper in made.index["papers"] for file in paper["files"] if file["signed"]
    ]


def test_same_content_same_bytes_and_no_patient_in_names(desk: Desk) -> None:
    desk.send(discharge("1"))
    now = desk.clock.now()
    first, second = (export.as_zip(gathered(desk, now=now)) for _ in range(2))
    assert first == second
    archive = opened(first)
    assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    for name in archive.namelist():
        assert "BN1" not in name
        assert "VV1" not in name


def test_other_visits_stay_out(desk: Desk) -> None:
    desk.send(discharge("1"))
    other = [one.replace("VV1", "VV2").replace("J18.9^Viêm phổi", "K29.7^Viêm dạ dày") for one in segments()]
    desk.send(message("ADT^A03", "2", *other))
    made = gathered(desk)
    assert {paper["subject"] for paper in made.index["papers"]} == {desk.visit("VV1")}
    assert emr_export.to_xml(made.hoso).count(b"K29.7") == 0


def test_what_is_not_signed_is_told_and_not_given(desk: Desk) -> None:
    desk.send(discharge("1", treatment=""))
    made = gathered(desk)
    states = {paper["paper"]: (paper["state"], paper["fault"], len(paper["files"])) for paper in made.index["papers"]}
    assert states["discharge_paper"] == ("error", "LT3201", 0)
    assert (made.signed, made.waiting) == (1, 1)


def test_nothing_leaves_without_a_basis(desk: Desk) -> None:
    desk.send(discharge("1"))
    with pytest.raises(DocumentWithheld):
        gathered(desk, basis="  ")


def test_a_closed_list_is_kept_back_unless_the_law_lets_the_receiver_see_it(desk: Desk) -> None:
    desk.send(discharge("1", illness=HIV))
    with pytest.raises(DocumentWithheld) as withheld:
        gathered(desk)
    assert withheld.value.detail == "closed list: HIV"
    assert len(gathered(desk, closed_lists=True).files) > 2


def test_a_visit_nobody_knows(desk: Desk) -> None:
    desk.send(discharge("1"))
    with pytest.raises(NothingThere):
        gathered(desk, "VV9")


def acts(desk: Desk) -> list[tuple[str, str]]:
    found = desk.store.read_now(lambda c: actions.of_target(c, desk.visit("VV1")))
    return [(act.verb, act.reason) for act in found]


@pytest.mark.parametrize("form", ["zip", "xml", "json"])
def test_the_command_writes_a_file_for_its_owner_and_notes_it(desk: Desk, tmp_path: Path, form: str) -> None:
    desk.send(discharge("1"))
    file = tmp_path / f"out.{form}"
    at = ("--config", str(tmp_path / "site"), "--encounter", "VV1", "--basis", "Luật KCB Điều 69", "-o", str(file))
    said = cli_json("record", "export", "--to", form, *at)
    assert (said["signed"], said["waiting"], said["size"]) == (2, 0, file.stat().st_size)
    assert hashlib.sha256(file.read_bytes()).hexdigest() == said["sha256"]
    assert file.stat().st_mode & 0o777 == 0o600
    assert acts(desk) == [("export", f"Luật KCB Điều 69; {form}; sha256 {said['sha256']}")]
    again = cli("record", "export", "--to", form, *at)
    assert again.returncode == 2, "it never writes over a file"


def test_the_command_refuses_and_says_so(desk: Desk, tmp_path: Path) -> None:
    desk.send(discharge("1", illness=HIV))
    file = tmp_path / "out.zip"
    at = ("--config", str(tmp_path / "site"), "--encounter", "VV1", "-o", str(file))
    assert cli("record", "export", *at).returncode == 2, "no basis was given"
    assert cli("record", "export", *at, "--basis", " ").returncode == 2
    refused = cli("record", "export", *at, "--basis", "request")
    assert (refused.returncode, "LT7001" in refused.stderr, file.exists()) == (1, True, False)
    assert acts(desk) == [("withhold", "request; closed list: HIV")]
    given = cli("record", "export", *at, "--basis", "request", "--closed-lists")
    assert (given.returncode, file.exists()) == (0, True)


def test_the_command_says_no_when_papers_are_missing(desk: Desk, tmp_path: Path) -> None:
    desk.send(discharge("1", treatment=""))
    file = tmp_path / "out.zip"
    at = ("--config", str(tmp_path / "site"), "--encounter", "VV1", "--basis", "law", "-o", str(file))
    done = cli("record", "export", *at)
    assert (done.returncode, file.exists()) == (1, True)
    assert "LT3201" in done.stdout
