"""A bounded set of running tasks, a gate that lets one through alone, and work that many share."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Generic, TypeVar

from gateway.safe_log import describe

log = logging.getLogger("lienthong.tasks")

S = TypeVar("S")
T = TypeVar("T")


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
        while self.free < 1:
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


class Gate:
    """Let any number in together, or one alone, in the order in which they came."""

    def __init__(self) -> None:
        self._inside = 0
        self._alone = False
        self._queue: deque[tuple[asyncio.Future[None], bool]] = deque()

    async def enter(self, alone: bool) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append((turn, alone))
        self._admit()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.leave(alone)
            raise

    def leave(self, alone: bool) -> None:
        self._inside -= 1
        self._alone = self._alone and not alone
        self._admit()

    def _admit(self) -> None:
        while self._queue:
            turn, alone = self._queue[0]
            if turn.cancelled():
                self._queue.popleft()
                continue
            if self._alone or (alone and self._inside):
                return
            self._queue.popleft()
            self._inside += 1
            self._alone = alone
            turn.set_result(None)


class Together(Generic[S, T]):
    """Do for many at a time what each caller asks for one: all that came while those before were being done.

    `work` gives one result per item, in their order. What one item makes it raise, all get that were done with it.
    """

    def __init__(self, work: Callable[[list[S]], Awaitable[list[T]]]) -> None:
        self._work = work
        self._waiting: list[tuple[S, asyncio.Future[T]]] = []
        self._working: asyncio.Task[None] | None = None

    async def one(self, item: S) -> T:
        """Return the result for `item`."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._working is None or self._working.done():
            self._working = asyncio.create_task(self._work_off())
        return await future

    async def _work_off(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            try:
                results = await self._work([item for item, _ in batch])
            except Exception as error:  # noqa: BLE001 - handed to the callers
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
            else:
                for (_, future), result in zip(batch, results, strict=True):
                    if not future.done():
                        future.set_result(result)
