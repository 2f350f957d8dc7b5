"""A figure, and the limit or peer beside it."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Row:
    """One measured figure. `ratio` is figure / beside, both from this run."""

    what: str
    figure: float
    unit: str
    beside: str = ""
    ratio: float | None = None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def show(rows: list[Row]) -> None:
    for row in rows:
        ratio = "" if row.ratio is None else f"{row.ratio:10.2f} × {row.beside}"
        print(f"  {row.what:<58} {row.figure:>12,.1f} {row.unit:<12}{ratio}", flush=True)


def per_call_us(function: Callable[[], object], seconds: float = 0.6) -> float:
    """Return the median over batches of the CPU time of one call, in microseconds.

    What is in memory by then is no garbage that each call should look through: a node freezes what it loaded, too.
    """
    gc.collect()
    gc.freeze()
    function()
    size = 1
    while True:
        started = time.process_time()
        for _ in range(size):
            function()
        spent = time.process_time() - started
        if spent > seconds / 10:
            break
        size *= 2
    samples = [spent / size]
    for _ in range(8):
        started = time.process_time()
        for _ in range(size):
            function()
        samples.append((time.process_time() - started) / size)
    return sorted(samples)[len(samples) // 2] * 1e6


def in_turns(functions: dict[str, Callable[[], object]], rounds: int = 40, seconds: float = 0.01) -> dict[str, float]:
    """Return for each function the least CPU time of one call, in microseconds, over rounds in which each has its turn.

    What else the machine does falls on all alike, and the least is what is left of it. Memory is frozen as in `per_call_us`.
    """
    gc.collect()
    gc.freeze()
    sizes: dict[str, int] = {}
    for name, function in functions.items():
        function()
        started = time.process_time()
        function()
        sizes[name] = max(1, int(seconds / max(time.process_time() - started, 1e-6)))
    best = dict.fromkeys(functions, float("inf"))
    for _ in range(rounds):
        for name, function in functions.items():
            started = time.process_time()
            for _ in range(sizes[name]):
                function()
            best[name] = min(best[name], (time.process_time() - started) / sizes[name] * 1e6)
    return best


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0
