"""The disk: how often it can make something durable, one after the other."""

from __future__ import annotations

import os
import tempfile
import time

from benchmarks.figures import Row


def fsyncs_per_second(seconds: float = 1.5, size: int = 4400) -> float:
    """Append and fdatasync until the time is up."""
    block = os.urandom(size)
    with tempfile.NamedTemporaryFile(dir=".") as file:
        count = 0
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            os.write(file.fileno(), block)
            os.fdatasync(file.fileno())
            count += 1
    return count / seconds


def measure() -> list[Row]:
    return [Row("append 4.4 KB and fdatasync", fsyncs_per_second(), "/s")]
