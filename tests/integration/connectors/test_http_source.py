"""The upload source over real sockets: every status, TLS, senders that are slow, leave, or never stop."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvloop

from connectors.contract import Answer
from connectors.faults import FrameIncomplete, ListenFailed, TlsFilesUnusable, TooLarge
from connectors.sources.http import Settings, Source
from mappings.formats.faults import IntakeFault
from mappings.formats.values import NO_SECRET, FileName, Secret, Size
from tests.contract.certificates import Authority

TOKEN = "a token of a test"


class Desk:
    """Says yes, no to what begins with `bad`, keeps nothing of what begins with `unlucky`."""

    def __init__(self) -> None:
        self.taken: list[tuple[bytes, str, IntakeFault | None]] = []
        self.told: list[Answer] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.changed = asyncio.Condition()
        self.frames: tuple[bytes, ...] = (b"MSH|first\r", b"MSH|second\r")
        self.at_once = 0
        self.most_at_once = 0

    async def receive(self, raw: bytes, peer: str, fault: IntakeFault | None = None) -> Answer:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        async with self.changed:
            self.taken.append((raw, peer, fault))
            number = len(self.taken)
            self.changed.notify_all()
        await self.gate.wait()
        self.at_once -= 1
        if raw.startswith(b"unlucky"):
            return Answer((b"AR",), False, None)
        return Answer(self.frames, fault is None and not raw.startswith(b"bad"), f"id-{number}")

    def answered(self, answer: Answer) -> None:
        self.told.append(answer)

    async def has_taken(self, count: int) -> None:
        async with self.changed:
            await self.changed.wait_for(lambda: len(self.taken) >= count)


@dataclass
class House:
    desk: Desk
    host: str
    port: int
    task: asyncio.Task[None]
    wires: list[Wire] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}/"

    async def connect(self, context: ssl.SSLContext | None = None) -> Wire:
        name = "localhost" if context else None
        self.wires.append(Wire(*await asyncio.open_connection(self.host, self.port, ssl=context, server_hostname=name)))
        return self.wires[-1]

    async def stop(self) -> None:
        self.task.cancel()
        await self.task


@dataclass
class Wire:
    """A client made of nothing but a socket."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        lines = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:-2])}
        return int(lines[0].split()[1]), headers, await self.reader.readexactly(int(headers.get("content-length", 0)))

    async def send_for_ever(self, data: bytes) -> None:
        while True:
            await self.send(data)

    def reset(self) -> None:
        """Vanish so that the other side cannot take it for a half-close."""
        at_once = struct.pack("ii", 1, 0)
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
        self.writer.transport.abort()

    async def leave(self) -> None:
        self.writer.close()
        try:
            await self.writer.wait_closed()
        except OSError:
            self.writer.transport.abort()

    async def at_end(self) -> bool:
        try:
            return await self.reader.read(1) == b""
        except ConnectionError:
            return True


def request(body: bytes, method: str = "POST", path: str = "/", **headers: str) -> bytes:
    named = {"Host": "gateway", "Content_Length": str(len(body)), "Authorization": f"Bearer {TOKEN}", **headers}
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in named.items() if value)
    return f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode() + body


@asynccontextmanager
async def running(**settings: Any) -> AsyncIterator[House]:
    desk = Desk()
    listening: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    source = Source(Settings(**{"listen": "127.0.0.1:0", "tls": "none", "token": Secret(TOKEN), **settings}))
    task = asyncio.create_task(source.run(desk, listening.set_result))
    task.add_done_callback(lambda _: listening.done() or listening.cancel())
    await asyncio.wait({listening})
    if task.done():
        task.result()
    host, _, port = listening.result().rpartition(":")
    house = House(desk, host, int(port), task)
    try:
        yield house
    finally:
        desk.gate.set()
        if not task.done():
            await house.stop()
        for wire in house.wires:
            await wire.leave()


