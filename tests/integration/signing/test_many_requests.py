"""Many questions open at once over one client."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import httpx
import pytest

from signing.many_requests import ManyRequests

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def _question(reader: asyncio.StreamReader) -> bool:
    try:
        await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return False
    return True


def _run(answer: Answer, ask: Callable[[str, httpx.AsyncClient], Awaitable[None]], at_once: int) -> None:
    async def run() -> None:
        gone: list[asyncio.Future[None]] = []

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            gone.append(done := asyncio.get_running_loop().create_future())
            await answer(reader, writer)
            writer.close()
            await writer.wait_closed()
            done.set_result(None)

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with server:
            async with httpx.AsyncClient(transport=ManyRequests(at_once, verify=False), timeout=30) as client:
                await ask(f"http://127.0.0.1:{port}/", client)
            await asyncio.gather(*gone)

    asyncio.run(run())


@pytest.mark.parametrize("at_once", [60, 3])  # 60 fit into the queue of new connections of every machine
def test_as_many_are_open_as_allowed_and_no_more(at_once: int) -> None:
    open_now = 0
    everybody = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal open_now
        while await _question(reader):
            open_now += 1
            assert open_now <= at_once
            if open_now == at_once:
                everybody.set()
            await everybody.wait()  # nobody is answered before all are there
            open_now -= 1
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    async def ask(url: str, client: httpx.AsyncClient) -> None:
        answers = await asyncio.gather(*(client.get(url) for _ in range(at_once * 2)))
        assert [one.text for one in answers] == ["ok"] * at_once * 2

    _run(answer, ask, at_once)
    assert everybody.is_set()


def test_connections_are_used_again_and_a_broken_one_harms_nobody_else() -> None:
    connections = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        first = connections == 1
        while await _question(reader):
            if first:
                break
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    async def ask(url: str, client: httpx.AsyncClient) -> None:
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get(url)
        for _ in range(5):
            assert (await client.get(url)).text == "ok"

    _run(answer, ask, 1)
    assert connections == 2


def test_two_services_in_turns_keep_their_connections() -> None:
    connections = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while await _question(reader):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    async def ask(url: str, client: httpx.AsyncClient) -> None:
        other = url.replace("127.0.0.1", "localhost")
        for _ in range(3):
            assert [(await client.get(each)).text for each in (url, other)] == ["ok", "ok"]

    _run(answer, ask, 1)
    assert connections == 2
