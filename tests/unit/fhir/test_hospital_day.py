"""No invalid resource comes out of a hospital's day, whatever the HIS and LIS of the scenario send."""

from __future__ import annotations

from collections import Counter

from conformance.scenarios.hospital_day import hospital_day
from mappings.fhir import problems
from mappings.formats.er7 import Message
from mappings.hl7v2 import Context, map_message


def test_everything_mapped_from_a_day_is_sound() -> None:
    found: Counter[tuple[str, str]] = Counter()
    checked = 0
    for event in hospital_day(encounters=25).events:
        if event.expect != "accepted":
            continue
        for resource in map_message(Message.parse(event.raw), Context(facility="01999")).resources:
            found.update((problem.path, problem.rule) for problem in problems(resource))
            checked += 1
    assert found == Counter()
    assert checked > 500
