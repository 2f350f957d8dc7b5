"""UUIDv7 keys, and numbers of persons."""

from __future__ import annotations

import threading
import time
from uuid import UUID

from gateway.records.numbers import written
from gateway.store.ids import uuid7, uuid7_instant
from mappings.formats.identifiers import Kind, classify


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


def test_numbers_of_persons_have_check_digits_and_no_national_form() -> None:
    numbers = [written(serial) for serial in (1, 2, 10, 97, 9_999_999, 123_456_789)]
    assert numbers[0] == "LT000000195"
    for number in numbers:
        assert int(number[2:]) % 97 == 1
        assert classify(number) is Kind.UNKNOWN
