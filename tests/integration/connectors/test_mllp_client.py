"""The MLLP client against peers made of nothing but a socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from connectors.faults import Uncertain, Unreachable
from connectors.mllp_client import MllpClient

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def peer(script: Script) -> AsyncIterator[int]:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await script(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def test_answer_in_pieces_and_two_answers_in_one_packet() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.readuntil(b"\x1c\r") == b"\x0bMSH|1\x1c\r"
        for byte in b"\x0bMSA|AA|1\x1c":
            writer.write(bytes((byte,)))
            await writer.drain()
        writer.write(b"\r\x0bMSA|AA|extra\x1c\r")
        await reader.read()

    async def scene() -> None:
        async with peer(script) as port, MllpClient("127.0.0.1", port) as client:
            assert await client.send(b"MSH|1") == b"MSA|AA|1"
            assert await client.read() == b"MSA|AA|extra"

    asyncio.run(scene())


def test_nobody_there_is_unreachable() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None: ...

    async def scene() -> None:
        async with peer(script) as port:
            pass
        with pytest.raises(Unreachable):
            await MllpClient("127.0.0.1", port).connect()
        with pytest.raises(Unreachable):
            await MllpClient("127.0.0.1", port).send(b"MSH|1")

    asyncio.run(scene())


def test_no_answer_is_uncertain() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async def leaving(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\x1c\r")

    async def babbling(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n\x0b")
        await reader.read()

    async def scene() -> None:
        for script in (silent, leaving, babbling):
            async with (
                peer(script) as port,
                MllpClient("127.0.0.1", port, answer_timeout=timedelta(milliseconds=100)) as client,
            ):
                with pytest.raises(Uncertain):
                    await client.send(b"MSH|1")
                with pytest.raises(Unreachable):
                    await client.send(b"MSH|2")

    asyncio.run(scene())
