"""Keep the memory of a process that runs for months as small as what it holds.

What a process has loaded is no garbage to look for, and what was freed goes back to the system. Only glibc has the calls for
that; elsewhere nothing is done and nothing is lost.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
from typing import Any

_M_ARENA_MAX, _M_MMAP_THRESHOLD, _M_TRIM_THRESHOLD = -8, -3, -1
_HEAPS = 2
_LARGE = 64 * 1024
_TOP = 8 * 1024 * 1024


def settle() -> None:
    """Take all objects that exist now for ones that stay: the collector looks through code and tables no more.

    Looking through them costs a paper up to a tenth of its time.
    """
    gc.collect()
    gc.freeze()


def set_up_heaps() -> None:
    """Let all threads share two heaps, and keep what is large out of them: from 64 KB on it has pages of its own.

    With a heap for each thread, what is freed is kept by each. A paper between small things that stay leaves a hole of which
    the next, longer paper makes nothing; by itself glibc counts less and less as large, up to 32 MB. Either grows for hours.
    Standard: mallopt(3), M_ARENA_MAX, M_MMAP_THRESHOLD, M_TRIM_THRESHOLD
    """
    if (mallopt := _libc("mallopt")) is not None:
        mallopt(_M_ARENA_MAX, _HEAPS)
        mallopt(_M_MMAP_THRESHOLD, _LARGE)
        mallopt(_M_TRIM_THRESHOLD, _TOP)


async def give_back(every_s: float = 60.0) -> None:
    """Return the free pages between what is used to the system, again and again until cancelled: milliseconds in a thread.

    Standard: malloc_trim(3)
    """
    trim = _libc("malloc_trim")
    while trim is not None:
        await asyncio.sleep(every_s)
        await asyncio.to_thread(trim, 0)


def _libc(name: str) -> Any:
    return getattr(ctypes.CDLL(None), name, None)
