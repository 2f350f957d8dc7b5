"""Check a visit's tables against their shape: elements in order, types, sizes of decimals, required values, code lists.

Which fields have to be filled comes from the portal's sheet of checks for QĐ 4750; that QĐ 3176 changed nothing of it is
assumed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from typing import Final

from conformance.sandbox.portal.finding import Finding
from conformance.sandbox.portal.reading import Row, Visit, number
from conformance.sandbox.portal.shapes import LISTED, Field, Shape, code_list, shape

_NUMBER: Final = re.compile(r"\d+(\.\d+)?")
_DECIMALS: Final = (("DON_GIA", 3), ("SO_LUONG", 3), ("THANH_TIEN", 2), ("T_", 2), ("CAN_NANG", 2))


def check_structure(visit: Visit) -> Iterator[Finding]:
    """Yield what a reader of the tables trips over."""
    for name, tag in visit.stray:
        yield Finding("structure", "stray", name, 0, tag)
    for name, rows in visit.tables.items():
        known = shape(name, visit.decision)
        assert known is not None
        if not rows:
            yield Finding("structure", "no_rows", name)
        for row in rows:
            yield from _check_order(row, known)
            for field in known.fields:
                yield from _check_value(row, field, visit.head["NGAY_RA"][:8])
        if known.field("STT") is not None and known.row:
            for row in rows:
                if row["STT"] != str(row.number):
                    yield Finding("structure", "row_number", name, row.number, "STT")


def day(value: str) -> date | None:
    """Read the day of 8 or 12 digits; None when there is no such day or time."""
    if not re.fullmatch(r"\d{8}(\d{4})?", value) or (len(value) == 12 and not _is_time(value[8:])):
        return None
    try:
        return date(int(value[:4]), int(value[4:6]), int(value[6:8]))
    except ValueError:
        return None


def is_birth(value: str) -> bool:
    """Tell whether 12 digits, or 8, are a birth date: month, day and time may be unknown, then they are zeros."""
    if not re.fullmatch(r"\d{8}(\d{4})?", value) or (len(value) == 12 and not _is_time(value[8:])):
        return False
    year, month, of_month = int(value[:4]), int(value[4:6]), int(value[6:8])
    if not 1870 <= year <= 2200 or (month == 0 and of_month != 0):
        return False
    try:
        date(year, month or 1, of_month or 1)
    except ValueError:
        return False
    return True


def _is_time(digits: str) -> bool:
    return int(digits[:2]) < 24 and int(digits[2:]) < 60


def _check_order(row: Row, known: Shape) -> Iterator[Finding]:
    names = [field.name for field in known.fields]
    for name in names:
        if name not in row.order:
            yield Finding("structure", "missing", row.table, row.number, name)
    for name in dict.fromkeys(row.order):
        if name not in names:
            yield Finding("structure", "unknown", row.table, row.number, name[:60])
        elif row.order.count(name) > 1:
            yield Finding("structure", "twice", row.table, row.number, name)
    found = [name for name in row.order if name in names]
    wanted = [name for name in names if name in row.order]
    if found != wanted and len(found) == len(wanted):
        first = next(a for a, b in zip(found, wanted, strict=True) if a != b)
        yield Finding("structure", "order", row.table, row.number, first)


def _check_value(row: Row, field: Field, ended: str) -> Iterator[Finding]:
    value = row[field.name]
    if not value:
        if field.required == "yes" and field.name in row.order:
            yield Finding("structure", "required", row.table, row.number, field.name)
        return
    if len(value) > field.size:
        yield Finding("structure", "size", row.table, row.number, field.name, str(field.size))
    parts = value.split(";") if field.name in LISTED else [value]
    if not all(_has_type(part, field) for part in parts if part):
        yield Finding("structure", "type", row.table, row.number, field.name, _TYPES[field.type])
    elif field.type == "number":
        yield from _check_number(row, field, value)
    if field.codes:
        codes = code_list(field.codes)
        if any(part not in codes or (ended and codes[part] > ended) for part in parts):
            yield Finding("structure", "code", row.table, row.number, field.name, field.codes)


def _has_type(value: str, field: Field) -> bool:
    if field.type == "number":
        return _NUMBER.fullmatch(value) is not None
    if field.type == "date":
        return len(value) == 8 and (day(value) is not None or (field.name.startswith("NGAY_SINH") and is_birth(value)))
    if field.type == "datetime":
        if field.name.startswith("NGAY_SINH"):
            return len(value) == 12 and is_birth(value)
        allowed = (8, 12) if field.name == "NGAY_MIEN_CCT" else (12,)
        return len(value) in allowed and day(value) is not None
    return True


def _check_number(row: Row, field: Field, value: str) -> Iterator[Finding]:
    decimals = next((count for start, count in _DECIMALS if field.name.startswith(start)), None)
    if decimals is not None and len(value.partition(".")[2]) > decimals:
        yield Finding("structure", "decimals", row.table, row.number, field.name, str(decimals))
    if field.name.startswith(("TYLE_TT", "MUC_HUONG")) and (number(value) or 0) > 100:
        yield Finding("structure", "percent", row.table, row.number, field.name)


_TYPES: Final = {
    "number": "số",
    "date": "yyyyMMdd",
    "datetime": "yyyyMMddHHmm",
    "string": "chữ",
}
