"""A gateway without its sockets and processes: what comes in at intake goes through the pipeline, in the hand of a test."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from connectors.contract import Answer
from gateway import steps
from gateway.configuration import load
from gateway.intake import ChannelIntake
from gateway.pipeline import Pipeline
from gateway.records import resources
from gateway.records.versions import opened
from gateway.store import messages
from gateway.store import resources as rows
from gateway.store.engine import Store, open_store
from mappings.hl7v2 import Context
from mappings.ids import resource_id
from mappings.outcome import Resource
from tests.conftest import HandClock
from tests.site import write_site

FACILITY = "01999"


class Inline:
    """Steps run where they are asked for."""

    async def run(self, function: Callable[..., Any], *arguments: object) -> Any:
        return steps.guarded(function, *arguments)

    async def run_small(self, function: Callable[..., Any], *arguments: object, last: bool = False) -> Any:
        return await self.run(function, *arguments)


class Desk:
    """One channel that takes everything, its ledger, and its pipeline."""

    def __init__(self, folder: Path, url: str, clock: HandClock, **site: Any) -> None:
        self.clock = clock
        self.plan = load(write_site(folder, store=url, **site))
        self.keyring = self.plan.keyring
        self.store: Store = open_store(url)
        pool: Any = Inline()
        steps.prepare(self.plan.signing.kind, self.plan.signing.options, self.plan.site, watch_parent=False)
        self.pipeline = Pipeline(self.plan, self.store, pool, clock, "n1", ring=lambda: None, parallel=1)
        context = Context(FACILITY, self.plan.systems)
        (channel,) = self.plan.channels
        self.intake = ChannelIntake(channel, self.store, self.keyring, clock, lambda: None, context)

    def ask(self, raw: bytes) -> Answer:
        return asyncio.run(self.intake.receive(raw, "127.0.0.1:1"))

    def send(self, raw: bytes) -> str:
        """Take a message in and map it; return its id."""
        answer = self.ask(raw)
        assert answer.positive, answer.frames
        self.clock.forward(1)
        self.work()
        assert answer.message_id is not None
        return answer.message_id

    def work(self) -> None:
        """Map everything that waits."""

        async def run() -> None:
            while await self.pipeline.take():
                await self.pipeline.drain()

        asyncio.run(run())

    def state(self, message_id: str) -> Any:
        return self.store.read_now(lambda c: messages.get(c, message_id))

    def row(self, reference: str) -> Any:
        type_, _, id_ = reference.partition("/")
        found = self.store.read_now(lambda c: rows.current(c, [(type_, id_)]))
        assert len(found) == 1, reference
        return found[0]

    def get(self, reference: str) -> Resource:
        """Give the newest version of a resource."""
        return opened(self.keyring, self.row(reference))

    def version(self, reference: str) -> int:
        return int(self.row(reference).version)

    def record(self, patient: str) -> list[Resource]:
        """Give a person's record."""
        return self.store.read_now(lambda c: resources.record(c, self.keyring, patient.partition("/")[2]))

    def of(self, patient: str, type_: str) -> list[Resource]:
        return [one for one in self.record(patient) if one["resourceType"] == type_]

    def write(self, act: Callable[..., Any], *arguments: Any) -> Any:
        return self.store.write_now(lambda c: act(c, self.keyring, *arguments))

    def patient(self, number: str) -> str:
        """Reference of the Patient of a number that this facility gave."""
        return self.local("Patient", "patient", number)

    def visit(self, number: str) -> str:
        return self.local("Encounter", "visit", number)

    def local(self, type_: str, kind: str, number: str) -> str:
        return f"{type_}/{resource_id(type_, self.plan.systems.local(FACILITY, kind), number)}"


def message(trigger: str, control_id: str, *segments: str, at: str = "20261121080000", sender: str = "HIS") -> bytes:
    head = f"MSH|^~\\&|{sender}|01999|GW|X|{at}||{trigger}|{control_id}|P|2.5.1||||||UNICODE UTF-8"
    return "\r".join((head, *segments, "")).encode()


def pid(number: str, name: str = "Nguyễn^Hoa^Thị", born: str = "19850214", sex: str = "F", more: str = "") -> str:
    return f"PID|1||{number}^^^01999^PI||{name}||{born}|{sex}{more}"


def pv1(visit: str, doctor: str = "") -> str:
    fields = {1: "1", 2: "I", 3: "K1^1^1", 7: doctor, 19: f"{visit}^^^01999^VN", 44: "20261121080000"}
    return "|".join(("PV1", *(fields.get(n, "") for n in range(1, 45))))


def evn(at: str = "20261121080000") -> str:
    return f"EVN||{at}"
