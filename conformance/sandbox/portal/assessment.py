"""Assess one visit: every check of this package, block errors first in the order of their numbers."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from itertools import islice
from typing import Final

from conformance.sandbox.portal.checks_head import check_head
from conformance.sandbox.portal.checks_money import check_money
from conformance.sandbox.portal.checks_papers import check_papers
from conformance.sandbox.portal.checks_structure import check_structure
from conformance.sandbox.portal.checks_tables import check_tables
from conformance.sandbox.portal.finding import Finding
from conformance.sandbox.portal.forms import Form
from conformance.sandbox.portal.reading import Visit
from conformance.sandbox.portal.switches import Switches

MOST_FINDINGS: Final = 500
"""Of one visit; a file that is wrong everywhere says so early enough."""
_KEY: Final = ("MA_THE_BHYT", "HO_TEN", "NGAY_VAO", "NGAY_RA", "MA_BENH_CHINH", "MA_CSKCB", "NAM_QT", "THANG_QT")
_TOTALS: Final = ("T_TONGCHI_BV", "T_BHTT")
_DUPLICATE_TOLERANCE: Final = Decimal(2)


def assess(visit: Visit, form: Form, switches: Switches, received_at: datetime) -> list[Finding]:
    """Return everything that is wrong with a visit by itself."""
    found = structure(visit)
    if form.name == "record":
        found += islice(check_head(visit, switches, received_at), MOST_FINDINGS)
        found += islice(check_money(visit, switches.tolerance), MOST_FINDINGS)
        found += islice(check_tables(visit, switches, received_at), MOST_FINDINGS)
    if form.name in ("record", "check-in"):
        found += islice(check_papers(visit), MOST_FINDINGS)
    blocks = sorted((each for each in found if each.kind == "block"), key=lambda each: int(each.code))
    return [*blocks, *(each for each in found if each.kind != "block")][:MOST_FINDINGS]


def structure(visit: Visit) -> list[Finding]:
    """Return what is wrong with order, presence, types and code lists alone."""
    return list(islice(check_structure(visit), MOST_FINDINGS))


def identity(visit: Visit) -> tuple[str, ...] | None:
    """Return what two records of the same visit share; None for a visit without a card."""
    return tuple(visit.head[name] for name in _KEY) if visit.head["MA_THE_BHYT"] else None


def same_totals(one: Visit, other: Visit) -> bool:
    """Tell whether the totals agree within the 2 đồng of block error 61."""
    return all(
        abs((one.head.amount(name) or Decimal()) - (other.head.amount(name) or Decimal())) <= _DUPLICATE_TOLERANCE
        for name in _TOTALS
    )
