"""Form of every field of every table: there when it must be, not too long, a number, a day.

A row that is right costs one match of one pattern, made once per table and decision; only what does not match is looked at
field by field. Codes and conditions are other rules' work.

Standard: QĐ 4750/QĐ-BYT, QĐ 3176/QĐ-BYT, README §3 (formats); second-hand
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import repeat
from typing import Literal, NamedTuple

from mappings.bhyt.decisions import digits_to_day
from mappings.bhyt.rows import Row
from mappings.bhyt.rules.settings import Settings
from mappings.bhyt.tables import Field, table

Kind = Literal[
    "empty", "too long", "no number", "too many decimals", "negative", "mark", "no day", "no moment", "letters"
]


class Formal(NamedTuple):
    """One departure from the form of a field."""

    kind: Kind
    table: str
    row: int
    field: str


_BETWEEN = "\x1f"
_EMPTY = repeat("")
_DAY = (
    "(?:19|20)[0-9][0-9](?:(?:0[1-9]|1[0-2])(?:0[1-9]|1[0-9]|2[0-8])|(?:0[13-9]|1[0-2])(?:29|30)|(?:0[13578]|1[02])31)"
)
_MOMENT = f"{_DAY}(?:[01][0-9]|2[0-3])[0-5][0-9]"
_MARKED = re.compile(r"-?\d{1,3}([., ]\d{3})*([.,]\d+)?|-?\d+,\d+")
_NUMBER = re.compile(r"-?\d+(?:\.(\d+))?")

BIRTH = frozenset({"NGAY_SINH"})
"""Dates with a form of their own, which other rules know."""
OWN_FORM = BIRTH | {"NGAY_MIEN_CCT"}


def decimals(name: str) -> int | None:
    """Give how many decimals a number may have; None where README does not tell."""
    if name.startswith("DON_GIA") or name == "SO_LUONG":
        return 3
    if name.startswith(("T_", "THANH_TIEN")):
        return 2
    return 2 if name == "CAN_NANG_CON" else 0


@cache
def _checked(name: str, decision: str) -> tuple[tuple[Field, ...], Callable[[str], object]]:
    fields = table(name, decision).fields
    pattern = _BETWEEN.join(_pattern(name, field) for field in fields) + _BETWEEN
    return fields, re.compile(pattern).fullmatch


def _pattern(name: str, field: Field) -> str:
    optional = "" if field.required == "yes" else "?"
    size = field.size or ""
    if field.name in OWN_FORM:
        return f"[^{_BETWEEN}]{{{1 if field.required == 'yes' else 0},12}}"
    if field.type == "date":
        return f"(?:{_DAY}){optional}"
    if field.type == "datetime":
        return f"(?:{_MOMENT}){optional}"
    if field.type == "number":
        places = decimals(field.name)
        after = rf"(?:\.[0-9]{{1,{places}}})?" if places else ""
        length = f"(?=[^{_BETWEEN}]{{0,{size}}}{_BETWEEN})" if size else ""
        return f"{length}(?:[0-9]+{after}){optional}"
    return f"[^{_BETWEEN}]{{{1 if field.required == 'yes' else 0},{size}}}"


def formal(name: str, decision: str, rows: Sequence[Row], settings: Settings) -> Iterator[Formal]:
    """Yield what is wrong with the form of the rows of a table; nothing for a table the decision does not have."""
    try:
        fields, matches = _checked(name, decision)
    except KeyError:
        return
    names = table(name, decision).names
    for n, row in enumerate(rows, 1):
        whole = _BETWEEN.join(map(row.get, names, _EMPTY)) + _BETWEEN
        if matches(whole) is None or "\ufffd" in whole:
            for field in fields:
                kind = wrong(name, field, row, settings)
                if kind:
                    yield Formal(kind, name, n, field.name)


def wrong(name: str, field: Field, row: Row, settings: Settings) -> Kind | None:
    """Say what is wrong with the form of one field, if anything; the pattern above only knows the usual rows."""
    value = row.get(field.name, "")
    if not value:
        return "empty" if field.required == "yes" and not _may_be_empty(name, field.name, row, settings) else None
    if "\ufffd" in value:
        return "letters"
    if field.type == "number":
        return _number(field, value)
    if field.name in OWN_FORM:
        return None
    if field.type == "date":
        return None if len(value) == 8 and digits_to_day(value) else "no day"
    if field.type == "datetime":
        whole = len(value) == 12 and digits_to_day(value) and value[8:10] < "24" and value[10:] < "60"
        return None if whole else "no moment"
    return "too long" if field.size is not None and len(value) > field.size else None


def _number(field: Field, value: str) -> Kind | None:
    found = _NUMBER.fullmatch(value)
    if not found:
        return "mark" if _MARKED.fullmatch(value) else "no number"
    if value.startswith("-"):
        return "negative"
    if field.size is not None and len(value) > field.size:
        return "too long"
    places = decimals(field.name)
    return "too many decimals" if found[1] and places is not None and len(found[1]) > places else None


def _may_be_empty(name: str, field: str, row: Row, settings: Settings) -> bool:
    """Say whether a field that the sheet calls required may be empty here."""
    if field == "MAHUYEN_CU_TRU":
        ended = row.get("NGAY_RA", "")[:8] or "20250701"
        return ended >= "20250701" and not settings.district_after_2025
    if name == "XML15" and field in ("BDDT_ARV", "NGAY_BAT_DAU_DT_CTX"):
        return row.get("PHANLOAI_LAO_HIV", "") != "1" and not settings.tb_dates_without_hiv
    return name == "XML11" and field == "MAU_SO"
