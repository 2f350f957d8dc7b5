"""Each switch of the portal changes what it says and nothing else; findings come later and leave the receipt alone."""

from __future__ import annotations

import asyncio
import base64
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from conformance.sandbox.ca import DemoCA
from conformance.sandbox.faults import Action, Call, Rule
from conformance.sandbox.portal.certificates import CertificateBook
from conformance.sandbox.portal.forms import FORMS
from conformance.sandbox.portal.switches import Board, Switches
from conformance.sandbox.server import FACILITY, USER, Sandbox
from tests.integration.sandbox.peer import PASSWORD_MD5, SETTINGS, Clock, PortalClient, insurance_file, sign, table
from tests.integration.sandbox.portal_peer import Bench, check_in, play
from tests.integration.sandbox.portal_records import envelope, visit

CHECK_IN = next(form for form in FORMS if form.name == "check-in" and form.decision == "3176")


def parts(xml: str) -> str:
    return xml.replace("<THONGTINDONVI>", '<THONGTINDONVI Id="a">').replace("<THONGTINHOSO>", '<THONGTINHOSO Id="b">')


def test_one_login_at_a_time_or_many() -> None:
    async def scene(bench: Bench) -> None:
        other = PortalClient(bench.sandbox, bench.http)
        await other.login()
        file = bench.sign(insurance_file())
        assert (await bench.client.send(file))["maKetQua"] == "200"
        await bench.admin("PATCH", "portal/switches", json={"one_login": True})
        await other.login()
        assert (await bench.client.send(file))["maKetQua"] == "401"
        assert (await other.send(file))["maKetQua"] == "200"

    play(scene)


@pytest.mark.parametrize(("bound", "code"), [(True, "401"), (False, "200")])
def test_a_token_is_bound_to_the_address_that_took_it(bound: bool, code: str) -> None:
    async def scene(bench: Bench) -> None:
        file = bench.sign(insurance_file())
        there = httpx.AsyncHTTPTransport(local_address="127.0.0.2")
        async with httpx.AsyncClient(trust_env=False, transport=there) as elsewhere:
            client = PortalClient(bench.sandbox, elsewhere)
            client.key = bench.client.key
            assert (await client.send(file))["maKetQua"] == code
        assert (await bench.client.send(file))["maKetQua"] == "200"

    play(scene, bound_to_address=bound)


def test_an_account_logs_in_from_its_registered_addresses_only() -> None:
    async def scene(bench: Bench) -> None:
        assert bench.client.key == {}
        await bench.admin("PATCH", "portal/switches", json={"registered_addresses": {USER: ["127.0.0.1"]}})
        assert (await bench.client.login())["maKetQua"] == "200"

    play(scene, registered_addresses={USER: ("10.0.0.1",)})


def test_an_account_without_rights_submits_nothing() -> None:
    async def scene(bench: Bench) -> None:
        assert (await bench.client.send(bench.sign(insurance_file())))["maKetQua"] == "403"
        assert (await bench.look_up())["maKetQua"] == "000"

    play(scene, without_rights=(USER,))


@pytest.mark.parametrize(
    ("scope", "whole", "by_id"), [("any", "200", "200"), ("whole", "200", "125"), ("parts", "125", "200")]
)
def test_which_reading_of_the_signature_it_insists_on(scope: str, whole: str, by_id: str) -> None:
    async def scene(bench: Bench) -> None:
        assert (await bench.client.send(bench.sign(insurance_file())))["maKetQua"] == whole
        assert (await bench.client.send(bench.sign(parts(insurance_file()), ["#a", "#b"])))["maKetQua"] == by_id
        listed = check_in().replace("<DSACH_TRANG_THAI_KCB>", '<DSACH_TRANG_THAI_KCB Id="c">')
        assert (await bench.submit(CHECK_IN, bench.sign(listed, ["#c"])))["maKetQua"] == by_id
        assert (await bench.submit(CHECK_IN, bench.sign(listed)))["maKetQua"] == whole
        assert (await bench.client.send(bench.sign(parts(insurance_file()), ["#b"])))["maKetQua"] == "125"

    play(scene, signature_scope=scope)


