"""A laboratory's table of results, made up, and its layout."""

from __future__ import annotations

import tomllib
from typing import Any

from mappings.lab.layout import Layout, parse_layout

LAYOUT = """
decimal = ","
times   = ["%d/%m/%Y %H:%M", "%d/%m/%Y"]
ignore  = ["STT"]
always  = { panel = "58410-2", panel_name = "Tổng phân tích tế bào máu", panel_system = "LN" }

[columns]
patient       = "Mã BN"
name          = "Họ tên"
birth         = "Ngày sinh"
sex           = "Giới"
specimen      = "Số mẫu"
test          = "Mã XN"
test_name     = "Tên XN"
value         = "Kết quả"
unit          = "Đơn vị"
range         = "Trị số bình thường"
status        = "Trạng thái"
collected     = "Lấy mẫu"
resulted      = "Trả kết quả"
approver_name = "Người duyệt"
comment       = "Ghi chú"

[words.status]
"Đã duyệt" = "F"
"Đã sửa"   = "C"

[words.sex]
"Nam" = "M"
"Nữ"  = "F"
"""
HEADINGS = (
    "STT;Mã BN;Họ tên;Ngày sinh;Giới;Số mẫu;Mã XN;Tên XN;Kết quả;Đơn vị;Trị số bình thường;Trạng thái;Lấy mẫu;"
    "Trả kết quả;Người duyệt;Ghi chú;Máy"
)
_REST = "{test};{value};{range};{status};26/11/2026 08:05;{at};Đinh Sơn Hải;{note};"
HOA = "{n};BN000123;Nguyễn Thị Hoa;05/03/1980;Nữ;M-0007;" + _REST
AN = "{n};BN000456;Trần Văn An;17/08/1971;Nam;M-0008;" + _REST
HGB, CRP, FILM = "HGB;Hemoglobin", "CRP;CRP", "PHETMAU;Phết máu ngoại vi"

CAME = "20261126110000"


def row(who: str, n: int, test: str, value: str, limits: str = "", **more: str) -> str:
    told = {"status": "Đã duyệt", "at": "26/11/2026 09:30", "note": "", **more}
    return who.format(n=n, test=test, value=value, range=limits, **told)


def table(*rows: str, headings: str = HEADINGS) -> bytes:
    return "\r\n".join([headings, *rows, ""]).encode()


def day() -> bytes:
    """Two people, the rows of one not all together."""
    return table(
        row(HOA, 1, HGB, "13,50;g/dL", "12,0 - 16,0"),
        row(AN, 2, HGB, "9,8;g/dL", "13,0 - 17,0", status="P"),
        row(HOA, 3, CRP, "<5,0;mg/L", "< 5", at="26/11/2026 10:05", note="Đã kiểm tra lại"),
        row(HOA, 4, FILM, "Không thấy tế bào bất thường;"),
    )


def layout(**more: Any) -> Layout:
    return parse_layout({**tomllib.loads(LAYOUT), **more})
