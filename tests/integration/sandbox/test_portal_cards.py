"""Card look-up gives each of its 26 codes for its reason, in every form of number and birth date, and co-payments their own."""

from __future__ import annotations

from typing import Any

import pytest

from conformance.sandbox.faults import Action, Call, Rule
from conformance.sandbox.portal.cards import CardBook
from conformance.sandbox.portal.copayment import RESTRICTED, TROUBLE
from conformance.sandbox.portal.shapes import read_csv
from conformance.sandbox.server import FACILITY, USER
from tests.integration.sandbox.portal_peer import ADULT, OFFICER, Bench, play
from tests.integration.sandbox.portal_records import envelope, visit

BY_CARD = {row["code"]: row for row in reversed(read_csv("cards.csv"))}
ASKED: dict[str, dict[str, str]] = {
    "050": {"maThe": "DN4019999999999"},
    "051": {"maThe": "DN40199990000"},
    "052": {"maThe": "DN4059999000001"},
    "053": {"maThe": "DN9019999000001"},
    "054": {"cccdCb": "001180999999"},
    "055": {"hoTenCb": "Người Khác"},
    "060": {"hoTen": "Trần Văn Khác"},
    "061": {"hoTen": "Ngô Thị Thu Ngân"},
    "070": {"ngaySinh": "16/03/1985"},
    "205": {"ngaySinh": "15-03-1985"},
}


def test_all_26_codes_are_answered() -> None:
    assert {row["code"] for row in read_csv("card_codes.csv")} == set(BY_CARD) | set(ASKED) | {"401"}
    assert len(read_csv("card_codes.csv")) == 26


@pytest.mark.parametrize("code", sorted(BY_CARD))
def test_the_code_of_a_card(code: str) -> None:
    row = BY_CARD[code]

    async def scene(bench: Bench) -> None:
        answer = await bench.look_up(maThe=row["card"], hoTen=row["name"], ngaySinh=row["birth"])
        assert answer["maKetQua"] == code
        assert answer["ghiChu"]
        if code in ("100", "101"):
            assert answer["maThe"] is None
        else:
            assert (answer["maThe"], answer["hoTen"]) == (row["card"], row["name"])
            assert (answer["gtTheTu"], answer["maDKBD"]) == (row["from"], row["facility"])
        assert (answer["maTheMoi"] is not None) == (code in ("003", "004"))

    play(scene)


@pytest.mark.parametrize("code", sorted(ASKED))
def test_the_code_of_a_wrong_question(code: str) -> None:
    async def scene(bench: Bench) -> None:
        answer = await bench.look_up(**ASKED[code])
        assert (answer["maKetQua"], answer["maThe"], answer["dsLichSuKCB2018"]) == (code, None, None)

    play(scene)


def test_a_wrong_token_is_401_and_every_parameter_is_needed() -> None:
    async def scene(bench: Bench) -> None:
        for missing in (*ADULT, *OFFICER):
            assert (await bench.look_up(**{missing: ""}))["maKetQua"] == "205"
        bench.client.key["id_token"] = "x"
        assert (await bench.look_up())["maKetQua"] == "401"

    play(scene)


@pytest.mark.parametrize("number", ["DN4019999000001", "9999000001", "001185990001", "dn4 019999 000001"])
@pytest.mark.parametrize("birth", ["15/03/1985", "03/1985", "1985"])
def test_three_numbers_and_three_forms_of_birth_date(number: str, birth: str) -> None:
    async def scene(bench: Bench) -> None:
        answer = await bench.look_up(maThe=number, ngaySinh=birth, hoTen=" nguyễn thị  THỬ NGHIỆM ")
        assert answer["maKetQua"] == "000"
        assert answer["maSoBHXH"] == "9999000001"

    play(scene)


@pytest.mark.parametrize("birth", ["32/01/1985", "29/02/1985", "13/1985", "85", "1985-03-15", "19850315"])
def test_another_form_of_birth_date_is_a_bad_parameter(birth: str) -> None:
    async def scene(bench: Bench) -> None:
        assert (await bench.look_up(ngaySinh=birth))["maKetQua"] == "205"

    play(scene)


def test_a_form_body_serves_like_json() -> None:
    async def scene(bench: Bench) -> None:
        url = bench.sandbox.portal_url + "/api/egw/KQNhanLichSuKCB2024"
        response = await bench.http.post(url, params=bench.query(), data=ADULT | OFFICER)
        assert response.json()["maKetQua"] == "000"

    play(scene)


def test_history_holds_past_visits_those_just_received_and_who_asked() -> None:
    async def scene(bench: Bench) -> None:
        before = await bench.look_up()
        assert [each["maHoSo"] for each in before["dsLichSuKCB2018"]] == [600000001, 600000002]
        assert before["dsLichSuKT2018"] is None
        assert (await bench.client.send(bench.sign(envelope(visit()))))["maKetQua"] == "200"
        after = await bench.look_up()
        first, *_ = after["dsLichSuKCB2018"]
        assert (first["maCSKCB"], first["tenBenh"]) == (FACILITY, "J02.9 - Viêm họng cấp")
        assert [(each["userKT"], each["maLoi"]) for each in after["dsLichSuKT2018"]] == [(USER, "000")]
        detail = await post(bench, "nhanHoSoKCBChiTiet", maHoSo=str(first["maHoSo"]))
        assert detail["hoSoKCB"]["xml1"]["MaLk"] == "LK1"
        assert [row["TenThuoc"] for row in detail["hoSoKCB"]["dsXml2"]] == ["Paracetamol"]
        assert len(detail["hoSoKCB"]["dsXml3"]) == 2
        old = await post(bench, "nhanHoSoKCBChiTiet", maHoSo="600000002")
        assert old["hoSoKCB"]["xml1"]["TenBenh"] == "K35.8 - Viêm ruột thừa cấp"
        assert (await post(bench, "nhanHoSoKCBChiTiet", maHoSo="1"))["maKetQua"] == "205"

    play(scene)


