"""Rows of `study`, `instance` and `instance_header`: DICOM objects that are durable, and the studies they make."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection, Row

from connectors.faults import ObjectClash
from gateway.store import procedure_steps
from gateway.store.image_schema import instance, instance_header, study
from gateway.store.messages import fault_values
from gateway.store.raw import Raw, padded
from gateway.store.schema import message
from mappings.formats.faults import Fault


@dataclass(frozen=True)
class NewInstance:
    """An object that lies on the disk, durable, about to be entered."""

    id: str
    sop_instance: str
    sop_class: str
    study_uid: str
    series_uid: str
    transfer_syntax: str
    channel: str
    peer: str
    calling: str
    received_at: int
    size: int
    sha256: str
    order_key: bytes
    """By which the messages of its study are ordered: the patient's number."""
    header: bytes
    """Sealed; empty for what goes into quarantine."""
    quiet: int
    """Microseconds without another object after which its study counts as complete."""
    fault: Fault | None = None
    """Why it goes into quarantine; None: it is kept."""


@dataclass(frozen=True)
class Entered:
    """What the ledger made of an object."""

    id: str
    """Of the object that is kept under its UID; of one in quarantine its own."""
    repeat: bool = False
    fault: Fault | None = None


def insert_all(connection: Connection, batch: list[NewInstance]) -> list[Entered]:
    """Enter objects and what they add to their studies; the same bytes under the same UID are entered once (promise P3)."""
    if any(new.fault for new in batch) or not _INSERT.attempt(connection, [_kept_values(new) for new in batch]):
        return [_insert(connection, new) for new in batch]
    _INSERT_HEADER.run(connection, [{"instance_id": new.id, "body": new.header} for new in batch])
    _add_to_studies(connection, batch)
    return [Entered(new.id) for new in batch]


def withdraw(connection: Connection, ids: Sequence[str]) -> None:
    """Take objects back that the disk did not take; nobody was told that they arrived."""
    query = sa.select(instance.c.id, instance.c.study_uid).where(instance.c.id.in_(padded(ids)))
    counted = Counter(row.study_uid for row in connection.execute(query.where(instance.c.state == "kept")))
    connection.execute(instance_header.delete().where(instance_header.c.instance_id.in_(padded(ids))))
    connection.execute(instance.delete().where(instance.c.id.in_(padded(ids))))
    for uid, count in sorted(counted.items()):
        of_it = study.c.uid == uid
        connection.execute(study.update().where(of_it).values(instances=study.c.instances - count))
        empty = of_it & (study.c.instances == 0)
        connection.execute(study.delete().where(empty, study.c.version == 0))
        connection.execute(study.update().where(empty).values(due_at=None))


def _insert(connection: Connection, new: NewInstance) -> Entered:
    if new.fault is None and _keep(connection, new):
        _INSERT_HEADER.run(connection, [{"instance_id": new.id, "body": new.header}])
        _add_to_studies(connection, [new])
        return Entered(new.id)
    earlier = find(connection, new.sop_instance) if new.fault is None else None
    if earlier is not None and earlier.sha256 == new.sha256:
        return Entered(earlier.id, repeat=True)
    fault = new.fault or ObjectClash("SOPInstanceUID")
    connection.execute(instance.insert().values(**_values(new), state="quarantined", **fault_values(fault)))
    return Entered(new.id, fault=fault)


def _keep(connection: Connection, new: NewInstance) -> bool:
    """Enter an object as kept; False when one is kept under its UID already."""
    statement = _on_conflict(connection)(instance).values(**_kept_values(new))
    kept = sa.text("state = 'kept'")
    statement = statement.on_conflict_do_nothing(index_elements=["sop_instance"], index_where=kept)
    # PostgreSQL does not count what an INSERT did
    return connection.execute(statement.returning(instance.c.id)).first() is not None


def _on_conflict(connection: Connection) -> Any:
    return sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert


def _values(new: NewInstance) -> dict[str, Any]:
    return {name: getattr(new, name) for name in _COLUMNS}


_COLUMNS = (
    *("id", "sop_instance", "sop_class", "study_uid", "series_uid", "transfer_syntax"),
    *("channel", "peer", "calling", "received_at", "size", "sha256"),
)


def _kept_values(new: NewInstance) -> dict[str, Any]:
    return _values(new) | {"state": "kept"}


_INSERT = Raw(instance.insert(), (*_COLUMNS, "state"))
_INSERT_HEADER = Raw(instance_header.insert(), ("instance_id", "body"))


