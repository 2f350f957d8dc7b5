"""Files that another program uploads: `POST /` or `PUT /` with the file itself as the body; each is one message.

Answers 200 when the bytes are safe, 422 when they are kept and wrong, 413 when they are too large, and 503 when nothing was
kept and the sender has to send again; with the first three comes the answer itself. Nothing in the address but `/` is looked
at. No forms, no compression, no HTTP/2; whoever wants those puts a proxy before it.

Standard: RFC 9110, RFC 9112; refusals are problem details of RFC 9457
"""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
from asyncio import TimerHandle
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from ipaddress import ip_address
from typing import Any, Final, Literal

import h11
from uvicorn import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from connectors.contract import Answer, Intake
from connectors.faults import FrameIncomplete, ListenFailed, TooLarge
from connectors.mllp_framing import KEPT
from connectors.sources._listening import address_of, check_listening, checked_address, server_context
from mappings.formats.faults import IntakeFault
from mappings.formats.values import NO_FILE, NO_SECRET, FileName, Secret, Size

logger = logging.getLogger(__name__)

_MAX_SIZE = Size(20 * 1024 * 1024)
_MAX_HEAD: Final = 64 * 1024
_DRAINED: Final = 1024 * 1024
"""How much of a body is read of a request that is refused, so that its sender comes to read why."""
_DRAINED_S: Final = 5.0
_TLS_CLOSE_S: Final = 2.0
_RETRY_AFTER_S: Final = 10
_METHODS: Final = ("POST", "PUT")

_PROBLEM: Final = b"application/problem+json"
_TOLD: Final[dict[int, tuple[str, str]]] = {
    400: ("Dữ liệu đến không phải HTTP/1.1 đúng dạng", "What came is no well-formed HTTP/1.1"),
    401: ("Thiếu mã truy cập hoặc mã không đúng", "The access token is missing or wrong"),
    404: ("Chỉ nhận tệp tại đường dẫn /", "Files are taken at the path / only"),
    405: ("Chỉ nhận POST hoặc PUT với tệp là thân của yêu cầu", "Only POST or PUT with the file as the body is taken"),
    408: (
        "Tệp gửi quá chậm hoặc bị ngừng giữa chừng; hãy gửi lại",
        "The file came too slowly or stopped; send it again",
    ),
    411: (
        "Thiếu Content-Length hoặc Transfer-Encoding: chunked",
        "Content-Length or Transfer-Encoding: chunked is missing",
    ),
    415: (
        "Gửi chính tệp làm thân, không nén, không dùng biểu mẫu",
        "Send the file itself as the body: no compression, no form",
    ),
    503: ("Chưa lưu được gì; hãy gửi lại sau", "Nothing was stored; send it again later"),
}
"""Status → what it means here, in Vietnamese and English."""

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


@dataclass(frozen=True)
class Settings:
    listen: str
    """Address and port, like `0.0.0.0:8443`; port 0 takes a free one."""
    token: Secret = NO_SECRET
    """What senders show as `Authorization: Bearer …`; needed unless `tls = "mtls"` or `listen` is this machine itself."""
    tls: Literal["none", "tls", "mtls"] = "tls"
    """`tls` encrypts, `mtls` also asks senders for a certificate of `client_ca`; `none` switches encryption off."""
    certificate: FileName = NO_FILE
    """PEM file with our certificate and its chain; needed unless `tls = "none"`."""
    private_key: FileName = NO_FILE
    """PEM file with the key of `certificate`, without a password; needed unless `tls = "none"`."""
    client_ca: FileName = NO_FILE
    """PEM file with the authorities whose senders are let in; needed with `tls = "mtls"`."""
    charset: str = "auto"
    """`auto` believes what the content says, a name overrides it; taking it does not depend on it."""
    max_size: Size = _MAX_SIZE
    """Largest file; a larger one is refused, its first 64 KB are kept."""
    max_connections: int = 64
    """Connections at the same time; further ones are closed at once."""
    idle_timeout: timedelta = timedelta(seconds=75)
    """A connection on which nothing is asked for so long is closed."""
    frame_timeout: timedelta = timedelta(seconds=30)
    """A sender that falls silent for so long inside a request, or does not read its answer, is given up."""
    upload_timeout: timedelta = timedelta(minutes=15)
    """How long one file may take to come, however steadily."""
    grace: timedelta = timedelta(seconds=10)
    """At shutdown, how long files under way may take to be answered."""

    def __post_init__(self) -> None:
        check_listening(self)
        if not self.token and self.tls != "mtls" and not _is_loopback(checked_address(self.listen)[0]):
            raise ValueError('token: anybody could upload — write "secret:name", or tls = "mtls"')
        if self.max_size < 1:
            raise ValueError('max_size: no file would fit — write a size like "20MB"')
        if self.max_connections < 1:
            raise ValueError("max_connections: nobody could connect — write at least 1")
        for name in ("idle_timeout", "frame_timeout", "upload_timeout"):
            if getattr(self, name) <= timedelta(0):
                raise ValueError(f'{name}: every connection would be closed at once — write a duration like "30s"')
        if self.grace < timedelta(0):
            raise ValueError('grace: a time cannot be negative — write "0s" or more')


