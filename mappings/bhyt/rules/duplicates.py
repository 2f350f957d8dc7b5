"""Rules about several records of a run: the same visit twice, the same number twice. Remembers digests and totals only."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

from mappings.bhyt.rules.case import ZERO, Case, number
from mappings.bhyt.rules.core import RULES, Finding, Hit, rule
from mappings.bhyt.visits import Visit

_SAME = (
    *("MA_THE_BHYT", "HO_TEN", "NGAY_VAO", "NGAY_RA", "MA_BENH_CHINH", "MA_CSKCB", "NAM_QT", "THANG_QT"),
    "NGAY_SINH",
)
_TOTALS = ("T_TONGCHI_BV", "T_TONGCHI_BH", "T_BHTT")
TOLERANCE = Decimal(2)
"""Đồng by which totals of a duplicate may differ. Standard: block error 61"""


class Key(NamedTuple):
    """What a later record of a run is compared with."""

    number: bytes
    visit: bytes
    totals: tuple[Decimal, ...]


def key_of(visit: Visit) -> Key | None:
    """Give the key of a record; None for one that is no visit."""
    one = visit.one("XML1")
    if not one:
        return None
    ours = _digest(visit.facility or one.get("MA_CSKCB", ""), visit.number)
    same = _digest(*(one.get(field, "") for field in _SAME))
    return Key(ours, same, tuple(number(one.get(field, "")) or ZERO for field in _TOTALS))


def _digest(*values: str) -> bytes:
    return hashlib.blake2b("\x1f".join(values).encode(), digest_size=12).digest()


class Earlier:
    """The records of a run so far, file by file."""

    def __init__(self) -> None:
        self._file = 0
        self._numbers: dict[bytes, int] = {}
        self._visits: dict[bytes, tuple[Decimal, ...]] = {}

    def another_file(self) -> None:
        """Say that the next record stands in another file."""
        self._file += 1

    def has_number(self, key: Key) -> bool:
        """Say whether the same number came already in this file."""
        return self._numbers.get(key.number) == self._file

    def has_number_elsewhere(self, key: Key) -> bool:
        """Say whether the same number came already in another file only."""
        return self._numbers.get(key.number, self._file) != self._file

    def has_visit(self, key: Key) -> bool:
        """Say whether the same visit came already, under another number."""
        totals = self._visits.get(key.visit)
        near = totals is not None and all(abs(a - b) <= TOLERANCE for a, b in zip(totals, key.totals, strict=True))
        return near and key.number not in self._numbers

    def add(self, key: Key) -> None:
        self._numbers[key.number] = self._file
        self._visits.setdefault(key.visit, key.totals)

    def findings(self, key: Key) -> list[Finding]:
        """Compare a record that another process has checked, and remember it."""
        found = [
            Finding(name, RULES[name].severity, "XML1", 1, "MA_LK", "duplicate")
            for name, came in (
                ("BR-001", self.has_visit),
                ("BR-002", self.has_number),
                ("BR-003", self.has_number_elsewhere),
            )
            if came(key)
        ]
        self.add(key)
        return found


@rule(
    "BR-001",
    "block error 61: same card, name, times, disease, facility, period, totals within 2 đồng",
    "XML1",
    errors=(61,),
)
def visit_came_already(case: Case) -> Iterator[Hit]:
    if case.earlier and (key := key_of(case.visit)) and case.earlier.has_visit(key):
        yield Hit("XML1", 1, "MA_LK", "duplicate")


@rule("BR-002", "README §2: MA_LK is unique in the facility", "XML1")
def number_came_already(case: Case) -> Iterator[Hit]:
    if case.earlier and (key := key_of(case.visit)) and case.earlier.has_number(key):
        yield Hit("XML1", 1, "MA_LK", "duplicate")


@rule("BR-003", "README §8: a correction keeps its MA_LK", "XML1", warns=True)
def number_came_already_elsewhere(case: Case) -> Iterator[Hit]:
    if case.earlier and (key := key_of(case.visit)) and case.earlier.has_number_elsewhere(key):
        yield Hit("XML1", 1, "MA_LK", "duplicate")
