"""A scripted HTTP server made of nothing but a socket: it can stop at any byte."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Reply:
    """What goes on the wire, and what happens to the connection after it."""

    raw: bytes = b""
    then: str = "keep"
    """`keep`, `close`, `reset` or `hang`."""
    read_body: bool = True
    """Whether the request's body is read first."""


def http(status: int, content: object = b"", **headers: str) -> Reply:
    body = content if isinstance(content, bytes) else json.dumps(content, ensure_ascii=False).encode()
    lines = [f"HTTP/1.1 {status} Reason", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return Reply("\r\n".join(lines).encode() + b"\r\n\r\n" + body)


SILENCE = Reply(then="hang")
CLOSE = Reply(then="close")
RESET = Reply(then="reset")
RESET_EARLY = Reply(then="reset", read_body=False)
HALF_HEAD = Reply(b"HTTP/1.1 200 OK\r\nContent-Le", then="close")
HALF_BODY = Reply(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{", then="close")
HALF_BODY_HANG = Reply(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{", then="hang")
NOT_HTTP = Reply(b"SSH-2.0-OpenSSH_9.2\r\n", then="close")
ENDLESS = Reply(b"HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n" + b" " * 9_000_000, then="close")
GARBAGE = http(200, b"<html>Bao tri he thong</html>")
BAD_GZIP = http(200, b"not gzip", Content_Encoding="gzip")
STRANGE_ENCODING = http(200, b"{}", Content_Encoding="br")


@dataclass
class ScriptedPeer:
    """Answers each request with `answer(request)`; keeps them all."""

    answer: Callable[[Request], Reply]
    port: int = 0
    requests: list[Request] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    tls: bool = False

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}" if self.tls else f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, path, _ = head[0].split(" ")
        headers = {name.lower(): text.strip() for name, _, text in (line.partition(":") for line in head[1:] if line)}
        request = Request(method, path, headers, b"")
        reply = self.answer(request)
        if reply.read_body:
            request = Request(method, path, headers, await reader.readexactly(int(headers.get("content-length", 0))))
        self.requests.append(request)
        self.arrived.set()
        writer.write(reply.raw)
        await writer.drain()
        if reply.then == "hang":
            await reader.read()
        if reply.then == "reset":
            at_once = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
            writer.transport.abort()
        return reply.then == "keep"


@asynccontextmanager
async def scripted_peer(
    answer: Callable[[Request], Reply], context: ssl.SSLContext | None = None
) -> AsyncIterator[ScriptedPeer]:
    peer = ScriptedPeer(answer, tls=context is not None)
    server = await asyncio.start_server(peer.serve, "127.0.0.1", 0, ssl=context)
    peer.port = server.sockets[0].getsockname()[1]
    async with server:
        yield peer
