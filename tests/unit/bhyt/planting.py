"""How an error is planted: a clean visit, what is changed in it, and what else follows from the change."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from mappings.bhyt.rules import DEFAULT, Settings
from mappings.bhyt.visits import Visit
from tests.unit.bhyt.clean_visits import DAYS, Row, Tables, clean, copied, file_of, resum

_PLACE = re.compile(r"(XML\d+)(?:\[(\d+)\])?\.(\w+)")


@dataclass(frozen=True)
class Planted:
    """One error; `also` are the rules that the same change cannot but break."""

    rule: str
    kind: str
    change: Mapping[str, str] = field(default_factory=dict)
    """`XML3[2].MA_MAY` → value, in the first row where none is named."""
    also: tuple[str, ...] = ()
    decision: str = "3176"
    drop: str = ""
    add: str = ""
    """`sick_leave:XML11`: this table of another kind of visit too."""
    again: str = ""
    """`XML3[2]`: this row once more, before the change."""
    settings: Settings = DEFAULT
    bytes_: Callable[[bytes], bytes] = bytes
    written: str = ""
    """The decision whose shape the file has, if not that of the visit."""
    twice: Mapping[str, str] | None = None
    """The visit comes a second time, changed so."""
    apart: bool = False
    """In a file of its own."""

    @property
    def tables(self) -> Tables:
        tables = copied(clean(self.kind, self.decision))
        if self.drop:
            del tables[self.drop]
        if self.add:
            kind, _, name = self.add.partition(":")
            tables[name] = copied(clean(kind, self.decision))[name]
        if self.again:
            name, _, n = self.again.rstrip("]").partition("[")
            row = dict(tables[name][int(n or 1) - 1])
            if "STT" in row:
                row["STT"] = str(len(tables[name]) + 1)
            tables[name].append(row)
        changes = list(self.change.items())
        _apply(tables, [one for one in changes if not one[0].startswith("XML1.")])
        if "XML1" in tables:
            resum(tables)
        _apply(tables, [one for one in changes if one[0].startswith("XML1.")])
        return tables

    @property
    def file(self) -> bytes:
        (file,) = self.files
        return file

    @property
    def files(self) -> list[bytes]:
        """Give the file, or the two files, with the error."""
        first = Visit({name: tuple(rows) for name, rows in self.tables.items()})
        visits = [first]
        if self.twice is not None:
            tables = copied(first)
            _apply(tables, list(self.twice.items()))
            if "MA_LK" in self.twice:
                for row in (row for rows in tables.values() for row in rows):
                    row["MA_LK"] = self.twice["MA_LK"]
            visits.append(Visit({name: tuple(rows) for name, rows in tables.items()}))
        groups = [[visit] for visit in visits] if self.apart else [visits]
        return [self.bytes_(file_of(group, self.written or self.decision)) for group in groups]

    def under(self, decision: str) -> Planted:
        """Plant the same error in the visit of another decision: days of the visit move with it."""
        moved = DAYS[decision] - DAYS[self.decision]

        def shifted(value: str) -> str:
            days = (
                _DAY.sub(lambda found: f"{date.fromisoformat(found[0]) + moved:%Y%m%d}", part)
                for part in value.split(";")
            )
            return ";".join(days) if _DAYS.fullmatch(value) else value

        change = {place: shifted(value) for place, value in self.change.items()}
        twice = self.twice and {place: shifted(value) for place, value in self.twice.items()}
        return replace(self, decision=decision, change=change, twice=twice)


_DAY = re.compile(r"20260[2-7]\d\d(?=\d{4}$|$)")
_DAYS = re.compile(r"(20260[2-7]\d\d(\d{4})?)(;20260[2-7]\d\d(\d{4})?)*")


def _apply(tables: Tables, changes: list[tuple[str, str]]) -> None:
    for place, value in changes:
        found = _PLACE.fullmatch(place)
        if found:
            row: Row = tables[found[1]][int(found[2] or 1) - 1]
            assert found[3] in row, place
            row[found[3]] = value


def P(rule: str, kind: str, change: Mapping[str, str] | None = None, **more: Any) -> Planted:
    return Planted(rule, kind, change or {}, ALSO.get(rule, ()), **more)


ALSO: dict[str, tuple[str, ...]] = {
    "BF-001": ("BT-003",),
    "BF-009": ("BF-010",),
    "BF-013": ("B1-134",),
    "BF-014": ("B1-079",),
    "BF-025": ("BF-021",),
    "B1-005": ("B1-007",),
    "B1-014": ("BF-021",),
    "B1-015": ("BF-021",),
    "B1-020": ("B1-004",),
    "BC-003": ("BC-002",),
    "B1-059": ("B9-007",),
    "B1-061": ("B10-004",),
    "B1-075": ("BF-023",),
    "B1-087": (
        "B8-001",
        "BT-007",
    ),
    "B1-088": (
        "BT-004",
        "BT-005",
    ),
    "B1-091": ("B13-003",),
    "B1-096": (
        "B0-003",
        "B0-008",
    ),
    "B1-100": ("B3-082",),
    "B1-101": ("B3-082",),
    "B1-102": (
        "B13-002",
        "B3-082",
    ),
    "B1-103": ("B3-082",),
    "B1-104": ("B3-082",),
    "B1-105": (
        "B1-108",
        "BT-014",
        "BT-015",
    ),
    "B1-111": ("B13-002",),
    "B3-081": ("B3-082",),
    "B2-001": ("B2-002",),
    "B2-004": (
        "B1-131",
        "B2-008",
    ),
    "B2-006": (
        "B1-048",
        "B1-131",
        "B1-135",
        "B2-004",
    ),
    "B2-007": (
        "B1-131",
        "B2-004",
    ),
    "B2-008": ("B1-048",),
    "B2-010": (
        "B1-130",
        "B1-135",
        "B2-005",
        "B2-006",
        "B2-007",
    ),
    "B3-001": (
        "B1-131",
        "B1-132",
        "B3-004",
        "B3-007",
    ),
    "B3-004": (
        "B1-131",
        "B3-008",
    ),
    "B3-006": (
        "B1-048",
        "B1-131",
        "B1-135",
        "B3-004",
    ),
    "B3-007": (
        "B1-131",
        "B3-004",
    ),
    "B3-010": (
        "B1-130",
        "B1-135",
        "B3-005",
        "B3-006",
        "B3-007",
    ),
    "B3-011": (
        "B1-131",
        "B1-132",
        "B3-004",
        "B3-007",
    ),
    "B1-122": ("B1-131",),
    "B1-123": ("B1-135",),
    "B1-124": ("B1-131",),
    "B1-125": (
        "B1-048",
        "B1-131",
        "B1-135",
    ),
    "B1-126": (
        "B1-131",
        "B1-135",
    ),
    "B1-127": ("B1-131",),
    "B1-129": (
        "B1-126",
        "B1-128",
        "B1-131",
        "B1-135",
    ),
    "B1-130": (
        "B1-124",
        "B1-126",
        "B1-135",
    ),
    "B1-131": ("B1-124",),
    "B1-132": (
        "B1-123",
        "B1-135",
    ),
    "B1-133": ("B1-128",),
    "B1-135": (
        "B1-048",
        "B1-125",
        "B1-131",
    ),
    "B2-025": ("B2-054",),
    "B2-029": ("B2-050",),
    "B3-029": ("B3-077",),
    "B3-035": ("B3-072",),
    "B3-036": ("B3-072",),
    "B3-047": ("B3-046",),
    "B3-060": ("B3-074",),
    "B3-062": ("B3-076",),
    "BT-002": ("B1-129",),
    "BT-006": (
        "B1-083",
        "B3-054",
        "B8-001",
        "BT-007",
    ),
    "BT-007": (
        "B1-083",
        "B1-087",
        "B8-001",
    ),
    "BT-010": (
        "B1-092",
        "B13-002",
    ),
    "B4-001": ("BT-003",),
    "B5-004": ("B5-001",),
    "BS-001": ("B2-060",),
    "B7-010": ("B1-061",),
    "B7-012": ("BC-005",),
    "B13-003": ("B1-019",),
    "B13-008": ("B1-093",),
    "B14-003": ("B14-005",),
    "B9-005": ("B9-007",),
    "B10-004": ("B1-061",),
}
"""What follows from an error besides the rule it is planted for."""


def setting(**values: Any) -> Settings:
    return replace(DEFAULT, **values)


def inside(name: str, change: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    """Change the inner document of a table."""

    def changed(data: bytes) -> bytes:
        pattern = rb"(<LOAIHOSO>" + name.encode() + rb"</LOAIHOSO><NOIDUNGFILE>)([^<]*)"
        found = re.search(pattern, data)
        assert found
        inner = base64.b64encode(change(base64.b64decode(found[2])))
        return data[: found.start(2)] + inner + data[found.end(2) :]

    return changed


def swap(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    def changed(data: bytes) -> bytes:
        assert old in data
        return data.replace(old, new, 1)

    return changed


def plain(data: bytes) -> bytes:
    found = re.search(rb"<LOAIHOSO>XML1</LOAIHOSO><NOIDUNGFILE>([^<]*)", data)
    assert found
    inner = base64.b64decode(found[1]).partition(b"?>")[2].strip()
    return data[: found.start(1)] + inner + data[found.end(1) :]


D = "20260309"
"""The first day of the visits of QĐ 3176."""
