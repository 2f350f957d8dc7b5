"""The register over HTTP: a certificate's whole life by a program, and who did it."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.certificates import notices
from gateway.settings import SignerSettings
from gateway.store import actions
from tests.integration.gateway.faces import TOKENS, House, browser, program

LIST = """Mã nhân viên,Họ và tên,CCCD,Khoa/phòng,Chức danh nghề nghiệp,Số giấy phép hành nghề,E-mail
NV9,Trần Thị Chín,001185000019,Khoa Nội,Bác sĩ,000009/HNO-CCHN,chin@benhvien.example
"""
STAFF_NUMBER = "001185000019"


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path / "config")


def step(client: httpx.Client, name: str, **body: Any) -> Any:
    answer = client.post(f"/api/certs/steps/{name}", json=body)
    assert answer.is_success, answer.text
    return answer.json()


def fault(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["fault"]["code"]


def test_the_life_of_a_certificate(house: House) -> None:
    with house.open() as address, program(address) as client:
        checked = client.post("/api/certs/import?check=1", content=LIST.encode())
        assert (checked.json()["written"], checked.json()["new"]) == (False, ["NV9"])
        brought = client.post("/api/certs/import", content=LIST.encode(), params={"reason": "CV 1"}).json()
        assert (brought["written"], len(brought["requested"])) == (True, 1)
        assert step(client, "approve", keys=["NV9"], reason="QĐ 2")[0]["state"] == "approved"
        leaf = house.ca.issue("Trần Thị Chín").certificate
        der = base64.b64encode(leaf.public_bytes(Encoding.DER)).decode()
        issued = step(client, "issue", key="NV9", certificate=der, device_serial="VT-9", key_kind="agent")
        assert (issued["state"], issued["device"]["serial"]) == ("issued", "VT-9")
        handed = step(client, "handover", key="NV9", handed_by="Lê Thị Lan")
        assert handed["handover"]["received_by"] == "Trần Thị Chín"
        assert step(client, "commit", holder="NV9", reference="Tủ 3")["reference"] == "Tủ 3"
        assert step(client, "activate", keys=["NV9"])[0]["state"] == "active"
        lost = step(client, "incident", key="NV9", kind="lost", reason="rơi")
        assert lost["state"] == "suspended"
        assert fault(client.post("/api/certs/steps/resume", json={"keys": ["NV9"], "reason": "x"})) == (409, "LT5115")
        step(client, "settle", incident=lost["incident"], reason="tìm thấy")
        assert step(client, "resume", keys=["NV9"], reason="tìm thấy")[0]["state"] == "active"
        assert step(client, "renew", key="NV9")["state"] == "requested"
        serial = issued["serial"]
        revoked = step(client, "revoke", key=serial, reason="nghỉ việc", device_returned=True)
        assert (revoked["state"], revoked["stopped_tasks"]) == ("revoked", 0)
        events = client.get("/api/certs/events", params={"key": "NV9"}).json()
        assert {one["actor"] for one in events} == {"his (api)"}
        assert [one["event"] for one in reversed(events)][:3] == ["enrol", "request", "approve"]
        listed = client.get("/api/certs", params={"state": ["revoked", "requested"]}).json()
        assert sorted(one["state"] for one in listed) == ["requested", "revoked"]
        assert STAFF_NUMBER not in client.get("/api/certs").text


def test_personal_numbers_are_told_where_asked_and_that_is_noted(house: House) -> None:
    with house.open() as address, program(address) as client:
        client.post("/api/certs/import", content=LIST.encode())
        told = client.get("/api/certs/holder", params={"key": "NV9"}).json()
        assert told["holder"]["citizen_id"] == STAFF_NUMBER
        form = client.get("/api/certs/form", params={"kind": "commitment", "key": "NV9", "format": "html"})
        assert "Trần Thị Chín" in form.text
        assert form.headers["content-disposition"] == 'attachment; filename="commitment.html"'
        assert client.get("/api/certs/form", params={"kind": "handover", "key": "NV9"}).content.startswith(b"%PDF")
    (first, *_) = house.desk.store.read_now(lambda c: actions.of_target(c, "NV9"))
    assert (first.actor, first.verb) == ("his (api)", "show")


def test_what_ends_is_listed_and_exported(house: House) -> None:
    with house.open() as address, program(address) as client:
        (doctor, head) = client.get("/api/certs/expiring", params={"days": 400}).json()
        assert {doctor["holder"]["code"], head["holder"]["code"]} == {"BS1", "TK1"}
        assert doctor["renewal"] == "chưa"
        exported = client.get("/api/certs/expiring", params={"days": 400, "format": "csv"})
        assert exported.content.decode("utf-8-sig").startswith("Mã nhân viên;Họ và tên")
        assert client.get("/api/certs/expiring").json() == []


def test_people_see_what_ends_on_a_page(tmp_path: Path) -> None:
    house = House(tmp_path / "config", more={"TK1": 'may = ["certs"]'})
    house.clock.at += 320 * 86_400_000_000
    house.desk.store.write_now(lambda c: notices.daily(c, house.clock.now()))
    with house.open() as address, browser(address) as client:
        assert client.get("/certs").url.path == "/sign/in"
        client.post("/sign/in", data={"code": "BS1", "token": TOKENS["BS1"]})
        own = client.get("/certs").text
        assert ("Lê Quang Minh" in own, "Đỗ Thị Năm" in own) == (True, False)
        assert ("đang dùng" in own, "chưa đề nghị" in own, "đã báo người giữ (60 ngày)" in own) == (True, True, True)
        refused = client.get("/certs/export")
        assert refused.status_code == 403
        client.post("/sign/in", data={"code": "TK1", "token": TOKENS["TK1"]})
        every = client.get("/certs", params={"days": 400}).text
        assert ("Lê Quang Minh" in every, "Đỗ Thị Năm" in every) == (True, True)
        assert "/certs/export?days=400" in every
        assert "Dấu thời gian lưu trữ của giấy tới hạn gia hạn trong thời gian này: 0." in every
        assert "Dấu thời gian lưu trữ" not in own
        assert "Không có chứng thư nào" in client.get("/certs", params={"days": 7}).text
        assert "Certificates that end" in client.get("/certs", params={"lang": "en"}).text
        exported = client.get("/certs/export", params={"days": 400})
        assert exported.content.decode("utf-8-sig").startswith("Mã nhân viên;Họ và tên")
        assert client.get("/certs", params={"days": "x"}).status_code == 400
    (first, *_) = house.desk.store.read_now(lambda c: actions.of_target(c, "certs expiring"))
    assert (first.actor, first.verb) == ("TK1 (web)", "show")


def test_what_a_person_may_is_checked() -> None:
    with pytest.raises(ValueError, match="may: sign; known: certs"):
        SignerSettings("NS1", "Nguyễn Thị Nhân Sự", (), may=("sign",))


def test_an_import_with_mistakes_writes_nothing_and_names_them(house: House) -> None:
    with house.open() as address, program(address) as client:
        answer = client.post("/api/certs/import", content=LIST.replace(STAFF_NUMBER, "1").encode())
        assert answer.status_code == 422
        assert [(one["line"], one["field"]) for one in answer.json()["problems"]] == [(2, "CCCD")]
        assert fault(client.post("/api/certs/import", content=b"\xd0\xcf\x11\xe0old")) == (422, "LT3005")
        assert fault(client.post("/api/certs/import", content=b"")) == (400, "LT7004")
        assert fault(client.get("/api/certs/holder", params={"key": "NV9"})) == (404, "LT5114")


@pytest.mark.parametrize(
    ("name", "body", "wanted"),
    [
        ("approve", {"keys": []}, (400, "LT7004")),
        ("approve", {"keys": ["BS1"], "reson": "x"}, (400, "LT7004")),
        ("approve", {"keys": ["BS1", "none"]}, (404, "LT5114")),
        ("approve", {"keys": ["BS1"]}, (409, "LT8103")),
        ("suspend", {"key": "BS1"}, (422, "LT5109")),
        ("request", {}, (400, "LT7004")),
        ("request", {"holder": "BS1", "seal": True}, (400, "LT7004")),
        ("request", {"holder": "none"}, (404, "LT5113")),
        ("request", {"holder": "BS1", "device": "stone"}, (400, "LT7004")),
        ("handover", {"key": "BS1", "handed_by": "x", "on": "tomorrow"}, (400, "LT7004")),
        ("revoke", {"key": "BS1", "reason": "x", "effective": "never"}, (400, "LT7004")),
        ("revoke", {"key": "BS1", "reason": "x", "effective": "2999-01-01"}, (422, "LT5118")),
        ("issue", {"key": "BS1", "certificate": "*"}, (400, "LT7004")),
        ("issue", {"key": "BS1", "certificate": "AAAA"}, (422, "LT5110")),
        ("issue", {"key": "BS1", "certificate": "AAAA", "key_kind": "x"}, (400, "LT7004")),
        ("incident", {"key": "BS1", "kind": "rain", "reason": "x"}, (400, "LT7004")),
        ("commit", {"holder": "BS1", "sha256": "x"}, (400, "LT7004")),
        ("fly", {}, (404, "LT7009")),
    ],
)
def test_what_is_wrong_is_told(house: House, name: str, body: dict[str, Any], wanted: tuple[int, str]) -> None:
    with house.open() as address, program(address) as client:
        assert fault(client.post(f"/api/certs/steps/{name}", json=body)) == wanted


def test_questions_that_are_wrong(house: House) -> None:
    with house.open() as address, program(address) as client:
        for path in (
            "/api/certs?state=flying",
            "/api/certs?limit=-1",
            "/api/certs/expiring?days=9999999",
            "/api/certs/holder",
            "/api/certs/form?kind=will&key=BS1",
            "/api/certs/form?kind=handover&key=BS1&format=doc",
        ):
            assert fault(client.get(path)) == (400, "LT7004"), path
        plain = client.post("/api/certs/steps/approve", content=b'{"keys": ["BS1"]}')
        assert fault(plain) == (400, "LT7004"), "a form of another page could send that"
