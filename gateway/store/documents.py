"""Rows of `document`, `rendition` and `signature`: the papers we made."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from gateway.faults import ItemDeadly, NothingThere
from gateway.states import DOCUMENT, advance, sources
from gateway.store import proofs
from gateway.store.ids import uuid7
from gateway.store.leases import RELEASED, Taking, count_death, there_is
from gateway.store.messages import fault_values
from gateway.store.raw import Raw, padded
from gateway.store.schema import document, rendition, signature
from mappings.formats.faults import Fault

_UNFINISHED = sa.text("document.state IN ('due', 'composed', 'proving')")
"""Written out, not bound: only then does the index of what waits serve."""


@dataclass(frozen=True)
class NewDocument:
    paper: str
    subject: str
    channel: str
    message_id: str
    patient_id: str
    order_key: bytes
    event_at: int
    deadline_at: int
    act: str = "make"
    """`make`, `renew`, `cancel`, `reissue`."""
    reason: str = ""
    actor: str = ""


def insert(connection: Connection, new: NewDocument) -> str:
    """Store a paper that is due; return its id. Its version and what it replaces are settled when it is composed."""
    last = newest(connection, new.paper, new.subject)
    document_id = uuid7()
    connection.execute(
        document.insert().values(
            id=document_id,
            paper=new.paper,
            subject=new.subject,
            version=1 if last is None else last.version + 1,
            replaces_id=None if last is None else last.id,
            channel=new.channel,
            message_id=new.message_id,
            patient_id=new.patient_id,
            order_key=new.order_key,
            event_at=new.event_at,
            deadline_at=new.deadline_at,
            state="due",
            due_at=new.event_at,
            act=new.act,
            reason=new.reason,
            actor=new.actor,
        )
    )
    return document_id


def newest(connection: Connection, paper: str, subject: str) -> Row[Any] | None:
    """Return what was asked for last of a paper about one subject, whatever became of it."""
    return connection.execute(
        sa.select(document)
        .where(document.c.paper == paper, document.c.subject == subject)
        .order_by(document.c.version.desc(), document.c.id.desc())
        .limit(1)
    ).one_or_none()


def issued(connection: Connection, paper: str, subject: str) -> Row[Any] | None:
    """Return the newest signed version of a paper about one subject."""
    return _newest_where(connection, paper, subject, document.c.state == "signed")


def given_out(connection: Connection, paper: str, subject: str) -> Row[Any] | None:
    """Return the newest version that may have left: signed by all, or by those whom a destination waits for."""
    return _newest_where(connection, paper, subject, document.c.signed_at.is_not(None))


def _newest_where(
    connection: Connection, paper: str, subject: str, condition: sa.ColumnElement[bool]
) -> Row[Any] | None:
    return connection.execute(
        sa.select(document)
        .where(document.c.paper == paper, document.c.subject == subject, condition)
        .order_by(document.c.version.desc(), document.c.id.desc())
        .limit(1)
    ).one_or_none()


def waiting_for_people(connection: Connection, paper: str, subject: str, before: str) -> list[Row[Any]]:
    """Return the versions of a paper, asked for before this one, that are composed and have not left yet."""
    query = sa.select(document).where(
        document.c.paper == paper,
        document.c.subject == subject,
        document.c.state.in_(("signing", "composed", "proving")),
        document.c.id < before,
    )
    return list(connection.execute(query))


def incomplete(connection: Connection, patient_ids: Iterable[str], codes: Iterable[int]) -> list[Row[Any]]:
    """Return the papers of a person that failed with one of these fault codes."""
    failed = [one for one in patient_ids if _FAILED.one(connection, {"of": one})]
    return list(connection.execute(_INCOMPLETE, {"patients": failed, "codes": list(codes)})) if failed else []


_FAILED = Raw(
    sa.select(document.c.id)
    .where(document.c.patient_id == sa.bindparam("of"), sa.text("state = 'error'"))
    .limit(sa.literal_column("1"))
)
"""Asked for every message; nearly always the answer is no."""
_INCOMPLETE = (
    sa.select(document)
    .where(
        document.c.patient_id.in_(sa.bindparam("patients", expanding=True)),
        document.c.state == "error",
        document.c.fault_code.in_(sa.bindparam("codes", expanding=True)),
    )
    .order_by(document.c.id)
)


def listing(
    connection: Connection,
    *,
    states: Sequence[str] = (),
    papers: Sequence[str] = (),
    subjects: Sequence[str] = (),
    patient_ids: Sequence[str] = (),
    after: str = "",
    limit: int = 0,
) -> list[Row[Any]]:
    """Return papers, newest first; every condition that is not empty counts."""
    query = sa.select(document)
    for column, wanted in (
        (document.c.state, states),
        (document.c.paper, papers),
        (document.c.subject, subjects),
        (document.c.patient_id, patient_ids),
    ):
        if wanted:
            query = query.where(column.in_(list(wanted)))
    if after:
        query = query.where(document.c.id < after)
    return list(connection.execute(query.order_by(document.c.id.desc()).limit(limit or None)))


def take_unfinished(connection: Connection, *, owner: str, now: int, until: int, limit: int) -> list[Row[Any]]:
    """Lease the next documents to compose, to seal or to complete, of one paper about one subject only the oldest."""
    return _way()(connection, owner=owner, now=now, until=until, limit=limit)


@cache
def _way() -> Taking:
    return Taking(document, _UNFINISHED, _blocked())


def _blocked() -> sa.ColumnElement[bool]:
    earlier = document.alias("earlier")
    return there_is(
        earlier.c.paper == document.c.paper,
        earlier.c.subject == document.c.subject,
        sa.text("earlier.state IN ('due', 'composed')"),
        earlier.c.id < document.c.id,
    )


def move(connection: Connection, document_id: str, event: str, fault: Fault | None = None, **values: Any) -> bool:
    """Apply `event` to a document; False when its state does not allow it."""
    (target,) = {advance(DOCUMENT, state, event) for state in sources(DOCUMENT, event)}
    told = {} if event == "close" else fault_values(fault)
    if event not in ("fail", "close"):
        told["deaths"] = 0
    statement = (
        document.update()
        .where(document.c.id == document_id, document.c.state.in_(sources(DOCUMENT, event)))
        .values(state=target, **RELEASED, **told, **values)
    )
    return bool(connection.execute(statement).rowcount)


def postpone(connection: Connection, document_id: str, fault: Fault, due_at: int) -> None:
    """Leave a document in its state, to be tried again at `due_at`."""
    connection.execute(
        document.update()
        .where(document.c.id == document_id)
        .values(due_at=due_at, attempts=document.c.attempts + 1, **RELEASED, **fault_values(fault))
    )


def wake(connection: Connection, document_id: str, now: int) -> None:
    """Complete a document as soon as may be: all its signatures have their proofs."""
    proving = sa.and_(document.c.id == document_id, document.c.state == "proving")
    connection.execute(document.update().where(proving).values(due_at=now, attempts=0))


def sleep(connection: Connection, document_id: str, until: int) -> None:
    """Look at a document again when it is woken, or at `until`."""
    proving = sa.and_(document.c.id == document_id, document.c.state == "proving")
    connection.execute(document.update().where(proving).values(due_at=until, **RELEASED))


def digest(body: bytes) -> str:
    """Give the hash by which bytes are known."""
    return hashlib.sha256(body).hexdigest()


def put_rendition(
    connection: Connection, document_id: str, kind: str, media_type: str, body: bytes, sealed: bytes, *, signed: bool
) -> None:
    """Store a rendition; the unsigned one gives way to the signed one, and nothing ever replaces that (promise P6)."""
    connection.execute(
        rendition.delete().where(
            rendition.c.document_id == document_id, rendition.c.kind == kind, rendition.c.signed.is_(False)
        )
    )
    connection.execute(
        rendition.insert().values(
            document_id=document_id,
            kind=kind,
            media_type=media_type,
            sha256=digest(body),
            signed=signed,
            body=sealed,
        )
    )


def put_record(
    connection: Connection, document_id: str, kind: str, media_type: str, body: bytes, sealed: bytes
) -> None:
    """Store an evidence record in the place of the one before, all of whose time stamps it holds; none is ever sent."""
    same = (rendition.c.document_id == document_id, rendition.c.kind == kind)
    connection.execute(rendition.delete().where(*same))
    put_rendition(connection, document_id, kind, media_type, body, sealed, signed=True)


def note_given_out(connection: Connection, document_id: str, at: int) -> None:
    """Note that a document may leave before all have signed; the first time counts."""
    connection.execute(
        document.update().where(document.c.id == document_id, document.c.signed_at.is_(None)).values(signed_at=at)
    )


def renditions(connection: Connection, document_id: str, kind: str = "") -> list[Row[Any]]:
    query = sa.select(rendition).where(rendition.c.document_id == document_id)
    if kind:
        query = query.where(rendition.c.kind == kind)
    return list(connection.execute(query.order_by(rendition.c.kind)))


def unfinished(connection: Connection, document_id: str) -> list[str]:
    """Name the renditions of a document, early ones aside, whose bytes are not final."""
    whole = sa.and_(rendition.c.document_id == document_id, rendition.c.kind.not_like("%@%"))
    return list(connection.scalars(sa.select(rendition.c.kind).where(whole, rendition.c.signed.is_(False))))


def waiting_early(connection: Connection, document_id: str) -> list[Row[Any]]:
    """Return the renditions of earlier steps of a document that wait for proofs."""
    early = sa.and_(rendition.c.kind.like("%@%"), rendition.c.signed.is_(False))
    return list(connection.execute(sa.select(rendition).where(rendition.c.document_id == document_id, early)))


def first_signed(connection: Connection, document_id: str, kinds: Sequence[str]) -> Row[Any] | None:
    """Return the first of these renditions that holds final bytes."""
    for kind in kinds:
        for found in renditions(connection, document_id, kind):
            if found.signed:
                return found
    return None


def final_all(connection: Connection, wanted: list[tuple[str, tuple[str, ...]]]) -> list[list[Row[Any]]]:
    """Return, for each (document, kinds), the final bytes of the first of these kinds that has some, and of the signature
    beside it; nothing where there are none. Made for `Store.read_each`."""
    every = sorted({one for _, kinds in wanted for kind in kinds for one in (kind, beside(kind))})
    query = (
        sa.select(rendition, document.c.paper, document.c.version)
        .join_from(rendition, document)
        .where(
            rendition.c.document_id.in_(padded(id_ for id_, _ in wanted)),
            rendition.c.kind.in_(padded(every)),
            rendition.c.signed,
        )
    )
    found = {(row.document_id, row.kind): row for row in connection.execute(query)}
    answers: list[list[Row[Any]]] = []
    for document_id, kinds in wanted:
        kind = next((kind for kind in kinds if (document_id, kind) in found), "")
        names = ((document_id, kind), (document_id, beside(kind)))
        answers.append([found[name] for name in names if name in found] if kind else [])
    return answers


def with_hash(connection: Connection, sha256: str) -> tuple[Row[Any], str] | None:
    """Return the newest document that has final bytes of this hash, and the kind of rendition they are."""
    query = (
        sa.select(document, rendition.c.kind)
        .join_from(rendition, document)
        .where(rendition.c.sha256 == sha256, rendition.c.signed)
        .order_by(document.c.id.desc())
        .limit(1)
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else (row, row.kind)


def put_signature(
    connection: Connection,
    document_id: str,
    kind: str,
    *,
    sha256: str,
    signer: str,
    certificate: str,
    at: int,
    role: str = "seal",
    holder: str = "",
    account: str = "",
    workstation: str = "",
    task_id: str | None = None,
) -> int:
    """Keep who signed, under the next number of the rendition, and return that."""
    number = next_signature(connection, document_id, kind)
    connection.execute(
        signature.insert().values(
            document_id=document_id,
            kind=kind,
            number=number,
            task_id=task_id,
            role=role,
            holder=holder,
            account=account,
            workstation=workstation,
            sha256=sha256,
            signer=signer,
            certificate_sha256=certificate,
            signed_at=at,
        )
    )
    return number


def next_signature(connection: Connection, document_id: str, kind: str) -> int:
    """Return the number of the next signature of a rendition."""
    last = sa.select(sa.func.max(signature.c.number)).where(
        signature.c.document_id == document_id, signature.c.kind == kind
    )
    return int(connection.scalar(last) or 0) + 1


def signatures(connection: Connection, document_id: str) -> list[Row[Any]]:
    query = sa.select(signature).where(signature.c.document_id == document_id)
    return list(connection.execute(query.order_by(signature.c.kind, signature.c.number)))


def void_signatures(connection: Connection, document_id: str, at: int) -> list[str]:
    """Say of the signatures of a document that they count no more; return who had signed."""
    of_document = signature.c.document_id == document_id
    valid = sa.and_(of_document, signature.c.voided_at.is_(None))
    query = sa.select(signature.c.signer).where(valid).order_by(signature.c.kind, signature.c.number)
    signers = list(dict.fromkeys(connection.scalars(query)))
    connection.execute(signature.update().where(valid).values(voided_at=at))
    proofs.void(connection, document_id)
    return signers


def is_early(kind: str) -> bool:
    """Tell whether a rendition is one of an earlier step."""
    return "@" in kind


def renewed_kind(kind: str, number: int) -> str:
    """Name the bytes of a rendition after its proofs were completed or renewed so many times."""
    return f"{kind}~{number}" if number else kind


def newest_of(connection: Connection, document_id: str, kind: str) -> tuple[Row[Any] | None, int]:
    """Return the final bytes of a rendition with its newest proofs, and how often others came before them."""
    own = sa.or_(rendition.c.kind == kind, rendition.c.kind.like(f"{kind}~%"))
    query = sa.select(rendition.c.kind).where(rendition.c.document_id == document_id, own, rendition.c.signed)
    number = max((int(one.partition("~")[2] or 0) for one in connection.scalars(query)), default=0)
    found = renditions(connection, document_id, renewed_kind(kind, number))
    return (found[0] if found else None), number


def beside(kind: str) -> str:
    """Name the signature that lies beside a rendition."""
    return f"{kind}.s"


def record_of(kind: str) -> str:
    """Name the evidence record of a rendition that holds no proofs."""
    return f"{kind}.e"


def is_record(kind: str) -> bool:
    """Tell whether a rendition, or what is noted about one, is an evidence record."""
    return kind.partition("~")[0].endswith(".e")


def get(connection: Connection, document_id: str) -> Row[Any]:
    row = connection.execute(sa.select(document).where(document.c.id == document_id)).one_or_none()
    if row is None:
        raise NothingThere(where=document_id)
    return row


def lock(connection: Connection, document_id: str) -> None:
    """Let nobody else change a document and what belongs to it before the caller's transaction ends."""
    connection.execute(sa.select(document.c.id).where(document.c.id == document_id).with_for_update()).one_or_none()


