"""The day a report is about, as commands take it."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

import typer

from gateway.clock import to_datetime
from gateway.settings import Plan
from mappings.formats.dates import zone_of

Day = Annotated[
    datetime | None,
    typer.Option(formats=["%Y-%m-%d", "%d/%m/%Y"], help="Ngày cần xem; không ghi = hôm nay.", show_default=False),
]


def chosen_day(day: datetime | None, plan: Plan, now: int) -> date:
    """Give the day asked for, else today in the node's zone."""
    return day.date() if day is not None else to_datetime(now).astimezone(zone_of(plan.node.zone)).date()
