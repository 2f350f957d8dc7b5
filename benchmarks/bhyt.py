"""Insurance files: a visit of about sixty lines read to FHIR, written from it, checked, beside lxml parsing the same."""

from __future__ import annotations

from datetime import date

from lxml import etree

from benchmarks.figures import Row, in_turns
from mappings.bhyt.envelope import read as read_envelope
from mappings.bhyt.fhir import record_to_visit, visit_to_outcome
from mappings.bhyt.files import visit_to_file
from mappings.bhyt.lists import NONE
from mappings.bhyt.rules import Checker
from mappings.bhyt.visits import read_visits
from tests.unit.bhyt import clean
from tests.unit.bhyt.clean_visits import LISTS, NOW


def measure() -> list[Row]:
    data = clean.file_of(clean.inpatient(days=6))
    (visit,) = read_visits(data)
    lines = sum(len(rows) for rows in visit.tables.values())
    outcome = visit_to_outcome(visit)
    resources = list(outcome.resources)
    bare, full = Checker(NONE), Checker(LISTS)

    def parse() -> None:
        """Parse the file and every table in it, and look at nothing."""
        etree.fromstring(data)
        for _, content in read_envelope(data).visits[0]:
            etree.fromstring(content)

    def write() -> None:
        found = record_to_visit(resources, outcome.encounter_id, decision="3176", facility=clean.FACILITY)
        visit_to_file(found, decision="3176", made_on=date(2026, 3, 9))

    took = in_turns(
        {
            "parse": parse,
            "rows": lambda: list(read_visits(data)),
            "read": lambda: [visit_to_outcome(one) for one in read_visits(data)],
            "write": write,
            "check": lambda: bare.check(visit, now=NOW),
            "check with lists": lambda: full.check(visit, now=NOW),
        }
    )
    title = f"visit of {lines} lines, {len(data) / 1024:.0f} KB"
    beside = "lxml parse"
    return [
        Row(f"{title}: lxml parse of file and tables", took["parse"], "us"),
        Row(f"{title}: read to rows", took["rows"], "us", beside, took["rows"] / took["parse"]),
        Row(f"{title}: read to FHIR, accounted for", took["read"], "us", beside, took["read"] / took["parse"]),
        Row(f"{title}: write from FHIR", took["write"], "us", beside, took["write"] / took["parse"]),
        Row(f"{title}: check", took["check"], "us", beside, took["check"] / took["parse"]),
        Row(
            f"{title}: check, all lists",
            took["check with lists"],
            "us",
            beside,
            took["check with lists"] / took["parse"],
        ),
    ]
