"""What is near its deadline or past it, per paper and destination: why, and who must act.

Of now: every delivery that has not arrived and of which was warned. Of a day: the papers of its events in their newest version,
with those that arrived late. A message in the error queue that would have made papers due counts too: its time runs, though
there is no paper yet.

Requirement: S3.8, S3.16
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy.engine import Connection, Row

from gateway.ops.reports import Missing, missing_of, newest
from gateway.papers import until
from gateway.settings import Channel, Plan
from gateway.states import ENDED_DELIVERY
from gateway.store import destinations
from gateway.store import reports as rows
from mappings.documents.rules import rules
from mappings.formats.values import parse_within

Status = Literal["near", "past", "late"]
Who = Literal["it", "signer", "destination", "nobody"]


@dataclass(frozen=True)
class Clock:
    """One delivery, or one message without papers, whose time is nearly over or over."""

    item: Missing
    status: Status
    """`near`: there is time left · `past`: there is none · `late`: it arrived after its deadline."""
    who: Who
    """Who must act: IT (error queue, a pause), who signs next, the destination, or nobody (it goes by itself)."""
    paused: str = ""
    """Why the destination is paused."""
    accepted_at: int = 0


@dataclass(frozen=True)
class Deadlines:
    clocks: Sequence[Clock]

    @property
    def breached(self) -> bool:
        return any(one.status != "near" for one in self.clocks)

    def count(self, status: Status) -> int:
        return sum(one.status == status for one in self.clocks)


def deadlines(connection: Connection, plan: Plan, now: int, span: tuple[int, int] | None = None) -> Deadlines:
    """List what is near or past its deadline now; with a span, of the papers whose events lie in it."""
    if span is None:
        found = rows.near_or_past(connection, now)
    else:
        found = [row for row in newest(rows.papers_of(connection, *span)) if _concerns(row, now)]
    paused = {row.name: row.paused_reason for row in destinations.listing(connection) if row.paused_at is not None}
    clocks = [_clock(connection, row, now, paused) for row in found]
    clocks += _of_messages(connection, plan, now, span)
    return Deadlines(sorted(clocks, key=lambda one: (one.item.deadline_at, one.item.id)))


def _concerns(row: Row[Any], now: int) -> bool:
    if row.delivery_state is None:
        return False
    if row.delivery_state == "accepted":
        return bool(row.accepted_at > row.deadline_at)
    warned = row.warned_at is not None or (row.notice_at is not None and row.notice_at <= now)
    return row.delivery_state not in ENDED_DELIVERY and (warned or row.deadline_at < now)


def _clock(connection: Connection, row: Row[Any], now: int, paused: dict[str, str]) -> Clock:
    item = missing_of(connection, row, "missing", now)
    if row.delivery_state == "accepted":
        return Clock(item, "late", "nobody", accepted_at=row.accepted_at)
    why_paused = paused.get(row.destination, "")
    return Clock(item, "past" if row.deadline_at < now else "near", _who(item, bool(why_paused)), why_paused)


def _who(item: Missing, paused: bool) -> Who:
    if item.waits_for:
        return "signer"
    if item.state in ("error", "held"):
        return "it"
    if paused:
        return "it"
    return "destination" if item.why == "fault" and item.what == "delivery" else "nobody"


def _of_messages(connection: Connection, plan: Plan, now: int, span: tuple[int, int] | None) -> Iterator[Clock]:
    channels = {channel.settings.name: channel for channel in plan.channels}
    for row in rows.wrong_messages(connection):
        channel = channels.get(row.channel)
        within = None if channel is None else _within(channel, row.type)
        if channel is None or within is None or (span and not span[0] <= row.received_at < span[1]):
            continue
        deadline = until(plan, row.received_at, within)
        if now < row.received_at + (deadline - row.received_at) * channel.settings.warn:
            continue
        fault = (row.fault_code, row.fault_where, row.fault_detail)
        past = deadline < now
        item = Missing("message", row.id, "", "", row.state, "fault", fault, (), deadline, past)
        yield Clock(item, "past" if past else "near", "it")


def _within(channel: Channel, trigger: str) -> int | None:
    """Give the shortest time that the papers have which a message makes due; None when it makes none."""
    names = (trigger, trigger.partition("^")[0])
    found = [
        rule.within
        for paper in channel.settings.produce
        for rule in rules(paper)
        if not rule.told and set(names) & {*rule.on}
    ]
    if found and channel.settings.deadline:
        return parse_within(channel.settings.deadline)
    return min(found, default=None)
