"""Owe devices their reports of storage commitment until they take them.

    asked ── owed ── given out for a try, ever more seldom ─┬─ taken: reported
               └────────── not taken ──────────────────────┴─ its time is over: error queue

What is owed is durable before the device is told that it was asked, so a report survives whatever happens to the node. What a
report says is found out at each try: an object that came meanwhile is kept. Where two nodes have the same channel and a device
is slow, both may send the same report.

Standard: DICOM PS3.4 §J.3. Requirement: S1.4
"""

from __future__ import annotations

from typing import Any

from sqlalchemy.engine import Connection

from connectors.contract import CommitmentRequest, OwedReport
from connectors.faults import CommitmentClash, CommitmentNotTaken, CommitmentsTooMany
from gateway.clock import SECOND
from gateway.store import commitments as rows
from gateway.store.ids import uuid7
from gateway.store.sealed import Keyring
from mappings.formats import json
from mappings.formats.faults import IntakeFault

MOST = 1000
"""Reports that a channel may owe."""
_ANSWER = 2 * SECOND
"""How long the device's own association has to be answered before anybody looks."""
_FIRST, _CAP = 5 * SECOND, 15 * 60 * SECOND


def pause(attempts: int) -> int:
    """Give the time from one try to the next, in microseconds."""
    return min(_FIRST << min(attempts, 20), _CAP)


def owe(
    connection: Connection, keyring: Keyring, channel: str, request: CommitmentRequest, now: int, give_up: int
) -> IntakeFault | None:
    """Enter a request; give why it cannot be, and then nothing changed. `give_up`: microseconds that it is tried."""
    calling, transaction = request.calling[:64], request.transaction[:64]
    told = json.dumps([list(one) for one in request.objects])
    commitment_id, key = uuid7(), keyring.search_key("commitment", told.decode())
    asked: dict[str, Any] = {
        "asked_at": now,
        "until": now + give_up,
        "due_at": now + _ANSWER,
        "objects": len(request.objects),
    }
    row = rows.of_transaction(connection, channel, calling, transaction)
    if row is not None and row.state == "owed":
        return None if bytes(row.key) == key else CommitmentClash("TransactionUID")
    if rows.count_owed(connection, channel) >= MOST:
        return CommitmentsTooMany(calling, str(MOST))
    if row is not None:
        again: dict[str, Any] = {
            "key": key,
            "body": keyring.seal(told, _name(row.id)),
            "missing": None,
            "ended_at": None,
        }
        rows.move(connection, row.id, "ask", attempts=0, **asked, **again)
        return None
    rows.insert(
        connection,
        id=commitment_id,
        channel=channel,
        calling=calling,
        transaction_uid=transaction,
        key=key,
        body=keyring.seal(told, _name(commitment_id)),
        **asked,
    )
    return None


def due(connection: Connection, channel: str, calling: str, now: int) -> bool:
    """Tell whether there is anything to be given out."""
    return bool(rows.due(connection, channel, now, calling, 1))


def give_out(
    connection: Connection, keyring: Keyring, channel: str, calling: str, now: int, most: int
) -> list[OwedReport]:
    """Give the reports that are due, of `calling` all of them; those whose time is over go to the error queue."""
    found = []
    for row in rows.due(connection, channel, now, calling, most):
        if row.until <= now:
            detail = row.fault_detail or "no node tried"
            rows.move(connection, row.id, "give_up", CommitmentNotTaken(row.calling, detail), ended_at=now)
        elif rows.claim(connection, row, now + pause(row.attempts)):
            told = json.loads(keyring.open(row.body, _name(row.id)))
            objects = tuple((str(sop_class), str(sop_instance)) for sop_class, sop_instance in told)
            found.append(OwedReport(row.id, CommitmentRequest(row.transaction_uid, row.calling, objects)))
    return found


def note(connection: Connection, commitment_id: str, missing: int, fault: IntakeFault | None, now: int) -> None:
    """Note what came of a try. What the device knows is not kept any longer."""
    if fault is not None:
        rows.note_fault(connection, commitment_id, fault)
    else:
        rows.move(connection, commitment_id, "report", missing=missing, ended_at=now, body=b"")


def again(connection: Connection, commitment_id: str, now: int) -> bool:
    """Try a report that was given up once more, as long as the first time; False when it is none."""
    row = rows.get(connection, commitment_id)
    until = now + row.until - row.asked_at
    return rows.move(connection, commitment_id, "retry", due_at=now, until=until, attempts=0, ended_at=None)


def _name(commitment_id: str) -> str:
    return f"commitment/{commitment_id}"
