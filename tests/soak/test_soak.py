"""Half an hour at seven tenths of what a node can do: memory, handles, write-ahead log and latency stay what they are.

`LIENTHONG_SOAK_MINUTES` sets another length. What arrived is judged as after kills: nothing lost, doubled, out of order, stuck.
"""

from __future__ import annotations

import asyncio
import os
import random
import re
import statistics
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from itertools import chain, count
from pathlib import Path

import pytest
import sqlalchemy as sa

from conformance.sandbox.ca import DemoCA
from conformance.scenarios.event import Event
from conformance.scenarios.hospital_day import hospital_day
from conformance.scenarios.player import play
from gateway.clock import SECOND
from gateway.configuration import load
from gateway.store import schema
from gateway.store.engine import make_engine
from tests.crash.test_kill import Hospital, get, judge, register, sandbox
from tests.site import destinations, running_node, write_site
from tests.soak.flatness import MB, Sample, growing, memory_and_handles

MINUTES = float(os.environ.get("LIENTHONG_SOAK_MINUTES", "30"))
EVERY_S = 10.0
LOAD = 0.7
FIRST = date(2026, 1, 1)
_NUMBER = re.compile(rb"\b(?:BN|LK-2026-)(?=\d{6}\b)")
"""Where a patient's or a visit's number begins to be its own."""
_WHOSE = re.compile(rb"BN\d+|LK-2026-\d+|VD-[\d-]+|\w+(?=\^\^\^(?:CA\^NI|BHXH\^HC))|(?<=\|)[A-Z]{3}\d{12}(?=\|P\|)")
"""Numbers of patients, visits, persons, cards and messages."""


def day(n: int) -> Iterator[Event]:
    """Give the messages of a day; none has a control id, a patient or a visit of another."""
    for event in hospital_day(n, 25, FIRST + timedelta(days=n)).events:
        yield replace(event, raw=_NUMBER.sub(rb"\g<0>%04d" % n, event.raw))


def test_no_day_has_a_number_of_another() -> None:
    """A person who came every day would have a record that grows, and so would what each paper of theirs costs."""
    seen: dict[bytes, int] = {}
    shared = {
        number
        for n in range(1, 9)
        for event in day(n)
        for number in _WHOSE.findall(event.raw)
        if seen.setdefault(number, n) != n
    }
    assert len(seen) > 1000
    assert shared == set()


def latency(engine: sa.Engine) -> float:
    """Give the median time from message to acceptance of the newest deliveries, in seconds."""
    d, p, m = schema.delivery.c, schema.document.c, schema.message.c
    joined = schema.delivery.join(schema.document, p.id == d.document_id).join(schema.message, m.id == p.message_id)
    newest = (
        sa.select(d.accepted_at - m.received_at)
        .select_from(joined)
        .where(d.state == "accepted")
        .order_by(d.id.desc())
        .limit(100)
    )
    with engine.connect() as connection:
        return float(statistics.median(connection.scalars(newest))) / SECOND


@pytest.mark.nightly
def test_nothing_grows(tmp_path: Path) -> None:
    authority = DemoCA(tmp_path / "sandbox" / "ca")
    with sandbox(tmp_path) as addresses:
        config = write_site(tmp_path / "site", destinations=destinations(addresses), ca=authority)
        register(addresses["admin"], (config / "keys" / "facility.pem").read_text())
        engine = make_engine(load(config).store_url).execution_options(reading=True)
        hospital = Hospital(config, [], random.Random(1))
        wal = config / "ledger" / "ledger.db-wal"
        with running_node(config) as node:
            hospital.node = node
            peak = hospital_day(1, 120, FIRST).events
            started = time.monotonic()
            asyncio.run(play(peak, {"his": node.address(), "lis": node.address()}, connections=8))
            hospital.settle(engine, 600)
            rate = LOAD * len(peak) / (time.monotonic() - started)
            samples: list[Sample] = []
            sent = 0
            started = due = seen = time.monotonic()
            for event in chain.from_iterable(map(day, count(1))):
                now = time.monotonic()
                if now - started > MINUTES * 60:
                    break
                if now - seen > EVERY_S:
                    seen = now
                    held = memory_and_handles(node.process.pid)
                    samples.append(Sample(*held, wal.stat().st_size if wal.exists() else 0, latency(engine)))
                    if len(samples) % 6 == 1:
                        print(told(now - started, sent, samples[-1]), flush=True)  # noqa: T201 - progress of half an hour
                due = max(due, now - 1) + 1 / rate
                time.sleep(max(0.0, due - now))
                hospital.send(event)
                sent += 1
            hospital.settle(engine, 600)
            print(f"{rate:.1f} messages/s", told(time.monotonic() - started, sent, samples[-1]))  # noqa: T201 - progress of half an hour
            with engine.connect() as connection:
                judge(connection, hospital, get(addresses["admin"] + "/_sandbox/records"))
        engine.dispose()
        assert growing(samples) == []


def told(seconds: float, messages: int, one: Sample) -> str:
    return (
        f"{seconds / 60:4.0f} min  {messages} messages  {one.memory / MB:.0f} MB  {one.handles:.0f} handles  "
        f"WAL {one.wal / MB:.1f} MB  {one.latency * 1000:.0f} ms"
    )
