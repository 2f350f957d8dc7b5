"""Durable intake over MLLP: acknowledged messages per second and p99, beside what this machine can do at all.

Three servers, each in a process of its own, take the same 30-OBX results from the same client: ours; ours with a store that
keeps nothing; and a bare asyncio loop that does nothing but commit the bytes to SQLite in groups and answer. The client is
one more process' worth of CPU on the same cores, so every figure is a lower bound.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import sqlite3
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import uvloop

from benchmarks.disk import fsyncs_per_second
from benchmarks.figures import Row, percentile
from conformance.scenarios.load import oru
from connectors.sources import mllp
from gateway.clock import SystemClock
from gateway.intake import ChannelIntake
from gateway.settings import Channel, ChannelSettings, SourcePlan
from gateway.store.engine import open_store
from gateway.store.sealed import Keyring, new_key_line
from mappings.hl7v2 import Context

SECONDS = 5.0
_AFTER_WARM_UP = 1_000_000
"""Nothing is sent twice: what is measured is the way of a new message."""
ACK = b"\x0bMSH|^~\\&|||||||ACK|1|P|2.5\rMSA|AA|1\r\x1c\r"


class NoStore:
    """A store that forgets: the same server without persistence."""

    async def write_each(self, function: object, item: object) -> None:
        return None

    def post(self, function: object, item: object) -> None:
        return None


def serve_ours(folder: str, ready: Connection, durable: bool) -> None:
    settings = mllp.Settings(listen="127.0.0.1:0", tls="none")
    channel = Channel(ChannelSettings("bench", ("*",)), SourcePlan("mllp", settings), (), ())

    async def run() -> None:
        store: Any = open_store(f"sqlite:///{folder}/ledger.db") if durable else NoStore()
        intake = ChannelIntake(
            channel, store, Keyring.parse(new_key_line("k")), SystemClock(), lambda: None, Context("01999")
        )
        await mllp.Source(settings).run(intake, ready.send)

    uvloop.run(run())


def serve_bare(folder: str, ready: Connection, durable: bool) -> None:
    """Commit frames in groups and answer: the floor under any durable server in this language on this disk."""
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
        waiting: list[tuple[bytes, asyncio.Future[None]]] = []
        bell = asyncio.Event()

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                while True:
                    frame = await reader.readuntil(b"\x1c\r")
                    future = loop.create_future()
                    waiting.append((frame[1:-2], future))
                    bell.set()
                    await future
                    writer.write(ACK)
            except asyncio.IncompleteReadError:
                writer.close()

        server = await asyncio.start_server(handle, "127.0.0.1", 0, limit=1 << 20)
        ready.send(f"127.0.0.1:{server.sockets[0].getsockname()[1]}")
        while True:
            await bell.wait()
            bell.clear()
            group, waiting[:] = waiting[:], []
            await loop.run_in_executor(None, commit, [(body,) for body, _ in group])
            for _, future in group:
                future.set_result(None)

    uvloop.run(run())


def result(number: int, count: int) -> bytes:
    """Give the message that connection `number` sends after `count` others: 30 results."""
    return oru(30, number * 10_000_000 + count)


async def _drive(
    host: str, port: int, connections: int, seconds: float, body: Callable[[int, int], bytes], first: int = 0
) -> tuple[float, float, float]:
    """Return messages per second, p50 and p99 in milliseconds; each connection counts its messages from `first`."""
    latencies: list[float] = []
    end = time.perf_counter() + seconds

    async def one(number: int) -> None:
        reader, writer = await asyncio.open_connection(host, port, limit=1 << 20)
        count = first
        while time.perf_counter() < end:
            frame = b"\x0b" + body(number, count) + b"\x1c\r"
            started = time.perf_counter()
            writer.write(frame)
            await reader.readuntil(b"\x1c\r")
            latencies.append(time.perf_counter() - started)
            count += 1
        writer.close()

    await asyncio.gather(*(one(number) for number in range(connections)))
    return len(latencies) / seconds, percentile(latencies, 0.5) * 1e3, percentile(latencies, 0.99) * 1e3


def rate(
    server: Callable[[str, Connection, bool], None],
    durable: bool,
    connections: int,
    body: Callable[[int, int], bytes] = result,
) -> tuple[float, float, float]:
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        ours, theirs = multiprocessing.get_context("spawn").Pipe(duplex=False)
        process = multiprocessing.get_context("spawn").Process(
            target=server, args=(folder, theirs, durable), daemon=True
        )
        process.start()
        host, _, port = ours.recv().rpartition(":")
        try:
            uvloop.run(_drive(host, int(port), connections, 1.0, body))
            return uvloop.run(_drive(host, int(port), connections, SECONDS, body, _AFTER_WARM_UP))
        finally:
            process.kill()
            process.join()


def measure() -> list[Row]:
    rows: list[Row] = []
    for connections in (1, 32):
        disk = fsyncs_per_second()
        bare, _, bare_p99 = rate(serve_bare, True, connections)
        without, _, _ = rate(serve_ours, False, connections)
        ours, p50, p99 = rate(serve_ours, True, connections)
        name = f"{connections} connection{'s' if connections > 1 else ''}"
        rows += [
            Row(f"{name}: disk, fdatasync one by one", disk, "/s"),
            Row(f"{name}: bare loop, SQLite group commit", bare, "/s", "disk", bare / disk),
            Row(f"{name}: bare loop p99", bare_p99, "ms"),
            Row(f"{name}: ours without persistence", without, "/s"),
            Row(f"{name}: ours, durable", ours, "/s", "bare loop", ours / bare),
            Row(f"{name}: ours, durable, beside none kept", ours, "/s", "without persistence", ours / without),
            Row(f"{name}: ours p50", p50, "ms"),
            Row(f"{name}: ours p99", p99, "ms", "bare loop p99", p99 / bare_p99),
        ]
    return rows
