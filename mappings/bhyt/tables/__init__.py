"""The field tables of the insurance file as data: XML0 to XML15 of QĐ 130, QĐ 4750 and QĐ 3176, and their code lists.

One CSV file per table, in the newest shape; every decision is a patch over the former one ("the rest stays"), so what a field
was before stands once, in `changes.csv`. A size that changed and whose former value no source tells is the newest one in every
layer: it never refuses an old file. `codes.csv` holds the lists that are short and public; of the long ones (ICD-10, services,
drugs, staff …) only the name stands in the tables: a site brings them itself.

Standard: QĐ 130/QĐ-BYT (2023), QĐ 4750/QĐ-BYT (2023), QĐ 3176/QĐ-BYT (2024), QĐ 1931/QĐ-BYT (2026); second-hand
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import cache, cached_property
from importlib.resources import files
from sys import intern
from typing import NamedTuple

DECISIONS = ("130", "4750", "3176", "1931")
"""The decisions that set the tables, each a patch over the one before."""

NAMES = tuple(f"XML{number}" for number in range(16))
"""Every table there is, as LOAIHOSO names it."""

_ELEMENTS = {
    "XML0": ("CHI_TIEU_TRANG_THAI_KCB", "DSACH_TRANG_THAI_KCB", "TRANG_THAI_KCB"),
    "XML1": ("TONG_HOP",),
    "XML2": ("CHITIEU_CHITIET_THUOC", "DSACH_CHI_TIET_THUOC", "CHI_TIET_THUOC"),
    "XML3": ("CHITIEU_CHITIET_DVKT_VTYT", "DSACH_CHI_TIET_DVKT", "CHI_TIET_DVKT"),
    "XML4": ("CHITIEU_CHITIET_DICHVUCANLAMSANG", "DSACH_CHI_TIET_CLS", "CHI_TIET_CLS"),
    "XML5": ("CHITIEU_CHITIET_DIENBIENLAMSANG", "DSACH_CHI_TIET_DIEN_BIEN_BENH", "CHI_TIET_DIEN_BIEN_BENH"),
    "XML6": (
        "CHI_TIEU_HO_SO_BENH_AN_CHAM_SOC_VA_DIEU_TRI_HIV_AIDS",
        "DSACH_HO_SO_BENH_AN_CHAM_SOC_VA_DIEU_TRI_HIV_AIDS",
        "HO_SO_BENH_AN_CHAM_SOC_VA_DIEU_TRI_HIV_AIDS",
    ),
    "XML7": ("CHI_TIEU_DU_LIEU_GIAY_RA_VIEN",),
    "XML8": ("CHI_TIEU_DU_LIEU_TOM_TAT_HO_SO_BENH_AN",),
    "XML9": ("CHI_TIEU_DU_LIEU_GIAY_CHUNG_SINH", "DSACH_GIAYCHUNGSINH", "DU_LIEU_GIAY_CHUNG_SINH"),
    "XML10": ("CHI_TIEU_DU_LIEU_GIAY_NGHI_DUONG_THAI",),
    "XML11": ("CHI_TIEU_DU_LIEU_GIAY_CHUNG_NHAN_NGHI_VIEC_HUONG_BAO_HIEM_XA_HOI",),
    "XML12": ("CHI_TIEU_GIAM_DINH_YKHOA", "DSACH_GIAM_DINH_YKHOA", "GIAM_DINH_YKHOA"),
    "XML13": ("CHI_TIEU_GIAYCHUYENTUYEN",),
    "XML14": ("CHI_TIEU_GIAYHEN_KHAMLAI",),
    "XML15": ("CHI_TIEU_DIEUTRI_BENHLAO", "DSACH_CHITIET_DIEUTRI_BENHLAO", "CHITIET_DIEUTRI_BENHLAO"),
}


class Field(NamedTuple):
    """One field of a table."""

    name: str
    type: str
    """`string`, `number`, `date` (8 digits) or `datetime` (12 digits)."""
    size: int | None
    """Characters; None for the size `n`, which the decisions leave open."""
    required: str
    """`yes`, `no`, or `when`: under a condition that a rule knows."""
    codes: str
    """Name of the list its codes are of; empty when it holds no code."""
    is_text: bool
    """Words of people: what producers that write CDATA write in CDATA."""
    vi: str
    en: str


@dataclass(frozen=True, eq=False)
class Table:
    """One table in the shape of one decision: its elements from the outermost to the row, and the fields in order.

    There is one object of each, so that what follows from it can be remembered with it.
    """

    name: str
    decision: str
    elements: tuple[str, ...]
    fields: tuple[Field, ...]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the fields in order."""
        return tuple(field.name for field in self.fields)

    @property
    def has_list(self) -> bool:
        """Whether rows stand in a list; else the root is the row, and there is one."""
        return len(self.elements) > 1


