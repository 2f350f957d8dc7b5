"""Bells between nodes over a real Redis, and two nodes on one PostgreSQL."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import psycopg
import pytest

from conformance.scenarios.load import load as load_messages
from gateway.store.ids import uuid7
from gateway.wake import Bell
from tests import servers
from tests.integration.gateway.test_bad_input import exchange, framed
from tests.site import cli_json, running_node, write_site


async def rung(event: asyncio.Event, bell: Bell) -> None:
    """Ring until the other side hears it: a subscription takes a moment to stand."""
    async with asyncio.timeout(20):
        while not event.is_set():
            bell.ring()
            try:
                async with asyncio.timeout(0.2):
                    await event.wait()
            except TimeoutError:
                continue


def test_a_bell_is_heard_on_other_nodes(redis_url: str) -> None:
    async def main() -> None:
        here, there = Bell(redis_url), Bell(redis_url)
        event = there.listener()
        tasks = [asyncio.create_task(bell.run()) for bell in (here, there)]
        try:
            await rung(event, here)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(main())


def test_losing_redis_costs_only_the_bell_between_nodes(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        with servers.redis() as url:
            here, there = Bell(url), Bell(url)
            event, local = there.listener(), here.listener()
            tasks = [asyncio.create_task(bell.run()) for bell in (here, there)]
            await rung(event, here)
        local.clear()
        here.ring()
        assert local.is_set()
        for task in tasks:
            assert not task.done()
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    with caplog.at_level(logging.WARNING):
        asyncio.run(main())


def test_two_nodes_share_one_ledger(tmp_path: Path, postgres_server: str, redis_url: str) -> None:
    name = "n" + uuid7().replace("-", "")
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
    store = postgres_server.rpartition("/")[0] + "/" + name
    first = write_site(tmp_path / "a", store=store, name="a", redis=redis_url, produce=())
    second = write_site(tmp_path / "b", store=store, name="b", redis=redis_url, produce=())
    (second / "secrets" / "store-keys").write_text((first / "secrets" / "store-keys").read_text())
    messages = list(load_messages(60, 3))
    with running_node(first) as here, running_node(second) as there:
        for number, raw in enumerate(messages):
            node = here if number % 2 else there
            assert exchange(node.address(), framed(raw))["code"] == "AA"
        assert exchange(here.address(), framed(messages[0]))["code"] == "AA"
        servers.wait_until(
            lambda: all(row["state"] != "received" for row in cli_json("messages", "--config", str(first)))
        )
        rows = cli_json("messages", "--config", str(first))
    assert sorted(row["state"] for row in rows) == ["duplicate"] + ["mapped"] * 60
    for folder in (first, second):
        log = (folder / "node.log").read_text()
        assert " ERROR " not in log
        assert "LT8001" not in log
