"""Critical results: raised once, seen by people, acknowledged by one of them.

A value is raised when its message is mapped and stays open until a person says that whoever treats the patient knows. The same
result told again raises nothing; another value of it does. Requirement: S3.15
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.engine import Connection, Row

from gateway.store import lab as rows
from gateway.store.ids import uuid7
from gateway.store.sealed import Keyring
from mappings.formats import json
from mappings.lab.limits import Critical
from mappings.outcome import Resource


@dataclass(frozen=True)
class CriticalValue:
    """One critical result, opened."""

    row: Row[Any]
    found: Critical
    note: str
    """What the person who acknowledged it wrote."""


def note(
    connection: Connection,
    keyring: Keyring,
    found: Sequence[Critical],
    told: Sequence[Resource],
    message_id: str,
    now: int,
) -> None:
    """Raise what a message found, once its resources are stored."""
    whose = {
        f"Observation/{one['id']}": str(one["subject"]["reference"]).partition("/")[2]
        for one in told
        if one["resourceType"] == "Observation" and "reference" in one.get("subject", {})
    }
    for one in found:
        id_ = uuid7()
        rows.raise_value(
            connection,
            id=id_,
            key=keyring.search_key("critical", f"{one.observation}|{one.value}|{one.unit}"),
            patient_id=whose.get(one.observation, ""),
            message_id=message_id,
            raised_at=now,
            body=_sealed(keyring, id_, one, ""),
        )


def listed(connection: Connection, keyring: Keyring, *, every: bool, limit: int) -> list[CriticalValue]:
    """Give critical results that nobody has acknowledged, or all; the newest first."""
    return [_opened(keyring, row) for row in rows.values(connection, every=every, limit=limit)]


def get(connection: Connection, keyring: Keyring, value_id: str) -> CriticalValue:
    """Give one; raise NothingThere."""
    return _opened(keyring, rows.get_value(connection, value_id))


def acknowledge(connection: Connection, keyring: Keyring, value_id: str, *, at: int, actor: str, note: str) -> None:
    """Note who told whom; raise NothingThere, or NotPossibleNow when somebody did before."""
    known = _opened(keyring, rows.get_value(connection, value_id))
    rows.acknowledge(connection, value_id, at=at, actor=actor, body=_sealed(keyring, value_id, known.found, note))


def _sealed(keyring: Keyring, id_: str, found: Critical, note: str) -> bytes:
    return keyring.seal(json.dumps({"found": list(found), "note": note}), f"critical/{id_}")


def _opened(keyring: Keyring, row: Row[Any]) -> CriticalValue:
    body = json.loads(keyring.open(row.body, f"critical/{row.id}"))
    return CriticalValue(row, Critical(*body["found"]), body["note"])
