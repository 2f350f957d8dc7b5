"""The field tables of QĐ 3176/QĐ-BYT as data: order, size, what is required. One CSV file per table.

Of XML1 only what names the visit is required here, because it is written without the money (`mappings.bhyt.write`).

Standard: QĐ 3176/QĐ-BYT, appendix (second-hand: the field order is that of QĐ 4750 with the published changes of 3176)
"""

from __future__ import annotations

import csv
from functools import cache
from importlib.resources import files
from typing import NamedTuple


class Field(NamedTuple):
    """One field of a table."""

    name: str
    type: str
    """`string`, `number`, `date` (8 digits) or `datetime` (12 digits)."""
    size: int | None
    """Characters; None for the size `n`, which the decision leaves open."""
    required: bool


class Table(NamedTuple):
    """One table: its elements from the outermost to the row, and the fields in order."""

    name: str
    elements: tuple[str, ...]
    fields: tuple[Field, ...]


_ELEMENTS = {
    "XML1": ("TONG_HOP",),
    "XML4": ("CHITIEU_CHITIET_DICHVUCANLAMSANG", "DSACH_CHI_TIET_CLS", "CHI_TIET_CLS"),
    "XML7": ("CHI_TIEU_DU_LIEU_GIAY_RA_VIEN",),
    "XML13": ("CHI_TIEU_GIAYCHUYENTUYEN",),
    "XML14": ("CHI_TIEU_GIAYHEN_KHAMLAI",),
}


@cache
def table(name: str) -> Table:
    """Return a table by its LOAIHOSO, such as `XML7`."""
    text = files(__name__).joinpath(f"{name.lower()}.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines(), strict=True)
    fields = (Field(r["name"], r["type"], int(r["size"]) if r["size"] else None, r["required"] == "Y") for r in rows)
    return Table(name, _ELEMENTS[name], tuple(fields))