@pytest.mark.parametrize("code", ["123", "125", "403"])
def test_only_registered_certificates_are_believed_whoever_issued_them(code: str, tmp_path: Path) -> None:
    async def scene(bench: Bench) -> None:
        stranger = DemoCA(tmp_path / "other").issue("Bệnh viện A")
        file = sign(insurance_file(), stranger, "CHUKYDONVI")
        assert (await bench.client.send(file))["maKetQua"] == code
        assert (await bench.client.send(bench.sign(insurance_file())))["maKetQua"] == code
        new = {"facility": FACILITY, "pem": stranger.pem.decode()}
        added = await bench.admin("POST", "portal/certificates", json=new)
        assert (added.status_code, added.json()["subject"]) == (201, "Bệnh viện A")
        assert (await bench.client.send(file))["maKetQua"] == "200"
        assert (await bench.client.send(file.replace(b"20261121", b"20261120")))["maKetQua"] == "125"
        assert (await bench.client.send(bench.sign(insurance_file())))["maKetQua"] == code
        summary = (await bench.admin("GET", "summary")).json()["insurance_portal"]
        assert (summary["verified"], summary["changed"]) == (1, [])
        sha256 = (await bench.admin("GET", "portal/certificates")).json()[0]["sha256"]
        assert (await bench.admin("DELETE", f"portal/certificates/{sha256}")).status_code == 204
        assert (await bench.admin("DELETE", f"portal/certificates/{sha256}")).status_code == 404
        assert (await bench.client.send(file))["maKetQua"] == code
        await bench.admin("POST", "portal/certificates", json=new | {"facility": "01998"})
        assert (await bench.client.send(file))["maKetQua"] == code
        for bad in ({"facility": "../..", "pem": new["pem"]}, {"facility": FACILITY, "pem": "x"}):
            assert (await bench.admin("POST", "portal/certificates", json=bad)).status_code == 422

    play(scene, registered_certificates=True, unregistered_code=code)


def test_registered_certificates_are_known_to_a_later_start(tmp_path: Path) -> None:
    pem = DemoCA(tmp_path / "ca").issue("Bệnh viện A").pem
    first = CertificateBook(tmp_path / "book").add(FACILITY, pem)
    book = CertificateBook(tmp_path / "book")
    assert book.all(FACILITY) == (first,)
    assert book.all("01998") == ()
    assert book.remove(first.fingerprint)
    assert CertificateBook(tmp_path / "book").all() == ()


@pytest.mark.parametrize(("strict", "code"), [(False, "200"), (True, "124")])
def test_structure_is_refused_at_once_or_found_later(strict: bool, code: str) -> None:
    async def scene(bench: Bench) -> None:
        assert (await bench.client.send(bench.sign(insurance_file())))["maKetQua"] == code
        assert (await bench.client.send(bench.sign(envelope(visit("LK2")))))["maKetQua"] == "200"

    play(scene, structure_at_reception=strict)


def test_findings_come_later_and_leave_the_receipt_alone() -> None:
    async def scene(bench: Bench) -> None:
        wrong = visit()
        wrong["XML1"][0] |= {"GIOI_TINH": "4", "MA_LOAI_RV": "6", "MA_BENH_CHINH": "J06.9"}
        answer = await bench.client.send(bench.sign(envelope(wrong, visit("LK2"))))
        assert answer["maKetQua"] == "200"
        assert [(each["TINHTRANGGUI"], each["MALOI"]) for each in await bench.visits()] == [(1, ""), (1, "")]
        bench.clock.advance(59)
        assert {each["TINHTRANGGUI"] for each in await bench.visits()} == {1}
        bench.clock.advance(2)
        returned, fine = await bench.visits()
        assert (returned["TINHTRANGGUI"], returned["MALOI"]) == (6, "16")
        assert returned["MIEUTA"] == "Giới tính sai; Loại ra viện sai"
        assert (fine["TINHTRANGGUI"], fine["MALOI"], fine["findings"]) == (2, "", [])
        record = (await bench.admin("GET", "records")).json()[0]
        assert (record["verdict"], record["code"], record["reference"]) == ("accepted", "200", answer["maGiaoDich"])

    play(scene)


def test_the_operator_assesses_orders_block_errors_and_deletes() -> None:
    async def scene(bench: Bench) -> None:
        await bench.client.send(bench.sign(envelope(visit(), visit("LK2"))))
        bench.clock.advance(10**6)
        assert {each["TINHTRANGGUI"] for each in await bench.visits()} == {1}
        assert (await bench.admin("POST", "portal/assess", json={"ma_lk": "LK1"})).json() == {"assessed": 1}
        assert [each["TINHTRANGGUI"] for each in await bench.visits()] == [2, 1]
        assert (
            await bench.admin("POST", "portal/block", json={"ma_lk": "LK1", "codes": ["104", "14"]})
        ).status_code == 204
        assert (await bench.admin("POST", "portal/block", json={"ma_lk": "LK1", "codes": ["999"]})).status_code == 422
        assert (await bench.admin("POST", "portal/assess", json={})).json() == {"assessed": 2}
        (first,) = await bench.visits(ma_lk="LK1")
        assert (first["TINHTRANGGUI"], first["MALOI"]) == (6, "14")
        assert (await bench.admin("DELETE", "portal/visits/LK1")).status_code == 204
        assert (await bench.admin("DELETE", "portal/visits/LK1")).status_code == 404
        assert (await bench.visits(ma_lk="LK1"))[0]["deleted"]
        await bench.admin("POST", "reset")
        assert await bench.visits() == []

    play(scene, assessed_after_s=None)


