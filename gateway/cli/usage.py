"""What the library of commands says by itself, headings of help and wrong usage, in Vietnamese. Says nothing about faults.

What it is not known to say stays as it is, in English: a new version of the library may say more.
"""

from __future__ import annotations

import re
from typing import Any

from typer import rich_utils
from typer.core import TyperCommand, TyperGroup

_HEADINGS = {
    "ARGUMENTS_PANEL_TITLE": "Tham số",
    "OPTIONS_PANEL_TITLE": "Tùy chọn",
    "COMMANDS_PANEL_TITLE": "Lệnh",
    "ERRORS_PANEL_TITLE": "Dùng sai",
    "ABORTED_TEXT": "Đã dừng.",
    "DEFAULT_STRING": "[mặc định: {}]",
    "ENVVAR_STRING": "[biến môi trường: {}]",
    "REQUIRED_LONG_STRING": "[bắt buộc]",
    "RICH_HELP": "Xem thêm: [blue]{command_path} {help_option}[/]",
}
_ADDED = {
    "install_completion": "Cài gợi ý lệnh khi bấm Tab cho shell đang dùng.",
    "show_completion": "In đoạn gợi ý lệnh của shell đang dùng, để tự chép vào cấu hình của nó.",
}
"""Options that typer adds to the program by itself → what they do."""
_KINDS = {"path": "đường dẫn", "file": "tệp", "directory": "thư mục", "option": "tùy chọn", "argument": "tham số"}
_SAYINGS = [
    (re.compile(english), vietnamese)
    for english, vietnamese in (
        (r"Invalid value for (.+?): (?=\S)", r"Giá trị sai ở \1: "),
        (r"Invalid value: ", "Giá trị sai: "),
        (r"Missing (option|argument) (.+)\.$", r"Thiếu {1} \2."),
        (r"Missing command\.", "Thiếu tên lệnh."),
        (r"No such command (.+?)\.(?=$| )", r"Không có lệnh \1."),
        (r"No such option: (\S+)", r"Không có tùy chọn \1."),
        (r"\(Possible options: (.+)\)", r"Gần giống: \1."),
        (r"Did you mean (.+)\?", r"Gần giống: \1."),
        (r"Got unexpected extra argument\(s\) \((.+)\)", r"Thừa tham số: \1"),
        (r"Option (\S+) requires an argument\.", r"Tùy chọn \1 cần một giá trị."),
        (r"Option (\S+) requires (\d+) arguments\.", r"Tùy chọn \1 cần \2 giá trị."),
        (r"Option (\S+) does not take a value\.", r"Tùy chọn \1 không nhận giá trị."),
        (r"Argument (\S+) takes (\d+) values\.", r"Tham số \1 cần \2 giá trị."),
        (r"(?i)(path|file|directory) ('.*') does not exist\.", r"không có {1} \2."),
        (r"(?i)(path|file|directory) ('.*') is a file\.", r"\2 là tệp, cần thư mục."),
        (r"(?i)(path|file|directory) ('.*') is a directory\.", r"\2 là thư mục, cần tệp."),
        (r"(?i)(path|file|directory) ('.*') is not readable\.", r"không có quyền đọc \2."),
        (r"Input should be a valid integer.*", "phải là số nguyên."),
        (r"Input should be a valid number.*", "phải là số."),
        (r"Input should be a valid (?:date|datetime).*", "phải là ngày dạng 2026-11-27."),
        (r"Input should be greater than or equal to (\S+)", r"phải từ \1 trở lên."),
        (r"Input should be less than or equal to (\S+)", r"phải không quá \1."),
        (
            r"(?s)Value error, ('.*') does not match the formats '%Y-%m-%d', '%d/%m/%Y'\.",
            r"\1 không phải ngày; viết như 2026-11-27, 27/11/2026.",
        ),
        (r"Input should be ('.*)", r"phải là một trong: \1"),
        (r"(?i)(path|file|directory) ('.*') is not writable\.", r"không có quyền ghi \2."),
    )
]


_context: Any = TyperCommand.context_class
_formatter: Any = _context.formatter_class
_print_problem: Any = rich_utils.rich_format_error
_help_option: Any = TyperCommand.get_help_option


class _Formatter(_formatter):  # type: ignore[misc]  # the library shows its class nowhere else
    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        super().write_usage(prog, args, prefix if prefix is not None else "Cách dùng: ")


def speak_vietnamese() -> None:
    """Let headings of help and wrong usage be told in Vietnamese from now on."""
    for name, words in _HEADINGS.items():
        setattr(rich_utils, name, words)
    for kind in (TyperCommand, TyperGroup):
        setattr(kind, _help_option.__name__, _told_help_option)
    setattr(rich_utils, _print_problem.__name__, _tell)
    _context.formatter_class = _Formatter


def _told_help_option(command: Any, context: Any) -> Any:
    option = _help_option(command, context)
    if option is not None:
        option.help = "In phần trợ giúp này rồi thôi."
    for one in command.params:
        if one.name in _ADDED:
            one.help = _ADDED[one.name]
    return option


def _tell(problem: Any) -> None:
    said = in_vietnamese(problem.format_message())
    problem.format_message = lambda: said
    _print_problem(problem)


def in_vietnamese(said: str) -> str:
    """Give what was wrong about the usage in Vietnamese, as far as it is known."""
    for english, vietnamese in _SAYINGS:
        found = english.search(said)
        if found:
            kind = _KINDS.get(found[1].lower(), found[1]) if english.groups else ""
            said = english.sub(vietnamese.replace("{1}", kind), said)
    return said
