"""The layout of a table of results, as a channel declares it: which column means what, and how its cells are written.

    [layout]
    form      = "csv"                       # csv, fixed, xlsx
    delimiter = ";"
    decimal   = ","
    times     = ["%d/%m/%Y %H:%M"]
    columns   = { patient = "Mã BN", specimen = "Số mẫu", test = "Mã XN", value = "Kết quả", unit = "Đơn vị" }
    always    = { status = "F" }

A column is called by its heading, by its number from 1 where the table has no headings, and by the letters it takes
(`"11-18"`) in a table of fixed columns. Everything about a laboratory's own way to write tables stands here, nothing in code.

Requirement: S1.5
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final, Literal

from mappings.formats import charsets
from mappings.formats.sheet import Shape

FIELDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "patient": "PID-3.1",
        "citizen_id": "PID-3.1",
        "card": "PID-3.1",
        "name": "PID-5",
        "birth": "PID-7",
        "sex": "PID-8",
        "encounter": "PV1-19.1",
        "department": "PV1-3.1",
        "order": "OBR-2",
        "filler": "OBR-3",
        "panel": "OBR-4.1",
        "panel_name": "OBR-4.2",
        "panel_system": "OBR-4.3",
        "collected": "OBR-7",
        "received": "OBR-14",
        "requester": "OBR-16.1",
        "requester_name": "OBR-16.2",
        "resulted": "OBR-22",
        "approver": "OBR-32.1",
        "approver_name": "OBR-32.2",
        "specimen": "SPM-2",
        "specimen_type": "SPM-4.1",
        "specimen_name": "SPM-4.2",
        "test": "OBX-3.1",
        "test_name": "OBX-3.2",
        "test_system": "OBX-3.3",
        "value": "OBX-5",
        "unit": "OBX-6",
        "range": "OBX-7",
        "flag": "OBX-8",
        "status": "OBX-11",
        "observed": "OBX-14",
        "performer": "OBX-16.1",
        "performer_name": "OBX-16.2",
        "method": "OBX-17",
        "device": "OBX-18",
        "comment": "NTE-3",
    }
)
"""What a column may mean → where HL7 v2 has it."""
TIMES: Final = frozenset({"birth", "collected", "received", "resulted", "observed"})
REPORT: Final = ("patient", "citizen_id", "card", "encounter", "order", "filler", "specimen", "panel")
"""Rows that have all of these alike are of one report."""
WORDS: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "sex": frozenset("MFOUAN"),
        "status": frozenset("CDFINOPRSUVWX"),
        "flag": frozenset({"L", "H", "LL", "HH", "<", ">", "N", "A", "AA", "POS", "NEG", "R", "I", "S"}),
    }
)
"""Field → HL7 v2's codes (tables 0001, 0085, 0078) that its words are turned into."""
EXCEL: Final = "excel"
"""Stands among `times` for the days since 1900 that Excel stores."""
_EXCEL_BEGIN: Final = datetime(1899, 12, 30)  # noqa: DTZ001 - local time without a zone, as the table has it
_EXCEL_MOST: Final = 2_958_466
_NUMBER: Final = re.compile(r"[-+]?[0-9]+(\.[0-9]+)?")
_SHAPE: Final = ("form", "charset", "delimiter", "quote", "sheet")
_OWN: Final = ("heading", "times", "decimal", "columns", "always", "words", "patterns", "ignore")


