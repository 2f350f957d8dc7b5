"""What `lienthong bhyt check` is told: readings of the rules by name, and the lists of a site from its folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from mappings.bhyt.faults import ListInvalid
from mappings.bhyt.lists import NONE, Lists, parse_list
from mappings.bhyt.rules import DEFAULT, Settings

_CALENDAR = tuple(field.name for field in fields(DEFAULT.calendar))
NAMES = (*(field.name for field in fields(Settings) if field.name not in ("calendar", "base_salary")), *_CALENDAR)
"""Readings that can be set; those of the calendar are days."""


def settings_of(pairs: Sequence[str]) -> Settings:
    """Read `name=value`: yes or no, a number, kinds with commas, a day. Raises ValueError with the name that is wrong."""
    settings = DEFAULT
    for pair in pairs:
        name, told, value = pair.partition("=")
        if not told or name not in NAMES:
            raise ValueError(f"{name}: {', '.join(NAMES)}")
        try:
            if name in _CALENDAR:
                settings = replace(settings, calendar=replace(settings.calendar, **{name: date.fromisoformat(value)}))
            else:
                settings = replace(settings, **{name: _like(getattr(DEFAULT, name), value)})
        except (ValueError, InvalidOperation):
            raise ValueError(pair) from None
    return settings


def _like(usual: object, value: str) -> Any:
    if isinstance(usual, bool):
        return {"yes": True, "no": False, "true": True, "false": False, "1": True, "0": False}.get(
            value.lower()
        ) or _no(value)
    if isinstance(usual, int):
        return int(value)
    if isinstance(usual, Decimal):
        return Decimal(value)
    return frozenset(part.strip() for part in value.split(",") if part.strip())


def _no(value: str) -> bool:
    if value.lower() not in ("no", "false", "0"):
        raise ValueError(value)
    return False


def lists_of(folder: Path | None) -> Lists:
    """Read every CSV file of a folder as the list it is named after; raises ListInvalid."""
    if folder is None:
        return NONE
    found = {}
    for file in sorted(folder.iterdir()):
        if file.suffix.lower() == ".csv":
            name = file.stem.upper()
            try:
                found[name] = parse_list(name, file.read_bytes().decode("utf-8-sig"))
            except UnicodeDecodeError:
                raise ListInvalid(name, "not UTF-8") from None
    return Lists(found)
