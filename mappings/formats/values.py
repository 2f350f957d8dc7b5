"""Values that settings are made of: durations, sizes, secrets, addresses.

Each is written in configuration as people write it (`"5s"`, `"20MB"`, `"secret:name"`) and read by exactly one parser here.
A `ValueError` from a parser becomes one line of `lienthong check`.
"""

from __future__ import annotations

import re
from datetime import timedelta

_DURATION = re.compile(r"^(\d+(?:\.\d+)?)(ms|s|m|h|d)$")
_DURATION_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SIZE = re.compile(r"^(\d+)(B|KB|MB|GB)$")
_SIZE_UNITS = {"B": 1, "KB": 1024, "MB": 1024**2, "GB": 1024**3}


class Size(int):
    """A number of bytes, written `"20MB"`; units are powers of 1024."""


class FileName(str):
    """A path; a relative one counts from the folder of the configuration that names it."""

    __slots__ = ()


NO_FILE = FileName("")
"""Default of a setting that names a file or none."""


class Secret(str):
    """A secret resolved from `secret:name`; never shows itself in `repr`, logs or tracebacks with locals."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Secret('***')"


NO_SECRET = Secret("")


def parse_duration(text: str) -> timedelta:
    """Read `"250ms"`, `"5s"`, `"15m"`, `"24h"`, `"7d"`; raise `ValueError` for anything else."""
    match = _DURATION.match(text)
    if match is None:
        raise ValueError("a duration is written like 250ms, 5s, 15m, 24h or 7d")
    return timedelta(seconds=float(match[1]) * _DURATION_UNITS[match[2]])


END_OF_DAY = -1
"""In place of seconds: until midnight at the end of the day on which the time begins."""
AT_ONCE = 15 * 60
"""Seconds that `at once` gives: what is asked for at once, without a number, still takes its way."""


def parse_within(text: str) -> int:
    """Read how much time something has: a duration, `"end of day"` or `"at once"`; raise `ValueError` for anything else."""
    named = {"end of day": END_OF_DAY, "at once": AT_ONCE}
    try:
        return named[text] if text in named else round(parse_duration(text).total_seconds())
    except ValueError:
        raise ValueError('a time is written like 36h, 90m, "end of day" or "at once"') from None


def parse_size(text: str) -> Size:
    """Read `"512KB"`, `"20MB"`; raise `ValueError` for anything else."""
    match = _SIZE.match(text)
    if match is None:
        raise ValueError("a size is written like 64KB, 20MB or 1GB")
    return Size(int(match[1]) * _SIZE_UNITS[match[2]])


def parse_address(text: str) -> tuple[str, int]:
    """Read `"0.0.0.0:2575"` or `"[::]:2575"` into host and port; port 0 asks for a free one."""
    host, sep, port = text.rpartition(":")
    if not sep or not host or not port.isdigit() or int(port) > 65535:
        raise ValueError("an address is written like 0.0.0.0:2575")
    return host.strip("[]"), int(port)
