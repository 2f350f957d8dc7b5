"""HL7 v2 over MLLP: listens on TCP, with TLS unless it is switched off by name.

Frames only: what is in a frame is intake's business, and so is every answer. On one connection one message is taken at
a time and answers leave in the order of the messages; connections run side by side. No commit acknowledgement blocks of
MLLP Release 2: intake's own answer leaves only after the message is durable, which is what that block promises.

Standard: HL7 v2.5.1 Implementation Guide, Transport Specification: MLLP, Release 1.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, cast

from connectors.contract import Answer, Intake
from connectors.mllp_framing import Frame, Framer, framed
from connectors.sources._listening import (
    address_of,
    check_listening,
    keep_alive,
    open_server,
    server_context,
)
from mappings.formats.values import NO_FILE, FileName, Size

logger = logging.getLogger(__name__)

_MAX_SIZE = Size(20 * 1024 * 1024)
_QUEUE_FRAMES = 16
_QUEUE_BYTES = 1024 * 1024
_RUBBISH_QUIET_S = 1.0


@dataclass(frozen=True)
class Settings:
    listen: str
    """Address and port, like `0.0.0.0:2575`; port 0 takes a free one."""
    tls: Literal["none", "tls", "mtls"] = "tls"
    """`tls` encrypts, `mtls` also asks senders for a certificate of `client_ca`; `none` switches encryption off."""
    certificate: FileName = NO_FILE
    """PEM file with our certificate and its chain; needed unless `tls = "none"`."""
    private_key: FileName = NO_FILE
    """PEM file with the key of `certificate`, without a password; needed unless `tls = "none"`."""
    client_ca: FileName = NO_FILE
    """PEM file with the authorities whose senders are let in; needed with `tls = "mtls"`."""
    charset: str = "auto"
    """`auto` believes MSH-18, a name overrides it; framing does not depend on it."""
    max_size: Size = _MAX_SIZE
    """Largest message; a larger one is refused, its first 64 KB are kept, and the connection goes on."""
    max_connections: int = 256
    """Connections at the same time; further ones are closed at once."""
    idle_timeout: timedelta = timedelta(hours=12)
    """A connection that says nothing for so long is closed."""
    frame_timeout: timedelta = timedelta(seconds=30)
    """A sender that falls silent for so long inside a message, or does not read its answer, is given up."""
    keepalive: timedelta = timedelta(seconds=60)
    """Silence after which TCP asks whether the sender's machine is still there."""
    grace: timedelta = timedelta(seconds=10)
    """At shutdown, how long messages under way may take to be answered."""

    def __post_init__(self) -> None:
        check_listening(self)
        if self.max_size < 1:
            raise ValueError('max_size: no message would fit — write a size like "20MB"')
        if self.max_connections < 1:
            raise ValueError("max_connections: nobody could connect — write at least 1")
        for name in ("idle_timeout", "frame_timeout"):
            if getattr(self, name) <= timedelta(0):
                raise ValueError(f'{name}: every connection would be closed at once — write a duration like "30s"')
        if self.keepalive < timedelta(seconds=1):
            raise ValueError('keepalive: TCP counts in seconds — write at least "1s"')
        if self.grace < timedelta(0):
            raise ValueError('grace: a time cannot be negative — write "0s" or more')


