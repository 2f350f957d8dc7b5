"""Nodes as processes: a message that kills who maps it, a node told to stop, roles, and what `lienthong nodes` says."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from conformance.scenarios.load import load as load_messages
from gateway.clock import SystemClock
from gateway.configuration import load
from gateway.membership import overview
from gateway.store import messages
from gateway.store.engine import make_engine
from tests.integration.gateway.test_bad_input import exchange, framed
from tests.servers import wait_until
from tests.site import cli, cli_json, running_node, write_site

DEADLY = """
import os
from mappings.hl7v2 import site

@site.replace
def pid_to_patient(pid, draft, usual):
    if "TAI HOA" in pid[5].text:
        os.kill(os.getpid(), 9)
    return usual(pid, draft)
"""


def deadly(raw: bytes) -> bytes:
    """Give the patient of a message the name at which the mapping kills its process."""
    segments = raw.split(b"\r")
    fields = segments[2].split(b"|")
    assert fields[0] == b"PID"
    fields[5] = b"TAI HOA"
    segments[2] = b"|".join(fields)
    return b"\r".join(segments)


class Ledger:
    """What a test sees without starting a command."""

    def __init__(self, config: Path) -> None:
        self._engine = make_engine(load(config).store_url)

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self._engine.dispose()

    def messages(self) -> Counter[str]:
        with self._engine.connect() as connection:
            return Counter(row.state for row in messages.listing(connection))

    def deaths(self) -> int:
        with self._engine.connect() as connection:
            return sum(row.deaths for row in messages.listing(connection))

    def node(self, name: str) -> Any:
        with self._engine.connect() as connection:
            return next(one for one in overview(connection, SystemClock().now()) if one["name"] == name)


def test_a_message_that_kills_its_process_is_found_out_and_no_other_is_blamed(tmp_path: Path) -> None:
    config = write_site(tmp_path, produce=())
    (config / "site").mkdir()
    (config / "site" / "deadly.py").write_text(DEADLY, encoding="utf-8")
    (config / "node.toml").write_text((config / "node.toml").read_text().replace("workers = 1", "workers = 2"))
    load_of_day = list(load_messages(24, 7))
    load_of_day[5] = deadly(load_of_day[5])
    with Ledger(config) as ledger:
        with running_node(config) as node:
            for raw in load_of_day:
                assert exchange(node.address(), framed(raw))["code"] == "AA"
            wait_until(lambda: ledger.messages() == {"mapped": 23, "error": 1}, 90)
            (item,) = cli_json("errors", "--config", str(config))
            assert item["fault"]["code"] == "LT8109"
            assert ledger.deaths() == 2
            (config / "site" / "deadly.py").unlink()
        with running_node(config):
            assert cli("errors", "--config", str(config), "retry", item["id"], "-r", "đã sửa").returncode == 0
            wait_until(lambda: ledger.messages() == {"mapped": 24}, 90)
            assert ledger.deaths() == 0
    log = (config / "node.log").read_text(encoding="utf-8")
    assert log.count("a worker process died") == 2


def test_roles_of_the_command_line_and_a_node_told_to_stop(tmp_path: Path) -> None:
    """One node takes messages in, the other maps them; neither does the other's work."""
    config = write_site(tmp_path, produce=())
    with Ledger(config) as ledger:
        with running_node(config, "--role", "intake") as taker:
            for raw in load_messages(5, 9):
                assert exchange(taker.address(), framed(raw))["code"] == "AA"
            assert ledger.messages() == {"received": 5}
            with running_node(config, "--name", "n2", "--role", "work,deliver") as mapper:
                assert mapper.listening == {}
                wait_until(lambda: ledger.messages() == {"mapped": 5}, 60)
                first, second = ledger.node("n1"), ledger.node("n2")
                assert (first["roles"], first["state"], first["leads"]) == (["intake"], "running", False)
                assert (second["roles"], second["state"], second["leads"]) == (["work", "deliver"], "running", True)
                assert mapper.stop() == 0
            assert taker.stop() == 0
        told = {one["name"]: one for one in cli_json("nodes", "--config", str(config))}
        assert {(one["state"], one["leads"], len(one["holds"])) for one in told.values()} == {("stopped", False, 0)}


def test_a_role_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    wrong = cli("serve", "--config", str(write_site(tmp_path)), "--role", "cook")
    assert wrong.returncode == 2
    assert "roles" in wrong.stderr


def test_a_killed_node_is_relieved_by_another_within_seconds(tmp_path: Path) -> None:
    config = write_site(tmp_path, produce=())
    with (
        Ledger(config) as ledger,
        running_node(config, "--name", "victim", "--role", "intake") as victim,
        running_node(config, "--name", "watcher", "--role", "intake"),
    ):
        victim.kill()
        wait_until(lambda: ledger.node("victim")["state"] == "dead", 20)
        assert ledger.node("watcher")["state"] == "running"
