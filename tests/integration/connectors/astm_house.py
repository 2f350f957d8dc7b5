"""A source `astm` under test, and an intake that answers questions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from connectors.contract import Answer
from connectors.sources.astm import Settings, Source
from mappings.formats.faults import IntakeFault
from tests.contract.sources import RecordingIntake

ONE = b"H|\\^&|||one\rP|1\rR|1|^^^GLU|5.40\rL|1|N\r"
TWO = b"H|\\^&|||two\rP|1\rR|1|^^^GLU|6.1\rL|1|N\r"
QUESTION = b"H|\\^&|||asks\rQ|1|^S1\rL|1|N\r"
ORDERS = (b"H|\\^&|||host\rP|1\rO|1|S1||^^^GLU\rL|1|N\r", b"H|\\^&|||host\rP|1\rO|1|S1||^^^CREA\rL|1|N\r")


class Ledger(RecordingIntake):
    """Keeps results, answers questions, and may be full or wrong."""

    def __init__(self) -> None:
        super().__init__()
        self.full = 0
        """How many messages are not kept, from now on."""
        self.wrong = False
        """What is kept goes to the error queue."""

    async def receive(self, raw: bytes, peer: str, fault: IntakeFault | None = None) -> Answer:
        answer = await super().receive(raw, peer, fault)
        if self.full:
            self.full -= 1
            return Answer((b"MSA|AR",), False, None)
        if self.wrong or fault is not None:
            return Answer((b"MSA|AE",), False, answer.message_id)
        return Answer(ORDERS if b"\rQ|" in raw else (), True, answer.message_id)

    def kept(self) -> list[tuple[bytes, type[IntakeFault] | None]]:
        return [(raw, None if fault is None else type(fault)) for raw, _, fault in self.taken]

    async def has_told(self, count: int) -> None:
        await until(lambda: len(self.told) >= count)


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - the contract of an intake has no event to wait for
        await asyncio.sleep(0.005)


@asynccontextmanager
async def running(**settings: Any) -> AsyncIterator[tuple[Ledger, str, asyncio.Task[None]]]:
    more: dict[str, Any] = {"tls": "none", **settings}
    if not {"connect", "serial"} & set(more):
        more.setdefault("listen", "127.0.0.1:0")
    ledger, ready = Ledger(), asyncio.get_running_loop().create_future()
    task = asyncio.create_task(Source(Settings(**more)).run(ledger, ready.set_result))
    task.add_done_callback(lambda _: ready.done() or ready.cancel())
    await asyncio.wait({ready})
    if task.done():
        task.result()
    try:
        yield ledger, ready.result(), task
    finally:
        ledger.gate.set()
        task.cancel()
        await task
