"""Lists for people: a table where it fits, paragraphs where it would break words."""

from __future__ import annotations

import pytest
from rich.console import Console

from gateway.cli import output

COLUMNS = ("loại", "mã", "lúc", "chuyện gì — làm gì")
LONG = "Chưa lập được giấy: hồ sơ thiếu nội dung mà mẫu giấy theo luật bắt buộc phải có"
ROWS = [
    ("delivery", "01a21c82-ed5b-7755-870d-efa677bfab85", "27/11/2026 17:17:52", LONG),
    ("message", "01a21c82-ed5a-7702-9fd3-752147b9f2f6", "", "[Errno 5]"),
]


def printed(width: int, monkeypatch: pytest.MonkeyPatch) -> str:
    console = Console(width=width)
    monkeypatch.setattr(output, "console", console)
    with console.capture() as said:
        output.print_table("Hàng lỗi", COLUMNS, ROWS)
    return said.get()


def test_a_table_where_it_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    said = printed(120, monkeypatch)
    assert "┃ loại" in said
    assert "│ delivery │ 01a21c82-ed5b-7755-870d-efa677bfab85 │" in said
    assert "[Errno 5]" in said


@pytest.mark.parametrize("width", [24, 40, 60, 72])
def test_paragraphs_where_a_table_would_break_words(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    said = printed(width, monkeypatch)
    assert "┃" not in said
    assert max(map(len, said.splitlines())) <= width
    assert all(row[1] in "".join(said.split()) for row in ROWS)
    assert f"chuyện gì — làm gì: {LONG}" in " ".join(said.split())
    assert "[Errno 5]" in said
    assert said.count("lúc:") == 1, "what is empty is not told"
