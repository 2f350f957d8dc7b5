"""Monitors: reports taken durably per second beside the bare durable loop, and discharge papers with and without their load.

The papers are measured three times on fresh nodes: without monitors; with 200 monitors on a channel of low priority; with the
same on a channel like any other. Between the arrival of the message that makes a paper due and its seal lies all that can wait.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import sqlalchemy as sa

from benchmarks.figures import Row, percentile
from benchmarks.intake import rate, serve_bare, serve_ours
from conformance.sandbox.monitor import Monitor, report
from conformance.scenarios.hospital_day import hospital_day
from conformance.scenarios.player import play
from gateway.configuration import load
from gateway.store import schema
from gateway.store.engine import make_engine
from tests.site import start_node, write_site

CONNECTIONS = 8
MONITORS = 200
PER_SECOND = 1000
PAPERS_S = 12.0
"""How long the day of the hospital takes."""
ENCOUNTERS = 30
_DAY_S = 17 * 3600
_CHANNEL = """
name     = "monitors"
source   = {{ kind = "mllp", listen = "127.0.0.1:0", tls = "none" }}
accept   = ["ORU^R01", "ORU^R40"]
priority = "{priority}"
"""
_MARK = "CONTROLID"


def measure() -> list[Row]:
    ward = [
        report(Monitor(n, "01999", "BNM", Random(n)), _MARK, datetime(2026, 11, 3, 10, tzinfo=UTC))  # a second of each
        for n in range(MONITORS)
    ]

    def body(number: int, count: int) -> bytes:
        return ward[(number + count * CONNECTIONS) % MONITORS].replace(_MARK.encode(), b"%d-%d" % (number, count))

    bare, _, bare_p99 = rate(serve_bare, True, CONNECTIONS, body)
    ours, p50, p99 = rate(serve_ours, True, CONNECTIONS, body)
    beside = f"bare durable loop ({bare:,.0f}/s, p99 {bare_p99:.1f} ms)"
    rows = [
        Row(f"PCD-01 taken durably, {CONNECTIONS} connections", ours, "/s", beside, ours / bare),
        Row("p50 of the answer", p50, "ms"),
        Row("p99 of the answer", p99, "ms"),
    ]
    alone, _ = _papers("")
    rows += [
        Row("discharge papers, message to seal p50, no monitors", percentile(alone, 0.5), "ms"),
        Row("discharge papers, message to seal p99, no monitors", percentile(alone, 0.99), "ms"),
    ]
    for priority in ("low", "normal"):
        waits, told = _papers(priority)
        name = f"with {told['per_second']:,.0f}/s of {MONITORS} monitors, priority {priority}"
        for share in (0.5, 0.99):
            mine, before = percentile(waits, share), percentile(alone, share)
            rows.append(Row(f"p{share * 100:.0f} {name}", mine, "ms", f"no monitors ({before:,.0f} ms)", mine / before))
        rows.append(Row("  p99 of the answers to monitors", float(str(told["p99_ms"])), "ms"))
    return rows


def _papers(priority: str) -> tuple[list[float], dict[str, float]]:
    """Play a day against a fresh node; give how long each paper took, in milliseconds, and what came of the monitors."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        config = write_site(Path(name), produce=("discharge_paper",))
        if priority:
            (config / "channels" / "monitors.toml").write_text(_CHANNEL.format(priority=priority), encoding="utf-8")
        node_file = config / "node.toml"
        node_file.write_text(node_file.read_text().replace("workers = 1", "workers = 2"))
        node = start_node(config)
        engine = make_engine(load(config).store_url)
        load_of = None
        try:
            if priority:
                host, port = node.address("monitors")
                command = [sys.executable, "-m", "conformance.sandbox", "monitor", "--to", f"{host}:{port}", "--json"]
                count = round(PER_SECOND * (PAPERS_S + 5))
                command += ["--monitors", str(MONITORS), "--rate", str(PER_SECOND), "--messages", str(count)]
                load_of = subprocess.Popen(command, stdout=subprocess.PIPE)
                _first(engine)
            address = node.address()
            day = hospital_day(7, ENCOUNTERS)
            asyncio.run(play(day.events, {"his": address, "lis": address}, pace=_DAY_S / PAPERS_S, connections=4))
            waits = _sealed(engine)
            told = json.loads(load_of.communicate(timeout=120)[0]) if load_of else {}
            return waits, told
        finally:
            if load_of is not None and load_of.poll() is None:
                load_of.kill()
            engine.dispose()
            node.kill()


def _first(engine: sa.Engine) -> None:
    """Wait until monitors are heard."""
    end = time.monotonic() + 60
    heard = sa.select(sa.func.count()).select_from(schema.message)
    while time.monotonic() < end:
        with engine.connect() as connection:
            if (connection.scalar(heard) or 0) > PER_SECOND:
                return
        time.sleep(0.05)
    raise TimeoutError("no monitor is heard")


def _sealed(engine: sa.Engine) -> list[float]:
    """Wait until every paper is sealed; give how long each took since its message was received, in milliseconds."""
    took = (
        sa.select(schema.document.c.state, schema.document.c.signed_at, schema.message.c.received_at)
        .join_from(schema.document, schema.message, schema.document.c.message_id == schema.message.c.id)
        .where(schema.document.c.state.in_(("due", "composed", "signed")))
    )
    waiting = sa.select(sa.func.count()).where(schema.message.c.state == "received", schema.message.c.channel == "his")
    end = time.monotonic() + 120
    while time.monotonic() < end:
        with engine.connect() as connection:
            found = list(connection.execute(took))
            left = connection.scalar(waiting)
        if found and not left and all(row.state == "signed" for row in found):
            return [(row.signed_at - row.received_at) / 1000 for row in found]
        time.sleep(0.1)
    raise TimeoutError("papers are not sealed")
