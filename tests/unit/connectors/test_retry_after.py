from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from connectors.destinations._http import retry_after

NOW = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "wait"),
    [
        ("0", timedelta(0)),
        (" 120 ", timedelta(minutes=2)),
        ("Sat, 21 Nov 2026 08:05:00 GMT", timedelta(minutes=5)),
        ("Sat, 21 Nov 2026 07:00:00 GMT", timedelta(0)),
        ("Saturday, 21-Nov-26 08:05:00 GMT", timedelta(minutes=5)),
        ("99999999999999999999", timedelta(days=7)),
        ("Sat, 21 Nov 2099 08:05:00 GMT", timedelta(days=7)),
        ("", None),
        ("-5", None),
        ("5.5", None),
        ("soon", None),
        ("٣", None),
    ],
)
def test_retry_after(text: str, wait: timedelta | None) -> None:
    assert retry_after({"retry-after": text}, NOW) == wait


def test_absent() -> None:
    assert retry_after({}, NOW) is None
