"""The lists that only a site has: its staff, devices, medicines, services, supplies, and the long public ones it keeps itself.

A list is a CSV table with a column `code`, perhaps `valid_from` and `valid_to`, and the columns its rules compare. Which list a
site does not bring, its rules do not run on; `mappings/bhyt/rules` tells which. Reads texts, not files.

Standard: QĐ 4750/QĐ-BYT (catalogues of the facility), TT 06/2026/TT-BYT (ICD-10); second-hand
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from datetime import date
from typing import NamedTuple

from mappings.bhyt.decisions import digits_to_day
from mappings.bhyt.faults import ListInvalid

KNOWN: Mapping[str, tuple[str, ...]] = {
    "ICD10": ("not_main",),
    "YHCT": (),
    "ICD9": (),
    "MA_CSKCB": (),
    "MA_KHOA": (),
    "MA_QUOCTICH": (),
    "CARD_PREFIX": (),
    "PROVINCE": (),
    "WARD": (),
    "STAFF": (),
    "DEVICES": (),
    "DRUGS": ("name", "strength", "registration", "tender", "price", "route", "form", "unit"),
    "SERVICES": ("name", "price", "unit", "device"),
    "SUPPLIES": ("name", "tender", "price", "unit"),
    "DUONG_DUNG": (),
}
"""Each list, and the columns beside code and validity that rules ask for, or that fill what no message tells
(`completion.py`); a column that is absent or empty is not compared."""


class Entry(NamedTuple):
    """One line of a list."""

    code: str
    valid_from: date | None
    valid_to: date | None
    values: Mapping[str, str]

    def covers(self, day: date | None) -> bool:
        if day is None:
            return True
        return (self.valid_from is None or self.valid_from <= day) and (self.valid_to is None or day <= self.valid_to)


class SiteList:
    """The lines of one list, several of which may have the same code: one medicine of two makers."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._by_code: dict[str, list[Entry]] = {}
        for entry in entries:
            self._by_code.setdefault(entry.code, []).append(entry)

    def __len__(self) -> int:
        return sum(len(entries) for entries in self._by_code.values())

    def find(self, code: str, on: date | None = None) -> list[Entry]:
        """Give the lines of a code that are valid on a day."""
        return [entry for entry in self._by_code.get(code, ()) if entry.covers(on)]

    def has(self, code: str, on: date | None = None) -> bool:
        return any(entry.covers(on) for entry in self._by_code.get(code, ()))


class Lists:
    """What a site brings; compared by identity, so that a check can be prepared once for it."""

    def __init__(self, lists: Mapping[str, SiteList] | None = None) -> None:
        self._lists = dict(lists or {})

    def __contains__(self, name: object) -> bool:
        return name in self._lists

    def __getitem__(self, name: str) -> SiteList:
        return self._lists[name]

    @property
    def names(self) -> frozenset[str]:
        return frozenset(self._lists)


NONE = Lists()
"""No list at all."""

_site = NONE


def site() -> Lists:
    """Give the lists of the site this process works for."""
    return _site


def use(lists: Lists) -> None:
    """Work for a site with these lists from now on."""
    global _site
    _site = lists


def parse_list(name: str, text: str) -> SiteList:
    """Read one list: commas or, as a Vietnamese Excel writes, semicolons; days as `2026-07-01`, `20260701` or `01/07/2026`.

    Raises ListInvalid for a name no rule knows, a table without the column `code`, a day that is none; `where` is the line.
    """
    if name not in KNOWN:
        raise ListInvalid(name, f"known lists: {', '.join(KNOWN)}")
    lines = text.removeprefix("\ufeff").splitlines()
    head = lines[0] if lines else ""
    reader = csv.DictReader(lines, delimiter=";" if head.count(";") > head.count(",") else ",")
    columns = [(column or "").strip().lower() for column in reader.fieldnames or ()]
    if "code" not in columns:
        raise ListInvalid(f"{name}:1", "no column code")
    reader.fieldnames = columns
    return SiteList(_entry(name, number, row) for number, row in enumerate(reader, 2))


def _entry(name: str, number: int, row: Mapping[str, str | None]) -> Entry:
    cells = {column: (row.get(column) or "").strip() for column in ("code", "valid_from", "valid_to", *KNOWN[name])}
    where = f"{name}:{number}"
    first, last = _day(cells["valid_from"], where), _day(cells["valid_to"], where)
    if not cells["code"]:
        raise ListInvalid(where, "no code")
    return Entry(cells["code"], first, last, {column: cells[column] for column in KNOWN[name]})


def _day(text: str, where: str) -> date | None:
    if not text:
        return None
    digits = "".join(reversed(text.split("/"))) if text.count("/") == 2 else text.replace("-", "")
    day = digits_to_day(digits)
    if day is None:
        raise ListInvalid(where, "a day is written 2026-07-01")
    return day
