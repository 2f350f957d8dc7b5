"""The reports of `lienthong bhyt check` in files: an HTML page for small screens and paper, without a script, and a workbook.

Findings are laid aside as they come, since what stands at the top is known at the end. Nothing of a record but its MA_LK.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import IO

from gateway.cli.bhyt_check_run import Checked
from gateway.cli.xlsx_file import MOST_ROWS, Workbook
from gateway.text import Language, text
from mappings.bhyt.rules import RULES
from mappings.bhyt.rules import texts as rule_texts

Line = tuple[str, str, str, int, str, str, str, str, str]
"""File, record, table, row, field, rule, severity, class of value, text."""

WORDS: dict[Language, dict[str, str]] = {
    "vi": {
        "title": "Kiểm tra dữ liệu BHYT",
        "findings": "Kết quả",
        "rules": "Theo quy tắc",
        "columns": "tệp|hồ sơ|bảng|dòng|trường|quy tắc|mức|giá trị|sai ở đâu — làm gì",
        "by_rule": "quy tắc|mức|số lần|sai ở đâu — làm gì",
        "blocks": "chặn",
        "warns": "lưu ý",
        "fault": "không đọc được",
        "summary": "{records} hồ sơ: {clean} sạch, {blocked} bị chặn, {warned} chỉ có lưu ý; {faults} lỗi đọc",
        "not_run": "Không chạy vì thiếu danh mục: {lists}",
        "cut": "Chỉ {n} dòng đầu nằm trong trang tính này",
        "clean": "Không có phát hiện nào.",
    },
    "en": {
        "title": "Check of insurance data",
        "findings": "Findings",
        "rules": "By rule",
        "columns": "file|record|table|row|field|rule|severity|value|what is wrong — what to do",
        "by_rule": "rule|severity|times|what is wrong — what to do",
        "blocks": "blocks",
        "warns": "warns",
        "fault": "unreadable",
        "summary": "{records} records: {clean} clean, {blocked} blocked, {warned} with warnings only; {faults} unreadable",
        "not_run": "Not run, for want of lists: {lists}",
        "cut": "Only the first {n} lines are in this sheet",
        "clean": "Nothing was found.",
    },
}


@dataclass
class Totals:
    """What the run counted."""

    records: int = 0
    blocked: int = 0
    warned: int = 0
    faults: int = 0
    rules: Counter[str] = field(default_factory=Counter)

    def count(self, checked: Checked) -> None:
        if checked.fault:
            self.faults += 1
            return
        self.records += 1
        if any(finding.severity == "blocks" for finding in checked.findings):
            self.blocked += 1
        elif checked.findings:
            self.warned += 1
        self.rules.update(finding.rule for finding in checked.findings)

    def said(self, language: Language) -> str:
        clean = self.records - self.blocked - self.warned
        counts = {"records": self.records, "blocked": self.blocked, "warned": self.warned, "faults": self.faults}
        return WORDS[language]["summary"].format(clean=clean, **counts)


def lines_of(checked: Checked, name: str, language: Language) -> Iterator[Line]:
    """Yield the lines of a record as reports show them."""
    words = WORDS[language]
    if checked.fault:
        code, where, detail = checked.fault
        said = f"{text(code, language)} [{' '.join(part for part in (where, detail) if part)}]"
        yield name, checked.record, "", 0, "", f"LT{code:04d}", words["fault"], "", said
    for one in checked.findings:
        value = rule_texts.value(one.value, language)
        said = rule_texts.text(one.rule, language)
        yield name, checked.record, one.table, one.row, one.field, one.rule, words[one.severity], value, said


class Aside:
    """Lines that are laid aside on disk, outside any folder others can read, and gone when this is closed."""

    def __init__(self) -> None:
        self._file: IO[str] = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115  # closed by close()

    def add(self, line: Line) -> None:
        self._file.write(json.dumps(line, ensure_ascii=False) + "\n")

    def __iter__(self) -> Iterator[Line]:
        self._file.seek(0)
        for line in self._file:
            yield tuple(json.loads(line))

    def close(self) -> None:
        self._file.close()


def write_html(path: Path, lines: Aside, totals: Totals, absent: list[str], language: Language) -> None:
    """Write the page; on a small screen every line becomes a card, on paper the head stands on every page."""
    words = WORDS[language]
    columns = words["columns"].split("|")
    with path.open("w", encoding="utf-8") as out:
        out.write(
            f'<!doctype html>\n<html lang="{language}"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{escape(words['title'])}</title><style>{_STYLE}</style></head>\n"
            f"<body><h1>{escape(words['title'])}</h1><p>{escape(totals.said(language))}</p>\n"
        )
        if absent:
            out.write(f"<p>{escape(words['not_run'].format(lists=', '.join(absent)))}</p>\n")
        if not totals.rules and not totals.faults:
            out.write(f"<p>{escape(words['clean'])}</p>\n")
        else:
            out.write(f"<h2>{escape(words['rules'])}</h2>\n")
            _html_table(
                out, words["by_rule"].split("|"), ([str(cell) for cell in row] for row in by_rule(totals, language))
            )
            out.write(f"<h2>{escape(words['findings'])}</h2>\n")
            rows = ([str(cell) if place != 3 or cell else "" for place, cell in enumerate(line)] for line in lines)
            _html_table(out, columns, rows)
        out.write("</body></html>\n")


def by_rule(totals: Totals, language: Language) -> Iterator[tuple[str, str, int, str]]:
    """Yield the rules that found something, the most frequent first."""
    for rule, times in totals.rules.most_common():
        yield rule, WORDS[language][RULES[rule].severity], times, rule_texts.text(rule, language)


def _html_table(out: IO[str], columns: list[str], rows: Iterator[list[str]]) -> None:
    heads = "".join(f"<th>{escape(column)}</th>" for column in columns)
    out.write(f"<table><thead><tr>{heads}</tr></thead><tbody>\n")
    for row in rows:
        cells = "".join(
            f'<td data-of="{escape(column)}">{escape(cell)}</td>' for column, cell in zip(columns, row, strict=True)
        )
        out.write(f"<tr>{cells}</tr>\n")
    out.write("</tbody></table>\n")


_STYLE = (
    "body{font:15px/1.4 system-ui,sans-serif;margin:1rem;color:#111;background:#fff}table{border-collapse:collapse;width:100%}"
    "th,td{border:1px solid #bbb;padding:.25rem .4rem;text-align:left;vertical-align:top;overflow-wrap:anywhere}"
    "th{background:#eee}h1{font-size:1.3rem}h2{font-size:1.1rem}tr{break-inside:avoid}thead{display:table-header-group}"
    "@media(min-width:1001px){td:first-child{min-width:11em}th,td:not(:first-child):not(:last-child){overflow-wrap:normal;white-space:nowrap}}"
    "@media(max-width:1000px){thead{display:none}tr{display:block;border:1px solid #bbb;margin:.5rem 0}"
    "td{display:block;border:0}td:empty{display:none}td::before{content:attr(data-of)': ';color:#555}}"
    "@media print{body{margin:0;font-size:10px}}"
)


def write_xlsx(path: Path, lines: Aside, totals: Totals, absent: list[str], language: Language) -> None:
    """Write the workbook: the findings, then how often each rule found something."""
    words = WORDS[language]
    widths = (30, 22, 8, 7, 22, 10, 9, 16, 80)
    found = totals.rules.total() + totals.faults
    summary: list[tuple[str | int, ...]] = [(totals.said(language), "", "", "")]
    if absent:
        summary.append((words["not_run"].format(lists=", ".join(absent)), "", "", ""))
    if found > MOST_ROWS:
        summary.append((words["cut"].format(n=MOST_ROWS), "", "", ""))
    with Workbook(path) as book:
        book.sheet(words["findings"], list(zip(words["columns"].split("|"), widths, strict=True)), iter(lines))
        heads = list(zip(words["by_rule"].split("|"), (12, 9, 9, 100), strict=True))
        book.sheet(words["rules"], heads, [*summary, *by_rule(totals, language)])