class Code(NamedTuple):
    """One code of a list, and the days it may be used on, both included."""

    code: str
    valid_from: date | None
    valid_to: date | None
    vi: str
    en: str

    def covers(self, day: date) -> bool:
        return (self.valid_from is None or self.valid_from <= day) and (self.valid_to is None or day <= self.valid_to)


class CodeList:
    """The codes of one list."""

    def __init__(self, codes: list[Code]) -> None:
        self._codes = codes

    def __iter__(self) -> Iterator[Code]:
        return iter(self._codes)

    @cached_property
    def _by_code(self) -> dict[str, list[Code]]:
        found: dict[str, list[Code]] = {}
        for one in self._codes:
            found.setdefault(one.code, []).append(one)
        return found

    def find(self, code: str, on: date | None = None) -> Code | None:
        """Give a code as it stood on a day; without a day in any period."""
        return next((one for one in self._by_code.get(code, ()) if on is None or one.covers(on)), None)


@cache
def table(name: str, decision: str = DECISIONS[-1]) -> Table:
    """Return a table by its LOAIHOSO, such as `XML7`, as a decision has it; `KeyError` when that decision has no such table."""
    reached = DECISIONS.index(decision)
    rows = [row | {"name": row["name"]} for row in _rows(name.lower()) if DECISIONS.index(row["since"]) <= reached]
    if not rows:
        raise KeyError(name)
    later = [one for one in _rows("changes") if one["table"] == name and DECISIONS.index(one["decision"]) > reached]
    for change in reversed(later):
        _undo(rows, change)
    fields = (
        Field(
            intern(row["name"]),
            row["type"],
            int(row["size"]) if row["size"] else None,
            row["required"],
            row["codes"],
            row["text"] == "text",
            row["vi"],
            row["en"],
        )
        for row in rows
    )
    return Table(name, decision, _ELEMENTS[name], tuple(fields))


def _undo(rows: list[dict[str, str]], change: dict[str, str]) -> None:
    """Take one change back: a field that was dropped stands again before the field it stood before; else one attribute."""
    names = [row["name"] for row in rows]
    if change["attribute"] == "dropped":
        rows.insert(names.index(change["before"]), rows[0] | {"name": change["field"]} | _DROPPED[change["field"]])
    else:
        rows[names.index(change["field"])][change["attribute"]] = change["before"]


_DROPPED = {
    name: {"type": "string", "size": "", "required": "no", "codes": "", "text": "text", "vi": vi, "en": en}
    for name, vi, en in (
        ("TEN_DICH_VU", "Tên dịch vụ đã thực hiện", "Services that were done"),
        ("TEN_THUOC", "Tên thuốc đã dùng", "Medicines that were given"),
    )
}


@cache
def code_list(name: str) -> CodeList | None:
    """Return one of the lists that come with the product; None for those only a site has."""
    found = [
        Code(row["code"], _day(row["valid_from"]), _day(row["valid_to"]), row["vi"], row["en"])
        for row in _rows("codes")
        if row["list"] == name
    ]
    return CodeList(found) if found else None


def _day(text: str) -> date | None:
    return date.fromisoformat(text) if text else None


@cache
def _rows(name: str) -> tuple[dict[str, str], ...]:
    text = files(__name__).joinpath(f"{name}.csv").read_text(encoding="utf-8")
    return tuple(csv.DictReader(text.splitlines(), strict=True))
