"""The steps of the register as somebody asks for them: by command or over HTTP, with the same words and the same answer.

Each runs in the caller's transaction and tells what became of the certificate. What a step checks is `register`'s business.

Requirement: S0.1–S0.4, S0.7–S0.9
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy.engine import Connection, Row

from gateway.certificates import binding, register
from gateway.certificates.enrolment import Changes, compare, enrol, private
from gateway.certificates.register import Act, Stopped
from gateway.certificates.staff_list import Checked, Problem, check
from gateway.certificates.told import INCIDENTS, summary
from gateway.settings import Plan
from gateway.signing_tasks import stop_tasks
from gateway.store import certificates as rows
from gateway.store.ids import uuid7
from mappings.formats.sheet import Line
from signing.certificates import load_roots

Told = dict[str, Any]
STEPS: dict[str, Callable[[Connection, Row[Any], Act], None]] = {
    "approve": register.approve,
    "reject": register.reject,
    "activate": register.activate,
    "resume": register.resume,
}
"""Steps that need a certificate and a reason, and nothing else."""


def day(text: str, act: Act) -> date:
    """Read `2026-11-05` or `05/11/2026`, today for nothing; ValueError."""
    if not text:
        return register.today(act.at)
    for form in ("%Y-%m-%d", "%d/%m/%Y"):
        try:
            return datetime.strptime(text, form).date()  # noqa: DTZ007 - a day has no zone
        except ValueError:
            continue
    raise ValueError("2026-11-05, 05/11/2026")


def each(connection: Connection, act: Act, keys: Sequence[str], step: str) -> list[Told]:
    """Do one of STEPS with all of them, or with none."""
    found = [register.find(connection, key) for key in keys]
    for row in found:
        STEPS[step](connection, row, act)
    return [_now(connection, row.id) for row in found]


def request(
    connection: Connection,
    plan: Plan,
    act: Act,
    *,
    holder: str = "",
    seal: bool = False,
    device: str = "usb_token",
    provider: str = "",
) -> Told:
    """Ask for a certificate of a holder, or of the organisation itself."""
    who = register.holder(connection, _seal_of(connection, plan, act) if seal else holder)
    return _now(connection, register.request(connection, who.id, act, device_kind=device, provider=provider))


def _seal_of(connection: Connection, plan: Plan, act: Act) -> str:
    """Put the organisation itself into the register, under its facility code."""
    own = plan.facility
    known = rows.holder_of(connection, own.code)
    values = {
        "kind": "organisation",
        "code": own.code,
        "name": own.name,
        "roles": "seal",
        "private": b"",
        "listed": True,
        "recorded_at": act.at,
    }
    holder_id = uuid7() if known is None else known.id
    rows.put_holder(connection, holder_id, values)
    if known is None:
        rows.note(
            connection,
            holder_id=holder_id,
            certificate_id=None,
            at=act.at,
            actor=act.actor,
            event="enrol",
            reason=act.reason,
        )
    return own.code


def issue(
    connection: Connection,
    plan: Plan,
    act: Act,
    key: str,
    data: bytes,
    *,
    device: str = "",
    device_serial: str = "",
    provider: str = "",
    key_kind: str = "",
    key_name: str = "",
) -> Told:
    """Bind an issued certificate to an approved request."""
    row = register.find(connection, key)
    holder = register.holder(connection, row.holder_code)
    binding.issue(
        connection,
        row,
        data,
        load_roots(plan.signing.trust),
        act,
        citizen_id=private(plan.keyring, holder)["citizen_id"],
        device_kind=device,
        device_serial=device_serial,
        provider=provider,
        key_kind=key_kind,
        key_name=key_name,
    )
    return _now(connection, row.id)


def hand_over(
    connection: Connection,
    act: Act,
    key: str,
    *,
    on: date,
    handed_by: str,
    device_serial: str = "",
    received_by: str = "",
) -> Told:
    """Record the hand-over of a device."""
    row = register.find(connection, key)
    register.hand_over(
        connection, row, act, on=on, device_serial=device_serial, handed_by=handed_by, received_by=received_by
    )
    return _now(connection, row.id)


def device(connection: Connection, act: Act, key: str, serial: str) -> Told:
    """Correct which device a certificate's key is in."""
    row = register.find(connection, key)
    register.correct_device(connection, row, act, serial)
    return _now(connection, row.id)


