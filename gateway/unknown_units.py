"""Tell the laboratory's people of units that no table knows: on the list of codes that lack a row, and once a day in the log.

A result with such a unit is in the record as it was told, but has no UCUM code, is held against no limit and compared with
nothing. The list has the unit, the channel it came by and a test that had it; the log names the channel alone, because what
stands in the place of a unit may be anything. Runs in the caller's transaction.

Requirement: S3.15
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

from sqlalchemy.engine import Connection

from gateway.clock import SECOND
from gateway.store import codes
from mappings.hl7v2.faults import UNIT_UNKNOWN
from mappings.hl7v2.shared_codes import UNITS

log = logging.getLogger("lienthong.pipeline")
_DAY = 24 * 3600 * SECOND


def tell(connection: Connection, messages: Iterable[tuple[str, Iterable[tuple[str, str, str, str]], int]]) -> None:
    """Count the codes that no table has of messages, each with its channel and when it came, units by channel.

    Logs once a day that a unit came.
    """
    told = [([_of_channel(one, channel) for one in unmapped], at, channel) for channel, unmapped, at in messages]
    looked_at: set[tuple[str, str, str, str]] = set()
    for codes_, at, channel in told:
        units = {one for one in codes_ if _is_unit(one)} - looked_at
        looked_at |= units
        if any(codes.is_new(connection, one, at - _DAY) for one in units):
            log.warning(
                "LT%04d: channel %s has a unit that no table knows; lienthong codes unmapped names it",
                UNIT_UNKNOWN,
                channel,
            )
    codes.count(connection, [(codes_, at) for codes_, at, _ in told])


def _of_channel(code: tuple[str, str, str, str], channel: str) -> tuple[str, str, str, str]:
    system, said, where, display = code
    return (f"{system}/{channel}", said, where, display) if system.endswith(f"/{UNITS}") else code


def _is_unit(code: tuple[str, str, str, str]) -> bool:
    return f"/{UNITS}/" in code[0]
