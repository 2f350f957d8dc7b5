"""The life of a certificate, step by step: each checks what the law asks, changes the state and adds an event.

What may follow what is a table (`gateway/states.py`). Every step takes an `Act`: who, why, when. Whoever keeps signing tasks
gives `stop`, which is called in the same transaction when a certificate may sign no more.

Requirement: S0.1–S0.4, S0.7–S0.9
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any, Literal, get_args

from sqlalchemy.engine import Connection, Row

from gateway.clock import to_datetime
from gateway.faults import (
    CertificateUnknown,
    CommitmentMissing,
    DayImpossible,
    HandOverMissing,
    HolderUnknown,
    IncidentOpen,
    NotPossibleNow,
    NotReceivedInPerson,
    ReasonMissing,
    RenewalOpen,
)
from gateway.states import CERTIFICATE
from gateway.store import certificates as rows
from mappings.formats.identifiers import match_key

Device = Literal["usb_token", "hsm", "sim", "remote", "file"]
"""What holds the key; a file is for tests only."""
DEVICES: tuple[str, ...] = get_args(Device)
Incident = Literal["pin_forgotten", "locked", "lost", "exposed", "damaged", "other"]
INCIDENTS: tuple[str, ...] = get_args(Incident)
STOPPING = ("lost", "exposed")
"""Incidents after which somebody else may be able to sign: the certificate is suspended at once."""
FINAL = ("rejected", "revoked", "expired")
_RENEWABLE = ("active", "suspended", "revoked", "expired")
_REASONED = ("reject", "suspend", "resume", "revoke")
_HERE = timezone(timedelta(hours=7))


@dataclass(frozen=True)
class Act:
    """Who does it, why, and when (microseconds)."""

    actor: str
    reason: str
    at: int


@dataclass(frozen=True)
class Stopped:
    """What a step took out of use."""

    tasks: int
    """Pending signing tasks that were stopped."""
    signed_since: tuple[str, ...] = ()
    """Documents that were signed with it after a revocation took effect: for a person to look at."""


StopTasks = Callable[[Connection, Row[Any], Act], int]
"""Stop every pending signing task of a certificate's holder; return how many."""


def nothing_pends(_connection: Connection, _certificate: Row[Any], _act: Act) -> int:
    """Be the `StopTasks` of a gateway that keeps no signing tasks."""
    return 0


# ---- who and which ----


def holder(connection: Connection, key: str) -> Row[Any]:
    """Return a holder by code or id; raise HolderUnknown."""
    found = rows.holder_of(connection, key)
    if found is None:
        raise HolderUnknown()
    return found


def find(connection: Connection, key: str) -> Row[Any]:
    """Return the certificate meant by its id, its serial number, or the code of a holder who has one that still lives.

    Raises CertificateUnknown.
    """
    row = rows.get(connection, key)
    if row is not None:
        return row
    found = rows.with_serial(connection, key.lower())
    if not found and (known := rows.holder_of(connection, key)) is not None:
        own = rows.of_holder(connection, known.id)
        found = [row for row in own if row.state not in FINAL] or own[-1:]
    if len(found) != 1:
        raise CertificateUnknown(detail=f"{len(found)} certificates")
    return found[0]


# ---- from request to use ----


def request(
    connection: Connection,
    holder_id: str,
    act: Act,
    *,
    device_kind: str = "usb_token",
    provider: str = "",
    replaces: str | None = None,
) -> str:
    """Ask for a certificate; return its id in the register."""
    certificate_id = rows.insert(
        connection,
        holder_id=holder_id,
        state="requested",
        state_since=act.at,
        requested_at=act.at,
        replaces_id=replaces,
        device_kind=device_kind,
        provider=provider,
    )
    facts = {"device": device_kind, "provider": provider} | ({"replaces": replaces} if replaces else {})
    rows.note(
        connection,
        holder_id=holder_id,
        certificate_id=certificate_id,
        at=act.at,
        actor=act.actor,
        event="request",
        reason=act.reason,
        state="requested",
        facts=facts,
    )
    return certificate_id


def approve(connection: Connection, row: Row[Any], act: Act) -> None:
    step(connection, row, "approve", act)


def reject(connection: Connection, row: Row[Any], act: Act) -> None:
    step(connection, row, "reject", act)


