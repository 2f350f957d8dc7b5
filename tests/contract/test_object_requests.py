"""The contract of sources of large objects, held against those that take them in requests; a new kind needs its `Way` here.

Those that take them on associations stand in `test_object_sources.py`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import is_dataclass
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any, Protocol

import pydicom
import pytest
from pydicom.data import get_testdata_file

from connectors.contract import Source
from connectors.faults import ListenFailed, ObjectIncomplete, ObjectStoreAway, ObjectTooLarge
from connectors.kinds import load_source, source_kinds
from mappings.formats.faults import IntakeFault
from mappings.formats.values import Size
from tests.contract.objects import OBJECT_KINDS
from tests.contract.recording_objects import RecordingObjects
from tests.contract.sources import on_loop

CT = Path(str(get_testdata_file("CT_small.dcm"))).read_bytes()
MR = Path(str(get_testdata_file("MR_small.dcm"))).read_bytes()


def with_pixels(size: int) -> bytes:
    dataset = pydicom.dcmread(BytesIO(CT))
    dataset.PixelData = bytes(range(256)) * (size // 256)
    out = BytesIO()
    dataset.save_as(out)
    return out.getvalue()


class Way(Protocol):
    """How one kind is sent an object."""

    at_start: type[IntakeFault]
    """What `run` raises when it cannot begin."""

    def settings(self, **more: Any) -> Any: ...

    def unusable(self) -> Any:
        """Settings with which it cannot begin."""
        ...

    async def send(self, address: str, content: bytes) -> asyncio.Task[bool]:
        """Send one object whole; whether it was told to be taken comes when it comes."""
        ...

    async def send_half(self, address: str, content: bytes, seen: Callable[[], Awaitable[None]]) -> None:
        """Send the beginning of one, wait until it was seen, and leave as this kind's senders do."""
        ...


