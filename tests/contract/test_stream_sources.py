"""The contract of sources that take frames from a stream of bytes: many on one connection, answered on it in order."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

import pytest
import uvloop

from connectors.contract import Source
from connectors.faults import FrameIncomplete, FrameInvalid, ListenFailed, TlsFilesUnusable, TooLarge
from connectors.kinds import load_source
from mappings.formats.values import Size
from tests.contract.certificates import Authority
from tests.contract.sources import RecordingIntake, answer_to, on_loop


class Peer:
    """A sender made of nothing but a socket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def at_end(self) -> bool:
        try:
            return await self.reader.read(1) == b""
        except ConnectionError:
            return True

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


class Wire(Protocol):
    """What the contract must know of one kind's protocol."""

    def settings(self, **more: Any) -> Any:
        """Settings for a free port of this machine, without TLS unless `more` says so."""
        ...

    def frame(self, content: bytes) -> bytes: ...

    async def answer(self, peer: Peer) -> bytes:
        """Read one well-formed answer and give its content."""
        ...


class MllpWire:
    def settings(self, **more: Any) -> Any:
        settings, _ = load_source("mllp")
        return settings(**{"listen": "127.0.0.1:0", "tls": "none", **more})

    def frame(self, content: bytes) -> bytes:
        return b"\x0b" + content + b"\x1c\r"

    async def answer(self, peer: Peer) -> bytes:
        got = await peer.reader.readuntil(b"\x1c\r")
        assert got.startswith(b"\x0b")
        return got[1:-2]


WIRES: dict[str, Wire] = {"mllp": MllpWire()}

every_stream = pytest.mark.parametrize("kind", sorted(WIRES))


class Running:
    def __init__(self, kind: str, intake: RecordingIntake, address: str, task: asyncio.Task[None]) -> None:
        self.wire, self.intake, self.task = WIRES[kind], intake, task
        host, _, port = address.rpartition(":")
        self.host, self.port = host, int(port)
        self.peers: list[Peer] = []

    async def connect(self, context: ssl.SSLContext | None = None) -> Peer:
        name = "localhost" if context else None
        peer = Peer(*await asyncio.open_connection(self.host, self.port, ssl=context, server_hostname=name))
        self.peers.append(peer)
        return peer

    async def stop(self) -> None:
        self.task.cancel()
        await self.task


@asynccontextmanager
async def running(kind: str, **settings: Any) -> AsyncIterator[Running]:
    _, source_class = load_source(kind)
    intake = RecordingIntake()
    listening: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    source: Source = source_class(WIRES[kind].settings(**settings))
    task = asyncio.create_task(source.run(intake, listening.set_result))
    task.add_done_callback(lambda _: listening.done() or listening.cancel())
    await asyncio.wait({listening})
    if task.done():
        task.result()
    house = Running(kind, intake, listening.result(), task)
    try:
        yield house
    finally:
        intake.gate.set()
        for peer in house.peers:
            await peer.leave()
        if not task.done():
            await house.stop()


