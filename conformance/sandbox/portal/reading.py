"""Read an accepted file into visits, tables and rows for the assessment and for the page. Judges nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation

from lxml import etree

from conformance.sandbox.portal.files import read, text, text_of, visits
from conformance.sandbox.portal.forms import Form
from conformance.sandbox.portal.shapes import shape, table_names

LONGEST_NUMBER = 24


@dataclass(frozen=True)
class Row:
    """One row of a table as it came."""

    table: str
    number: int
    """From 1."""
    values: Mapping[str, str]
    order: tuple[str, ...]
    """The names of its elements in the file's order, twice when they stand twice."""

    def __getitem__(self, name: str) -> str:
        return self.values.get(name, "")

    def amount(self, name: str) -> Decimal | None:
        """Return a number; None when the field is empty or holds none."""
        return number(self[name])

    def sum_of(self, *names: str) -> Decimal:
        """Add up fields; what is empty or no number counts as nothing."""
        return sum((self.amount(name) or Decimal() for name in names), Decimal())


@dataclass(frozen=True)
class Visit:
    """All tables of one MA_LK."""

    decision: str
    facility: str
    tables: Mapping[str, tuple[Row, ...]]
    stray: tuple[tuple[str, str], ...] = field(default=())
    """Table and element that stands where no row belongs."""

    @property
    def link(self) -> str:
        """MA_LK."""
        return next((row["MA_LK"] for rows in self.tables.values() for row in rows if row["MA_LK"]), "")

    @property
    def head(self) -> Row:
        """The row of XML1, or an empty one."""
        return self.one("XML1")

    def rows(self, *names: str) -> Iterator[Row]:
        """Yield the rows of these tables."""
        for name in names:
            yield from self.tables.get(name, ())

    def one(self, name: str) -> Row:
        """Return the first row of a table, or an empty one."""
        rows = self.tables.get(name, ())
        return rows[0] if rows else Row(name, 0, {}, ())


def read_visits(file: bytes, form: Form, facility: str) -> list[Visit]:
    """Read every visit of an accepted file. Raises FileError where reception would have."""
    root = read(file, "tệp")
    if form.name == "record":
        return [_visit(tables, form.decision, facility) for tables in visits(root)]
    name = next((one for one in table_names() if (known := shape(one, form.decision)) and known.root == root.tag), "")
    if not name:
        return []
    rows, stray = _rows(name, root, form.decision)
    links = dict.fromkeys(row["MA_LK"] for row in rows)
    return [
        Visit(form.decision, facility, {name: tuple(row for row in rows if row["MA_LK"] == link)}, stray)
        for link in links
    ]


def number(value: str) -> Decimal | None:
    """Read a number written with digits and at most one point; None for anything else."""
    if not value or len(value) > LONGEST_NUMBER or not value.isascii() or not set(value) <= set("0123456789.-"):
        return None
    try:
        return Decimal(value)
    except InvalidOperation:
        return None


def _visit(tables: list[tuple[str, etree._Element]], decision: str, facility: str) -> Visit:
    found: dict[str, tuple[Row, ...]] = {}
    stray: list[tuple[str, str]] = []
    for name, root in tables:
        rows, more = _rows(name, root, decision)
        found[name] = rows
        stray += more
    return Visit(decision, facility, found, tuple(stray))


def _rows(name: str, root: etree._Element, decision: str) -> tuple[tuple[Row, ...], tuple[tuple[str, str], ...]]:
    known = shape(name, decision)
    assert known is not None
    if not known.row:
        return (_row(name, 1, root),), ()
    elements = root.findall(f"{known.rows}/{known.row}")
    outside = [
        str(each.tag)
        for parent in (root, *root.findall(known.rows))
        for each in parent.iterchildren(etree.Element)
        if each.tag not in (known.rows, known.row, "CHUKYDONVI")
    ]
    rows = tuple(_row(name, position, each) for position, each in enumerate(elements, 1))
    return rows, tuple((name, tag) for tag in outside)


def _row(name: str, position: int, element: etree._Element) -> Row:
    fields = list(element.iterchildren(etree.Element))
    values = {str(each.tag): text_of(each) for each in fields}
    return Row(name, position, values, tuple(str(each.tag) for each in fields))


def facility_of(file: bytes) -> str:
    """Return MACSKCB of a record or the first MA_CSKCB of a bare table; the empty string when there is none."""
    root = read(file, "tệp")
    return text(root, "THONGTINDONVI/MACSKCB") or next((text_of(each) for each in root.iter("MA_CSKCB")), "")
