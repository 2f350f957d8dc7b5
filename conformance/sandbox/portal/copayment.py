"""Answer how much a card's holder has paid together with the fund this year (TraCuuTienMCCT).

Reported: the body's `MaKetQua` rules; 400 and 500 travel with the HTTP status of the same number, 401 is HTTP 401 without a
body; 204 stands for both a card not found and no payments; a restricted account gets 500 with words of its own.

Standard: CV 1839/CNTT-PM (2026), second-hand
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any, Final

from conformance.sandbox.portal.cards import CardBook, birth_parts
from conformance.sandbox.portal.login import Door, fields_of
from conformance.sandbox.portal.shapes import read_csv
from conformance.sandbox.portal.switches import Board
from conformance.sandbox.wire import Received, Reply, json_reply

COPAYMENT: Final = "/api/tracuucct/tracuutienmcct"
RESTRICTED: Final = "Có lỗi xảy ra trong quá trình tra cứu!"
TROUBLE: Final = "Có lỗi hệ thống xảy ra trong quá trình xử lý!"
_VIETNAM: Final = timezone(timedelta(hours=7))
_SPARE: Final = {f"duPhong{number}": "" for number in range(1, 6)}


class Copayments:
    """Answer the call."""

    def __init__(self, door: Door, cards: CardBook, board: Board, clock: Callable[[], datetime]) -> None:
        self._door = door
        self._cards = cards
        self._board = board
        self._clock = clock

    def answer(self, request: Received) -> Reply:
        """Judge the question and answer; `username` may be the account or its facility, as the description has both."""
        account = self._door.by_headers(request, named=False)
        given = fields_of(request)
        if account is None or given.get("username", account.user) not in ("", account.user, account.facility):
            return Reply(401, b"")
        number = "".join(given.get("maThe", "").split()).upper()
        wanted = ("username", "hoTen", "ngaySinh")
        if any(not given.get(name, "").strip() for name in wanted) or len(number) not in (10, 12, 15):
            return self.refuse("400")
        if birth_parts(given["ngaySinh"].strip()) is None:
            return self.refuse("400")
        if account.user in self._board.now.restricted:
            return self.refuse("500", RESTRICTED)
        today = self._clock().astimezone(_VIETNAM).date()
        _, card = self._cards.judge(number, given["hoTen"], given["ngaySinh"].strip(), today)
        visits = [] if card is None else [row for row in read_csv("copayments.csv") if row["card"] == card["card"]]
        if card is None or not visits:
            return self.refuse("204")
        holder = {"hoTen": card["name"], "ngaySinh": card["birth"], "ngayKetThuc": card["to"], "maBhxh": card["social"]}
        said = f"Dữ liệu giám định BHYT tính đến {today:%d/%m/%Y}"
        return json_reply(
            200,
            {
                "MaKetQua": "200",
                "GhiChu": said,
                "DataCCT": [_visit(row, f"{today:%d/%m/%Y}") for row in reversed(visits)],
                "ThongTinSoThe": holder | _SPARE,
            },
        )

    def refuse(self, code: str, words: str | None = None) -> Reply:
        """Answer with a code and no data."""
        if code == "401":
            return Reply(401, b"")
        told = {"204": "Không tìm thấy dữ liệu", "400": "Tham số không hợp lệ", "500": TROUBLE}
        content = {"MaKetQua": code, "GhiChu": words or told.get(code, ""), "DataCCT": None, "ThongTinSoThe": None}
        return json_reply(int(code) if code in ("400", "500") else 200, content)


def _visit(row: Mapping[str, str], today: str) -> dict[str, Any]:
    return {
        "Id": int(row["id"]),
        "ngayTraCuu": today,
        "maThe": row["card"],
        "maCskcb": row["facility"],
        "ngayVao": row["in"],
        "ngayRa": row["out"],
        "maDoiTuongKCB": row["object"],
        "tBNCCTMCCT": int(row["amount"]),
        "tBNCCTLuyKe": int(row["cumulative"]),
        "ngayNhanCong": row["received"],
        "ngayNhan": row["received"],
        **_SPARE,
    }