class Source:
    """Listen for uploads and hand every file to intake."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @staticmethod
    def check(settings: Settings) -> None:
        """Read the TLS files; raises `TlsFilesUnusable`. Does not open the address."""
        server_context(settings)

    async def run(self, intake: Intake, ready: Callable[[str], None]) -> None:
        """Serve until cancelled; then answer what intake has, within `grace`, close everything and return.

        A file that had not come whole is not taken: its sender has no answer and will send it again.
        Raises `ListenFailed` and `TlsFilesUnusable`, both before `ready` is called.
        """
        settings, loop = self._settings, asyncio.get_running_loop()
        host, port = checked_address(settings.listen)
        room = _Room(settings, intake)
        context = server_context(settings)
        try:
            server = await loop.create_server(
                lambda: _Connection(room),
                host,
                port,
                ssl=context,
                ssl_handshake_timeout=settings.frame_timeout.total_seconds() if context else None,
                ssl_shutdown_timeout=_TLS_CLOSE_S if context else None,
            )
        except OSError as exc:
            raise ListenFailed(where=settings.listen, detail=exc.strerror or type(exc).__name__) from exc
        try:
            ready(address_of(server.sockets[0].getsockname()))
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            logger.info("http %s: stopping", settings.listen)
        finally:
            server.close()
            await room.leave()
            await server.wait_closed()


class _Room:
    """All connections of one source, and what is done with a request."""

    def __init__(self, settings: Settings, intake: Intake) -> None:
        self.settings = settings
        self.state = ServerState()
        self.connections: set[_Connection] = set()
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
        self._intake = intake
        self._emptied = asyncio.Event()

    def dismiss(self, connection: _Connection) -> None:
        self.connections.discard(connection)
        self._emptied.set()

    async def leave(self) -> None:
        """End every connection, those whose file intake has after its answer, all of them after `grace`."""
        self.stopping = True
        for connection in tuple(self.connections):
            connection.stop()
        try:
            async with asyncio.timeout(self.settings.grace.total_seconds()):
                while self.connections:
                    self._emptied.clear()
                    await self._emptied.wait()
        except TimeoutError:
            logger.warning("http %s: %d connections cut off", self.settings.listen, len(self.connections))
        for connection in tuple(self.connections):
            connection.transport.abort()
        tasks = tuple(self.state.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # ---- the way of a request ----

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take one request; no error leaves, because the server below would tell it whole."""
        connection: _Connection = scope["state"]["connection"]
        reply = _Reply(connection, send)
        try:
            status = self._refusal(scope)
            if status:
                await self._refuse(status, scope, receive, reply)
            else:
                await self._take(connection, receive, reply)
        except asyncio.CancelledError:
            connection.transport.abort()
        except Exception as exc:  # noqa: BLE001 — whatever breaks behind us, the sender must not wait for ever
            logger.error("http %s: intake broke (%s)", self.settings.listen, type(exc).__name__)
            if reply.begun:
                connection.transport.abort()
            else:
                await reply.problem(503, close=True)
        finally:
            connection.answering = False
            if self.stopping:
                connection.transport.close()

    def _refusal(self, scope: Scope) -> int:
        """Say with which status a request is refused before its body is read; 0 = it is not."""
        headers: dict[bytes, bytes] = dict(scope["headers"])
        token = self.settings.token
        if token:
            scheme, _, shown = headers.get(b"authorization", b"").partition(b" ")
            if scheme.lower() != b"bearer" or not hmac.compare_digest(shown.strip(), token.encode()):
                return 401
        if scope["path"] != "/":
            return 404
        if scope["method"] not in _METHODS:
            return 405
        if headers.get(b"content-encoding", b"identity").strip().lower() not in (b"identity", b""):
            return 415
        if headers.get(b"content-type", b"").strip().lower().startswith(b"multipart/"):
            return 415
        if b"content-length" not in headers and b"transfer-encoding" not in headers:
            return 411
        return 0

    async def _refuse(self, status: int, scope: Scope, receive: Receive, reply: _Reply) -> None:
        ended = False
        if not any(name == b"expect" for name, _ in scope["headers"]):
            try:
                async with asyncio.timeout(_DRAINED_S):
                    ended = (await _read(receive, 0, _DRAINED)).ended
            except TimeoutError:
                pass
        await reply.problem(status, close=not ended)

    async def _take(self, connection: _Connection, receive: Receive, reply: _Reply) -> None:
        limit = self.settings.max_size
        body = _Body()
        try:
            async with asyncio.timeout(self.settings.upload_timeout.total_seconds()):
                await _read(receive, limit, max(limit * 8, _DRAINED), self.settings.frame_timeout.total_seconds(), body)
        except TimeoutError:
            pass
        fault: IntakeFault | None = None
        if body.size > limit:
            fault = TooLarge()
        elif not body.ended:
            fault = FrameIncomplete()
        if self.stopping:
            await reply.problem(503, close=True)
            return
        if isinstance(fault, FrameIncomplete) and not body.content:
            await reply.problem(408, close=True)
            return
        connection.answering = True
        raw = bytes(body.content if fault is None else body.content[:KEPT])
        answer = await self._intake.receive(raw, connection.peer, fault)
        if not answer.positive and answer.message_id is None:
            await reply.problem(503, close=self.stopping or not body.ended)
            return
        status = 200 if answer.positive else 413 if isinstance(fault, TooLarge) else 408 if fault else 422
        if await reply.answer(status, answer, close=self.stopping or not body.ended):
            self._intake.answered(answer)


