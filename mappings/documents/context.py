"""What a paper must say that is not in the patient's record."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from mappings.systems import Systems


@dataclass(frozen=True)
class Facility:
    """Name the issuing facility as its papers print it."""

    code: str
    """MA_CSKCB."""
    name: str
    governing_body: str
    """`SỞ Y TẾ …` or `BỘ Y TẾ`."""
    address: str
    phone: str
    head_licence: str = ""
    """Practice licence of the head (MA_TTDV)."""


@dataclass(frozen=True)
class Context:
    """Say who issues a paper, when, under which number."""

    facility: Facility
    systems: Systems
    issued_at: datetime
    """Aware."""
    number: str
    """Id of the document: the text of a UUID."""
    version: int = 1
    replaces: str | None = None
    """Number of the version this one replaces."""
    reason: str = ""
    """Why there is a new version, in the words of whoever wanted it (S3.10)."""
    by: str = ""
    """Who wanted it; `""` = the facility's own systems."""
    reissue: bool = False
    """True when the same paper is given out once more: it says so on its face (Thông tư 25/2025/TT-BYT Điều 28)."""
