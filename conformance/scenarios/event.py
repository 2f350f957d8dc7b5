"""What a scenario consists of: messages in the order in which they are sent, each with the answer it deserves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Literal

LOCAL = timezone(timedelta(hours=7), "Asia/Ho_Chi_Minh")
"""The hospital's time; Vietnam has no daylight saving."""

Stream = Literal["his", "lis", "monitors"]
Expect = Literal["accepted", "duplicate", "error_queue", "refused"]


@dataclass(frozen=True)
class Paper:
    """A paper that becomes due: its name and what makes it the same paper when it comes again."""

    name: str
    key: str
    """Visit number, referral number, appointment number or filler order number."""
    act: str = "make"
    """`make`; `cancel` for the version that withdraws what was issued; `lack` for one that waits for what is missing."""


@dataclass(frozen=True)
class Event:
    """One message on the wire."""

    at: datetime
    stream: Stream
    raw: bytes
    label: str
    """Message type and trigger, such as `ADT^A01`."""
    expect: Expect
    """What becomes of it: `error_queue` is taken with a positive answer and then needs a person."""
    ack: str
    """MSA-1 the sender must get: AA, AE, AR, or CA in enhanced mode."""
    note: str
    control_id: str
    patients: tuple[str, ...]
    """Hospital numbers the message is about; events that share one keep their order."""
    papers: tuple[Paper, ...] = ()


@dataclass(frozen=True)
class Day:
    """A whole day, in time order."""

    events: tuple[Event, ...]
    encounters: int

    def expected_papers(self) -> Mapping[str, int]:
        """Count the distinct papers a correct gateway makes of the day, by name."""
        made = {(p.name, p.key) for event in self.events for p in event.papers if p.act != "lack"}
        return Counter(name for name, _ in made)

    def expected_versions(self) -> Mapping[str, int]:
        """Count every version of a paper: one issued, withdrawn by A13 and issued again counts three times here."""
        return Counter(paper.name for event in self.events for paper in event.papers if paper.act != "lack")

    def expected_gaps(self) -> Mapping[str, int]:
        """Count the papers that wait for a person, because the messages do not tell what the paper needs."""
        return Counter(paper.name for event in self.events for paper in event.papers if paper.act == "lack")
