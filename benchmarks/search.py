"""Search: messages, documents and deliveries of a number among ten million messages, beside a bare look-up by primary key.

Cold: a new connection, and for SQLite the system is asked to forget the file before every single question. PostgreSQL keeps its
own memory, so there only the first question after a start of the server is cold. Beside every cold question of SQLite as many
pages of the ledger are read bare, here and there, one after the other, as a patient has messages: what the disk alone may take.
`python -m benchmarks search` is not part of a run of everything: making the rows takes minutes and 8 GB in the folder of
temporary files.
"""

from __future__ import annotations

import os
import random
import tempfile
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from benchmarks import big_ledger
from benchmarks.figures import Row, percentile
from gateway.records import message_search
from gateway.store import message_keys
from gateway.store.engine import Store, make_engine
from gateway.store.sealed import Keyring, new_key_line
from tests.servers import postgres

MESSAGES = int(os.environ.get("LIENTHONG_BENCH_ROWS", "10000000"))
PAPERS = MESSAGES // 10
ASKED = 200
OF_A_PATIENT = 20
"""Messages."""


@dataclass
class Asked:
    """How long each question took in milliseconds."""

    cold: list[float] = field(default_factory=list)
    warm: list[float] = field(default_factory=list)
    pages: list[float] = field(default_factory=list)
    """And beside each cold one, bare pages of the same file."""


def measure() -> list[Row]:
    rows: list[Row] = []
    for engine in os.environ.get("LIENTHONG_BENCH_ENGINES", "sqlite postgresql").split():
        with (
            tempfile.TemporaryDirectory(prefix="lienthong-bench-") as folder,
            postgres() if engine == "postgresql" else nullcontext(f"sqlite:///{folder}/ledger.db") as url,
        ):
            rows += _measure(engine, url)
    return rows


def _measure(engine: str, url: str) -> list[Row]:
    def fill() -> None:
        with big_ledger.making(url) as maker:
            big_ledger.messages(maker, MESSAGES)
            big_ledger.documents(maker, PAPERS, 1)

    made = big_ledger.timed(fill) / 1e3
    if path := _file(url):
        big_ledger.await_disk(path)
    keyring = Keyring.parse(new_key_line("k"))
    numbers, ids = _asked(url, keyring)
    size = _size(url)
    patient, order = (
        _times(url, [lambda c, n=n, kind=kind: message_search.find(c, keyring, n, (kind,)) for n in numbers])  # type: ignore[misc]
        for kind in ("patient", "order")
    )
    anything = _times(url, [lambda c, n=n: message_search.find(c, keyring, n) for n in numbers])  # type: ignore[misc]
    nothing = _times(url, [lambda c, n=n: message_search.find(c, keyring, f"x{n}") for n in numbers])  # type: ignore[misc]
    bare = _times(url, [lambda c, i=i: message_keys.messages_of(c, [i]) for i in ids])  # type: ignore[misc]
    floor = percentile(bare.cold, 0.5), percentile(bare.warm, 0.5)
    rows = [
        Row(f"{engine}: {MESSAGES:,} messages, {MESSAGES * big_ledger.KEYS:,} keys made", made, "s"),
        Row(f"{engine}: the ledger", size / 1e9, "GB"),
        Row(f"{engine}: bare look-up by primary key, cold, p50", floor[0], "ms"),
        Row(f"{engine}: bare look-up by primary key, warm, p50", floor[1], "ms"),
    ]
    for what, asked in (
        ("patient with 20 messages", patient),
        ("order with 1 message", order),
        ("a number of any kind", anything),
        ("a number that nothing has", nothing),
    ):
        for how, times, beside in (("cold", asked.cold, floor[0]), ("warm", asked.warm, floor[1])):
            middle = percentile(times, 0.5)
            rows += [
                Row(f"{engine}: {what}, {how}, p50", middle, "ms", "bare look-up", middle / beside),
                Row(f"{engine}: {what}, {how}, slowest of {ASKED}", max(times), "ms"),
            ]
    pages = [took for asked in (patient, order, anything, nothing, bare) for took in asked.pages]
    if pages:
        rows += [
            Row(f"{engine}: {OF_A_PATIENT} pages read bare, cold, p50", percentile(pages, 0.5), "ms"),
            Row(f"{engine}: {OF_A_PATIENT} pages read bare, cold, slowest of {len(pages)}", max(pages), "ms"),
        ]
    return rows


def _asked(url: str, keyring: Keyring) -> tuple[list[str], list[str]]:
    """Give real keys to messages here and there; return the numbers, and as many ids."""
    chance = random.Random(7)
    numbers = [f"N{n:06}" for n in range(ASKED)]
    store = Store(make_engine(url))
    try:

        def unit(connection: object) -> list[str]:
            pairs = []
            for number in numbers:
                for kind, messages in (("patient", OF_A_PATIENT), ("order", 1)):
                    key = keyring.search_key("message", f"{kind}|{number.casefold()}")
                    pairs += [(key, _id(chance.randrange(MESSAGES))) for _ in range(messages)]
            message_keys.put(connection, pairs)  # type: ignore[arg-type]
            return [_id(chance.randrange(MESSAGES)) for _ in numbers]

        return numbers, store.write_now(unit)
    finally:
        store.close()


def _id(n: int) -> str:
    return f"{big_ledger.LONG_AGO}-0001-7000-8000-{n:012x}"


def _times(url: str, questions: list[Callable[[object], object]]) -> Asked:
    """Ask each question cold, then all of them twice more, of which the second time counts as warm."""
    asked = Asked()
    path = _file(url)
    engine = make_engine(url)
    store = Store(engine)
    try:
        for times in (asked.cold, [], asked.warm):
            for question in questions:
                if times is asked.cold and path:
                    big_ledger.forget(path)
                    asked.pages.append(big_ledger.timed(lambda: big_ledger.read_pages(path, OF_A_PATIENT)))
                    engine.dispose()
                    big_ledger.forget(path)
                times.append(big_ledger.timed(lambda question=question: store.read_now(question)))  # type: ignore[misc]
    finally:
        store.close()
    return asked


def _file(url: str) -> Path | None:
    return Path(url.removeprefix("sqlite:///")) if url.startswith("sqlite") else None


def _size(url: str) -> int:
    if path := _file(url):
        return path.stat().st_size
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT pg_database_size(current_database())").fetchone()
    return int(row[0]) if row else 0
