"""Keep the memory of a process that runs for months as small as what it holds.

What a process has loaded is no garbage to look for, and what was freed goes back to the system. Only glibc has the calls for
that; elsewhere nothing is done and nothing is lost.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
from typing import Any

_M_ARENA_MAX = -8
_HEAPS = 2


def settle() -> None:
    """Take all objects that exist now for ones that stay: the collector looks through code and tables no more.

    Looking through them costs a paper up to a tenth of its time.
    """
    gc.collect()
    gc.freeze()


def share_heaps() -> None:
    """Let all threads share two heaps: with one for each, what is freed is kept by each, and grows for hours.

    Standard: mallopt(3), M_ARENA_MAX
    """
    if (mallopt := _libc("mallopt")) is not None:
        mallopt(_M_ARENA_MAX, _HEAPS)


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
