"""Delivery: accepted deliveries per second, beside the bare commits that each of them costs.

The engine is the product's own worker and queue; the destination is in the same process and says yes at once, or after a
while. Every delivery has a sealed document of 12 KB of its own and, unless said otherwise, an order key among 10,000.
"""

from __future__ import annotations

import asyncio
import hashlib
import multiprocessing
import os
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import redis.asyncio as redis
import uvloop
from sqlalchemy.engine import Connection

from benchmarks import big_ledger
from benchmarks.figures import Row, percentile
from connectors.contract import Outbound, Receipt
from gateway.clock import SECOND, SystemClock
from gateway.delivery.limits import Limit, Rules
from gateway.delivery.redis_queue import RedisQueue
from gateway.delivery.sql_queue import SqlQueue
from gateway.delivery.worker import Worker
from gateway.settings import Route, RouteSettings
from gateway.store import schema
from gateway.store.engine import Store, open_store
from gateway.store.ids import uuid7
from gateway.store.sealed import Keyring
from tests import servers

KEYRING = "k:" + "A" * 43 + "="
SLOTS = 64
ROWS = int(os.environ.get("LIENTHONG_BENCH_ROWS", "10000000"))
BODY = bytes(range(256)) * 48
EVIDENCE = b'{"maKetQua":"200","maGiaoDich":"GD0000000001"}'


class Peer:
    """A destination that says yes after `delay_s`."""

    def __init__(self, delay_s: float) -> None:
        self._delay_s = delay_s
        self.accepted = 0
        self.last = 0.0

    async def deliver(self, document: Outbound) -> Receipt:
        await asyncio.sleep(self._delay_s)
        self.accepted += 1
        return Receipt(f"GD-{document.key}", EVIDENCE, {"maKetQua": "200"})

    async def find(self, document: Outbound) -> Receipt | None:
        return None

    async def close(self) -> None:
        return None


def fill(store: Store, deliveries: int, keys: int = 10_000) -> None:
    """Queue deliveries, each of a document of its own."""
    keyring = Keyring.parse(KEYRING)
    now = SystemClock().now()
    message_id = uuid7()
    documents, renditions, queued = [], [], []
    for n in range(deliveries):
        key = hashlib.sha256(b"%d" % (n % keys)).digest()[:16]
        document_id, common = uuid7(), {"order_key": key, "due_at": now}
        documents.append(
            {
                "id": document_id, "paper": "discharge_paper", "subject": f"Encounter/{document_id}", "version": 1,
                "channel": "his", "message_id": message_id, "patient_id": f"p{n % keys}", "event_at": now,
                "deadline_at": now, "signed_at": now, "state": "signed", **common,
            }
        )  # fmt: skip
        renditions.append(
            {
                "document_id": document_id, "kind": "cda", "media_type": "application/xml", "sha256": "0" * 64,
                "signed": True, "body": keyring.seal(BODY, f"{document_id}/cda"),
            }
        )  # fmt: skip
        queued.append(
            {
                "id": uuid7(), "document_id": document_id, "destination": "portal", "basis": "law", "created_at": now,
                "state": "queued", **common,
            }
        )  # fmt: skip

    def unit(connection: Connection) -> None:
        connection.execute(
            schema.message.insert(),
            {
                "id": message_id, "channel": "his", "received_at": now, "peer": "", "sender": "HIS", "control_id": "1",
                "type": "ADT^A03", "version": "2.5.1", "size": 1, "sha256": "", "order_key": b"", "state": "mapped",
                "answer": "AA", "due_at": now,
            },
        )  # fmt: skip
        for table, rows in ((schema.document, documents), (schema.rendition, renditions), (schema.delivery, queued)):
            connection.execute(table.insert(), rows)

    store.write_now(unit)


async def _work(go: Pipe, url: str, redis_url: str, delay_s: float, slots: int, limit: int, stop: float) -> Any:
    """Deliver until nothing is left, or `stop` seconds; return how many, from when to when, and how long claims took."""
    store = open_store(url)
    peer = Peer(delay_s)
    rules = {"portal": Rules(Limit(limit))}
    own = (store, Keyring.parse(KEYRING), SystemClock(), f"n{os.getpid()}", 60 * SECOND, "01999", rules)
    queue: SqlQueue = RedisQueue(redis_url, url, *own) if redis_url else SqlQueue(*own)
    claims: list[float] = []
    take = queue.take

    async def timed(destination: str, limit: int) -> Any:
        started = time.perf_counter()
        taken = await take(destination, limit)
        claims.append(time.perf_counter() - started)
        return taken

    queue.take = timed  # type: ignore[method-assign]
    route = Route("portal", RouteSettings("bench", basis="law", limit=Limit(slots)), SimpleNamespace(takes="cda"))
    worker = Worker(route, peer, queue, SystemClock())
    go.send("ready")
    await asyncio.to_thread(go.recv)
    started, seen, last = time.time(), 0, time.time()
    cpu = time.process_time()
    running = asyncio.create_task(worker.run(asyncio.Event()))
    while time.time() - started < stop and time.time() - last < (max(0.5, 3 * delay_s) if seen else 20):
        await asyncio.sleep(0.02)
        if peer.accepted != seen:
            seen, last = peer.accepted, time.time()
    cpu = time.process_time() - cpu
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await queue.close()
    store.close()
    return seen, started, last, claims, cpu