def test_the_facility_tells_about_itself() -> None:
    async def scene(bench: Bench) -> None:
        assert (await post(bench, "NhanThongTinCSKCB", maCSKCB=FACILITY))["tenCSKCB"] == "Bệnh viện Thử Nghiệm"
        assert (await post(bench, "NhanThongTinCSKCB", maCSKCB="00000"))["maKetQua"] == "205"
        bench.client.key.clear()
        for call in ("NhanThongTinCSKCB", "nhanHoSoKCBChiTiet"):
            assert (await post(bench, call))["maKetQua"] == "401"

    play(scene)


async def post(bench: Bench, call: str, **query: str) -> dict[str, Any]:
    response = await bench.http.post(f"{bench.sandbox.portal_url}/api/egw/{call}", params=bench.query() | query)
    return dict(response.json())


def test_the_operator_adds_cards_and_officers(tmp_path: Any) -> None:
    async def scene(bench: Bench) -> None:
        new = {"card": "GD4010000000777", "name": "Người Mới", "birth": "1999", "code": "110"}
        assert (await bench.admin("POST", "portal/cards", json=[new])).status_code == 201
        asked = {"maThe": new["card"], "hoTen": new["name"], "ngaySinh": "1999"}
        assert (await bench.look_up(**asked))["maKetQua"] == "110"
        text = "code,card,name,birth\n124,GD4010000000777,Người Mới,1999\n"
        assert (await bench.admin("POST", "portal/cards", content=text.encode())).status_code == 201
        assert (await bench.look_up(**asked))["maKetQua"] == "124"
        officer = {"facility": FACILITY, "name": "Cán Bộ Mới", "citizen": "001180999988"}
        assert (await bench.admin("POST", "portal/officers", json=officer)).status_code == 204
        assert (await bench.look_up(hoTenCb="Cán Bộ Mới", cccdCb="001180999988"))["maKetQua"] == "000"
        wrong: list[Any] = [[{"card": "1"}], [new | {"code": "999"}], [new | {"x": "1"}], [new | {"birth": "x"}]]
        for bad in (*wrong, {}, [[]], [{"card": 1}]):
            assert (await bench.admin("POST", "portal/cards", json=bad)).status_code == 422
        assert (await bench.admin("POST", "portal/cards", content=b"\xff\xfe")).status_code == 422
        assert len((await bench.admin("GET", "portal/cards")).json()) == len(read_csv("cards.csv")) + 1

    play(scene)
    book = CardBook(tmp_path)
    book.add([{"card": "GD4010000000777", "name": "Người Mới", "birth": "1999"}])
    kept = CardBook(tmp_path).find("GD4010000000777")
    assert kept is not None
    assert (kept["name"], kept["code"]) == ("Người Mới", "000")


def test_a_look_up_can_be_refused_by_plan() -> None:
    async def scene(bench: Bench) -> None:
        bench.sandbox.faults.add(Rule("insurance_portal", Action.REFUSE, call=Call.FIND, code="100", last=1))
        assert (await bench.look_up())["maKetQua"] == "100"
        assert (await bench.look_up())["maKetQua"] == "000"

    play(scene)


def test_co_payments() -> None:
    async def scene(bench: Bench) -> None:
        told = (await bench.copayment()).json()
        assert told["MaKetQua"] == "200"
        assert [each["tBNCCTLuyKe"] for each in told["DataCCT"]] == [1914000, 1850000]
        assert told["ThongTinSoThe"]["maBhxh"] == "9999000001"
        assert (await bench.copayment(username=FACILITY)).json()["MaKetQua"] == "200"
        nothing = await bench.copayment(maThe="TE1019999000004", hoTen="Lê Bé Sơ Sinh", ngaySinh="02/11/2026")
        assert (nothing.status_code, nothing.json()["MaKetQua"], nothing.json()["DataCCT"]) == (200, "204", None)
        for wrong in ({"maThe": "DN40199990000"}, {"hoTen": ""}, {"ngaySinh": "1/1/1985"}):
            bad = await bench.copayment(**wrong)
            assert (bad.status_code, bad.json()["MaKetQua"]) == (400, "400")
        bench.sandbox.faults.add(Rule("insurance_portal", Action.REFUSE, call=Call.FIND, last=1))
        broken = await bench.copayment()
        assert (broken.status_code, broken.json()["GhiChu"]) == (500, TROUBLE)
        bench.client.key["access_token"] = "x"
        closed = await bench.copayment()
        assert (closed.status_code, closed.content) == (401, b"")

    play(scene)


def test_a_restricted_account_is_told_so_in_words_only() -> None:
    async def scene(bench: Bench) -> None:
        answer = await bench.copayment()
        assert (answer.status_code, answer.json()["MaKetQua"], answer.json()["GhiChu"]) == (500, "500", RESTRICTED)
        assert (await bench.look_up())["maKetQua"] == "000"
        await bench.admin("PATCH", "portal/switches", json={"restricted_cards": "101"})
        assert (await bench.look_up())["maKetQua"] == "101"
        await bench.admin("PATCH", "portal/switches", json={"restricted": []})
        assert (await bench.copayment()).status_code == 200

    play(scene, restricted=(USER,))
