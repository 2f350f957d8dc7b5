"""Hundreds of HTTP requests to a few services at once.

The pool of httpx looks at every connection for every request, and each of its layers costs as much as the answer: with 200 open
that takes longer than the requests. Here a connection is one asyncio protocol with the parser of httptools; the one that was
used last is used first, so a quiet time leaves few of them warm. Faults are those of httpx.

    async with ManyRequests(200) as http:
        status, body = await http.post(url, headers, question, timeout_s)

For short questions and answers: an answer is 1 MB at most. Not here: retries, redirects, HTTP/2, proxies.

Standard: RFC 9112
"""

from __future__ import annotations

import asyncio
import ssl
from collections import defaultdict
from collections.abc import Mapping
from functools import lru_cache
from typing import Self, cast

import httptools
import httpx

_MAXIMUM = 1024**2
_Place = tuple[str, str, int]


class ManyRequests:
    """At most `at_once` requests are open; further ones wait for their turn without a time-out.

    A connection that nobody used for `idle_s` is not used again: the other side may be about to close it.
    """

    def __init__(self, at_once: int, *, verify: bool = True, idle_s: float = 4.0) -> None:
        self._context = httpx.create_ssl_context() if verify else httpx.create_ssl_context(verify=False)
        self._idle_s = idle_s
        self._turns = asyncio.Semaphore(at_once)
        self._idle: defaultdict[_Place, list[_Connection]] = defaultdict(list)

    async def post(self, url: str, headers: Mapping[str, str], body: bytes, timeout_s: float) -> tuple[int, bytes]:
        """Return status and body of the answer, which has to begin and end within `timeout_s` each.

        Raises ConnectError, ConnectTimeout, ReadTimeout, ReadError, RemoteProtocolError, UnsupportedProtocol.
        """
        place, target = _place(url)
        more = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        data = f"POST {target}{more}Content-Length: {len(body)}\r\n\r\n".encode("ascii") + body
        async with self._turns:
            connection = self._warm(place) or await self._open(place, timeout_s)
            try:
                async with asyncio.timeout(timeout_s):
                    return await connection.ask(data)
            except TimeoutError as problem:
                raise httpx.ReadTimeout("no whole answer in time") from problem
            finally:
                if connection.reusable:
                    self._idle[place].append(connection)
                else:
                    connection.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close every connection."""
        for connections in self._idle.values():
            for connection in connections:
                connection.close()
            await asyncio.gather(*(connection.gone for connection in connections))
        self._idle.clear()

    def _warm(self, place: _Place) -> _Connection | None:
        idle = self._idle[place]
        while idle:
            connection = idle.pop()
            if connection.reusable and connection.used_at + self._idle_s > asyncio.get_running_loop().time():
                return connection
            connection.close()
        return None

    async def _open(self, place: _Place, patience: float) -> _Connection:
        scheme, host, port = place
        context = self._context if scheme == "https" else None
        try:
            async with asyncio.timeout(patience):
                loop = asyncio.get_running_loop()
                _, connection = await loop.create_connection(_Connection, host, port, ssl=context)
        except TimeoutError as problem:
            raise httpx.ConnectTimeout("no connection in time") from problem
        except (OSError, ssl.CertificateError) as problem:
            raise httpx.ConnectError(type(problem).__name__) from problem
        return connection


@lru_cache(maxsize=32)
def _place(address: str) -> tuple[_Place, str]:
    """Return where an address leads, and the first lines of a request to it, without its method."""
    url, ports = httpx.URL(address), {"http": 80, "https": 443}
    if url.scheme not in ports:
        raise httpx.UnsupportedProtocol("http and https only")
    place = url.scheme, url.host, url.port or ports[url.scheme]
    return place, f"{url.raw_path.decode()} HTTP/1.1\r\nHost: {url.netloc.decode()}\r\n"


class _Connection(asyncio.Protocol):
    """One connection and the answer that is being read from it; httptools calls `on_…`."""

    def __init__(self) -> None:
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None
        self._ends_with_connection = False
        self.reusable = False
        """Whether the last answer ended as it should and the other side has said nothing since."""
        self.used_at = 0.0
        """When it ended, by the clock of the loop."""

    async def ask(self, data: bytes) -> tuple[int, bytes]:
        """Send a request and return the answer to it."""
        assert self._transport is not None
        if self._transport.is_closing():
            raise httpx.RemoteProtocolError("closed before the question")
        self._parser = httptools.HttpResponseParser(self)
        self._headers: list[tuple[bytes, bytes]] = []
        self._body = bytearray()
        self._heads = self._done = self.reusable = self._ends_with_connection = False
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(data)
        return await self._answer

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    # ---- asyncio ----

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self._answer is None or self._answer.done():
            self.reusable = False
            self.close()
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as problem:
            self._fail(httpx.RemoteProtocolError(type(problem).__name__))

    def connection_lost(self, problem: Exception | None) -> None:
        self.reusable = False
        if self._answer is not None and not self._answer.done():
            if self._heads and self._ends_with_connection and problem is None:
                self._give()
            elif self._heads:
                self._fail(httpx.ReadError("closed in the middle of the answer"))
            else:
                self._fail(httpx.RemoteProtocolError("closed without an answer"))
        if not self.gone.done():
            self.gone.set_result(None)

    # ---- httptools ----

    def on_message_begin(self) -> None:
        if self._done:  # an answer that nobody asked for: what belongs to which question is not known any more
            self.reusable = False
            self.close()

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        self._heads = self._parser.get_status_code() >= 200
        named = {name.lower() for name, _ in self._headers}
        self._ends_with_connection = not named & {b"content-length", b"transfer-encoding"}

    def on_body(self, data: bytes) -> None:
        self._body += data
        if len(self._body) > _MAXIMUM:
            self._fail(httpx.ReadError("too long"))

    def on_message_complete(self) -> None:
        if not self._heads:  # 1xx: the answer comes after it
            self._headers.clear()
            return
        self.reusable = not self._done and self._parser.should_keep_alive()
        self._done = True
        self.used_at = asyncio.get_running_loop().time()
        self._give()

    def _give(self) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result((self._parser.get_status_code(), self._decoded()))

    def _decoded(self) -> bytes:
        """Return the body; nobody asked for a coding, but some answer in one."""
        if not any(name.lower() == b"content-encoding" for name, _ in self._headers):
            return bytes(self._body)
        return httpx.Response(200, headers=self._headers, content=bytes(self._body)).content

    def _fail(self, problem: httpx.TransportError) -> None:
        self.reusable = False
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(problem)
        self.close()
