"""Đơn thuốc "H": the prescription of psychotropics and precursors of a visit; annex III of TT 26/2025/TT-BYT.

Trigger, required content and what happens when an item is missing: `prescriptions`. How medicines are written: `medicines`.

Requirement: S3.15
"""

from __future__ import annotations

from collections.abc import Sequence

from mappings.documents import prescriptions
from mappings.documents.content import Content
from mappings.documents.context import Context
from mappings.documents.record import Record
from mappings.outcome import Resource


def subjects(resources: Sequence[Resource]) -> list[str]:
    """Give the prescriptions of this class that a message speaks of."""
    return prescriptions.subjects(resources, "prescription_psychotropic")


def changed(resources: Sequence[Resource]) -> list[str]:
    """Give those of which a message says anything."""
    return prescriptions.changed(resources, "prescription_psychotropic")


def gather(record: Record, subject: Resource, context: Context) -> Content:
    """Collect what the prescription says."""
    return prescriptions.gather(record, subject, context, "prescription_psychotropic")
