"""Speak the low level of ASTM with one peer by the table of `_astm_table`: bytes and times in, bytes and messages out.

No I/O and no clock.

The frame that ends a message (its L record) is answered when its owner says so (`judged`); every other frame at once, because
the standard's answer to a message is that to its last frame. A frame that comes again under the same number is answered again
and not taken again; only when it is the same frame, because another one under that number would vanish.

Where the standard leaves a choice: EOT in place of ACK (the receiver asks for the line) is honoured when the message under way
is through. A garbled answer to our frame is waited out, not taken for NAK, because an ACK that comes after the noise would then
count for the frame after. An ENQ while we send a frame means that the peer forgot our session; the message is sent again later.
A frame without ENQ begins a session when it is number 1 and holds a header record: there are analysers that send so.

Standard: CLSI LIS1-A (ASTM E1381) §6.2 establishment, §6.3 transfer (checksum, numbers, retransmission), §6.4 termination,
§6.4.3 receiver interrupts, §6.5 time-outs
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from enum import Enum
from typing import Final

from connectors._astm_frames import (
    ACK,
    ENQ,
    EOT,
    NAK,
    Broken,
    Control,
    Frame,
    Noise,
    Reader,
    Token,
    framed,
    texts_of,
)
from connectors._astm_outputs import Kept, NotSent, Output, Received, Sent, Times, Write
from connectors._astm_records import Mark, Message, Records
from connectors._astm_table import TABLE, Action, Event, State
from connectors.faults import FramesRefused, OutsideSession, TooLarge
from connectors.mllp_framing import KEPT

_GLITCH: Final = 8
"""So few bytes outside of a session are noise of the line, as when a machine is switched on; more are kept with a fault."""


class Role(Enum):
    """Who may bid first when both ask for the line: the instrument."""

    HOST = "host"
    INSTRUMENT = "instrument"


RETRANSMISSIONS: Final = 6
"""How often a frame is sent again. Standard: §6.3.2"""
BIDS: Final = 6
"""How often a message is begun before it is given up."""


class _Sending:
    """A message on its way to the peer, begun anew with every bid."""

    def __init__(self, number: int, message: bytes, size: int) -> None:
        self.number = number
        self._message, self._size = message, size
        self.bids = 0
        self.why = ""
        """Why it did not get through so far."""
        self.begin()

    def begin(self) -> None:
        self._texts = texts_of(self._message, self._size)
        self._next = next(self._texts, None)

    @property
    def empty(self) -> bool:
        """Whether there is nothing in it."""
        return next(texts_of(self._message, self._size), None) is None

    @property
    def through(self) -> bool:
        """Whether its last frame was given."""
        return self._next is None

    def next(self, number: int) -> bytes:
        assert self._next is not None
        text, last = self._next
        self._next = next(self._texts, None)
        return framed(number, text, last=last)


class Link:
    """One end of a line with frames.

    Every method takes the time `now`, in seconds of any clock that goes forward, and gives what to do. `deadline` is when
    `tick` is wanted next. `busy` is for the owner to set while it can take no further session.
    """

    refuses: Final = True
    """A message can be answered with a no, and its sender will send it again."""

    def __init__(
        self,
        role: Role,
        times: Times = Times(),
        *,
        max_size: int = 20 * 1024 * 1024,
        max_frame: int = 64 * 1024,
        send_frame: int = 240,
    ) -> None:
        self.state = State.NEUTRAL
        self.busy = False
        self._role, self._times, self._send_frame = role, times, send_frame
        self._reader, self._records = Reader(max_frame), Records(max_size)
        self._deadline: float | None = None
        self._quiet_at: float | None = None
        self._now = 0.0
        self._out: list[Output] = []
        # receiving
        self._expected = 1
        self._last: Frame | None = None
        self._broken: Broken | None = None
        self._mark: Mark | None = None
        self._refusing = False
        self._found: tuple[Message, ...] = ()
        self._stray = b""
        self._undecided: int | None = None
        self._judgements = 0
        # sending
        self._queue: deque[_Sending] = deque()
        self._numbers = 0
        self._frame = b""
        self._frame_number = 0
        self._retransmissions = 0

    @property
    def deadline(self) -> float | None:
        """Give the time at which `tick` should be called, if any."""
        times = [at for at in (self._deadline, self._quiet_at) if at is not None]
        return min(times) if times else None

    @property
    def under_way(self) -> bool:
        """Whether a message is on its way, in or out, or waits for the owner's word."""
        if self.state is State.AWAKE:
            return self._records.begun
        return self._undecided is not None or self.state in (State.JUDGING, State.ASKING, State.SENDING)

    @property
    def idle(self) -> bool:
        """Whether nobody sends and nothing waits to be sent or judged."""
        return self.state in (State.NEUTRAL, State.WAITING) and not self._queue and self._undecided is None

    def feed(self, data: bytes, now: float) -> list[Output]:
        """Take bytes of the peer."""
        self._now = now
        for token in self._reader.feed(data):
            self._token(token)
        self._quiet_at = now + self._times.quiet_s if self._reader.pending else None
        if self.state is State.AWAKE:
            self._deadline = now + self._times.frame_s
        return self._given()

    def tick(self, now: float) -> list[Output]:
        """Note that time has passed."""
        self._now = now
        if self._quiet_at is not None and now >= self._quiet_at:
            self._quiet_at = None
            for token in self._reader.quiet():
                self._token(token)
        if self._deadline is not None and now >= self._deadline:
            if self.state is State.AWAKE:
                self._end_reading()
            self._deadline = None
            self._step(Event.TIMEOUT)
        return self._given()

    def send(self, message: bytes, now: float) -> tuple[int, list[Output]]:
        """Transmit a message as soon as the line is ours; give the number under which `Sent` or `NotSent` names it."""
        self._now = now
        self._numbers += 1
        sending = _Sending(self._numbers, message, self._send_frame)
        if sending.empty:
            self._out.append(NotSent(sending.number, "empty"))
        else:
            self._queue.append(sending)
        return sending.number, self._given()

    def judged(self, number: int, good: bool, now: float) -> list[Output]:
        """Answer the frame that ended the messages of `Received`, if its sender still waits for that."""
        self._now = now
        if number == self._undecided:
            self._undecided = None
            self._step(Event.YES if good else Event.NO)
        return self._given()

    def lost(self, now: float) -> list[Output]:
        """Note that no more bytes will come or go."""
        self._now = now
        self._end_reading()
        self._quiet_at = None
        self._step(Event.LOST)
        return [output for output in self._given() if not isinstance(output, Write)]

    # ---- from bytes to events ----

    def _token(self, token: Token) -> None:
        if isinstance(token, Control):
            self._step(self._control(token.byte))
        elif isinstance(token, Frame):
            self._arrived(token)
        else:
            self._refused(token)

    def _end_reading(self) -> None:
        for token in self._reader.end():
            if isinstance(token, Broken) and self.state is State.AWAKE:
                self._broken = token
            else:
                self._token(token)

    def _control(self, byte: bytes) -> Event:
        if byte == ENQ:
            return Event.ENQ_BUSY if self._is_busy else Event.ENQ
        if byte == NAK:
            return Event.NAK_ALL if self._retransmissions >= RETRANSMISSIONS else Event.NAK
        through = bool(self._queue) and self._queue[0].through
        if byte == ACK:
            return Event.ACK_ALL if through and len(self._queue) == 1 else Event.ACK
        return Event.EOT_MESSAGE if through else Event.EOT

    @property
    def _is_busy(self) -> bool:
        return self.busy or self._undecided is not None

    def _arrived(self, frame: Frame) -> None:
        if self.state is State.AWAKE:
            if frame == self._last:
                return self._step(Event.REPEAT)
            if frame.number != self._expected:
                return self._refused(Broken(_raw(frame), f"number {frame.number} in place of {self._expected}"))
        elif self.state in (State.NEUTRAL, State.WAITING):
            if frame.number != 1 or frame.text[:1] != b"H":
                return self._refused(Noise(_raw(frame)))
            if self._is_busy:
                return self._step(Event.ENQ_BUSY)
            self._open()
        else:
            return self._step(Event.FRAME)
        return self._collect(frame)

    def _collect(self, frame: Frame) -> None:
        """Add a frame's text to the message, and tell what that makes of it."""
        if self._refusing:
            return self._refused(Broken(b"", "too large"))
        self._mark = self._records.mark()
        found = self._records.take(frame.text, closes=frame.last)
        if any(isinstance(message.fault, TooLarge) for message in found):
            self._refusing = True
            self._keep(found)
            return self._refused(Broken(b"", "too large"))
        self._last, self._broken = frame, None
        if any(message.fault is None or _ended(message) for message in found):
            self._found = tuple(found)
            return self._step(Event.FINAL)
        self._keep(found)
        return self._step(Event.FRAME)

    def _refused(self, token: Broken | Noise) -> None:
        if isinstance(token, Broken) and self.state is State.AWAKE:
            self._broken = token
        self._stray = token.raw
        self._step(Event.BROKEN if isinstance(token, Broken) else Event.NOISE)

    # ---- the table at work ----

    def _step(self, event: Event) -> None:
        action, self.state = TABLE[self.state, event]
        _ACTIONS[action](self)

    def _given(self) -> list[Output]:
        """Ask for the line when it is free and something waits; then give what is to be done."""
        while self._queue and self.state is State.NEUTRAL:
            head = self._queue[0]
            if head.bids >= BIDS:
                self._queue.popleft()
                self._out.append(NotSent(head.number, head.why))
            else:
                self._step(Event.SEND)
        out, self._out = self._out, []
        return out

    def _write(self, data: bytes) -> None:
        self._out.append(Write(data))

    def _keep(self, messages: Iterable[Message]) -> None:
        self._out += map(Kept, messages)

    def _within(self, seconds: float | None) -> None:
        self._deadline = None if seconds is None else self._now + seconds

    # ---- receiving ----

    def _ignore(self) -> None:
        pass

    def _open(self) -> None:
        self._records.end("")
        self._expected, self._last, self._broken, self._refusing = 1, None, None, False

    def _accept_bid(self) -> None:
        self._open()
        self._write(ACK)
        self._within(self._times.frame_s)

    def _refuse(self) -> None:
        self._write(NAK)

    def _agree(self) -> None:
        self._write(ACK)
        self._within(self._times.frame_s)

    def _take(self) -> None:
        self._expected = (self._expected + 1) % 8
        self._agree()

    def _judge(self) -> None:
        self._within(None)
        self._judgements += 1
        self._undecided = self._judgements
        self._out.append(Received(self._judgements, self._found))

    def _deny(self) -> None:
        """Let the frame come again: it was not taken."""
        if self._mark is not None:
            self._records.undo(self._mark)
        self._last = None
        self._write(NAK)
        self._within(self._times.frame_s)

    def _close(self, why: str = "EOT") -> None:
        """End the sender's session; what is no whole message is kept."""
        self._within(None)
        left, broken = self._records.end(why), self._broken
        self._broken = None
        if broken is not None and broken.raw:
            raw = b"".join([*(message.raw for message in left), broken.raw])
            left = [Message(raw, FramesRefused(detail=f"{why}: {broken.why}"))]
        self._keep(left)

    def _reopen(self) -> None:
        self._close("ENQ")
        self._accept_bid()

    def _turn_away(self) -> None:
        self._close("ENQ")
        self._refuse()

    def _keep_stray(self) -> None:
        if len(self._stray) >= _GLITCH:
            self._keep([Message(self._stray, OutsideSession(detail=f"{len(self._stray)} bytes"))])

    # ---- sending ----

    def _bid(self) -> None:
        self._queue[0].bids += 1
        self._write(ENQ)
        self._within(self._times.answer_s)

    def _yield(self) -> None:
        """Both asked for the line: that is no failure of this message."""
        self._queue[0].bids -= 1
        self._within(self._times.host_s if self._role is Role.HOST else self._times.instrument_s)

    def _postpone(self) -> None:
        self._failed("busy")

    def _begin(self) -> None:
        self._queue[0].begin()
        self._frame_number = 0
        self._transmit()

    def _transmit(self) -> None:
        self._frame_number += 1
        self._retransmissions = 0
        self._frame = self._queue[0].next(self._frame_number)
        self._send_frame_again()

    def _send_frame_again(self) -> None:
        self._write(self._frame)
        self._within(self._times.answer_s)

    def _advance(self) -> None:
        if self._queue[0].through:
            self._sent()
            self._queue[0].bids += 1
            self._queue[0].begin()
        self._transmit()

    def _sent(self) -> None:
        self._out.append(Sent(self._queue.popleft().number))

    def _finish(self) -> None:
        self._sent()
        self._retransmissions = 0
        self._write(EOT)
        self._within(None)

    def _stop(self) -> None:
        """The receiver wants the line: end our session and leave it to him."""
        self._finish()
        self._within(self._times.interrupt_s)

    def _retransmit(self) -> None:
        self._retransmissions += 1
        self._send_frame_again()

    def _give_up(self) -> None:
        why = "refused" if self._retransmissions >= RETRANSMISSIONS else "silent"
        self._write(EOT)
        self._failed(why)

    def _abandon(self) -> None:
        self._failed("began again")

    def _failed(self, why: str) -> None:
        self._queue[0].why = why
        self._retransmissions = 0
        self._within(self._times.busy_s)

    def _part(self) -> None:
        self._close("line lost")
        self._undecided = None
        self._out += (NotSent(sending.number, "line lost") for sending in self._queue)
        self._queue.clear()
        self._retransmissions = 0


