"""Keep what modalities say of how their work goes (MPPS), and tell a study when it is whole.

    N-CREATE ── in progress ─┬─ N-SET COMPLETED ────── completed ────┬─ so many objects are expected of the study
                  │  N-SET   └─ N-SET DISCONTINUED ─── discontinued ─┘
                  └──(goes on)

The same said again is answered as the first time and changes nothing (promise P3). A step that is discontinued takes nothing
back: what came of it stays. A step says nothing of whose the pictures are, and never ends an order; its study does.

Requirement: S1.4
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.engine import Connection

from connectors.contract import StepReport
from connectors.faults import LedgerAway, StepEnded, StepExists, StepIncomplete, StepInvalid, StepUnknown
from gateway.faults import NotPossibleNow
from gateway.states import PROCEDURE_STEP, sources
from gateway.store import procedure_steps as rows
from gateway.store.sealed import Keyring
from mappings.dicom.faults import StepAttributeInvalid, StepAttributeMissing
from mappings.dicom.step import Step, read_begin, read_change
from mappings.formats import json
from mappings.formats.faults import IntakeFault, JsonInvalid


@dataclass(frozen=True)
class Told:
    """One report, read."""

    report: StepReport
    step: Step
    channel: str
    body: bytes
    """Its attributes as canonical JSON."""


def read(report: StepReport, channel: str) -> Told:
    """Read a report; raises `StepInvalid`, `StepIncomplete`."""
    if not report.sop_instance:
        raise StepIncomplete("AffectedSOPInstanceUID")
    try:
        step = (read_begin if report.begins else read_change)(report.attributes)
        body = json.canonical(dict(report.attributes))
    except StepAttributeMissing as fault:
        raise StepIncomplete(fault.where, fault.detail) from fault
    except (StepAttributeInvalid, JsonInvalid) as fault:
        raise StepInvalid(fault.where, fault.detail) from fault
    return Told(report, step, channel, body)


def note(connection: Connection, keyring: Keyring, told: Told, now: int) -> IntakeFault | None:
    """Enter what was said; give why it cannot be, and then nothing changed."""
    return (_begin if told.report.begins else _change)(connection, keyring, told, now)


def _begin(connection: Connection, keyring: Keyring, told: Told, now: int) -> IntakeFault | None:
    uid, key = told.report.sop_instance, _key(keyring, told)
    is_new = rows.begin(
        connection,
        sop_instance=uid,
        study_uid=told.step.study[:64],
        channel=told.channel,
        calling=told.report.calling[:64],
        begun_at=now,
        begun_key=key,
        last_key=key,
        body=keyring.seal(told.body, _name(uid)),
    )
    if is_new:
        rows.expect(connection, told.step.study[:64], now)
        return None
    row = rows.get(connection, uid)
    return None if row is not None and bytes(row.begun_key) == key else StepExists("SOPInstanceUID")


def _change(connection: Connection, keyring: Keyring, told: Told, now: int) -> IntakeFault | None:
    uid, step, key = told.report.sop_instance, told.step, _key(keyring, told)
    row = rows.get(connection, uid)
    if row is None:
        return StepUnknown("SOPInstanceUID")
    if bytes(row.last_key) == key:
        return None
    if row.state not in sources(PROCEDURE_STEP, step.event):
        return StepEnded(detail=row.state)
    whole = json.loads(keyring.open(row.body, _name(uid))) | json.loads(told.body)
    ends = step.event != "go_on"
    values = {"instances": read_change(whole).instances, "ended_at": now} if ends else {}
    try:
        body = keyring.seal(json.canonical(whole), _name(uid))
        if not rows.change(connection, row, step.event, last_key=key, body=body, **values):
            return LedgerAway(detail="changed at the same time")
    except NotPossibleNow:
        return StepEnded(detail=row.state)
    if ends:
        rows.expect(connection, row.study_uid, now)
    return None


def _key(keyring: Keyring, told: Told) -> bytes:
    return keyring.search_key("step", f"{told.report.begins}|{told.body.decode()}")


def _name(sop_instance: str) -> str:
    return f"step/{sop_instance}"
