"""What sources that are called over HTTP/1.1 have in common: connections, their limits, and refusals in words.

No HTTP/2, no compression, no cross-origin requests; whoever wants those puts a proxy before it.

Standard: RFC 9110, RFC 9112; refusals are problem details of RFC 9457
"""

from __future__ import annotations

import asyncio
import json
import logging
from asyncio import TimerHandle
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from datetime import timedelta
from http import HTTPStatus
from typing import Any, ClassVar, Final, Protocol

import h11
from uvicorn import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from connectors.sources._listening import Listening, address_of, open_server

logger = logging.getLogger(__name__)

_MAX_HEAD: Final = 64 * 1024
_DRAINED_S: Final = 5.0
_RETRY_AFTER_S: Final = 10
_PROBLEM: Final = b"application/problem+json"

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Serving(Listening, Protocol):
    """The settings of a source that is called over HTTP, as far as they are looked at here."""

    @property
    def max_connections(self) -> int: ...

    @property
    def idle_timeout(self) -> timedelta: ...

    @property
    def frame_timeout(self) -> timedelta: ...

    @property
    def upload_timeout(self) -> timedelta: ...

    @property
    def grace(self) -> timedelta: ...


def check_serving(settings: Serving) -> None:
    """Raise `ValueError`, worded as one line of `lienthong check`, for limits that cannot work."""
    if settings.max_connections < 1:
        raise ValueError("max_connections: nobody could connect — write at least 1")
    for name in ("idle_timeout", "frame_timeout", "upload_timeout"):
        if getattr(settings, name) <= timedelta(0):
            raise ValueError(f'{name}: every connection would be closed at once — write a duration like "30s"')
    if settings.grace < timedelta(0):
        raise ValueError('grace: a time cannot be negative — write "0s" or more')


