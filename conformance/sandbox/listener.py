"""Serve one application on one port that can really be closed and opened again while the process runs."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from email.utils import formatdate
from typing import Any

from uvicorn import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from conformance.sandbox.wire import Scope

BACKLOG = 512
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
            self._state.default_headers = [(b"date", formatdate(usegmt=True).encode()), (b"server", b"sandbox")]
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
                _abort(connection, reset=True)
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

    def drop(self, scope: Scope, reset: bool) -> None:
        """End the connection a request came on without an answer."""
        for connection in list(self._state.connections):
            if isinstance(connection, HttpToolsProtocol) and connection.scope is scope:
                _abort(connection, reset=reset)

    def _protocol(self) -> asyncio.Protocol:
        return HttpToolsProtocol(config=self._config, server_state=self._state, app_state={})


def _abort(connection: Any, *, reset: bool) -> None:
    transport: asyncio.Transport = connection.transport
    if reset:
        sock = transport.get_extra_info("socket")
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    transport.abort()


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
