"""Hundreds of HTTP requests to a few services at once, over one httpx client.

The pool of httpx looks at every connection for every request, and at every pair of them when many are idle: with 200 open
that takes longer than the requests. Here each connection is a pool of its own, and the one that was used last is used first,
so a quiet time leaves few of them warm.

    async with httpx.AsyncClient(transport=ManyRequests(200)) as client: ...

Not here: retries, proxies from the environment.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable

import httpx

_ONE = httpx.Limits(max_connections=1, max_keepalive_connections=1)


class ManyRequests(httpx.AsyncBaseTransport):
    """At most `at_once` requests are open; further ones wait for their turn without a time-out."""

    def __init__(self, at_once: int, *, verify: bool = True) -> None:
        self._verify = httpx.create_ssl_context() if verify else False
        self._turns = asyncio.Semaphore(at_once)
        self._idle: defaultdict[tuple[str, str, int | None], list[httpx.AsyncHTTPTransport]] = defaultdict(list)
        """By scheme, host and port."""
        self._all: list[httpx.AsyncHTTPTransport] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send on a connection that nobody uses now; it is free again when the response is closed."""
        await self._turns.acquire()
        place = (request.url.scheme, request.url.host, request.url.port)
        connection = self._idle[place].pop() if self._idle[place] else self._new()
        try:
            response = await connection.handle_async_request(request)
        except BaseException:
            self._give_back(place, connection)
            raise
        assert isinstance(response.stream, httpx.AsyncByteStream)
        response.stream = _Lent(response.stream, lambda: self._give_back(place, connection))
        return response

    async def aclose(self) -> None:
        """Close every connection."""
        for connection in self._all:
            await connection.aclose()

    def _new(self) -> httpx.AsyncHTTPTransport:
        made = httpx.AsyncHTTPTransport(verify=self._verify, limits=_ONE, trust_env=False)
        self._all.append(made)
        return made

    def _give_back(self, place: tuple[str, str, int | None], connection: httpx.AsyncHTTPTransport) -> None:
        self._idle[place].append(connection)
        self._turns.release()


class _Lent(httpx.AsyncByteStream):
    """A response's body; its end gives the connection back."""

    def __init__(self, inner: httpx.AsyncByteStream, give_back: Callable[[], None]) -> None:
        self._inner = inner
        self._give_back: Callable[[], None] | None = give_back

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._inner:
            yield part

    async def aclose(self) -> None:
        try:
            await self._inner.aclose()
        finally:
            give_back, self._give_back = self._give_back, None
            if give_back is not None:
                give_back()
