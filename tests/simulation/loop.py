"""An event loop whose time is a clock in the hand: it jumps to the next timer whenever nothing real is under way.

Sockets work as ever; while somebody waits for one inside `real()`, time stands still.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

from gateway.clock import SECOND
from tests.conftest import HandClock

PATIENCE_S = 60.0
"""Real seconds after which a loop in which nothing happens any more counts as hung."""


class SimulatedLoop(asyncio.SelectorEventLoop):
    def __init__(self, clock: HandClock) -> None:
        self._hand = clock
        self._start = clock.at
        self._really = 0
        super().__init__(_Selector(self))

    def time(self) -> float:
        return (self._hand.at - self._start) / SECOND

    @contextmanager
    def real(self) -> Iterator[None]:
        """Let no time pass meanwhile: something outside is being waited for."""
        self._really += 1
        try:
            yield
        finally:
            self._really -= 1

    @property
    def waits_for_real(self) -> bool:
        return self._really > 0

    def pass_(self, seconds: float) -> None:
        self._hand.at += int(seconds * SECOND) + 1


class _Selector(selectors.DefaultSelector):
    def __init__(self, loop: SimulatedLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        found = super().select(0)
        if found or (timeout is not None and timeout <= 0):
            return found
        if timeout is None or self._loop.waits_for_real:
            found = super().select(PATIENCE_S)
            assert found, "nothing happens any more"
            return found
        self._loop.pass_(timeout)
        return []


def simulate(clock: HandClock, work: Coroutine[Any, Any, None]) -> None:
    """Run `work` to its end on simulated time."""
    loop = SimulatedLoop(clock)
    try:
        loop.run_until_complete(work)
    finally:
        try:
            left = asyncio.all_tasks(loop)
            for task in left:
                task.cancel()
            if left:
                loop.run_until_complete(asyncio.wait(left))
        finally:
            loop.close()
