"""Read the made-up hospital's own tables, which lie beside this module as CSV."""

from __future__ import annotations

import csv
from functools import cache
from importlib import resources

Row = dict[str, str]


@cache
def table(name: str) -> tuple[Row, ...]:
    """Return the rows of `data/<name>.csv`, in file order."""
    text = resources.files("conformance.scenarios").joinpath("data", f"{name}.csv").read_text(encoding="utf-8")
    return tuple(csv.DictReader(text.splitlines(keepends=True)))


def several(cell: str) -> list[str]:
    """Split a cell that holds several values joined by `;`; an empty cell holds one empty value."""
    return cell.split(";")