def commit(
    connection: Connection, act: Act, holder: str, *, on: date, sha256: str = "", reference: str = ""
) -> dict[str, Any]:
    """Record a holder's signed commitment."""
    found = register.holder(connection, holder)
    register.commit(connection, found, act, on=on, sha256=sha256, reference=reference)
    return {"holder": found.code, "on": on.isoformat(), "sha256": sha256, "reference": reference}


def suspend(connection: Connection, act: Act, key: str) -> Told:
    """Take a certificate out of use for the time being."""
    row = register.find(connection, key)
    return _stopped(connection, row, register.suspend(connection, row, act, stop_tasks))


def revoke(
    connection: Connection, act: Act, key: str, *, effective_at: int = 0, device_returned: bool | None = None
) -> Told:
    """Take a certificate out of use for ever."""
    row = register.find(connection, key)
    stopped = register.revoke(
        connection, row, act, effective_at=effective_at, device_returned=device_returned, stop=stop_tasks
    )
    return _stopped(connection, row, stopped)


def renew(connection: Connection, act: Act, key: str) -> Told:
    """Ask for the certificate that takes this one's place."""
    return _now(connection, register.renew(connection, register.find(connection, key), act))


def incident(connection: Connection, act: Act, key: str, kind: str) -> Told:
    """Record an incident of a certificate."""
    row = register.find(connection, key)
    incident_id, stopped = register.report(connection, row, act, kind, stop_tasks)
    return _stopped(connection, row, stopped) | {"incident": incident_id, "kind": INCIDENTS[kind]}


def settle(connection: Connection, act: Act, incident_id: str) -> Told:
    """End an incident."""
    return _now(connection, register.settle(connection, incident_id, act)) | {"incident": incident_id}


def _now(connection: Connection, certificate_id: str) -> Told:
    return summary(register.find(connection, certificate_id))


def _stopped(connection: Connection, row: Row[Any], stopped: Stopped) -> Told:
    return _now(connection, row.id) | {"stopped_tasks": stopped.tasks, "signed_since": list(stopped.signed_since)}


# ---- the staff list ----


@dataclass(frozen=True)
class Brought:
    """What a staff list means, or what became of it."""

    checked: Checked
    changes: Changes | None
    """None when the list itself has problems."""
    requested: Sequence[str] = ()
    written: bool = False

    @property
    def problems(self) -> tuple[Problem, ...]:
        return self.checked.problems or (self.changes.problems if self.changes else ())

    def told(self) -> dict[str, Any]:
        """Describe it for programs: codes and certificates, no personal numbers."""
        said: dict[str, Any] = {
            "written": self.written,
            "people": len(self.checked.staff),
            "problems": [asdict(one) for one in self.problems],
            "ignored_columns": list(self.checked.ignored),
        }
        changes = self.changes
        if changes is None or self.problems:
            return said
        return said | {
            "new": [one.code for one in changes.new],
            "changed": [{"code": one.code, "fields": list(fields)} for _, one, fields in changes.changed],
            "same": changes.same,
            "back": [row.code for row in changes.back],
            "left": [row.code for row in changes.left],
            "without_certificate": [one.code for one in changes.without],
            "requested": list(self.requested),
            "proposed": [{"id": row.id, "holder": row.holder_code, "state": row.state} for row in changes.proposed],
        }


def bring_in(
    connection: Connection,
    plan: Plan,
    act: Act,
    lines: Sequence[Line],
    *,
    full: bool = False,
    request: bool = True,
    provider: str = "",
    only_check: bool = False,
) -> Brought:
    """Check a staff list and, unless something is wrong or `only_check`, bring it into the register."""
    checked = check(lines, plan.facility.departments, plan.facility.code)
    if checked.problems:
        return Brought(checked, None)
    changes = compare(connection, plan.keyring, checked.staff, whole=full)
    if changes.problems or only_check:
        return Brought(checked, changes)
    requested = enrol(connection, plan.keyring, changes, act, request=request, provider=provider)
    return Brought(checked, changes, requested, written=True)
