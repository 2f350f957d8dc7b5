"""What a mapping gives back: resources, and an account of every field it was given (promise P7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Resource = dict[str, Any]
"""A FHIR R4 resource, shaped as its JSON; decimals are `decimal.Decimal`, never float."""


@dataclass(frozen=True)
class Coverage:
    """Account for every populated field of one message: `mapped + ignored + unknown` are all of them, none twice.

    Positions are written with their occurrence where a segment repeats: `PID-3`, `OBX[2]-5`, `ZPI-1`.
    """

    mapped: tuple[str, ...] = ()
    ignored: Mapping[str, str] = field(default_factory=dict)
    """Left out on purpose: position → the reason, a short English phrase."""
    unknown: tuple[str, ...] = ()
    """Populated, and no mapping knows it. Shown to people; never dropped silently."""

    @property
    def total(self) -> int:
        return len(self.mapped) + len(self.ignored) + len(self.unknown)


@dataclass(frozen=True)
class Notice:
    """Something a person should look at although the message went through; `code` is a key of the fault texts."""

    code: int
    where: str
    detail: str = ""


@dataclass(frozen=True)
class Outcome:
    """The result of mapping one message."""

    resources: Sequence[Resource]
    coverage: Coverage
    notices: Sequence[Notice] = ()
    patient_id: str | None = None
    """Id of the Patient the message is about; None when it is about nobody."""
    encounter_id: str | None = None
    merged: tuple[str, str] | None = None
    """(surviving Patient id, replaced Patient id) for a merge (A40)."""
