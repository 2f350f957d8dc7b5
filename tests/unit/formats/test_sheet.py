"""Tables that people made, and files that only look like one."""

from __future__ import annotations

import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.formats import sheet
from mappings.formats.charsets import encode
from mappings.formats.faults import SheetUnreadable
from mappings.formats.sheet import read
from tests.unit.formats.sheets import MAIN, archive, parts, xlsx

ROWS = [["Mã", "Họ và tên", "Ghi chú"], ["NV1", "Nguyễn Thị Hòa", ""], ["NV2", "Đỗ Quốc Ưng", "a; b, c"]]


def cells(data: bytes) -> list[list[str]]:
    return [list(line.cells) for line in read(data)]


@pytest.mark.parametrize("charset", ["utf-8", "utf-8-sig", "cp1258"])
@pytest.mark.parametrize("delimiter", [";", ",", "\t"])
def test_csv(charset: str, delimiter: str) -> None:
    text = "\r\n".join(delimiter.join(f'"{cell}"' if ";" in cell else cell for cell in row) for row in ROWS) + "\r\n"
    data = encode(text, charset) if charset == "cp1258" else text.encode(charset)
    assert cells(data) == ROWS


def test_lines_are_counted_as_people_count() -> None:
    lines = read('\n\na;b\n"một\nhai";3\n\n;;\nx;y'.encode())
    assert [(line.number, line.cells) for line in lines] == [
        (3, ("a", "b")),
        (4, ("một\nhai", "3")),
        (8, ("x", "y")),
    ]


def test_texts_are_composed() -> None:
    assert cells("Ho\u0300a ; x".encode()) == [["Hòa", "x"]]


def test_xlsx() -> None:
    assert cells(xlsx(ROWS)) == [
        ["Mã", "Họ và tên", "Ghi chú"],
        ["NV1", "Nguyễn Thị Hòa"],
        ["NV2", "Đỗ Quốc Ưng", "a; b, c"],
    ]


def test_kinds_of_cells() -> None:
    row = (
        '<row r="4"><c r="A4" t="inlineStr"><is><r><t>Nguyễn </t></r><r><t>An</t></r></is></c>'
        '<c r="C4"><v>1.085E+9</v></c><c r="D4"><v>12.50</v></c><c r="E4" t="str"><f>A1</f><v>x</v></c>'
        '<c r="F4" t="b"><v>1</v></c><c r="G4"/><c r="H4" t="s"><v>0</v></c><c r="I4"><v>1E+400</v></c></row>'
    )
    strings = "<si><r><t>a</t></r><r><t>b</t></r><rPh><t>đọc</t></rPh></si>"
    (line,) = read(archive(parts(row, strings)))
    assert line.number == 4
    assert line.cells == ("Nguyễn An", "", "1085000000", "12.50", "x", "1", "", "ab", "1E+400")


def test_the_first_sheet_is_found_by_its_relation() -> None:
    content = parts('<row><c t="inlineStr"><is><t>a</t></is></c></row>', target="/xl/worksheets/so-mot.xml")
    content["xl/worksheets/so-mot.xml"] = content.pop("xl/worksheets/sheet1.xml")
    assert cells(archive(content)) == [["a"]]


def test_painted_cells_far_away_are_no_content() -> None:
    assert cells(archive(parts('<row r="1"><c r="A1"><v>1</v></c><c r="XFD1" s="3"/></row>'))) == [["1"]]


ENTITIES = f'<!DOCTYPE w [<!ENTITY a "b">]><worksheet xmlns="{MAIN}"><sheetData/></worksheet>'
MANY = "<row/>" * 3 + "".join(f'<row><c r="A{n}"><v>{n}</v></c></row>' for n in range(1, sheet.MAX_ROWS + 2))


def with_password(data: bytes) -> bytes:
    """Set the flag of an encrypted part in every header."""
    changed = bytearray(data)
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = changed.find(signature)
        while at >= 0:
            changed[at + offset] |= 1
            at = changed.find(signature, at + 1)
    return bytes(changed)


HOSTILE = {
    "old Excel": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600),
    "a picture": b"\x89PNG\r\n\x1a\n\0\0\0",
    "a cut zip": xlsx(ROWS)[:300],
    "a zip of something else": archive({"a.txt": "b"}),
    "no sheet": archive(parts("") | {"xl/_rels/workbook.xml.rels": '<Relationships xmlns="x"/>'}),
    "a sheet outside": archive(parts("", target="../../etc/passwd")),
    "a sheet on the network": archive(parts("", target="http://127.0.0.1/sheet1.xml")),
    "a DTD": archive(parts("") | {"xl/worksheets/sheet1.xml": ENTITIES}),
    "not XML": archive(parts("") | {"xl/worksheets/sheet1.xml": "<a"}),
    "a password": with_password(xlsx(ROWS)),
    "a bomb": archive(parts("") | {"xl/worksheets/sheet1.xml": b" " * (sheet.MAX_PART + 10)}),
    "a bomb of strings": archive(parts("") | {"xl/sharedStrings.xml": b" " * (sheet.MAX_PART + 10)}),
    "too many rows": archive(parts(MANY)),
    "too many columns": archive(parts('<row r="1"><c r="XFD1"><v>1</v></c></row>')),
    "a text that is not there": archive(parts('<row><c t="s"><v>7</v></c></row>', "<si><t>a</t></si>")),
    "a negative text": archive(parts('<row><c t="s"><v>-1</v></c></row>', "<si><t>a</t></si>")),
    "cells backwards": archive(parts('<row><c r="B1"><v>1</v></c><c r="A1"><v>1</v></c></row>')),
    "an open quotation mark": b'a;b\n"c;d\n',
    "a long cell": b"a;" + b"x" * 200_000,
    "many columns": b";" * 300,
    "no Vietnamese charset": b"\xd2\xff\xfe\x81\x8d;a",
    "a very large file": b"a;b\n" * (sheet.MAX_SIZE // 4 + 1),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_refused(name: str) -> None:
    with pytest.raises(SheetUnreadable) as caught:
        read(HOSTILE[name])
    assert "NV1" not in str(caught.value)


@given(st.binary(max_size=300) | st.binary(max_size=300).map(lambda tail: b"PK\x03\x04" + tail))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        read(data)
    except SheetUnreadable:
        pass


@given(st.data())
def test_a_spoilt_file_is_read_or_refused(data: st.DataObject) -> None:
    spoilt = bytearray(xlsx(ROWS))
    for _ in range(data.draw(st.integers(1, 6))):
        spoilt[data.draw(st.integers(0, len(spoilt) - 1))] = data.draw(st.integers(0, 255))
    try:
        read(bytes(spoilt))
    except SheetUnreadable:
        pass


def test_a_good_file_is_a_zip_that_others_read() -> None:
    with zipfile.ZipFile(io.BytesIO(xlsx(ROWS))) as file:
        assert file.testzip() is None
