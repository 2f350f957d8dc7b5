"""Take a table of results apart into reports, and write a report as the body of a message.

A report is the rows that have patient, order, specimen and panel alike, wherever they stand in the file. Its body keeps every
cell under its heading, as it was written: what a column means is looked up when the report is mapped, so that a corrected
layout makes a better version of the same bytes. Rows that do not fit the table are a report of their own, with the fault.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import msgspec

from mappings.formats import json, sheet
from mappings.formats.faults import Fault
from mappings.lab.faults import CellMissing, HeadingsDiffer, RowShifted, RowsInvalid, TableEmpty
from mappings.lab.layout import REPORT, Layout, heading_key

MOST = 1_000_000
"""Rows of one file."""
_MARK = b'{"results":'
_LATE = ("patient", "test")
"""What a row cannot be without, so that it is of a report at all."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table."""

    number: int
    """As people count the lines of the file: from 1."""
    cells: Mapping[str, str]
    """Heading, or `#3` in a table without headings → what stands there; empty cells are left out."""


@dataclass(frozen=True, slots=True)
class Report:
    """Rows that make one message."""

    body: bytes
    """What `read_rows` reads."""
    patient: str
    """The number of the person, as it stands there; orders what is about one person."""
    digest: str
    """Of what its rows say, wherever in the file they stand: the same report in tomorrow's file has the same."""
    fault: Fault | None = None
    """Why it cannot be mapped, whatever the layout says of its columns."""


def split_reports(data: bytes, layout: Layout, came: str) -> Iterator[Report]:
    """Give the reports of a file, in the order of their first rows; `came` (DTM) is when it did.

    Raises SheetUnreadable, HeadingsDiffer and TableEmpty before it gives any: then nothing of the file can be believed. The
    file is read twice, so that only rows are held whose report has not ended: beside the file that is four bytes for each row,
    some hundred for each report.
    """
    of, left = _survey(data, layout)
    begun: dict[int, _Begun] = {}
    for number, (row, said, fault) in zip(of, _read(data, layout), strict=True):
        report = begun.setdefault(number, _Begun("" if fault else said.get("patient", ""), fault))
        report.rows.append(_encoded(row))
        left[number] -= 1
        while begun and not left[first := next(iter(begun))]:
            yield begun.pop(first).ended(came)


def _survey(data: bytes, layout: Layout) -> tuple[array[int], array[int]]:
    """Tell of each row which report it is of, by number, and of each report how many rows it has."""
    keys = [name for name in REPORT if name in layout.columns]
    known: dict[bytes, int] = {}
    of, rows = array("I"), array("I")
    for _, said, fault in _read(data, layout):
        new = len(rows)
        number = new if fault else known.setdefault(_digest(json.dumps([said[name] for name in keys])), new)
        if number == new:
            rows.append(0)
        rows[number] += 1
        of.append(number)
    if not of:
        raise TableEmpty(f"line {layout.heading + 1}")
    return of, rows


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=16).digest()


def _read(data: bytes, layout: Layout) -> Iterator[tuple[Row, Mapping[str, str], Fault | None]]:
    """Give each row, what it says of each field, and why it fits no report."""
    lines = sheet.rows(data, layout.shape, MOST)
    labels, lines = _labels(lines, layout)
    names = {name: labels.called(column) for name, column in layout.columns.items()}
    for line in lines:
        row = _row(line, labels)
        said = {**layout.always, **{name: row.cells.get(label, "") for name, label in names.items()}}
        yield row, said, _fault(line, said, labels, layout.shape.form)


@dataclass(slots=True)
class _Begun:
    """A report whose rows have not all been read."""

    patient: str
    fault: Fault | None
    rows: list[bytes] = field(default_factory=list)

    def ended(self, came: str) -> Report:
        digest = hashlib.sha256(b"\n".join(row[row.index(b",") :] for row in self.rows)).hexdigest()
        return Report(_joined(self.rows, came), self.patient, digest, self.fault)


def join_rows(rows: Sequence[Row], came: str) -> bytes:
    """Write the body of a report."""
    return _joined([_encoded(row) for row in rows], came)


def is_rows(raw: bytes) -> bool:
    """Tell whether bytes are the body of a report, which no other content of a source begins like."""
    return raw.startswith(_MARK)


@lru_cache(maxsize=4)
def read_rows(raw: bytes) -> tuple[tuple[Row, ...], str]:
    """Read the body of a report: its rows, and when it came; raise RowsInvalid. Whoever maps it asks more than once."""
    try:
        told = _BODY.decode(raw)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        raise RowsInvalid("/") from None
    if not told.results:
        raise RowsInvalid("/")
    return tuple(Row(number, cells) for number, cells in told.results), told.came


class _Body(msgspec.Struct):
    """The body of a report, as `_joined` writes it."""

    results: list[tuple[int, dict[str, str]]]
    came: str


_BODY = msgspec.json.Decoder(_Body)


def _encoded(row: Row) -> bytes:
    return json.dumps([row.number, dict(row.cells)])


def _joined(rows: Sequence[bytes], came: str) -> bytes:
    return _MARK + b"[" + b",".join(rows) + b'],"came":' + json.dumps(came) + b"}"


@dataclass(frozen=True, slots=True)
class _Labels:
    """What the columns of this file are called."""

    headings: tuple[str, ...]
    """As written; empty where the table has none."""
    columns: Mapping[str, int]
    """Heading as it is compared → index."""

    def of(self, index: int) -> str:
        return self.headings[index] if index < len(self.headings) and self.headings[index] else f"#{index + 1}"

    def called(self, column: str | int) -> str:
        return self.of(self.columns[column] if isinstance(column, str) else column)


def _labels(lines: Iterator[sheet.Line], layout: Layout) -> tuple[_Labels, Iterator[sheet.Line]]:
    """Read the line of headings, whose every declared one must be there, once."""
    if not layout.heading:
        return _Labels((), {}), lines
    for line in lines:
        if line.number < layout.heading:
            continue
        keys = [heading_key(cell) for cell in line.cells]
        wanted = [column for column in layout.columns.values() if isinstance(column, str)]
        wrong = [key for key in wanted if keys.count(key) != 1]
        if wrong or line.number > layout.heading:
            raise HeadingsDiffer(f"line {layout.heading}", ", ".join(wrong))
        return _Labels(line.cells, {key: index for index, key in enumerate(keys) if key}), lines
    raise HeadingsDiffer(f"line {layout.heading}", "no such line")


def _row(line: sheet.Line, labels: _Labels) -> Row:
    return Row(line.number, {labels.of(index): cell for index, cell in enumerate(line.cells) if cell})


def _fault(line: sheet.Line, said: Mapping[str, str], labels: _Labels, form: str) -> Fault | None:
    """Say why a row fits no report. A sheet leaves out empty cells at the end of a row; CSV has them all, or was cut off."""
    where, found, wanted = f"line {line.number}", len(line.cells), len(labels.headings)
    if labels.headings and (found > wanted or (form == "csv" and found < wanted)):
        return RowShifted(where, f"{found} cells, {wanted} headings")
    missing = [name for name in _LATE if name in said and not said[name]]
    return CellMissing(where, ", ".join(missing)) if missing else None
