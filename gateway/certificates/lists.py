"""What the register shows: all about one holder, what was done, what ends when, whom a form is about.

Some of it is personal data of staff; each function says so.

Requirement: S0.1, S0.8
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

from sqlalchemy.engine import Connection, Row

from gateway.certificates import forms, notices, register
from gateway.certificates.enrolment import private
from gateway.certificates.register import FINAL
from gateway.certificates.told import STATES, event_dict, shown, summary
from gateway.clock import iso, moment
from gateway.settings import Plan
from gateway.states import CERTIFICATE, states
from gateway.store import certificates as rows
from gateway.store import proofs
from gateway.store.sealed import Keyring

KNOWN_STATES = tuple(sorted(states(CERTIFICATE)))
_HEADINGS = {
    "code": "Mã nhân viên",
    "name": "Họ và tên",
    "department": "Khoa/phòng",
    "email": "E-mail",
    "serial": "Số sê-ri chứng thư",
    "provider": "Nhà cung cấp",
    "ends_on": "Hết hạn",
    "days_left": "Còn (ngày)",
    "state": "Trạng thái",
    "renewal": "Gia hạn",
    "notices": "Đã báo",
}


def listing(
    connection: Connection, *, states: Sequence[str] = (), department: str = "", proposed: bool = False, limit: int = 0
) -> list[dict[str, Any]]:
    """Describe certificates by the code of their holder; every condition that is given counts."""
    found = rows.listing(connection, states=states, department=department, proposed=proposed, limit=limit)
    return [summary(row) for row in found]


def holder(connection: Connection, keyring: Keyring, key: str) -> dict[str, Any]:
    """Tell everything about the holder that `key` means, by code or by a certificate, with personal numbers.

    Raises CertificateUnknown, HolderUnknown.
    """
    who = rows.holder_of(connection, key)
    if who is None:
        who = register.holder(connection, register.find(connection, key).holder_code)
    own = rows.of_holder(connection, who.id)
    return {
        "holder": {
            "code": who.code,
            "kind": who.kind,
            "name": who.name,
            "roles": who.roles.split(),
            "department": who.department,
            "post": who.post,
            "title": who.title,
            "licence": who.licence,
            **private(keyring, who),
            "listed": who.listed,
        },
        "commitment": {
            "on": who.commitment_on or None,
            "sha256": who.commitment_sha256,
            "reference": who.commitment_reference,
        },
        "certificates": [shown(row) | {"incidents": _incidents(connection, row)} for row in own],
        "events": [event_dict(one) for one in rows.events(connection, holder_id=who.id)],
    }


def _incidents(connection: Connection, row: Row[Any]) -> list[dict[str, Any]]:
    return [
        {
            "id": one.id,
            "kind": one.kind,
            "at": iso(one.at),
            "actor": one.actor,
            "reason": one.reason,
            "closed_at": iso(one.closed_at),
            "closed_by": one.closed_by,
            "outcome": one.outcome,
        }
        for one in rows.incidents(connection, row.id)
    ]


def events(connection: Connection, key: str = "", limit: int = 0) -> list[dict[str, Any]]:
    """Tell what was done, newest first: to everybody, or to one holder or certificate."""
    if not key:
        found = rows.events(connection, limit=limit)
    elif (who := rows.holder_of(connection, key)) is not None:
        found = rows.events(connection, holder_id=who.id, limit=limit)
    else:
        found = rows.events(connection, certificate_id=register.find(connection, key).id, limit=limit)
    return [event_dict(one) for one in found]


# ---- what ends ----


def expiring(
    connection: Connection, plan: Plan, now: int, days: int, holder: str = ""
) -> list[tuple[Row[Any], dict[str, Any]]]:
    """Give the certificates that end within some days with a line for people each, with the holder's e-mail address.

    Of one holder alone, if given.
    """
    found = notices.ending(connection, now, days)
    return [(row, _line(connection, plan, row, now)) for row in found if holder in ("", row.holder_code)]


def stamps_ending(connection: Connection, _plan: Plan, now: int, days: int) -> dict[str, Any]:
    """Tell how many archive time stamps of papers are renewed within some days, from when on, and how many could not be."""
    count, first, failed = proofs.to_renew(connection, now + days * notices.DAY)
    return {"count": count, "first": moment(first)[:10] if count else "", "failed": failed}


def expiring_told(found: Sequence[tuple[Row[Any], dict[str, Any]]]) -> list[dict[str, Any]]:
    """Tell the same to programs."""
    return [
        summary(row) | {key: line[key] for key in ("days_left", "renewal", "email")} | {"notices": line["sent"]}
        for row, line in found
    ]


def _line(connection: Connection, plan: Plan, row: Row[Any], now: int) -> dict[str, Any]:
    renewals = [one for one in rows.replacing(connection, row.holder_id, row.id) if one.state not in FINAL]
    sent = notices.sent(connection, [row.id])
    told = [
        f"{days} ngày → {'người giữ' if recipient == 'holder' else 'CNTT'} {moment(at)[:10]}"
        for (_, days, recipient), at in sorted(sent.items(), key=lambda item: (-item[0][1], item[0][2]))
    ]
    return {
        "code": row.holder_code,
        "name": row.holder_name,
        "department": row.holder_department,
        "email": private(plan.keyring, register.holder(connection, row.holder_code))["email"],
        "serial": row.serial,
        "provider": row.provider,
        "ends_on": moment(row.not_after)[:10],
        "days_left": (row.not_after - now) // notices.DAY,
        "state": STATES[row.state],
        "state_name": row.state,
        "renewal": STATES[renewals[0].state] if renewals else "chưa",
        "renewal_name": renewals[0].state if renewals else "",
        "notices": "; ".join(told),
        "sent": [{"days": days, "recipient": recipient} for _, days, recipient in sorted(sent)],
    }


def expiring_csv(found: Sequence[tuple[Row[Any], dict[str, Any]]]) -> bytes:
    """Write what Excel opens with a double click in Vietnam; a cell never begins like a formula."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=";")
    writer.writerow(_HEADINGS.values())
    for _, line in found:
        cells = [str(line[key]) for key in _HEADINGS]
        writer.writerow([f"'{cell}" if cell.startswith(("=", "+", "-", "@")) else cell for cell in cells])
    return text.getvalue().encode("utf-8-sig")


# ---- forms ----


def subject(connection: Connection, plan: Plan, key: str) -> forms.Subject:
    """Say whom and what a form is about: a holder with the certificate that lives, or a certificate with its holder."""
    who = rows.holder_of(connection, key)
    if who is not None:
        own = rows.of_holder(connection, who.id)
        living = [row for row in own if row.state not in FINAL]
        certificate = living[-1] if living else None
    else:
        certificate = register.find(connection, key)
        who = register.holder(connection, certificate.holder_code)
    return forms.Subject(plan.facility, who, private(plan.keyring, who), certificate)