def of_message(connection: Connection, message_id: str) -> list[Row[Any]]:
    return list(
        connection.execute(sa.select(document).where(document.c.message_id == message_id).order_by(document.c.id))
    )


def in_state(connection: Connection, state: str, limit: int = 0) -> list[Row[Any]]:
    query = sa.select(document).where(document.c.state == state).order_by(document.c.id.desc()).limit(limit or None)
    if state == "error":
        query = query.where(sa.text("document.state IN ('error', 'held')"))  # lets the index of the error queue serve
    return list(connection.execute(query))


def counts(connection: Connection) -> list[Row[Any]]:
    return list(
        connection.execute(
            sa.select(document.c.paper, document.c.state, sa.func.count().label("documents"))
            .group_by(document.c.paper, document.c.state)
            .order_by(document.c.paper, document.c.state)
        )
    )


def release_leases(connection: Connection, node: str) -> None:
    """Give back what a node held that ends."""
    connection.execute(document.update().where(_UNFINISHED, document.c.lease_owner == node).values(**RELEASED))


def died(connection: Connection, node: str, document_id: str = "") -> list[str]:
    """Take back from a node that died what it held, or one document from a process of it that died working on it.

    Returns those that go to the error queue for it.
    """
    held = sa.and_(_UNFINISHED, document.c.lease_owner == node)
    if document_id:
        held = sa.and_(held, document.c.id == document_id)
    return count_death(connection, document, held, {"state": "error", **fault_values(ItemDeadly())})
