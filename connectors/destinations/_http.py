"""One HTTP exchange, told apart by what is known about it: nothing left, something left, an answer came.

Nothing is called `Unreachable` once a byte of the request may have left: that takes two proofs, the kind of error and the
client's own trace, which shows whether it began to write. What is not proven is `Uncertain`. No redirect is followed, no
proxy of the environment is used, and no address but the configured one is called.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import ssl
import zlib
from collections.abc import AsyncIterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import httpx

from connectors.faults import (
    InterfaceClosed,
    Refused,
    ServerTrouble,
    Throttled,
    TrustFileUnusable,
    Uncertain,
    Unreachable,
)

MAX_ANSWER = 1024 * 1024
"""Largest answer read, in bytes after decompression."""

_NOTHING_LEFT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)
_KEEPALIVE_S = 3.0
_PLAIN_CODE = re.compile(r"[A-Za-z0-9_.-]{1,40}")
_LONGEST_RETRY_AFTER = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that came whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json_object(self) -> dict[str, Any]:
        """Give the body as a JSON object; an empty one when it is anything else."""
        try:
            content = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return content if isinstance(content, dict) else {}


class HttpPeer:
    """Call one host; hold its connections for the life of a destination."""

    def __init__(
        self,
        where: str,
        url: str,
        *,
        ca: str,
        connect_timeout: timedelta,
        answer_timeout: timedelta,
        keep_connections: bool = True,
        leave_by: str = "",
    ) -> None:
        """`keep_connections` uses an idle connection for the next request within three seconds.

        Such a request can meet a server that is just closing, which looks like a lost answer: a destination that cannot be
        asked whether a document arrived does without. `leave_by` is the local address that connections leave from.
        """
        self.where = where
        """Name of the destination: what faults carry as their position."""
        self._answer_timeout = answer_timeout.total_seconds()
        connect = connect_timeout.total_seconds()
        self._deadline = 2 * connect + 2 * self._answer_timeout
        self._base = url.rstrip("/")
        transport = httpx.AsyncHTTPTransport(
            verify=_trust(where, ca),
            limits=httpx.Limits(
                max_connections=None,
                max_keepalive_connections=None if keep_connections else 0,
                keepalive_expiry=_KEEPALIVE_S,
            ),
            trust_env=False,
            local_address=leave_by or None,
        )
        self._client = httpx.AsyncClient(
            transport=transport,
            timeout=httpx.Timeout(self._answer_timeout, connect=connect, pool=connect),
            headers={
                "Accept-Encoding": "gzip",
                "Connection": "keep-alive" if keep_connections else "close",
                "User-Agent": "lienthong",
            },
            follow_redirects=False,
            trust_env=False,
        )

    async def exchange(
        self,
        method: str,
        path: str,
        *,
        content: bytes | AsyncIterable[bytes] = b"",
        headers: Mapping[str, str] | None = None,
        carries_document: bool = True,
        most: int = MAX_ANSWER,
    ) -> Reply:
        """Send one request and give the answer, whatever its status; `most` is the largest answer read, in bytes.

        What is sent in pieces may take as long as the peer goes on reading them.

        Raises `Unreachable` when nothing was sent and `Uncertain` when the document may have been. A request that carries
        no document (log-in, question) is `Unreachable` whenever its answer is lost.
        """
        left = False

        async def trace(event: str, _: Mapping[str, Any]) -> None:
            nonlocal left
            left = left or event.endswith(".send_request_headers.started")

        fault: type[Uncertain | Unreachable] = Uncertain if carries_document else Unreachable
        try:
            async with asyncio.timeout(self._deadline if isinstance(content, bytes) else None):
                request = self._client.build_request(
                    method, self._base + path, content=content, headers=headers, extensions={"trace": trace}
                )
                response = await self._client.send(request, stream=True)
                try:
                    body = await self._read(response, most)
                finally:
                    await response.aclose()
        except _NOTHING_LEFT as exc:
            raise (fault if left else Unreachable)(self.where, type(exc).__name__) from exc
        except _UnreadableError as exc:
            raise fault(self.where, str(exc)) from exc
        except Exception as exc:
            # Whatever it is, it must not pass for proof that nothing was sent.
            raise fault(self.where, type(exc).__name__) from exc
        return Reply(response.status_code, {name.lower(): text for name, text in response.headers.items()}, body)

    async def close(self) -> None:
        await self._client.aclose()

    async def _read(self, response: httpx.Response, most: int) -> bytes:
        encoding = response.headers.get("content-encoding", "identity").strip().lower()
        if encoding not in ("identity", "", "gzip"):
            raise _UnreadableError(f"answer in content-encoding {encoding[:20]}")
        unzip = zlib.decompressobj(wbits=31) if encoding == "gzip" else None
        body = bytearray()
        async for piece in response.aiter_raw():
            body += unzip.decompress(piece, most + 1) if unzip else piece
            if len(body) > most:
                raise _UnreadableError(f"answer longer than {most} bytes")
        if unzip and not unzip.eof:
            raise _UnreadableError("compressed answer cut off")
        return bytes(body)


class _UnreadableError(Exception):
    pass


class _WithoutQuery(logging.Filter):
    """Take out of the HTTP library's own log what stands behind `?`: some interfaces want their secrets there."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(
                one.copy_with(query=None) if isinstance(one, httpx.URL) and one.query else one for one in record.args
            )
        return True


