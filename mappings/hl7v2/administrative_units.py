"""Province and ward of an address in XAD as codes, by the list in force on the day of the address.

Which component may hold what, and of which day it is; the lists themselves are read by `mappings/vietnam_units.py`.

Standard: QĐ 19/2025/QĐ-TTg; NQ 202/2025/QH15
Requirement: S3.18
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from mappings.hl7v2.context import Context
from mappings.vietnam_units import TWO_LEVELS_SINCE, units

_VIETNAM = ("", "VN", "VNM", "VIET NAM", "VIỆT NAM", "VIETNAM", "704")


def units_to_extensions(component: Callable[[int], str], context: Context) -> list[dict[str, Any]]:
    """Give `vn-ext-province` and `vn-ext-ward` of the components of XAD; none when it is abroad, undated or unclear.

    The province is XAD.4, code or name; the ward the first five-digit code in XAD.9, XAD.10, XAD.8 or XAD.3.
    """
    if component(6).strip().upper() not in _VIETNAM:
        return []
    on = _day(component, context)
    if on is None:
        return []
    ward = next((code for n in (9, 10, 8, 3) if len(code := component(n).strip()) == 5 and code.isdigit()), "")
    state, city = (name if len(name := component(n).strip()) <= _LONGEST_NAME else "" for n in (4, 3))
    return list(units(state, city, ward, on, context.systems.national))


_LONGEST_NAME = 100
"""No unit has a longer name; what was looked up is kept, and must not be of any length."""


def two_levels(component: Callable[[int], str], context: Context) -> bool:
    """Tell whether the address is of a day on which districts no longer were."""
    on = _day(component, context)
    return on is not None and on >= TWO_LEVELS_SINCE


def _day(component: Callable[[int], str], context: Context) -> date | None:
    """Give the day the address is of: its end, else its start, else the day of the message."""
    for text in (component(14), component(13), context.on.replace("-", "")):
        if len(text) >= 8 and text[:8].isdigit():
            try:
                return date(int(text[:4]), int(text[4:6]), int(text[6:8]))
            except ValueError:
                continue
    return None
