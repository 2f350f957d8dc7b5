"""An analyser: sends messages by the low level of ASTM, asks the host for orders and takes them, and errs on purpose.

It has the rights of an instrument: when both ask for the line it goes first. Written from the standard and from nothing of the
product, so that both can be held against each other. It retransmits six times, then gives up; a message that was given up is
not sent again by itself.

Standard: CLSI LIS1-A (ASTM E1381) §6
"""

from __future__ import annotations

import asyncio
import os
import random
import termios
import tty
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Protocol

STX, ETX, EOT, ENQ, ACK, LF, NAK, ETB = b"\x02", b"\x03", b"\x04", b"\x05", b"\x06", b"\x0a", b"\x15", b"\x17"
_RETRANSMISSIONS: Final = 6
_BIDS: Final = 6
_QUIET_S: Final = 0.5


class Outcome(StrEnum):
    """What became of a message."""

    ACKNOWLEDGED = "acknowledged"
    REFUSED = "refused"
    """A frame got NAK as often as it was sent."""
    BUSY = "busy"
    """The host did not let a session begin."""
    SILENT = "silent"
    """The host did not answer in time."""
    LEFT = "left"
    """We broke off on purpose, or the line was lost."""
    UNKNOWN = "unknown"
    """Sent without frames: nobody says what became of it."""


@dataclass(frozen=True)
class Knobs:
    """What it does wrong, and how it speaks."""

    frames: bool = True
    """Without: records and nothing else."""
    frame_size: int = 240
    """Characters of text in a frame."""
    wrong_checksum: int = 0
    """So often the first frame of each message comes with a wrong checksum; seven times and it is given up."""
    no_eot: bool = False
    """It never ends its session."""
    contention: bool = False
    """It answers the host's first ENQ with its own."""
    slow_ms: int = 0
    """Pause before every byte."""
    garbage: bool = False
    """Bytes of no meaning before every frame."""
    naks: int = 0
    """So often it refuses each frame of the host."""
    busy: int = 0
    """So often it refuses the host's ENQ."""
    break_after: int = 0
    """It leaves after so many frames."""


@dataclass(frozen=True)
class Times:
    """In seconds; those of the standard."""

    answer_s: float = 15.0
    frame_s: float = 30.0
    busy_s: float = 10.0
    contention_s: float = 1.0


@dataclass
class Sent:
    """How a message was sent."""

    outcome: Outcome
    frames: int = 0
    retransmissions: int = 0


class Wire(Protocol):
    """What carries bytes: a socket or a serial line."""

    async def read(self) -> bytes:
        """Give the next byte; nothing when the line is gone."""
        ...

    def write(self, data: bytes) -> None: ...

    def at_end(self) -> bool:
        """Say whether nothing more can come."""
        ...

    async def close(self) -> None: ...


class Left(Exception):
    """The line is gone."""


