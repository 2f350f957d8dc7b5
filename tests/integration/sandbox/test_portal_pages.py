"""The pages show what arrived, in two languages, without a script, and nothing of what was sent is ever markup."""

from __future__ import annotations

import re

import pytest

from conformance.sandbox.portal.forms import FORMS
from conformance.sandbox.portal.shapes import read_csv
from tests.integration.sandbox.peer import insurance_file
from tests.integration.sandbox.portal_peer import Bench, play, signed_for
from tests.integration.sandbox.portal_records import envelope, visit


async def page(bench: Bench, path: str, status: int = 200) -> str:
    response = await bench.http.get(bench.sandbox.admin_url + path)
    assert response.status_code == status, path
    if status == 200 and path != "/portal/style.css":
        assert "default-src 'none'" in response.headers["content-security-policy"]
        assert "<script" not in response.text
        assert response.text.count("<h1>") == 1
    return response.text


def test_list_record_and_tables_with_findings() -> None:
    async def scene(bench: Bench) -> None:
        assert "Chưa nhận được gì" in await page(bench, "/portal")
        wrong = visit()
        wrong["XML1"][0]["GIOI_TINH"] = "4"
        await bench.client.send(bench.sign(envelope(wrong, visit("LK2"))))
        await bench.client.send(insurance_file().encode())
        listed = await page(bench, "/portal")
        assert "Đã nhận, chờ giám định" in listed
        assert "Không nhận" in listed
        assert "LK1, LK2" in listed
        assert "Chưa giám định" in await page(bench, "/portal/records/1")
        done = await bench.http.post(bench.sandbox.admin_url + "/portal/assess?record=1&lang=en")
        assert (done.status_code, done.headers["location"]) == (303, "/portal/records/1?lang=en")
        told = await page(bench, "/portal/records/1")
        for text in ("6 – Trả lại", "<dd>Giới tính sai</dd>", "Hợp lệ: Bệnh viện A (cả tệp)", "XML14 (1)", "61"):
            assert text in told
        assert 'Chữ ký</dt><dd class="bad">Không có' in await page(bench, "/portal/records/2")
        assert "CHUKYDONVI không có chữ ký" in await page(bench, "/portal/records/2")
        assert "Trả lại (16)" in await page(bench, "/portal?show=returned")
        assert "Giới tính sai" in await page(bench, "/portal/records/1/1/XML1")
        rows = await page(bench, "/portal/records/1/1/XML3")
        assert "Tổng phân tích tế bào máu" in rows
        assert "MA_XANG_DAU" not in rows
        assert "MA_XANG_DAU" in await page(bench, "/portal/records/1/1/XML3?every=1")
        for missing in (
            "/portal/records/9",
            "/portal/records/0",
            "/portal/records/1/3/XML1",
            "/portal/records/1/1/XML9",
        ):
            await page(bench, missing, 404)

    play(scene, assessed_after_s=None)


def test_every_page_in_english_keeps_to_english() -> None:
    async def scene(bench: Bench) -> None:
        for form in FORMS:
            await bench.submit(form, signed_for(form, bench))
        bench.clock.advance(61)
        for path in ("/portal", "/portal/records/1", "/portal/records/1/1/XML1", "/portal/cards", "/portal/settings"):
            text = await page(bench, path + "?lang=en")
            assert '<html lang="en">' in text
            links = [link for link in re.findall(r'href="(/portal[^"]*)"', text) if link != "/portal/style.css"]
            others = [link for link in links if "lang=en" not in link]
            assert others == [path], "only the way to Vietnamese leaves English"
            assert "Simulated insurance portal" in text
            assert '<html lang="vi">' in await page(bench, path)
        assert ".stack" in await page(bench, "/portal/style.css")
        front = await bench.http.get(bench.sandbox.admin_url + "/")
        assert (front.status_code, front.headers["location"]) == (303, "/portal")

    play(scene)


def test_what_was_sent_is_text_on_the_page() -> None:
    async def scene(bench: Bench) -> None:
        evil = '<script>alert(1)</script><b title="x'
        rows = visit(link='LK"><i>1')
        rows["XML1"][0]["HO_TEN"] = evil
        rows["XML3"][0]["TEN_DICH_VU"] = evil
        await bench.client.send(bench.sign(envelope(rows)))
        await bench.client.send(bench.sign(insurance_file(link="&lt;img src=x&gt;", sex="11")))
        card = {"card": "GD4010000000777", "name": evil, "birth": "1999"}
        await bench.admin("POST", "portal/cards", json=[card])
        bench.clock.advance(61)
        for path in (
            "/portal",
            "/portal/records/1",
            "/portal/records/1/1/XML1",
            "/portal/records/1/1/XML3",
            "/portal/records/2",
            "/portal/cards",
        ):
            text = await page(bench, path)
            assert "<script" not in text
            assert "<i>1" not in text
            assert "<img" not in text
        assert "&lt;script&gt;" in await page(bench, "/portal/records/1/1/XML1")

    play(scene)


def test_many_arrivals_are_shown_page_by_page() -> None:
    async def scene(bench: Bench) -> None:
        for number in range(53):
            await bench.client.send(f"<x>{number}</x>".encode())
        first, second = await page(bench, "/portal"), await page(bench, "/portal?show=refused&page=2")
        assert first.count("/portal/records/") == 50
        assert second.count("/portal/records/") == 3
        assert "page=2" in first
        assert "page=1" in second
        assert "Chưa nhận" in await page(bench, "/portal?page=9")

    play(scene)


@pytest.mark.parametrize("name", ["page_texts.csv", "card_codes.csv"])
def test_every_text_is_there_in_both_languages(name: str) -> None:
    assert all(row["vi"] and row["en"] for row in read_csv(name))
