"""A table taken apart into reports; rows and files that do not fit."""

from __future__ import annotations

from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.formats.faults import Fault, SheetUnreadable
from mappings.lab.faults import CellMissing, HeadingsDiffer, RowShifted, RowsInvalid, TableEmpty
from mappings.lab.rows import Row, is_rows, join_rows, read_rows, split_reports
from tests.unit.formats.sheets import xlsx
from tests.unit.lab.tables import AN, CAME, CRP, HEADINGS, HGB, HOA, day, layout, row, table

_WORDS = st.text('aĐ"\\\n\0#1;\U0001f9ea', max_size=5)
_CELLS = st.dictionaries(_WORDS.filter(bool), _WORDS, min_size=1, max_size=4)


def numbers(data: bytes, **more: object) -> list[tuple[str, list[int], type[Fault] | None]]:
    return [
        (one.patient, [found.number for found in read_rows(one.body)[0]], type(one.fault) if one.fault else None)
        for one in split_reports(data, layout(**more), CAME)
    ]


def test_rows_of_one_report_come_together() -> None:
    assert numbers(day()) == [("BN000123", [2, 4, 5], None), ("BN000456", [3], None)]


def test_cells_are_kept_as_they_were_written() -> None:
    first = read_rows(next(split_reports(day(), layout(), CAME)).body)[0][0]
    assert first.cells["Kết quả"] == "13,50"
    assert first.cells["STT"] == "1"
    assert "Ghi chú" not in first.cells


def test_an_xlsx_of_the_same() -> None:
    cells = [line.split(";") for line in day().decode().splitlines()]
    assert numbers(xlsx(cells), form="xlsx") == numbers(day())


def test_fixed_columns() -> None:
    columns = {"patient": "1-8", "specimen": "9-14", "test": "15-20", "value": "21-28", "status": "29-29"}
    data = b"BN000123M-0007HGB   13.50   F\r\nBN000123M-0007CRP   5       F\nBN000456M-0008HGB   9.8     P"
    found = numbers(data, form="fixed", columns=columns, decimal=".", ignore=[], always={}, words={}, times=[])
    assert found == [("BN000123", [1, 2], None), ("BN000456", [3], None)]


def test_columns_by_number() -> None:
    columns = {"patient": 1, "specimen": 2, "test": 3, "value": 4, "status": 5}
    found = list(split_reports(b"BN1;M1;HGB;13;F;x", layout(heading=0, columns=columns, ignore=[], always={}), CAME))
    assert read_rows(found[0].body)[0] == (
        Row(1, {"#1": "BN1", "#2": "M1", "#3": "HGB", "#4": "13", "#5": "F", "#6": "x"}),
    )


@pytest.mark.parametrize("charset", ["utf-8", "cp1258", "utf-16", "tcvn3"])
def test_charsets(charset: str) -> None:
    from mappings.formats.charsets import encode

    text = day().decode()
    data = encode(text, charset) if charset in ("cp1258", "tcvn3") else text.encode(charset)
    if charset == "tcvn3":
        text = text.replace("Ữ", "ữ")
    assert numbers(data, charset=charset) == numbers(day())


def test_a_shifted_row_is_a_report_of_its_own_with_its_fault() -> None:
    data = table(row(HOA, 1, HGB, "13,50;g/dL"), row(HOA, 2, CRP, "<5;0;mg/L", note="a;b"), row(AN, 3, HGB, "9;g/dL"))
    assert numbers(data) == [("BN000123", [2], None), ("", [3], RowShifted), ("BN000456", [4], None)]


def test_a_line_that_is_cut_off_is_not_taken_for_a_row() -> None:
    whole = table(row(HOA, 1, HGB, "13,50;g/dL"), row(AN, 2, HGB, "9,8;g/dL"))
    assert numbers(whole[: whole.rindex(b";26/11")]) == [("BN000123", [2], None), ("", [3], RowShifted)]


@pytest.mark.parametrize("empty", ["BN000123", "HGB"])
def test_a_row_without_person_or_test(empty: str) -> None:
    data = table(row(HOA, 1, HGB, "13,50;g/dL").replace(empty, ""), row(AN, 2, HGB, "9;g/dL"))
    assert numbers(data) == [("", [2], CellMissing), ("BN000456", [3], None)]


@pytest.mark.parametrize(
    ("data", "fault", "where"),
    [
        (b"", HeadingsDiffer, "line 1"),
        (HEADINGS.encode(), TableEmpty, "line 2"),
        (HEADINGS.replace("Mã XN;", "").encode(), HeadingsDiffer, "line 1"),
        (HEADINGS.replace("Mã XN", "Mã BN").encode(), HeadingsDiffer, "line 1"),
        (b"\r\n" + day(), HeadingsDiffer, "line 1"),
        (day()[:-2] + b'"\r\n', SheetUnreadable, "line 5"),
        (day().decode().encode("cp1258", "replace"), SheetUnreadable, "byte 14"),
        (b"PK\x03\x04" + day(), SheetUnreadable, ""),
        (b"\xd0\xcf\x11\xe0" + day(), SheetUnreadable, ""),
        (b"\0" * 100, SheetUnreadable, ""),
        (b"MSH|^~\\&|LIS", HeadingsDiffer, "line 1"),
    ],
)
def test_files_of_which_nothing_can_be_believed(data: bytes, fault: type[Fault], where: str) -> None:
    with pytest.raises(fault) as raised:
        list(split_reports(data, layout(), CAME))
    assert raised.value.where == where
    assert "BN000123" not in str(raised.value)


def test_the_same_report_in_another_file_has_the_same_digest() -> None:
    one, other = (
        next(split_reports(data, layout(), CAME)) for data in (day(), table("", "", *day().decode().split("\r\n")[1:]))
    )
    assert one.digest == other.digest
    assert one.body != other.body
    changed = next(split_reports(day().replace(b"13,50", b"13,51"), layout(), CAME))
    assert changed.digest != one.digest


@given(st.lists(st.tuples(st.integers(1, 9), _CELLS), min_size=1, max_size=4))
def test_bodies_come_back(rows: list[tuple[int, dict[str, str]]]) -> None:
    made = tuple(Row(number, cells) for number, cells in rows)
    body = join_rows(made, CAME)
    assert is_rows(body)
    assert read_rows(body)[0] == made


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b'{"results":[],"came":""}',
        b'{"results":[[1]],"came":""}',
        b'{"results":[[1,{"a":2}]],"came":""}',
        b'{"results":[[1,{"a":"2"}]]}',
        b'{"results":[[1,{"a"',
        b'{"results":7}',
    ],
)
def test_what_is_no_body(body: bytes) -> None:
    with pytest.raises(RowsInvalid):
        read_rows(body)


@given(st.binary(max_size=400), st.integers(0, 400))
def test_whatever_comes_is_reports_or_a_fault(junk: bytes, at: int) -> None:
    data = day()[:at] + junk + day()[at:]
    try:
        found = list(split_reports(data, layout(), CAME))
    except Fault:
        return
    kept = list(chain.from_iterable(read_rows(one.body)[0] for one in found))
    assert len({one.number for one in kept}) == len(kept)
