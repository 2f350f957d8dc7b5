"""Bring a checked staff list into the register: who is new, what changed, who needs a certificate, who has left.

`compare` only reads; `enrol` writes what it found, in one transaction. Nobody's certificate is revoked by a list: it proposes.

Requirement: S0.2, S0.9
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy.engine import Connection, Row

from gateway.certificates import register
from gateway.certificates.register import FINAL, Act
from gateway.certificates.staff_list import COLUMNS, Problem, Staff
from gateway.store import certificates as rows
from gateway.store.ids import uuid7
from gateway.store.sealed import Keyring

PRIVATE = ("citizen_id", "email", "phone")
"""Fields that are sealed at rest."""
_OPEN = ("name", "roles", "department", "post", "title", "licence")


@dataclass(frozen=True)
class Changes:
    """What a list means for the register as it is."""

    new: tuple[Staff, ...]
    changed: tuple[tuple[Row[Any], Staff, tuple[str, ...]], ...]
    """Holder, line, and the fields that are different."""
    same: int
    back: tuple[Row[Any], ...]
    """Holders on this list who were not on the last one."""
    without: tuple[Staff, ...]
    """Those who have no certificate and have asked for none."""
    left: tuple[Row[Any], ...]
    """Holders who are not on the list, if it is whole."""
    proposed: tuple[Row[Any], ...]
    """Certificates of those who left: to be revoked, or their requests to be rejected."""
    problems: tuple[Problem, ...]
    """Numbers that somebody else in the register has."""


def private(keyring: Keyring, holder: Row[Any]) -> dict[str, str]:
    """Open what is sealed about a holder."""
    if not holder.private:
        return dict.fromkeys(PRIVATE, "")
    opened: dict[str, str] = msgspec.json.decode(keyring.open(holder.private, f"holder/{holder.id}"))
    return dict.fromkeys(PRIVATE, "") | opened


def compare(connection: Connection, keyring: Keyring, staff: Sequence[Staff], *, whole: bool) -> Changes:
    """Hold a list against the register; `whole` says that whoever is not on it has left."""
    known = {row.code.casefold(): row for row in rows.holders(connection) if row.kind == "person"}
    listed = {one.code.casefold(): one for one in staff}
    pairs = [(known[code], one) for code, one in listed.items() if code in known]
    changed = [(row, one, fields) for row, one in pairs if (fields := tuple(_different(keyring, row, one)))]
    left = [row for code, row in known.items() if code not in listed and row.listed] if whole else []
    return Changes(
        new=tuple(one for code, one in listed.items() if code not in known),
        changed=tuple(changed),
        same=len(pairs) - len(changed),
        back=tuple(row for row, _ in pairs if not row.listed),
        without=tuple(one for code, one in listed.items() if not _living(connection, known.get(code))),
        left=tuple(left),
        proposed=tuple(row for one in left for row in _living(connection, one)),
        problems=tuple(_taken(keyring, known, listed)),
    )


def enrol(
    connection: Connection, keyring: Keyring, changes: Changes, act: Act, *, request: bool = True, provider: str = ""
) -> list[str]:
    """Write what a list means, and ask for the certificates that are missing; return their ids in the register."""
    ids: dict[str, str] = {}
    for one in changes.new:
        ids[one.code] = uuid7()
        _put(connection, keyring, ids[one.code], one, act)
        _note(connection, ids[one.code], "enrol", act, {})
    for row, one, fields in changes.changed:
        _put(connection, keyring, row.id, one, act)
        was = {field: getattr(row, field) for field in fields if field in _OPEN}
        _note(connection, row.id, "change", act, {"fields": list(fields), "was": was})
    for row in changes.back:
        rows.put_holder(connection, row.id, {"listed": True})
        rows.propose(connection, [own.id for own in _living(connection, row)], "")
        _note(connection, row.id, "back", act, {})
    for row in changes.left:
        rows.put_holder(connection, row.id, {"listed": False})
        _note(connection, row.id, "left", act, {})
    reason = f"không còn trong danh sách nhân sự ngày {register.today(act.at):%d/%m/%Y}"
    rows.propose(connection, [row.id for row in changes.proposed], reason)
    for row in changes.proposed:
        rows.note(
            connection,
            holder_id=row.holder_id,
            certificate_id=row.id,
            at=act.at,
            actor=act.actor,
            event="propose",
            reason=reason,
        )
    if not request:
        return []
    holders = [ids.get(one.code) or register.holder(connection, one.code).id for one in changes.without]
    return [register.request(connection, id_, act, provider=provider) for id_ in holders]


def _living(connection: Connection, holder: Row[Any] | None) -> list[Row[Any]]:
    return [] if holder is None else [r for r in rows.of_holder(connection, holder.id) if r.state not in FINAL]


def _different(keyring: Keyring, row: Row[Any], one: Staff) -> Iterator[str]:
    was = {field: getattr(row, field) for field in _OPEN} | private(keyring, row)
    yield from (field for field in (*_OPEN, *PRIVATE) if was[field] != getattr(one, field))


def _taken(keyring: Keyring, known: dict[str, Row[Any]], listed: dict[str, Staff]) -> Iterator[Problem]:
    """Find personal numbers and licences that belong to somebody who is not on the list under that number."""
    others = [row for code, row in known.items() if code not in listed]
    numbers = {row.citizen_key: row for row in others if row.citizen_key}
    licences = {row.licence.casefold(): row for row in others if row.licence}
    for one in listed.values():
        for field, other in (
            ("citizen_id", numbers.get(keyring.search_key("citizen", one.citizen_id))),
            ("licence", licences.get(one.licence.casefold())),
        ):
            if other is not None:
                text = f"đã có ở nhân viên mã {other.code}; một người không có hai mã"
                yield Problem(one.line, COLUMNS[field][0], "taken", text)


def _put(connection: Connection, keyring: Keyring, holder_id: str, one: Staff, act: Act) -> None:
    sealed = msgspec.json.encode({field: getattr(one, field) for field in PRIVATE})
    values = {field: getattr(one, field) for field in _OPEN} | {
        "kind": "person",
        "code": one.code,
        "citizen_key": keyring.search_key("citizen", one.citizen_id),
        "private": keyring.seal(sealed, f"holder/{holder_id}"),
        "listed": True,
        "recorded_at": act.at,
    }
    rows.put_holder(connection, holder_id, values)


def _note(connection: Connection, holder_id: str, event: str, act: Act, facts: dict[str, object]) -> None:
    rows.note(
        connection,
        holder_id=holder_id,
        certificate_id=None,
        at=act.at,
        actor=act.actor,
        event=event,
        reason=act.reason,
        facts=facts,
    )