class Room:
    """All connections of one source; a kind derives from it and says what is done with a request."""

    kind: ClassVar[str]
    """Name in the log."""
    told: ClassVar[Mapping[int, tuple[str, str]]]
    """Status → what it means here, in Vietnamese and English."""
    methods: ClassVar[tuple[str, ...]]
    """What a 405 says is allowed."""
    challenges: ClassVar[tuple[bytes, ...]] = (b"Bearer",)
    """What a 401 asks for."""
    drained: ClassVar[int] = 1024 * 1024
    """How much of a body is read of a request that is refused, so that its sender comes to read why."""

    def __init__(self, settings: Serving) -> None:
        self.limits = settings
        self.state = ServerState()
        self.connections: set[Connection] = set()
        self.stopping = False
        self.config = Config(
            self.serve,
            http=H11Protocol,
            h11_max_incomplete_event_size=_MAX_HEAD,
            loop="none",
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=max(1, round(settings.idle_timeout.total_seconds())),
        )
        self._emptied = asyncio.Event()

    async def take(self, connection: Connection, scope: Scope, receive: Receive, reply: Reply) -> None:
        """Take a request that is not refused, and answer it."""
        raise NotImplementedError

    def refusal(self, connection: Connection, scope: Scope) -> int:
        """Say with which status a request is refused before its body is read; 0 = it is not."""
        raise NotImplementedError

    async def run(self, ready: Callable[[str], None]) -> None:
        """Serve until cancelled; then answer what is under way, within `grace`, close everything and return.

        Raises `ListenFailed` and `TlsFilesUnusable`, both before `ready` is called.
        """
        settings = self.limits
        server = await open_server(settings, lambda: Connection(self))
        try:
            ready(address_of(server.sockets[0].getsockname()))
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            logger.info("%s %s: stopping", self.kind, settings.listen)
        finally:
            server.close()
            await self._leave()
            await server.wait_closed()

    def dismiss(self, connection: Connection) -> None:
        self.connections.discard(connection)
        self._emptied.set()

    async def _leave(self) -> None:
        """End every connection, those to which an answer is owed after it, all of them after `grace`."""
        self.stopping = True
        for connection in tuple(self.connections):
            connection.stop()
        try:
            async with asyncio.timeout(self.limits.grace.total_seconds()):
                while self.connections:
                    self._emptied.clear()
                    await self._emptied.wait()
        except TimeoutError:
            logger.warning("%s %s: %d connections cut off", self.kind, self.limits.listen, len(self.connections))
        for connection in tuple(self.connections):
            connection.transport.abort()
        tasks = tuple(self.state.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take one request; no error leaves, because the server below would tell it whole."""
        connection: Connection = scope["state"]["connection"]
        reply = Reply(self, connection, send)
        try:
            status = self.refusal(connection, scope)
            if status:
                ended = await self.drain(connection, receive)
                await reply.problem(status, close=not ended)
            else:
                await self.take(connection, scope, receive, reply)
        except asyncio.CancelledError:
            connection.transport.abort()
        except Exception as exc:  # noqa: BLE001 — whatever breaks behind us, the sender must not wait for ever
            logger.error("%s %s: intake broke (%s)", self.kind, self.limits.listen, type(exc).__name__)
            if reply.begun:
                connection.transport.abort()
            else:
                await reply.problem(503, close=True)
        finally:
            connection.answering = False
            if self.stopping:
                connection.transport.close()

    async def drain(self, connection: Connection, receive: Receive) -> bool:
        """Read on what is not wanted any more, for a while; say whether the body came to its end."""
        if connection.cycle.waiting_for_100_continue:
            return False
        left = self.drained
        try:
            async with asyncio.timeout(_DRAINED_S):
                while left >= 0:
                    event = await receive()
                    if event["type"] != "http.request":
                        return False
                    if not event.get("more_body", False):
                        return True
                    left -= len(event.get("body", b""))
        except TimeoutError:
            pass
        return False

    def problem(self, status: int, why: str = "") -> bytes:
        """Write a refusal; `why` holds nothing of the request."""
        detail = " — ".join(self.told[status]) + (f" ({why})" if why else "")
        told = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
        return json.dumps(told, ensure_ascii=False).encode()


class Reply:
    """The one answer to a request."""

    def __init__(self, room: Room, connection: Connection, send: Send) -> None:
        self._room = room
        self._connection = connection
        self._send = send
        self.begun = False

    async def problem(self, status: int, *, close: bool, why: str = "") -> None:
        """Refuse in words of ours; nothing of the request is repeated."""
        more: list[tuple[bytes, bytes]] = []
        if status == 401:
            more += [(b"www-authenticate", challenge) for challenge in self._room.challenges]
        elif status == 405:
            more.append((b"allow", ", ".join(self._room.methods).encode()))
        elif status == 503:
            more.append((b"retry-after", str(_RETRY_AFTER_S).encode()))
        await self.write(status, self._room.problem(status, why), _PROBLEM, close=close, more=more)

    async def write(
        self, status: int, body: bytes, media_type: bytes, *, close: bool, more: Iterable[tuple[bytes, bytes]] = ()
    ) -> bool:
        """Write an answer; say whether its last byte was handed to the network."""
        headers = [(b"content-type", media_type), (b"content-length", str(len(body)).encode()), *more]
        if close or self._connection.last:
            headers.append((b"connection", b"close"))
        self.begun = True
        await self._send({"type": "http.response.start", "status": status, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})
        return await self._connection.flushed()


class Connection(H11Protocol):
    """One connection; adds what the server itself does not limit: time for the head of a request, and their number.

    Not the faster parser: that one drops the body of a request which offers to change to HTTP/2, as Java's client does.
    """

    def __init__(self, room: Room) -> None:
        super().__init__(room.config, room.state, {"connection": self}, asyncio.get_running_loop())
        self.access_log = False  # whatever the logging of the process says: addresses of requests are not ours
        self.peer = "unknown"
        self.answering = False
        """Whether intake has what came on it, so that an answer is owed."""
        self.last = False
        """Whether the connection ends with the request under way."""
        self._room = room
        self._lost = False
        self._in_head = False
        self._head_timer: TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self.peer = address_of(transport.get_extra_info("peername"))
        transport.set_write_buffer_limits(high=1, low=0)
        if len(self._room.connections) >= self._room.limits.max_connections or self._room.stopping:
            transport.close()
            return
        self._room.connections.add(self)
        self._await_head(self._room.limits.idle_timeout)

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = True
        self._room.dismiss(self)
        self._await_head(None)
        super().connection_lost(exc)

    def eof_received(self) -> bool:  # type: ignore[override]  # asyncio's own contract
        """Half-closed TCP can still carry the answer to what came whole; TLS as asyncio has it cannot."""
        plain = self.transport.get_extra_info("sslcontext") is None
        self.last = True
        return plain and self.cycle is not None and not self.cycle.more_body and not self.cycle.response_complete

    def data_received(self, data: bytes) -> None:
        if self.conn.their_state is h11.IDLE and not self._in_head:
            self._in_head = True
            self._await_head(self._room.limits.frame_timeout)
        try:
            super().data_received(data)
        except h11.LocalProtocolError:
            self.transport.abort()
        if self.conn.their_state is not h11.IDLE:
            self._in_head = False
            self._await_head(None)

    def _should_upgrade(self) -> bool:
        return False

    def send_400_response(self, msg: str) -> None:
        body = self._room.problem(400)
        headers = [(b"content-type", _PROBLEM), (b"content-length", b"%d" % len(body)), (b"connection", b"close")]
        for event in (h11.Response(status_code=400, headers=headers), h11.Data(data=body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def stop(self) -> None:
        """Take nothing more; what intake has is answered."""
        if not self.answering:
            self.transport.close()

    async def flushed(self) -> bool:
        """Wait until everything written has left, or the sender is given up; say which."""
        try:
            async with asyncio.timeout(self._room.limits.frame_timeout.total_seconds()):
                await self.flow.drain()
        except TimeoutError:
            logger.info("%s %s: the sender does not read its answer", self._room.kind, self.peer)
            self.transport.abort()
            return False
        return not self._lost

    def _await_head(self, within: timedelta | None) -> None:
        """Close unless the head of a request is here in time; with None, it is."""
        if self._head_timer is not None:
            self._head_timer.cancel()
        self._head_timer = (
            None if within is None else self.loop.call_later(within.total_seconds(), self.transport.close)
        )
