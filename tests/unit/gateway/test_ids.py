"""UUIDv7 keys."""

from __future__ import annotations

import threading
import time
from uuid import UUID

from gateway.store.ids import uuid7, uuid7_instant


def test_form_and_order() -> None:
    keys = [uuid7() for _ in range(20_000)]
    assert keys == sorted(set(keys))
    parsed = UUID(keys[0])
    assert (parsed.version, parsed.variant) == (7, "specified in RFC 4122")
    assert abs(uuid7_instant(keys[0]) / 1e6 - time.time()) < 60


def test_threads_never_make_the_same_key() -> None:
    made: list[str] = []
    threads = [threading.Thread(target=lambda: made.extend(uuid7() for _ in range(2000))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 16_000