@dataclass
class _Body:
    """What came of a body: its content up to the limit, its beginning beyond; `ended` when its end came too."""

    content: bytearray
    size: int = 0
    ended: bool = False

    def __init__(self) -> None:
        self.content = bytearray()


async def _read(
    receive: Receive, limit: int, most: int, silence_s: float | None = None, body: _Body | None = None
) -> _Body:
    """Read a body to its end, or until it passes `most`, the sender leaves, or is silent for so long."""
    body = body or _Body()
    while body.size <= most:
        async with asyncio.timeout(silence_s):
            event = await receive()
        if event["type"] != "http.request":
            break
        piece = event.get("body", b"")
        body.size += len(piece)
        if body.size <= limit:
            body.content += piece
        elif len(body.content) < KEPT:
            body.content += piece[: KEPT - len(body.content)]
        if not event.get("more_body", False):
            body.ended = True
            break
    return body


class _Reply:
    """The one answer to a request."""

    def __init__(self, connection: _Connection, send: Send) -> None:
        self._connection = connection
        self._send = send
        self.begun = False

    async def problem(self, status: int, *, close: bool) -> None:
        """Refuse in words of ours; nothing of the request is repeated."""
        more: list[tuple[bytes, bytes]] = []
        if status == 401:
            more.append((b"www-authenticate", b"Bearer"))
        elif status == 405:
            more.append((b"allow", ", ".join(_METHODS).encode()))
        elif status == 503:
            more.append((b"retry-after", str(_RETRY_AFTER_S).encode()))
        await self._write(status, _problem(status), _PROBLEM, close, more)

    async def answer(self, status: int, answer: Answer, *, close: bool) -> bool:
        """Write intake's answer; say whether its last byte was handed to the network."""
        more = [(b"lienthong-message", answer.message_id.encode())] if answer.message_id else []
        return await self._write(status, answer.whole, _media_type(answer.whole), close, more)

    async def _write(
        self, status: int, body: bytes, media_type: bytes, close: bool, more: Iterable[tuple[bytes, bytes]]
    ) -> bool:
        headers = [(b"content-type", media_type), (b"content-length", str(len(body)).encode()), *more]
        if close or self._connection.last:
            headers.append((b"connection", b"close"))
        self.begun = True
        await self._send({"type": "http.response.start", "status": status, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})
        return await self._connection.flushed()


class _Connection(H11Protocol):
    """One connection; adds what the server itself does not limit: time for the head of a request, and their number.

    Not the faster parser: that one drops the body of a request which offers to change to HTTP/2, as Java's client does.
    """

    def __init__(self, room: _Room) -> None:
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
        if len(self._room.connections) >= self._room.settings.max_connections or self._room.stopping:
            transport.close()
            return
        self._room.connections.add(self)
        self._await_head(self._room.settings.idle_timeout)

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
            self._await_head(self._room.settings.frame_timeout)
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
        body = _problem(400)
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
            async with asyncio.timeout(self._room.settings.frame_timeout.total_seconds()):
                await self.flow.drain()
        except TimeoutError:
            logger.info("http %s: the sender does not read its answer", self.peer)
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


def _problem(status: int) -> bytes:
    vi, en = _TOLD[status]
    told = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": f"{vi} — {en}"}
    return json.dumps(told, ensure_ascii=False).encode()


def _media_type(body: bytes) -> bytes:
    if body.startswith(b"<"):
        return b"application/xml"
    if body.startswith(b"MSH"):
        return b"application/hl7-v2"
    return b"application/json" if body.startswith(b"{") else b"application/octet-stream"


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
