"""Take bytes, make them durable, and only then answer (promises P1, P2, P3).

    frame ── read the header ── decode check ── accepted type? ── seal ── commit ── answer
                    └────────────── a fault: committed all the same, in the error queue, negative answer

A question about persons is searched for (`gateway/queries.py`) before the commit; its answer is committed with it, and so is a
number that it asks for.

Every frame gets a row, rubbish too; a file of insurance visits or a table of results one for each
visit or report, too (`gateway/visit_intake.py`, `gateway/result_intake.py`). What it means is the
pipeline's business; the only thing looked up besides the header is the value that orders it. Requirement: S1.1, S2.10.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import NamedTuple

from sqlalchemy.engine import Connection

from connectors.contract import Answer
from gateway import lab_intake, lab_steps, meters, queries, result_intake, visit_intake, visit_steps
from gateway.cards import wire
from gateway.cards.desk import CardDesk
from gateway.clock import Clock, to_datetime
from gateway.faults import (
    ControlIdMissing,
    ControlIdReused,
    InternalFault,
    QueryNotAllowed,
    StoreFault,
    TypeNotAccepted,
)
from gateway.safe_log import describe
from gateway.settings import Channel
from gateway.store import actions, messages
from gateway.store.engine import Store
from gateway.store.ids import uuid7
from gateway.store.messages import Earlier, NewMessage
from gateway.store.sealed import Keyring
from gateway.text import text
from gateway.tracing import OFF, Tracer
from mappings.formats import er7, json
from mappings.formats.er7_header import Header, read_header
from mappings.formats.faults import Fault, IntakeFault
from mappings.hl7v2 import Context, trigger_of
from mappings.hl7v2.ack import Code, acknowledge
from mappings.hl7v2.card_query import is_card_query
from mappings.lab.layout import Layout

log = logging.getLogger("lienthong.intake")

_REJECT = frozenset({2001, 2002, 2003, 2101, 2103, 2203, 2204})
"""Faults answered AR/CR: this is not for us, or not a message. The rest is AE/CE: a message with an error in it.
Standard: HL7 v2.5.1 §2.9.2, table 0008."""

UNSTORED = "unstored"
"""What is counted of a message that the ledger did not take."""


class _Told(NamedTuple):
    """What is counted of a message."""

    type: str
    state: str
    answer: str


class ChannelIntake:
    """The door of one channel; what its source calls (`connectors.contract.Intake`)."""

    def __init__(
        self,
        channel: Channel,
        store: Store,
        keyring: Keyring,
        clock: Clock,
        wake: Callable[[], None],
        context: Context,
        tracer: Tracer = OFF,
        cards: CardDesk | None = None,
    ) -> None:
        self._context = context
        self._cards = cards
        self._tracer = tracer
        self._channel = channel
        self._settings = channel.settings
        self._order = "order-low" if channel.settings.is_low else "order"
        """What its messages keep their order among: those that may wait hold up none that may not."""
        self._store = store
        self._keyring = keyring
        self._clock = clock
        self._wake = wake

    async def receive(self, raw: bytes, peer: str, fault: IntakeFault | None = None) -> Answer:
        """Make `raw` durable, then answer. Never raises; a failing store gives AR and "try again"."""
        started, at = time.perf_counter(), self._clock.now()
        answer, told = await self._receive(raw, peer, fault)
        channel = self._settings.name
        meters.observe(meters.INTAKE, time.perf_counter() - started, channel=channel)
        meters.count(meters.MESSAGES, channel=channel, type=told.type, state=told.state, answer=told.answer)
        if answer.message_id is not None and self._tracer.wants(answer.message_id):
            said: dict[str, str | int] = {
                "lienthong.message": answer.message_id,
                "lienthong.channel": channel,
                "lienthong.type": meters.bounded("type", told.type),
                "lienthong.state": told.state,
                "lienthong.answer": told.answer,
                "lienthong.size": len(raw),
            }
            key = f"message/{answer.message_id}"
            self._tracer.span(answer.message_id, "message", at, self._clock.now(), said, key=key, kind="server")
        return answer

    async def _receive(self, raw: bytes, peer: str, fault: IntakeFault | None) -> tuple[Answer, _Told]:
        arrival = visit_intake.Arrival(raw, peer, self._clock.now())
        if fault is None and self._channel.layout is not None:
            return await self._receive_table(arrival, self._channel.layout)
        if fault is None and visit_steps.is_file(raw):
            return await self._receive_visits(arrival)
        if self._channel.source.kind == "astm" or lab_steps.is_records(raw):
            return await self._receive_records(lab_intake.Arrival(raw, peer, arrival.at, fault))
        header = read_header(raw)
        try:
            new, message = self._read(raw, peer, header, fault)
            if new.state == "answered" and message is not None:
                answer = await self._reply(header, new, message)
                return answer, _Told(new.type, new.state, "AA" if answer.positive else "AE")
            earlier = await self._store.write_each(messages.insert_all, new)
        except StoreFault as failure:
            log.error("%s", failure)
            return self._answer(header, "AR", uuid7(), None, failure), _Told("", UNSTORED, "AR")
        except Exception as error:  # noqa: BLE001 - the wire never goes silent because our code failed
            log.error("intake failed: %s", describe(error))
            return self._answer(header, "AR", uuid7(), None, InternalFault()), _Told("", UNSTORED, "AR")
        if earlier is None:
            if new.state == "received":
                self._wake()
            return self._answer(header, _code(new.answer), new.id, new.id, new.fault), _Told(
                new.type, new.state, new.answer
            )
        if earlier.sha256 == new.sha256:
            answer = self._answer(header, _code(earlier.answer), new.id, new.id, None)
            return answer, _Told(new.type, "duplicate", earlier.answer)
        answer = self._answer(header, "AE", new.id, new.id, ControlIdReused("MSH-10"))
        return answer, _Told(new.type, "error", "AE")

    async def _receive_visits(self, arrival: visit_intake.Arrival) -> tuple[Answer, _Told]:
        """Take a file of insurance visits: all of them in one commit, or none."""

        async def take() -> tuple[Answer, _Told]:
            new = await asyncio.to_thread(visit_intake.file_to_messages, arrival, self._channel, self._keyring)
            earlier = await self._store.write(lambda connection: messages.insert_all(connection, new))
            first = new[0]
            body = visit_intake.answer_to_file(new, earlier, lambda fault: str(text(fault.code)))
            if any(one is None and each.state == "received" for one, each in zip(earlier, new, strict=True)):
                self._wake()
            state = "duplicate" if all(earlier) else first.state
            return Answer((body,), first.answer == "AA", first.id), _Told(new[-1].type, state, first.answer)

        return await _answered(take)

    async def _receive_table(self, arrival: visit_intake.Arrival, layout: Layout) -> tuple[Answer, _Told]:
        """Take a table of results, however long: a portion of its reports in each commit, the file itself in the last."""

        async def take() -> tuple[Answer, _Told]:
            told = result_intake.Told()
            portions = result_intake.table_to_messages(arrival, self._channel, layout, self._keyring)
            whole = None
            while new := await asyncio.to_thread(next, portions, None):
                earlier = await self._store.write(partial(messages.insert_all, batch=new))
                told.note(new, earlier)
                if told.waiting:
                    self._wake()
                whole = new[-1]
            assert whole is not None, "the file itself is always there"
            body = told.answer(whole, lambda fault: str(text(fault.code)))
            state = "duplicate" if told.all_known else whole.state
            return Answer((body,), whole.answer == "AA", whole.id), _Told(told.type, state, whole.answer)

        return await _answered(take)

    async def _receive_records(self, arrival: lab_intake.Arrival) -> tuple[Answer, _Told]:
        """Take a message of an instrument; one that asks for orders is answered with records.

        Positive when it is durable and good; negative with its id when it is durable in the error queue, without one when the
        ledger did not take it. The link of an instrument has its own words for that; over any other wire it is an HL7 v2
        acknowledgement.
        """
        try:
            taken = lab_intake.take(arrival, self._channel, self._keyring)
            new = taken.new
            if new.state == "answered" and taken.told is not None:
                desk, told = lab_intake.Desk(self._keyring, self._context, self._channel), taken.told
                body = await self._store.read(lambda connection: desk.answer(connection, told, arrival.at))
                await self._store.write(lambda connection: desk.keep(connection, new, body))
                answer = self._on_link(arrival.raw, "AA", new.id, None)
                return replace(answer, frames=(body,)) if body else answer, _Told(new.type, new.state, "AA")
            earlier = await self._store.write_each(messages.insert_all, new)
        except StoreFault as failure:
            log.error("%s", failure)
            return self._on_link(arrival.raw, "AR", None, failure), _Told("", UNSTORED, "AR")
        except Exception as error:  # noqa: BLE001 - the wire never goes silent because our code failed
            log.error("intake failed: %s", describe(error))
            return self._on_link(arrival.raw, "AR", None, InternalFault()), _Told("", UNSTORED, "AR")
        if earlier is not None:
            answer = self._on_link(arrival.raw, _code(earlier.answer), new.id, None)
            return answer, _Told(new.type, "duplicate", earlier.answer)
        if new.state == "received":
            self._wake()
        return self._on_link(arrival.raw, _code(new.answer), new.id, new.fault), _Told(new.type, new.state, new.answer)

    def _on_link(self, raw: bytes, code: Code, message_id: str | None, fault: Fault | None) -> Answer:
        """Say what became of records: on the link of an instrument by the answer alone, else in words."""
        if self._channel.source.kind == "astm":
            return Answer((), code == "AA", message_id)
        return self._answer(read_header(raw), code, message_id or uuid7(), message_id, fault)

    async def _reply(self, header: Header, new: NewMessage, message: er7.Message) -> Answer:
        """Answer a question once it and its answer are durable."""
        at = to_datetime(self._clock.now())
        own_id = _own_id(new.id)
        if is_card_query(new.type, message):
            return await self._reply_card(header, new, message, at)
        reply = await self._store.read(
            lambda connection: queries.answer(connection, self._keyring, message, header, self._context, own_id, at)
        )
        if reply.fault is not None:
            new = replace(new, answer="AE", fault=reply.fault)
        if reply.allocates:
            new, body = await self._store.write(lambda connection: self._allocate(connection, header, new, message, at))
            return self._frames(header, new, body, at)
        sealed = self._keyring.seal(reply.body, f"answer/{new.id}")

        def keep(connection: Connection) -> Earlier | None:
            (earlier,) = messages.insert_all(connection, [new])
            if earlier is None or earlier.sha256 == new.sha256:
                messages.put_answer(connection, new.id, sealed)
                told = f"{reply.disclosed} persons to {new.sender} ({new.type})"
                actions.insert(
                    connection, at=new.received_at, actor=new.channel, verb="disclose", target=new.id, reason=told
                )
            return earlier

        earlier = await self._store.write(keep)
        body = reply.body
        if earlier is not None and earlier.sha256 != new.sha256:
            new = replace(new, answer="AE")
            body = queries.refuse(message, header, own_id, at, ControlIdReused("MSH-10"))
        return self._frames(header, new, body, at)

    def _allocate(
        self, connection: Connection, header: Header, new: NewMessage, message: er7.Message, at: datetime
    ) -> tuple[NewMessage, bytes]:
        """Store a question for a number with the number and the answer; the same question again gets that same answer."""
        own_id = _own_id(new.id)
        (earlier,) = messages.insert_all(connection, [new])
        if earlier is None:
            body = queries.allocate(connection, self._keyring, message, header, self._context, new.id, own_id, at)
            told = f"1 number to {new.sender} ({new.type})"
            actions.insert(
                connection, at=new.received_at, actor=new.channel, verb="allocate", target=new.id, reason=told
            )
        else:
            kept = messages.find_answer(connection, earlier.id) if earlier.sha256 == new.sha256 else None
            if kept is None:
                refused = queries.refuse(message, header, own_id, at, ControlIdReused("MSH-10"))
                return replace(new, answer="AE"), refused
            body = self._keyring.open(kept, f"answer/{earlier.id}")
            new = replace(new, answer=earlier.answer)
        messages.put_answer(connection, new.id, self._keyring.seal(body, f"answer/{new.id}"))
        return new, body

    async def _reply_card(self, header: Header, new: NewMessage, message: er7.Message, at: datetime) -> Answer:
        """Ask the insurer and answer; the same question again gets the same answer, and nobody is asked."""
        own_id = _own_id(new.id)
        kept = await self._store.read(lambda connection: messages.holder(connection, new.dedupe_key))
        if kept is None:
            reply = await wire.answer(
                *(self._cards, self._store, self._keyring, new.type, message, header, self._context),
                *(own_id, at, self._settings.name),
            )
            body = reply.body
            if reply.fault is not None:
                new = replace(new, answer="AE", fault=reply.fault)
        else:
            reply = None
            body = wire.refuse(new.type, message, header, own_id, at, ControlIdReused("MSH-10"))

        def keep(connection: Connection) -> tuple[NewMessage, bytes]:
            (earlier,) = messages.insert_all(connection, [new])
            answered, said = new, body
            if earlier is not None and earlier.sha256 == new.sha256:
                stored = messages.find_answer(connection, earlier.id)
                said = self._keyring.open(stored, f"answer/{earlier.id}") if stored is not None else body
                answered = replace(new, answer=earlier.answer)
            elif earlier is not None:
                return replace(new, answer="AE"), wire.refuse(
                    new.type, message, header, own_id, at, ControlIdReused("MSH-10")
                )
            messages.put_answer(connection, new.id, self._keyring.seal(said, f"answer/{new.id}"))
            if reply is not None and reply.told:
                told = f"1 card to {new.sender} ({new.type}), look-up {reply.told}"
                actions.insert(
                    connection, at=new.received_at, actor=new.channel, verb="disclose", target=new.id, reason=told
                )
            return answered, said

        new, body = await self._store.write(keep)
        return self._frames(header, new, body, at)

    @staticmethod
    def _frames(header: Header, new: NewMessage, body: bytes, at: datetime) -> Answer:
        """Give the answer to a question, after the accept acknowledgement that enhanced mode asks for."""
        accept: Code = _ACCEPT[_code(new.answer)]
        frames = [body]
        if _asked(header.accept_ack, positive=new.answer == "AA"):
            frames.insert(0, acknowledge(header, accept, _own_id(new.id), at, new.fault, _said(new.fault)))
        return Answer(tuple(frames), new.answer == "AA", new.id)

    def answered(self, answer: Answer) -> None:
        """Note the moment the answer left; its loss loses no promise, so nobody waits for it."""
        if answer.message_id is not None:
            self._store.post(messages.answered_all, (answer.message_id, self._clock.now()))

    def unanswered(self, answer: Answer, fault: IntakeFault) -> None:
        """Note that the answer was not taken: in the log of acts, at the message that asked."""
        log.warning("%s: %s", self._settings.name, fault)
        if answer.message_id is not None:
            self._store.post(_note_unanswered, (answer.message_id, self._clock.now(), self._settings.name, str(fault)))

    def _read(
        self, raw: bytes, peer: str, header: Header, fault: IntakeFault | None
    ) -> tuple[NewMessage, er7.Message | None]:
        message_id = uuid7()
        message: er7.Message | None = None
        found: Fault | None = fault
        kind = f"{header.type}^{header.trigger}".strip("^")
        if found is None:
            try:
                message = er7.Message.parse(raw, self._channel.charset)
                kind = trigger_of(message)
                found = self._refuse(header, kind)
            except IntakeFault as syntax:
                found = syntax
        sender = f"{header.sending_application}|{header.sending_facility}"
        order_value = message.value(self._settings.order_by) if message is not None else None
        key = self._keyring.search_key
        name = self._settings.name
        asks = kind in queries.TRIGGERS or (message is not None and self._asks_card(kind, message))
        good = "answered" if asks else "received"
        new = NewMessage(
            id=message_id,
            channel=name,
            received_at=self._clock.now(),
            peer=peer,
            sender=sender[:255],
            control_id=header.control_id[:255],
            type=kind[:32],
            version=header.version[:16],
            size=len(raw),
            sha256=hashlib.sha256(raw).hexdigest(),
            body=self._keyring.seal(raw, message_id),
            dedupe_key=key("control", f"{name}|{sender}|{header.control_id}") if header.control_id else None,
            order_key=key(self._order, order_value or message_id),
            state=good if found is None else "error",
            answer="AA" if found is None else ("AR" if found.code in _REJECT else "AE"),
            fault=found,
            priority=int(self._settings.is_low),
        )
        return new, message

    def _asks_card(self, kind: str, message: er7.Message) -> bool:
        """Tell whether a card is to be looked up: only where the channel names the trigger."""
        return kind in self._settings.accept and is_card_query(kind, message)

    def _refuse(self, header: Header, kind: str) -> IntakeFault | None:
        if not self._channel.accepts(kind):
            return TypeNotAccepted("MSH-9")
        if kind in queries.TRIGGERS and kind not in self._settings.accept:
            return QueryNotAllowed("MSH-9", kind)
        if not header.control_id:
            return ControlIdMissing("MSH-10")
        return None

    def _answer(
        self, header: Header, code: Code, control_id: str, message_id: str | None, fault: Fault | None
    ) -> Answer:
        at = to_datetime(self._clock.now())
        own_id, said = _own_id(control_id), _said(fault)
        frames = tuple(acknowledge(header, each, own_id, at, fault, said) for each in _codes(header, code))
        return Answer(frames, code == "AA", message_id)


def _note_unanswered(connection: Connection, notes: list[tuple[str, int, str, str]]) -> None:
    for message_id, at, channel, reason in notes:
        actions.insert(connection, at=at, actor=channel, verb="unanswered", target=message_id, reason=reason)


async def _answered(take: Callable[[], Awaitable[tuple[Answer, _Told]]]) -> tuple[Answer, _Told]:
    """Take a file; the sender is never left without an answer."""
    try:
        return await take()
    except StoreFault as failure:
        log.error("%s", failure)
        return Answer((_told(failure),), False, None), _Told("", UNSTORED, "AR")
    except Exception as error:  # noqa: BLE001 - as promised
        log.error("intake failed: %s", describe(error))
        return Answer((_told(InternalFault()),), False, None), _Told("", UNSTORED, "AR")


def _told(fault: Fault) -> bytes:
    return json.dumps({"answer": "AR", "faults": [{"code": f"LT{fault.code:04d}", "text": str(text(fault.code))}]})


def _own_id(message_id: str) -> str:
    return message_id.replace("-", "")[-20:]


def _said(fault: Fault | None) -> str:
    return str(text(fault.code)) if fault is not None else ""


_ACCEPT: dict[str, Code] = {"AA": "CA", "AE": "CE", "AR": "CR"}


def _codes(header: Header, code: Code) -> tuple[Code, ...]:
    """Return the acknowledgement codes to answer with, never none.

    Original mode when MSH-15 and MSH-16 are both empty: one application acknowledgement. Otherwise enhanced mode: an accept
    acknowledgement by MSH-15 and an application acknowledgement by MSH-16, in this order. A sender that asked for neither
    (NE) still gets the accept acknowledgement: on MLLP, which takes turns, most senders wait for one whatever they wrote.
    Standard: HL7 v2.5.1 §2.9.2, §2.9.3, table 0155.
    """
    if not header.accept_ack and not header.application_ack:
        return (code,)
    wanted = ((header.accept_ack, _ACCEPT[code]), (header.application_ack, code))
    asked = tuple(each for condition, each in wanted if _asked(condition, positive=code == "AA"))
    return asked or (_ACCEPT[code],)


def _code(stored: str) -> Code:
    return "AA" if stored == "AA" else "AR" if stored == "AR" else "AE"


def _asked(condition: str, *, positive: bool) -> bool:
    return condition == "AL" or condition == ("SU" if positive else "ER")
