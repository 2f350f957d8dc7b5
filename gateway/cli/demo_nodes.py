"""The demo's nodes: one, or several of which the first is killed in the middle of the day."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy.engine import Connection

from gateway.cli.children import Child
from gateway.cli.output import print_table
from gateway.clock import SystemClock
from gateway.membership import overview
from gateway.store.engine import Store
from mappings.formats.values import parse_address

_RELIEVED_S = 30.0
_STATES = {"running": "đang chạy", "draining": "đang dừng", "stopped": "đã dừng", "dead": "đã chết"}


@dataclass(frozen=True)
class NodeFigures:
    """What became of the nodes."""

    killed: str
    relieved_s: float
    """From the kill until another node had taken back what the dead one held; 0 when none did."""
    nodes: tuple[dict[str, Any], ...]

    @property
    def closes(self) -> bool:
        return bool(self.relieved_s) and any(one["leads"] and one["state"] == "running" for one in self.nodes)


@dataclass
class Nodes:
    """Processes `n1`, `n2` … over one configuration; a single one has the name of the configuration."""

    config: Path
    place: Path
    wanted: int
    children: dict[str, Child] = field(default_factory=dict)
    killed: str | None = None
    _relieved: asyncio.Task[float] | None = None

    async def start(self) -> None:
        names = [f"n{number}" for number in range(1, self.wanted + 1)] if self.wanted > 1 else [""]
        for name in names:
            command = ["-m", "gateway.cli", "serve", "--config", str(self.config)]
            log = self.place / (f"node-{name}.log" if name else "node.log")
            self.children[name] = await Child.start(
                name or "node", [*command, *(("--name", name) if name else ())], log
            )

    def addresses(self, channel: str) -> list[tuple[str, int]]:
        """Where each node that was not killed listens for a channel."""
        living = (child for name, child in self.children.items() if name != self.killed)
        return [parse_address(child.announced["listening"][channel]) for child in living]

    def kill(self, store: Store) -> str:
        """Kill the first node, as a machine does that loses its power; return its name."""
        self.killed = next(iter(self.children))
        self.children[self.killed].process.kill()
        self._relieved = asyncio.create_task(self._until_relieved(store))
        return self.killed

    async def _until_relieved(self, store: Store) -> float:
        began = time.monotonic()
        while time.monotonic() - began < _RELIEVED_S:
            for one in await store.read(_overview):
                if one["name"] == self.killed and one["state"] == "dead":
                    return time.monotonic() - began
            await asyncio.sleep(0.1)
        return 0.0

    async def figures(self, store: Store) -> NodeFigures | None:
        """Say what became of the nodes; None when there is one."""
        if self._relieved is None or self.killed is None:
            return None
        return NodeFigures(self.killed, round(await self._relieved, 1), tuple(await store.read(_overview)))

    async def stop(self) -> None:
        if self._relieved is not None:
            self._relieved.cancel()
            await asyncio.wait([self._relieved])
        await asyncio.gather(*(child.stop() for child in self.children.values()))


def workers(nodes: int) -> int:
    """Share the cores of this machine out."""
    return max(1, (os.cpu_count() or 1) // nodes)


def show(found: NodeFigures) -> None:
    print_table(
        f"Nút: {found.killed} bị tắt đột ngột giữa ngày, việc nó giữ được nhận lại sau {found.relieved_s} giây",
        ("tên", "trạng thái", "dẫn đầu", "việc"),
        (
            (one["name"], _STATES[one["state"]], "có" if one["leads"] else "", ", ".join(one["roles"]))
            for one in found.nodes
        ),
    )


def _overview(connection: Connection) -> list[dict[str, Any]]:
    return overview(connection, SystemClock().now())
