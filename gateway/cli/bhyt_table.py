"""Tables of `lienthong bhyt read` for people: one visit as a whole, several as a list. Does not read files."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gateway.cli.mapping_table import STATES, common_names, print_faults, print_said, sums
from gateway.cli.output import console, language, print_table
from gateway.text import text
from gateway.text.reasons import reason
from mappings.bhyt.tables import DECISIONS, table

if TYPE_CHECKING:
    from gateway.cli.bhyt_read import Read

_MOST_UNKNOWN = 20
_INDEX = re.compile(r"\[\d+\]")


def show_one(one: Read) -> None:
    """Show the tables of a visit, what was made of them, and what was not understood."""
    row = one.as_dict()
    if one.visit and row["bundle"]:
        print_table(
            f"{Path(one.file).name}  {one.record}".strip(),
            ("bảng", "số dòng"),
            ((name, len(rows)) for name, rows in one.visit.tables.items()),
            right=(1,),
        )
        kinds = Counter(entry["resource"]["resourceType"] for entry in row["bundle"]["entry"])
        print_table("Tài nguyên", ("loại", "số lượng"), sorted(kinds.items()), right=(1,))
        _print_unknown(row["coverage"]["fields"])
        console.print(sums(row["coverage"]))
    else:
        console.print(Path(one.file).name, style="bold", markup=False)
    print_said(row)


def show_list(results: Sequence[Read]) -> None:
    """Show one line per visit, then what was not understood, the most frequent first."""
    names = common_names([one.file for one in results])
    told = [_told(one) for one in results]
    print_table(
        "Hồ sơ",
        ("tệp", "hồ sơ", "dòng", *STATES.values(), "tổng", "lỗi, lưu ý"),
        (
            (
                name,
                one.record,
                sum(len(rows) for rows in one.visit.tables.values()) if one.visit else "",
                *(one.counts[state] for state in STATES),
                sum(one.counts.values()),
                " ".join(sorted({each["code"] for each in (*row["faults"], *row["notices"])})),
            )
            for name, one, row in zip(names, results, told, strict=True)
        ),
        right=(2, 3, 4, 5, 6),
    )
    _print_unknown(
        {"position": at, "state": "unknown", "reason": why}
        for one in results
        if one.outcome
        for at, why in one.outcome.coverage.unknown.items()
    )
    print_faults(told)
    totals: Counter[str] = sum((one.counts for one in results), Counter())
    counts = {state: totals[state] for state in STATES} | {"populated": sum(totals.values())}
    console.print(f"{len(results)} hồ sơ, {sum(one.fault is not None for one in results)} lỗi; {sums(counts)}")


def _told(one: Read) -> dict[str, Any]:
    faults = [one.fault] if one.fault else []
    notices = one.outcome.notices if one.outcome else ()
    return {
        "faults": [{"code": f"LT{each.code:04d}", "text": str(text(each.code, language()))} for each in faults],
        "notices": [{"code": f"LT{each.code:04d}"} for each in notices],
    }


def _print_unknown(fields: Iterable[dict[str, str]]) -> None:
    found = Counter(
        (_INDEX.sub("", entry["position"]), entry["reason"]) for entry in fields if entry["state"] == "unknown"
    )
    if not found:
        return
    print_table(
        "Trường chưa hiểu, nhiều nhất trước",
        ("vị trí", "trường", "số lần", "vì sao"),
        (
            (position, _field_name(position), count, reason(why, language()))
            for (position, why), count in found.most_common(_MOST_UNKNOWN)
        ),
        right=(2,),
    )
    if len(found) > _MOST_UNKNOWN:
        console.print(f"… và {len(found) - _MOST_UNKNOWN} loại nữa; --json in tất cả.")


def _field_name(position: str) -> str:
    name, _, field = position.partition("/")
    return _names(name).get(field, "")


@cache
def _names(name: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for decision in DECISIONS:
        try:
            fields = table(name, decision).fields
        except KeyError:
            continue
        found |= {field.name: field.en if language() == "en" else field.vi for field in fields}
    return found
