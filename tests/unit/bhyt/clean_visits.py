"""Visits that are right in every way, of every kind that has rules of its own, for each decision; and the lists of their site.

Everything is invented. A test plants an error in a copy and asks that the rule for it, and no other, says so.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping

from mappings.bhyt.lists import Lists, parse_list
from mappings.bhyt.rows import rows_to_xml
from mappings.bhyt.tables import table
from mappings.bhyt.visits import Visit
from tests.unit.bhyt.clean_kinds import BARE, KINDS
from tests.unit.bhyt.clean_parts import (
    CAMERA,
    DAYS,
    DOCTOR,
    FACILITY,
    MACHINE,
    NOW,
    NURSE,
    READER,
    SURGEON,
    TENDER,
    Maker,
    Row,
    Tables,
    resum,
)

__all__ = [
    "BARE",
    "DAYS",
    "FACILITY",
    "KINDS",
    "LISTS",
    "LIST_TEXTS",
    "NOW",
    "Row",
    "Tables",
    "clean",
    "copied",
    "file_of",
    "resum",
]


def clean(kind: str, decision: str = "3176", number: str = "LK-0001") -> Visit:
    """Give a visit of a kind with nothing wrong."""
    maker = Maker(decision, number)
    KINDS[kind](maker)
    return maker.done()


def copied(visit: Visit) -> Tables:
    return {name: [dict(row) for row in rows] for name, rows in visit.tables.items()}


def file_of(visits: Iterable[Visit], decision: str) -> bytes:
    """Write visits as one file of the portal; a bare table alone is a file of its own."""
    ours = list(visits)
    if len(ours) == 1 and set(ours[0].tables) <= {"XML0", "XML12"}:
        ((name, rows),) = ours[0].tables.items()
        return rows_to_xml(table(name, decision), rows)
    made = "".join(
        f"<HOSO>{''.join(_file(name, rows, decision) for name, rows in one.tables.items())}</HOSO>" for one in ours
    )
    return (
        f"<GIAMDINHHS><THONGTINDONVI><MACSKCB>{FACILITY}</MACSKCB></THONGTINDONVI><THONGTINHOSO><NGAYLAP>{NOW:%Y%m%d}</NGAYLAP>"
        f"<SOLUONGHOSO>{len(ours)}</SOLUONGHOSO><DANHSACHHOSO>{made}</DANHSACHHOSO></THONGTINHOSO><CHUKYDONVI/></GIAMDINHHS>"
    ).encode()


def _file(name: str, rows: Iterable[Mapping[str, str]], decision: str) -> str:
    known = table(name, decision)
    every = list(rows)
    parts = [every] if known.has_list else [[row] for row in every]
    return "".join(
        f"<FILEHOSO><LOAIHOSO>{name}</LOAIHOSO><NOIDUNGFILE>{base64.b64encode(rows_to_xml(known, part)).decode()}"
        "</NOIDUNGFILE></FILEHOSO>"
        for part in parts
    )


_DISEASES = ("I10", "E78.2", "J18.9", "S52.5", "P59.9", "K35.8", "B20", "A15.0", "O80.0", "O20.0", "J06.9", "O03.9")
LIST_TEXTS = {
    "ICD10": "code,valid_from,valid_to,not_main\n"
    + "".join(f"{code},,,\n" for code in _DISEASES)
    + "R51,,,1\nI11,2026-07-01,,\nI12,,2020-01-01,\n",
    "YHCT": "code\nU62.021\n",
    "ICD9": "code\n47.0\n",
    "MA_CSKCB": "code\n01001\n01002\n",
    "MA_KHOA": "code\nK01\n",
    "MA_QUOCTICH": "code\n000\n",
    "CARD_PREFIX": "code\nDN\nTE\n",
    "STAFF": "code,valid_from,valid_to\n" + "".join(f"{one},,\n" for one in (DOCTOR, NURSE, SURGEON, READER)),
    "DEVICES": f"code\n{MACHINE}\n{CAMERA}\n",
    "DUONG_DUNG": "code\n1.01\n",
    "DRUGS": "code,name,strength,registration,tender,price\n"
    + "".join(
        f"{code},{name},{strength},{registration},{TENDER},{price}\n"
        for code, name, strength, registration, price in (
            ("40.30.501", "Amlodipin", "5mg", "VD-10001-21", "1100.5"),
            ("40.30.501", "Amlor", "5mg", "VN-1", "9000"),
            ("40.31", "Losartan", "5mg", "VD-10002-21", "2000"),
            ("40.99", "Natri clorid", "5mg", "VD-10003-21", "9000"),
            ("40.250", "TLD", "300mg+300mg+50mg", "VN-20001-21", "4000"),
            ("40.251", "ABC", "5mg", "VN-20002-21", "1000"),
            ("40.260", "Turbezid", "150mg", "VD-10009-21", "2500"),
            ("05V.1", "Hoàng kỳ", "5mg", "", "300"),
        )
    )
    + "M01,Khối hồng cầu,,,,600000\n",
    "SERVICES": "code,name,price\n02.1897,,45000\n02.1898,Khám ngoại,45000\n23.0003.1494,Định lượng Glucose,22000\n"
    "18.0119.0028,,70000\nK02.1906,Giường nội khoa loại 1,200000\nK03.1912,Giường nội khoa loại 1,200000\n"
    "03.3328.0491,Cắt ruột thừa,2500000\n13.0033.0614,Đỡ đẻ thường,700000\n08.0005.0230,Điện châm,70000\n",
    "SUPPLIES": f"code,name,tender,price\nN01.01.010,Bơm tiêm 10ml,{TENDER},1500\nN03.02.060,Chỉ khâu,{TENDER},45000.5\n",
    "PROVINCE": "code\n01\n",
    "WARD": "code\n00004\n",
}
LISTS = Lists({name: parse_list(name, text) for name, text in LIST_TEXTS.items()})
