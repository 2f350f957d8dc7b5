"""What an instrument has to be told so that it knows an order as the record has it: tests new, added, cancelled.

What it was told last is compared with what the record says, so an order that came, changed and went while the instrument was
away is never told, and one that comes again unchanged is not told twice. Does not keep what was told.

Standard: CLSI LIS2-A2 §8.4.12
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mappings.lab.answer import Asked, priority_of, served
from mappings.outcome import Resource

_NEW, _ADD, _CANCEL = "N", "A", "C"
CANCELLED = frozenset({"revoked", "entered-in-error"})
"""Statuses of an order that is taken back."""


@dataclass(frozen=True)
class Told:
    """What an instrument knows of an order; without tests nothing."""

    specimen: str = ""
    patient: str = ""
    """Id of the Patient."""
    priority: str = ""
    tests: tuple[str, ...] = ()


def wanted(order: Resource, patient_id: str, specimen: str, instrument: str, before: Told) -> Told:
    """Give what the instrument should know; an order that is done or rests stays as it was told."""
    status = order.get("status")
    if status in CANCELLED:
        return Told()
    if status != "active":
        return before
    tests = tuple(served(order, instrument)) if specimen else ()
    return Told(specimen, patient_id, priority_of(order), tests) if tests else Told()


def steps(order: Resource, before: Told, after: Told) -> tuple[Sequence[Asked], Sequence[Asked]]:
    """Give what is to be cancelled of what it was told, and what is to be told."""
    same = (before.specimen, before.patient, before.priority) == (after.specimen, after.patient, after.priority)
    kept = set(before.tests) & set(after.tests) if same else set()
    gone = tuple(one for one in before.tests if one not in kept)
    come = tuple(one for one in after.tests if one not in kept)
    cancelled = [Asked(before.specimen, order, gone, _CANCEL)] if gone else []
    return cancelled, [Asked(after.specimen, order, come, _ADD if kept else _NEW)] if come else []
