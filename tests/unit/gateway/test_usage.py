"""Wrong usage is told in Vietnamese, whatever way of being wrong the library of commands knows."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.site import cli

HERE = str(Path(__file__).parent)
WRONG = {
    "nothing": ([], "Cách dùng"),
    "an unknown command": (["nope"], "Không có lệnh 'nope'."),
    "a command misspelt": (["serv"], "Gần giống: 'serve'"),
    "an unknown option": (["bhyt", "check", "--nope", HERE], "Không có tùy chọn --nope."),
    "an option misspelt": (["bhyt", "check", "--jsn", HERE], "Gần giống: --json"),
    "no file": (["bhyt", "check"], "Thiếu tham số 'TỆP'."),
    "no option": (["verify", __file__], "Thiếu tùy chọn '--trust'."),
    "a file that is not there": (
        ["bhyt", "check", "/nonexistent"],
        "Giá trị sai ở 'TỆP': không có đường dẫn '/nonexistent'.",
    ),
    "a folder for a file": (["verify", "--trust", HERE, HERE], "là thư mục, cần tệp."),
    "an option without its value": (["verify", __file__, "--trust"], "Tùy chọn '--trust' cần một giá trị."),
    "a value for a switch": (["bhyt", "check", "--json=1", HERE], "Tùy chọn '--json' không nhận giá trị."),
    "too much": (["nodes", "a", "b"], "Thừa tham số: a b"),
    "a day that is none": (["report", "completeness", "--day", "2026-13-45"], "'2026-13-45' không phải ngày; viết như"),
    "a number that is none": (["messages", "list", "--limit", "x"], "phải là số nguyên"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_usage(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    arguments, expected = WRONG[name]
    done = cli(*arguments)
    assert done.returncode == 2
    said = " ".join((done.stdout + done.stderr).split())
    assert expected in said
    assert "Usage:" not in said
    assert "Invalid" not in said


@pytest.mark.parametrize("command", [(), ("bhyt",), ("bhyt", "check")], ids=["the program", "a group", "a command"])
def test_help_speaks_vietnamese(command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    said = cli(*command, "--help").stdout
    assert "In phần trợ giúp này rồi thôi." in said
    assert "Show this message" not in said
    assert "completion for" not in said