def play(scene: Callable[[], Awaitable[None]], factory: Any = uvloop.new_event_loop) -> None:
    async def limited() -> None:
        async with asyncio.timeout(20):
            await scene()

    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(limited())


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize("factory", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_file_is_taken_and_its_answer_comes_back(method: str, factory: Any) -> None:
    async def scene() -> None:
        async with running() as house, httpx.AsyncClient() as client:
            reply = await client.request(
                method, house.url + "?name=NGUYEN", content=b"<xml/>", headers={"Authorization": f"Bearer {TOKEN}"}
            )
            assert reply.status_code == 200
            assert reply.content == b"MSH|first\rMSH|second\r"
            assert reply.headers["content-type"] == "application/hl7-v2"
            assert reply.headers["lienthong-message"] == "id-1"
            assert "server" not in reply.headers
            ((raw, peer, fault),) = house.desk.taken
            assert (raw, fault) == (b"<xml/>", None)
            assert peer.startswith("127.0.0.1:")
            assert len(house.desk.told) == 1

    play(scene, factory)


@pytest.mark.parametrize(
    ("status", "sent", "with_answer"),
    [
        (200, request(b"good"), True),
        (200, request(b""), True),
        (200, request(b"good", Expect="100-continue").replace(b"good", b""), True),
        (200, request(b"", Content_Length="", Transfer_Encoding="chunked") + b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n", True),
        (200, request(b"good", Content_Type="application/x-www-form-urlencoded"), True),
        (422, request(b"bad"), True),
        (413, request(b"x" * 1001), True),
        (413, request(b"x" * 900_000), True),
        (503, request(b"unlucky"), False),
        (401, request(b"good", Authorization=""), False),
        (401, request(b"good", Authorization="Bearer another"), False),
        (401, request(b"good", Authorization=f"Basic {TOKEN}"), False),
        (404, request(b"good", path="/elsewhere"), False),
        (404, request(b"good", path="/%2e%2e/etc"), False),
        (405, request(b"", "GET"), False),
        (405, request(b"", "DELETE"), False),
        (411, request(b"", Content_Length=""), False),
        (415, request(b"good", Content_Encoding="gzip"), False),
        (415, request(b"good", Content_Type="multipart/form-data; boundary=x"), False),
    ],
)
def test_every_status(status: int, sent: bytes, with_answer: bool) -> None:
    async def scene() -> None:
        async with running(max_size=Size(1000)) as house:
            wire = await house.connect()
            await wire.send(sent)
            if b"100-continue" in sent:
                assert await wire.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
                await wire.send(b"good")
            found, headers, body = await wire.answer()
            assert found == status
            if with_answer:
                assert body == b"MSH|first\rMSH|second\r"
                assert len(house.desk.told) == 1
            else:
                told = json.loads(body)
                assert headers["content-type"] == "application/problem+json"
                assert (told["status"], told["type"]) == (status, "about:blank")
                assert " — " in told["detail"]
                assert house.desk.told == []
            assert bool(house.desk.taken) == (with_answer or status == 503)
            assert ("retry-after" in headers) == (status == 503)
            assert ("www-authenticate" in headers) == (status == 401)
            assert headers.get("allow") == ("POST, PUT" if status == 405 else None)
            await wire.send(request(b"next"))  # the connection goes on
            assert (await wire.answer())[0] == 200

    play(scene)


@pytest.mark.parametrize("frames", [(b"<ack/>",), (b'{"a": 1}',), (b"plain", b"plain")])
def test_the_form_of_an_answer_is_named(frames: tuple[bytes, ...]) -> None:
    forms = {60: "application/xml", 123: "application/json", 112: "application/octet-stream"}

    async def scene() -> None:
        async with running() as house:
            house.desk.frames = frames
            wire = await house.connect()
            await wire.send(request(b"good"))
            _, headers, body = await wire.answer()
            assert body == b"\n".join(frames)
            assert headers["content-type"] == forms[frames[0][0]]

    play(scene)


def test_what_is_too_large_is_kept_in_its_beginning() -> None:
    async def scene() -> None:
        async with running(max_size=Size(100_000)) as house:
            wire = await house.connect()
            await wire.send(request(b"y" * 300_000))
            assert (await wire.answer())[0] == 413
            ((raw, _, fault),) = house.desk.taken
            assert raw == b"y" * 65536
            assert isinstance(fault, TooLarge)

    play(scene)


def test_a_body_without_end_is_cut() -> None:
    async def scene() -> None:
        async with running(max_size=Size(1000)) as house:
            wire = await house.connect()
            await wire.send(request(b"", Content_Length="", Transfer_Encoding="chunked"))
            with pytest.raises(ConnectionError):
                await wire.send_for_ever(b"1000\r\n" + b"x" * 4096 + b"\r\n")
            ((raw, _, fault),) = house.desk.taken
            assert len(raw) == 65536 or len(raw) <= 9000
            assert isinstance(fault, TooLarge)

    play(scene)


def test_a_sender_who_expects_to_be_told_is_refused_before_it_sends() -> None:
    async def scene() -> None:
        async with running() as house:
            wire = await house.connect()
            await wire.send(request(b"", Content_Length="9000000", Expect="100-continue", Authorization="Bearer no"))
            status, headers, _ = await wire.answer()
            assert (status, headers["connection"]) == (401, "close")
            assert await wire.at_end()

    play(scene)


def test_a_refused_sender_who_goes_on_is_cut() -> None:
    async def scene() -> None:
        async with running() as house:
            wire = await house.connect()
            await wire.send(request(b"", Content_Length="900000000", Authorization=""))
            with pytest.raises(ConnectionError):
                await wire.send_for_ever(b"x" * 100_000)
            assert house.desk.taken == []

    play(scene)


def test_requests_in_pieces_and_several_in_one_packet_are_answered_in_order() -> None:
    async def scene() -> None:
        async with running() as house:
            wire = await house.connect()
            for byte in request(b"good"):
                await wire.send(bytes([byte]))
            assert (await wire.answer())[0] == 200
            await wire.send(request(b"one") + request(b"bad") + request(b"three"))
            assert [(await wire.answer())[0] for _ in range(3)] == [200, 422, 200]
            assert [raw for raw, _, _ in house.desk.taken] == [b"good", b"one", b"bad", b"three"]
            assert house.desk.most_at_once == 1

    play(scene)


def test_fifty_senders_side_by_side() -> None:
    async def scene() -> None:
        async with running() as house:
            house.desk.gate.clear()
            wires = [await house.connect() for _ in range(50)]
            for number, wire in enumerate(wires):
                await wire.send(request(str(number).encode()))
            await house.desk.has_taken(50)
            assert house.desk.most_at_once == 50
            house.desk.gate.set()
            assert {(await wire.answer())[0] for wire in wires} == {200}

    play(scene)


def test_connections_beyond_the_limit_are_closed() -> None:
    async def scene() -> None:
        async with running(max_connections=1) as house:
            first = await house.connect()
            await first.send(request(b"one"))
            assert (await first.answer())[0] == 200
            assert await (await house.connect()).at_end()
            first.writer.close()
            while True:  # until the source has seen the first one leave
                second = await house.connect()
                await second.send(request(b"two"))
                try:
                    assert (await second.answer())[0] == 200
                    break
                except (asyncio.IncompleteReadError, ConnectionError):
                    continue

    play(scene)


@pytest.mark.parametrize(
    ("sent", "taken"),
    [(b"", 0), (b"POST / HT", 0), (request(b"", Content_Length="9"), 0), (request(b"ha", Content_Length="9"), 1)],
)
def test_silence_is_not_waited_for(sent: bytes, taken: int) -> None:
    """Before, in and after the head, and in the body."""

    async def scene() -> None:
        quick = timedelta(milliseconds=100)
        async with running(frame_timeout=quick, idle_timeout=quick) as house:
            wire = await house.connect()
            await wire.send(sent)
            if b"\r\n\r\n" in sent:
                status, headers, _ = await wire.answer()
                assert (status, headers["connection"]) == (408, "close")
            assert await wire.at_end()
            assert [(raw, type(fault)) for raw, _, fault in house.desk.taken] == [(b"ha", FrameIncomplete)] * taken

    play(scene)


def test_a_body_that_drips_has_an_end() -> None:
    async def scene() -> None:
        async with running(upload_timeout=timedelta(milliseconds=200)) as house:
            wire = await house.connect()
            await wire.send(request(b"", Content_Length="9000"))
            answer = asyncio.create_task(wire.answer())
            while not answer.done():
                await wire.send(b"x")
                await asyncio.wait({answer}, timeout=0.02)
            assert answer.result()[0] == 408

    play(scene)


def test_a_head_without_end_is_cut() -> None:
    async def scene() -> None:
        async with running() as house:
            wire = await house.connect()
            await wire.send(b"POST / HTTP/1.1\r\n")
            with pytest.raises(ConnectionError):
                await wire.send_for_ever(b"X-Name: " + b"x" * 10_000 + b"\r\n")

    play(scene)


def test_a_sender_that_leaves_in_a_body_or_before_its_answer() -> None:
    async def scene() -> None:
        async with running() as house:
            half = await house.connect()
            await half.send(request(b"half", Content_Length="90"))
            half.writer.close()
            await house.desk.has_taken(1)
            raw, _, fault = house.desk.taken[0]
            assert raw == b"half"
            assert isinstance(fault, FrameIncomplete)
            house.desk.gate.clear()
            gone = await house.connect()
            await gone.send(request(b"whole"))
            await house.desk.has_taken(2)
            gone.reset()
            other = await house.connect()
            await other.send(request(b"other"))
            await house.desk.has_taken(3)
            house.desk.gate.set()
            assert (await other.answer())[0] == 200
            await house.stop()
            assert [answer.message_id for answer in house.desk.told] == ["id-3"]

    play(scene)


def test_a_half_closed_sender_gets_its_answer() -> None:
    async def scene() -> None:
        async with running() as house:
            wire = await house.connect()
            house.desk.gate.clear()
            await wire.send(request(b"good"))
            await house.desk.has_taken(1)
            wire.writer.write_eof()
            done, _ = await asyncio.wait({house.task}, timeout=0.05)
            assert not done
            house.desk.gate.set()
            assert (await wire.answer())[0] == 200
            assert await wire.at_end()

    play(scene)


def test_a_sender_that_does_not_read_is_given_up() -> None:
    async def scene() -> None:
        async with running(frame_timeout=timedelta(milliseconds=100)) as house:
            house.desk.frames = (b"x" * 20_000_000,)
            wire = await house.connect()
            wire.writer.transport.pause_reading()  # type: ignore[attr-defined]  # a stream's transport also reads
            await wire.send(request(b"good"))
            await house.desk.has_taken(1)
            await asyncio.wait_for(_until(lambda: not _connections(house)), 5)
            assert house.desk.told == []

    play(scene)


async def _until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - a socket's end is not announced to a test
        await asyncio.sleep(0.01)


def _connections(house: House) -> int:
    return sum("serve" in str(task.get_coro()) or "run_asgi" in str(task.get_coro()) for task in asyncio.all_tasks())


def test_an_offer_of_http2_is_not_taken_and_the_file_is() -> None:
    async def scene() -> None:
        async with running() as house:
            wire = await house.connect()
            await wire.send(
                request(b"good", Connection="Upgrade, HTTP2-Settings", Upgrade="h2c", HTTP2_Settings="AAMAAABk")
            )
            status, headers, _ = await wire.answer()
            assert status == 200
            assert "upgrade" not in headers
            await wire.send(request(b"next"))
            assert (await wire.answer())[0] == 200
            assert [raw for raw, _, _ in house.desk.taken] == [b"good", b"next"]

    play(scene)


@pytest.mark.parametrize("rubbish", [b"\x16\x03\x01\x02\x00\x01", b"\x0bMSH|^~\\&|\x1c\r", b"hello\r\n\r\n"])
def test_rubbish_is_answered_and_closed(rubbish: bytes) -> None:
    async def scene() -> None:
        async with running() as house:
            wire = await house.connect()
            await wire.send(rubbish)
            status, headers, body = await wire.answer()
            assert (status, headers["connection"], json.loads(body)["status"]) == (400, "close", 400)
            assert await wire.at_end()
            assert house.desk.taken == []

    play(scene)


def test_nothing_of_a_request_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")

    async def scene() -> None:
        async with running() as house:
            for path in ("/?name=NGUYEN", "/NGUYEN"):
                wire = await house.connect()
                await wire.send(request(b"NGUYEN", path=path, X_Name="NGUYEN"))
                await wire.answer()

    play(scene)
    assert "NGUYEN" not in caplog.text
    assert TOKEN not in caplog.text


def test_stopping_answers_what_intake_has_and_takes_nothing_more() -> None:
    async def scene() -> None:
        async with running() as house:
            house.desk.gate.clear()
            idle, half, whole = [await house.connect() for _ in range(3)]
            await half.send(request(b"half", Content_Length="90"))
            await whole.send(request(b"one") + request(b"two"))
            await house.desk.has_taken(1)
            house.task.cancel()
            assert await idle.at_end()
            assert await half.at_end()
            with pytest.raises(ConnectionError):
                await house.connect()
            house.desk.gate.set()
            status, headers, _ = await whole.answer()
            assert (status, headers["connection"]) == (200, "close")
            assert await whole.at_end()
            await house.task
            assert [raw for raw, _, _ in house.desk.taken] == [b"one"]

    play(scene)


def test_a_taken_address_is_a_fault() -> None:
    async def scene() -> None:
        async with running() as house:
            with pytest.raises(ListenFailed):
                async with running(listen=f"{house.host}:{house.port}"):
                    pass

    play(scene)


@pytest.mark.parametrize("factory", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_tls_and_certificates_of_senders(factory: Any, tmp_path: Path) -> None:
    ours, strange = Authority(tmp_path / "ours"), Authority(tmp_path / "strange")
    server, sender, stranger = ours.issue("localhost"), ours.issue("his"), strange.issue("his")
    files = {
        "certificate": FileName(server.certificate),
        "private_key": FileName(server.key),
        "client_ca": FileName(ours.certificate),
    }

    async def scene() -> None:
        async with running(tls="tls", **files) as house:
            wire = await house.connect(ours.client_context())
            await wire.send(request(b"s" * 3_000_000))
            assert (await wire.answer())[0] == 200
            with pytest.raises(ssl.SSLCertVerificationError):
                await house.connect(strange.client_context())
            assert len(house.desk.told) == 1
        async with running(tls="mtls", token=NO_SECRET, **files) as house:
            wire = await house.connect(ours.client_context(sender))
            await wire.send(request(b"good", Authorization=""))
            assert (await wire.answer())[0] == 200
            for context in (ours.client_context(), ours.client_context(stranger)):
                with pytest.raises((OSError, asyncio.IncompleteReadError)):
                    await refused(house, context)
            assert len(house.desk.taken) == 1
        with pytest.raises(TlsFilesUnusable):
            async with running(tls="tls", **{**files, "private_key": FileName(sender.key)}):
                pass

    async def refused(house: House, context: ssl.SSLContext) -> None:
        wire = await house.connect(context)
        await wire.send(request(b"good"))
        await wire.answer()

    play(scene, factory)
