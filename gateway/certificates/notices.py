"""Say in time that a certificate ends: at 60, 30 and 7 days, once to its holder and once to IT.

A notice is a line in the log and a row; `lienthong certs expiring` shows and exports them. Sends no e-mail.

Requirement: S0.8
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy.engine import Connection, Row

from gateway.certificates import register
from gateway.clock import SECOND, Clock
from gateway.store import certificates as rows
from gateway.store.engine import Store

log = logging.getLogger("lienthong.certificates")

DAYS = (60, 30, 7)
RECIPIENTS = ("holder", "it")
DAY = 86_400 * SECOND


class Ends(Protocol):
    """A certificate, as far as notices go."""

    @property
    def id(self) -> str: ...
    @property
    def not_after(self) -> int: ...


@dataclass(frozen=True)
class Notice:
    certificate_id: str
    days: int
    """The mark that was passed; fewer may be left."""
    recipient: str


@dataclass(frozen=True)
class Done:
    """What a day brought."""

    expired: tuple[str, ...]
    notices: tuple[Notice, ...]

    def tell(self) -> None:
        """Write it to the log; ids only."""
        for certificate_id in self.expired:
            log.warning("certificate %s has expired", certificate_id)
        for notice in self.notices:
            log.warning(
                "certificate %s ends within %d days: notice to %s", notice.certificate_id, notice.days, notice.recipient
            )


def notices_due(certificates: Iterable[Ends], now: int, already_sent: Collection[tuple[str, int, str]]) -> list[Notice]:
    """Give the notices that are to be sent now: of each certificate the nearest mark passed, to whoever did not get it.

    Marks passed while nothing ran are not made up for, and an ended certificate needs no notice any more.
    `already_sent` are (certificate id, days, recipient).
    """
    due: list[Notice] = []
    for certificate in certificates:
        left = certificate.not_after - now
        passed = [days for days in DAYS if 0 <= left <= days * DAY]
        if passed:
            nearest = min(passed)
            due += [
                Notice(certificate.id, nearest, recipient)
                for recipient in RECIPIENTS
                if (certificate.id, nearest, recipient) not in already_sent
            ]
    return due


def ending(connection: Connection, now: int, days: int = DAYS[0]) -> list[Row[Any]]:
    """Return the certificates in use that end within some days and whose renewal is not in use yet, the nearest first."""
    found = [row for row in rows.ending(connection, now + days * DAY + 1) if row.state in ("active", "suspended")]
    return [row for row in found if not _renewed(connection, row)]


def sent(connection: Connection, certificate_ids: Iterable[str]) -> dict[tuple[str, int, str], int]:
    """Return which notices were sent, and when."""
    return {(row.certificate_id, row.days, row.recipient): row.at for row in rows.notices(connection, certificate_ids)}


def daily(connection: Connection, now: int) -> Done:
    """Note what expired and what notices go out; safe to run at any time, and twice."""
    expired = register.expire(connection, now)
    near = ending(connection, now)
    due = notices_due(near, now, sent(connection, [row.id for row in near]))
    for notice in due:
        rows.put_notice(connection, notice.certificate_id, notice.days, notice.recipient, now)
    return Done(tuple(row.id for row in expired), tuple(due))


async def watch(store: Store, clock: Clock, fence: Callable[[Connection], None]) -> None:
    """Do what a day brings, and tell it; `fence` raises where this node may not."""

    def unit(connection: Connection) -> Done:
        fence(connection)
        return daily(connection, clock.now())

    (await store.write(unit)).tell()


def _renewed(connection: Connection, row: Row[Any]) -> bool:
    return any(other.state == "active" for other in rows.replacing(connection, row.holder_id, row.id))
