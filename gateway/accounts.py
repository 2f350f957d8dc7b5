"""Who answers for the accounts that the plan holds elsewhere, and whose password is due to be changed.

Requirement: S4.2, S4.3
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy.engine import Connection

from gateway.clock import Clock, to_datetime
from gateway.settings import Plan
from mappings.formats.dates import zone_of

log = logging.getLogger("lienthong.accounts")


@dataclass(frozen=True)
class Account:
    """An account at a destination."""

    destination: str
    kind: str
    username: str
    owner: str
    """Empty: nobody is named."""
    changed_on: str
    """Empty: nobody wrote when the password was last changed."""
    change_by: date | None

    def is_due(self, today: date) -> bool:
        """Tell whether its password is older than it may be."""
        return self.change_by is not None and today > self.change_by


def accounts(plan: Plan) -> Iterator[Account]:
    """Yield the accounts whose destinations say who answers for them."""
    for name, route in plan.routes.items():
        settings = route.settings
        if not hasattr(settings, "owner"):
            continue
        every: timedelta = settings.change_every
        by = date.fromisoformat(settings.changed_on) + every if settings.changed_on else None
        yield Account(name, route.common.kind, settings.username, settings.owner, settings.changed_on, by)


async def remind(plan: Plan, clock: Clock, _: Callable[[Connection], None]) -> None:
    """Say in the log, once a day, whose password is older than it may be."""
    today = to_datetime(clock.now()).astimezone(zone_of(plan.node.zone)).date()
    for one in accounts(plan):
        if one.is_due(today):
            log.warning(
                "%s: the password was to be changed by %s (last on %s)", one.destination, one.change_by, one.changed_on
            )
