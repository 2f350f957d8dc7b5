"""DICOM objects that another system uploads: `POST {path}/studies` or `POST {path}/studies/{StudyInstanceUID}` (STOW-RS).

The body is `multipart/related; type="application/dicom"` with one DICOM file (PS3.10) in each part, in any number, of any class
and transfer syntax; nothing is recompressed. Parts go to disk sealed while they arrive; the answer, in JSON or XML, names
each object that is durable, and each that is not with its reason. What was taken stays, whatever becomes of the rest.

200 all was taken; 202 some was; else nothing: 409 for what the objects are, 413 too large or too many, 400 malformed, 408 cut
off, 415 something else than DICOM files, 503 the store is away and the sender has to try again. Reasons: `A700` try again, or
smaller; `A900` another study than the address says; `0111` another object has that SOP Instance UID; `C000` not readable.

Metadata apart from pixels (`application/dicom+json`, `+xml`), compressed bodies, and retrieval and search are not here.

Standard: DICOM PS3.18 §10.5 (Store Transaction), Annex I
Requirement: S1.4
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import re
from base64 import b64decode
from binascii import Error as NoBase64
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, Literal, TypeVar

from connectors.contract import ObjectIntake
from connectors.faults import MultipartInvalid, ObjectIncomplete, PeerNotAllowed
from connectors.sources._http_serving import (
    Connection,
    Receive,
    Reply,
    Room,
    Scope,
    check_serving,
)
from connectors.sources._listening import check_listening, checked_address, is_loopback, server_context
from connectors.sources._multipart_related import read_media_type
from connectors.sources._store_response import response, status_of, wanted_kind
from connectors.sources._stow_request import Bounds, StowRequest
from mappings.formats.values import NO_FILE, FileName, Secret, Size

logger = logging.getLogger(__name__)

T = TypeVar("T")
_MAX_SIZE: Final = Size(4 * 1024**3)
_MAX_PART_HEADER: Final = 16 * 1024
_DRAINED: Final = 64 * 1024 * 1024
_PATH: Final = re.compile(r"(?:/[A-Za-z0-9._~-]+)*")
_UID: Final = re.compile(r"[0-9.]{1,64}")
_IN_WORDS: Final = frozenset((400, 408, 415, 503))
"""Statuses that are told in words; those of objects are told with the objects."""

_TOLD: Final[dict[int, tuple[str, str]]] = {
    400: (
        "Yêu cầu không đúng dạng HTTP/1.1 hoặc multipart/related",
        "The request is no well-formed HTTP/1.1 with multipart/related",
    ),
    401: ("Thiếu mã truy cập hoặc mã không đúng", "The access token is missing or wrong"),
    403: ("Chứng thư này không được phép gửi tới đây", "This certificate may not send here"),
    404: (
        "Chỉ nhận tại đường dẫn …/studies hoặc …/studies/{StudyInstanceUID}",
        "Objects are taken at …/studies and …/studies/{StudyInstanceUID} only",
    ),
    405: ("Chỉ nhận POST (STOW-RS)", "Only POST (STOW-RS) is taken"),
    408: (
        "Gửi quá chậm hoặc bị ngừng giữa chừng; hãy gửi lại",
        "The request came too slowly or stopped; send it again",
    ),
    411: (
        "Thiếu Content-Length hoặc Transfer-Encoding: chunked",
        "Content-Length or Transfer-Encoding: chunked is missing",
    ),
    415: (
        'Gửi multipart/related; type="application/dicom", mỗi tệp DICOM là một phần; không nhận dicom+json, dicom+xml, nén',
        'Send multipart/related; type="application/dicom" with each DICOM file as a part; no dicom+json, dicom+xml, '
        "compression",
    ),
    503: ("Lúc này chưa lưu được; hãy gửi lại sau", "Nothing can be stored now; send it again later"),
}
"""Status → what it means here, in Vietnamese and English."""


@dataclass(frozen=True)
class Settings:
    listen: str
    """Address and port, like `0.0.0.0:8444`; port 0 takes a free one."""
    path: str = "/dicom-web"
    """What stands before `/studies` in the address."""
    clients: Mapping[str, Secret] = field(default_factory=dict)
    """Who may send: a name, and what it shows as `Authorization: Bearer …`, or with the name by `Basic`; needed unless
    `tls = "mtls"` or `listen` is this machine itself."""
    tls: Literal["none", "tls", "mtls"] = "tls"
    """`tls` encrypts, `mtls` also asks senders for a certificate of `client_ca`; `none` switches encryption off."""
    certificate: FileName = NO_FILE
    """PEM file with our certificate and its chain; needed unless `tls = "none"`."""
    private_key: FileName = NO_FILE
    """PEM file with the key of `certificate`, without a password; needed unless `tls = "none"`."""
    client_ca: FileName = NO_FILE
    """PEM file with the authorities whose senders are let in; needed with `tls = "mtls"`."""
    certificates: tuple[str, ...] = ()
    """With `mtls`, common names of the certificates that are let in; empty: all that `client_ca` issued."""
    quiet: timedelta = timedelta(seconds=60)
    """A study to which nothing came for so long counts as complete; what comes later makes a new version."""
    max_size: Size = _MAX_SIZE
    """Largest object; a larger one is refused and put aside."""
    max_parts: int = 10_000
    """Objects of one request; those beyond are not read."""
    max_connections: int = 32
    """Connections at the same time; further ones are closed at once."""
    idle_timeout: timedelta = timedelta(seconds=75)
    """A connection on which nothing is asked for so long is closed."""
    frame_timeout: timedelta = timedelta(seconds=30)
    """A sender that falls silent for so long inside a request, or does not read its answer, is given up."""
    upload_timeout: timedelta = timedelta(hours=2)
    """How long one request may take to come, however steadily."""
    grace: timedelta = timedelta(seconds=30)
    """At shutdown, how long requests that came whole may take to be answered."""

    def __post_init__(self) -> None:
        check_listening(self)
        if not _PATH.fullmatch(self.path):
            raise ValueError('path: write it like "/dicom-web", without / at the end')
        if not self.clients and self.tls != "mtls" and not is_loopback(checked_address(self.listen)[0]):
            raise ValueError('clients: anybody could send — write { pacs = "secret:name" }, or tls = "mtls"')
        for name, token in self.clients.items():
            if not name or ":" in name or not token:
                raise ValueError(
                    'clients: a name without ":" and a token that is not empty — write { pacs = "secret:name" }'
                )
        if self.certificates and self.tls != "mtls":
            raise ValueError('certificates: nobody is asked for one — write tls = "mtls"')
        if self.max_size < 1:
            raise ValueError('max_size: no object would fit — write a size like "4GB"')
        if self.max_parts < 1:
            raise ValueError("max_parts: no object would fit — write at least 1")
        check_serving(self)


class Source:
    """Listen for STOW-RS senders, and hand every object to intake as it arrives."""

    takes_objects = True

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @staticmethod
    def check(settings: Settings) -> None:
        """Read the TLS files; raises `TlsFilesUnusable`. Does not open the address."""
        server_context(settings)

    async def run(self, intake: ObjectIntake, ready: Callable[[str], None]) -> None:
        """Serve until cancelled; then answer requests that came whole, within `grace`, close everything and return.

        Of a request that had not come whole the objects taken so far stay; its sender has no answer and will send it again.
        An object whose commit takes longer than `grace` ends in its thread, unanswered.
        Raises `ListenFailed` and `TlsFilesUnusable`, both before `ready` is called.
        """
        room = _Room(self._settings, intake)
        try:
            await room.run(ready)
        finally:
            room.close()


class _Room(Room):
    kind = "dicomweb"
    told = _TOLD
    methods = ("POST",)
    challenges = (b"Bearer", b'Basic realm="dicomweb"')
    drained = _DRAINED

    def __init__(self, settings: Settings, intake: ObjectIntake) -> None:
        super().__init__(settings)
        self._settings = settings
        self._intake = intake
        self._bounds = Bounds(settings.max_size, settings.max_parts, _MAX_PART_HEADER)
        self._threads = ThreadPoolExecutor(settings.max_connections, "dicomweb")
        self._committing = ThreadPoolExecutor(settings.max_connections, "dicomweb-commit")

    def close(self) -> None:
        """Begin nothing more in a thread; wait for none."""
        self._threads.shutdown(wait=False)
        self._committing.shutdown(wait=False)

    # ---- before the body is read ----

    def refusal(self, connection: Connection, scope: Scope) -> int:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        status = self._stranger(connection, headers)
        if status:
            logger.warning("dicomweb %s: %s", connection.peer, PeerNotAllowed(detail=f"HTTP {status}"))
            return status
        if self._study(scope) is None:
            return 404
        if scope["method"] not in self.methods:
            return 405
        if headers.get(b"content-encoding", b"identity").strip().lower() not in (b"identity", b""):
            return 415
        if b"content-length" not in headers and b"transfer-encoding" not in headers:
            return 411
        try:
            kind, parameters = read_media_type(headers.get(b"content-type", b"").decode("latin-1"))
        except MultipartInvalid:
            return 415
        if kind != "multipart/related" or parameters.get("type", "").lower() != "application/dicom":
            return 415
        return 0

    def _stranger(self, connection: Connection, headers: Mapping[bytes, bytes]) -> int:
        known = self._settings.certificates
        if known and _common_name(connection) not in known:
            return 403
        return 401 if self._settings.clients and self._client(headers) is None else 0

    def _client(self, headers: Mapping[bytes, bytes]) -> str | None:
        """Give the name of the client that shows its token."""
        scheme, _, shown = headers.get(b"authorization", b"").partition(b" ")
        name, token = b"", shown.strip()
        if scheme.lower() == b"basic":
            try:
                name, _, token = b64decode(token, validate=True).partition(b":")
            except NoBase64:
                return None
        elif scheme.lower() != b"bearer":
            return None
        found = None
        for client, secret in self._settings.clients.items():
            if hmac.compare_digest(token, secret.encode()) and name in (b"", client.encode()):
                found = client
        return found

    def _study(self, scope: Scope) -> str | None:
        """Give the study that the address names, "" when it names none; None: there is no such address."""
        path: str = scope["path"]
        begin = self._settings.path + "/studies"
        if path in (begin, begin + "/"):
            return ""
        study = path.removeprefix(begin + "/")
        return study if study != path and _UID.fullmatch(study) else None

    # ---- the body ----

    async def take(self, connection: Connection, scope: Scope, receive: Receive, reply: Reply) -> None:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        _, parameters = read_media_type(headers[b"content-type"].decode("latin-1"))
        client = self._client(headers) or _common_name(connection)
        try:
            request = StowRequest(
                lambda: self._intake.deposit(connection.peer),
                self._committing.submit,
                parameters.get("boundary", ""),
                client,
                self._study(scope) or "",
                self._bounds,
            )
        except MultipartInvalid as fault:
            await reply.problem(400, close=not await self.drain(connection, receive), why=fault.detail)
            return
        over = False
        try:
            ended = await self._read(connection, receive, request)
            over = True
        finally:
            if not over:
                self._threads.submit(request.abandon, ObjectIncomplete())
        if self.stopping and not connection.answering:
            await reply.problem(503, close=True)
            return
        await self._answer(connection, request, wanted_kind(_text(headers, b"accept")), reply, close=not ended)

    async def _read(self, connection: Connection, receive: Receive, request: StowRequest) -> bool:
        """Hand the body to the request as it comes; say whether it was read to its end, wanted or not."""
        loop = asyncio.get_running_loop()
        last = loop.time() + self._settings.upload_timeout.total_seconds()
        silence = self._settings.frame_timeout.total_seconds()
        more = True
        while more:
            try:
                async with asyncio.timeout_at(min(last, loop.time() + silence)):
                    event = await receive()
            except TimeoutError:
                await self._in_thread(request.abandon, ObjectIncomplete(detail="too slow"))
                return False
            if event["type"] != "http.request":
                await self._in_thread(request.abandon, ObjectIncomplete(detail="the sender left"))
                return False
            more = event.get("more_body", False)
            connection.answering = not more
            if not await self._in_thread(request.feed, event.get("body", b"")):
                return not more or await self.drain(connection, receive)
        await self._in_thread(request.end)
        return True

    async def _answer(
        self, connection: Connection, request: StowRequest, kind: str, reply: Reply, *, close: bool
    ) -> None:
        connection.answering = True
        results = request.results
        status = status_of(results)
        refused = [one.fault for one in results if one.fault is not None]
        if refused:
            told = "; ".join(sorted({str(fault) for fault in refused})[:5])
            logger.warning("dicomweb %s: %d of %d refused: %s", connection.peer, len(refused), len(results), told)
        if status in _IN_WORDS:
            await reply.problem(status, close=close or self.stopping, why=refused[-1].detail)
        else:
            body = response(results, kind)
            await reply.write(status, body, kind.encode(), close=close or self.stopping)

    def _in_thread(self, act: Callable[..., T], *values: object) -> asyncio.Future[T]:
        return asyncio.get_running_loop().run_in_executor(self._threads, act, *values)


def _common_name(connection: Connection) -> str:
    """Give whom the sender's certificate names; "" where it shows none."""
    certificate: Mapping[str, tuple[tuple[tuple[str, str], ...], ...]]
    certificate = connection.transport.get_extra_info("peercert") or {}
    names = [value for part in certificate.get("subject", ()) for key, value in part if key == "commonName"]
    return names[-1] if names else ""


def _text(headers: Mapping[bytes, bytes], name: bytes) -> str:
    return headers.get(name, b"").decode("latin-1")
