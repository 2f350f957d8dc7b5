"""Tables of `lienthong map` for people: one message side by side, several as a list. Does not map."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Table

from gateway.cli.mapped import Mapped, segments_of
from gateway.cli.output import console, language, print_table
from gateway.text.fields import field_name
from gateway.text.reasons import reason
from mappings.formats import astm, er7

STATES = {"mapped": "ánh xạ", "ignored": "bỏ qua", "unknown": "chưa biết"}
_STYLES = {"mapped": "", "ignored": "dim", "unknown": "yellow"}
_WIDE = 120
"""Columns of a terminal from which every fact has a column of its own."""
_LONGEST_VALUE = 60
_MOST_UNKNOWN = 20
_ID = re.compile(r"^(\w+)/([0-9a-f]{8})[0-9a-f]{24}")
_OCCURRENCE = re.compile(r"\[\d+\]")


def show_one(mapped: Mapped) -> None:
    """Show each field of one message beside where it went, or why it did not."""
    row = mapped.as_dict()
    coverage = row["coverage"]
    if coverage["fields"]:
        _print_fields(mapped, coverage["fields"])
        console.print(sums(coverage))
    else:
        console.print(f"[bold]{escape(Path(mapped.file).name)}[/]  {escape(mapped.type)}")
    print_said(row)


def show_list(results: Sequence[Mapped]) -> None:
    """Show one line per message, then the fields that no mapping knows, the most frequent first."""
    rows = [mapped.as_dict() for mapped in results]
    names = common_names([mapped.file for mapped in results])
    wide = console.width >= _WIDE
    print_table(
        "Thông điệp",
        ("tệp", "loại", *(("kết quả",) if wide else ()), *STATES.values(), "tổng", "lỗi"),
        (
            (
                name,
                row["type"],
                *(("lỗi" if row["faults"] else "đã ánh xạ",) if wide else ()),
                *(row["coverage"][state] for state in (*STATES, "populated")),
                " ".join(f"{fault['code']} {fault['where']}".strip() for fault in row["faults"]),
            )
            for name, row in zip(names, rows, strict=True)
        ),
        right=(3, 4, 5, 6) if wide else (2, 3, 4, 5),
    )
    _print_unknown(rows)
    print_faults(rows)
    totals = {state: sum(row["coverage"][state] for row in rows) for state in (*STATES, "populated")}
    console.print(f"{len(rows)} thông điệp, {sum(bool(row['faults']) for row in rows)} lỗi; {sums(totals)}")


def common_names(files: Sequence[str]) -> list[str]:
    """Cut off the folder that all files share."""
    if len(set(files)) < 2:
        return [Path(file).name for file in files]
    common = os.path.commonpath([str(Path(file).parent) for file in files])
    return [os.path.relpath(file, common or ".") for file in files]


def _print_fields(mapped: Mapped, fields: Sequence[dict[str, str]]) -> None:
    wide = console.width >= _WIDE
    several = _several(mapped)
    name_width, value_width = (min(30, console.width // 5), console.width // 4) if wide else (20, console.width // 4)
    taken = 16 + max(len(entry["position"]) for entry in fields) + max(map(len, STATES.values())) if wide else 10
    place_width = console.width - name_width - value_width - taken
    table = Table(
        title=f"{escape(Path(mapped.file).name)}  {escape(mapped.type)}",
        title_justify="left",
        title_style="bold",
        header_style="bold",
    )
    if wide:
        table.add_column("vị trí", no_wrap=True)
        table.add_column("trường", width=name_width)
    else:
        table.add_column("vị trí, trường", width=name_width)
    table.add_column("giá trị", width=value_width, overflow="fold")
    if wide:
        table.add_column("kết quả", no_wrap=True)
    table.add_column("đi về đâu, hoặc vì sao không", overflow="fold")
    segments = {one.position(): one for one in segments_of(mapped.message)} if mapped.message else {}
    for entry in fields:
        position, state = entry["position"], entry["state"]
        name = field_name(position, language())
        value = _value(segments, position)
        told = _places(entry["target"], several, place_width) or reason(entry["reason"], language())
        if wide:
            cells = [position, name, value, STATES[state], told]
        else:
            cells = [
                "\n".join(filter(None, (position, name))),
                value,
                told if state == "mapped" else f"{STATES[state]}: {told}",
            ]
        table.add_row(*map(escape, cells), style=_STYLES[state])
    console.print(table)


def _several(mapped: Mapped) -> set[str]:
    """Name the types of which the Bundle has more than one resource: their places need an id."""
    entries: Any = (mapped.bundle or {}).get("entry", ())
    counts = Counter(entry["resource"]["resourceType"] for entry in entries)
    return {kind for kind, count in counts.items() if count > 1}


def _places(target: str, several: set[str], width: int) -> str:
    """Write one place per line; an id only where it tells resources apart, and cut to what is seen at a glance."""
    return "\n".join(
        _folded(_ID.sub(lambda found: _named(found, several), place), width) for place in target.split(", ")
    )


def _named(found: re.Match[str], several: set[str]) -> str:
    return f"{found[1]}/{found[2]}…" if found[1] in several else found[1]


def _folded(place: str, width: int) -> str:
    """Break a path before its dots, never within a word."""
    lines = [""]
    for part in re.split(r"(?<=[\w)…])(?=\.)", place):
        if lines[-1] and len(lines[-1]) + len(part) > width:
            lines.append("  ")
        lines[-1] += part
    return "\n".join(lines)


def _print_unknown(rows: Sequence[dict[str, Any]]) -> None:
    found = Counter(
        (_OCCURRENCE.sub("", entry["position"]), entry["reason"])
        for row in rows
        if not row["faults"]
        for entry in row["coverage"]["fields"]
        if entry["state"] == "unknown"
    )
    if not found:
        return
    print_table(
        "Trường chưa biết, nhiều nhất trước",
        ("vị trí", "trường", "số lần", "vì sao"),
        (
            (position, field_name(position, language()), count, reason(why, language()))
            for (position, why), count in found.most_common(_MOST_UNKNOWN)
        ),
        right=(2,),
    )
    if len(found) > _MOST_UNKNOWN:
        console.print(f"… và {len(found) - _MOST_UNKNOWN} loại nữa; --json in tất cả.")


def print_faults(rows: Sequence[dict[str, Any]]) -> None:
    """Tell each kind of fault once in words; the list has its code only."""
    texts = {fault["code"]: fault["text"].partition(" [")[0] for row in rows for fault in row["faults"]}
    for code, said in sorted(texts.items()):
        console.print(f"{code} {said}", markup=False)


def print_said(row: dict[str, Any]) -> None:
    """Tell the faults and notices of one input."""
    for said in (*row["faults"], *row["notices"]):
        console.print(" ".join(filter(None, (said["code"], said["where"], said["text"]))), markup=False)


def sums(counts: dict[str, Any]) -> str:
    """Tell the account in one line."""
    return ", ".join(f"{name}: {counts[state]}" for state, name in STATES.items()) + f", tổng: {counts['populated']}"


def _value(segments: Mapping[str, er7.Segment | astm.Record], position: str) -> str:
    segment, _, n = position.rpartition("-")
    written = segments[segment][int(n)].raw.decode() if segment in segments else ""
    shown = "".join(character if character.isprintable() else " " for character in written)
    return shown if len(shown) <= _LONGEST_VALUE else f"{shown[: _LONGEST_VALUE - 1]}…"
