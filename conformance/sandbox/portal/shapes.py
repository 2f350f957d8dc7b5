"""Tell what the sixteen tables look like under each of the three decisions: fields in order, sizes, types, code lists.

Second-hand: the appendix of QĐ 4750 with the portal's sheet of checks, and for QĐ 3176 what several implementations agree on.

Standard: QĐ 130/QĐ-BYT, QĐ 4750/QĐ-BYT, QĐ 3176/QĐ-BYT
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import Final

DECISIONS: Final = ("130", "4750", "3176")
LISTED: Final = frozenset(
    [
        "MA_THE_BHYT",
        "MA_DKBD",
        "GT_THE_TU",
        "GT_THE_DEN",
        "MA_BENH_KT",
        "MA_BENH_YHCT",
        "MA_PTTT_QT",
        "MA_KHOA",
        "MA_GIUONG",
        "NGAY_TAI_KHAM",
        "CAN_NANG_CON",
        "MA_XU_TRI",
        "MA_TINH_TRANG_DK",
        "MA_BAC_SI",
        "NGUOI_THUC_HIEN",
        "MA_MAY",
        "TT_THAU",
        "NGAY_HEN_KL",
        "MA_LOAI_BN",
        "NHOM_DOI_TUONG",
    ]
)
"""Fields whose value may be several, apart by `;`."""


@dataclass(frozen=True)
class Field:
    """One element of a table."""

    name: str
    type: str
    """`string`, `number`, `date` (8 digits) or `datetime` (12 digits)."""
    size: int
    required: str
    """`yes`, `no`, or `when`: a rule of its own decides."""
    codes: str
    """The list its value comes from; the empty string when the sandbox has none."""


@dataclass(frozen=True)
class Shape:
    """One table under one decision. `rows` and `row` are empty for a table that is a single row."""

    name: str
    root: str
    rows: str
    row: str
    fields: tuple[Field, ...]

    def field(self, name: str) -> Field | None:
        """Return the field of this name."""
        return next((each for each in self.fields if each.name == name), None)


@cache
def shape(table: str, decision: str) -> Shape | None:
    """Return a table as a decision has it; None when the decision does not know the table."""
    told = next((row for row in read_csv("tables.csv") if row["table"] == table), None)
    if told is None or not _in_force(told["since"], decision):
        return None
    fields = [
        Field(row["field"], row["type"], int(row["size"]), row["required"], row["codes"])
        for row in read_csv("fields.csv")
        if row["table"] == table and (_in_force(row["since"], decision) or row["since"] == "3176")
    ]
    if decision != "3176":
        for row in read_csv("field_changes.csv"):
            if row["table"] == table:
                fields = _undone(fields, row)
    return Shape(table, told["root"], told["list"], told["row"], tuple(fields))


@cache
def code_list(name: str) -> Mapping[str, str]:
    """Return the codes of a list, each with the day from which it holds (`yyyyMMdd`, or the empty string)."""
    return {row["code"]: row["since"] for row in read_csv("codes.csv") if row["list"] == name}


@cache
def table_names() -> tuple[str, ...]:
    """Return `XML0` to `XML15`."""
    return tuple(row["table"] for row in read_csv("tables.csv"))


@cache
def read_csv(name: str) -> tuple[dict[str, str], ...]:
    """Read a file of data of this package."""
    text = resources.files("conformance.sandbox.portal").joinpath(name).read_text("utf-8")
    return tuple(csv.DictReader(text.splitlines()))


def _in_force(since: str, decision: str) -> bool:
    return DECISIONS.index(since) <= DECISIONS.index(decision)


def _undone(fields: list[Field], change: Mapping[str, str]) -> list[Field]:
    """Take back one change, so that a table looks as it did before."""
    name, attribute, before = change["field"], change["attribute"], change["before"]
    if attribute == "insert":
        place = next(position for position, field in enumerate(fields) if field.name == name)
        return [*fields[:place], Field(before, "string", 1024, "no", ""), *fields[place:]]
    if attribute == "size":
        return [replace(field, size=int(before)) if field.name == name else field for field in fields]
    if attribute == "type":
        return [replace(field, type=before) if field.name == name else field for field in fields]
    return [replace(field, name=before) if field.name == name else field for field in fields]
