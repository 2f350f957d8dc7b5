"""One analyser on one connection: the low level, its clock, and intake between them.

Bytes go into the link, what it gives is done: written, handed to intake, or noted. One message at a time is with intake. What
cannot be refused (a part of a message, a message without frames) is handed in again until the ledger takes it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, Protocol, cast

from connectors._astm_outputs import Kept, NotSent, Output, Received, Write
from connectors._astm_records import Message
from connectors.contract import Answer, DialogueIntake
from connectors.faults import AnswerNotTaken, TooLarge
from connectors.sources._listening import address_of, keep_alive

logger = logging.getLogger(__name__)

_BUSY_AT: Final = 4
"""So many things waiting for intake let nobody begin another session; twice as many let nobody send more bytes."""
_AGAIN_S: Final = 1.0
_AGAIN_MOST_S: Final = 30.0


class Talk(Protocol):
    """What `Link` and `Bare` have in common."""

    busy: bool

    @property
    def refuses(self) -> bool: ...

    @property
    def deadline(self) -> float | None: ...

    @property
    def under_way(self) -> bool: ...

    def feed(self, data: bytes, now: float) -> list[Output]: ...

    def tick(self, now: float) -> list[Output]: ...

    def send(self, message: bytes, now: float) -> tuple[int, list[Output]]: ...

    def judged(self, number: int, good: bool, now: float) -> list[Output]: ...

    def lost(self, now: float) -> list[Output]: ...


class House(Protocol):
    """What a line needs of its source."""

    intake: DialogueIntake
    keepalive: timedelta

    def talk(self) -> Talk: ...

    def admit(self, line: Line, address: str) -> bool: ...

    def dismiss(self, line: Line) -> None: ...

    def employ(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]: ...


@dataclass(slots=True)
class _Job:
    messages: Sequence[Message]
    number: int | None
    """The frame that waits for the outcome; None where nobody waits."""


@dataclass(slots=True)
class _Reply:
    """An answer on its way, as one or more messages."""

    answer: Answer
    open: set[int] = field(default_factory=set)


class Line(asyncio.Protocol):
    """Serve one connection, whatever carries it."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._loop = asyncio.get_running_loop()
        self._talk = house.talk()
        self._transport: asyncio.Transport
        self._peer = ""
        self._queue: deque[_Job] = deque()
        self._replies: dict[int, _Reply] = {}
        self._told: dict[int, asyncio.Future[str]] = {}
        """Orders on their way that nobody asked for."""
        self._worker: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._reading = True
        self._stopping = False
        self._ended = False
        """No more bytes come."""
        self._lost = False
        """The link knows that."""
        self._gone = False
        self.heard = False
        self.closed = asyncio.Event()

    # ---- what the event loop tells us ----

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        serial = transport.get_extra_info("serial")
        name = transport.get_extra_info("peername")
        self._peer = serial or address_of(name)
        if not self._house.admit(self, "" if serial else str(name[0]) if isinstance(name, tuple) else "unknown"):
            self._ended = self._lost = True
            self._transport.abort()
            return
        if not serial:
            keep_alive(transport.get_extra_info("socket"), self._house.keepalive)

    def data_received(self, data: bytes) -> None:
        if self._ended:
            return
        self.heard = True
        self._talk.busy = self._stopping or len(self._queue) >= _BUSY_AT
        self._do(self._talk.feed(data, self._loop.time()))

    def eof_received(self) -> bool:
        """A half-closed peer can still be told what became of its last message; TLS as asyncio has it cannot."""
        self._gone = self._transport.get_extra_info("sslcontext") is not None
        self._end()
        return not self._gone

    def connection_lost(self, exc: Exception | None) -> None:
        self._gone = True
        self._end()
        self._house.dismiss(self)
        self.closed.set()

    # ---- what the house tells us ----

    def stop(self) -> None:
        """Let no session begin; close when the message under way is answered."""
        self._stopping = self._talk.busy = True
        self._close_if_done()

    def abort(self) -> None:
        self._ended = self._lost = True
        self._queue.clear()
        for number in tuple(self._told):
            self._through(number, "line lost")
        self._transport.abort()

    # ---- what nobody asked for ----

    @property
    def peer(self) -> str:
        return self._peer

    @property
    def open(self) -> bool:
        """Whether a message can be transmitted."""
        return not (self._ended or self._stopping or self._gone)

    def tell(self, message: bytes) -> asyncio.Future[str]:
        """Transmit a message when the line is ours; the future gets why it was not taken, or nothing."""
        told: asyncio.Future[str] = self._loop.create_future()
        if not self.open:
            told.set_result("line lost")
            return told
        number, outputs = self._talk.send(message, self._loop.time())
        self._told[number] = told
        self._do(outputs)
        return told

    # ---- what the link wants ----

    def _do(self, outputs: list[Output]) -> None:
        for output in outputs:
            if isinstance(output, Write):
                if not self._gone:
                    self._transport.write(output.data)
            elif isinstance(output, Received):
                self._queue.append(_Job(output.messages, output.number))
            elif isinstance(output, Kept):
                self._queue.append(_Job((output.message,), None))
            else:
                self._through(output.number, output.why if isinstance(output, NotSent) else "")
        if self._queue and self._worker is None:
            self._worker = self._house.employ(self._work())
        if self._reading and len(self._queue) >= 2 * _BUSY_AT and not self._gone:
            self._reading = False
            self._transport.pause_reading()
        self._arm()
        if self._stopping and not self._lost:
            self._close_if_done()

    def _arm(self) -> None:
        at = self._talk.deadline
        if at is None or self._ended or (self._timer is not None and self._timer_at <= at):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._timer_at = self._loop.call_at(at, self._tick), at

    def _tick(self) -> None:
        self._timer = None
        if not self._ended:
            self._do(self._talk.tick(self._loop.time()))

    def _end(self) -> None:
        """Note that no more bytes come; what is left of a message is kept once the one before it is answered."""
        if not self._ended:
            self._ended = True
            self._close_if_done()

    def _close_if_done(self) -> None:
        if self._worker is not None or self._queue or (self._talk.under_way and not self._ended):
            return
        if not self._lost:
            self._lost = self._ended = True
            if self._timer is not None:
                self._timer.cancel()
            self._do(self._talk.lost(self._loop.time()))
        if self._worker is None and not self._gone:
            self._transport.close()

    # ---- intake ----

    async def _work(self) -> None:
        try:
            while self._queue:
                job = self._queue.popleft()
                answers = [await self._keep(message, refuses=job.number is not None) for message in job.messages]
                if job.number is not None:
                    self._answer(job, answers)
                if not self._reading and len(self._queue) < _BUSY_AT and not self._gone:
                    self._reading = True
                    self._transport.resume_reading()
        except asyncio.CancelledError:
            self.abort()
            raise
        except Exception as exc:  # noqa: BLE001 — whatever breaks behind us, the analyser must not wait for ever
            logger.error("astm %s: intake broke (%s); connection closed unanswered", self._peer, type(exc).__name__)
            self._queue.clear()
            self._ended = True
        finally:
            self._worker = None
            if self._ended or self._stopping:
                self._close_if_done()

    async def _keep(self, message: Message, *, refuses: bool) -> Answer:
        """Hand a message to intake; again and again if its sender cannot be told to send it again."""
        pause = _AGAIN_S
        while True:
            answer = await self._house.intake.receive(message.raw, self._peer, message.fault)
            if answer.message_id is not None or (refuses and self._talk.refuses):
                return answer
            await asyncio.sleep(pause)
            pause = min(2 * pause, _AGAIN_MOST_S)

    def _answer(self, job: _Job, answers: list[Answer]) -> None:
        assert job.number is not None
        good = all(answer.message_id is not None for answer in answers) and not any(
            isinstance(message.fault, TooLarge) for message in job.messages
        )
        now = self._loop.time()
        outputs = self._talk.judged(job.number, good, now)
        told = any(isinstance(output, Write) for output in outputs) and not self._gone
        if good:
            for answer in answers:
                if answer.positive and answer.frames:
                    outputs += self._reply(answer, now)
                elif told:
                    self._house.intake.answered(answer)
        self._do(outputs)

    def _reply(self, answer: Answer, now: float) -> list[Output]:
        """Transmit an answer's messages when the line is ours."""
        reply, outputs = _Reply(answer), []
        for frame in answer.frames:
            number, more = self._talk.send(frame, now)
            reply.open.add(number)
            self._replies[number] = reply
            outputs += more
        return outputs

    def _through(self, number: int, why: str) -> None:
        """Note what became of one message of ours; an answer is told when all of it was."""
        told = self._told.pop(number, None)
        if told is not None and not told.done():
            told.set_result(why)
        reply = self._replies.pop(number, None)
        if reply is None:
            return
        reply.open.discard(number)
        if why:
            for other in reply.open:
                self._replies.pop(other, None)
            self._house.intake.unanswered(reply.answer, AnswerNotTaken(where=self._peer, detail=why))
        elif not reply.open:
            self._house.intake.answered(reply.answer)
