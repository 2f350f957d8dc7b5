"""The person of the demo who looks at the portal's page for what the portal cannot be asked about.

A node that dies with a file on the wire leaves open whether the file arrived. The insurance portal has no call that says it, so
the file waits in the error queue for somebody who looks there, and confirms what is there or sends what is not.
"""

from __future__ import annotations

from dataclasses import dataclass

import httpx
from sqlalchemy.engine import Connection

from connectors.faults import CannotAsk
from gateway import repair
from gateway.clock import SystemClock
from gateway.store import deliveries, documents
from gateway.store.engine import Store

PORTAL = "insurance_portal"
_WHO = "demo"


@dataclass(frozen=True)
class LookedUp:
    """What a person found at the portal."""

    there: int
    """Files confirmed under the number that the portal's page shows."""
    not_there: int
    """Files sent again."""


async def look_up(store: Store, admin: httpx.AsyncClient) -> LookedUp:
    """Decide about every file of which nobody knows whether the portal has it."""
    asked = {"destination": PORTAL, "verdict": "accepted"}
    answer = (await admin.get("/_sandbox/records", params=asked)).raise_for_status()
    records = [(record["key"], record["reference"]) for record in answer.json()]
    return await store.write(lambda connection: _decide(connection, records))


def _decide(connection: Connection, records: list[tuple[str, str]]) -> LookedUp:
    clock, there, not_there = SystemClock(), 0, 0
    known = {row.reference for row in deliveries.listing(connection, states=("accepted",), destination=PORTAL)}
    for row in reversed(deliveries.listing(connection, states=("error",), destination=PORTAL)):
        if row.fault_code != CannotAsk.code:
            continue
        (file,) = documents.renditions(connection, row.document_id, "gdbhyt")
        found = next((number for key, number in records if key == file.sha256 and number not in known), None)
        if found is None:
            repair.resend(connection, row.id, _WHO, "không thấy trên cổng", clock)
            not_there += 1
        else:
            repair.confirm(connection, row.id, _WHO, "thấy trên cổng", clock, found)
            known.add(found)
            there += 1
    return LookedUp(there, not_there)
