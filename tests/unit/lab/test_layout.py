"""The layout of a table: what a channel may declare, and what is said of a mistake."""

from __future__ import annotations

import re
from typing import Any

import pytest

from mappings.lab.layout import FIELDS, Layout, parse_layout

COLUMNS = {"patient": "Mã BN", "specimen": "Số mẫu", "test": "Mã XN", "value": "Kết quả", "status": "Trạng thái"}


def layout(**more: Any) -> Layout:
    return parse_layout({"columns": COLUMNS, **more})


def test_what_is_not_said_is_usual() -> None:
    found = layout()
    assert (found.shape.form, found.shape.charset, found.shape.delimiter, found.heading) == ("csv", "utf-8", ";", 1)
    assert found.columns["patient"] == "mã bn"


def test_columns_by_number_and_by_letters() -> None:
    numbers = {name: number for number, name in enumerate(COLUMNS, 1)}
    assert parse_layout({"columns": numbers, "heading": 0}).columns["status"] == 4
    letters = dict(zip(COLUMNS, ("1-10", "11-18", "19-24", "25-34", "35-35"), strict=True))
    fixed = parse_layout({"columns": letters, "form": "fixed"})
    assert fixed.shape.columns == ((1, 10), (11, 18), (19, 24), (25, 34), (35, 35))
    assert fixed.heading == 0


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"colums": {}}, "colums: no such setting"),
        ({"form": "xls"}, "form: csv, fixed or xlsx"),
        ({"heading": -1}, "heading:"),
        ({"heading": "1"}, "heading:"),
        ({"decimal": ";"}, "decimal:"),
        ({"charset": "utf-99"}, "charset: utf-99 is not known"),
        ({"delimiter": ";;"}, "delimiter, quote:"),
        ({"delimiter": '"'}, "delimiter, quote:"),
        ({"columns": []}, "columns: a table is expected"),
        ({"columns": {**COLUMNS, "colour": "Màu"}}, "columns.colour: no such field"),
        ({"columns": {**COLUMNS, "unit": 0}}, "columns.unit: a heading, or a number"),
        ({"columns": {**COLUMNS, "unit": True}}, "columns.unit: a heading, or a number"),
        ({"columns": {**COLUMNS, "unit": "kết  quả"}}, "columns: one column cannot mean two things"),
        ({"columns": COLUMNS, "form": "fixed"}, "columns.patient: the letters it takes"),
        ({"columns": {name: text for name, text in COLUMNS.items() if name != "status"}}, "columns.status: missing"),
        ({"columns": {name: text for name, text in COLUMNS.items() if name != "specimen"}}, "columns: one of order"),
        ({"columns": {**COLUMNS, "collected": "Lấy mẫu"}}, "times: missing"),
        ({"times": "%Y"}, "times: a list of forms"),
        ({"times": ["%d/%m"]}, "times: %d/%m has no year"),
        ({"times": ["%Y %"]}, "times: %Y % is no form"),
        ({"always": {"status": "F"}}, "always.status: is a column, too"),
        ({"always": {"flag": "cao"}}, "always.flag: one of"),
        ({"always": {"colour": "đỏ"}}, "always.colour: no such field"),
        ({"always": {"unit": ""}}, "always.unit: a text is expected"),
        ({"words": {"unit": {}}}, "words.unit: only"),
        ({"words": {"status": {"Đã duyệt": "final"}}}, "words.status: word = code"),
        ({"patterns": {"patient": "("}}, "patterns.patient: not a regular expression"),
        ({"patterns": {"colour": "."}}, "patterns.colour: no such field"),
        ({"ignore": [1]}, "ignore: a list of headings"),
        ({"heading": 0, "columns": dict.fromkeys(COLUMNS, "x")}, "columns.patient: a number from 1"),
    ],
)
def test_a_mistake_is_named(more: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        layout(**more)


@pytest.mark.parametrize(
    ("form", "text", "dtm"),
    [
        ("%d/%m/%Y", "05/03/1980", "19800305"),
        ("%d/%m/%Y %H:%M", "26/11/2026 08:05", "202611260805"),
        ("%Y-%m-%dT%H:%M:%S", "2026-11-26T08:05:09", "20261126080509"),
        ("%m/%Y", "03/1980", "198003"),
        ("%Y", "1980", "1980"),
        ("excel", "46352", "20261126"),
        ("excel", "46352.5", "20261126120000"),
    ],
)
def test_times_say_as_much_as_they_said(form: str, text: str, dtm: str) -> None:
    assert layout(times=[form]).time(text) == dtm


@pytest.mark.parametrize("text", ["31/02/2026", "2026-11-26", "hôm qua", "0", "99999999", "1e3"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match="none of the forms"):
        layout(times=["%d/%m/%Y", "excel"]).time(text)


def test_words() -> None:
    found = layout(words={"status": {"Đã duyệt": "F"}})
    assert [found.word("status", text) for text in ("đã DUYỆT", "P", "c")] == ["F", "P", "C"]
    with pytest.raises(ValueError, match=r"words\.status"):
        found.word("status", "xong")


def test_every_field_has_a_place_in_a_message() -> None:
    assert all(re.fullmatch(r"[A-Z0-9]{3}-[0-9]+(\.[0-9])?", place) for place in FIELDS.values())