class DicomWebWay:
    at_start: type[IntakeFault] = ListenFailed

    def __init__(self) -> None:
        self._made, _ = load_source("dicomweb")

    def settings(self, **more: Any) -> Any:
        return self._made(**{"listen": "127.0.0.1:0", "tls": "none", **more})

    def unusable(self) -> Any:
        return self.settings(listen="192.0.2.1:8444", clients={"a": "b"})  # nobody's own address

    async def send(self, address: str, content: bytes) -> asyncio.Task[bool]:
        body = b"--x\r\nContent-Type: application/dicom\r\n\r\n" + content + b"\r\n--x--"
        reader, writer = await self._begin(address, len(body))
        writer.write(body)
        return asyncio.create_task(self._answer(reader, writer))

    async def send_half(self, address: str, content: bytes, seen: Callable[[], Awaitable[None]]) -> None:
        _, writer = await self._begin(address, len(content) + 100)
        writer.write(b"--x\r\n\r\n" + content)
        await writer.drain()
        await seen()
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    async def _begin(self, address: str, length: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        host, _, port = address.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        kind = 'multipart/related; type="application/dicom"; boundary=x'
        head = f"POST /dicom-web/studies HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\nContent-Type: {kind}"
        writer.write(head.encode() + b"\r\n\r\n")
        return reader, writer

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        try:
            return (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
        except (asyncio.IncompleteReadError, ConnectionError):
            return False
        finally:
            writer.close()


WAYS: dict[str, type[Way]] = {"dicomweb": DicomWebWay}

of_objects = pytest.mark.parametrize("kind", sorted(WAYS))


class Running:
    def __init__(self, way: Way, intake: RecordingObjects, address: str, task: asyncio.Task[None]) -> None:
        self._way, self.intake, self._address, self.task = way, intake, address, task
        self.waiting: list[asyncio.Task[bool]] = []

    async def send(self, content: bytes) -> asyncio.Task[bool]:
        self.waiting.append(await self._way.send(self._address, content))
        return self.waiting[-1]

    async def send_half(self, content: bytes) -> None:
        await self._way.send_half(self._address, content, lambda: self.until(lambda: bool(self.intake.chunks)))

    async def until(self, condition: Callable[[], bool]) -> None:
        await asyncio.to_thread(self.intake.wait_for, condition)

    async def stop(self) -> None:
        self.task.cancel()
        await self.task


@asynccontextmanager
async def started(way: Way, kind: str, settings: Any) -> AsyncIterator[Running]:
    _, source_class = load_source(kind)
    intake = RecordingObjects()
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
async def running(kind: str, **settings: Any) -> AsyncIterator[Running]:
    way = WAYS[kind]()
    async with started(way, kind, way.settings(**settings)) as house:
        yield house


def test_every_kind_found_has_a_way_here() -> None:
    found = {kind for kind in source_kinds() if getattr(load_source(kind)[1], "takes_objects", False)}
    assert found == {*WAYS, *OBJECT_KINDS}


@of_objects
def test_settings_are_a_frozen_dataclass(kind: str) -> None:
    settings, _ = load_source(kind)
    assert is_dataclass(settings)
    assert settings.__dataclass_params__.frozen  # type: ignore[attr-defined]  # not in typeshed


@of_objects
def test_an_object_is_taken_unchanged_and_told(kind: str) -> None:
    async def scene() -> None:
        async with running(kind) as house:
            assert await (await house.send(CT))
            (kept,) = house.intake.kept
            assert kept.data == CT
            assert 0 < len(kept.peer) <= 64

    on_loop(scene)


@of_objects
def test_no_answer_before_it_is_durable(kind: str) -> None:
    async def scene() -> None:
        async with running(kind) as house:
            house.intake.gate.clear()
            answer = await house.send(CT)
            await house.until(lambda: house.intake.begun == 1)
            done, _ = await asyncio.wait({answer}, timeout=0.1)
            assert not done
            house.intake.gate.set()
            assert await answer

    on_loop(scene)


@of_objects
def test_a_large_object_comes_in_pieces(kind: str) -> None:
    async def scene() -> None:
        async with running(kind) as house:
            content = with_pixels(40_000_000)
            assert await (await house.send(content))
            assert house.intake.kept[0].data == content
            assert max(house.intake.chunks) < 1_000_000

    on_loop(scene)


@of_objects
def test_over_the_limit_is_answered_with_a_no_and_the_next_is_taken(kind: str) -> None:
    async def scene() -> None:
        async with running(kind, max_size=Size(200_000)) as house:
            assert not await (await house.send(with_pixels(300_000)))
            ((data, fault),) = house.intake.aside
            assert isinstance(fault, ObjectTooLarge)
            assert len(data) <= 200_000
            assert await (await house.send(CT))

    on_loop(scene)


@of_objects
def test_half_an_object_is_never_taken_for_a_whole_one(kind: str) -> None:
    async def scene() -> None:
        async with running(kind) as house:
            await house.send_half(CT[:30_000])
            await house.until(lambda: bool(house.intake.aside))
            ((_, fault),) = house.intake.aside
            assert isinstance(fault, ObjectIncomplete)
            assert await (await house.send(MR))
            assert [one.data for one in house.intake.kept] == [MR]

    on_loop(scene)


@of_objects
def test_a_store_that_is_away_is_a_no(kind: str) -> None:
    async def scene() -> None:
        async with running(kind) as house:
            house.intake.commit_fault = lambda data: ObjectStoreAway()
            assert not await (await house.send(CT))
            house.intake.commit_fault = lambda data: None
            assert await (await house.send(CT))

    on_loop(scene)


@of_objects
def test_a_broken_intake_shows_nothing_and_the_next_is_taken(
    kind: str, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    async def scene() -> None:
        async with running(kind) as house:
            house.intake.broken = True
            assert not await (await house.send(CT))
            house.intake.broken = False
            assert await (await house.send(MR))

    with caplog.at_level(logging.DEBUG):
        on_loop(scene)
    assert "RuntimeError" in caplog.text
    assert "NGUYEN" not in caplog.text + "".join(capsys.readouterr())


@of_objects
def test_stopping_answers_what_is_under_way_and_takes_nothing_more(kind: str) -> None:
    async def scene() -> None:
        async with running(kind) as house:
            house.intake.gate.clear()
            answer = await house.send(CT)
            await house.until(lambda: sum(house.intake.chunks) == len(CT))
            house.task.cancel()
            done, _ = await asyncio.wait({house.task}, timeout=0.05)
            assert not done
            house.intake.gate.set()
            assert await answer
            await house.task
            assert len(house.intake.kept) == 1

    on_loop(scene)


@of_objects
def test_stopping_does_not_wait_longer_than_the_grace_time(kind: str) -> None:
    async def scene() -> None:
        async with running(kind, grace=timedelta(milliseconds=50)) as house:
            house.intake.gate.clear()
            await house.send(CT)
            await house.until(lambda: house.intake.begun == 1)
            await house.stop()
            assert house.intake.kept == []

    on_loop(scene)


@of_objects
def test_what_cannot_begin_is_a_fault_before_it_says_ready(kind: str) -> None:
    way = WAYS[kind]()

    async def scene() -> None:
        with pytest.raises(way.at_start):
            async with started(way, kind, way.unusable()):
                pass

    on_loop(scene)
