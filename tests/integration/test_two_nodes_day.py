"""A small day on two nodes over PostgreSQL and Redis, one of which is killed in the middle: nothing is lost or doubled."""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import httpx
import pytest

from conformance.sandbox.ca import DemoCA
from conformance.scenarios.hospital_day import hospital_day
from conformance.scenarios.player import Played, play
from gateway.cli import demo_lookup, demo_servers
from gateway.cli.children import Child
from gateway.cli.demo_nodes import Nodes
from gateway.clock import SystemClock
from gateway.configuration import load
from gateway.faults import ServerMissing
from gateway.membership import overview
from gateway.store import deliveries
from gateway.store.engine import Store, make_engine
from tests.crash.test_kill import Hospital, database, get, judge, register, sandbox, under_way
from tests.servers import wait_until
from tests.site import cli, cli_json, destinations, running_node, write_site

EVENTS = 60
"""Of the day's messages: enough for every kind of paper to be under way when the node dies."""


def test_a_node_is_killed_in_the_middle_of_the_day(tmp_path: Path, postgres_server: str, redis_url: str) -> None:
    events = hospital_day(3, 25).events[:EVENTS]
    authority = DemoCA(tmp_path / "sandbox" / "ca")
    with sandbox(tmp_path) as addresses:
        config = write_site(
            tmp_path / "site",
            store=database(postgres_server),
            redis=redis_url,
            destinations=destinations(addresses),
            ca=authority,
        )
        register(addresses["admin"], (config / "keys" / "facility.pem").read_text())
        engine = make_engine(load(config).store_url)
        try:
            played = 0
            with running_node(config) as victim, running_node(config, "--name", "n2") as other:

                def note(_: Played) -> None:
                    nonlocal played
                    played += 1
                    if played == len(events) // 2:
                        victim.process.kill()

                both = [victim.address(), other.address()]
                answers = asyncio.run(play(events, {"his": both, "lis": both}, progress=note, tries=100))
                assert [one.event.label for one in answers if not one.code] == []
                assert victim.process.wait(10) == -9

                def settled() -> bool:
                    with engine.connect() as connection:
                        return not under_way(connection)

                wait_until(settled, 60)
                with engine.connect() as connection:
                    known = {one["name"]: one for one in overview(connection, SystemClock().now())}
                    hospital = Hospital(config, [], random.Random(1))
                    hospital.answered = {one.event.control_id: one.code for one in answers}
                    judge(connection, hospital, get(addresses["admin"] + "/_sandbox/records"))
                assert (known["n1"]["state"], known["n1"]["holds"]) == ("dead", {})
                assert (known["n2"]["state"], known["n2"]["leads"]) == ("running", True)
                assert [one for one in cli_json("errors", "-c", str(config)) if one["fault"]["code"] == "LT8109"] == []
        finally:
            engine.dispose()


def test_what_was_on_the_wire_to_the_portal_is_looked_up_there(tmp_path: Path) -> None:
    """Two files: the portal stored one without an answer, the other never came; a person sees which is which."""
    events = hospital_day(3, 25).events[: 2 * EVENTS]
    with sandbox(tmp_path) as addresses, httpx.Client(base_url=addresses["admin"]) as admin:
        site = write_site(
            tmp_path / "site",
            produce=("insurance_check_in",),
            destinations=destinations(addresses, (demo_lookup.PORTAL,)),
            ca=DemoCA(tmp_path / "sandbox" / "ca"),
        )
        register(addresses["admin"], (site / "keys" / "facility.pem").read_text())
        lost = [{"action": "lose_answer", "first": 2, "last": 2}, {"action": "down", "first": 4, "last": 4}]
        admin.post("/_sandbox/faults", json=[{"destination": demo_lookup.PORTAL} | one for one in lost])
        store = Store(make_engine(load(site).store_url))
        try:
            with running_node(site) as node:
                asyncio.run(play(events, {"his": [node.address()], "lis": [node.address()]}))

                def states() -> Counter[str]:
                    with store.engine.connect() as connection:
                        assert not under_way(connection)
                        return Counter(row.state for row in deliveries.listing(connection) if row.state != "closed")

                def settled() -> bool:
                    with store.engine.connect() as connection:
                        return not under_way(connection)

                async def look_up() -> demo_lookup.LookedUp:
                    async with httpx.AsyncClient(base_url=addresses["admin"]) as asked:
                        return await demo_lookup.look_up(store, asked)

                wait_until(settled, 60)
                before = states()
                assert before["error"] == 2
                assert asyncio.run(look_up()) == demo_lookup.LookedUp(there=1, not_there=1)
                wait_until(settled, 60)
                assert states() == {"accepted": before["accepted"] + 2}
                with store.engine.connect() as connection:
                    ours = {row.reference for row in deliveries.listing(connection, states=("accepted",))}
                records = admin.get("/_sandbox/records").json()
                assert ours == {one["reference"] for one in records if one["verdict"] == "accepted"}
                assert [one for one in records if one["verdict"] == "repeat"] == []
                assert asyncio.run(look_up()) == demo_lookup.LookedUp(0, 0)
        finally:
            store.close()


class _Process:
    def kill(self) -> None:
        """It is dead at once."""


def _child(port: int) -> Child:
    announced = {"listening": {"his": f"127.0.0.1:{port}"}}
    return Child("node", _Process(), announced, Path("log"))  # type: ignore[arg-type]


def test_the_only_node_is_sent_to(tmp_path: Path) -> None:
    assert Nodes(tmp_path, tmp_path, 1, {"": _child(1)}).addresses("his") == [("127.0.0.1", 1)]


def test_after_a_kill_only_living_nodes_are_sent_to(tmp_path: Path) -> None:
    async def day() -> tuple[list[tuple[str, int]], list[tuple[str, int]]]:
        nodes = Nodes(tmp_path, tmp_path, 2, {"n1": _child(1), "n2": _child(2)})
        before = nodes.addresses("his")
        nodes.kill(None)  # type: ignore[arg-type]  # the ledger is asked later, when the relief is looked for
        return before, nodes.addresses("his")

    before, after = asyncio.run(day())
    assert before == [("127.0.0.1", 1), ("127.0.0.1", 2)]
    assert after == [("127.0.0.1", 2)]


@pytest.mark.nightly
@pytest.mark.timeout(1800)
def test_the_demo_on_two_nodes_closes(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "gateway.cli", "demo", "--nodes", "2", "--folder", str(tmp_path), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=1500)
    found = json.loads(done.stdout)
    assert (done.returncode, found["closes"], found["open"]) == (0, True, []), json.dumps(found)
    assert found["nodes"]["killed"] == "n1"


def test_what_is_not_installed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.cli.demo_servers.shutil.which", lambda _: None)
    monkeypatch.setattr("gateway.cli.demo_servers._POSTGRES", ())
    with pytest.raises(ServerMissing, match="apt-get install -y --no-install-recommends postgresql redis-server"):
        demo_servers.programs()
    wrong = cli("demo", "--nodes", "0", "--folder", str(tmp_path))
    assert wrong.returncode == 2