@dataclass(frozen=True)
class Layout:
    """How one laboratory writes its tables; made by `parse_layout`."""

    shape: Shape
    columns: Mapping[str, str | int]
    """Field → heading, or index of the column from 0."""
    heading: int = 1
    """Line of the headings, from 1; 0: the table has none."""
    times: tuple[str, ...] = ()
    decimal: Literal[".", ","] = "."
    always: Mapping[str, str] = field(default_factory=dict)
    """Field → value of every row."""
    words: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Field → word of the table (folded) → code of HL7 v2."""
    patterns: Mapping[str, re.Pattern[str]] = field(default_factory=dict)
    """Field → what a cell must look like."""
    ignore: frozenset[str | int] = frozenset()
    """Columns that are left out on purpose."""

    def time(self, text: str) -> str:
        """Turn a cell into a DTM of HL7 v2, with as much as it says; raise ValueError."""
        moment = _dtm(text, self.times)
        if not moment:
            raise ValueError("none of the forms in `times`")
        return moment

    def word(self, name: str, text: str) -> str:
        """Turn a word into the code of HL7 v2; raise ValueError for one that the layout does not know."""
        known = self.words.get(name, {})
        code = known.get(text.casefold(), text.upper() if text.upper() in WORDS[name] else "")
        if not code:
            raise ValueError(f"not among `words.{name}`")
        return code


@lru_cache(maxsize=4096)
def _dtm(text: str, forms: tuple[str, ...]) -> str:
    """Read a time by the first form that fits, as DTM; empty when none does. The rows of a report share most of theirs."""
    for form in forms:
        if form == EXCEL:
            if _NUMBER.fullmatch(text) and 0 < float(text) < _EXCEL_MOST:
                moment = _EXCEL_BEGIN + timedelta(seconds=round(float(text) * 86400))
                return f"{moment:%Y%m%d}" if float(text).is_integer() else f"{moment:%Y%m%d%H%M%S}"
            continue
        try:
            moment = datetime.strptime(text, form)  # noqa: DTZ007 - local time, as the table has it
        except ValueError:
            continue
        return moment.strftime(_dtm_of(form))
    return ""


def parse_layout(table: Mapping[str, Any]) -> Layout:
    """Read the table `[layout]` of a channel; raise ValueError worded as one line of `lienthong check`."""
    for name in table:
        if name not in (*_SHAPE, *_OWN):
            raise ValueError(f"{name}: no such setting; known: {', '.join((*_SHAPE, *_OWN))}")
    form = str(table.get("form", "csv"))
    if form not in ("csv", "fixed", "xlsx"):
        raise ValueError("form: csv, fixed or xlsx")
    heading = table.get("heading", 0 if form == "fixed" else 1)
    if not isinstance(heading, int) or not 0 <= heading <= 100:
        raise ValueError("heading: the number of the line that has the headings, 0 when there is none")
    decimal = table.get("decimal", ".")
    if decimal not in (".", ","):
        raise ValueError('decimal: "." or ","')
    columns, spans = _columns(_table(table, "columns"), form, heading)
    always = {name: _text(f"always.{name}", value) for name, value in _table(table, "always").items()}
    layout = Layout(
        _shape(table, form, spans),
        columns,
        heading,
        _times(table.get("times", [])),
        decimal,
        always,
        _words(_table(table, "words")),
        _patterns(_table(table, "patterns")),
        frozenset(_ignored(table.get("ignore", []), heading)),
    )
    _require_whole(layout)
    return layout


def _dtm_of(form: str) -> str:
    """Give the form of DTM that says as much as `form` does."""
    for sign, dtm in (("S", "%Y%m%d%H%M%S"), ("M", "%Y%m%d%H%M"), ("H", "%Y%m%d%H"), ("d", "%Y%m%d"), ("m", "%Y%m")):
        if f"%{sign}" in form or (sign == "S" and any(one in form for one in ("%T", "%f"))):
            return dtm
    return "%Y"


def _shape(table: Mapping[str, Any], form: Any, spans: tuple[tuple[int, int], ...]) -> Shape:
    charset = _text("charset", table.get("charset", "utf-8"))
    try:
        charsets.decode(b"", charset)
    except LookupError:
        raise ValueError(f"charset: {charset} is not known") from None
    delimiter, quote = str(table.get("delimiter", ";")), str(table.get("quote", '"'))
    if len(delimiter) != 1 or delimiter in "\r\n" or len(quote) > 1 or quote == delimiter:
        raise ValueError("delimiter, quote: one sign each, not the same; quote may be empty")
    return Shape(form, charset, delimiter, quote, str(table.get("sheet", "")), spans)


def _columns(
    said: Mapping[str, Any], form: str, heading: int
) -> tuple[dict[str, str | int], tuple[tuple[int, int], ...]]:
    columns: dict[str, str | int] = {}
    spans: list[tuple[int, int]] = []
    for name, column in said.items():
        _require_field("columns", name)
        if form == "fixed":
            spans.append(_span(name, column))
            columns[name] = len(spans) - 1
        elif heading and isinstance(column, str) and column.strip():
            columns[name] = heading_key(column)
        elif isinstance(column, int) and not isinstance(column, bool) and column > 0:
            columns[name] = column - 1
        else:
            raise ValueError(
                f"columns.{name}: a heading, or a number from 1" if heading else f"columns.{name}: a number from 1"
            )
    if len(set(columns.values())) != len(columns):
        raise ValueError("columns: one column cannot mean two things")
    return columns, tuple(spans)


def _span(name: str, column: Any) -> tuple[int, int]:
    found = re.fullmatch(r"([0-9]{1,4})-([0-9]{1,4})", str(column))
    if found is None or not 0 < int(found[1]) <= int(found[2]):
        raise ValueError(f'columns.{name}: the letters it takes, like "11-18"')
    return int(found[1]), int(found[2])


@lru_cache(maxsize=1024)
def heading_key(heading: str) -> str:
    """Give a heading as headings are compared: composed, one space between words, small letters."""
    return " ".join(heading.split()).casefold()


def _times(said: Any) -> tuple[str, ...]:
    if not isinstance(said, list) or not all(isinstance(one, str) and ("%" in one or one == EXCEL) for one in said):
        raise ValueError('times: a list of forms like "%d/%m/%Y %H:%M", or "excel"')
    for one in said:
        if one == EXCEL:
            continue
        if "%Y" not in one and "%y" not in one:
            raise ValueError(f"times: {one} has no year")
        try:
            datetime.strptime(datetime(2026, 11, 26).strftime(one), one)  # noqa: DTZ001, DTZ007 - a trial
        except ValueError:
            raise ValueError(f"times: {one} is no form of a time") from None
    return tuple(said)


def _words(said: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for name, table in said.items():
        if name not in WORDS:
            raise ValueError(f"words.{name}: only {', '.join(WORDS)} have words")
        if not isinstance(table, dict) or not set(map(str, table.values())) <= WORDS[name]:
            raise ValueError(f"words.{name}: word = code, where a code is one of {', '.join(sorted(WORDS[name]))}")
        found[name] = {str(word).casefold(): str(code) for word, code in table.items()}
    return found


def _patterns(said: Mapping[str, Any]) -> dict[str, re.Pattern[str]]:
    found = {}
    for name, pattern in said.items():
        _require_field("patterns", name)
        try:
            found[name] = re.compile(str(pattern))
        except re.error:
            raise ValueError(f"patterns.{name}: not a regular expression") from None
    return found


def _ignored(said: Any, heading: int) -> list[str | int]:
    kind = str if heading else int
    if not isinstance(said, list) or not all(isinstance(one, kind) for one in said):
        raise ValueError("ignore: a list of headings" if heading else "ignore: a list of numbers of columns")
    return [heading_key(one) if isinstance(one, str) else one - 1 for one in said]


def _require_whole(layout: Layout) -> None:
    said = {*layout.columns, *layout.always}
    for name in layout.always:
        _require_field("always", name)
        if name in layout.columns:
            raise ValueError(f"always.{name}: is a column, too")
        if name in WORDS and layout.always[name] not in WORDS[name]:
            raise ValueError(f"always.{name}: one of {', '.join(sorted(WORDS[name]))}")
    for name in ("patient", "test", "value", "status"):
        if name not in said:
            raise ValueError(f"columns.{name}: missing — say which column it is, or write it under `always`")
    if not {"order", "filler", "specimen"} & said:
        raise ValueError("columns: one of order, filler, specimen is needed, by which results are of one report")
    if TIMES & layout.columns.keys() and not layout.times:
        raise ValueError('times: missing — how are times written? For example ["%d/%m/%Y %H:%M"]')


def _require_field(where: str, name: str) -> None:
    if name not in FIELDS:
        raise ValueError(f"{where}.{name}: no such field; known: {', '.join(FIELDS)}")


def _table(table: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = table.get(name, {})
    if not isinstance(found, dict):
        raise ValueError(f"{name}: a table is expected")
    return found


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{name}: a text is expected")
    return value.strip()