def _add_to_studies(connection: Connection, batch: list[NewInstance]) -> None:
    """Count objects to their studies; in the order of their UIDs, so that two nodes do not wait for each other."""
    more = Counter(new.study_uid for new in batch)
    last = {new.study_uid: new for new in batch}
    for uid, count in sorted(more.items()):
        new = last[uid]
        values = {
            "uid": uid,
            "channel": new.channel,
            "calling": new.calling,
            "order_key": new.order_key,
            "at": new.received_at,
            "due_at": new.received_at + new.quiet,
            "count": count,
        }
        if _MORE[connection.dialect.name].one(connection, values) == (count,):
            # its steps may have told of it before it came
            procedure_steps.expect(connection, uid, new.received_at)


def _count_more(dialect: str) -> Raw:
    at: sa.BindParameter[int] = sa.bindparam("at", type_=sa.BigInteger)
    due_at: sa.BindParameter[int] = sa.bindparam("due_at", type_=sa.BigInteger)
    count: sa.BindParameter[int] = sa.bindparam("count", type_=sa.Integer)
    insert = (sqlite.insert if dialect == "sqlite" else postgresql.insert)(study).values(
        uid=sa.bindparam("uid"),
        channel=sa.bindparam("channel"),
        calling=sa.bindparam("calling"),
        order_key=sa.bindparam("order_key"),
        first_at=at,
        last_at=at,
        instances=count,
        due_at=due_at,
    )
    more = {
        "instances": study.c.instances + count,
        "last_at": at,
        # what comes beyond what was expected is waited for as if nobody had said a number
        "due_at": sa.case((study.c.expected == study.c.instances + count, at), else_=due_at),
    }
    return Raw(insert.on_conflict_do_update(index_elements=["uid"], set_=more).returning(study.c.instances))


_MORE = {dialect: _count_more(dialect) for dialect in ("sqlite", "postgresql")}


def find(connection: Connection, sop_instance: str) -> Row[Any] | None:
    """Return the object kept under a SOP Instance UID."""
    query = sa.select(instance).where(instance.c.sop_instance == sop_instance, instance.c.state == "kept")
    return connection.execute(query).one_or_none()


def known(connection: Connection, ids: Sequence[str]) -> dict[str, str]:
    """Give the state of each of these objects that the ledger knows."""
    query = sa.select(instance.c.id, instance.c.state).where(instance.c.id.in_(padded(ids)))
    return {row.id: row.state for row in connection.execute(query)}


def due(connection: Connection, now: int, limit: int) -> list[Row[Any]]:
    """Return the studies that count as complete by now, the longest due first."""
    query = sa.select(study).where(study.c.due_at <= now).order_by(study.c.due_at).limit(limit)
    return list(connection.execute(query))


def get_study(connection: Connection, uid: str) -> Row[Any] | None:
    return connection.execute(sa.select(study).where(study.c.uid == uid)).one_or_none()


def of_study(connection: Connection, uid: str) -> list[Row[Any]]:
    """Return the kept objects of a study in the order they came, each with its sealed header (`body`)."""
    joined = instance.join(instance_header, instance_header.c.instance_id == instance.c.id)
    query = (
        sa.select(instance, instance_header.c.body)
        .select_from(joined)
        .where(instance.c.study_uid == uid, instance.c.state == "kept")
        .order_by(instance.c.id)
    )
    return list(connection.execute(query))


def gone_of_study(connection: Connection, uid: str) -> list[Row[Any]]:
    """Return the objects of a study whose files were removed, as `of_study` returns those that are kept."""
    joined = instance.join(instance_header, instance_header.c.instance_id == instance.c.id)
    query = (
        sa.select(instance, instance_header.c.body)
        .select_from(joined)
        .where(instance.c.study_uid == uid, sa.text("instance.state IN ('pruning', 'pruned')"))
        .order_by(instance.c.id)
    )
    return list(connection.execute(query))


def unpruned(connection: Connection, before: int, after: str, limit: int) -> list[Row[Any]]:
    """Return the studies that have files and of which nothing came since `before`, by uid, beginning after one."""
    has_files = sa.or_(study.c.pruned_at.is_(None), study.c.last_at > study.c.pruned_at)
    query = sa.select(study).where(study.c.last_at < before, has_files, study.c.uid > after)
    return list(connection.execute(query.order_by(study.c.uid).limit(limit)))


def give_up_files(connection: Connection, uid: str, now: int) -> int:
    """Note that the files of a study are to be removed; return how many objects that are."""
    found = connection.execute(
        instance.update().where(instance.c.study_uid == uid, sa.text("instance.state = 'kept'")).values(state="pruning")
    )
    connection.execute(study.update().where(study.c.uid == uid).values(pruned_at=now))
    return found.rowcount


