"""Answer card look-up with history, the detail of one past visit, and the facility's own data.

The shape of the look-up's answer is reported by several integrators; that of the detail follows older clients, that of the
facility's data is ours.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any, Final

from conformance.sandbox.accounts import Account
from conformance.sandbox.portal.book import Book, Case
from conformance.sandbox.portal.cards import CardBook, birth_parts
from conformance.sandbox.portal.login import Door, fields_of
from conformance.sandbox.portal.shapes import read_csv
from conformance.sandbox.portal.switches import Board
from conformance.sandbox.wire import Received, Reply, json_reply

CARD_LOOKUP: Final = "/api/egw/kqnhanlichsukcb2024"
VISIT_DETAIL: Final = "/api/egw/nhanhosokcbchitiet"
FACILITY_DATA: Final = "/api/egw/nhanthongtincskcb"
_VIETNAM: Final = timezone(timedelta(hours=7))
_FIRST_NUMBER: Final = 700_000_000
_FIELDS: Final = {
    "maThe": "card",
    "hoTen": "name",
    "ngaySinh": "birth",
    "gioiTinh": "sex",
    "diaChi": "address",
    "maDKBD": "facility",
    "cqBHXH": "agency",
    "gtTheTu": "from",
    "gtTheDen": "to",
    "maKV": "area",
    "ngayDu5Nam": "five_years",
    "maSoBHXH": "social",
    "maTheCu": "old_card",
    "maTheMoi": "new_card",
    "gtTheTuMoi": "new_from",
    "gtTheDenMoi": "new_to",
    "maDKBDMoi": "new_facility",
    "tenDKBDMoi": "new_facility_name",
}


class Lookups:
    """Answer the calls below `/api/egw/`."""

    def __init__(self, door: Door, cards: CardBook, book: Book, board: Board, clock: Callable[[], datetime]) -> None:
        self._door = door
        self._cards = cards
        self._book = book
        self._board = board
        self._clock = clock
        self._asked: dict[str, list[dict[str, str]]] = {}

    def reset(self) -> None:
        """Forget who asked about whom."""
        self._asked.clear()

    def card(self, request: Received) -> Reply:
        """Answer KQNhanLichSuKCB2024."""
        account = self._door.by_query(request)
        if account is None:
            return self.refuse("401")
        given = fields_of(request)
        code, card = self._judge(given, account)
        answer = self._answer(code)
        number = "".join(given.get("maThe", "").split())
        if card is not None:
            number = card["card"]
            answer |= {name: card.get(column) or None for name, column in _FIELDS.items()}
            answer["dsLichSuKCB2018"] = self._history(card) or None
            answer["dsLichSuKT2018"] = list(self._asked.get(number, ())) or None
        if code not in ("054", "055", "205") and self._cards.find(number) is not None:
            self._note(number, account, code)
        return json_reply(200, answer)

    def detail(self, request: Received) -> Reply:
        """Answer nhanHoSoKCBChiTiet: the tables of one past visit, names as `MaLk`; 205 for a number not known (ours)."""
        if self._door.by_query(request) is None:
            return self.refuse("401")
        number = {**fields_of(request), **request.query}.get("maHoSo", "")
        case = next((each for each in self._book.all() if str(_number_of(each)) == number), None)
        past = next((row for row in read_csv("history.csv") if row["number"] == number), None)
        if case is not None:
            rows = {name: [_pascal(row.values) for row in case.visit.rows(name)] for name in _TABLES}
        elif past is not None:
            rows = {name: [] for name in _TABLES}
            rows["XML1"] = [_past(past)]
        else:
            return json_reply(200, {"maKetQua": "205", "hoSoKCB": None})
        content = {"xml1": next(iter(rows["XML1"]), None)} | {f"dsXml{name[3:]}": rows[name] for name in _TABLES[1:]}
        return json_reply(200, {"maKetQua": "200", "hoSoKCB": content})

    def facility(self, request: Received) -> Reply:
        """Answer NhanThongTinCSKCB. The fields of the answer are ours."""
        if self._door.by_query(request) is None:
            return self.refuse("401")
        given = {name.lower(): value for name, value in {**fields_of(request), **request.query}.items()}
        found = next((row for row in read_csv("facilities.csv") if row["code"] == given.get("macskcb")), None)
        if found is None:
            return json_reply(200, {"maKetQua": "205", "ghiChu": "Không có cơ sở này"})
        told = {
            "maCSKCB": found["code"],
            "tenCSKCB": found["name"],
            "diaChi": found["address"],
            "capCMKT": found["level"],
        }
        return json_reply(200, {"maKetQua": "200", **told})

    def refuse(self, code: str) -> Reply:
        """Answer with a code and nothing else."""
        return json_reply(200, self._answer(code))

    def _judge(self, given: Mapping[str, str], account: Account) -> tuple[str, Mapping[str, str] | None]:
        wanted = ("maThe", "hoTen", "ngaySinh", "hoTenCb", "cccdCb")
        if any(not given.get(name, "").strip() for name in wanted):
            return "205", None
        if birth_parts(given["ngaySinh"].strip()) is None:
            return "205", None
        switches = self._board.now
        if account.user in switches.restricted and switches.restricted_cards != "answer":
            return switches.restricted_cards, None
        refused = self._cards.officer_code(account.facility, given["hoTenCb"], given["cccdCb"].strip())
        if refused:
            return refused, None
        number = "".join(given["maThe"].split()).upper()
        today = self._clock().astimezone(_VIETNAM).date()
        return self._cards.judge(number, given["hoTen"], given["ngaySinh"].strip(), today)

    def _answer(self, code: str) -> dict[str, Any]:
        text = next((row["vi"] for row in read_csv("card_codes.csv") if row["code"] == code), "")
        empty: dict[str, Any] = dict.fromkeys((*_FIELDS, "dsLichSuKCB2018", "dsLichSuKT2018"))
        return {"maKetQua": code, "ghiChu": text} | empty

    def _history(self, card: Mapping[str, str]) -> list[dict[str, Any]]:
        cards = {number for number in (card["card"], card.get("old_card"), card.get("new_card")) if number}
        received = [
            {
                "maHoSo": _number_of(each),
                "maCSKCB": each.visit.facility,
                "ngayVao": each.visit.head["NGAY_VAO"],
                "ngayRa": each.visit.head["NGAY_RA"],
                "tenBenh": " - ".join(
                    filter(None, (each.visit.head["MA_BENH_CHINH"], each.visit.head["CHAN_DOAN_RV"]))
                ),
                "tinhTrang": each.visit.head["MA_LOAI_RV"],
                "kqDieuTri": each.visit.head["KET_QUA_DTRI"],
                "lyDoVV": each.visit.head["MA_DOITUONG_KCB"],
            }
            for each in self._book.by_card(cards)
        ]
        past = [
            {
                "maHoSo": int(row["number"]),
                "maCSKCB": row["facility"],
                "ngayVao": row["in"],
                "ngayRa": row["out"],
                "tenBenh": row["disease"],
                "tinhTrang": row["state"],
                "kqDieuTri": row["result"],
                "lyDoVV": row["reason"],
            }
            for row in read_csv("history.csv")
            if row["card"] in cards
        ]
        return sorted([*received, *past], key=lambda each: str(each["ngayVao"]), reverse=True)

    def _note(self, number: str, account: Account, code: str) -> None:
        at = self._clock().astimezone(_VIETNAM).strftime("%Y%m%d%H%M")
        text = str(self._answer(code)["ghiChu"])
        asked = self._asked.setdefault(number, [])
        asked.append({"userKT": account.user, "thoiGianKT": at, "thongbao": text, "maLoi": code})
        del asked[:-20]


_TABLES: Final = ("XML1", "XML2", "XML3", "XML4", "XML5")


def _number_of(case: Case) -> int:
    return _FIRST_NUMBER + case.record * 100 + case.position


def _pascal(values: Mapping[str, str]) -> dict[str, str | None]:
    return {
        re.sub(r"_?([A-Z0-9]+)", lambda part: part[1].capitalize(), name): value or None
        for name, value in values.items()
    }


def _past(row: Mapping[str, str]) -> dict[str, str | None]:
    told = {
        "MA_LK": f"LS{row['number']}",
        "MA_THE": row["card"],
        "TEN_BENH": row["disease"],
        "MA_CSKCB": row["facility"],
    }
    return _pascal(told | {"NGAY_VAO": row["in"], "NGAY_RA": row["out"]})
