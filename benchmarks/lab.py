"""Analysers by ASTM: thirty at once over TCP, acknowledged when durable, beside a bare loop of the same protocol and disk.

Each analyser sends results of 24 records, one session after the other, and waits for every ACK, as the protocol wants: in
frames of one record each (240 characters at most), and in frames filled up to 64,000 characters. Three servers, each in a
process of its own, take the same from the same client: ours; ours with a store that keeps nothing; and a loop that does nothing
but find the ends of frames, commit each message to SQLite in groups and answer. The client is one more process' worth of CPU on
the same cores, so every figure is a lower bound. What is on the line is what an Ethernet of 10 Mbit/s would carry towards the
server: frames, ENQ and EOT with the heads of Ethernet, IP and TCP around each packet; not what comes back.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import sqlite3
import tempfile
import time
from collections.abc import Callable
from datetime import datetime
from itertools import count
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, cast

import uvloop

from benchmarks.disk import fsyncs_per_second
from benchmarks.figures import Row, percentile
from benchmarks.intake import NoStore
from conformance.sandbox.analyser import ACK, ENQ, EOT, framed, texts_of
from connectors.sources import astm
from gateway.clock import SystemClock
from gateway.intake import ChannelIntake
from gateway.settings import Channel, ChannelSettings, SourcePlan
from gateway.store.engine import open_store
from gateway.store.sealed import Keyring, new_key_line
from mappings.hl7v2 import Context

SECONDS = 5.0
ANALYSERS = 30
RESULTS = 20
LINE = 10e6 / 8
"""Bytes a second of a line of 10 Mbit/s."""

_SEGMENT, _HEADS, _LEAST, _ETHERNET = 1460, 40, 46, 38
"""Bytes that a packet holds, that IP and TCP add, that Ethernet fills up to, and that it takes itself: preamble, head, check
sum, gap. Standard: IEEE 802.3 §3.1, §4.4"""

Server = Callable[[str, Connection, bool], None]


def message(number: int) -> bytes:
    """Make a result of 24 records, another one for every number."""
    at = datetime(2026, 11, 26, 8, 0)  # noqa: DTZ001 - as an instrument writes it
    records = [
        rf"H|\^&|{number}||LT-400^1.0|||||||P|LIS2-A2|{at:%Y%m%d%H%M%S}",
        "P|1||BN000001||NGUYEN^AN||19800115|F",
        f"O|1|S{number:08d}||^^^CBC|R|{at:%Y%m%d%H%M%S}||||||||||||||||||F",
        *(f"R|{n}|^^^T{n:02d}|{n}.40|mmol/L|3.90 to 6.40|N||F||||{at:%Y%m%d%H%M%S}" for n in range(1, RESULTS + 1)),
        "L|1|N",
    ]
    return "".join(f"{record}\r" for record in records).encode()


def frames_of(content: bytes, filled: bool) -> list[bytes]:
    if filled:
        return [framed(1, content, last=True)]
    return [framed(n, text, last=last) for n, (text, last) in enumerate(texts_of(content, 240), 1)]


def on_line(content: int) -> int:
    """Give what bytes written at once take of an Ethernet."""
    whole, rest = divmod(content, _SEGMENT)
    packets = [_SEGMENT] * whole + [rest] * bool(rest)
    return sum(max(packet + _HEADS, _LEAST) + _ETHERNET for packet in packets)


def serve_ours(folder: str, ready: Connection, durable: bool) -> None:
    settings = astm.Settings(listen="127.0.0.1:0", tls="none")
    channel = Channel(ChannelSettings("bench", ("*",)), SourcePlan("astm", settings), (), ())

    async def run() -> None:
        store: Any = open_store(f"sqlite:///{folder}/ledger.db") if durable else NoStore()
        keyring = Keyring.parse(new_key_line("k"))
        intake = ChannelIntake(channel, store, keyring, SystemClock(), lambda: None, Context("01999"))
        await astm.Source(settings).run(intake, ready.send)

    uvloop.run(run())


def serve_bare(folder: str, ready: Connection, durable: bool) -> None:
    """Find the ends of frames, commit messages in groups and answer: no checksum, no order of frames, no time-outs."""
    connection = sqlite3.connect(f"{folder}/bare.db", isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE message (id INTEGER PRIMARY KEY, body BLOB)")

    def commit(group: list[tuple[bytes]]) -> None:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT INTO message (body) VALUES (?)", group)
        connection.execute("COMMIT")

    async def run() -> None:
        loop = asyncio.get_running_loop()
        waiting: list[tuple[bytes, asyncio.Transport]] = []
        bell = asyncio.Event()

        class Bare(asyncio.Protocol):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                self.transport = cast("asyncio.Transport", transport)
                self.frame, self.text = b"", b""

            def data_received(self, data: bytes) -> None:
                if data[:1] in (ENQ, EOT):
                    if ENQ in data[:2]:
                        self.transport.write(ACK)
                    if not (data := data.lstrip(EOT + ENQ)):
                        return
                self.frame += data
                if not self.frame.endswith(b"\n"):
                    return
                self.text += self.frame[2:-5]
                self.frame = b""
                if b"\rL|" in self.text[-10:]:
                    waiting.append((self.text, self.transport))
                    self.text = b""
                    bell.set()
                else:
                    self.transport.write(ACK)

        server = await loop.create_server(Bare, "127.0.0.1", 0)
        ready.send(f"127.0.0.1:{server.sockets[0].getsockname()[1]}")
        while True:
            await bell.wait()
            bell.clear()
            group, waiting[:] = waiting[:], []
            await loop.run_in_executor(None, commit, [(body,) for body, _ in group])
            for _, transport in group:
                transport.write(ACK)

    uvloop.run(run())


class _Analyser(asyncio.Protocol):
    """Sends one session after the other until the time is up."""

    def __init__(self, number: int, filled: bool, end: float, figures: _Figures) -> None:
        self._numbers = count(number * 10_000_000)
        self._filled, self._end, self._figures = filled, end, figures
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._begin()

    def _begin(self) -> None:
        self._frames = [ENQ, *frames_of(message(next(self._numbers)), self._filled)]
        self._at = 0
        self._send()

    def _send(self) -> None:
        self._started = time.perf_counter()
        self._transport.write(self._frames[self._at])

    def data_received(self, data: bytes) -> None:
        if data != ACK:
            self.done.set_exception(RuntimeError(f"answered with {data!r}"))
            self._transport.abort()
            return
        self._at += 1
        if self._at < len(self._frames):
            self._send()
            return
        self._figures.latencies.append(time.perf_counter() - self._started)
        between = on_line(2)  # EOT and the next ENQ in one packet, which is the least
        self._figures.sent += between + sum(on_line(len(frame)) for frame in self._frames[1:])
        self._transport.write(EOT)
        if time.perf_counter() < self._end:
            self._begin()
        else:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None)


class _Figures:
    def __init__(self) -> None:
        self.latencies: list[float] = []
        self.sent = 0


async def _drive(host: str, port: int, filled: bool, seconds: float, offset: int) -> tuple[float, float, float]:
    """Return messages per second, bytes of the line per second, and the p99 of the ACK that ends a message, in milliseconds."""
    figures, loop = _Figures(), asyncio.get_running_loop()
    end = time.perf_counter() + seconds
    made = [
        await loop.create_connection(lambda n=n: _Analyser(offset + n, filled, end, figures), host, port)  # type: ignore[misc]
        for n in range(ANALYSERS)
    ]
    await asyncio.gather(*(analyser.done for _, analyser in made))
    return len(figures.latencies) / seconds, figures.sent / seconds, percentile(figures.latencies, 0.99) * 1e3


def rate(server: Server, durable: bool, filled: bool) -> tuple[float, float, float]:
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        ours, theirs = multiprocessing.get_context("spawn").Pipe(duplex=False)
        process = multiprocessing.get_context("spawn").Process(
            target=server, args=(folder, theirs, durable), daemon=True
        )
        process.start()
        host, _, port = ours.recv().rpartition(":")
        try:
            uvloop.run(_drive(host, int(port), filled, 1.0, 0))
            return uvloop.run(_drive(host, int(port), filled, SECONDS, ANALYSERS))
        finally:
            process.kill()
            process.join()


def measure() -> list[Row]:
    rows: list[Row] = [Row("disk, fdatasync one by one", fsyncs_per_second(), "/s")]
    for name, filled in (("a record a frame", False), ("filled frames", True)):
        bare, bare_bytes, bare_p99 = rate(serve_bare, True, filled)
        without, _, _ = rate(serve_ours, False, filled)
        ours, ours_bytes, p99 = rate(serve_ours, True, filled)
        rows += [
            Row(f"{name}: bare loop, SQLite group commit", bare, "messages/s"),
            Row(f"{name}: bare loop on the line", bare_bytes / 1e6, "MB/s", "10 Mbit/s", bare_bytes / LINE),
            Row(f"{name}: ours without persistence", without, "messages/s"),
            Row(f"{name}: ours, durable", ours, "messages/s", "bare loop", ours / bare),
            Row(f"{name}: ours, durable, beside none kept", ours, "messages/s", "without persistence", ours / without),
            Row(f"{name}: ours on the line", ours_bytes / 1e6, "MB/s", "10 Mbit/s", ours_bytes / LINE),
            Row(f"{name}: ours, p99 of the ACK that ends a message", p99, "ms", "bare loop p99", p99 / bare_p99),
        ]
    return rows