def hand_over(
    connection: Connection,
    row: Row[Any],
    act: Act,
    *,
    on: date,
    device_serial: str,
    handed_by: str,
    received_by: str = "",
) -> None:
    """Record that the device was handed to its holder in person; for the seal, to whoever keeps it.

    Raises NotReceivedInPerson, DayImpossible, HandOverMissing when a part of the record is empty.
    """
    receiver = received_by or ("" if row.holder_kind == "organisation" else row.holder_name)
    if row.holder_kind == "person" and match_key(receiver) != match_key(row.holder_name):
        raise NotReceivedInPerson(row.id)
    serial = device_serial or row.device_serial
    for name, value in (("device serial", serial), ("handed by", handed_by), ("received by", receiver)):
        if not value.strip():
            raise HandOverMissing(row.id, name)
    if on > today(act.at) or on < today(row.requested_at):
        raise DayImpossible(row.id, on.isoformat())
    facts = {"on": on.isoformat(), "device_serial": serial, "handed_by": handed_by, "received_by": receiver}
    step(
        connection,
        row,
        "hand_over",
        act,
        facts=facts,
        device_serial=serial,
        handed_over_on=on.isoformat(),
        handed_by=handed_by,
        received_by=receiver,
    )


def note_device(connection: Connection, row: Row[Any], act: Act, differs: str) -> bool:
    """Note that a key signed in another device than was handed over; False when that is known."""
    if any(
        one.event == "other_device" and one.reason == differs for one in rows.events(connection, certificate_id=row.id)
    ):
        return False
    _note(connection, row, "other_device", replace(act, reason=differs))
    return True


def correct_device(connection: Connection, row: Row[Any], act: Act, serial: str) -> None:
    """Write another serial number of the device into the record of a certificate; raise ReasonMissing, HandOverMissing."""
    _require_reason(act)
    if not serial.strip():
        raise HandOverMissing(row.id, "device serial")
    rows.change(connection, row.id, device_serial=serial.strip())
    _note(connection, row, "device", act, facts={"device_serial": serial.strip(), "before": row.device_serial})


def commit(connection: Connection, who: Row[Any], act: Act, *, on: date, sha256: str = "", reference: str = "") -> None:
    """Record the signed commitment of a holder: the hash of its file, or where the paper is kept.

    Raises DayImpossible, CommitmentMissing when there is neither.
    """
    if on > today(act.at):
        raise DayImpossible(who.code, on.isoformat())
    if not sha256 and not reference.strip():
        raise CommitmentMissing(who.code, "neither file nor reference")
    record = {"commitment_on": on.isoformat(), "commitment_sha256": sha256, "commitment_reference": reference}
    rows.put_holder(connection, who.id, record)
    rows.note(
        connection,
        holder_id=who.id,
        certificate_id=None,
        at=act.at,
        actor=act.actor,
        event="commit",
        reason=act.reason,
        facts={"on": on.isoformat(), "sha256": sha256, "reference": reference},
    )


def activate(connection: Connection, row: Row[Any], act: Act) -> None:
    """Let a certificate sign; raise HandOverMissing, CommitmentMissing or IncidentOpen while something is lacking."""
    if row.state == "handed_over":
        if not (row.handed_over_on and row.device_serial and row.received_by and row.handed_by):
            raise HandOverMissing(row.id)
        if not row.commitment_on:
            raise CommitmentMissing(row.id)
        _require_settled(connection, row)
    step(connection, row, "activate", act)


def renew(connection: Connection, row: Row[Any], act: Act) -> str:
    """Ask for the certificate that takes this one's place; the old one signs on until it ends. Return the new one's id.

    Raises RenewalOpen, NotPossibleNow.
    """
    if row.state not in _RENEWABLE:
        raise NotPossibleNow(detail=f"renew while {row.state}")
    for other in rows.replacing(connection, row.holder_id, row.id):
        if other.state not in FINAL:
            raise RenewalOpen(other.id)
    kept = {"device_kind": row.device_kind, "provider": row.provider}
    return request(connection, row.holder_id, act, replaces=row.id, **kept)


# ---- out of use ----


def suspend(connection: Connection, row: Row[Any], act: Act, stop: StopTasks = nothing_pends) -> Stopped:
    """Let a certificate sign no more, for the time being, and stop what waits for its holder."""
    step(connection, row, "suspend", act)
    return Stopped(stop(connection, row, act))


def resume(connection: Connection, row: Row[Any], act: Act) -> None:
    """Let a suspended certificate sign again; raise IncidentOpen while a loss or exposure is not settled."""
    if row.state == "suspended":
        _require_settled(connection, row)
    step(connection, row, "resume", act)