def _node(go: Pipe, *arguments: Any) -> None:
    profile = os.environ.get("LIENTHONG_BENCH_PROFILE")
    if profile:
        import cProfile

        profiler = cProfile.Profile()
        result = profiler.runcall(uvloop.run, _work(go, *arguments))
        profiler.dump_stats(profile)
    else:
        result = uvloop.run(_work(go, *arguments))
    go.send(result)


def deliver(
    url: str, redis_url: str = "", *, nodes: int = 1, delay_s: float = 0.0, slots: int = SLOTS, limit: int = 0,
    stop: float = 60.0,
) -> tuple[float, float, float]:  # fmt: skip
    """Return deliveries per second over all nodes, p99 of a claim in ms, and CPU ms per delivery of the nodes."""
    spawn = multiprocessing.get_context("spawn")
    pipes, processes = [], []
    for _ in range(nodes):
        ours, theirs = spawn.Pipe()
        arguments = (theirs, url, redis_url, delay_s, slots, limit or slots, stop)
        processes.append(spawn.Process(target=_node, args=arguments, daemon=True))
        processes[-1].start()
        pipes.append(ours)
    for pipe in pipes:
        pipe.recv()
    for pipe in pipes:
        pipe.send("go")
    results = [pipe.recv() for pipe in pipes]
    for process in processes:
        process.join()
    count = sum(one[0] for one in results)
    seconds = max(one[2] for one in results) - min(one[1] for one in results)
    claims = [claim for one in results for claim in one[3]]
    return count / seconds, percentile(claims, 0.99) * 1e3, sum(one[4] for one in results) / max(count, 1) * 1e3


# ---- what stands beside ----


def bare_sqlite(folder: str, seconds: float = 3.0) -> float:
    """Claim, send and accept in three commits of 64 rows each, on the driver, with nothing else."""
    connection = sqlite3.connect(f"{folder}/bare.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE delivery (id TEXT PRIMARY KEY, state TEXT, reference TEXT)")
    connection.execute("CREATE INDEX due ON delivery (id) WHERE state = 'queued'")
    connection.execute("CREATE TABLE attempt (id TEXT PRIMARY KEY, body BLOB)")
    connection.execute("BEGIN")
    connection.executemany("INSERT INTO delivery VALUES (?, 'queued', '')", ((uuid7(),) for _ in range(100_000)))
    connection.execute("COMMIT")
    done, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds and done < 100_000 - SLOTS:
        connection.execute("BEGIN IMMEDIATE")
        taken = connection.execute(
            "UPDATE delivery SET state = 'claimed' WHERE id IN"
            " (SELECT id FROM delivery WHERE state = 'queued' ORDER BY id LIMIT ?) RETURNING id",
            (SLOTS,),
        ).fetchall()
        connection.execute("COMMIT")
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("UPDATE delivery SET state = 'sending' WHERE id = ?", taken)
        connection.execute("COMMIT")
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("UPDATE delivery SET state = 'accepted', reference = 'GD' WHERE id = ?", taken)
        connection.executemany("INSERT INTO attempt VALUES (?, ?)", [(id_, EVIDENCE) for (id_,) in taken])
        connection.execute("COMMIT")
        done += len(taken)
    rate = done / (time.perf_counter() - started)
    connection.close()
    return rate


def bare_redis(url: str, redis_url: str, seconds: float = 3.0) -> float:
    """XADD, XREADGROUP, one commit and XACK for each of 64 at the same time, with nothing else."""

    async def run() -> float:
        client = redis.Redis.from_url(redis_url)
        await client.xgroup_create("bare", "g", id="0", mkstream=True)
        with psycopg.connect(url, autocommit=True) as setup:
            setup.execute("CREATE TABLE bare (id TEXT PRIMARY KEY, state TEXT)")
        done, started = 0, time.perf_counter()

        async def one(number: int) -> None:
            nonlocal done
            async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
                while time.perf_counter() - started < seconds:
                    await client.xadd("bare", {"id": uuid7()})
                    found: Any = await client.xreadgroup("g", f"c{number}", {"bare": ">"}, count=1)
                    ((_, ((entry, fields),)),) = found
                    await connection.execute("INSERT INTO bare VALUES (%s, 'accepted')", (fields[b"id"].decode(),))
                    await client.xack("bare", "g", entry)
                    done += 1

        await asyncio.gather(*(one(number) for number in range(SLOTS)))
        rate = done / (time.perf_counter() - started)
        await client.aclose()
        return rate

    return uvloop.run(run())


