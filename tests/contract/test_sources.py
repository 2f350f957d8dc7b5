"""The contract of every source, held against each kind that can be found; a new kind needs its `Way` here.

What only a stream of frames can do stands in `test_stream_sources.py`, sources of objects in `test_object_sources.py` and
`test_object_requests.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import is_dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

import pytest

from connectors.contract import Source
from connectors.faults import ListenFailed, PickupFolderUnusable, PickupKeysUnusable, TooLarge
from connectors.kinds import load_source, source_kinds
from mappings.formats.faults import IntakeFault
from mappings.formats.values import Secret, Size
from tests.contract.analyser import Analyser, Told, frames_of
from tests.contract.sources import RecordingIntake, answer_to, on_loop
from tests.sshd import sshd

MEGABYTE = 1024 * 1024


class Way(Protocol):
    """How one kind is sent a message; made with a folder of its own."""

    at_start: type[IntakeFault]
    """What `run` raises when it cannot begin."""
    reserved: bytes
    """What the protocol keeps for itself, and no message holds."""

    def __init__(self, folder: Path) -> None: ...

    def message(self, content: bytes) -> bytes:
        """Make a message of this kind that holds `content`."""
        ...

    def settings(self, **more: Any) -> Any: ...

    def unusable(self) -> Any:
        """Settings with which it cannot begin."""
        ...

    async def send(self, address: str, content: bytes) -> asyncio.Task[Told]:
        """Send one message whole; the answer comes when it comes."""
        ...

    async def send_half(self, address: str, content: bytes) -> None:
        """Send the beginning of one, and leave as this kind's senders do."""
        ...

    def close(self) -> None: ...


async def _leave(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


class Anything:
    """Of kinds that take any bytes for a message."""

    reserved = b""

    def message(self, content: bytes) -> bytes:
        return content


class MllpWay(Anything):
    reserved = b"\x0b\x1c"
    at_start: type[IntakeFault] = ListenFailed

    def __init__(self, folder: Path) -> None:
        self._made, _ = load_source("mllp")

    def settings(self, **more: Any) -> Any:
        return self._made(**{"listen": "127.0.0.1:0", "tls": "none", **more})

    def unusable(self) -> Any:
        return self.settings(listen="192.0.2.1:2575")  # nobody's own address

    async def send(self, address: str, content: bytes) -> asyncio.Task[Told]:
        host, _, port = address.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"\x0b" + content + b"\x1c\r")
        await writer.drain()
        return asyncio.create_task(self._answer(reader, writer))

    async def send_half(self, address: str, content: bytes) -> None:
        host, _, port = address.rpartition(":")
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"\x0b" + content)
        await writer.drain()
        await _leave(writer)

    def close(self) -> None: ...

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Told:
        try:
            content = (await reader.readuntil(b"\x1c\r"))[1:-2]
            return Told(content.startswith(b"ok"), content)
        finally:
            await _leave(writer)


