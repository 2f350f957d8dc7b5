"""Small made-up messages for the tests of this folder."""

from __future__ import annotations

from typing import Any

from mappings.formats import er7
from mappings.hl7v2 import Context, map_message
from mappings.outcome import Outcome

CONTEXT = Context(facility="01032")
PID = "PID|1||BN1^^^01032^PI||Nguyễn^Hoa^Thị||19850214|F"


def line(name: str, **fields: str) -> str:
    """Write a segment from its fields: `line("PV1", f2="I", f19="V1")`."""
    last = max(int(key[1:]) for key in fields)
    return "|".join([name, *(fields.get(f"f{n}", "") for n in range(1, last + 1))])


PV1 = line("PV1", f1="1", f2="I", f3="NOI", f19="V1^^^01032^VN", f44="20261103080000")


def raw(trigger: str, *segments: str, control_id: str = "C1") -> bytes:
    """Write a message with a plain header."""
    header = f"MSH|^~\\&|HIS|01032|LT|01032|20261103||{trigger}|{control_id}|P|2.5"
    return "\r".join([header, *segments, ""]).encode()


def mapped(trigger: str, *segments: str, context: Context = CONTEXT, control_id: str = "C1") -> Outcome:
    """Map such a message."""
    return map_message(er7.Message.parse(raw(trigger, *segments, control_id=control_id)), context)


def only(outcome: Outcome, resource_type: str) -> dict[str, Any]:
    """Give the one resource of that type."""
    found = [resource for resource in outcome.resources if resource["resourceType"] == resource_type]
    assert len(found) == 1, [resource["resourceType"] for resource in outcome.resources]
    return found[0]


def every(outcome: Outcome, resource_type: str) -> list[dict[str, Any]]:
    """Give all resources of that type."""
    return [resource for resource in outcome.resources if resource["resourceType"] == resource_type]
