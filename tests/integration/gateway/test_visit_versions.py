"""The record of a visit is made again when something of the visit comes after its end, and only then."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from conformance.scenarios.event import Event
from conformance.scenarios.hospital_day import hospital_day
from gateway.clock import to_datetime
from gateway.store import documents
from mappings.bhyt.visit_file import record_to_file_tables
from mappings.bhyt.visits import Visit
from mappings.formats import json
from tests.conftest import HandClock
from tests.integration.gateway.desk import Desk

RECORD = "insurance_record"


def course() -> tuple[list[Event], Event]:
    """The messages of one visit of the day to its end, and the booking of the next, which the HIS sends last."""
    events = [one for one in hospital_day().events if one.expect == "accepted"]
    for booking in (one for one in events if b"|SIU^S12^" in one.raw):
        own = [one for one in events if set(one.patients) & set(booking.patients)]
        ends = [one for one in own if b"|ADT^A03^" in one.raw]
        if len(ends) == 1 and own.index(ends[0]) == len(own) - 1 and len(booking.patients) == 1:
            return [one for one in own if one is not booking], booking
    raise AssertionError("no such visit")


@pytest.fixture
def desk(tmp_path: Path, clock: HandClock) -> Desk:
    return Desk(tmp_path / "site", f"sqlite:///{tmp_path / 'ledger.db'}", clock, produce=(RECORD,))


def versions(desk: Desk) -> list[tuple[Any, Visit]]:
    rows = desk.store.read_now(lambda c: documents.listing(c))[::-1]
    return [(row, tables(desk, row)) for row in rows if row.state == "signed"]


def tables(desk: Desk, row: Any) -> Visit:
    (kept,) = desk.store.read_now(lambda c: documents.renditions(c, row.id, "fhir"))
    document = json.loads(desk.keyring.open(kept.body, f"{row.id}/fhir"))
    context = desk.plan.paper_context(row.id, to_datetime(row.event_at))
    return record_to_file_tables(document, context, head="000001/HNO-GPHN")[0]


def test_a_booking_after_the_end_makes_it_again_with_its_table(desk: Desk) -> None:
    """Though the HIS wrote it before the discharge, and what it says of the visit itself is known better."""
    visit, booking = course()
    for one in visit:
        desk.send(one.raw)
    ((first, before),) = versions(desk)
    assert "XML14" not in before.tables
    desk.send(booking.raw)
    (_, (second, after)) = versions(desk)
    assert (second.version, second.replaces_id) == (2, first.id)
    assert after.number == before.number
    assert len(after.tables["XML14"]) == 1
    same = before.tables.keys() - {"XML1", "XML8"}  # the sum and the summary know the day, too
    assert {name: after.tables[name] for name in same} == {name: before.tables[name] for name in same}


def test_what_says_nothing_new_makes_no_version(desk: Desk) -> None:
    visit, booking = course()
    for one in (*visit, booking):
        desk.send(one.raw)
    before = [row.id for row, _ in versions(desk)]
    desk.send(booking.raw.replace(booking.control_id.encode(), b"AGAIN-1"))
    assert [row.id for row, _ in versions(desk)] == before
