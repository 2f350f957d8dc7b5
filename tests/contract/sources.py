"""What every test of a source needs: an intake that remembers, and a loop with a deadline."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from typing import Any

import uvloop

from connectors.contract import Answer
from mappings.formats.faults import IntakeFault

DEADLINE_S = 20


class RecordingIntake:
    """Answers with the digest of what it got, so that a wrong or misplaced answer shows."""

    def __init__(self) -> None:
        self.taken: list[tuple[bytes, str, IntakeFault | None]] = []
        self.told: list[Answer] = []
        self.not_told: list[tuple[Answer, IntakeFault]] = []
        self.changed = asyncio.Condition()
        self.gate = asyncio.Event()
        self.gate.set()
        self.broken = False
        self.at_once = 0
        self.most_at_once = 0

    async def receive(self, raw: bytes, peer: str, fault: IntakeFault | None = None) -> Answer:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        async with self.changed:
            self.taken.append((raw, peer, fault))
            self.changed.notify_all()
        await self.gate.wait()
        self.at_once -= 1
        if self.broken:
            raise RuntimeError(raw.decode())
        return Answer((answer_to(raw, fault),), fault is None, str(len(self.taken)))

    def answered(self, answer: Answer) -> None:
        self.told.append(answer)

    def unanswered(self, answer: Answer, fault: IntakeFault) -> None:
        self.not_told.append((answer, fault))

    async def has_taken(self, count: int) -> None:
        async with self.changed:
            await self.changed.wait_for(lambda: len(self.taken) >= count)


def answer_to(raw: bytes, fault: IntakeFault | None = None) -> bytes:
    word = "ok" if fault is None else type(fault).__name__
    return f"{word} {len(raw)} {hashlib.sha256(raw).hexdigest()}".encode()


def on_loop(scene: Callable[[], Awaitable[None]], factory: Any = uvloop.new_event_loop) -> None:
    async def limited() -> None:
        async with asyncio.timeout(DEADLINE_S):
            await scene()

    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(limited())
