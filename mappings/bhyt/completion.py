"""Fill the fields of a visit's lines that no message tells: from the facility's own catalogues, and from each other.

A HIS names what was done by its code; unit, strength, registration, tender, device stand in the approved catalogue. Only empty
fields are filled, and only with what every line of the catalogue that may be meant says. Does not work out amounts.

Standard: QĐ 3176/QĐ-BYT, XML1, XML2, XML3; second-hand
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date

from mappings.bhyt.decisions import ended_on
from mappings.bhyt.lists import NONE, Entry, Lists
from mappings.bhyt.rows import Row

_DRUG = {
    "name": "TEN_THUOC",
    "strength": "HAM_LUONG",
    "route": "DUONG_DUNG",
    "form": "DANG_BAO_CHE",
    "unit": "DON_VI_TINH",
    "registration": "SO_DANG_KY",
    "tender": "TT_THAU",
}
_SERVICE = {"name": "TEN_DICH_VU", "unit": "DON_VI_TINH", "device": "MA_MAY"}
_SUPPLY = {"name": "TEN_VAT_TU", "unit": "DON_VI_TINH", "tender": "TT_THAU"}
_INSIDE = "1"
"""PHAM_VI of what insurance pays for."""


def complete(tables: Mapping[str, Sequence[Row]], lists: Lists = NONE) -> dict[str, tuple[dict[str, str], ...]]:
    """Give the tables with what could be filled; rows that are whole stay as they are."""
    day = ended_on(tables)
    found = {name: tuple(dict(row) for row in rows) for name, rows in tables.items()}
    for row in found.get("XML2", ()):
        _from(lists, "DRUGS", row.get("MA_THUOC", ""), row, _DRUG, day)
    for row in found.get("XML3", ()):
        _from(lists, "SERVICES", row.get("MA_DICH_VU", ""), row, _SERVICE, day)
        _from(lists, "SUPPLIES", row.get("MA_VAT_TU", ""), row, _SUPPLY, day)
        _price(lists, row, day)
    for row in found.get("XML1", ()):
        _summary(row, found.get("XML14", ()))
    return found


def _from(lists: Lists, name: str, code: str, row: dict[str, str], fields: Mapping[str, str], day: date | None) -> None:
    entries = lists[name].find(code, day) if code and name in lists else []
    for column, field in fields.items():
        told = row.get(field, "")
        if told:
            entries = [one for one in entries if one.values.get(column, "") in ("", told)] or entries
    for column, field in fields.items():
        if not row.get(field) and (said := _agreed(entries, column)):
            row[field] = said


def _price(lists: Lists, row: dict[str, str], day: date | None) -> None:
    """Fill DON_GIA_BH: the insurer's price of the catalogue, nothing for what insurance does not pay."""
    if row.get("DON_GIA_BH") or not row.get("DON_GIA_BV"):
        return
    if row.get("PHAM_VI", _INSIDE) != _INSIDE:
        row["DON_GIA_BH"] = "0"
        return
    for name, field in (("SERVICES", "MA_DICH_VU"), ("SUPPLIES", "MA_VAT_TU")):
        entries = lists[name].find(row.get(field, ""), day) if row.get(field) and name in lists else []
        if said := _agreed(entries, "price"):
            row["DON_GIA_BH"] = said
            return


def _agreed(entries: Iterable[Entry], column: str) -> str:
    said = {entry.values.get(column, "") for entry in entries} - {""}
    return said.pop() if len(said) == 1 else ""


def _summary(row: dict[str, str], appointments: Sequence[Row]) -> None:
    """Fill the days of re-examination as the slips have them, and the month of the settlement: that of the visit's end."""
    days = [one.get("NGAY_HEN_KL", "")[:8] for one in appointments if one.get("NGAY_HEN_KL")]
    if days and not row.get("NGAY_TAI_KHAM"):
        row["NGAY_TAI_KHAM"] = ";".join(dict.fromkeys(days))
    ended = row.get("NGAY_RA", "")
    if len(ended) == 12 and not row.get("NAM_QT") and not row.get("THANG_QT"):
        row["NAM_QT"], row["THANG_QT"] = ended[:4], ended[4:6].lstrip("0")
