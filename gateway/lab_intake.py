"""Messages of laboratory instruments at the door: what is stored of one, and what an instrument that asks is told.

The same bytes again are a duplicate; instruments count their messages (H-3) anew, or not at all, so another body under a number
that was used is another message. A question has no duplicate: what waits is another thing an hour later. What an instrument is
told is kept, as every answer is.

Requirement: S1.5, S3.2
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from sqlalchemy.engine import Connection

from gateway import lab_steps
from gateway.clock import to_datetime
from gateway.faults import QueryNotAllowed, TypeNotAccepted
from gateway.records.laboratory import Finder
from gateway.settings import Channel
from gateway.store import actions, messages
from gateway.store.ids import uuid7
from gateway.store.messages import NewMessage
from gateway.store.sealed import Keyring
from mappings.formats.dates import zone_of
from mappings.formats.faults import Fault, IntakeFault
from mappings.hl7v2 import Context
from mappings.lab.answer import Reader, orders_to_records
from mappings.lab.asked import persons_of, question_of
from mappings.lab.groups import Read
from mappings.lab.translation import instrument_of

SENDER = "LIENTHONG"
"""What we call ourselves in H-5."""


@dataclass(frozen=True)
class Arrival:
    """What intake knows of a message."""

    raw: bytes
    peer: str
    at: int
    """When it came, as a stored instant."""
    fault: IntakeFault | None
    """What the source itself found wrong with it."""


@dataclass(frozen=True)
class Taken:
    """The message as it is stored, and as it was read."""

    new: NewMessage
    told: Read | None


def take(arrival: Arrival, channel: Channel, keyring: Keyring) -> Taken:
    """Read what intake needs; never raises for what the message is: a fault goes with it."""
    settings = channel.settings
    kind = lab_steps.FAMILY
    fault: Fault | None = arrival.fault
    told: Read | None = None
    control_id = sender = whose = ""
    if fault is None:
        try:
            told = lab_steps.read_records(arrival.raw, channel.charset, settings.profile)
            kind, head = lab_steps.kind_of(told), told.rows[0]
            control_id, sender = head[3].c(1), instrument_of(head, told.profile)
            whose = next((one for p in persons_of(told) for one in (*p.specimens, *p.numbers)), "")
            fault = _refuse(channel, kind)
        except Fault as wrong:
            fault = wrong
    message_id = uuid7()
    sha256 = hashlib.sha256(arrival.raw).hexdigest()
    key, name = keyring.search_key, settings.name
    asks = kind == lab_steps.QUERY
    new = NewMessage(
        id=message_id,
        channel=name,
        received_at=arrival.at,
        peer=arrival.peer,
        sender=f"{sender}|"[:255],
        control_id=control_id[:255],
        type=kind,
        version="LIS2-A2",
        size=len(arrival.raw),
        sha256=sha256,
        body=keyring.seal(arrival.raw, message_id),
        dedupe_key=None if asks or fault else key("control", f"{name}|{sender}|{control_id}|{sha256}"),
        order_key=key("order", whose or message_id),
        state="error" if fault else "answered" if asks else "received",
        answer="AE" if fault else "AA",
        fault=fault,
    )
    return Taken(new, told)


def _refuse(channel: Channel, kind: str) -> IntakeFault | None:
    if not channel.accepts(kind):
        return TypeNotAccepted("H", kind)
    if kind == lab_steps.QUERY and kind not in channel.settings.accept:
        return QueryNotAllowed("Q", kind)
    return None


@dataclass(frozen=True)
class Desk:
    """Answer questions of one channel's instruments."""

    keyring: Keyring
    context: Context
    channel: Channel

    def answer(self, connection: Connection, told: Read, now: int) -> bytes:
        """Give the orders that wait, as one message of records; nothing when the question before is taken back."""
        profile, question = told.profile, question_of(told)
        if question.cancels:
            return b""
        context = self.context
        finder = Finder(connection, self.keyring, context.systems, context.facility, now)
        instrument = instrument_of(told.rows[0], profile)
        reader = Reader(
            profile, instrument, context.facility, context.systems, self.channel.charset, told.message.delimiters
        )
        at = to_datetime(now).astimezone(zone_of(context.zone))
        return orders_to_records(finder.waiting(question), reader, at, SENDER)

    def keep(self, connection: Connection, new: NewMessage, body: bytes) -> None:
        """Store the question with its answer, and how many persons it tells about."""
        messages.insert_all(connection, [new])
        messages.put_answer(connection, new.id, self.keyring.seal(body, f"answer/{new.id}"))
        persons = sum(line.startswith(b"P") for line in body.split(b"\r"))
        told = f"{persons} persons to {new.sender} ({new.type})"
        actions.insert(connection, at=new.received_at, actor=new.channel, verb="disclose", target=new.id, reason=told)
