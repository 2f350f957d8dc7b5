"""What a node survives without losing anything: its workers killed, its database connections cut."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psycopg

from conformance.scenarios.load import load as load_messages
from gateway.store.ids import uuid7
from tests.integration.gateway.test_bad_input import exchange, framed
from tests.servers import wait_until
from tests.site import NodeProcess, cli_json, running_node, write_site


def workers(node: NodeProcess) -> list[int]:
    """Return the node's worker processes (not multiprocessing's resource tracker)."""
    children = [
        int(number)
        for task in Path(f"/proc/{node.process.pid}/task").iterdir()
        for number in (task / "children").read_text().split()
    ]
    return [pid for pid in children if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def states(config: Path) -> set[str]:
    return {row["state"] for row in cli_json("messages", "--config", str(config))}


def test_killed_workers_are_replaced_and_their_steps_done_again(tmp_path: Path) -> None:
    config = write_site(tmp_path, produce=())
    messages = list(load_messages(40, 5))
    with running_node(config) as node:
        for number, raw in enumerate(messages):
            assert exchange(node.address(), framed(raw))["code"] == "AA"
            if number in (5, 20):
                wait_until(lambda: bool(workers(node)))
                for pid in workers(node):
                    os.kill(pid, signal.SIGKILL)
        wait_until(lambda: states(config) == {"mapped"}, 60)
        assert node.process.poll() is None
    assert "a worker process died" in (config / "node.log").read_text()


def test_cut_database_connections_cost_a_moment_and_no_message(tmp_path: Path, postgres_server: str) -> None:
    name = "c" + uuid7().replace("-", "")
    store = postgres_server.rpartition("/")[0] + "/" + name
    config = write_site(tmp_path, store=store, produce=())
    codes: list[str] = []
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
        with running_node(config) as node:
            for number, raw in enumerate(load_messages(40, 6)):
                codes.append(exchange(node.address(), framed(raw))["code"])
                if number == 20:
                    connection.execute(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,)
                    )
            wait_until(lambda: states(config) == {"mapped"}, 60)
            assert node.process.poll() is None
        rows = cli_json("messages", "--config", str(config))
    assert set(codes) <= {"AA", "AR"}
    assert codes.count("AR") <= 2
    assert len(rows) >= codes.count("AA")
    assert "Traceback" not in (config / "node.log").read_text()
