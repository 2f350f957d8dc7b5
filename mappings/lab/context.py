"""What the mapping of a message of an instrument must know that is not in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mappings.hl7v2.context import Context as Hl7Context
from mappings.outcome import Resource


@dataclass(frozen=True)
class Known:
    """What the record knows of one person of a message."""

    patient: Resource
    orders: Mapping[str, tuple[Resource, ...]] = field(default_factory=dict)
    """Number of a specimen → ServiceRequests of this person that it was taken for."""


@dataclass(frozen=True)
class Context(Hl7Context):
    """Say for whom a message is mapped; ids are made as for HL7 v2, so that both meet in one record."""

    approver: str = ""
    """Who answers for results that name nobody: the number of a member of staff or a practice licence."""
    known: Mapping[str, Known] = field(default_factory=dict)
    """Position of a P record (`P`, `P[2]`; `""` before the first) → what the record knows of that person."""
