"""Rows of `holder`, `certificate` and what belongs to them: events, incidents, notices.

Events are only ever added. What may follow what is decided by `gateway/certificates`; a change of state here holds the table's
guard, so that two people who act at once do not both succeed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from gateway.faults import NotPossibleNow
from gateway.states import CERTIFICATE, advance
from gateway.store.ids import uuid7
from gateway.store.schema import (
    certificate,
    certificate_event,
    certificate_incident,
    certificate_notice,
    holder,
    signature,
)

_LIVING = sa.text("certificate.state IN ('issued', 'handed_over', 'active', 'suspended')")
"""Written out, not bound: only then does the index of what can end serve."""
_WITH_HOLDER = (
    sa.select(
        certificate,
        holder.c.kind.label("holder_kind"),
        holder.c.code.label("holder_code"),
        holder.c.name.label("holder_name"),
        holder.c.roles.label("holder_roles"),
        holder.c.department.label("holder_department"),
        holder.c.commitment_on.label("commitment_on"),
    )
).join_from(certificate, holder, certificate.c.holder_id == holder.c.id)

# ---- holders ----


def put_holder(connection: Connection, holder_id: str, values: Mapping[str, Any]) -> None:
    """Store a holder, or what is new about one."""
    changed = connection.execute(holder.update().where(holder.c.id == holder_id).values(**values))
    if not changed.rowcount:
        connection.execute(holder.insert().values(id=holder_id, **values))


def holder_of(connection: Connection, key: str) -> Row[Any] | None:
    """Return the holder with this id or code."""
    by_code = connection.execute(sa.select(holder).where(holder.c.code == key)).one_or_none()
    return by_code or connection.execute(sa.select(holder).where(holder.c.id == key)).one_or_none()


def holders(connection: Connection) -> list[Row[Any]]:
    """Return everybody, by code; a few hundred in a hospital."""
    return list(connection.execute(sa.select(holder).order_by(holder.c.code)))


# ---- certificates ----


def insert(connection: Connection, **values: Any) -> str:
    """Store a request; return its id."""
    certificate_id = uuid7()
    connection.execute(certificate.insert().values(id=certificate_id, **values))
    return certificate_id


def get(connection: Connection, certificate_id: str) -> Row[Any] | None:
    return connection.execute(_WITH_HOLDER.where(certificate.c.id == certificate_id)).one_or_none()


def by_fingerprint(connection: Connection, sha256: str) -> Row[Any] | None:
    """Return a certificate with its holder; nobody changes its state before the caller's transaction ends."""
    query = _WITH_HOLDER.where(certificate.c.sha256 == sha256).with_for_update(read=True, of=certificate)
    return connection.execute(query).one_or_none()


def of_holder(connection: Connection, holder_id: str) -> list[Row[Any]]:
    """Return the certificates of a holder, oldest first."""
    query = _WITH_HOLDER.where(certificate.c.holder_id == holder_id).order_by(certificate.c.id)
    return list(connection.execute(query))


def with_serial(connection: Connection, serial: str) -> list[Row[Any]]:
    return list(connection.execute(_WITH_HOLDER.where(certificate.c.serial == serial)))


def replacing(connection: Connection, holder_id: str, certificate_id: str) -> list[Row[Any]]:
    """Return the renewals of a certificate."""
    return [row for row in of_holder(connection, holder_id) if row.replaces_id == certificate_id]


def listing(
    connection: Connection, *, states: Sequence[str] = (), department: str = "", proposed: bool = False, limit: int = 0
) -> list[Row[Any]]:
    """Return certificates by the code of their holder; every condition that is given counts."""
    query = _WITH_HOLDER.order_by(holder.c.code, certificate.c.id).limit(limit or None)
    if states:
        query = query.where(certificate.c.state.in_(list(states)))
    if department:
        query = query.where(holder.c.department == department)
    if proposed:
        query = query.where(certificate.c.proposal != "")
    return list(connection.execute(query))


def ending(connection: Connection, before: int) -> list[Row[Any]]:
    """Return the certificates that can still end and do so before an instant, the nearest end first."""
    query = _WITH_HOLDER.where(_LIVING, certificate.c.not_after < before)
    return list(connection.execute(query.order_by(certificate.c.not_after)))


