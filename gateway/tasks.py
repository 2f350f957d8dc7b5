"""A bounded set of running tasks."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from gateway.safe_log import describe

log = logging.getLogger("lienthong.tasks")


class TaskSet:
    """Run at most `size` coroutines; a task that fails unexpectedly is logged, and its row is taken again after its lease."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._running: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()

    @property
    def free(self) -> int:
        return self._size - len(self._running)

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._changed.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a step stopped: %s", describe(error))

    async def room(self) -> None:
        """Wait until at least one more may start."""
        while not self.free:
            self._changed.clear()
            await self._changed.wait()

    async def drain(self, timeout_s: float = 10.0) -> None:
        """Wait for what is running; cancel what takes too long."""
        if not self._running:
            return
        _, late = await asyncio.wait(self._running, timeout=timeout_s)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)
