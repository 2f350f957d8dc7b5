"""A ward of monitors against a node: every report answered, mapped and kept by its rule; nothing of it delays the others."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conformance.sandbox import monitor
from conformance.sandbox.monitor import Ward
from connectors.sources import mllp
from gateway.clock import SECOND, SystemClock
from gateway.configuration import load
from gateway.intake import ChannelIntake
from gateway.pipeline import Pipeline
from gateway.settings import Channel, ChannelSettings, SourcePlan
from gateway.store import messages
from gateway.store.engine import open_store
from gateway.store.sealed import Keyring, new_key_line
from mappings.hl7v2 import Context
from tests.conftest import HandClock
from tests.integration.gateway.desk import Desk, Inline, evn, message, pid, pv1
from tests.site import cli_json, running_node, write_site

CHANNEL = """
name     = "monitors"
source   = { kind = "mllp", listen = "127.0.0.1:0", tls = "none" }
accept   = ["ORU^R01", "ORU^R40"]
priority = "low"
"""


def site(folder: Path) -> Path:
    config = write_site(folder, produce=())
    (config / "channels" / "monitors.toml").write_text(CHANNEL, encoding="utf-8")
    return config


def states(config: Path) -> dict[str, int]:
    plan = load(config)
    store = open_store(plan.store_url)
    try:
        found: dict[str, int] = {}
        for row in store.read_now(messages.counts):
            found[row.state] = found.get(row.state, 0) + row.messages
            assert row.unknown == 0
        return found
    finally:
        store.close()


def test_a_ward_is_answered_and_mapped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = site(tmp_path / "site")
    with running_node(config) as node:
        host, port = node.address("monitors")
        told = asyncio.run(monitor.send(Ward(monitors=10), host, port, 120))
        assert dict(told.answers) == {"CA": 120}
        assert (
            monitor.main(["--to", f"{host}:{port}", "--messages", "5", "--monitors", "5", "--seed", "9", "--json"]) == 0
        )
        assert json.loads(capsys.readouterr().out)["sent"] == 5
        end = time.monotonic() + 60
        while (found := states(config)).get("received", 0) and time.monotonic() < end:
            time.sleep(0.2)
    assert found == {"mapped": 125}
    listed: list[dict[str, Any]] = cli_json("messages", "--config", str(config), "--patient", "BNM00001", "--json")
    assert listed, "a patient's messages are found whatever their priority"


def test_a_discharge_does_not_wait_for_the_monitors_of_the_same_patient(store_url: str) -> None:
    """Of a backlog of one patient's reports and a discharge that came last, the discharge is taken first."""
    store = open_store(store_url)
    keyring = Keyring.parse(new_key_line("k1"))

    def door(name: str, priority: str) -> ChannelIntake:
        settings = ChannelSettings(name, ("*",), priority=priority)  # type: ignore[arg-type]
        source = SourcePlan("mllp", mllp.Settings(listen="127.0.0.1:0", tls="none"))
        channel = Channel(settings, source, (), ())
        return ChannelIntake(channel, store, keyring, SystemClock(), lambda: None, Context("01999"))

    async def arrive() -> None:
        monitors, his = door("monitors", "low"), door("his", "normal")
        for _, body in Ward(monitors=1, alarms=False).messages(20):
            await monitors.receive(body, "")
        discharge = message("ADT^A03", "1", evn(), pid("BNM00000"), pv1("LK1"))
        await his.receive(discharge, "")

    def take() -> list[str]:
        lease = {"owner": "n1", "now": SystemClock().now(), "until": SystemClock().now() + 60 * SECOND}
        return [row.type for row in store.write_now(lambda c: messages.take_received(c, limit=8, **lease))]  # type: ignore[arg-type]

    try:
        asyncio.run(arrive())
        assert take() == ["ADT^A03", "ORU^R01"], "and of the reports of one patient one at a time"
        assert take() == []
    finally:
        store.close()


class Hospital:
    """A ward on a channel of low priority beside the hospital's system, and the pipeline of both."""

    def __init__(self, folder: Path, clock: HandClock) -> None:
        self.desk = Desk(folder / "site", f"sqlite:///{folder / 'ledger.db'}", clock, accept=("*",), produce=())
        pool: Any = Inline()
        self.pipeline = Pipeline(self.desk.plan, self.desk.store, pool, clock, "n1", ring=lambda: None, parallel=8)
        source = SourcePlan("mllp", mllp.Settings(listen="127.0.0.1:0", tls="none"))
        channel = Channel(ChannelSettings("monitors", ("*",), priority="low"), source, (), ())
        self._intake = ChannelIntake(channel, self.desk.store, self.desk.keyring, clock, lambda: None, Context("01999"))

    async def hear(self, monitors: int) -> None:
        """Take in one report of each of so many monitors."""
        for _, body in Ward(monitors=monitors, alarms=False).messages(monitors):
            await self._intake.receive(body, "")
        self.desk.clock.forward(1)


@pytest.fixture
def hospital(tmp_path: Path, clock: HandClock) -> Iterator[Hospital]:
    made = Hospital(tmp_path, clock)
    yield made
    made.desk.store.close()


def test_while_something_comes_first_monitors_are_mapped_one_by_one(hospital: Hospital) -> None:
    """What was taken stands in the way of a discharge in the pool and in the commits: so little is taken beside one."""
    pipeline = hospital.pipeline
    begun: list[str] = []
    may_end = asyncio.Event()

    async def mapping(row: Any) -> None:
        begun.append(row.type)
        if row.type.startswith("ADT"):
            await may_end.wait()

    pipeline._map = mapping  # type: ignore[method-assign]

    async def run() -> None:
        await hospital.hear(20)
        await hospital.desk.intake.receive(message("ADT^A03", "1", evn(), pid("BNM00000"), pv1("LK1")), "")
        hospital.desk.clock.forward(1)
        for number in range(1, 4):
            await pipeline.take()
            await pipeline._low_tasks.drain()
            assert begun == ["ADT^A03"] + ["ORU^R01"] * number
        may_end.set()
        await pipeline.drain()
        await pipeline.take()
        assert len(pipeline._held) == 17, "alone, they have more room than what comes first"
        await pipeline.drain()

    asyncio.run(run())


def test_a_commit_stores_only_so_many_messages_of_monitors(hospital: Hospital, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has a message taken meanwhile waits for no more than that."""
    stored: list[int] = []
    commit = hospital.pipeline._commit_each

    def counting(connection: Any, done: Any) -> Any:
        stored.append(len(done))
        return commit(connection, done)

    monkeypatch.setattr(hospital.pipeline, "_commit_each", counting)

    async def run() -> None:
        await hospital.hear(30)
        await hospital.pipeline.take()
        assert len(hospital.pipeline._held) == 30
        await hospital.pipeline.drain()

    asyncio.run(run())
    assert (stored[0], sum(stored)) == (24, 30)


def test_of_large_messages_that_may_wait_few_are_held_at_once(
    hospital: Hospital, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is in memory from when it is opened until it is stored."""
    monkeypatch.setattr("gateway.pipeline._SMALL", 10)
    most = under_way = 0

    async def mapping(_row: Any) -> None:
        nonlocal most, under_way
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1

    monkeypatch.setattr(hospital.pipeline, "_map", mapping)

    async def run() -> None:
        await hospital.hear(30)
        await hospital.pipeline.take()
        await hospital.pipeline.drain()

    asyncio.run(run())
    assert most == 8
