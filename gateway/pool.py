"""A process pool that survives its workers: the CPU work of the pipeline, off the event loop.

A worker that dies (killed, out of memory) takes the steps with it that had begun in any of them; they get WorkerLost. Those
that had not begun do not notice: a new pool does them. A worker that cannot be prepared is told by the fault that it met; a
key that does not open fails the signature, not the worker.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import multiprocessing
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from gateway import memory, steps
from gateway.faults import WorkerLost
from gateway.settings import SigningPlan
from gateway.tasks import Gate
from mappings.formats.faults import Fault

log = logging.getLogger("lienthong.pool")
T = TypeVar("T")

_PLACES = 4096
"""Steps in the pool at once at most, of which is told apart whether they have begun."""
AHEAD = 2
"""Turns of small steps for each process that are under way: one is done while the one before is given back."""
TURN = 16
"""Small steps of one turn at most; who comes after waits for all of them."""
CLOSE_S = 5.0
"""How long a step that runs may take when the pool is closed; then its process is ended."""

_alone: ContextVar[bool] = ContextVar("alone", default=False)


@contextmanager
def alone(suspected: bool) -> Iterator[None]:
    """Let the steps of a suspect, called inside, run while no other step is in the pool: if a worker dies, it was them."""
    before = _alone.set(suspected)
    try:
        yield
    finally:
        _alone.reset(before)


class Pool:
    """Run steps in `workers` processes; each loads the site's mappings once, and opens the signing key once."""

    def __init__(self, workers: int, signing: SigningPlan, site: Path) -> None:
        self._workers = workers
        self._signing = signing
        self._site = site
        self._context = multiprocessing.get_context("spawn")
        self._begun = self._context.RawArray("Q", _PLACES)
        self._executor = self._make()
        self._gate = Gate()
        self._numbers = itertools.count(1)
        self._small: deque[_Small] = deque()
        self._last: deque[_Small] = deque()
        self._turns: set[asyncio.Task[None]] = set()
        self._handing = False

    def _make(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            self._workers,
            mp_context=self._context,
            initializer=_start,
            initargs=(self._begun, self._signing.kind, dict(self._signing.options), self._site),
        )

    async def run(self, function: Callable[..., T], *arguments: object) -> T:
        """Call a step; raise the fault it raised, or WorkerLost when the process died that did it."""
        suspected = _alone.get()
        await self._gate.enter(suspected)
        try:
            result: Any = await self._run(function, *arguments)
        finally:
            self._gate.leave(suspected)
        return result  # type: ignore[no-any-return]  # the pool gives back what `function` returns

    async def run_small(self, function: Callable[..., T], *arguments: object, last: bool = False) -> T:
        """Call a step of a few milliseconds as `run` does, in one turn of a process with others that wait.

        To go to another process and back alone costs two of them. What is to come `last` lets all others that wait go first.
        """
        if _alone.get():
            return await self.run(function, *arguments)
        await self._gate.enter(False)
        try:
            small = _Small((function, *arguments), next(self._numbers))
            (self._last if last else self._small).append(small)
            if not self._handing:
                self._handing = True
                asyncio.get_running_loop().call_soon(self._hand_out)
            result: Any = await small.result
        finally:
            self._gate.leave(False)
        return result  # type: ignore[no-any-return]  # as above

    def _hand_out(self) -> None:
        """Begin turns with the small steps that wait, as many as may be under way."""
        self._handing = False
        while (waiting := self._small or self._last) and (room := self._workers * AHEAD - len(self._turns)) > 0:
            size = min(-(-len(waiting) // room), TURN)
            self._turns.add(turn := asyncio.create_task(self._turn([waiting.popleft() for _ in range(size)])))
            turn.add_done_callback(self._turn_done)

    def _turn_done(self, turn: asyncio.Task[None]) -> None:
        self._turns.discard(turn)
        self._hand_out()

    async def _turn(self, small: Sequence[_Small]) -> None:
        """Do small steps; the one that had begun when a worker died is lost with it, the others are done again, one by one."""
        executor = self._executor
        try:
            outcomes = await asyncio.wrap_future(executor.submit(_call_each, [(one.number, one.call) for one in small]))
        except BrokenProcessPool:
            self._replace(executor)
            outcomes = await asyncio.gather(*map(self._again, small), return_exceptions=True)
        except Exception as error:  # noqa: BLE001 - handed to the callers
            outcomes = [error] * len(small)
        for one, outcome in zip(small, outcomes, strict=True):
            if one.result.done():
                continue
            if isinstance(outcome, BaseException):
                one.result.set_exception(outcome)
            else:
                one.result.set_result(outcome)

    async def _again(self, small: _Small) -> object:
        if self._begun[small.number % len(self._begun)] == small.number:
            raise WorkerLost()
        return await self._run(*small.call)

    async def _run(self, *call: object) -> object:
        """Run a step; one that had not begun when a worker died goes to the new pool: it was not its doing."""
        for tried in itertools.count():
            executor = self._executor
            number = next(self._numbers)
            try:
                return await asyncio.wrap_future(executor.submit(_call, number, *call))
            except BrokenProcessPool:
                self._replace(executor)
                if self._begun[number % len(self._begun)] == number:
                    raise WorkerLost() from None
            await asyncio.sleep(min(tried, 50) * 0.1)  # workers that die before they begin anything
        raise AssertionError("unreachable")

    def _replace(self, executor: ProcessPoolExecutor) -> None:
        if self._executor is executor:
            log.error("a worker process died; starting new ones")
            executor.shutdown(wait=False)
            self._executor = self._make()

    def close(self) -> None:
        """End the processes; what does not end by itself in `CLOSE_S` is killed, which the executor has no way to do."""
        processes = list((self._executor._processes or {}).values())
        self._executor.shutdown(wait=False, cancel_futures=True)
        ends = time.monotonic() + CLOSE_S
        for process in processes:
            process.join(max(0.0, ends - time.monotonic()))
            if process.is_alive():
                process.kill()


@dataclass(frozen=True)
class _Small:
    """A small step that waits for its turn."""

    call: tuple[object, ...]
    number: int
    result: asyncio.Future[Any] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


# ---- inside a worker ----

_unprepared: Fault | None = None
_begun: Any = None
_arguments: tuple[str, Mapping[str, object], Path] | None = None


def _start(begun: Any, kind: str, options: Mapping[str, object], site: Path) -> None:
    global _arguments, _begun
    _begun = begun
    _arguments = (kind, options, site)
    _prepare(*_arguments)
    memory.settle()


def _prepare(kind: str, options: Mapping[str, object], site: Path) -> None:
    """Prepare a worker. One that cannot be is told by each of its steps: it did not die of them."""
    global _unprepared
    try:
        steps.prepare(kind, options, site)
        _unprepared = None
    except Fault as fault:
        _unprepared = fault


def _call(number: int, function: object, *arguments: object) -> object:
    _begun[number % len(_begun)] = number
    _require_prepared()
    return steps.guarded(function, *arguments)


def _call_each(calls: Sequence[tuple[int, tuple[object, ...]]]) -> list[object]:
    """Do several steps; give of each its result, or the fault that it raised."""
    outcomes: list[object] = []
    for number, call in calls:
        at = number % len(_begun)
        _begun[at] = number
        try:
            _require_prepared()
            outcomes.append(steps.guarded(*call))
        except Fault as fault:
            outcomes.append(fault)
        _begun[at] = 0
    return outcomes


def _require_prepared() -> None:
    if _unprepared is not None and _arguments is not None:
        _prepare(*_arguments)
    if _unprepared is not None:
        raise _unprepared
