"""Files that another program uploads: `POST /` or `PUT /` with the file itself as the body; each is one message.

Answers 200 when the bytes are safe, 422 when they are kept and wrong, 413 when they are too large, and 503 when nothing was
kept and the sender has to send again; with the first three comes the answer itself. Nothing in the address but `/` is looked
at. No forms, no compression, no HTTP/2; whoever wants those puts a proxy before it.

Standard: RFC 9110, RFC 9112; refusals are problem details of RFC 9457
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal

from connectors.contract import Intake
from connectors.faults import FrameIncomplete, TooLarge
from connectors.mllp_framing import KEPT
from connectors.sources._http_serving import (
    Connection,
    Receive,
    Reply,
    Room,
    Scope,
    check_serving,
)
from connectors.sources._listening import check_listening, checked_address, is_loopback, server_context
from mappings.formats.faults import IntakeFault
from mappings.formats.values import NO_FILE, NO_SECRET, FileName, Secret, Size

_MAX_SIZE = Size(20 * 1024 * 1024)
_DRAINED: Final = 1024 * 1024
"""How much of a body that is too large is read at least, so that its sender comes to read why."""
_METHODS: Final = ("POST", "PUT")

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
        if not self.token and self.tls != "mtls" and not is_loopback(checked_address(self.listen)[0]):
            raise ValueError('token: anybody could upload — write "secret:name", or tls = "mtls"')
        if self.max_size < 1:
            raise ValueError('max_size: no file would fit — write a size like "20MB"')
        check_serving(self)


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
        await _Room(self._settings, intake).run(ready)


class _Room(Room):
    kind = "http"
    told = _TOLD
    methods = _METHODS

    def __init__(self, settings: Settings, intake: Intake) -> None:
        super().__init__(settings)
        self._settings = settings
        self._intake = intake

    def refusal(self, connection: Connection, scope: Scope) -> int:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        token = self._settings.token
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

    async def take(self, connection: Connection, scope: Scope, receive: Receive, reply: Reply) -> None:
        limit = self._settings.max_size
        body = _Body()
        try:
            async with asyncio.timeout(self._settings.upload_timeout.total_seconds()):
                await _read(
                    receive, limit, max(limit * 8, _DRAINED), self._settings.frame_timeout.total_seconds(), body
                )
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
        more = [(b"lienthong-message", answer.message_id.encode())] if answer.message_id else []
        close = self.stopping or not body.ended
        if await reply.write(status, answer.whole, _media_type(answer.whole), close=close, more=more):
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


def _media_type(body: bytes) -> bytes:
    if body.startswith(b"<"):
        return b"application/xml"
    if body.startswith(b"MSH"):
        return b"application/hl7-v2"
    return b"application/json" if body.startswith(b"{") else b"application/octet-stream"
