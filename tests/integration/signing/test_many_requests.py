"""Many questions open at once over one client."""

from __future__ import annotations

import asyncio
import gzip
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives import serialization

from conformance.sandbox.ca import DemoCA
from signing.many_requests import ManyRequests

OK = b"HTTP/1.1 200 OK\r\n"
Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def _question(reader: asyncio.StreamReader) -> bool:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"POST / HTTP/1.1\r\nHost: ")
        await reader.readexactly(int(head.rpartition(b"Content-Length: ")[2]))
    except asyncio.IncompleteReadError:
        return False
    return True


async def told(client: ManyRequests, url: str) -> str:
    status, body = await client.post(url, {"Accept": "text/plain"}, b"", 30)
    assert status == 200
    return body.decode()


def _run(answer: Answer, ask: Callable[[str, ManyRequests], Awaitable[None]], at_once: int) -> None:
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
            async with ManyRequests(at_once, verify=False) as client:
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

    async def ask(url: str, client: ManyRequests) -> None:
        answers = await asyncio.gather(*(told(client, url) for _ in range(at_once * 2)))
        assert answers == ["ok"] * at_once * 2

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

    async def ask(url: str, client: ManyRequests) -> None:
        with pytest.raises(httpx.RemoteProtocolError):
            await told(client, url)
        for _ in range(5):
            assert await told(client, url) == "ok"

    _run(answer, ask, 1)
    assert connections == 2


def test_a_connection_that_was_idle_for_long_is_not_used_again() -> None:
    connections = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while await _question(reader):
            writer.write(OK + b"Content-Length: 2\r\n\r\nok")

    async def ask(url: str, client: ManyRequests) -> None:
        for idle_s in (4.0, 4.0, 0.0):
            client._idle_s = idle_s
            assert await told(client, url) == "ok"

    _run(answer, ask, 1)
    assert connections == 2


def test_two_services_in_turns_keep_their_connections() -> None:
    connections = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while await _question(reader):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    async def ask(url: str, client: ManyRequests) -> None:
        other = url.replace("127.0.0.1", "localhost")
        for _ in range(3):
            assert [await told(client, each) for each in (url, other)] == ["ok", "ok"]

    _run(answer, ask, 1)
    assert connections == 2


@pytest.mark.parametrize(
    ("said", "text"),
    [
        (OK + b"Content-Length: 0\r\n\r\n", ""),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n", "abc"),
        (OK + b"\r\nuntil the end", "until the end"),
        (b"HTTP/1.1 100 Continue\r\nX: 1\r\n\r\n" + OK + b"Content-Length: 2\r\n\r\nok", "ok"),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", "ok"),
        (OK + b"Connection: close\r\nContent-Length: 2\r\n\r\nok", "ok"),
        (OK + b"Content-Encoding: gzip\r\nConnection: close\r\n\r\n" + gzip.compress(b"packed", mtime=0), "packed"),
        (OK + b"Content-Length: 2\r\n\r\nokand more than was asked for", "ok"),
        (OK + b"Content-Length: 2\r\n\r\nok" + OK + b"Content-Length: 2\r\n\r\nno", "ok"),
        (OK + b"Content-Length: 2\r\n\r\nok" + OK + b"Content-Length: 2\r\n\r\nn", "ok"),
    ],
)
@pytest.mark.parametrize("pieces", [1, 7])
def test_every_way_to_write_an_answer(said: bytes, text: str, pieces: int) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await _question(reader):
            for start in range(0, len(said), pieces if pieces > 1 else len(said)):
                writer.write(said[start : start + (pieces if pieces > 1 else len(said))])
                await writer.drain()
            if b"Length" not in said and b"chunked" not in said:
                return

    async def ask(url: str, client: ManyRequests) -> None:
        for _ in range(3):
            assert await client.post(url, {}, b"question", 30) == (200, text.encode())

    _run(answer, ask, 1)


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        (b"", httpx.RemoteProtocolError),
        (b"no HTTP at all\r\n\r\n", httpx.RemoteProtocolError),
        (b"HTTP/1.1 100 Continue\r\n\r\n", httpx.RemoteProtocolError),
        (OK, httpx.RemoteProtocolError),
        (OK + b"Content-Length: 5\r\n\r\nok", httpx.ReadError),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nok", httpx.ReadError),
        (OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", httpx.RemoteProtocolError),
        (OK + b"Content-Length: 2000000\r\n\r\n" + bytes(2_000_000), httpx.ReadError),
        (OK + b"\r\n" + bytes(2_000_000), httpx.ReadError),
    ],
)
def test_an_answer_that_is_none_is_a_fault_of_httpx(said: bytes, fault: type[Exception]) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _question(reader)
        writer.write(said)
        try:
            await writer.drain()
        except ConnectionError:
            pass  # it was enough

    async def ask(url: str, client: ManyRequests) -> None:
        for _ in range(2):
            with pytest.raises(httpx.TransportError) as caught:
                await told(client, url)
            assert type(caught.value) is fault

    _run(answer, ask, 1)


def test_who_says_nothing_or_a_little_at_a_time_is_given_up() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _question(reader)
        writer.write(OK + b"Content-Length: 5\r\n\r\nok")
        await reader.read()  # until the other side has had enough

    async def ask(url: str, client: ManyRequests) -> None:
        with pytest.raises(httpx.ReadTimeout):
            await client.post(url, {}, b"question", 0.2)

    _run(answer, ask, 1)


def test_nobody_there() -> None:
    async def run() -> None:
        server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        server.close()
        await server.wait_closed()
        async with ManyRequests(1, verify=False) as client:
            for _ in range(2):
                with pytest.raises(httpx.ConnectError):
                    await told(client, f"http://127.0.0.1:{port}/")
            with pytest.raises(httpx.UnsupportedProtocol):
                await told(client, "ftp://127.0.0.1/")

    asyncio.run(run())


def test_a_connection_that_was_closed_while_idle_is_not_used_again() -> None:
    closed = asyncio.Event()
    connections = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await _question(reader)
        writer.write(OK + b"Content-Length: 2\r\n\r\nok")
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        closed.set()

    async def ask(url: str, client: ManyRequests) -> None:
        for _ in range(3):
            closed.clear()
            assert await told(client, url) == "ok"
            await closed.wait()
            async with asyncio.timeout(10):
                for idle in client._idle.values():
                    await asyncio.gather(*(one.gone for one in idle))

    _run(answer, ask, 1)
    assert connections == 3


def test_a_certificate_that_nobody_trusts_is_refused(tmp_path: Path) -> None:
    made = DemoCA(tmp_path / "ca").issue_server(("127.0.0.1",))
    plain = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (tmp_path / "own.pem").write_bytes(made.pem + made.key.private_bytes(serialization.Encoding.PEM, *plain))
    own = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    own.load_cert_chain(tmp_path / "own.pem")

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _question(reader)
        writer.write(OK + b"Connection: close\r\nContent-Length: 2\r\n\r\nok")
        writer.close()

    async def run() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=own)
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        async with server, ManyRequests(1) as client:
            with pytest.raises(httpx.ConnectError, match="SSLCertVerificationError"):
                await told(client, url)
            async with ManyRequests(1, verify=False) as careless:
                assert await told(careless, url) == "ok"

    asyncio.run(run())