logging.getLogger("httpx").addFilter(_WithoutQuery())


def _trust(where: str, ca: str) -> ssl.SSLContext | bool:
    if not ca:
        return True
    try:
        return ssl.create_default_context(cafile=ca)
    except OSError as exc:
        raise TrustFileUnusable(where, type(exc).__name__) from exc


def refuse_by_status(where: str, reply: Reply, code: str = "") -> None:
    """Raise what an HTTP status alone says, whatever the body; return for 2xx, 401 and the statuses that prove nothing.

    `code` is the destination's own, already `plain_code`. 401 is the caller's: it logs in again first.
    """
    status = reply.status
    detail = f"HTTP {status} {code}".strip()
    if status in (429, 503):
        raise Throttled(where, detail, retry_after(reply.headers))
    if 300 <= status < 400:
        raise Refused(where, f"{detail} redirect, not followed")
    if status in (404, 405, 410):
        raise InterfaceClosed(where, detail)
    if 400 <= status < 500 and status not in (401, 408, 425):
        raise Refused(where, detail)


def plain_code(value: object) -> str:
    """Give a code of the other side as text that may be shown and stored; empty when it is anything but a code."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    text = str(value).strip()
    return text if _PLAIN_CODE.fullmatch(text) else ""


def login_trouble(where: str, reply: Reply) -> ServerTrouble | Throttled | InterfaceClosed:
    """Give the fault for a log-in that was neither granted nor clearly refused: nothing of a document was sent."""
    detail = f"log-in: HTTP {reply.status}"
    if reply.status in (429, 503):
        return Throttled(where, detail, retry_after(reply.headers))
    if 300 <= reply.status < 400 or reply.status in (404, 405, 410):
        return InterfaceClosed(where, detail)
    return ServerTrouble(where, detail)


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> timedelta | None:
    """Read Retry-After, seconds or an HTTP date; None when it is absent or unreadable. At most seven days.

    Standard: RFC 9110 §10.2.3
    """
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        wait = timedelta(seconds=min(int(text[:9]), int(_LONGEST_RETRY_AFTER.total_seconds())))
    else:
        try:
            wait = parsedate_to_datetime(text).astimezone(UTC) - (now or datetime.now(UTC))
        except (ValueError, TypeError, OverflowError):
            return None
    return min(max(wait, timedelta(0)), _LONGEST_RETRY_AFTER)


def check_http_settings(url: str, connect_timeout: timedelta, answer_timeout: timedelta) -> None:
    """Raise `ValueError`, worded for `lienthong check`, when these cannot be used."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 443) > 0
    except ValueError:
        usable = False
    if not usable or not url.isascii():
        raise ValueError("url: not a web address — write one like https://host.example:8443")
    if parts.query or parts.fragment or parts.username or parts.password:
        raise ValueError("url: account, ? and # have no place in it — write only scheme, host, port and path")
    for name, value in (("connect_timeout", connect_timeout), ("answer_timeout", answer_timeout)):
        if value <= timedelta(0):
            raise ValueError(f'{name}: nothing would be waited for — write a duration like "30s"')
