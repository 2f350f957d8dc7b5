"""Ledgers of millions of rows, made by the database itself: nearly everything is done, as after some years."""

from __future__ import annotations

import os
import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg

from gateway.store.engine import make_engine
from gateway.store.migrate import upgrade

CHUNK = 1_000_000
KEYS = 6
"""Numbers in a message: patient, two orders, visit, control id, and one of a card or citizen."""
PAGE = 4096
CALM_S, LONG_MS = 8.0, 20.0
"""For how long no page may have taken so long, before the disk counts as done with what was written."""
LONG_AGO = "01800000"
"""How the ids of made rows begin: long before those made today."""


class Maker:
    """Run the same insertions on either engine, a million rows at a time."""

    def __init__(self, url: str, execute: Callable[[str], object], postgres: bool) -> None:
        self.url = url
        self._execute = execute
        self._postgres = postgres

    def number(self, expression: str, digits: int) -> str:
        """Write a number in hexadecimal."""
        if self._postgres:
            return f"lpad(to_hex(({expression})::bigint), {digits}, '0')"
        return f"printf('%0{digits}x', {expression})"

    def id(self, expression: str, kind: int) -> str:
        """Write the id of row n of a kind, in the order of n."""
        return f"('{LONG_AGO}-000{kind}-7000-8000-' || {self.number(expression, 12)})"

    def blob(self, expression: str) -> str:
        """Write a number as a key of 16 bytes, in its order."""
        digits = self.number(expression, 16)
        return f"convert_to({digits}, 'UTF8')" if self._postgres else f"CAST({digits} AS BLOB)"

    def octets(self, size: int) -> str:
        return f"decode(repeat('ab', {size}), 'hex')" if self._postgres else f"zeroblob({size})"

    @property
    def yes(self) -> str:
        return "true" if self._postgres else "1"

    def fill(self, table: str, columns: dict[str, str], rows: int) -> None:
        """Insert `rows` rows; in the expressions, `n` counts them from 0."""
        for first in range(0, rows, CHUNK):
            last = min(first + CHUNK, rows) - 1
            numbers = (
                f"generate_series({first}::bigint, {last}) AS numbers(n)"
                if self._postgres
                else f"(WITH RECURSIVE c(n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM c WHERE n < {last}) SELECT n FROM c)"
            )
            self._execute(
                f"INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(columns.values())} FROM {numbers}"
            )


@contextmanager
def making(url: str) -> Iterator[Maker]:
    """Make the schema at `url`, and give what fills it; statistics are taken afterwards on PostgreSQL only, as in the field."""
    engine = make_engine(url)
    upgrade(engine)
    engine.dispose()
    if url.startswith("sqlite"):
        path = url.removeprefix("sqlite:///")
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            for pragma in ("journal_mode=OFF", "synchronous=OFF", "foreign_keys=OFF", "cache_size=-400000"):
                connection.execute(f"PRAGMA {pragma}")
            yield Maker(url, connection.execute, False)
            connection.execute("PRAGMA journal_mode=WAL")
        with open(path, "rb") as file:
            os.fsync(file.fileno())
    else:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("SET synchronous_commit = off")
            connection.execute("SET session_replication_role = replica")  # no look-ups of references
            yield Maker(url, lambda text: connection.execute(text.encode()), True)
            connection.execute("VACUUM ANALYZE")


def messages(maker: Maker, rows: int) -> None:
    """Make mapped messages, each with its bytes left out and six keys; a key has one message, five or twenty."""
    maker.fill(
        "message",
        {
            "id": maker.id("n", 1), "channel": "'his'", "received_at": "n", "peer": "'10.0.0.7:40112'",
            "sender": "'HIS|01999'", "control_id": "'C' || n", "type": "'ORU^R01'", "version": "'2.5.1'", "size": "4400",
            "sha256": f"'{'0' * 48}' || {maker.number('n', 16)}", "dedupe_key": maker.blob("n * 1000000007"),
            "order_key": maker.blob("n % 500000"), "state": "'mapped'", "answer": "'AA'", "due_at": "n", "keyed": maker.yes,
        },
        rows,
    )  # fmt: skip
    # key number n in ascending order, so that the tree is built from the left; which message it is, is scattered
    scattered = f"(n * 7368787) % {rows}"
    group = (
        "(CASE WHEN n % 60 < 30 THEN n WHEN n % 60 < 40 THEN n / 60 * 60 + 30 + n % 2 * 5 ELSE n / 60 * 60 + 40 END)"
    )
    columns = {"key": maker.blob(f"{group} * 100000000007"), "message_id": maker.id(scattered, 1)}
    maker.fill("message_key", columns, rows * KEYS)


def documents(maker: Maker, rows: int, apiece: int) -> None:
    """Make signed papers of two patients in seven messages, and accepted deliveries with an attempt of each."""
    maker.fill(
        "document",
        {
            "id": maker.id("n", 2), "paper": "'discharge_paper'", "subject": "'Encounter/' || n", "version": "1",
            "channel": "'his'", "message_id": maker.id("n", 1), "patient_id": f"'p' || {maker.number('n % 500000', 30)}",
            "order_key": maker.blob("n % 500000"), "event_at": "n", "deadline_at": "n", "signed_at": "n",
            "state": "'signed'", "due_at": "n",
        },
        rows,
    )  # fmt: skip
    maker.fill(
        "delivery",
        {
            "id": maker.id("n", 3), "document_id": maker.id(f"n / {apiece}", 2), "destination": "'portal'",
            "order_key": maker.blob(f"n / {apiece} % 500000"), "basis": "'law'", "created_at": "n", "state": "'accepted'",
            "accepted_at": "n", "reference": "'GD' || n", "due_at": "n",
        },
        rows * apiece,
    )  # fmt: skip
    maker.fill(
        "attempt",
        {
            "delivery_id": maker.id("n", 3), "number": "1", "ended_at": "n", "event": "'accept'", "fault_code": "0",
            "detail": "''", "facts": "'{}'", "body": maker.octets(60),
        },
        rows * apiece,
    )  # fmt: skip


def forget(path: Path) -> None:
    """Ask the system to drop what it keeps in memory of the files of a ledger."""
    for file in path.parent.glob(f"{path.name}*"):
        with file.open("rb") as opened:
            os.fsync(opened.fileno())
            os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def read_pages(path: Path, count: int) -> None:
    """Read pages of a ledger here and there, one after the other, as far as the system has not kept them from the disk."""
    pages = path.stat().st_size // PAGE
    with path.open("rb", buffering=0) as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_RANDOM)
        for _ in range(count):
            os.pread(file.fileno(), PAGE, random.randrange(pages) * PAGE)


def await_disk(path: Path) -> None:
    """Wait until the disk has worked off what was written, two minutes at most.

    After 8 GB a disk was seen to stop for half a second every two seconds, in which each page took 70 ms, for 26 seconds.
    """
    end = time.monotonic() + 120
    calm_since = time.monotonic()
    while (now := time.monotonic()) < end and now - calm_since < CALM_S:
        forget(path)
        if any(timed(lambda: read_pages(path, 1)) > LONG_MS for _ in range(50)):
            calm_since = time.monotonic()


def timed(act: Callable[[], object]) -> float:
    """Return how many milliseconds `act` takes."""
    started = time.perf_counter()
    act()
    return (time.perf_counter() - started) * 1e3
