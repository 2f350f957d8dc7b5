"""The portal answers each published code for its reason, and only a whole, signed, unchanged file is received."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from conformance.sandbox.ca import DemoCA
from conformance.sandbox.codes import PORTAL
from conformance.sandbox.records import Verdict
from conformance.sandbox.server import Sandbox
from tests.integration.sandbox.peer import SETTINGS, Clock, PortalClient, insurance_file, sign, table

Scene = Callable[[Sandbox, PortalClient], Awaitable[None]]


def play(scene: Scene, *, largest_file: int = 20_000, clock: Clock | None = None) -> None:
    async def run() -> None:
        settings = replace(SETTINGS, largest_file=largest_file)
        made = Sandbox(settings, clock=clock) if clock else Sandbox(settings)
        async with made as sandbox, httpx.AsyncClient(trust_env=False) as http:
            client = PortalClient(sandbox, http)
            await client.login()
            await scene(sandbox, client)

    asyncio.run(run())


def test_a_signed_file_is_received_and_a_repeat_gets_the_same_number() -> None:
    async def scene(sandbox: Sandbox, client: PortalClient) -> None:
        file = sign(insurance_file(), sandbox.ca.issue("Bệnh viện A"), "CHUKYDONVI")
        first = await client.send(file)
        again = await client.send(file)
        assert (first["maKetQua"], first["thongDiep"]) == ("200", "Thành công")
        assert len(first["thoiGianTiepNhan"]) == 14
        assert again["maGiaoDich"] == first["maGiaoDich"] != ""
        assert sandbox.records.counts("insurance_portal") == {"accepted": 1, "repeats": 1, "refused": 0}
        record = sandbox.records.all()[0]
        assert sandbox.records.body(record) == file
        assert (record.signers, record.document_id) == (("Bệnh viện A",), "LK1:XML1")

    play(scene)


def test_every_refusal_has_its_published_code_and_text() -> None:
    async def scene(sandbox: Sandbox, client: PortalClient) -> None:
        signer = sandbox.ca.issue("Bệnh viện A")

        def signed(**parts: str) -> bytes:
            return sign(insurance_file(**parts), signer, "CHUKYDONVI")

        good = signed()
        cases: list[tuple[str, bytes, dict[str, str]]] = [
            ("123", insurance_file().encode(), {}),
            ("125", good.replace(b"20261121", b"20261120"), {}),
            ("124", b"<GIAMDINHHS>", {}),
            ("124", b"<!DOCTYPE x [<!ENTITY e 'x'>]>" + good, {}),
            ("124", signed(root="HOSO"), {}),
            ("124", signed(count="2"), {}),
            ("124", signed(kind="xml1"), {}),
            ("124", signed(kind="XML12"), {}),
            ("124", signed(kind="XML4", content=table("<CHITIEU_CHITIET_DICHVUCANLAMSANG/>")), {}),
            ("124", signed(content="không phải base64"), {}),
            ("124", signed(content=base64.b64encode(b"<TONG_HOP>").decode()), {}),
            ("124", signed(content=table("<BANG><MA_LK>1</MA_LK></BANG>")), {}),
            ("124", signed(sex="11"), {}),
            ("124", signed(link=""), {}),
            ("124", signed(day="21/11/2026"), {}),
            ("402", signed(facility="01001"), {}),
            ("402", good, {"maCSKCB": "01001"}),
            ("205", good, {"maTinh": "79"}),
            ("205", good, {"loaiHoSo": "3176"}),
            ("205", good, {"fileHSBase64": "***"}),
            ("205", good, {"fileHSBase64": ""}),
            ("1001", signed(link="L" * 20_000), {}),
        ]
        for code, file, form in cases:
            answer = await client.send(file, **form)
            assert (answer["maKetQua"], answer["thongDiep"]) == (code, PORTAL[code]), (code, form, file[:60])
            assert answer["maGiaoDich"] == ""
        refused = sandbox.records.all("insurance_portal", Verdict.REFUSED)
        assert [record.code for record in refused] == [code for code, _, _ in cases]
        assert (await client.send(good))["maKetQua"] == "200"

    play(scene)


def test_a_changed_byte_anywhere_in_the_content_is_noticed() -> None:
    async def scene(sandbox: Sandbox, client: PortalClient) -> None:
        file = sign(insurance_file(), sandbox.ca.issue("Bệnh viện A"), "CHUKYDONVI")
        body = base64.b64encode(b'<?xml version="1.0"').strip(b"=")[:6]
        place = file.index(body)
        for position in (place + 3, file.index(b"SignatureValue>") + 40, file.index(b"X509Certificate>") + 200):
            changed = bytearray(file)
            changed[position] = ord("A") if changed[position] != ord("A") else ord("B")
            assert (await client.send(bytes(changed)))["maKetQua"] == "125"

    play(scene)


def test_only_certificates_of_the_demo_ca_that_are_valid_now_are_believed(tmp_path: Path) -> None:
    async def scene(sandbox: Sandbox, client: PortalClient) -> None:
        stranger = DemoCA(tmp_path / "other").issue("Bệnh viện A")
        yesterday = datetime.now(UTC) - timedelta(days=1)
        expired = sandbox.ca.issue("Bệnh viện A", not_before=yesterday - timedelta(days=1), not_after=yesterday)
        for signer in (stranger, expired):
            answer = await client.send(sign(insurance_file(), signer, "CHUKYDONVI"))
            assert answer["maKetQua"] == "125"

    play(scene)


def test_a_signature_over_something_else_does_not_count() -> None:
    async def scene(sandbox: Sandbox, client: PortalClient) -> None:
        signer = sandbox.ca.issue("Bệnh viện A")
        noted = insurance_file().replace("<CHUKYDONVI/>", '<CHUKYDONVI><X Id="n"/></CHUKYDONVI>')
        marked = noted.replace("<THONGTINDONVI>", '<THONGTINDONVI Id="a">').replace(
            "<THONGTINHOSO>", '<THONGTINHOSO Id="b">'
        )
        for references, code in ((["#n"], "125"), (["#b"], "125"), (["#a", "#b"], "200")):
            answer = await client.send(sign(marked, signer, "CHUKYDONVI", references))
            assert answer["maKetQua"] == code, references

    play(scene)


def test_two_signers_one_after_the_other_are_both_found() -> None:
    async def scene(sandbox: Sandbox, client: PortalClient) -> None:
        once = sign(insurance_file(), sandbox.ca.issue("Giám đốc"), "CHUKYDONVI")
        twice = sign(once.decode(), sandbox.ca.issue("Bệnh viện A"), "CHUKYDONVI")
        assert (await client.send(twice))["maKetQua"] == "200"
        assert sandbox.records.all()[0].signers == ("Giám đốc", "Bệnh viện A")
        broken = twice.replace(b"20261121", b"20261120")
        assert (await client.send(broken))["maKetQua"] == "125"

    play(scene)


def test_the_token_ends_on_time_and_401_travels_under_http_200() -> None:
    clock = Clock()

    async def scene(sandbox: Sandbox, client: PortalClient) -> None:
        file = sign(insurance_file(), sandbox.ca.issue("Bệnh viện A"), "CHUKYDONVI")
        assert datetime.fromisoformat(client.key["expires_in"]) - clock.now == pytest.approx(
            timedelta(minutes=10), abs=timedelta(milliseconds=1)
        )
        clock.advance(599)
        assert (await client.send(file))["maKetQua"] == "200"
        clock.advance(2)
        response = await client.post(file)
        assert (response.status_code, response.json()["maKetQua"]) == (200, "401")
        await client.login()
        assert (await client.send(file))["maKetQua"] == "200"

    play(scene, clock=clock)


@pytest.mark.parametrize("part", ["access_token", "id_token"])
def test_a_wrong_token_or_password_is_401(part: str) -> None:
    async def scene(sandbox: Sandbox, client: PortalClient) -> None:
        client.key[part] = "x"
        assert (await client.send(b"<x/>"))["maKetQua"] == "401"
        assert (await client.login("0" * 32)) == {"maKetQua": "401", "APIKey": None}
        assert len(sandbox.records) == 0

    play(scene)
