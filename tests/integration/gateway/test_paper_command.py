"""`lienthong paper` beside a ledger: what is due and missing, what was signed, previews, issue, reissue, withdrawal."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from gateway import signing_tasks
from gateway.clock import SystemClock
from gateway.proof import pages
from gateway.store import actions, documents
from gateway.verification import issued
from signing.certificates import load_roots
from signing.faults import CertificateSuspended
from signing.verify import verify
from tests.conftest import HandClock
from tests.integration.gateway.desk import Desk
from tests.integration.gateway.test_papers import FOLDER, change, discharge, rows, states
from tests.site import cli, cli_json
from tests.unit.signing.forge_pdf import base


@pytest.fixture
def desk(tmp_path: Path, clock: HandClock) -> Desk:
    (tmp_path / "site-of-test").mkdir()
    place = tmp_path / "site-of-test"
    return Desk(place, f"sqlite:///{place}/ledger.db", clock, destinations=FOLDER)


def paper(desk: Desk, *arguments: str, code: int = 0) -> Any:
    done = cli("paper", *arguments, "--config", str(desk.plan.folder))
    assert done.returncode == code, done.stderr + done.stdout
    return done


def make(desk: Desk, to: str, folder: Path, *more: str, kind: str = "discharge_paper", code: int = 0) -> list[Any]:
    folder.mkdir(exist_ok=True)
    options = ("--encounter", "VV1", "--kind", kind, "--to", to, "-o", str(folder), "--json", *more)
    done = cli("paper", "make", *options, "--config", str(desk.plan.folder))
    assert done.returncode == code, done.stderr + done.stdout
    said: list[Any] = json.loads(done.stdout)
    return said


def test_what_is_due_says_what_it_lacks_and_where_that_comes_from(desk: Desk) -> None:
    desk.send(discharge("1", treatment=""))
    config = str(desk.plan.folder)
    (due,) = cli_json("paper", "list", "--due", "--config", config)
    label = "Phương pháp điều trị"
    assert due["missing"] == [{"item": "PP_DIEUTRI", "label": label, "from": "OBX PP_DIEUTRI"}]
    assert due["visit"] == "VV1"
    assert due["fault"]["code"] == "LT3201"
    shown = paper(desk, "list", "--due").stdout
    assert f"{due['id']} lượt khám VV1: còn thiếu {label} (PP_DIEUTRI) ← OBX PP_DIEUTRI" in shown
    assert "ADT^A08" in shown
    desk.send(change("2"))
    assert cli_json("paper", "list", "--due", "--config", config) == []
    assert "Không có giấy nào" in paper(desk, "list", "--due").stdout
    (made,) = cli_json("paper", "list", "--encounter", "VV1", "--kind", "discharge_paper", "--config", config)
    assert (made["state"], made["version"], made["overdue"]) == ("signed", 1, False)


def test_a_signed_paper_comes_out_as_it_was_signed(desk: Desk, tmp_path: Path) -> None:
    desk.send(discharge("1"))
    (said,) = make(desk, "cda,fhir,gdbhyt,html,pdf", tmp_path / "out")
    assert said["signed"]
    assert [Path(file).name for file in said["files"]] == [
        f"discharge_paper.{suffix}" for suffix in ("cda.xml", "fhir.json", "gdbhyt.xml", "html", "pdf")
    ]
    cda = Path(said["files"][0]).read_bytes()
    (row,) = rows(desk)
    (kept,) = desk.store.read_now(lambda c: documents.renditions(c, row.id, "cda"))
    assert cda == desk.keyring.open(kept.body, f"{row.id}/cda")
    verify(cda, load_roots(desk.plan.signing.trust))
    page = Path(said["files"][3]).read_text(encoding="utf-8")
    assert "Bệnh viện Đa khoa Thử Nghiệm" in page
    assert "BẢN NHÁP" not in page
    assert Path(said["files"][4]).read_bytes().startswith(b"%PDF-")


def test_the_pages_of_a_signed_paper_carry_the_facilitys_seal(desk: Desk, tmp_path: Path) -> None:
    desk.send(discharge("1"))
    trust = tmp_path / "root.pem"
    trust.write_bytes(desk.plan.signing.trust[0])
    (said,) = make(desk, "pdf", tmp_path / "sealed")
    judged = cli_json("verify", said["files"][0], "--trust", str(trust))
    assert (judged["verdict"], [one["part"] for one in judged["covers"]]) == ("valid", ["document"])
    assert [(one["level"], one["where"]) for one in judged["signers"]] == [("B-B", "Signature1")]
    (row,) = rows(desk)
    (noted,) = desk.store.read_now(lambda c: actions.of_target(c, row.id))
    assert (noted.verb, noted.reason) == ("seal", "pdf")
    damaged = tmp_path / "damaged.pdf"
    damaged.write_bytes(Path(said["files"][0]).read_bytes() + b"%%EOF\n")
    done = cli("verify", str(damaged), "--trust", str(trust))
    assert (done.returncode, "LT5154" in done.stdout) == (1, True)
    bare = [
        make(desk, "pdf", tmp_path / "bare", "--no-seal"),
        make(desk, "pdf", tmp_path / "copy", "--copy"),
        make(desk, "pdf", tmp_path / "draft", kind="health_summary"),
    ]
    for (one,) in bare:
        done = cli("verify", one["files"][0], "--trust", str(trust), "--json")
        assert json.loads(done.stdout)["reasons"][0]["code"] == "LT5004"


def test_sealed_pages_are_made_once_and_given_again_as_they_were(desk: Desk, tmp_path: Path) -> None:
    desk.send(discharge("1"))
    (first,) = make(desk, "pdf", tmp_path / "first")
    given = Path(first["files"][0]).read_bytes()
    (second,) = make(desk, "pdf", tmp_path / "second")
    again = Path(second["files"][0]).read_bytes()
    assert again == given, "a seal made now would have another time"
    (row,) = rows(desk)
    noted = desk.store.read_now(lambda c: actions.of_target(c, row.id))
    assert [(one.verb, one.reason) for one in noted] == [("seal", "pdf")]
    told = desk.store.read_now(lambda c: issued(c, hashlib.sha256(given).hexdigest()))
    assert (told.rendition, told.state, [one.role for one in told.signers]) == ("pdf", "current", ["seal"])
    make(desk, "pdf", tmp_path / "bare", "--no-seal")
    (kept,) = desk.store.read_now(lambda c: documents.renditions(c, row.id, "pdf"))
    assert (kept.media_type, kept.signed) == ("application/pdf", True)
    assert given not in kept.body, "sealed at rest"

    desk.send(change("2", treatment="Kháng sinh, đổi thuốc"))
    (newer,) = make(desk, "pdf", tmp_path / "newer")
    assert (newer["version"], Path(newer["files"][0]).read_bytes() == given) == (2, False), "a version of its own"


def test_sealed_pages_are_in_the_record_that_is_given_out(desk: Desk, tmp_path: Path) -> None:
    desk.send(discharge("1"))
    visit = ("--encounter", "VV1", "--basis", "law", "--config", str(desk.plan.folder))
    assert cli("record", "export", *visit, "-o", str(tmp_path / "without.zip")).returncode == 0
    (said,) = make(desk, "pdf", tmp_path / "out")
    done = cli("record", "export", *visit, "-o", str(tmp_path / "with.zip"))
    assert done.returncode == 0, done.stderr + done.stdout
    (row,) = rows(desk)
    path = f"papers/discharge_paper/{row.id}/pages.pdf"
    with zipfile.ZipFile(tmp_path / "without.zip") as without, zipfile.ZipFile(tmp_path / "with.zip") as record:
        assert path not in without.namelist()
        assert record.read(path) == Path(said["files"][0]).read_bytes()
        (listed,) = (one for one in json.loads(record.read("index.json"))["papers"] if one["id"] == row.id)
    (file,) = (one for one in listed["files"] if one["path"] == path)
    assert (file["kind"], file["signed"], file["media_type"]) == ("pdf", True, "application/pdf")
    assert file["signature"]["certificate_sha256"]


def test_of_two_who_ask_at_once_both_get_the_same_pages(desk: Desk, clock: HandClock) -> None:
    clock.at = SystemClock().now()
    desk.send(discharge("1"))
    (row,) = rows(desk)
    made: list[bytes] = []

    def slowly() -> bytes:
        if not made:
            made.append(pages.issue(desk.plan, desk.store, clock, row.id, "b", base))
        return base()

    assert pages.issue(desk.plan, desk.store, clock, row.id, "a", slowly) == made[0]
    noted = desk.store.read_now(lambda c: actions.of_target(c, row.id))
    assert [one.actor for one in noted] == ["b"]


def test_pages_that_may_not_be_sealed_are_not_kept(
    desk: Desk, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock.at = SystemClock().now()
    desk.send(discharge("1"))
    (row,) = rows(desk)

    def suspended(*_: Any, **__: Any) -> None:
        raise CertificateSuspended("certificate")

    monkeypatch.setattr(signing_tasks, "may_seal", suspended)
    with pytest.raises(CertificateSuspended):
        pages.issue(desk.plan, desk.store, clock, row.id, "a", base)
    assert desk.store.read_now(lambda c: documents.renditions(c, row.id, "pdf")) == []


def test_what_is_not_signed_is_shown_as_a_draft_and_not_kept(desk: Desk, tmp_path: Path) -> None:
    desk.send(discharge("1"))
    (said,) = make(desk, "html", tmp_path / "out", kind="health_summary")
    assert not said["signed"]
    assert "BẢN NHÁP" in Path(said["files"][0]).read_text(encoding="utf-8")
    assert [row.paper for row in rows(desk)] == ["discharge_paper"]
    (lacking,) = make(desk, "html", tmp_path / "out", kind="record_summary", code=1)
    assert lacking["faults"][0]["code"] == "LT3201"
    assert lacking["files"] == []


def test_a_copy_on_paper_says_so_and_is_noted(desk: Desk, tmp_path: Path) -> None:
    desk.send(discharge("1"))
    (said,) = make(desk, "html", tmp_path / "out", "--copy")
    assert "BẢN GIẤY CHUYỂN ĐỔI" in Path(said["files"][0]).read_text(encoding="utf-8").upper()
    (row,) = rows(desk)
    (noted,) = desk.store.read_now(lambda c: actions.of_target(c, row.id))
    assert (noted.verb, noted.reason) == ("print", "converted copy")
    make(desk, "html", tmp_path / "out", "--copy", kind="health_summary", code=1)


def test_a_person_issues_again_and_withdraws(desk: Desk) -> None:
    desk.clock.at = SystemClock().now()
    desk.send(discharge("1"))
    options = ("--encounter", "VV1", "--kind", "discharge_paper", "-r", "mất giấy")
    paper(desk, "issue", *options, "--again")
    desk.clock.forward(3600)
    desk.work()
    paper(desk, "cancel", *options)
    desk.work()
    assert states(desk) == [("make", 1, "signed"), ("reissue", 2, "signed"), ("cancel", 3, "signed")]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("make", "--encounter", "VV1", "--kind", "no_paper"), 1, "LT3204"),
        (("make", "--encounter", "VV1", "--kind", "discharge_paper", "--to", "docx"), 2, "docx"),
        (("make", "--encounter", "nobody", "--kind", "discharge_paper"), 1, "LT8102"),
        (("make", "--encounter", "VV1", "--kind", "lab_report"), 1, "LT8106"),
        (("cancel", "--encounter", "VV1", "--kind", "discharge_paper", "-r", " "), 2, "lý do"),
        (("issue", "--encounter", "VV1", "--kind", "health_summary", "-r", "x"), 1, "LT8106"),
        (("list", "--kind", "no_paper"), 1, "LT3204"),
    ],
)
def test_what_cannot_be_is_said(desk: Desk, arguments: tuple[str, ...], code: int, said: str) -> None:
    desk.send(discharge("1"))
    assert said in paper(desk, *arguments, code=code).stderr