def going(connection: Connection, limit: int) -> list[str]:
    """Return objects whose files are still to be removed."""
    query = sa.select(instance.c.id).where(sa.text("instance.state = 'pruning'"))
    return list(connection.scalars(query.order_by(instance.c.id).limit(limit)))


def removed(connection: Connection, ids: Sequence[str]) -> None:
    """Note that these files are gone."""
    connection.execute(
        instance.update().where(instance.c.id.in_(padded(ids)), instance.c.state == "pruning").values(state="pruned")
    )


def settled(connection: Connection, uid: str) -> Row[Any] | None:
    """Return a study whose newest message is in the record; None while it is not, or while a person's moving it waits."""
    moving = sa.and_(study.c.assigned.is_not(None), study.c.due_at.is_not(None))
    query = (
        sa.select(study)
        .join(message, message.c.id == study.c.message_id)
        .where(study.c.uid == uid, message.c.state == "mapped", ~moving)
    )
    return connection.execute(query).one_or_none()


def newest_of(connection: Connection, uids: Collection[str], limit: int) -> list[str]:
    """Return which of these studies are known, the newest first."""
    query = sa.select(study.c.uid).where(study.c.uid.in_(padded(uids)))
    return list(connection.scalars(query.order_by(study.c.last_at.desc(), study.c.uid.desc()).limit(limit)))


def newest_since(connection: Connection, since: int, limit: int) -> list[str]:
    """Return the studies of which something came since then, the newest first."""
    query = sa.select(study.c.uid).where(study.c.last_at >= since)
    return list(connection.scalars(query.order_by(study.c.last_at.desc(), study.c.uid.desc()).limit(limit)))


def of_scope(connection: Connection, uid: str, series: str = "", sop_instance: str = "") -> list[Row[Any]]:
    """Return the kept objects of a study, or of one of its series, or one of them, in the order they came."""
    query = sa.select(instance).where(instance.c.study_uid == uid, sa.text("instance.state = 'kept'"))
    if series:
        query = query.where(instance.c.series_uid == series)
    if sop_instance:
        query = query.where(instance.c.sop_instance == sop_instance)
    return list(connection.execute(query.order_by(instance.c.id)))


def header(connection: Connection, instance_id: str) -> bytes:
    """Return the sealed header of a kept object."""
    query = sa.select(instance_header.c.body).where(instance_header.c.instance_id == instance_id)
    return bytes(connection.execute(query).scalar_one())


def classes(connection: Connection, uid: str) -> dict[str, str]:
    """Return the SOP Class UID of each kept object of a study, by SOP Instance UID."""
    query = sa.select(instance.c.sop_instance, instance.c.sop_class)
    found = connection.execute(query.where(instance.c.study_uid == uid, instance.c.state == "kept"))
    return {row.sop_instance: row.sop_class for row in found}


def told(connection: Connection, row: Row[Any], message_id: str, instances: int) -> bool:
    """Note that a message tells so many objects of a study; False when another node was first, or more came meanwhile."""
    found = connection.execute(
        study.update()
        .where(study.c.uid == row.uid, study.c.version == row.version, study.c.instances == instances)
        .values(told=instances, version=row.version + 1, message_id=message_id, due_at=None)
    )
    return bool(found.rowcount)


def assign(connection: Connection, uid: str, number: bytes, now: int) -> None:
    """Give a study to the person with this sealed number, from its next message on, which is due now."""
    connection.execute(study.update().where(study.c.uid == uid).values(assigned=number, due_at=now))


def studies(connection: Connection, limit: int = 0, after: str = "") -> list[Row[Any]]:
    """Return studies with the state of their newest message, the newest first; `after` is the uid of the last seen."""
    joined = study.outerjoin(message, message.c.id == study.c.message_id)
    query = sa.select(study, message.c.state, message.c.fault_code).select_from(joined).where(study.c.last_at > 0)
    if after and (last := get_study(connection, after)) is not None:
        query = query.where(sa.tuple_(study.c.last_at, study.c.uid) < (last.last_at, last.uid))
    return list(connection.execute(query.order_by(study.c.last_at.desc(), study.c.uid.desc()).limit(limit or None)))


def postpone(connection: Connection, uid: str, due_at: int) -> None:
    """Look at a study again at another time."""
    connection.execute(study.update().where(study.c.uid == uid).values(due_at=due_at))


def aside(connection: Connection, limit: int = 0) -> list[Row[Any]]:
    """Return what lies in quarantine, newest first."""
    query = sa.select(instance).where(instance.c.state == "quarantined").order_by(instance.c.id.desc())
    return list(connection.execute(query.limit(limit or None)))