@every_stream
@pytest.mark.parametrize("factory", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_message_is_taken_answered_and_noted(kind: str, factory: Any) -> None:
    async def scene() -> None:
        async with running(kind) as house:
            peer = await house.connect()
            await peer.send(house.wire.frame(b"MSH|one"))
            assert await house.wire.answer(peer) == answer_to(b"MSH|one")
            host, port = peer.writer.get_extra_info("sockname")
            assert house.intake.taken == [(b"MSH|one", f"{host}:{port}", None)]
            await house.stop()
            assert [answer.message_id for answer in house.intake.told] == ["1"]

    on_loop(scene, factory)


@every_stream
def test_no_answer_before_intake_gave_it(kind: str) -> None:
    async def scene() -> None:
        async with running(kind) as house:
            house.intake.gate.clear()
            peer = await house.connect()
            await peer.send(house.wire.frame(b"MSH|one"))
            await house.intake.has_taken(1)
            answer = asyncio.create_task(house.wire.answer(peer))
            done, _ = await asyncio.wait({answer}, timeout=0.1)
            assert not done
            house.intake.gate.set()
            assert await answer == answer_to(b"MSH|one")

    on_loop(scene)


@every_stream
def test_a_frame_in_pieces(kind: str) -> None:
    async def scene() -> None:
        async with running(kind) as house:
            peer = await house.connect()
            wire_bytes = house.wire.frame(b"MSH|one")
            for at in range(len(wire_bytes)):
                await peer.send(wire_bytes[at : at + 1])
                await asyncio.sleep(0)
            assert await house.wire.answer(peer) == answer_to(b"MSH|one")
            assert len(house.intake.taken) == 1

    on_loop(scene)


@every_stream
def test_two_frames_in_one_packet_are_answered_in_order(kind: str) -> None:
    async def scene() -> None:
        async with running(kind) as house:
            peer = await house.connect()
            many = [f"MSH|{number}".encode() for number in range(100)]
            await peer.send(b"".join(map(house.wire.frame, many)))
            for content in many:
                assert await house.wire.answer(peer) == answer_to(content)
            assert house.intake.most_at_once == 1

    on_loop(scene)


@every_stream
def test_bytes_of_any_charset_pass_unchanged(kind: str) -> None:
    async def scene() -> None:
        content = bytes(sorted(set(range(256)) - {0x0B, 0x1C}))
        async with running(kind) as house:
            peer = await house.connect()
            await peer.send(house.wire.frame(content))
            assert await house.wire.answer(peer) == answer_to(content)
            assert house.intake.taken[0][0] == content

    on_loop(scene)


@every_stream
def test_an_empty_frame_goes_to_intake_too(kind: str) -> None:
    async def scene() -> None:
        async with running(kind) as house:
            peer = await house.connect()
            await peer.send(house.wire.frame(b""))
            assert await house.wire.answer(peer) == answer_to(b"")

    on_loop(scene)


@every_stream
def test_twenty_megabytes(kind: str) -> None:
    async def scene() -> None:
        content = b"MSH|" + bytes(range(0x20, 0x70)) * (20 * 1024 * 1024 // 80 - 1)
        async with running(kind, max_size=Size(20 * 1024 * 1024)) as house:
            peer = await house.connect()
            began = asyncio.get_running_loop().time()
            await peer.send(house.wire.frame(content))
            assert await house.wire.answer(peer) == answer_to(content)
            assert asyncio.get_running_loop().time() - began < 5

    on_loop(scene)


@every_stream
def test_over_the_limit_is_answered_and_the_connection_goes_on(kind: str) -> None:
    async def scene() -> None:
        async with running(kind, max_size=Size(200_000)) as house:
            peer = await house.connect()
            too_long = b"MSH|" + b"x" * 3_000_000
            await peer.send(house.wire.frame(too_long) + house.wire.frame(b"MSH|next"))
            assert await house.wire.answer(peer) == answer_to(too_long[:65536], TooLarge())
            assert await house.wire.answer(peer) == answer_to(b"MSH|next")
            fits = b"MSH|" + b"x" * 199_996
            await peer.send(house.wire.frame(fits))
            assert await house.wire.answer(peer) == answer_to(fits)

    on_loop(scene)


@every_stream
@pytest.mark.parametrize(
    "rubbish",
    [
        b"GET / HTTP/1.1\r\nHost: gateway\r\n\r\n",
        b"hello?\r\n",
        b"MSH|^~\\&|no frame\r",
        b"\x16\x03\x01\x02\x00\x01\x00",
    ],
)
def test_rubbish_is_answered_and_the_connection_goes_on(kind: str, rubbish: bytes) -> None:
    async def scene() -> None:
        async with running(kind, frame_timeout=timedelta(milliseconds=200)) as house:
            peer = await house.connect()
            for _ in range(2):
                await peer.send(rubbish)
                assert await house.wire.answer(peer) == answer_to(rubbish, FrameInvalid())
            await peer.send(house.wire.frame(b"MSH|next"))
            assert await house.wire.answer(peer) == answer_to(b"MSH|next")

    on_loop(scene)


@every_stream
def test_endless_rubbish_is_answered_once(kind: str) -> None:
    async def scene() -> None:
        async with running(kind) as house:
            peer = await house.connect()
            await peer.send(b"x" * 1_000_000 + house.wire.frame(b"MSH|next"))
            assert await house.wire.answer(peer) == answer_to(b"x" * 65536, FrameInvalid())
            assert await house.wire.answer(peer) == answer_to(b"MSH|next")

    on_loop(scene)


@every_stream
def test_a_peer_that_leaves_in_a_frame(kind: str) -> None:
    async def scene() -> None:
        async with running(kind) as house:
            peer = await house.connect()
            await peer.send(house.wire.frame(b"MSH|half")[:-4])
            await peer.leave()
            await house.intake.has_taken(1)
            raw, _, fault = house.intake.taken[0]
            assert raw == b"MSH|ha"
            assert isinstance(fault, FrameIncomplete)

    on_loop(scene)


@every_stream
def test_a_peer_that_leaves_before_its_answer(kind: str) -> None:
    async def scene() -> None:
        async with running(kind) as house:
            house.intake.gate.clear()
            peer = await house.connect()
            await peer.send(house.wire.frame(b"MSH|one") + house.wire.frame(b"MSH|two"))
            await house.intake.has_taken(1)
            peer.reset()
            other = await house.connect()
            await other.send(house.wire.frame(b"MSH|other"))
            await house.intake.has_taken(2)
            house.intake.gate.set()
            assert await house.wire.answer(other) == answer_to(b"MSH|other")
            await house.intake.has_taken(3)
            await house.stop()
            assert {raw for raw, _, _ in house.intake.taken} == {b"MSH|one", b"MSH|two", b"MSH|other"}
            assert [answer.frames for answer in house.intake.told] == [(answer_to(b"MSH|other"),)]

    on_loop(scene)


@every_stream
def test_a_half_closed_peer_gets_its_answers(kind: str) -> None:
    async def scene() -> None:
        async with running(kind) as house:
            peer = await house.connect()
            await peer.send(house.wire.frame(b"MSH|one") + house.wire.frame(b"MSH|cut")[:-3])
            peer.writer.write_eof()
            assert await house.wire.answer(peer) == answer_to(b"MSH|one")
            assert await house.wire.answer(peer) == answer_to(b"MSH|cu", FrameIncomplete())
            assert await peer.at_end()

    on_loop(scene)


@every_stream
def test_silence_in_a_frame_is_answered_and_closed(kind: str) -> None:
    async def scene() -> None:
        async with running(kind, frame_timeout=timedelta(milliseconds=100)) as house:
            peer = await house.connect()
            await peer.send(house.wire.frame(b"MSH|one") + house.wire.frame(b"MSH|half")[:-4])
            assert await house.wire.answer(peer) == answer_to(b"MSH|one")
            assert await house.wire.answer(peer) == answer_to(b"MSH|ha", FrameIncomplete())
            assert await peer.at_end()

    on_loop(scene)


@every_stream
def test_an_idle_connection_is_closed_but_not_while_intake_works(kind: str) -> None:
    async def scene() -> None:
        async with running(kind, idle_timeout=timedelta(milliseconds=100)) as house:
            idle, waiting = await house.connect(), await house.connect()
            house.intake.gate.clear()
            await waiting.send(house.wire.frame(b"MSH|one"))
            assert await idle.at_end()
            await asyncio.sleep(0.2)  # the second connection's idle time, spent in intake
            house.intake.gate.set()
            assert await house.wire.answer(waiting) == answer_to(b"MSH|one")
            await waiting.send(house.wire.frame(b"MSH|two"))
            assert await house.wire.answer(waiting) == answer_to(b"MSH|two")
            assert await waiting.at_end()
            assert len(house.intake.taken) == 2

    on_loop(scene)


@every_stream
def test_fifty_connections_side_by_side(kind: str) -> None:
    async def scene() -> None:
        async with running(kind) as house:
            house.intake.gate.clear()
            peers = [await house.connect() for _ in range(50)]
            for number, peer in enumerate(peers):
                await peer.send(house.wire.frame(f"MSH|{number}".encode()))
            await house.intake.has_taken(50)
            assert house.intake.most_at_once == 50
            house.intake.gate.set()
            for number, peer in enumerate(peers):
                assert await house.wire.answer(peer) == answer_to(f"MSH|{number}".encode())

    on_loop(scene)


@every_stream
def test_connections_beyond_the_limit_are_closed_and_room_is_made_again(kind: str) -> None:
    async def scene() -> None:
        async with running(kind, max_connections=2) as house:
            first, second = await house.connect(), await house.connect()
            await second.send(house.wire.frame(b"MSH|in"))
            assert await house.wire.answer(second) == answer_to(b"MSH|in")
            third = await house.connect()
            assert await third.at_end()
            await first.leave()
            while True:  # until the source has seen the first one leave
                fourth = await house.connect()
                await fourth.send(house.wire.frame(b"MSH|four"))
                try:
                    assert await house.wire.answer(fourth) == answer_to(b"MSH|four")
                    break
                except (asyncio.IncompleteReadError, ConnectionError):
                    continue

    on_loop(scene)


@every_stream
def test_a_sender_ahead_of_us_is_held_back(kind: str) -> None:
    async def scene() -> None:
        async with running(kind) as house:
            house.intake.gate.clear()
            peer = await house.connect()
            content = b"MSH|" + b"x" * 100_000
            sending = asyncio.create_task(peer.send(house.wire.frame(content) * 1000))
            await house.intake.has_taken(1)
            done, _ = await asyncio.wait({sending}, timeout=0.3)
            assert not done, "100 MB vanished into memory"
            house.intake.gate.set()
            for _ in range(1000):
                assert await house.wire.answer(peer) == answer_to(content)
            await sending

    on_loop(scene)


@every_stream
def test_a_sender_that_does_not_read_is_given_up(kind: str) -> None:
    async def scene() -> None:
        async with running(kind, frame_timeout=timedelta(milliseconds=100)) as house:
            peer = await house.connect()
            peer.writer.transport.pause_reading()  # type: ignore[attr-defined]  # a stream's transport also reads
            try:
                while True:
                    await peer.send(house.wire.frame(b"MSH|again") * 1000)
            except ConnectionError:
                pass
            assert len(house.intake.told) < len(house.intake.taken)

    on_loop(scene)


@every_stream
def test_a_broken_intake_closes_the_connection_and_shows_nothing(
    kind: str, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    async def scene() -> None:
        async with running(kind) as house:
            house.intake.broken = True
            peer = await house.connect()
            await peer.send(house.wire.frame(b"MSH|NGUYEN VAN AN"))
            assert await peer.at_end()
            house.intake.broken = False
            peer = await house.connect()
            await peer.send(house.wire.frame(b"MSH|next"))
            assert await house.wire.answer(peer) == answer_to(b"MSH|next")

    on_loop(scene)
    assert "RuntimeError" in caplog.text
    assert "NGUYEN" not in caplog.text + "".join(capsys.readouterr())


@every_stream
def test_stopping_answers_what_is_under_way_and_takes_nothing_more(kind: str) -> None:
    async def scene() -> None:
        async with running(kind) as house:
            house.intake.gate.clear()
            idle, peer = await house.connect(), await house.connect()
            await peer.send(house.wire.frame(b"MSH|one") + house.wire.frame(b"MSH|two") + b"\x0bMSH|th")
            await house.intake.has_taken(1)
            house.task.cancel()
            assert await idle.at_end()
            assert not house.task.done()
            with pytest.raises(ConnectionError):
                await house.connect()
            house.intake.gate.set()
            assert await house.wire.answer(peer) == answer_to(b"MSH|one")
            assert await peer.at_end()
            await house.task
            assert [raw for raw, _, _ in house.intake.taken] == [b"MSH|one"]

    on_loop(scene)


@every_stream
def test_stopping_does_not_wait_longer_than_the_grace_time(kind: str) -> None:
    async def scene() -> None:
        async with running(kind, grace=timedelta(milliseconds=50)) as house:
            house.intake.gate.clear()
            peer = await house.connect()
            await peer.send(house.wire.frame(b"MSH|one"))
            await house.intake.has_taken(1)
            await house.stop()
            assert await peer.at_end()

    on_loop(scene)


@every_stream
def test_a_taken_address_is_a_fault(kind: str) -> None:
    async def scene() -> None:
        async with running(kind) as house:
            with pytest.raises(ListenFailed):
                async with running(kind, listen=f"{house.host}:{house.port}"):
                    pass

    on_loop(scene)


@every_stream
@pytest.mark.parametrize("factory", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_tls(kind: str, factory: Any, tmp_path: Path) -> None:
    ours, strange = Authority(tmp_path / "ours"), Authority(tmp_path / "strange")
    server = ours.issue("localhost")

    async def scene() -> None:
        async with running(kind, tls="tls", certificate=server.certificate, private_key=server.key) as house:
            peer = await house.connect(ours.client_context())
            await peer.send(house.wire.frame(b"MSH|" + b"s" * 3_000_000))
            assert await house.wire.answer(peer) == answer_to(b"MSH|" + b"s" * 3_000_000)
            await peer.send(house.wire.frame(b"MSH|half")[:-4])
            await peer.leave()
            await house.intake.has_taken(2)
            assert isinstance(house.intake.taken[1][2], FrameIncomplete)
            with pytest.raises(ssl.SSLCertVerificationError):
                await house.connect(strange.client_context())
            old = ours.client_context()
            old.maximum_version = ssl.TLSVersion.TLSv1_2
            assert (await house.connect(old)).writer.get_extra_info("ssl_object").version() == "TLSv1.2"
            plain = await house.connect()
            await plain.send(house.wire.frame(b"MSH|plain"))
            assert await plain.at_end() or await plain.at_end()
            assert len(house.intake.taken) == 2
            await house.stop()
            assert len(house.intake.told) == 1

    on_loop(scene, factory)


@every_stream
def test_mtls_lets_in_only_senders_of_the_named_authority(kind: str, tmp_path: Path) -> None:
    ours, strange = Authority(tmp_path / "ours"), Authority(tmp_path / "strange")
    server, sender, stranger = ours.issue("localhost"), ours.issue("his"), strange.issue("his")

    async def ask(house: Running, context: ssl.SSLContext) -> None:
        refused = await house.connect(context)
        await refused.send(house.wire.frame(b"MSH|stranger"))
        await house.wire.answer(refused)

    async def scene() -> None:
        files = {"certificate": server.certificate, "private_key": server.key, "client_ca": ours.certificate}
        async with running(kind, tls="mtls", **files) as house:
            peer = await house.connect(ours.client_context(sender))
            await peer.send(house.wire.frame(b"MSH|one"))
            assert await house.wire.answer(peer) == answer_to(b"MSH|one")
            for context in (ours.client_context(), ours.client_context(stranger)):
                with pytest.raises((OSError, asyncio.IncompleteReadError)):
                    await ask(house, context)
            assert len(house.intake.taken) == 1

    on_loop(scene)


@every_stream
def test_unusable_tls_files_are_a_fault(kind: str, tmp_path: Path) -> None:
    ours = Authority(tmp_path)
    one, other = ours.issue("localhost"), ours.issue("elsewhere")

    async def scene() -> None:
        for key in (other.key, str(tmp_path / "absent.pem")):
            with pytest.raises(TlsFilesUnusable):
                async with running(kind, tls="tls", certificate=one.certificate, private_key=key):
                    pass

    on_loop(scene)