def move(connection: Connection, row: Row[Any], event: str, *, effective_at: int, **values: Any) -> str:
    """Take a certificate to the state that `event` leads to; raise NotPossibleNow when it cannot go there."""
    state = advance(CERTIFICATE, row.state, event)
    moved = connection.execute(
        certificate.update()
        .where(certificate.c.id == row.id, certificate.c.state == row.state)
        .values(state=state, state_since=effective_at, **values)
    )
    if moved.rowcount != 1:
        raise NotPossibleNow(detail=f"{event} while it is changed by somebody else")
    return state


def change(connection: Connection, certificate_id: str, **values: Any) -> None:
    """Write other facts of a certificate, whatever its state."""
    connection.execute(certificate.update().where(certificate.c.id == certificate_id).values(**values))


def propose(connection: Connection, certificate_ids: Iterable[str], reason: str) -> None:
    """Note why these should be revoked; an empty reason takes the note away."""
    ids = list(certificate_ids)
    if ids:
        connection.execute(certificate.update().where(certificate.c.id.in_(ids)).values(proposal=reason))


# ---- events ----


def note(
    connection: Connection,
    *,
    holder_id: str,
    certificate_id: str | None,
    at: int,
    actor: str,
    event: str,
    reason: str,
    effective_at: int = 0,
    state: str = "",
    facts: Mapping[str, object] | None = None,
) -> None:
    """Add an event; `effective_at` is `at` unless it is given."""
    connection.execute(
        certificate_event.insert().values(
            id=uuid7(),
            holder_id=holder_id,
            certificate_id=certificate_id,
            at=at,
            effective_at=effective_at or at,
            actor=actor,
            event=event,
            state=state,
            reason=reason,
            facts=msgspec.json.encode(facts or {}).decode(),
        )
    )


def events(connection: Connection, *, certificate_id: str = "", holder_id: str = "", limit: int = 0) -> list[Row[Any]]:
    """Return events, newest first: all, or those of one certificate or holder."""
    query = sa.select(certificate_event).order_by(certificate_event.c.id.desc()).limit(limit or None)
    if certificate_id:
        query = query.where(certificate_event.c.certificate_id == certificate_id)
    if holder_id:
        query = query.where(certificate_event.c.holder_id == holder_id)
    return list(connection.execute(query))


# ---- incidents ----


def put_incident(connection: Connection, **values: Any) -> str:
    incident_id = uuid7()
    connection.execute(certificate_incident.insert().values(id=incident_id, **values))
    return incident_id


def incident(connection: Connection, incident_id: str) -> Row[Any] | None:
    query = sa.select(certificate_incident).where(certificate_incident.c.id == incident_id)
    return connection.execute(query).one_or_none()


def incidents(connection: Connection, certificate_id: str) -> list[Row[Any]]:
    query = sa.select(certificate_incident).where(certificate_incident.c.certificate_id == certificate_id)
    return list(connection.execute(query.order_by(certificate_incident.c.id)))


def close_incidents(connection: Connection, incident_ids: Iterable[str], *, at: int, actor: str, outcome: str) -> None:
    """End incidents; one that ended before stays as it ended."""
    connection.execute(
        certificate_incident.update()
        .where(certificate_incident.c.id.in_(list(incident_ids)), certificate_incident.c.closed_at.is_(None))
        .values(closed_at=at, closed_by=actor, outcome=outcome)
    )


# ---- notices, and what was signed ----


def put_notice(connection: Connection, certificate_id: str, days: int, recipient: str, at: int) -> None:
    connection.execute(
        certificate_notice.insert().values(certificate_id=certificate_id, days=days, recipient=recipient, at=at)
    )


def notices(connection: Connection, certificate_ids: Iterable[str]) -> list[Row[Any]]:
    query = sa.select(certificate_notice).where(certificate_notice.c.certificate_id.in_(list(certificate_ids)))
    return list(connection.execute(query))


def signed_since(connection: Connection, sha256: str, since: int) -> list[str]:
    """Return the documents that bear a signature made with a certificate at or after an instant."""
    query = (
        sa.select(signature.c.document_id)
        .where(signature.c.certificate_sha256 == sha256, signature.c.signed_at >= since)
        .distinct()
        .order_by(signature.c.document_id)
    )
    return [str(found) for found in connection.scalars(query)]
