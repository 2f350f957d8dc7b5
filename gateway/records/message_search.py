"""Find messages, documents and deliveries by the numbers that people have: through keys kept beside the sealed messages.

A message gets its keys in the transaction that maps it; one that is not mapped, or was stored by a version that made none, gets
them from `watch`, newest first. So intake pays nothing, and what is found is at most seconds old. The keys are HMACs: whoever
reads the table learns no number. Does not decide who may look.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.engine import Connection, Row

from gateway import steps
from gateway.faults import QueryTooWide, StoreFault
from gateway.pool import Pool
from gateway.records import persons, search
from gateway.settings import Plan
from gateway.store import message_keys as rows
from gateway.store.engine import Store
from gateway.store.sealed import Keyring
from mappings.formats.faults import Fault
from mappings.hl7v2.business_keys import KINDS as IN_MESSAGES
from mappings.hl7v2.business_keys import looked_for

log = logging.getLogger("lienthong.search")

KINDS = (*IN_MESSAGES, "message", "delivery")
"""What a number can be: of something in a message, or of a message, document or delivery of ours."""
_OF_PERSONS = ("patient", "card")
_BATCH = 200
_LOOK_S = 5.0


# ---- keys ----


def put(connection: Connection, keyring: Keyring, keys: Mapping[str, Iterable[tuple[str, str]]]) -> None:
    """Store the keys of messages, by message; safe to repeat."""
    rows.put(connection, [(_key(keyring, kind, value), of) for of, some in keys.items() for kind, value in some])


def _key(keyring: Keyring, kind: str, value: str) -> bytes:
    return keyring.search_key("message", f"{kind}|{value}")


async def watch(plan: Plan, store: Store, pool: Pool, look_s: float = _LOOK_S) -> None:
    """Give keys to messages that have none, until cancelled; works half of the time at most, beside everything else."""
    total = 0
    while True:
        started = time.monotonic()
        try:
            done = await fill(plan, store, pool)
        except Fault as fault:
            (log.error if isinstance(fault, StoreFault) else log.warning)("search keys: %s", fault)
            done = 0
        total += done
        if done < _BATCH:
            if total > _BATCH:
                log.info("search keys made for %d messages", total)
            total = 0
        await asyncio.sleep(time.monotonic() - started if done == _BATCH else look_s)


async def fill(plan: Plan, store: Store, pool: Pool) -> int:
    """Give keys to the newest messages that have none; return to how many. Several nodes may do so at once."""
    keyring = plan.keyring
    channels = {channel.settings.name: (channel.charset, channel.layout) for channel in plan.channels}
    found = await store.read(lambda connection: rows.without(connection, _BATCH))
    if not found:
        return 0
    batch = [(_opened(keyring, row), *channels.get(row.channel, ("auto", None))) for row in found]
    keys = await pool.run(steps.business_keys_of, batch)

    def unit(connection: Connection) -> None:
        for row, of in zip(found, keys, strict=True):
            unread = [("control", value) for value in looked_for("control", row.control_id)]
            put(connection, keyring, {row.id: unread if of is None else of})
        rows.note_keyed(connection, [row.id for row in found])

    await store.write(unit)
    return len(found)


def _opened(keyring: Keyring, row: Row[Any]) -> bytes:
    """Open a message; one whose key is gone counts as unreadable, or it would stand before all others for ever."""
    try:
        return keyring.open(row.body, row.id)
    except Fault as fault:
        log.warning("message %s: %s", row.id, fault)
        return b""


# ---- the search ----


@dataclass
class Found:
    """What has to do with a number, newest first."""

    kinds: list[str] = field(default_factory=list)
    """What the number is: as what it was found."""
    messages: Sequence[Row[Any]] = ()
    documents: Sequence[Row[Any]] = ()
    deliveries: Sequence[Row[Any]] = ()
    more: bool = False
    """There are older ones that are left out."""


def find(connection: Connection, keyring: Keyring, value: str, kinds: Sequence[str] = KINDS, limit: int = 50) -> Found:
    """Return the newest messages, documents and deliveries that have to do with a number of one of these kinds.

    To a message belongs what it asked for; to a person's number also what is about the person under other numbers; to a
    document or delivery the message it came of. With each document come all its deliveries.
    """
    found = Found()
    as_message = {kind: _messages(connection, keyring, kind, value, limit + 1) for kind in kinds if kind in IN_MESSAGES}
    value = value.strip()
    own = value.lower()
    if "message" in kinds:
        as_message["message"] = [row.id for row in rows.messages_of(connection, [own])]
    ids = sorted({one for several in as_message.values() for one in several}, reverse=True)
    patients = patients_with(connection, keyring, value) if set(kinds) & set(_OF_PERSONS) else []
    documents = rows.documents_of(connection, limit + 1, messages=ids[:limit], patients=patients)
    by_number = rows.documents_of(connection, 1, ids=[own]) if "document" in kinds else []
    if "document" in kinds and not by_number:
        by_number = rows.documents_with_hash(connection, own)
    sent = rows.deliveries_of(connection, ids=[own], reference=value) if "delivery" in kinds else []
    of_sent = rows.documents_of(connection, limit, ids=[row.document_id for row in sent])
    found.more = len(ids) > limit or len(documents) > limit
    told = {row.id: row for row in (*documents[:limit], *by_number)}
    following = rows.deliveries_of(connection, documents=list(told)) if told else []
    asked_by = [row.message_id for row in (*by_number, *of_sent)]
    found.messages = rows.messages_of(connection, [*ids[:limit], *asked_by])
    found.documents = _newest_first({**told, **{row.id: row for row in of_sent}})
    found.deliveries = _newest_first({row.id: row for row in (*following, *sent)})
    as_document = {"document": bool(by_number), "delivery": bool(sent)}
    found.kinds = [kind for kind in KINDS if as_message.get(kind) or as_document.get(kind)]
    return found


def messages_with(connection: Connection, keyring: Keyring, kind: str, value: str) -> set[str]:
    """Name all messages in which a number of this kind stands."""
    return set(_messages(connection, keyring, kind, value, 0))


def _messages(connection: Connection, keyring: Keyring, kind: str, value: str, limit: int) -> list[str]:
    ids: list[str] = []
    for one in looked_for(kind, value):
        ids += rows.with_key(connection, _key(keyring, kind, one), limit)
    return ids


def patients_with(connection: Connection, keyring: Keyring, value: str) -> list[str]:
    """Return the ids of the persons who have a number, each with all numbers it is known by."""
    try:
        found = search.find(connection, keyring, search.Wanted(numbers=[("", value)]))
    except QueryTooWide:
        return []
    return list(dict.fromkeys(one for patient_id in found for one in persons.all_ids(connection, patient_id)))


def _newest_first(found: Mapping[str, Row[Any]]) -> list[Row[Any]]:
    return [found[id_] for id_ in sorted(found, reverse=True)]
