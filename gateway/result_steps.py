"""Map a report out of a table of results: pure, run in the pool beside `gateway/steps.py`."""

from __future__ import annotations

from collections.abc import Mapping

from mappings.hl7v2 import Context
from mappings.hl7v2.business_keys import folded
from mappings.lab import report
from mappings.lab.asked import Person
from mappings.lab.context import Known
from mappings.lab.faults import LayoutMissing
from mappings.lab.layout import Layout
from mappings.lab.rows import split_reports
from mappings.outcome import Outcome, Resource

FAMILY = "RESULT"
"""How `accept` calls tables of results."""
FILE = f"{FAMILY}^FILE"
"""A table as a whole: kept, mapped through its reports."""
ROWS = f"{FAMILY}^ROWS"
"""One report of a table."""
TRIGGER = report.TRIGGER
_KEYS = (
    ("patient", ("patient", "citizen_id")),
    ("card", ("card",)),
    ("order", ("order", "filler")),
    ("encounter", ("encounter",)),
)
"""Kind of number people look by → the fields that hold it."""


def map_report(raw: bytes, layout: Layout | None, context: Context, known: Mapping[str, Known]) -> Outcome:
    """Map the message of one report; raises LayoutMissing and the faults of `mappings.lab` and of ORU^R01."""
    return report.report_to_outcome(raw, _declared(layout), context, known)


def asked_of(raw: bytes, layout: Layout | None) -> tuple[Person, ...]:
    """Read whose report it is; raises as `map_report`."""
    return (report.person_of(raw, _declared(layout)),)


def map_table(raw: bytes, layout: Layout, context: Context) -> list[Resource]:
    """Map a whole table, as a channel's own test has it: the resources of all of its reports, each once."""
    found: dict[tuple[str, str], Resource] = {}
    for one in split_reports(raw, layout, ""):
        if one.fault:
            raise one.fault
        for resource in report.report_to_outcome(one.body, layout, context, {}).resources:
            found[resource["resourceType"], resource["id"]] = resource
    return list(found.values())


def keys_of(raw: bytes, layout: Layout | None) -> tuple[tuple[str, str], ...]:
    """Return the numbers by which people look for it."""
    numbers = report.numbers_of(raw, _declared(layout))
    return tuple(
        dict.fromkeys((kind, folded(text)) for kind, names in _KEYS for name in names for text in numbers.get(name, ()))
    )


def _declared(layout: Layout | None) -> Layout:
    if layout is None:
        raise LayoutMissing("[layout]")
    return layout
