"""The whole way: from the event on the wire to three accepted deliveries, in papers per second and core."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import sqlalchemy as sa

from benchmarks.figures import Row, percentile
from conformance.sandbox.ca import DemoCA
from conformance.scenarios.hospital_day import hospital_day
from conformance.scenarios.player import play
from gateway.configuration import load
from gateway.store import schema
from gateway.store.engine import make_engine
from tests.site import PASSWORD, destinations, start_node, write_site

ENCOUNTERS = 300


def measure() -> list[Row]:
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        return _measure(Path(name))


def _measure(folder: Path) -> list[Row]:
    authority = DemoCA(folder / "sandbox" / "ca")
    with (folder / "sandbox.log").open("wb") as log:
        sandbox = subprocess.Popen(
            [sys.executable, "-m", "conformance.sandbox", "--folder", str(folder / "sandbox"), "--password", PASSWORD],
            stdout=subprocess.PIPE,
            stderr=log,
        )
    assert sandbox.stdout is not None
    addresses = json.loads(sandbox.stdout.readline())
    config = write_site(folder / "site", destinations=destinations(addresses), ca=authority)
    node_file = config / "node.toml"
    node_file.write_text(node_file.read_text().replace("workers = 1", "workers = 2"))
    keys = Path(addresses["keys"]) / "transport.p12"
    (config / "keys" / "transport.p12").write_bytes(keys.read_bytes())
    with node_file.open("a") as file:
        file.write('\n[transport]\nkind = "pkcs12"\nfile = "keys/transport.p12"\npassword = "secret:keys"\n')
    node = start_node(config)
    engine = make_engine(load(config).store_url)
    try:
        day = hospital_day(7, ENCOUNTERS)
        started = time.perf_counter()
        address = node.address()
        asyncio.run(play(day.events, {"his": address, "lis": address}, connections=8))
        played = time.perf_counter() - started
        _settled(engine)
        whole = time.perf_counter() - started
        with engine.connect() as connection:
            papers = connection.scalar(sa.select(sa.func.count()).select_from(schema.document)) or 0
            waits = [
                (accepted - event) / 1000
                for accepted, event in connection.execute(
                    sa.select(schema.delivery.c.accepted_at, schema.document.c.event_at)
                    .join_from(schema.delivery, schema.document)
                    .where(schema.delivery.c.accepted_at.is_not(None))
                )
            ]
        cores = 2
        return [
            Row(f"{len(day.events)} messages played in", played, "s"),
            Row(f"{papers} papers, {len(waits)} accepted deliveries, all in", whole, "s"),
            Row("papers per second, three deliveries each", papers / whole, "/s"),
            Row("papers per second and core (sandbox and player share the cores)", papers / whole / cores, "/s"),
            Row("event to acceptance p50, under this load", percentile(waits, 0.5), "ms"),
            Row("event to acceptance p99, under this load", percentile(waits, 0.99), "ms"),
        ]
    finally:
        engine.dispose()
        node.stop()
        sandbox.terminate()
        sandbox.wait(20)


def _settled(engine: sa.Engine) -> None:
    """Wait until nothing is under way."""
    open_ = ("pending", "queued", "claimed", "sending", "uncertain")
    end = time.monotonic() + 600
    while time.monotonic() < end:
        with engine.connect() as connection:
            waiting = connection.scalar(
                sa.select(
                    sa.select(sa.func.count())
                    .select_from(schema.message)
                    .where(schema.message.c.state == "received")
                    .scalar_subquery()
                    + sa.select(sa.func.count())
                    .select_from(schema.delivery)
                    .where(schema.delivery.c.state.in_(open_))
                    .scalar_subquery()
                )
            )
        if not waiting:
            return
        time.sleep(0.02)
    raise TimeoutError("the day did not settle")
