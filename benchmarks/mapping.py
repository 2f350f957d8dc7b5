"""Mapping to FHIR: from bytes to checked resources."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.figures import Row, per_call_us
from conformance.scenarios.load import oru, small_adt
from mappings import hl7v2
from mappings.fhir import require_valid
from mappings.formats import er7, json

CONTEXT = hl7v2.Context("01999", message_id="0197f000-0000-7000-8000-000000000000")


def mapped(raw: bytes, *, check: bool) -> Callable[[], object]:
    def work() -> bytes:
        outcome = hl7v2.map_message(er7.Message.parse(raw), CONTEXT)
        if check:
            for resource in outcome.resources:
                require_valid(resource)
        return json.dumps(list(outcome.resources))

    return work


def measure() -> list[Row]:
    rows: list[Row] = []
    for name, raw, aim in (
        ("ADT", small_adt(), 500.0),
        ("ORU, 30 OBX", oru(30), 3000.0),
        ("ORU, 200 OBX", oru(200), 0.0),
    ):
        plain = per_call_us(mapped(raw, check=False))
        checked = per_call_us(mapped(raw, check=True))
        rows.append(Row(f"{name}: map", plain, "us"))
        rows.append(
            Row(f"{name}: map and check every resource", checked, "us", f"the aim of {aim:.0f} us", checked / aim)
            if aim
            else Row(f"{name}: map and check every resource", checked, "us")
        )
    return rows
