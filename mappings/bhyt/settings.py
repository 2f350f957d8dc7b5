"""What a facility decides about its insurance files, where the published facts leave a choice. Reads no file."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

from mappings.bhyt.decisions import Calendar


@dataclass(frozen=True)
class Settings:
    """Insurance files as the portal of a facility wants them."""

    from_4750: str = "2024-07-01"
    """Day from which visits that end are written by QĐ 4750; a trial ran from 2024-04-01."""
    from_3176: str = "2026-02-01"
    """The same for QĐ 3176: what portals and producers do; on paper it is 2025-01-01."""
    from_1931: str = "2026-07-01"
    """The same for QĐ 1931, which widens MUC_HUONG."""
    cdata: bool = False
    """Write words of people as CDATA instead of escaping them; a portal takes both."""
    as_guide: bool = False
    """Write the declaration and namespaces that the guide prints around a file; those a portal accepted had none."""
    check: Literal["refuse", "off"] = "refuse"
    """What becomes of a visit in which the rules find what the portal would send back: `refuse` keeps it in the error queue,
    `off` sends it unseen."""
    summary: Literal["every", "stays"] = "every"
    """Which visits bring table 8, from which the health book takes its summary: `every`, or the `stays` that have the paper."""

    def __post_init__(self) -> None:
        days = [_day(name, getattr(self, name)) for name in ("from_4750", "from_3176", "from_1931")]
        if days != sorted(days):
            raise ValueError("from_3176: later than the day of QĐ 4750 and not after that of QĐ 1931")

    @property
    def calendar(self) -> Calendar:
        """From which day on which decision is used."""
        return Calendar(*(date.fromisoformat(text) for text in (self.from_4750, self.from_3176, self.from_1931)))


def _day(name: str, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{name}: a day is written like 2026-02-01") from None


DEFAULT = Settings()
