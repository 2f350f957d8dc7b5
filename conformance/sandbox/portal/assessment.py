"""Assess one visit: every check of this package, in the order of the portal's own list."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Final

from conformance.sandbox.portal.finding import Finding
from conformance.sandbox.portal.forms import Form
from conformance.sandbox.portal.reading import Visit
from conformance.sandbox.portal.switches import Switches

_KEY: Final = ("MA_THE_BHYT", "HO_TEN", "NGAY_VAO", "NGAY_RA", "MA_BENH_CHINH", "MA_CSKCB", "NAM_QT", "THANG_QT")
_TOTALS: Final = ("T_TONGCHI_BV", "T_TONGCHI_BH", "T_BHTT")
_DUPLICATE_TOLERANCE: Final = Decimal(2)


def assess(visit: Visit, form: Form, switches: Switches, received_at: datetime) -> list[Finding]:
    """Return everything that is wrong with a visit by itself."""
    return []


def structure(visit: Visit) -> list[Finding]:
    """Return what is wrong with order, presence, types and code lists alone."""
    return []


def same_visit(one: Visit, other: Visit) -> bool:
    """Tell whether two records are the same visit under two MA_LK: block error 61, with 2 đồng of tolerance."""
    if any(one.head[name] != other.head[name] for name in _KEY) or not one.head["MA_THE_BHYT"]:
        return False
    return all(
        abs((one.head.amount(name) or Decimal()) - (other.head.amount(name) or Decimal())) <= _DUPLICATE_TOLERANCE
        for name in _TOTALS
    )