# ---- the figures ----


@contextmanager
def ledger(engine: str, deliveries: int, keys: int = 10_000) -> Iterator[tuple[str, str, str]]:
    """Give the URL of a filled ledger, that of its Redis, and a folder on the same disk."""
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(dir=Path.cwd()))
        redis_url = ""
        if engine == "sqlite":
            url = f"sqlite:///{folder}/ledger.db"
        else:
            url, redis_url = stack.enter_context(servers.postgres(durable=True)), stack.enter_context(servers.redis())
        store = open_store(url)
        fill(store, deliveries, keys)
        store.close()
        yield url, redis_url, folder


def at_once() -> list[Row]:
    rows = []
    with ledger("sqlite", 4000) as (url, _, folder):
        bare = bare_sqlite(folder)
        rate, claim, cpu = deliver(url)
        rows += [
            Row("SQLite: bare commits, claim + send + accept, 64 at once", bare, "/s"),
            Row("SQLite: one node", rate, "/s", "bare commits", rate / bare),
            Row("SQLite: CPU of one delivery", cpu, "ms"),
            Row("SQLite: claim p99", claim, "ms"),
        ]
    with ledger("postgresql", 4000) as (url, redis_url, _):
        bare = bare_redis(url, redis_url)
        rate, claim, cpu = deliver(url, redis_url)
        rows += [
            Row("PostgreSQL + Redis: bare XADD, XREADGROUP, commit, XACK", bare, "/s"),
            Row("PostgreSQL + Redis: one node", rate, "/s", "bare", rate / bare),
            Row("PostgreSQL + Redis: CPU of one delivery", cpu, "ms"),
            Row("PostgreSQL + Redis: claim p99", claim, "ms"),
        ]
    return rows


def slow() -> list[Row]:
    rows = []
    for engine, count in (("sqlite", 2000), ("postgresql", 2000)):
        with ledger(engine, count) as (url, redis_url, _):
            rate, claim, _ = deliver(url, redis_url, delay_s=0.25)
            most = SLOTS / 0.25
            rows += [
                Row(f"{engine}: 250 ms, in flight 64", rate, "/s", "64 / 250 ms", rate / most),
                Row(f"{engine}: 250 ms, claim p99", claim, "ms"),
            ]
    rates = []
    for nodes in (1, 2):
        with ledger("postgresql", 600 * nodes) as (url, redis_url, _):
            rates.append(deliver(url, redis_url, nodes=nodes, delay_s=0.25, slots=16, limit=64)[0])
    rows.append(Row("250 ms, nodes that bear 16 at once: one", rates[0], "/s"))
    rows.append(Row("250 ms, nodes that bear 16 at once: two", rates[1], "/s", "one", rates[1] / rates[0]))
    return rows


def behind() -> list[Row]:
    """Measure with a backlog, and with a ledger full of what is done."""
    rows, costs = [], []
    with ledger("sqlite", 20_000) as (url, _, _):
        rate, claim, _ = deliver(url, stop=6.0)
        rows += [Row("SQLite: backlog of 20,000", rate, "/s"), Row("SQLite: backlog of 20,000, claim p99", claim, "ms")]
    for done in (10_000, ROWS):
        with tempfile.TemporaryDirectory(prefix="lienthong-bench-") as folder:
            url = f"sqlite:///{folder}/ledger.db"
            with big_ledger.making(url) as maker:
                big_ledger.documents(maker, done // 4, 4)
            runs = []
            for _ in range(3):
                store = open_store(url)
                fill(store, 3000)
                store.close()
                runs.append(deliver(url))
            costs.append((max(run[0] for run in runs), min(run[2] for run in runs)))
    rows += [
        Row("SQLite: beside 10,000 rows that are done", costs[0][0], "/s"),
        Row(f"SQLite: beside {ROWS:,} rows that are done", costs[1][0], "/s"),
        Row("cost of one, by time", 1e3 / costs[1][0], "ms", "among 10,000", costs[0][0] / costs[1][0]),
        Row("cost of one, by CPU", costs[1][1], "ms", "among 10,000", costs[1][1] / costs[0][1]),
    ]
    return rows


def measure() -> list[Row]:
    parts: dict[str, Callable[[], list[Row]]] = {"at_once": at_once, "slow": slow, "behind": behind}
    wanted = os.environ.get("LIENTHONG_BENCH_PARTS", " ".join(parts)).split()
    return [row for part in wanted for row in parts[part]()]
