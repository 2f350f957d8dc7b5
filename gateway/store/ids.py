"""Database keys: UUIDv7, which sort by the moment they were made.

Standard: RFC 9562 §5.7, with the 12 + 14 upper random bits used as a counter (§6.2 method 1), so that keys made by one
process rise strictly even within one millisecond and when the clock is set back.
"""

from __future__ import annotations

import os
import threading
import time
from uuid import UUID

_lock = threading.Lock()
_last = 0


def uuid7() -> str:
    """Return a new key as 36 characters of text, greater than every key this process made before."""
    global _last
    random = int.from_bytes(os.urandom(6), "big")
    with _lock:
        # 48 bits of milliseconds followed by a 26-bit counter that starts at a random place in its lower half
        tick = (time.time_ns() // 1_000_000) << 26
        _last = max(tick | (random >> 23 & 0x1FFFFFF), _last + 1)
        value = _last
    milliseconds, counter = value >> 26, value & 0x3FFFFFF
    low = int.from_bytes(os.urandom(6), "big")
    return str(
        UUID(int=milliseconds << 80 | 7 << 76 | (counter >> 14) << 64 | 2 << 62 | (counter & 0x3FFF) << 48 | low)
    )


def uuid7_instant(key: str) -> int:
    """Return the moment a key was made, in microseconds."""
    return (UUID(key).int >> 80) * 1000


def first_uuid7(instant: int) -> str:
    """Return what every key made at or after an instant, in microseconds, is not less than."""
    digits = f"{instant // 1000:012x}"
    return f"{digits[:8]}-{digits[8:]}-"
