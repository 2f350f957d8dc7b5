"""Every field that the official v2-to-FHIR tables map, we map; what is left out on purpose stands here with the reason."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from mappings.hl7v2 import segments

_FIELD = re.compile(r"^([A-Z][A-Z0-9]{2})[-.]([0-9]+)$")
_NO_ELEMENT = "extension??"
"""How the tables write that R4 has no element yet."""

LEFT_OUT = {
    "PRT-2": "an instruction to the receiver, no element",
}
"""Position → why it is not mapped although the tables map it."""


def officially_mapped(corpora: Path) -> Iterator[str]:
    """Give `PID-5` for every field with a target in R4, over all segment tables."""
    for path in sorted((corpora / "v2-to-fhir" / "segments").glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file))
        for row in rows[2:]:
            match = _FIELD.match(row[1].strip()) if len(row) > 9 else None
            if match and row[9].strip() and _NO_ELEMENT not in row[9] and row[9].strip() != "local implementation":
                yield f"{match[1]}-{int(match[2])}"


def unmapped(positions: set[str]) -> list[str]:
    tables = {
        entry.name.upper(): import_module(f"{segments.__name__}.{entry.name}")
        for entry in iter_modules(segments.__path__)
    }
    found = []
    for position in sorted(positions):
        name, _, n = position.partition("-")
        if name not in tables:
            found.append(f"{position}: no module")
        elif int(n) not in tables[name].MAPPED:
            found.append(f"{position}: {tables[name].IGNORED.get(int(n), 'not spoken of')}")
    return found


def test_all_are_mapped_or_left_out_with_a_reason(corpora: Path) -> None:
    positions = set(officially_mapped(corpora))
    assert len(positions) > 390
    assert [line for line in unmapped(positions) if line.partition(":")[0] not in LEFT_OUT] == []


def test_no_reason_outlives_its_field(corpora: Path) -> None:
    still = {line.partition(":")[0] for line in unmapped(set(officially_mapped(corpora)))}
    assert set(LEFT_OUT) - still == set()


def test_a_missing_field_is_seen() -> None:
    assert unmapped({"PID-3"}) == []
    assert unmapped({"PID-99", "ZZZ-1"}) == ["PID-99: not spoken of", "ZZZ-1: no module"]
