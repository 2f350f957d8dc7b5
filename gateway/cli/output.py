"""How commands speak: tables for people, JSON for programs, faults in the person's language."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.columns import Columns
from rich.console import Console
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from gateway.clock import VIETNAM, iso, moment
from gateway.faults import ConfigInvalid
from gateway.text import Language, text
from mappings.formats.faults import Fault

__all__ = [
    "HERE",
    "Config",
    "Json",
    "complain",
    "console",
    "errors",
    "fault_dict",
    "iso",
    "language",
    "moment",
    "now_local",
    "print_json",
    "print_table",
    "said",
]

Config = Annotated[
    Path,
    typer.Option("--config", "-c", envvar="LIENTHONG_CONFIG", help="Thư mục chứa node.toml và channels/."),
]
HERE = Path(".")
Json = Annotated[bool, typer.Option("--json", help="In JSON thay cho bảng.")]

console = Console(soft_wrap=False)
_SHORT = 40
"""Characters up to which cells stand side by side."""
_ENDLESS = 100_000
errors = Console(stderr=True, soft_wrap=True, highlight=False)


def language() -> Language:
    """Return the language for people: Vietnamese unless `LIENTHONG_LANG=en`."""
    return "en" if os.environ.get("LIENTHONG_LANG", "vi").startswith("en") else "vi"


def complain(fault: Fault) -> None:
    """Print a fault, or every problem of a configuration, to standard error."""
    for each in fault.problems if isinstance(fault, ConfigInvalid) else (fault,):
        place = " ".join(part for part in (each.where, each.detail) if part)
        errors.print(f"[bold red]LT{each.code:04d}[/] {text(each.code, language())}", end="")
        errors.print(f"  [dim]\\[{_plain(place)}][/]" if place else "")


def _plain(markup: str) -> str:
    return markup.replace("[", "\\[")


def print_json(value: object) -> None:
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")


def print_table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], right: Sequence[int] = ()
) -> None:
    """Print rows; columns named in `right` (by index) hold numbers.

    Where the table would be so narrow that words break, each row is a paragraph.
    """
    told = [[str(cell) for cell in row] for row in rows]
    table = Table(title=title, title_justify="left", title_style="bold", header_style="bold")
    for index, column in enumerate(columns):
        table.add_column(
            column, justify="right" if index in right else "left", overflow="fold", no_wrap=column == "mã", min_width=3
        )
    for row in told:
        table.add_row(*map(_plain, row))
    words = Measurement.get(console, console.options.update(max_width=_ENDLESS), table).minimum
    if words <= console.width:
        console.print(table)
        return
    console.print(f"[bold]{title}[/]")
    for row in told:
        _print_paragraph(columns, row)


def _print_paragraph(columns: Sequence[str], row: Sequence[str]) -> None:
    """Print a row: what is short side by side, what is long below it."""
    said = [(column, cell) for column, cell in zip(columns, row, strict=True) if cell]
    short = [
        Text.assemble((f"{column}: ", "dim"), cell, overflow="fold") for column, cell in said if len(cell) <= _SHORT
    ]
    console.print(Padding(Columns(short, padding=(0, 3, 0, 0)), (1, 0, 0, 0)))
    for column, cell in said:
        if len(cell) > _SHORT:
            console.print(Padding(Text.assemble((f"{column}: ", "dim"), cell), (0, 0, 0, 2)))


def fault_dict(code: int, where: str, detail: str) -> Mapping[str, Any] | None:
    """Describe a stored fault for JSON lists; None when there is none."""
    if not code:
        return None
    said = text(code, language())
    return {"code": f"LT{code:04d}", "where": where, "detail": detail, "what": said.what, "do": said.do}


def said(code: int, where: str, detail: str) -> dict[str, str]:
    """Tell a fault or notice in the person's language, for lists of a program."""
    told = text(code, language())
    return {"code": f"LT{code:04d}", "where": where, "text": f"{told} [{detail}]" if detail else str(told)}


def now_local() -> datetime:
    return datetime.now(tz=VIETNAM)