def revoke(
    connection: Connection,
    row: Row[Any],
    act: Act,
    *,
    effective_at: int = 0,
    device_returned: bool | None = None,
    stop: StopTasks = nothing_pends,
) -> Stopped:
    """Let a certificate sign never again; what it signed before `effective_at` (now, unless given) stays valid.

    Names the documents signed at or after that instant. Raises DayImpossible for one in the future.
    """
    effective_at = effective_at or act.at
    if effective_at > act.at or effective_at < row.requested_at:
        raise DayImpossible(row.id, f"{to_datetime(effective_at):%Y-%m-%dT%H:%MZ}")
    facts = {} if device_returned is None else {"device_returned": device_returned}
    step(connection, row, "revoke", act, effective_at=effective_at, facts=facts, revoked_at=effective_at, proposal="")
    open_ = [one.id for one in rows.incidents(connection, row.id) if one.closed_at is None]
    rows.close_incidents(connection, open_, at=act.at, actor=act.actor, outcome="revoked")
    signed = rows.signed_since(connection, row.sha256, effective_at) if row.sha256 else []
    return Stopped(stop(connection, row, act), tuple(signed))


def expire(connection: Connection, now: int) -> list[Row[Any]]:
    """Note every certificate whose end has passed; return them as they were before."""
    ended = rows.ending(connection, now)
    for row in ended:
        step(connection, row, "expire", Act("lienthong", "", now), effective_at=row.not_after)
    return ended


# ---- incidents ----


def report(
    connection: Connection, row: Row[Any], act: Act, kind: str, stop: StopTasks = nothing_pends
) -> tuple[str, Stopped]:
    """Record an incident; a lost device or an exposed key suspends its certificate at once. Return its id.

    Raises NotPossibleNow for a certificate that is not issued, or whose life has ended.
    """
    _require_reason(act)
    if row.sha256 is None or row.state in FINAL:
        raise NotPossibleNow(detail=f"incident while {row.state}")
    incident_id = rows.put_incident(
        connection, certificate_id=row.id, kind=kind, at=act.at, actor=act.actor, reason=act.reason
    )
    facts = {"incident": incident_id, "kind": kind}
    _note(connection, row, "incident", act, facts=facts)
    stopped = Stopped(0)
    if kind in STOPPING and row.state == "active":
        stopped = suspend(connection, row, act, stop)
    return incident_id, stopped


def settle(connection: Connection, incident_id: str, act: Act) -> str:
    """End an incident and say how; return its certificate's id.

    Raises CertificateUnknown when there is no such incident, NotPossibleNow when it has ended.
    """
    _require_reason(act)
    incident = rows.incident(connection, incident_id)
    if incident is None:
        raise CertificateUnknown(detail="no such incident")
    if incident.closed_at is not None:
        raise NotPossibleNow(detail="close an incident that is closed")
    rows.close_incidents(connection, [incident_id], at=act.at, actor=act.actor, outcome=act.reason)
    row = find(connection, incident.certificate_id)
    _note(connection, row, "settle", act, facts={"incident": incident_id, "kind": incident.kind})
    return str(row.id)


# ---- every step ----


def step(
    connection: Connection,
    row: Row[Any],
    event: str,
    act: Act,
    *,
    effective_at: int = 0,
    facts: Mapping[str, object] | None = None,
    **values: Any,
) -> str:
    """Do one step of the table and add its event; raise NotPossibleNow, ReasonMissing."""
    if (row.state, event) in CERTIFICATE and event in _REASONED:
        _require_reason(act)
    state = rows.move(connection, row, event, effective_at=effective_at or act.at, **values)
    _note(connection, row, event, act, effective_at=effective_at, state=state, facts=facts)
    return state


def today(at: int) -> date:
    """Return the day of an instant in Vietnam."""
    return to_datetime(at).astimezone(_HERE).date()


def day_or_instant(text: str) -> int:
    """Read `2026-11-05` (its first moment) or `2026-11-05T14:30`, in Vietnam unless an offset is written; ValueError."""
    moment = datetime.fromisoformat(text)
    aware = moment if moment.tzinfo else moment.replace(tzinfo=_HERE)
    return round(aware.astimezone(UTC).timestamp() * 1_000_000)


def _note(connection: Connection, row: Row[Any], event: str, act: Act, **more: Any) -> None:
    rows.note(
        connection,
        holder_id=row.holder_id,
        certificate_id=row.id,
        at=act.at,
        actor=act.actor,
        event=event,
        reason=act.reason,
        **more,
    )


def _require_reason(act: Act) -> None:
    if not act.reason.strip():
        raise ReasonMissing()


def _require_settled(connection: Connection, row: Row[Any]) -> None:
    unsettled = _unsettled(rows.incidents(connection, row.id))
    if unsettled:
        raise IncidentOpen(unsettled[0].id, unsettled[0].kind)


def _unsettled(incidents: Sequence[Row[Any]]) -> list[Row[Any]]:
    return [one for one in incidents if one.closed_at is None and one.kind in STOPPING]