class HttpWay(Anything):
    at_start: type[IntakeFault] = ListenFailed

    def __init__(self, folder: Path) -> None:
        self._made, _ = load_source("http")

    def settings(self, **more: Any) -> Any:
        return self._made(**{"listen": "127.0.0.1:0", "tls": "none", **more})

    def unusable(self) -> Any:
        return self.settings(listen="192.0.2.1:8443", token=Secret("x"))  # nobody's own address

    async def send(self, address: str, content: bytes) -> asyncio.Task[Told]:
        reader, writer = await self._begin(address, len(content))
        writer.write(content)
        return asyncio.create_task(self._answer(reader, writer))

    async def send_half(self, address: str, content: bytes) -> None:
        _, writer = await self._begin(address, len(content) + 100)
        writer.write(content)
        await writer.drain()
        await _leave(writer)

    def close(self) -> None: ...

    async def _begin(self, address: str, length: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        host, _, port = address.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(f"POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\n\r\n".encode())
        return reader, writer

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Told:
        try:
            await writer.drain()
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            length = head.partition("content-length: ")[2].partition("\r\n")[0]
            return Told(head.startswith("http/1.1 200 "), await reader.readexactly(int(length)))
        finally:
            await _leave(writer)


class FolderWay(Anything):
    kind = "folder"
    at_start: type[IntakeFault] = PickupFolderUnusable

    def __init__(self, folder: Path) -> None:
        self._made, _ = load_source(self.kind)
        self._folder = folder / "drop"
        self._sent = 0
        self._open()

    def _open(self) -> None:
        self._folder.mkdir()

    def settings(self, **more: Any) -> Any:
        quick = {"poll": timedelta(milliseconds=10), "settle": timedelta(0)}
        return self._made(**{"folder": str(self._folder), "pattern": "*", **quick, **more})

    def unusable(self) -> Any:
        return self.settings(folder=str(self._folder / "absent"))

    async def send(self, address: str, content: bytes) -> asyncio.Task[Told]:
        self._sent += 1
        path = self._folder / f"{self._sent:03}.xml"
        part = path.with_suffix(".part")
        part.write_bytes(content)
        part.rename(path)
        return asyncio.create_task(self._answer(path))

    async def send_half(self, address: str, content: bytes) -> None:
        (self._folder / "half.xml.part").write_bytes(content)

    def close(self) -> None: ...

    async def _answer(self, path: Path) -> Told:
        while await asyncio.to_thread(path.exists):  # noqa: ASYNC110 - a folder says nothing by itself
            await asyncio.sleep(0.005)
        return await asyncio.to_thread(self._told, path.name)

    def _told(self, name: str) -> Told:
        answer = self._folder / "refused" / f"{name}.answer"
        return Told(False, answer.read_bytes()) if answer.exists() else Told(True, None)


class SftpWay(FolderWay):
    """The same folder, behind a real server."""

    kind = "sftp"
    at_start: type[IntakeFault] = PickupKeysUnusable

    def _open(self) -> None:
        self._stack = ExitStack()
        self._server = self._stack.enter_context(sshd())
        self._folder = self._server.drop

    def settings(self, **more: Any) -> Any:
        server = self._server
        ways = {"host": "127.0.0.1", "port": server.port, "username": server.user}
        return super().settings(
            **{**ways, "private_key": str(server.key), "host_key": (server.fingerprint,), **more},
        )

    def unusable(self) -> Any:
        return self.settings(private_key=str(self._folder / "absent"))

    def close(self) -> None:
        self._stack.close()


class AstmWay:
    """An analyser that sends one message in a session, and is told the answer in one of ours."""

    reserved = b"\x02\x03\x17"
    at_start: type[IntakeFault] = ListenFailed

    def __init__(self, folder: Path) -> None:
        self._made, _ = load_source("astm")

    def message(self, content: bytes) -> bytes:
        return b"H|\\^&\rM|1|" + content + b"\rL|1|N\r"

    def settings(self, **more: Any) -> Any:
        return self._made(**{"listen": "127.0.0.1:0", "tls": "none", **more})

    def unusable(self) -> Any:
        return self.settings(listen="192.0.2.1:4010", anyone=True)  # nobody's own address

    async def send(self, address: str, content: bytes) -> asyncio.Task[Told]:
        analyser = await Analyser.call(address)
        *before, last = frames_of(content)
        for part in (b"\x05", *before):
            reply = await analyser.say(part)
            if reply != b"\x06":
                return asyncio.create_task(analyser.refused(reply))
        analyser.writer.write(last)
        return asyncio.create_task(analyser.answered())

    async def send_half(self, address: str, content: bytes) -> None:
        analyser = await Analyser.call(address)
        await analyser.say(b"\x05")
        analyser.writer.write(frames_of(content)[0][:-6])
        await _leave(analyser.writer)

    def close(self) -> None: ...


WAYS: dict[str, type[Way]] = {"astm": AstmWay, "mllp": MllpWay, "http": HttpWay, "folder": FolderWay, "sftp": SftpWay}

every_kind = pytest.mark.parametrize("kind", sorted(set(source_kinds()) & set(WAYS)))


class Running:
    def __init__(self, way: Way, intake: RecordingIntake, address: str, task: asyncio.Task[None]) -> None:
        self._way, self.intake, self._address, self.task = way, intake, address, task
        self.waiting: list[asyncio.Task[Told]] = []

    def message(self, content: bytes) -> bytes:
        return self._way.message(content)

    async def send(self, content: bytes) -> asyncio.Task[Told]:
        self.waiting.append(await self._way.send(self._address, content))
        return self.waiting[-1]

    async def send_half(self, content: bytes) -> None:
        await self._way.send_half(self._address, content)

    async def stop(self) -> None:
        self.task.cancel()
        await self.task


@asynccontextmanager
async def started(way: Way, kind: str, settings: Any) -> AsyncIterator[Running]:
    _, source_class = load_source(kind)
    intake = RecordingIntake()
    listening: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    source: Source = source_class(settings)
    task = asyncio.create_task(source.run(intake, listening.set_result))
    task.add_done_callback(lambda _: listening.done() or listening.cancel())
    await asyncio.wait({listening})
    if task.done():
        task.result()
    house = Running(way, intake, listening.result(), task)
    try:
        yield house
    finally:
        intake.gate.set()
        if not task.done():
            await house.stop()
        for answer in house.waiting:
            answer.cancel()
        await asyncio.gather(*house.waiting, return_exceptions=True)


@asynccontextmanager
async def running(kind: str, folder: Path, **settings: Any) -> AsyncIterator[Running]:
    way = WAYS[kind](folder)
    try:
        async with started(way, kind, way.settings(**settings)) as house:
            yield house
    finally:
        way.close()


def holds(told: Told, content: bytes, fault: IntakeFault | None = None) -> None:
    """Assert that the answer is this one's."""
    assert told.positive == (fault is None)
    assert told.content in (None, answer_to(content, fault))


def test_every_kind_found_has_a_way_here() -> None:
    of_objects = {kind for kind in source_kinds() if getattr(load_source(kind)[1], "takes_objects", False)}
    assert set(source_kinds()) - of_objects == set(WAYS)


@every_kind
def test_settings_are_a_frozen_dataclass(kind: str) -> None:
    settings, _ = load_source(kind)
    assert is_dataclass(settings)
    assert settings.__dataclass_params__.frozen  # type: ignore[attr-defined]  # not in typeshed


@every_kind
def test_an_unknown_kind_is_one_line_of_check(kind: str) -> None:
    with pytest.raises(ValueError, match=f"kind: .* — write one of .*{kind}"):
        load_source(kind + "x")


@every_kind
def test_a_message_is_taken_answered_and_noted(kind: str, tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(kind, tmp_path) as house:
            one = house.message(b"MSH|one")
            holds(await (await house.send(one)), one)
            ((raw, peer, fault),) = house.intake.taken
            assert (raw, fault) == (one, None)
            assert 0 < len(peer) <= 64
            await house.stop()
            assert [answer.message_id for answer in house.intake.told] == ["1"]

    on_loop(scene)


@every_kind
def test_no_answer_before_intake_gave_it(kind: str, tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(kind, tmp_path) as house:
            house.intake.gate.clear()
            one = house.message(b"MSH|one")
            answer = await house.send(one)
            await house.intake.has_taken(1)
            done, _ = await asyncio.wait({answer}, timeout=0.1)
            assert not done
            assert house.intake.told == []
            house.intake.gate.set()
            holds(await answer, one)

    on_loop(scene)


@every_kind
@pytest.mark.parametrize("content", [b"", bytes(range(256)), "Nguyễn Văn Ấn".encode("utf-16"), b"\r\n" * 3, b"<?xml"])
def test_bytes_of_any_kind_pass_unchanged(kind: str, content: bytes, tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(kind, tmp_path) as house:
            message = house.message(bytes(byte for byte in content if byte not in WAYS[kind].reserved))
            holds(await (await house.send(message)), message)
            assert house.intake.taken[0][0] == message

    on_loop(scene)


@every_kind
def test_twenty_megabytes(kind: str, tmp_path: Path) -> None:
    async def scene() -> None:
        content = b"MSH|" + bytes(range(0x20, 0x70)) * (20 * MEGABYTE // 80 - 1)
        async with running(kind, tmp_path, max_size=Size(20 * MEGABYTE)) as house:
            message = house.message(content)
            holds(await (await house.send(message)), message)

    on_loop(scene)


@every_kind
def test_over_the_limit_is_answered_with_a_no_and_the_next_is_taken(kind: str, tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(kind, tmp_path, max_size=Size(200_000)) as house:
            too_long = house.message(b"MSH|" + b"x" * 3_000_000)
            holds(await (await house.send(too_long)), too_long[:65536], TooLarge())
            fits = house.message(b"x" * (200_000 - len(house.message(b""))))
            holds(await (await house.send(fits)), fits)

    on_loop(scene)


@every_kind
def test_half_a_message_is_never_taken_for_a_whole_one(kind: str, tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(kind, tmp_path) as house:
            await house.send_half(house.message(b"MSH|half"))
            one = house.message(b"MSH|one")
            holds(await (await house.send(one)), one)
            assert [raw for raw, _, fault in house.intake.taken if fault is None] == [one]

    on_loop(scene)


@every_kind
def test_a_broken_intake_shows_nothing_and_the_next_is_taken(
    kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    async def scene() -> None:
        async with running(kind, tmp_path) as house:
            house.intake.broken = True
            await house.send(house.message(b"MSH|NGUYEN VAN AN"))
            await house.intake.has_taken(1)
            house.intake.broken = False
            following = house.message(b"MSH|next")
            holds(await (await house.send(following)), following)

    on_loop(scene)
    assert "RuntimeError" in caplog.text
    assert "NGUYEN" not in caplog.text + "".join(capsys.readouterr())


@every_kind
def test_stopping_answers_what_is_under_way_and_takes_nothing_more(kind: str, tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(kind, tmp_path) as house:
            house.intake.gate.clear()
            one = house.message(b"MSH|one")
            answer = await house.send(one)
            await house.intake.has_taken(1)
            house.task.cancel()
            done, _ = await asyncio.wait({house.task}, timeout=0.05)
            assert not done
            house.intake.gate.set()
            holds(await answer, one)
            await house.task
            assert len(house.intake.taken) == 1

    on_loop(scene)


@every_kind
def test_stopping_does_not_wait_longer_than_the_grace_time(kind: str, tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(kind, tmp_path, grace=timedelta(milliseconds=50)) as house:
            house.intake.gate.clear()
            await house.send(house.message(b"MSH|one"))
            await house.intake.has_taken(1)
            await house.stop()
            assert house.intake.told == []

    on_loop(scene)


@every_kind
def test_what_cannot_begin_is_a_fault_before_it_says_ready(kind: str, tmp_path: Path) -> None:
    way = WAYS[kind](tmp_path)

    async def scene() -> None:
        with pytest.raises(way.at_start):
            async with started(way, kind, way.unusable()):
                pass

    try:
        on_loop(scene)
    finally:
        way.close()
