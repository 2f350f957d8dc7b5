"""The portal's client on the wire, against a scripted peer: versions, account, look-ups, history. All people are invented."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import logging
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from connectors.contract import CardQuestion, Outbound
from connectors.destinations.insurance_portal import Destination, Settings
from connectors.faults import (
    AccountRefused,
    CannotAsk,
    LookupRestricted,
    LookupServerTrouble,
    LookupUnanswered,
    Throttled,
    Unreachable,
    VersionClosed,
    VersionMixed,
)
from mappings.formats.values import Secret
from tests.contract import http_peer as wire
from tests.contract.http_peer import Reply, Request, ScriptedPeer, http, scripted_peer

LOGIN_PATH = "/api/token/take"
PASSWORD = "mật khẩu+/="
MD5 = hashlib.md5(PASSWORD.encode(), usedforsecurity=False).hexdigest().upper()
NAME, CARD, CCCD, OFFICER = "Trần Thị Bích Ngọc", "DN4010123456789", "001184012345", "001199055555"
QUESTION = CardQuestion(CARD, NAME, "02/09/1984")
SUMMARY = (
    f"<TONG_HOP><MA_LK>LK7</MA_LK><HO_TEN>{NAME}</HO_TEN><NGAY_SINH>198409020000</NGAY_SINH>"
    f"<MA_THE_BHYT>{CARD}</MA_THE_BHYT><NGAY_VAO>202611200800</NGAY_VAO><NGAY_RA>202611250930</NGAY_RA></TONG_HOP>"
)
FILE = (
    "<GIAMDINHHS><THONGTINHOSO><DANHSACHHOSO><HOSO><FILEHOSO><LOAIHOSO>XML1</LOAIHOSO><NOIDUNGFILE>"
    + base64.b64encode(SUMMARY.encode()).decode()
    + "</NOIDUNGFILE></FILEHOSO></HOSO></DANHSACHHOSO></THONGTINHOSO><CHUKYDONVI/></GIAMDINHHS>"
).encode()
YES = http(200, {"maKetQua": "200", "maGiaoDich": "GD-1", "thoiGianTiepNhan": "20261126080000"})


def document(body: bytes = FILE, media_type: str = "application/xml; decision=3176") -> Outbound:
    at = datetime(2026, 11, 26, tzinfo=UTC)
    return Outbound("k", "visit", body, media_type, hashlib.sha256(body).hexdigest(), at, "01999")


def token(name: str = "t+/=1", ends: str = "2099-01-01T00:00:00Z") -> Reply:
    key = {"access_token": name, "id_token": "id&1", "expires_in": ends}
    return http(200, {"maKetQua": "200", "APIKey": key})


class Scene:
    def __init__(self, peer: ScriptedPeer, portal: Destination) -> None:
        self.peer, self.portal = peer, portal

    @property
    def calls(self) -> list[Request]:
        return [one for one in self.peer.requests if one.path != LOGIN_PATH]

    @property
    def logins(self) -> int:
        return len(self.peer.requests) - len(self.calls)


def play(scene: Callable[[Scene], Awaitable[None]], *replies: Reply, login: Reply | None = None, **more: Any) -> None:
    script: Iterator[Reply] = iter(replies)

    async def run() -> None:
        async with (
            asyncio.timeout(20),
            scripted_peer(lambda request: (login or token()) if request.path == LOGIN_PATH else next(script)) as peer,
        ):
            quick = {"answer_timeout": timedelta(milliseconds=400), "lookup_timeout": timedelta(milliseconds=300)}
            officer = {"officer": "Lê Văn Cán", "officer_id": Secret(OFFICER)}
            settings = Settings(peer.url, "01999_BV", Secret(PASSWORD), "01999", **{**quick, **officer, **more})
            portal = Destination("portal", settings, lambda data: data)
            try:
                await scene(Scene(peer, portal))
            finally:
                await portal.close()

    asyncio.run(run())


@pytest.mark.parametrize("version", ["130", "4750", "3176"])
def test_the_address_follows_the_file(version: str) -> None:
    async def scene(at: Scene) -> None:
        receipt = await at.portal.deliver(document(media_type=f"application/xml; decision={version}"))
        assert at.calls[0].path == f"/api/qd130/guiHoSoXmlQD{version}"
        assert receipt.facts["decision"] == version
        checked_in = document(b"<CHI_TIEU_TRANG_THAI_KCB/>", f"application/xml; decision={version}")
        await at.portal.deliver(checked_in)
        assert at.calls[1].path == f"/api/qd130/checkInKcbQd{version}"
        assert parse_qs(at.calls[1].body.decode())["loaiHoSo"] == ["0"]

    play(scene, YES, YES)


def test_a_file_of_another_decision_is_not_sent() -> None:
    async def scene(at: Scene) -> None:
        with pytest.raises(VersionMixed):
            await at.portal.deliver(document(media_type="application/xml; decision=4750"))
        assert not at.peer.requests

    play(scene, version="3176")


def test_boards_and_catalogues_have_their_own_calls() -> None:
    async def scene(at: Scene) -> None:
        await at.portal.deliver(document(b"<CHI_TIEU_GIAM_DINH_YKHOA/>"))
        await at.portal.deliver(document(b"<HSDANHMUC/>", "application/xml; call=medicines"))
        boards, medicines = at.calls
        assert (boards.path, parse_qs(boards.body.decode())["loaiHoSo"]) == ("/api/qd130/guiDuLieuGdykQd130", ["12"])
        assert medicines.path == "/api/DanhMucGW/GuiDanhMuc03_DMTHUOC"
        assert json.loads(medicines.body)["loaiHs"] == "10"
        assert base64.b64decode(json.loads(medicines.body)["fileHsBase64"]) == b"<HSDANHMUC/>"
        assert medicines.headers["accesstoken"] == "t+/=1"

    play(scene, YES, YES)


def test_an_account_that_is_refused_is_told_apart_from_a_file() -> None:
    async def scene(at: Scene) -> None:
        with pytest.raises(AccountRefused):
            await at.portal.deliver(document())

    play(scene, http(200, {"maKetQua": "403"}))
    play(scene, login=http(200, {"maKetQua": "401", "APIKey": None}))


def test_an_address_that_closed_names_its_decision() -> None:
    async def scene(at: Scene) -> None:
        with pytest.raises(VersionClosed) as caught:
            await at.portal.deliver(document(media_type="application/xml; decision=130"))
        assert caught.value.detail == "HTTP 404, record 130"

    play(scene, http(404))


def test_one_log_in_serves_files_and_look_ups_together() -> None:
    async def scene(at: Scene) -> None:
        await asyncio.gather(
            at.portal.cards.look_up(QUESTION), at.portal.deliver(document()), at.portal.deliver(document())
        )
        assert at.logins == 1

    play(scene, *[http(200, {"maKetQua": "200", "maGiaoDich": "GD-1"})] * 3)


def test_another_node_that_logged_in_costs_one_more_log_in() -> None:
    """Where the portal ends the token of one node when another logs in, the next call logs in again and is made once more."""

    async def scene(at: Scene) -> None:
        for _ in range(2):
            await at.portal.deliver(document())
        assert (at.logins, len(at.calls)) == (3, 4)
        assert len({call.body for call in at.calls}) == 1

    ended = http(200, {"maKetQua": "401"})
    play(scene, ended, YES, ended, YES)


def test_a_token_is_renewed_a_minute_early() -> None:
    soon = (datetime.now(UTC) + timedelta(seconds=59)).isoformat()

    async def scene(at: Scene) -> None:
        clock = [datetime.now(UTC)]
        at.portal._session._login._now = lambda: clock[0]
        await at.portal.deliver(document())
        clock[0] += timedelta(seconds=21)
        await at.portal.deliver(document())
        assert at.logins == 2

    play(scene, YES, YES, login=token(ends=soon))


def test_a_look_up_puts_its_proofs_where_the_portal_wants_them_and_nothing_else(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)

    async def scene(at: Scene) -> None:
        reply = await at.portal.cards.look_up(QUESTION)
        assert reply.code == "000"
        asked = at.calls[0]
        assert urlsplit(asked.path).path == "/api/egw/KQNhanLichSuKCB2024"
        proofs = {name: value for name, (value,) in parse_qs(urlsplit(asked.path).query).items()}
        assert proofs == {"token": "t+/=1", "id_token": "id&1", "username": "01999_BV", "password": MD5}
        assert json.loads(asked.body) == {
            "maThe": CARD,
            "hoTen": NAME,
            "ngaySinh": "02/09/1984",
            "hoTenCb": "Lê Văn Cán",
            "cccdCb": OFFICER,
        }
        assert "passwordhash" not in asked.headers
        for secret in (NAME, CARD, OFFICER):
            assert secret not in repr(QUESTION) + repr(reply)

    play(scene, http(200, {"maKetQua": "000", "hoTen": NAME, "maThe": CARD}))
    assert "/api/egw/KQNhanLichSuKCB2024" in caplog.text, "the library logs addresses: this test would see a leak"
    for secret in (PASSWORD, MD5, NAME, CARD, OFFICER, "t+/=1", "t%2B%2F%3D1", "id_token"):
        assert secret not in caplog.text, secret


def test_shared_costs_are_asked_with_the_proofs_in_the_headers() -> None:
    async def scene(at: Scene) -> None:
        reply = await at.portal.cards.shared_costs(QUESTION)
        assert reply.code == "200"
        (asked,) = at.calls
        assert asked.path == "/api/TraCuuCCT/TraCuuTienMCCT"
        assert json.loads(asked.body) == {
            "username": "01999_BV",
            "maThe": CARD,
            "hoTen": NAME,
            "ngaySinh": "02/09/1984",
        }
        assert asked.headers["passwordhash"] == MD5

    play(scene, http(200, {"MaKetQua": 200, "DataCCT": []}))


@pytest.mark.parametrize("lost", [wire.SILENCE, wire.CLOSE, wire.GARBAGE, http(500), http(200, {"maKetQua": None})])
def test_a_look_up_without_an_answer_is_not_repeated(lost: Reply) -> None:
    async def scene(at: Scene) -> None:
        with pytest.raises(LookupUnanswered):
            await at.portal.cards.look_up(QUESTION)
        assert len(at.calls) == 1

    play(scene, lost)


def test_troubles_of_a_look_up() -> None:
    restricted = http(200, {"MaKetQua": 500, "GhiChu": "Có lỗi xảy ra trong quá trình tra cứu!"})

    async def scene(at: Scene) -> None:
        for fault in (LookupRestricted, LookupServerTrouble, Throttled):
            with pytest.raises(fault) as caught:
                await at.portal.cards.shared_costs(QUESTION)
            assert "Có lỗi" not in str(caught.value)

    play(scene, restricted, http(200, {"MaKetQua": 500}), http(429))


def test_nothing_is_asked_without_permission() -> None:
    async def refuse() -> None:
        raise Unreachable("quota")

    async def scene(at: Scene) -> None:
        at.portal.cards.permit = refuse
        for ask in (at.portal.cards.look_up, at.portal.cards.shared_costs):
            with pytest.raises(Unreachable):
                await ask(QUESTION)
        assert not at.peer.requests

    play(scene)


# ---- did it arrive? ----


def history(*visits: dict[str, str]) -> Reply:
    return http(200, {"maKetQua": "000", "dsLichSuKCB2018": list(visits)})


AS_WRITTEN = {"maHoSo": "991", "maCSKCB": "01999", "ngayVao": "202611200800", "ngayRa": "202611250930"}
WITH_SLASHES = {**AS_WRITTEN, "ngayVao": "20/11/2026 08:00", "ngayRa": "25/11/2026"}


@pytest.mark.parametrize("visit", [AS_WRITTEN, WITH_SLASHES])
@pytest.mark.parametrize(
    "detail", [{"hoSo": {"maLk": "LK7"}}, {"hoSo": [{"MA_LK": "LK7 "}]}, {"xml1": "<TONG_HOP><MA_LK>LK7</MA_LK>"}]
)
def test_the_history_can_say_that_a_record_arrived(detail: dict[str, Any], visit: dict[str, str]) -> None:
    async def scene(at: Scene) -> None:
        receipt = await at.portal.find(document())
        assert receipt is not None
        assert (receipt.reference, receipt.facts["answer"]) == ("991", "history")
        look_up, asked = at.calls
        assert json.loads(look_up.body)["ngaySinh"] == "02/09/1984"
        assert parse_qs(urlsplit(asked.path).query)["maHoSo"] == ["991"]

    other = {**AS_WRITTEN, "maCSKCB": "01998"}
    play(scene, history(other, visit), http(200, {"maKetQua": "200", **detail}), ask_history=True)


@pytest.mark.parametrize(
    ("replies", "asked"),
    [
        ((history(),), 1),
        ((http(200, {"maKetQua": "050"}),), 1),
        ((history({**AS_WRITTEN, "ngayRa": "202611250931"}),), 1),
        ((history({**AS_WRITTEN, "maCSKCB": "01998"}),), 1),
        ((history(AS_WRITTEN), http(200, {"maKetQua": "200", "maLk": "LK8"})), 2),
        ((wire.SILENCE,), 1),
    ],
)
def test_the_history_never_says_that_a_record_did_not_arrive(replies: tuple[Reply, ...], asked: int) -> None:
    async def scene(at: Scene) -> None:
        with pytest.raises(CannotAsk):
            await at.portal.find(document())
        assert len(at.calls) == asked

    play(scene, *replies, ask_history=True)


def test_a_correction_is_for_a_person() -> None:
    async def scene(at: Scene) -> None:
        for made in (
            document(media_type="application/xml; decision=3176; corrects=1"),
            document(b"<CHI_TIEU_TRANG_THAI_KCB/>"),
            document(b"<GIAMDINHHS>"),
            replace(document(), body=FILE.replace(b"XML1", b"XML2")),
        ):
            with pytest.raises(CannotAsk):
                await at.portal.find(made)
        assert not at.peer.requests

    play(scene, ask_history=True)


def test_a_portal_that_is_away_is_asked_again() -> None:
    async def scene(at: Scene) -> None:
        with pytest.raises(Throttled):
            await at.portal.find(document())

    play(scene, http(503), ask_history=True)


def test_requests_leave_by_the_address_that_is_set() -> None:
    async def scene(at: Scene) -> None:
        await at.portal.deliver(document())

    play(scene, YES, leave_by="127.0.0.1")

    async def nowhere(at: Scene) -> None:
        with pytest.raises(Unreachable):
            await at.portal.deliver(document())

    play(nowhere, leave_by="192.0.2.1")
