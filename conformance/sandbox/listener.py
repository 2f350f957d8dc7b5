"""Serve one application on one port that can really be closed and opened again while the process runs."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import Callable
from typing import Any

from uvicorn import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from conformance.sandbox.wire import Scope

BACKLOG = 512
LONGEST_ABORT_S = 2.0
RESET_ON_CLOSE = struct.pack("ii", 1, 0)
"""SO_LINGER with zero seconds: closing sends RST."""


class Listener:
    """uvicorn's HTTP protocol behind a socket of our own.

    The port stays reserved while it is closed: a second socket is bound to it and never listens, so that nobody
    else gets it and the peer is refused.
    """

    def __init__(self, app: Any, host: str, port: int, tls: ssl.SSLContext | None = None) -> None:
        self._config = Config(app, lifespan="off", ws="none", log_config=None, access_log=False, proxy_headers=False)
        self._state = ServerState()
        self._tls = tls
        self._host = host
        self._server: asyncio.Server | None = None
        self._lock = asyncio.Lock()
        self._idle = asyncio.Event()
        self._holder = _reserve(host, port)
        self.port: int = self._holder.getsockname()[1]

    @property
    def url(self) -> str:
        """Where to reach it, without a path."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}"

    async def open(self) -> None:
        """Listen; nothing happens when it does already."""
        async with self._lock:
            if self._server is not None:
                return
            if not self._config.loaded:
                self._config.load()
            loop = asyncio.get_running_loop()
            sock = _bound(self._host, self.port)
            self._server = await loop.create_server(self._protocol, sock=sock, ssl=self._tls, backlog=BACKLOG)

    async def close(self) -> None:
        """Refuse new connections and reset those that stand."""
        async with self._lock:
            if self._server is None:
                return
            self._server.close()
            for connection in list(self._state.connections):
                if isinstance(connection, _Connection):
                    connection.abort(reset=True)
            await self._until_idle()
            await self._server.wait_closed()
            self._server = None

    async def stop(self, grace_s: float = 2.0) -> None:
        """Stop for good: finish answers under way for at most `grace_s`, then release the port."""
        if self._server is not None:
            self._server.close()
        for connection in list(self._state.connections):
            connection.shutdown()
        tasks = set(self._state.tasks)
        if tasks:
            await asyncio.wait(tasks, timeout=grace_s)
        for task in self._state.tasks:
            task.cancel()
        await self.close()
        self._holder.close()

    async def _until_idle(self) -> None:
        if self._state.connections:
            self._idle.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._idle.wait(), LONGEST_ABORT_S)
        await asyncio.sleep(0)  # a socket closes one turn after its protocol was told

    def _lost(self) -> None:
        if not self._state.connections:
            self._idle.set()

    def drop(self, scope: Scope, reset: bool) -> None:
        """End the connection a request came on without an answer."""
        for connection in list(self._state.connections):
            if isinstance(connection, _Connection) and connection.scope is scope:
                connection.abort(reset=reset)

    def _protocol(self) -> asyncio.Protocol:
        return _Connection(self._config, self._state, self._lost)


class _Connection(HttpToolsProtocol):
    """Remember the socket: a TLS transport forgets it when it starts to close."""

    def __init__(self, config: Config, state: ServerState, lost: Callable[[], None]) -> None:
        super().__init__(config=config, server_state=state, app_state={})
        self._lost = lost

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        self._socket = transport.get_extra_info("socket")
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._lost()

    def abort(self, *, reset: bool) -> None:
        if reset:
            with contextlib.suppress(OSError):
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        self.transport.abort()


def _reserve(host: str, port: int) -> socket.socket:
    """Bind without sharing first, so that a port somebody listens on is refused; then hold it in the sharing way."""
    with _socket(host) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))
        port = probe.getsockname()[1]
    return _bound(host, port)


def _bound(host: str, port: int) -> socket.socket:
    sock = _socket(host)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind((host, port))
    except OSError:
        sock.close()
        raise
    sock.setblocking(False)
    return sock


def _socket(host: str) -> socket.socket:
    return socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