def _raw(frame: Frame) -> bytes:
    return framed(frame.number, frame.text, last=frame.last)[:KEPT]


def _ended(message: Message) -> bool:
    """Tell whether a message with a fault has its terminator all the same: its frame is answered by the owner's word."""
    return not isinstance(message.fault, TooLarge) and message.raw.rstrip(b"\r\n").rpartition(b"\r")[2][:1] == b"L"


_ACTIONS: Final[dict[Action, Callable[[Link], None]]] = {
    Action.IGNORE: Link._ignore,
    Action.OPEN: Link._accept_bid,
    Action.PUT_OFF: Link._refuse,
    Action.TAKE: Link._take,
    Action.JUDGE: Link._judge,
    Action.CONFIRM: Link._take,
    Action.DENY: Link._deny,
    Action.AGREE: Link._agree,
    Action.REFUSE: Link._refuse,
    Action.CLOSE: Link._close,
    Action.EXPIRE: lambda link: link._close("silence"),
    Action.REOPEN: Link._reopen,
    Action.TURN_AWAY: Link._turn_away,
    Action.KEEP: Link._keep_stray,
    Action.BID: Link._bid,
    Action.YIELD: Link._yield,
    Action.POSTPONE: Link._postpone,
    Action.BEGIN: Link._begin,
    Action.ADVANCE: Link._advance,
    Action.FINISH: Link._finish,
    Action.STOP: Link._stop,
    Action.RETRANSMIT: Link._retransmit,
    Action.GIVE_UP: Link._give_up,
    Action.ABANDON: Link._abandon,
    Action.PART: Link._part,
}
