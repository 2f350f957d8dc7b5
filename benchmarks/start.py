"""Start and memory: from `lienthong serve` to the first acknowledgement; memory at rest and after many messages."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from pathlib import Path

from benchmarks.figures import Row
from conformance.scenarios.load import load as load_messages
from tests.site import NodeProcess, start_node, write_site
from tests.soak.flatness import MB, memory_and_handles

MESSAGES = int(os.environ.get("LIENTHONG_BENCH_MESSAGES", "100000"))
CONNECTIONS = 16


def resident_mb(pid: int) -> float:
    """Return the resident memory of a process and its children."""
    return memory_and_handles(pid)[0] / MB


async def _send(node: NodeProcess, messages: list[bytes]) -> None:
    host, port = node.address()
    queue = iter(messages)

    async def one() -> None:
        reader, writer = await asyncio.open_connection(host, port)
        for raw in queue:
            writer.write(b"\x0b" + raw + b"\x1c\r")
            await reader.readuntil(b"\x1c\r")
        writer.close()

    await asyncio.gather(*(one() for _ in range(CONNECTIONS)))


def measure() -> list[Row]:
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        config = write_site(Path(name), produce=())
        start_node(config).stop()  # the schema is made once
        started = time.perf_counter()
        node = start_node(config)
        messages = list(load_messages(MESSAGES + 1, 1))
        asyncio.run(_send(node, messages[:1]))
        first = time.perf_counter() - started
        try:
            time.sleep(3)
            rest = resident_mb(node.process.pid)
            began = time.perf_counter()
            half = len(messages) // 2
            asyncio.run(_send(node, messages[1:half]))
            middle = resident_mb(node.process.pid)
            asyncio.run(_send(node, messages[half:]))
            seconds = time.perf_counter() - began
            after = resident_mb(node.process.pid)
        finally:
            node.stop()
    return [
        Row("serve to first acknowledgement", first, "s", "the aim of 2 s", first / 2),
        Row("memory at rest, node and workers", rest, "MB"),
        Row(f"memory after {MESSAGES // 2} messages", middle, "MB", "at rest", middle / rest),
        Row(f"memory after {MESSAGES} messages", after, "MB", f"after {MESSAGES // 2}", after / middle),
        Row("messages per second meanwhile, mapping included", MESSAGES / seconds, "/s"),
    ]
