"""Province and ward of a Vietnamese address as codes, by the list in force on the day of the address.

On 1-7-2025 63 provinces became 34, districts ceased, and the same two digits may mean another province since: a code is only
read together with a day, and the Coding says by its version which list it is of. What is ambiguous stays words: the code of a
split ward is never guessed, and a code that its name contradicts is not believed.

Standard: QĐ 19/2025/QĐ-TTg; NQ 202/2025/QH15
Requirement: S3.18
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from functools import cache, lru_cache
from typing import Any

from mappings import codes
from mappings.fhir.shared import Shared
from mappings.formats.identifiers import match_key
from mappings.hl7v2.context import Context

TWO_LEVELS_SINCE = date(2025, 7, 1)
_PREFIXES = ("tỉnh ", "thành phố ", "tp. ", "tp ", "phường ", "xã ", "đặc khu ", "thị trấn ", "thủ đô ")
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
    return list(_units(state, city, ward, on, context.systems.national))


_LONGEST_NAME = 100
"""No unit has a longer name; what was looked up is kept, and must not be of any length."""


@lru_cache(maxsize=4096)
def _units(state: str, city: str, ward: str, on: date, national: str) -> tuple[dict[str, Any], ...]:
    row = codes.table("vn-ward").find(ward, on) if ward else None
    province = _province(state, on) or _province(city, on)
    above = codes.table("vn-ward-province").find(ward, on) if row else None
    if above and province and above.target != province.target:
        row = None
    elif above:
        province = codes.table("vn-province").find(above.target, on)
    version = TWO_LEVELS_SINCE.isoformat() if on >= TWO_LEVELS_SINCE else f"before-{TWO_LEVELS_SINCE.isoformat()}"
    return tuple(
        Shared(
            {
                "url": f"{national}/StructureDefinition/vn-ext-{kind}",
                "valueCoding": {
                    "system": f"{national}/CodeSystem/vn-{kind}-cs",
                    "version": version,
                    "code": found.target,
                    "display": found.display,
                },
            }
        )
        for kind, found in (("province", province), ("ward", row))
        if found
    )


codes.when_changed(_units.cache_clear)


_PREFIX_KEYS = tuple(match_key(prefix) for prefix in _PREFIXES)


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


def _province(said: str, on: date) -> codes.Row | None:
    """Find a province by its two-digit code or by its name, as it was on that day."""
    if not said:
        return None
    if said.isdigit():
        return codes.table("vn-province").find(said.zfill(2), on) if len(said) <= 3 else None
    code = _names(on >= TWO_LEVELS_SINCE).get(plain_name(said))
    return codes.table("vn-province").find(code, on) if code else None


def plain_name(name: str) -> str:
    """Give the key of a unit's name without what kind of unit it is: `Tỉnh Hoà Bình` and `Hòa Bình` are one."""
    key = match_key(name)
    for prefix in _PREFIX_KEYS:
        if key.startswith(f"{prefix} "):
            return key.removeprefix(f"{prefix} ")
    return key


@cache
def _names(two_level: bool) -> dict[str, str]:
    on = TWO_LEVELS_SINCE if two_level else date(2025, 6, 30)
    return {plain_name(row.display): row.code for row in codes.table("vn-province") if row.covers(on)}