class Source:
    """Listen for MLLP senders and hand every frame to intake."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @staticmethod
    def check(settings: Settings) -> None:
        """Read the TLS files; raises `TlsFilesUnusable`. Does not open the address."""
        server_context(settings)

    async def run(self, intake: Intake, ready: Callable[[str], None]) -> None:
        """Serve until cancelled; then answer what is under way within `grace`, close everything and return.

        A frame whose turn had not come is not taken: its sender has no answer and will send it again.
        Raises `ListenFailed` and `TlsFilesUnusable`, both before `ready` is called.
        """
        settings = self._settings
        room = _Room(settings, intake)
        server = await open_server(settings, lambda: _Connection(room))
        try:
            ready(address_of(server.sockets[0].getsockname()))
            await room.watch()
        except asyncio.CancelledError:
            logger.info("mllp %s: stopping", settings.listen)
        finally:
            server.close()
            await room.leave()
            await server.wait_closed()


class _Room:
    """All connections of one source: their number, their time limits, their end."""

    def __init__(self, settings: Settings, intake: Intake) -> None:
        self.settings = settings
        self.intake = intake
        self.connections: set[_Connection] = set()
        self.workers: set[asyncio.Task[None]] = set()
        self._left = asyncio.Event()
        self._full = False

    def admit(self, connection: _Connection) -> bool:
        if len(self.connections) >= self.settings.max_connections:
            if not self._full:
                logger.warning("mllp %s: full with %d connections", self.settings.listen, len(self.connections))
            self._full = True
            return False
        self._full = False
        self.connections.add(connection)
        return True

    async def watch(self) -> None:
        """Look at every connection's clock: one timer for all, none per message."""
        shortest = min(self.settings.idle_timeout, self.settings.frame_timeout).total_seconds()
        every = min(_RUBBISH_QUIET_S, shortest) / 4
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(every)
            now = loop.time()
            for connection in tuple(self.connections):
                connection.look_at_clock(now)

    def dismiss(self, connection: _Connection) -> None:
        self.connections.discard(connection)
        if not self.connections:
            self._left.set()

    def employ(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        worker = asyncio.get_running_loop().create_task(work)
        self.workers.add(worker)
        worker.add_done_callback(self.workers.discard)
        return worker

    async def leave(self) -> None:
        """End every connection, those with a message under way after its answer, all of them after `grace`."""
        for connection in tuple(self.connections):
            connection.stop()
        try:
            async with asyncio.timeout(self.settings.grace.total_seconds()):
                await asyncio.gather(*self.workers, return_exceptions=True)
                if self.connections:
                    self._left.clear()
                    await self._left.wait()
        except TimeoutError:
            logger.warning("mllp %s: %d connections cut off", self.settings.listen, len(self.connections))
        finally:
            for connection in tuple(self.connections):
                connection.abort()
            for worker in tuple(self.workers):
                worker.cancel()


class _Connection(asyncio.Protocol):
    def __init__(self, room: _Room) -> None:
        self._room = room
        self._loop = asyncio.get_running_loop()
        self._framer = Framer(room.settings.max_size)
        self._queue: deque[Frame] = deque()
        self._queued_bytes = 0
        self._worker: asyncio.Task[None] | None = None
        self._transport: asyncio.Transport
        self._peer = ""
        self._heard_at = self._loop.time()
        self._reading = True
        self._flushed: asyncio.Future[None] | None = None
        self._flushing_since = 0.0
        self._writable = True
        self._ending = False
        self._gone = False

    # ---- what the event loop tells us ----

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._peer = address_of(transport.get_extra_info("peername"))
        if not self._room.admit(self):
            self._ending = True
            self._transport.close()
            return
        self._transport.set_write_buffer_limits(high=1, low=0)
        keep_alive(transport.get_extra_info("socket"), self._room.settings.keepalive)

    def data_received(self, data: bytes) -> None:
        self._heard_at = self._loop.time()
        if self._ending:
            return
        for frame in self._framer.feed(data):
            self._take(frame)

    def eof_received(self) -> bool:
        """Half-closed TCP can still carry the answers; TLS as asyncio has it cannot."""
        self._gone = self._transport.get_extra_info("sslcontext") is not None
        self._end([] if self._ending else self._framer.end())
        return not self._gone

    def connection_lost(self, exc: Exception | None) -> None:
        self._gone = True
        self._room.dismiss(self)
        if not self._ending:
            self._end(self._framer.end())
        self._wake()

    def pause_writing(self) -> None:
        self._writable = False

    def resume_writing(self) -> None:
        self._writable = True
        self._wake()

    # ---- what the room tells us ----

    def look_at_clock(self, now: float) -> None:
        settings = self._room.settings
        frame_timeout = settings.frame_timeout.total_seconds()
        if self._flushed is not None:
            if now - self._flushing_since >= frame_timeout:
                logger.info("mllp %s: the sender does not read its answer", self._peer)
                self.abort()
            return
        silent = now - self._heard_at
        if self._ending or not self._reading:
            return
        if self._framer.in_frame:
            if silent >= frame_timeout:
                self._end(self._framer.end())
            return
        if silent >= min(_RUBBISH_QUIET_S, frame_timeout):
            for frame in self._framer.quiet():
                self._take(frame)
        if self._worker is None and silent >= settings.idle_timeout.total_seconds():
            self._end([])

    def stop(self) -> None:
        """Take nothing more; the message under way is answered, the queue is not."""
        self._ending = True
        self._queue.clear()
        if self._worker is None:
            self._transport.close()

    def abort(self) -> None:
        self._ending = True
        self._queue.clear()
        self._transport.abort()

    # ---- the way of a frame ----

    def _take(self, frame: Frame) -> None:
        self._queue.append(frame)
        self._queued_bytes += len(frame.raw)
        if self._worker is None:
            self._worker = self._room.employ(self._work())
        elif self._reading and (len(self._queue) >= _QUEUE_FRAMES or self._queued_bytes >= _QUEUE_BYTES):
            self._reading = False
            if not self._gone:
                self._transport.pause_reading()

    def _end(self, last: list[Frame]) -> None:
        """Take no more bytes; close when what is in the queue is answered."""
        self._ending = True
        for frame in last:
            self._take(frame)
        if self._worker is None and not self._gone:
            self._transport.close()

    async def _work(self) -> None:
        try:
            while self._queue:
                frame = self._queue.popleft()
                self._queued_bytes -= len(frame.raw)
                answer = await self._room.intake.receive(frame.raw, self._peer, frame.fault)
                await self._send(answer)
                if not self._reading and not self._queue:
                    self._reading = True
                    self._heard_at = self._loop.time()
                    if not self._ending:
                        self._transport.resume_reading()
        except Exception as exc:  # noqa: BLE001 — whatever breaks behind us, the sender must not wait for ever
            logger.error("mllp %s: intake broke (%s); connection closed unanswered", self._peer, type(exc).__name__)
            self._ending = True
            self._queue.clear()
        finally:
            self._worker = None
            self._heard_at = self._loop.time()
            if self._ending and not self._gone:
                self._transport.close()

    async def _send(self, answer: Answer) -> None:
        if self._gone or not answer.frames:
            return
        self._transport.write(b"".join(map(framed, answer.frames)))
        if not self._writable:
            self._flushed = self._loop.create_future()
            self._flushing_since = self._loop.time()
            await self._flushed
            self._flushed = None
        if not self._gone and not self._transport.is_closing():
            self._room.intake.answered(answer)

    def _wake(self) -> None:
        if self._flushed is not None and not self._flushed.done():
            self._flushed.set_result(None)