@dataclass
class Analyser:
    """One instrument on one line."""

    wire: Wire
    knobs: Knobs = field(default_factory=Knobs)
    times: Times = field(default_factory=Times)
    chance: random.Random = field(default_factory=lambda: random.Random(1))
    _contended: bool = False
    _frames: int = 0

    async def send(self, *messages: bytes) -> list[Sent]:
        """Send messages in one session; the first that does not get through ends it, those after it have its outcome."""
        if not self.knobs.frames:
            for message in messages:
                await self._write(message)
            return [Sent(Outcome.UNKNOWN) for _ in messages]
        told: list[Sent] = []
        try:
            outcome = await self._bid()
            number = 0
            for message in messages if outcome is None else ():
                sent = Sent(Outcome.ACKNOWLEDGED)
                told.append(sent)
                number = await self._transfer(message, number, sent)
                if sent.outcome is not Outcome.ACKNOWLEDGED:
                    outcome = sent.outcome
                    break
            if (outcome is None or told) and not self.knobs.no_eot:
                await self._write(EOT)
        except Left:
            outcome = Outcome.LEFT
            if told and len(told) <= len(messages):
                told[-1].outcome = outcome
        return [*told, *(Sent(outcome or Outcome.LEFT) for _ in messages[len(told) :])]

    async def ask(self, question: bytes, patience_s: float = 60.0) -> tuple[Sent, list[bytes]]:
        """Ask, and give the messages with which the host answers."""
        (sent,) = await self.send(question)
        if sent.outcome not in (Outcome.ACKNOWLEDGED, Outcome.UNKNOWN):
            return sent, []
        return sent, await self.receive(patience_s)

    async def receive(self, patience_s: float) -> list[bytes]:
        """Wait for a session of the host and give its messages; none when there is no session in time, or it breaks off."""
        try:
            if not self.knobs.frames:
                return await self._read_bare(patience_s)
            return await self._read_session(patience_s)
        except Left:
            return []

    # ---- sending ----

    async def _bid(self) -> Outcome | None:
        """Ask for the line; give why it is not ours, or None."""
        outcome = Outcome.SILENT
        for _ in range(_BIDS):
            await self._write(ENQ)
            reply = await self._answer((ACK, NAK, ENQ))
            if reply == ACK:
                return None
            if reply == NAK:
                outcome = Outcome.BUSY
                await asyncio.sleep(self.times.busy_s)
            elif reply == ENQ:
                outcome = Outcome.BUSY
                await asyncio.sleep(self.times.contention_s)
            else:
                await self._write(EOT)
                return Outcome.SILENT
        return outcome

    async def _transfer(self, message: bytes, number: int, sent: Sent) -> int:
        wrong = self.knobs.wrong_checksum
        for text, last in texts_of(message, self.knobs.frame_size):
            number += 1
            for attempt in range(_RETRANSMISSIONS + 1):
                if self.knobs.garbage:
                    await self._write(bytes(self.chance.choice(b"\x00\x7f\xff~?") for _ in range(3)))
                await self._write(framed(number, text, last=last, wrong=wrong > 0))
                wrong -= 1
                sent.retransmissions += attempt > 0
                reply = await self._answer((ACK, NAK, EOT))
                if reply != NAK:
                    break
            if reply == NAK:
                sent.outcome = Outcome.REFUSED
                return number
            if reply == b"":
                sent.outcome = Outcome.SILENT
                return number
            wrong = 0
            sent.frames += 1
            self._frames += 1
            if self.knobs.break_after and self._frames >= self.knobs.break_after:
                await self.wire.close()
                raise Left
        return number

    async def _answer(self, known: tuple[bytes, ...]) -> bytes:
        """Wait for a byte that answers; nothing when none comes in time. Others are noise."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self.times.answer_s):
                while (byte := await self._read()) not in known:
                    pass
                return byte
        return b""

    # ---- receiving ----

    async def _read_session(self, patience_s: float) -> list[bytes]:
        busy = self.knobs.busy
        try:
            async with asyncio.timeout(patience_s):
                while True:
                    while await self._read() != ENQ:
                        pass
                    if self.knobs.contention and not self._contended:
                        self._contended = True
                        await self._write(ENQ)
                        await self._begin_and_leave_it()
                    elif busy:
                        busy -= 1
                        await self._write(NAK)
                    else:
                        break
        except TimeoutError:
            return []
        await self._write(ACK)
        text, expected, naks, previous = b"", 1, self.knobs.naks, b""
        while True:
            try:
                async with asyncio.timeout(self.times.frame_s):
                    byte = await self._read()
                    if byte == EOT:
                        return split(text)
                    if byte != STX:
                        continue
                    frame = b""
                    while not frame.endswith(b"\r\n"):
                        frame += await self._read()
            except TimeoutError:
                return []
            content, told = frame[:-4], frame[-4:-2]
            good = told == checksum(content) and content[:1] in (b"%d" % (expected % 8), previous)
            if not good or naks > 0:
                naks -= 1
                await self._write(NAK)
                continue
            naks = self.knobs.naks
            if content[:1] != previous:
                text += content[1:-1]
                previous = content[:1]
                expected += 1
            await self._write(ACK)

    async def _begin_and_leave_it(self) -> None:
        """Both asked: after a second we ask again, get the line, and have nothing to say but EOT."""
        await asyncio.sleep(self.times.contention_s)
        await self._write(ENQ)
        if await self._answer((ACK,)) == ACK:
            await self._write(EOT)

    async def _read_bare(self, patience_s: float) -> list[bytes]:
        """Read until nothing follows a terminator: without frames nobody says that there is no more."""
        text, wait_s = b"", patience_s
        with suppress(TimeoutError):
            while True:
                async with asyncio.timeout(wait_s):
                    text += await self._read()
                ended = text.endswith(b"\r") and text.rstrip(b"\r").rpartition(b"\r")[2].startswith(b"L")
                wait_s = _QUIET_S if ended else patience_s
        return split(text)

    # ---- bytes ----

    async def _write(self, data: bytes) -> None:
        if not self.knobs.slow_ms:
            self.wire.write(data)
            return
        for byte in data:
            await asyncio.sleep(self.knobs.slow_ms / 1000)
            self.wire.write(bytes([byte]))

    async def _read(self) -> bytes:
        byte = await self.wire.read()
        if not byte:
            raise Left
        return byte


def checksum(content: bytes) -> bytes:
    """Give the sum of a frame from its number to ETX or ETB, modulo 256, in two hexadecimal digits."""
    return f"{sum(content) % 256:02X}".encode()


def framed(number: int, text: bytes, *, last: bool, wrong: bool = False) -> bytes:
    """Write a frame; `wrong` makes its checksum one too high."""
    content = str(number % 8).encode() + text + (ETX if last else ETB)
    told = checksum(content) if not wrong else f"{(sum(content) + 1) % 256:02X}".encode()
    return STX + content + told + b"\r\n"


def texts_of(message: bytes, size: int) -> list[tuple[bytes, bool]]:
    """Cut a message into texts of frames: each record begins one, and its last is marked."""
    texts: list[tuple[bytes, bool]] = []
    for record in message.split(b"\r"):
        rest = record + b"\r" if record else b""
        while rest:
            texts.append((rest[:size], len(rest) <= size))
            rest = rest[size:]
    return texts


def split(text: bytes) -> list[bytes]:
    """Cut records into messages, each from its header on."""
    messages: list[bytes] = []
    for record in text.split(b"\r"):
        if record.startswith(b"H") or (record and not messages):
            messages.append(b"")
        if record:
            messages[-1] += record + b"\r"
    return messages


# ---- what carries it ----


class SocketWire:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def read(self) -> bytes:
        try:
            return await self._reader.read(1)
        except ConnectionError:
            return b""

    def write(self, data: bytes) -> None:
        if not self._writer.is_closing():
            self._writer.write(data)

    def at_end(self) -> bool:
        return self._reader.at_eof() or self._writer.is_closing()

    async def close(self) -> None:
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()


class SerialWire:
    """An open serial line; raises OSError when it cannot be opened."""

    def __init__(self, path: str, baud: int) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        try:
            tty.setraw(self._descriptor)
            settings = termios.tcgetattr(self._descriptor)
            settings[2] |= termios.CLOCAL | termios.CREAD
            settings[4] = settings[5] = getattr(termios, f"B{baud}")
            termios.tcsetattr(self._descriptor, termios.TCSANOW, settings)
        except (termios.error, AttributeError) as error:
            os.close(self._descriptor)
            raise OSError(f"{path}: not a serial line, or no such speed") from error
        self._reader = asyncio.StreamReader()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._descriptor, self._readable)
        self._open = True

    async def read(self) -> bytes:
        return await self._reader.read(1)

    def write(self, data: bytes) -> None:
        """Write at once; a line takes 4 KB, more than a session has under way."""
        with suppress(OSError):
            os.write(self._descriptor, data)

    def at_end(self) -> bool:
        return self._reader.at_eof()

    async def close(self) -> None:
        if self._open:
            self._open = False
            self._loop.remove_reader(self._descriptor)
            os.close(self._descriptor)

    def _readable(self) -> None:
        try:
            data = os.read(self._descriptor, 4096)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self._reader.feed_data(data)
        else:
            self._loop.remove_reader(self._descriptor)
            self._reader.feed_eof()


@asynccontextmanager
async def called(host: str, port: int) -> AsyncIterator[Wire]:
    """Call the host."""
    wire = SocketWire(*await asyncio.open_connection(host, port))
    try:
        yield wire
    finally:
        await wire.close()


@asynccontextmanager
async def waited(host: str, port: int, ready: asyncio.Future[int] | None = None) -> AsyncIterator[Wire]:
    """Wait until the host calls; `ready` gets the port."""
    calls: asyncio.Queue[SocketWire] = asyncio.Queue()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await calls.put(SocketWire(reader, writer))

    server = await asyncio.start_server(take, host, port)
    try:
        if ready is not None:
            ready.set_result(server.sockets[0].getsockname()[1])
        wire = await calls.get()
        try:
            yield wire
        finally:
            await wire.close()
    finally:
        server.close()


@asynccontextmanager
async def plugged(path: str, baud: int) -> AsyncIterator[Wire]:
    """Hold a serial line."""
    wire = SerialWire(path, baud)
    try:
        yield wire
    finally:
        await wire.close()
