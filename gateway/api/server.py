"""Serve an application on an address until cancelled, with TLS if it is given; signals stay the node's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from mappings.formats.values import parse_address

_GRACE_S = 5
"""How long requests under way may take to end when the node does."""


ABORT = "lienthong.abort"
"""Where a scope holds what ends its connection at once."""


async def serve(app: Any, address: str, ready: Callable[[str], None], **options: Any) -> None:
    """Serve; call `ready(address)` once it listens. `options` are uvicorn's."""
    host, port = parse_address(address)
    config = uvicorn.Config(
        app,
        host,
        port,
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=_GRACE_S,
        **options,
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve())
    try:
        while not server.started:
            if serving.done():
                await serving
                return
            await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        ready(f"{host}:{port}")
        await asyncio.shield(serving)  # so that being cancelled lets it end what is under way
    finally:
        server.should_exit = True
        await asyncio.shield(serving)


class _Server(uvicorn.Server):
    """A server that leaves signals to the node."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Protocol(H11Protocol):
    """HTTP/1.1 whose requests can end their connection, whatever still waits to be sent on it (`ABORT`)."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        app = self.app

        async def abortable(scope: Any, receive: Any, send: Any) -> None:
            scope[ABORT] = transport.abort
            await app(scope, receive, send)

        self.app = abortable
