"""Tables of results as messages: the file as it came, and one message for each report in it.

    table        a message for each report, so that each is mapped, ordered and repaired alone; then the file, kept
    bad row      a message of its own in the error queue; the other rows go their way
    unreadable   one message in the error queue, negative answer: nothing of it was believed

A table is made durable in portions, the file itself with the last one: that it is there says that all of it is. Who is told no
before, or dies, brings the file again, and what came before is known by what it says.

A file that comes again is a duplicate by its bytes, a report that comes again, in whichever file, by what its rows say; a
corrected one is another message about the same report. Reports of a long table may wait: what else comes is mapped before those
after the first portion. Does not map.

Requirement: S1.5
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from gateway.clock import to_datetime
from gateway.faults import TypeNotAccepted
from gateway.result_steps import FAMILY, FILE, ROWS
from gateway.settings import Channel
from gateway.store.ids import uuid7
from gateway.store.messages import Earlier, NewMessage
from gateway.store.sealed import Keyring
from gateway.visit_intake import Arrival
from mappings.formats import json
from mappings.formats.faults import Fault
from mappings.lab.layout import Layout
from mappings.lab.rows import Report, split_reports

PORTION = 200
"""Reports that are made durable together: what a table costs in memory, and how long others wait for the writer."""
_FAULTS_TOLD = 100


def table_to_messages(
    arrival: Arrival, channel: Channel, layout: Layout, keyring: Keyring
) -> Iterator[list[NewMessage]]:
    """Make the messages of a table, portion by portion; never raises for what the file is: a fault goes with the message.

    The caller stores each portion before it asks for the next; the last one is the file's own message.
    """
    make = _maker(arrival, channel, keyring)
    sha256 = hashlib.sha256(arrival.raw).hexdigest()
    came = f"{to_datetime(arrival.at):%Y%m%d%H%M%S%z}"
    refused: Fault | None = None if channel.accepts(ROWS) else TypeNotAccepted("/", ROWS)
    file_id = uuid7()
    try:
        portions = _portions(split_reports(arrival.raw, layout, came)) if refused is None else ()
        for number, portion in enumerate(portions):
            yield [make(one, ROWS, uuid7(), priority=min(number, 1)) for one in portion]
    except Fault as fault:
        refused = fault
    yield [make(Report(arrival.raw, "", sha256, refused), FILE, file_id)]


def _portions(reports: Iterator[Report]) -> Iterator[list[Report]]:
    while portion := list(islice(reports, PORTION)):
        yield portion


@dataclass
class Told:
    """What the sender of a table is told: how many reports there were, how many came before, what is wrong."""

    reports: int = 0
    repeats: int = 0
    faulty: int = 0
    faults: list[Fault] = field(default_factory=list)
    """The first of them."""
    all_known: bool = True
    """Everything stored so far came before."""
    waiting: bool = False
    """Something stored last waits to be mapped."""

    def note(self, new: Sequence[NewMessage], earlier: Sequence[Earlier | None]) -> None:
        """Note what was stored."""
        found = [one.fault for one in new if one.fault]
        self.reports += sum(one.type == ROWS for one in new)
        self.repeats += sum(each.type == ROWS and one is not None for one, each in zip(earlier, new, strict=True))
        self.faulty += len(found)
        self.faults += found[: _FAULTS_TOLD - len(self.faults)]
        self.all_known = self.all_known and all(earlier)
        self.waiting = any(one is None and each.state == "received" for one, each in zip(earlier, new, strict=True))

    @property
    def type(self) -> str:
        """What it is counted as."""
        return ROWS if self.reports else FILE

    def answer(self, whole: NewMessage, said: Callable[[Fault], str]) -> bytes:
        """Write it as JSON; `whole` is the file's own message."""
        told = [{"code": f"LT{fault.code:04d}", "where": fault.where, "text": said(fault)} for fault in self.faults]
        counts = {"reports": self.reports, "repeats": self.repeats, "faulty": self.faulty}
        return json.dumps({"answer": whole.answer, "message": whole.id, **counts, "faults": told})


def _maker(arrival: Arrival, channel: Channel, keyring: Keyring) -> Callable[..., NewMessage]:
    name = channel.settings.name

    def make(one: Report, kind: str, message_id: str, priority: int = 0) -> NewMessage:
        return NewMessage(
            id=message_id,
            channel=name,
            received_at=arrival.at,
            peer=arrival.peer,
            sender=name,
            control_id=one.digest,
            type=kind,
            version="",
            size=len(one.body),
            sha256=one.digest,
            body=keyring.seal(one.body, message_id),
            dedupe_key=keyring.search_key("control", f"{name}|{FAMILY}|{one.digest}"),
            order_key=keyring.search_key("order", f"{name}|{one.patient}" if one.patient else message_id),
            state="error" if one.fault else "received" if kind == ROWS else "kept",
            answer="AE" if one.fault else "AA",
            fault=one.fault,
            priority=priority,
        )

    return make
