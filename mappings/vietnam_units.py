"""Provinces and wards of Vietnam as codes, by the list in force on a day.

On 1-7-2025 63 provinces became 34, districts ceased, and the same two digits may mean another province since: a code is only
read together with a day, and the Coding says by its version which list it is of. What is ambiguous stays words: the code of a
split ward is never guessed, and a code that its name contradicts is not believed.

Standard: QĐ 19/2025/QĐ-TTg; NQ 202/2025/QH15
Requirement: S3.18
"""

from __future__ import annotations

from datetime import date
from functools import cache, lru_cache
from typing import Any

from mappings import codes
from mappings.fhir.shared import Shared
from mappings.formats.identifiers import match_key

TWO_LEVELS_SINCE = date(2025, 7, 1)
_PREFIXES = ("tỉnh ", "thành phố ", "tp. ", "tp ", "phường ", "xã ", "đặc khu ", "thị trấn ", "thủ đô ")


@lru_cache(maxsize=512)
def units(state: str, city: str, ward: str, on: date, national: str) -> tuple[dict[str, Any], ...]:
    """Give `vn-ext-province` and `vn-ext-ward`: province by code or name (`state`, else `city`), ward by its five digits."""
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


codes.when_changed(units.cache_clear)

_PREFIX_KEYS = tuple(match_key(prefix) for prefix in _PREFIXES)


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
