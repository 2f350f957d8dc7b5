"""What the electronic health book lacks of the visits of one day, before or after their files are sent.

Asks the newest version of each visit's record (`insurance_record`); one that could not be composed is named with its fault.
Which items the book has is `mappings/bhyt/health_book.py`.

Requirement: S2.14
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.engine import Connection

from gateway.clock import to_datetime
from gateway.ops.reports import newest
from gateway.settings import Plan
from gateway.store import documents
from gateway.store import reports as rows
from mappings.bhyt.health_book import Item, is_insured, missing
from mappings.bhyt.visit_file import RECORD, record_to_file_tables
from mappings.formats import json
from mappings.formats.faults import Fault


@dataclass(frozen=True)
class Visit:
    """One visit, and what the book lacks of it."""

    document: str
    number: str
    """MA_LK; empty when the record could not be composed."""
    state: str
    insured: bool
    missing: Sequence[Item]
    fault: tuple[int, str, str]
    """Of a record that could not be composed, or not be read; code 0 = none."""


def health_book(connection: Connection, plan: Plan, begin: int, end: int) -> list[Visit]:
    """Say of every visit whose end was told in a span what the book lacks of it, in the order of their records."""
    known = {row.id: row for row in newest(rows.papers_of(connection, begin, end)) if row.paper == RECORD}
    return [_visit(connection, plan, document) for document in sorted(known)]


def _visit(connection: Connection, plan: Plan, document_id: str) -> Visit:
    row = documents.get(connection, document_id)
    renditions = documents.renditions(connection, document_id, "fhir")
    if not renditions:
        return Visit(document_id, "", row.state, False, (), (row.fault_code, row.fault_where, row.fault_detail))
    context = plan.paper_context(row.id, to_datetime(row.event_at))
    try:
        bundle = json.loads(plan.keyring.open(renditions[0].body, f"{document_id}/fhir"))
        head = plan.facility.head_licence
        visit, _ = record_to_file_tables(bundle, context, head=head, settings=plan.insurance, half_told=True)
    except Fault as fault:
        return Visit(document_id, "", row.state, False, (), (fault.code, fault.where, fault.detail))
    lacking = missing(visit.tables, every_encounter=plan.insurance.summary == "every")
    return Visit(document_id, visit.number, row.state, is_insured(visit.one("XML1")), lacking, (0, "", ""))
