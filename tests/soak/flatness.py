"""What a running node holds, sample by sample, and whether it grows."""

from __future__ import annotations

import os
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

MB = 1024 * 1024


@dataclass(frozen=True)
class Sample:
    """Of a node with all its processes."""

    memory: float
    """Bytes in use."""
    handles: float
    """Open files and sockets."""
    wal: float
    """Bytes of the ledger's write-ahead log."""
    latency: float
    """Seconds from the message to the acceptance of what it led to, the median of the newest."""


ALLOWED = Sample(memory=4 * MB, handles=8, wal=8 * MB, latency=0.1)
"""How much more is still flat, besides a part of what there was."""
SHARE = Sample(memory=1.03, handles=1.05, wal=1.5, latency=1.5)


def growing(samples: Sequence[Sample]) -> list[str]:
    """Compare the last quarter with the second: the first fills what is kept on purpose. Say what grew."""
    if len(samples) < 12:
        raise ValueError("twelve samples are the fewest that say something")
    quarter = len(samples) // 4
    found = []
    for n, field in enumerate(fields(Sample)):
        before, after = (
            statistics.median(astuple(one)[n] for one in part)
            for part in (samples[quarter : 2 * quarter], samples[-quarter:])
        )
        if after > before * astuple(SHARE)[n] + astuple(ALLOWED)[n]:
            found.append(f"{field.name}: {before:,.2f} became {after:,.2f}")
    return found


def family(pid: int) -> Iterator[int]:
    """Give a process and all below it."""
    yield pid
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            yield from family(int(child))


def memory_and_handles(pid: int) -> tuple[float, float]:
    memory = handles = 0
    for one in family(pid):
        status = Path(f"/proc/{one}/status").read_text(encoding="utf-8")
        memory += next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS:"))
        handles += len(os.listdir(f"/proc/{one}/fd"))
    return float(memory), float(handles)