def test_the_same_visit_under_two_ma_lk_is_a_duplicate_and_a_corrected_one_a_new_version() -> None:
    async def scene(bench: Bench) -> None:
        near, far = visit("LK2"), visit("LK3")
        near["XML1"][0]["T_TONGCHI_BV"] = "130001"
        far["XML1"][0]["T_TONGCHI_BV"] = "130003"
        for rows in (visit(), near, far):
            assert (await bench.client.send(bench.sign(envelope(rows))))["maKetQua"] == "200"
        bench.clock.advance(61)
        assert [each["MALOI"] for each in await bench.visits()] == ["", "61", "4"]
        corrected = visit("LK3")
        corrected["XML1"][0]["HO_TEN"] = "Nguyễn Thị Sửa"
        corrected["XML14"][0]["HO_TEN"] = "Nguyễn Thị Sửa"
        await bench.client.send(bench.sign(envelope(corrected)))
        bench.clock.advance(61)
        old, new = await bench.visits(ma_lk="LK3")
        assert (old["version"], old["replaced_by"], old["MALOI"]) == (1, new["record"], "4")
        assert (new["version"], new["replaced_by"], new["TINHTRANGGUI"]) == (2, None, 2)

    play(scene)


def test_a_record_in_assessment_may_have_to_be_deleted_before_it_is_sent_again() -> None:
    async def scene(bench: Bench) -> None:
        first, second = visit(), visit()
        second["XML1"][0]["GHI_CHU"] = "Sửa"
        file, changed = bench.sign(envelope(first)), bench.sign(envelope(second))
        await bench.client.send(file)
        assert (await bench.client.send(file))["maKetQua"] == "200"
        bench.clock.advance(61)
        assert (await bench.client.send(file))["maKetQua"] == "200"
        assert (await bench.client.send(changed))["maKetQua"] == "202"
        await bench.admin("DELETE", "portal/visits/LK1")
        assert (await bench.client.send(changed))["maKetQua"] == "200"
        await bench.admin("POST", "portal/block", json={"ma_lk": "LK1", "codes": ["61"]})
        await bench.admin("POST", "portal/assess", json={})
        third = visit()
        third["XML1"][0]["GHI_CHU"] = "Sửa nữa"
        assert (await bench.client.send(bench.sign(envelope(third))))["maKetQua"] == "200"

    play(scene, resent="delete_first", resent_code="202")


def test_an_unknown_switch_or_value_is_refused_and_changes_nothing() -> None:
    async def scene(bench: Bench) -> None:
        before = (await bench.admin("GET", "portal/switches")).json()
        for bad in ({"one_logn": True}, {"signature_scope": "half"}, {"unregistered_code": "200"}, {"tolerance": "x"}):
            assert (await bench.admin("PATCH", "portal/switches", json=bad)).status_code == 422
        assert (await bench.admin("GET", "portal/switches")).json() == before

    play(scene)
    with pytest.raises(ValueError, match="no such switch"):
        Board(Switches()).change(x=1)


def test_fault_plan_expired_token_401_in_a_200_and_maintenance() -> None:
    async def scene(bench: Bench) -> None:
        files = [bench.sign(insurance_file(link=f"LK{number}")) for number in range(5)]
        bench.sandbox.faults.add(
            Rule("insurance_portal", Action.EXPIRE, first=2, last=2),
            Rule("insurance_portal", Action.REFUSE, first=3, last=3, code="401"),
            Rule("insurance_portal", Action.MAINTENANCE, first=4, last=4),
            Rule("insurance_portal", Action.EXPIRE, call=Call.FIND, last=1),
        )
        assert (await bench.client.send(files[0]))["maKetQua"] == "200"
        expired = await bench.client.post(files[1])
        assert (expired.status_code, expired.json()["maKetQua"]) == (200, "401")
        await bench.client.login()
        assert (await bench.client.send(files[1]))["maKetQua"] == "401"
        page = await bench.client.post(files[1])
        assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert "bảo trì" in page.text
        assert (await bench.client.send(files[1]))["maKetQua"] == "200"
        assert (await bench.look_up())["maKetQua"] == "401"
        assert (await bench.client.send(files[2]))["maKetQua"] == "401"

    play(scene)
    with pytest.raises(ValueError, match="only the insurance portal"):
        Rule("moh_axis", Action.EXPIRE)


