"""Hundreds of HTTP requests to one service at once, over one httpx client.

The pool of httpx looks at every connection for every request, and at every pair of them when many are idle: with 200 open
that takes longer than the requests. Here each connection is a pool of its own, and the one that was used last is used first,
so a quiet time leaves few of them warm.

    async with httpx.AsyncClient(transport=ManyRequests(200)) as client: ...

Not here: several services (each gets a client of its own), retries, proxies from the environment.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx

_ONE = httpx.Limits(max_connections=1, max_keepalive_connections=1)


class ManyRequests(httpx.AsyncBaseTransport):
    """At most `at_once` requests are open; further ones wait for their turn without a time-out."""

    def __init__(self, at_once: int, *, verify: bool = True) -> None:
        self._verify = httpx.create_ssl_context() if verify else False
        self._turns = asyncio.Semaphore(at_once)
        self._idle: list[httpx.AsyncHTTPTransport] = []
        self._all: list[httpx.AsyncHTTPTransport] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send on a connection that nobody uses now; it is free again when the response is closed."""
        await self._turns.acquire()
        connection = self._idle.pop() if self._idle else self._new()
        try:
            response = await connection.handle_async_request(request)
        except BaseException:
            self._give_back(connection)
            raise
        assert isinstance(response.stream, httpx.AsyncByteStream)
        response.stream = _Lent(response.stream, self, connection)
        return response

    async def aclose(self) -> None:
        """Close every connection."""
        for connection in self._all:
            await connection.aclose()

    def _new(self) -> httpx.AsyncHTTPTransport:
        made = httpx.AsyncHTTPTransport(verify=self._verify, limits=_ONE, trust_env=False)
        self._all.append(made)
        return made

    def _give_back(self, connection: httpx.AsyncHTTPTransport) -> None:
        self._idle.append(connection)
        self._turns.release()


class _Lent(httpx.AsyncByteStream):
    """A response's body; its end gives the connection back."""

    def __init__(self, inner: httpx.AsyncByteStream, owner: ManyRequests, connection: httpx.AsyncHTTPTransport) -> None:
        self._inner = inner
        self._owner: ManyRequests | None = owner
        self._connection = connection

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._inner:
            yield part

    async def aclose(self) -> None:
        try:
            await self._inner.aclose()
        finally:
            owner, self._owner = self._owner, None
            if owner is not None:
                owner._give_back(self._connection)
