"""A process pool that survives its workers: the CPU work of the pipeline, off the event loop.

A worker that dies (killed, out of memory) takes the steps that were in the pool with it; they get WorkerLost, which passes with
time, and the next step finds a new pool. A key that does not open fails the signature, not the worker.
"""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, TypeVar

from gateway import steps
from gateway.faults import WorkerLost
from gateway.settings import SigningPlan

log = logging.getLogger("lienthong.pool")
T = TypeVar("T")


class Pool:
    """Run steps in `workers` processes; each loads the site's mappings once, and opens the signing key once."""

    def __init__(self, workers: int, signing: SigningPlan, site: Path) -> None:
        self._workers = workers
        self._signing = signing
        self._site = site
        self._executor = self._make()

    def _make(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            self._workers,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=steps.prepare,
            initargs=(self._signing.kind, dict(self._signing.options), self._site),
        )

    async def run(self, function: Callable[..., T], *arguments: object) -> T:
        """Call a step; raise the fault it raised, or WorkerLost."""
        executor = self._executor
        loop = asyncio.get_running_loop()
        try:
            result: Any = await loop.run_in_executor(executor, steps.guarded, function, *arguments)
        except BrokenProcessPool:
            if self._executor is executor:
                log.error("a worker process died; starting new ones")
                executor.shutdown(wait=False)
                self._executor = self._make()
            raise WorkerLost() from None
        return result  # type: ignore[no-any-return]  # the pool gives back what `function` returns

    def close(self) -> None:
        self._executor.shutdown(cancel_futures=True)
