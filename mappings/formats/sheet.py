"""Read a table: one that people made, or one whose form its sender declared.

    read    CSV in UTF-8 or Windows-1258, its cells apart by `;`, `,` or tab, or the first sheet of an XLSX file
    rows    CSV, lines of fixed columns or a sheet of XLSX, exactly as a `Shape` says

Of XLSX only the texts and numbers are read, as they are
stored: no formulas are worked out, no formats applied, nothing outside the file is opened. Old XLS and files with a password
are refused.

Standard: RFC 4180; ECMA-376 Part 1 §18.3 (SpreadsheetML)
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from posixpath import normpath
from typing import Literal

from lxml import etree

from mappings.formats import safe_xml
from mappings.formats.charsets import codec_name, decode
from mappings.formats.faults import SheetUnreadable, XmlRefused

MAX_SIZE = 10 * 1024**2
MAX_PART = 32 * 1024**2
"""Size of one part of an XLSX file when unpacked: a small file may hold a very large one."""
MAX_ROWS = 20_000
MAX_COLUMNS = 200
_ZIP, _OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
_BOM = b"\xef\xbb\xbf"
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\n|\r)|[^\r\n]+")
_BLOCK = 256 * 1024
_LINEWISE = ("utf-8", "ascii", "cp125", "iso8859", "tcvn3", "vni", "viqr")
_CELL = re.compile(r"([A-Z]{1,3})[0-9]{1,7}")
_EXPONENT = 20
_UNZIP = (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, EOFError, ValueError, OSError, KeyError)
"""What zipfile raises for damaged files, passwords (RuntimeError) and unknown methods."""


@dataclass(frozen=True, slots=True)
class Line:
    """One row that has content."""

    number: int
    """As people count: from 1. In CSV, the line of the file in which the row begins."""
    cells: tuple[str, ...]
    """Composed (NFC), without space around."""


def read(data: bytes) -> list[Line]:
    """Give the rows of a table; raise SheetUnreadable."""
    if len(data) > MAX_SIZE:
        raise SheetUnreadable("", f"more than {MAX_SIZE} bytes")
    if data.startswith(_OLE):
        raise SheetUnreadable("", "an old Excel file, or one with a password")
    lines: list[Line] = []
    for number, cells in _xlsx(data) if data.startswith(_ZIP) else _csv(data):
        if len(lines) == MAX_ROWS or len(cells) > MAX_COLUMNS:
            raise SheetUnreadable(f"line {number}", f"more than {MAX_ROWS} rows or {MAX_COLUMNS} columns")
        clean = tuple(unicodedata.normalize("NFC", cell).strip() for cell in cells)
        if any(clean):
            lines.append(Line(number, clean))
    return lines


@dataclass(frozen=True, slots=True)
class Shape:
    """How a table is written, as its sender declares it: nothing is guessed."""

    form: Literal["csv", "fixed", "xlsx"] = "csv"
    charset: str = "utf-8"
    """Of CSV and fixed columns; XLSX says its own."""
    delimiter: str = ";"
    quote: str = '"'
    """Sign around cells that hold a delimiter; empty: none, and no sign has a meaning."""
    sheet: str = ""
    """Name of the sheet of XLSX; empty: the first."""
    columns: tuple[tuple[int, int], ...] = ()
    """Of fixed columns: first and last letter of each, from 1."""


def rows(data: bytes, shape: Shape, most: int) -> Iterator[Line]:
    """Give the rows of a declared table one after the other, `most` at the most; raise SheetUnreadable when it comes to it."""
    count = 0
    for number, cells in _declared(data, shape):
        clean = tuple(unicodedata.normalize("NFC", cell).strip() for cell in cells)
        if not any(clean):
            continue
        count += 1
        if count > most or len(cells) > MAX_COLUMNS:
            raise SheetUnreadable(f"line {number}", f"more than {most} rows or {MAX_COLUMNS} columns")
        yield Line(number, clean)


def _declared(data: bytes, shape: Shape) -> Iterable[tuple[int, list[str]]]:
    if shape.form == "xlsx":
        if not data.startswith(_ZIP):
            raise SheetUnreadable(
                "", "an old Excel file, or one with a password" if data.startswith(_OLE) else "no XLSX"
            )
        return _xlsx(data, shape.sheet)
    if data.startswith((_ZIP, _OLE)):
        raise SheetUnreadable("", f"an Excel file, not {shape.form}")
    lines = _lines(_blocks(data, shape.charset))
    if shape.form == "fixed":
        return _fixed(lines, shape.columns)
    return _delimited(lines, shape.delimiter, shape.quote)


def _blocks(data: bytes, charset: str) -> Iterator[str]:
    """Decode a file piece by piece, each up to the end of a line: as a whole it would be several times as large."""
    start = len(_BOM) if data.startswith(_BOM) else 0
    while start < len(data):
        ends = data.find(b"\n", start + _BLOCK) + 1 if _ends_alike(charset) else 0
        piece = data[start : ends or len(data)]
        try:
            text = decode(piece, charset)
        except UnicodeDecodeError as problem:
            raise SheetUnreadable(f"byte {start + problem.start}", f"not {charset}") from None
        if "\0" in text:
            raise SheetUnreadable("", f"binary content, or not {charset}")
        start += len(piece)
        yield text.rstrip("\x1a") if start == len(data) else text


def _ends_alike(charset: str) -> bool:
    """Tell whether every line ends with the one byte that ends it in ASCII, and begins as the first one does."""
    return (codec_name(charset) or "").startswith(_LINEWISE)


def _lines(texts: Iterable[str]) -> Iterator[str]:
    """Give lines with their ends, whichever of the three these are."""
    for text in texts:
        yield from (found[0] for found in _LINE.finditer(text))


def _fixed(lines: Iterable[str], columns: tuple[tuple[int, int], ...]) -> Iterator[tuple[int, list[str]]]:
    for number, line in enumerate((line.rstrip("\r\n") for line in lines), 1):
        yield number, [line[first - 1 : last] for first, last in columns]


# ---- CSV ----


def _csv(data: bytes) -> Iterator[tuple[int, list[str]]]:
    if b"\0" in data:
        raise SheetUnreadable("", "neither CSV nor XLSX")
    text = _text(data)
    return _delimited(_lines([text.rstrip("\x1a")]), _delimiter(text), '"')


def _delimited(lines: Iterable[str], delimiter: str, quote: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(
        lines,
        delimiter=delimiter,
        quotechar=quote or None,
        quoting=csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE,
        strict=True,
    )
    number = 1
    try:
        for cells in reader:
            yield number, cells
            number = reader.line_num + 1
    except csv.Error:
        raise SheetUnreadable(f"line {number}", "quotation marks do not match, or a cell is too long") from None


def _text(data: bytes) -> str:
    try:
        return data.removeprefix(_BOM).decode("utf-8")
    except UnicodeDecodeError:
        pass
    try:
        return decode(data, "cp1258")
    except UnicodeDecodeError as problem:
        raise SheetUnreadable(f"byte {problem.start}", "neither UTF-8 nor Windows-1258") from None


def _delimiter(text: str) -> str:
    """Give the sign that stands most often in the lines at the top, outside quotation marks."""
    top = re.sub(r'"[^"]*"', "", "\n".join(text.splitlines()[:10]))
    return max(";,\t", key=top.count)


# ---- XLSX ----


def _xlsx(data: bytes, name: str = "") -> Iterator[tuple[int, list[str]]]:
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except _UNZIP:
        raise SheetUnreadable("", "a damaged XLSX file") from None
    with archive:
        sheet = _part(archive, _sheet(archive, name))
        strings = _strings(archive)
        number = 0
        for row in sheet.iterfind("{*}sheetData/{*}row"):
            said = row.get("r", "")
            number = int(said) if said.isascii() and said.isdigit() and len(said) < 8 else number + 1
            yield number, _cells(row, strings, number)


def _sheet(archive: zipfile.ZipFile, name: str) -> str:
    sheets = _part(archive, "xl/workbook.xml").iterfind("{*}sheets/{*}sheet")
    found = next((one for one in sheets if name in ("", one.get("name"))), None)
    wanted = "" if found is None else next((v for k, v in found.attrib.items() if str(k).endswith("}id")), "")
    for relation in _part(archive, "xl/_rels/workbook.xml.rels").iterfind("{*}Relationship"):
        if relation.get("Id") == wanted:
            target = relation.get("Target", "")
            return target.lstrip("/") if target.startswith("/") else normpath(f"xl/{target}")
    raise SheetUnreadable("xl/workbook.xml", "no sheet, or none of that name")


def _strings(archive: zipfile.ZipFile) -> list[str]:
    if "xl/sharedStrings.xml" not in archive.namelist():
        return []
    return [_words(item) for item in _part(archive, "xl/sharedStrings.xml").iterfind("{*}si")]


def _words(item: etree._Element) -> str:
    """Give the text of an item, whole or in runs; how it is read aloud (`rPh`) is no part of it."""
    return "".join(part.text or "" for path in ("{*}t", "{*}r/{*}t") for part in item.iterfind(path))


def _cells(row: etree._Element, strings: list[str], number: int) -> list[str]:
    cells: list[str] = []
    for cell in row.iterfind("{*}c"):
        place = _CELL.fullmatch(cell.get("r", ""))
        column = _column(place[1]) if place else len(cells)
        if column >= MAX_COLUMNS:
            if cell.find("{*}v") is None and cell.find("{*}is") is None:
                continue  # painted, and empty
            raise SheetUnreadable(f"line {number}", f"more than {MAX_COLUMNS} columns")
        if column < len(cells):
            raise SheetUnreadable(f"line {number}", "cells out of order")
        cells += [""] * (column - len(cells))
        cells.append(_value(cell, strings, number))
    return cells


def _column(letters: str) -> int:
    """Give the index of a column: A is 0, AA is 26."""
    index = 0
    for letter in letters:
        index = index * 26 + ord(letter) - 64
    return index - 1


def _value(cell: etree._Element, strings: list[str], number: int) -> str:
    kind = cell.get("t", "n")
    if kind == "inlineStr":
        inline = cell.find("{*}is")
        return "" if inline is None else _words(inline)
    value = cell.findtext("{*}v") or ""
    if kind == "s":
        if not (value.isascii() and value.isdigit() and len(value) < 8 and int(value) < len(strings)):
            raise SheetUnreadable(f"line {number}", "a text that is not in the file")
        return strings[int(value)]
    return _plain(value) if kind == "n" else value


def _plain(value: str) -> str:
    """Write a number without exponent and without a fraction that is zero: 1.085E+9 is 1085000000."""
    try:
        number = Decimal(value.strip())
    except InvalidOperation:
        return value
    if not number.is_finite() or abs(number.adjusted()) > _EXPONENT:
        return value
    return f"{number.to_integral_value() if number == number.to_integral_value() else number:f}"


def _part(archive: zipfile.ZipFile, name: str) -> etree._Element:
    try:
        with archive.open(name) as stream:
            data = stream.read(MAX_PART + 1)
    except _UNZIP:
        raise SheetUnreadable("", "a damaged XLSX file, or one with a password") from None
    try:
        return safe_xml.parse(data, max_size=MAX_PART)
    except XmlRefused as problem:
        raise SheetUnreadable("", problem.detail) from None