def test_a_later_start_knows_the_visits_and_their_versions(tmp_path: Path) -> None:
    async def run() -> list[list[Any]]:
        told = []
        clock = Clock()
        for note in ("", "Sửa"):
            settings = replace(SETTINGS, folder=tmp_path)
            async with Sandbox(settings, clock=clock) as sandbox, httpx.AsyncClient(trust_env=False) as http:
                bench = Bench(sandbox, http, clock)
                await bench.client.login()
                rows = visit()
                rows["XML1"][0]["GHI_CHU"] = note
                await bench.client.send(bench.sign(envelope(rows)))
                await bench.submit(CHECK_IN, bench.sign(check_in()))
                clock.advance(61)
                told.append([(each["form"], each["version"], each["replaced_by"]) for each in await bench.visits()])
        return told

    first, second = asyncio.run(run())
    assert first == [("/api/qd130/guiHoSoXmlQD3176", 1, None), (CHECK_IN.path, 1, None)]
    assert second[0] == ("/api/qd130/guiHoSoXmlQD3176", 1, 3)
    assert second[2] == ("/api/qd130/guiHoSoXmlQD3176", 2, None)


HOSTILE: dict[str, tuple[bytes, set[str]]] = {
    "entity": (b'<!DOCTYPE x [<!ENTITY a "b">]><GIAMDINHHS>&a;</GIAMDINHHS>', {"124"}),
    "bomb": (
        b'<!DOCTYPE x [<!ENTITY a "'
        + b"a" * 1000
        + b'"><!ENTITY b "'
        + b"&a;" * 1000
        + b'">]><GIAMDINHHS>&b;</GIAMDINHHS>',
        {"124"},
    ),
    "external": (b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><GIAMDINHHS/>', {"124"}),
    "deep": (b"<GIAMDINHHS>" * 10_000, {"124"}),
    "utf16": ("<?xml version='1.0' encoding='utf-16'?><GIAMDINHHS/>".encode("utf-16"), {"124"}),
    "windows": ("<?xml version='1.0' encoding='windows-1258'?><GIAMDINHHS>ă</GIAMDINHHS>".encode("cp1258"), {"124"}),
    "not utf-8": (b"<GIAMDINHHS>\xff\xfe\xc3</GIAMDINHHS>", {"124"}),
    "nothing": (b" ", {"124"}),
    "zeros": (b"\x00" * 1000, {"124"}),
    "many signatures": (
        b"<GIAMDINHHS><CHUKYDONVI>"
        + b"<Signature xmlns='http://www.w3.org/2000/09/xmldsig#'/>" * 400
        + b"</CHUKYDONVI></GIAMDINHHS>",
        {"124", "125"},
    ),
}


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_hostile_files_are_refused_with_a_published_code(name: str) -> None:
    file, codes = HOSTILE[name]

    async def scene(bench: Bench) -> None:
        for form in FORMS:
            assert (await bench.submit(form, file))["maKetQua"] in codes, form.path
        assert {each.verdict for each in bench.sandbox.records.all()} == {"refused"}

    play(scene)


def test_hostile_bodies_are_refused() -> None:
    async def scene(bench: Bench) -> None:
        url = bench.sandbox.portal_url + "/api/qd130/guiHoSoXmlQD3176"
        form = {"Content-Type": "application/x-www-form-urlencoded", **bench.headers()}
        json = {"Content-Type": "application/json", **bench.headers()}
        for headers, body in (
            (form, b"a=1&" * 100_000),
            (form, b"\xff\xfe=\x00"),
            (json, b"[" * 100_000),
            (json, b'{"username": NaN'),
            (json, b'["x"]'),
            (json, b"\xff"),
            ({**bench.headers()}, b""),
        ):
            assert (await bench.http.post(url, content=body, headers=headers)).json()["maKetQua"] == "205"
        huge = base64.b64encode(b"<GIAMDINHHS>" + b"a" * 300_000).decode()
        assert (await bench.client.send(b"", fileHSBase64=huge))["maKetQua"] == "1001"
        answer = await bench.http.post(url, content=b"a" * (65 * 1024 * 1024), headers=form)
        assert answer.status_code == 413
        for inner in (table("<!DOCTYPE x>"), "A" * 50_000, "PGE+"):
            file = bench.sign(insurance_file(content=inner))
            assert (await bench.client.send(file))["maKetQua"] == "124"
        assert (await bench.client.login(PASSWORD_MD5))["maKetQua"] == "200"

    play(scene)
