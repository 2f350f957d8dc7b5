"""Verification over real HTTP: every kind of file, hostile ones, and papers by the hash that stands on them."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from gateway import papers
from gateway.store import documents
from tests.integration.gateway.faces import SETTINGS, House, browser, program
from tests.integration.gateway.test_papers import discharge, rows
from tests.site import cli

PATIENT = ("Nguyễn", "Hoa", "1985", "BN1", "VV1", "Lê Lợi")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    """A hospital that seals at once; its first paper was replaced by a second."""
    made = House(tmp_path_factory.mktemp("house") / "config", policies="")
    made.desk.send(discharge("1"))
    made.desk.send(discharge("2", treatment="Phẫu thuật"))
    return made


def rendition(house: House, version: int, kind: str) -> tuple[str, bytes]:
    """Give hash and bytes of a paper."""
    row = next(row for row in rows(house.desk) if row.version == version)
    (kept,) = house.desk.store.read_now(lambda c: documents.renditions(c, row.id, kind))
    return kept.sha256, house.desk.keyring.open(kept.body, f"{row.id}/{kind}")


@pytest.mark.parametrize("kind", ["cda", "fhir", "gdbhyt"])
def test_the_report_is_that_of_the_command(house: House, kind: str, tmp_path: Path) -> None:
    sha256, body = rendition(house, 2, kind)
    file = tmp_path / "paper"
    file.write_bytes(body)
    trust = str(house.plan.folder / "keys" / "ca.pem")
    command = json.loads(cli("verify", str(file), "--trust", trust, "--offline", "--json").stdout)
    with house.open() as address, program(address, "portal") as client:
        answer = client.post("/verify", content=body)
    said = answer.json()
    assert answer.status_code == 200
    assert (said.pop("issued_here")["version"], said.pop("sha256")) == (2, sha256)
    for one in (command, said):
        one.pop("file")
        for signer in one["signers"]:  # a plain XML signature has no time of its own
            signer.pop("time")
    assert said == command
    assert said["verdict"] == "valid"


def test_a_changed_paper_is_a_verdict_and_not_an_error(house: House) -> None:
    _, body = rendition(house, 2, "cda")
    with house.open() as address, program(address, "portal") as client:
        said = client.post("/verify", content=body.replace("Phẫu thuật".encode(), "Phẫu thuật!".encode()))
        other = client.post("/verify", content=body, headers={"Accept-Language": "en-GB,en;q=0.9,vi;q=0.5"})
    assert (said.status_code, said.json()["verdict"], said.json()["issued_here"]) == (200, "invalid", None)
    assert said.json()["reasons"][0]["what"] == "Nội dung đã bị thay đổi sau khi ký"
    assert other.json()["warnings"][0]["what"].startswith("The signature")


@pytest.mark.parametrize(
    "body",
    [
        b"%PDF-1.7\nnot a whole one",
        b"\x00\xff" * 500,
        b"<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><a>&b;</a>",
        b"<a>" * 5000,
        b"[" * 100_000,
        b'{"resourceType": "Bundle", "signature": 1}',
        gzip.compress(b"<a/>" * 10_000, mtime=0),
        b'<HSDLKCB><DSACH_NOIDUNGFILE>"</DSACH_NOIDUNGFILE></HSDLKCB>',
    ],
    ids=["pdf", "bytes", "entity", "depth", "brackets", "bundle", "gzip", "insurance"],
)
def test_rubbish_is_judged(house: House, body: bytes) -> None:
    with house.open() as address, program(address, "portal") as client:
        answer = client.post("/verify", content=body)
    assert answer.status_code == 200
    assert answer.json()["verdict"] in ("invalid", "undecided")
    assert answer.json()["covers"] == []
    assert "root:" not in answer.text


def test_requests_that_are_wrong(house: House) -> None:
    form = {"Content-Type": "multipart/form-data; boundary=b"}
    with house.open() as address, program(address, "portal") as client:
        assert client.post("/verify", content=b"").status_code == 400
        large = client.post("/verify", content=b"<a>" + b" " * 2 * 1024**2 + b"</a>")
        assert (large.status_code, large.json()["fault"]["code"]) == (413, "LT7005")

        def endless() -> Any:
            for _ in range(64):
                yield b"x" * 65536

        assert client.post("/verify", content=endless()).status_code == 413
        for body in (b"", b"--b\r\n", b"--b\r\nContent-Disposition: form-data; name=file\r\n\r\nx", b"--b--\r\n"):
            assert client.post("/verify", content=body, headers=form).status_code == 400, body
        assert client.post("/verify", files={"other": ("a.xml", b"<a/>")}).status_code == 400
        assert client.put("/verify", content=b"<a/>").status_code == 405


def test_a_form_without_script_gets_a_page(house: House) -> None:
    sha256, body = rendition(house, 2, "cda")
    with house.open() as address, browser(address) as client:
        assert 'enctype="multipart/form-data"' in client.get("/verify").text
        page = client.post("/verify", files={"file": ("giấy <b>.xml", body)})
        assert page.status_code == 200
        assert '<h2 id="verdict">Hợp lệ</h2>' in page.text
        assert "giấy &lt;b&gt;.xml" in page.text
        assert "Bệnh viện Đa khoa Thử Nghiệm" in page.text
        assert f"/verify/{sha256}" in page.text
        english = client.get("/verify?lang=en").text
        assert '<html lang="en">' in english
        assert '<html lang="en">' in client.get("/verify").text, "the choice is kept"


def test_a_paper_is_found_by_the_hash_on_it(house: House) -> None:
    first, second, fhir = rendition(house, 1, "cda")[0], rendition(house, 2, "cda")[0], rendition(house, 2, "fhir")[0]
    with house.open() as address, browser(address) as client, program(address, "portal") as reader:
        old, new = reader.get(f"/verify/{first}").json(), reader.get(f"/verify/{second.upper()}").json()
        assert (old["state"], old["version"], old["newest"], old["rendition"]) == ("replaced", 1, 2, "cda")
        assert (new["state"], new["version"], new["paper"]) == ("current", 2, "discharge_paper")
        assert [one["role"] for one in new["signers"]] == ["seal"]
        assert reader.get(f"/verify/{fhir}").json()["rendition"] == "fhir"
        page = client.get(f"/verify/{second}")
        assert "Giấy có hiệu lực" in page.text
        assert "GIẤY RA VIỆN" in page.text
        for told in (page.text.replace(second, ""), json.dumps([old, new], ensure_ascii=False).replace(second, "")):
            assert not [part for part in PATIENT if part in told]
        none = client.get(f"/verify/{'0' * 64}")
        assert (none.status_code, "không cấp giấy tờ nào mang mã này" in none.text) == (404, True)
        assert reader.get(f"/verify/{'0' * 64}").json()["fault"]["code"] == "LT7011"
        assert reader.get("/verify/abc").status_code == 400


def test_a_withdrawn_paper_is_told(tmp_path: Path) -> None:
    house = House(tmp_path / "config", policies="")
    house.desk.send(discharge("1"))
    sha256, _ = rendition(house, 1, "cda")
    (row,) = rows(house.desk)
    house.desk.store.write_now(
        lambda c: papers.request(
            c, house.plan, row.paper, row.subject, "cancel", actor="lan", reason="nhầm", now=house.clock.now()
        )
    )
    house.clock.forward(120)
    house.desk.work()
    with house.open() as address, browser(address) as client:
        assert "Giấy đã bị hủy" in client.get(f"/verify/{sha256}").text


def test_verification_can_be_for_those_who_may(tmp_path: Path) -> None:
    settings = SETTINGS.replace("online = false", 'online = false\nverify = "clients"')
    house = House(tmp_path / "config", policies="", settings=settings)
    with house.open() as address, browser(address) as client, program(address, "portal") as reader:
        assert reader.post("/verify", content=b"<a/>").status_code == 200
        assert client.post("/verify", files={"file": b"<a/>"}).status_code == 401
        assert client.get("/verify").url.path == "/sign/in"
        assert client.get(f"/verify/{'0' * 64}").status_code == 404, "the code on a paper is for everybody"
