"""Laboratory and bedside of the demo: an analyser asks, tells and corrects, a LIS tells by OUL, a monitor reports a minute."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from conformance.sandbox.analyser import Analyser, Outcome, called
from conformance.scenarios.event import Day
from conformance.scenarios.instruments import Bench, bench
from conformance.scenarios.player import Played, play
from gateway.cli.demo_nodes import Nodes
from gateway.faults import InternalFault
from gateway.store import lab_schema, sample_schema, schema
from gateway.store.engine import Store
from mappings.formats import astm

PAPERS = {"order_sheet": 2, "lab_report": 2, "care_sheet": 1}
"""What comes of it: two sheets of orders, a report of each specimen, and the sheet of the nurse at the monitor."""
VERSIONS = PAPERS | {"lab_report": 3}
"""One more of the report that was corrected."""
_WAIT_S = 300.0
_LOOK_S = 0.1


@dataclass(frozen=True)
class InstrumentFigures:
    """What instruments and monitor said, and what the ledger knows of it."""

    told: int
    """Messages of the analyser that it was told are safe."""
    orders: int
    """Tests that the analyser was told of when it asked for a specimen."""
    messages: int
    """Of HIS, LIS and monitor, each with the answer it deserves."""
    unexpected: int
    critical: int
    """Critical values of the analyser that wait for somebody to be told."""
    measured: int
    """Vital signs of the monitor in the record; the rest stays in its messages."""

    @property
    def closes(self) -> bool:
        return (self.told, self.orders, self.unexpected, self.critical) == (2, 1, 0, 1) and self.measured > 0


async def play_instruments(day: Day, nodes: Nodes, store: Store) -> InstrumentFigures:
    """Order, ask, tell, correct; let the LIS and the monitor speak."""
    told = bench(day)
    addresses = {name: nodes.addresses(name) for name in ("his", "lis", "monitors")}
    ordered = await play([told.first.order, told.second.order], addresses)
    await _until(store, _all_mapped)
    sent, orders = await _analyse(told, nodes.addresses("analyser")[-1], store)
    others = await play([*told.bedside, told.report], addresses)
    await _until(store, _all_mapped)
    played: list[Played] = [*ordered, *others]
    critical = await store.read(_critical)
    wrong = sum(not one.as_expected for one in played)
    return InstrumentFigures(sent, orders, len(played), wrong, critical, 0)


async def measured(day: Day, nodes: Nodes, said: InstrumentFigures, store: Store) -> InstrumentFigures:
    """Wait until no value of the monitor waits for its minute; then let the nurse write. Count what the record got."""
    await _until(store, _windows_are_over)
    (entry,) = await play([bench(day).entry], {"his": nodes.addresses("his")})
    await _until(store, _all_mapped)
    return replace(
        said,
        messages=said.messages + 1,
        unexpected=said.unexpected + (not entry.as_expected),
        measured=await store.read(_vital_signs),
    )


async def _analyse(told: Bench, address: tuple[str, int], store: Store) -> tuple[int, int]:
    """Ask for the specimen's orders, send its results, then the corrected ones; give what was taken, and tests told."""
    taken = 0
    async with called(*address) as wire:
        analyser = Analyser(wire)
        asked, answers = await analyser.ask(told.question)
        if asked.outcome is not Outcome.ACKNOWLEDGED:
            raise InternalFault(where="demo", detail=f"question {asked.outcome}")
        for message in (told.results, told.corrected):
            (sent,) = await analyser.send(message)
            taken += sent.outcome is Outcome.ACKNOWLEDGED
            await _until(store, _all_mapped)
    return taken, sum(_tests(one) for one in answers)


def _tests(message: bytes) -> int:
    """Count the tests of an answer's orders."""
    return sum(len(order[5].repetitions) for order in astm.Message.parse(message).all("O"))


async def _until(store: Store, done: Callable[[Connection], bool]) -> None:
    end = time.monotonic() + _WAIT_S
    while not await store.read(done):
        if time.monotonic() > end:
            raise InternalFault(where="demo", detail="what instruments said did not arrive in the record")
        await asyncio.sleep(_LOOK_S)


def _all_mapped(connection: Connection) -> bool:
    waiting = sa.select(sa.func.count()).select_from(schema.message).where(schema.message.c.state == "received")
    return connection.scalar(waiting) == 0


def _windows_are_over(connection: Connection) -> bool:
    """Tell whether nothing of the monitor waits any more for the rest of its minute."""
    waiting = sa.select(sa.func.count()).where(sample_schema.device_sample.c.due_at.is_not(None))
    return connection.scalar(waiting) == 0


def _critical(connection: Connection) -> int:
    """Count the critical values of the analyser."""
    value = lab_schema.critical_value
    found = (
        sa.select(sa.func.count())
        .select_from(value)
        .join(schema.message, schema.message.c.id == value.c.message_id)
        .where(value.c.state == "open", schema.message.c.channel == "analyser")
    )
    return int(connection.scalar(found) or 0)


def _vital_signs(connection: Connection) -> int:
    """Count what the monitor measured and the record has."""
    found = (
        sa.select(sa.func.count())
        .select_from(schema.resource)
        .join(schema.message, schema.message.c.id == schema.resource.c.message_id)
        .where(
            schema.resource.c.type == "Observation", schema.resource.c.current, schema.message.c.channel == "monitors"
        )
    )
    return int(connection.scalar(found) or 0)
