"""The compiled R4 definitions: read once, each type decoded when it is first met.

Made by `deploy/generate_fhir_tables.py`.
"""

from __future__ import annotations

import gzip
import json
from functools import cache
from importlib.resources import files
from typing import NamedTuple


class ElementRow(NamedTuple):
    """One element as the definitions have it."""

    name: str
    """As in the definitions: a choice ends in `[x]`."""
    minimum: int
    maximum: int
    """0 means unlimited: a JSON array."""
    types: tuple[str, ...]
    """Names of types; `#Bundle.link` is the shape of another element."""
    targets: frozenset[str]
    """Types a reference may point at; empty means any."""
    binding: str
    """Name of the value set of a required binding, or empty."""


class Tables:
    """Element rows by the path of the object they belong to; code sets by name."""

    def __init__(self, resources: list[str], types: dict[str, str], codes: dict[str, list[str]]) -> None:
        self.resources = frozenset(resources)
        self._types = types
        self._codes = codes
        self._rows: dict[str, tuple[ElementRow, ...]] = {}

    def rows(self, path: str) -> tuple[ElementRow, ...]:
        """Return the elements of an object, `Patient` or `Patient.contact`."""
        if path not in self._rows:
            shapes = json.loads(self._types[path.partition(".")[0]])
            for shape, rows in shapes.items():
                self._rows[shape] = tuple(
                    ElementRow(r[0], r[1], r[2], tuple(r[3]), frozenset(r[4]), r[5]) for r in rows
                )
        return self._rows[path]

    def members(self, value_set: str) -> frozenset[str]:
        """Return `system|code` of every member."""
        return frozenset(self._codes[value_set])


@cache
def load() -> Tables:
    """Return the tables of this package."""
    packed = files(__package__).joinpath("tables.json.gz").read_bytes()
    content = json.loads(gzip.decompress(packed))
    return Tables(content["resources"], content["types"], content["codes"])
