"""Orders go out to an instrument unasked over TCP: with contention, refusals, silence, and lines that come and go."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from conformance.sandbox.analyser import Analyser, Knobs, Outcome, Times, called
from connectors.contract import OwedOrders
from connectors.faults import OrdersNotTaken, OrdersRefused
from connectors.sources import _astm_calls
from connectors.sources.astm import Settings, Source
from mappings.formats.faults import IntakeFault
from tests.integration.connectors.astm_house import ONE, ORDERS, Ledger, until

QUICK = Times(answer_s=5.0, frame_s=5.0, busy_s=0.1, contention_s=0.05)


class Owing(Ledger):
    """Owes an instrument orders."""

    def __init__(self) -> None:
        super().__init__()
        self.owed: list[OwedOrders] = []
        self.asked = 0
        self.noted: list[tuple[bytes, IntakeFault | None]] = []

    def owe(self, *records: bytes) -> None:
        self.owed += map(OwedOrders, records)

    async def owed_orders(self, most: int) -> Sequence[OwedOrders]:
        self.asked += 1
        given, self.owed = self.owed[:most], self.owed[most:]
        return given

    async def note_orders(self, told: OwedOrders, fault: IntakeFault | None) -> None:
        self.noted.append((told.records, fault))


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_astm_calls, "_LOOK_S", 0.01)


@asynccontextmanager
async def listening(ledger: Owing) -> AsyncIterator[tuple[str, int]]:
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    settings = Settings(
        listen="127.0.0.1:0", tls="none", answer_timeout=timedelta(seconds=1), grace=timedelta(seconds=5)
    )
    task = asyncio.create_task(Source(settings).run(ledger, ready.set_result))
    try:
        host, _, port = (await ready).rpartition(":")
        yield host, int(port)
    finally:
        task.cancel()
        await task


def run(knobs: Knobs, *records: bytes, sessions: int = 1) -> tuple[Owing, list[bytes]]:
    """Owe orders, and give what an analyser took."""

    async def go() -> tuple[Owing, list[bytes]]:
        ledger = Owing()
        ledger.owe(*records)
        async with listening(ledger) as (host, port), called(host, port) as wire:
            machine = Analyser(wire, knobs, QUICK)
            taken = [one for _ in range(sessions) for one in await machine.receive(20)]
            await until(lambda: len(ledger.noted) >= len(records))
        return ledger, taken

    return asyncio.run(go())


def test_orders_go_out_in_order_in_one_session() -> None:
    ledger, taken = run(Knobs(), *ORDERS)
    assert taken == list(ORDERS)
    assert ledger.noted == [(one, None) for one in ORDERS]


def test_when_both_ask_for_the_line_the_instrument_goes_first() -> None:
    """The analyser answers our ENQ with its own, takes the line, leaves it; then the orders go out."""
    ledger, taken = run(Knobs(contention=True), ORDERS[0])
    assert taken == [ORDERS[0]]
    assert ledger.noted == [(ORDERS[0], None)]


def test_a_frame_that_came_damaged_is_sent_again() -> None:
    ledger, taken = run(Knobs(naks=3), ORDERS[0])
    assert (taken, ledger.noted) == ([ORDERS[0]], [(ORDERS[0], None)])


def test_nobody_is_on_the_line_and_nothing_is_given_out() -> None:
    async def go() -> None:
        ledger = Owing()
        ledger.owe(ORDERS[0])
        async with listening(ledger) as (host, port):
            async with called(host, port) as wire:
                assert await Analyser(wire, Knobs(), QUICK).receive(20) == [ORDERS[0]]
                await until(lambda: len(ledger.noted) == 1)
            asked = ledger.asked
            await until(lambda: ledger.asked <= asked + 1)
            ledger.owe(ORDERS[1])
            async with called(host, port) as wire:
                assert await Analyser(wire, Knobs(), QUICK).receive(20) == [ORDERS[1]]

    asyncio.run(go())


def test_results_come_in_and_orders_go_out_on_one_line() -> None:
    async def go() -> None:
        ledger = Owing()
        async with listening(ledger) as (host, port), called(host, port) as wire:
            machine = Analyser(wire, Knobs(), QUICK)
            for _ in range(3):
                (sent,) = await machine.send(ONE)
                assert sent.outcome is Outcome.ACKNOWLEDGED
                ledger.owe(ORDERS[0])
                assert await machine.receive(20) == [ORDERS[0]]
        assert [raw for raw, _ in ledger.kept()] == [ONE] * 3
        assert ledger.noted == [(ORDERS[0], None)] * 3

    asyncio.run(go())


def test_orders_that_are_refused_and_a_line_that_is_lost_are_told_apart() -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while (byte := await reader.read(1)) not in (b"", b"\x04"):
            if byte == b"\x05":
                writer.write(b"\x06")
            elif byte == b"\n":
                writer.write(b"\x15")

    async def go() -> None:
        ledger = Owing()
        async with listening(ledger) as (host, port):
            reader, writer = await asyncio.open_connection(host, port)
            ledger.owe(ORDERS[0])
            await refuse(reader, writer)
            writer.close()
            await until(lambda: len(ledger.noted) == 1)
            reader, writer = await asyncio.open_connection(host, port)
            ledger.owe(ORDERS[1])
            assert await reader.readexactly(1) == b"\x05"
            writer.close()
            await until(lambda: len(ledger.noted) == 2)
        (_, refused), (_, lost) = ledger.noted
        assert isinstance(refused, OrdersNotTaken | OrdersRefused)
        assert isinstance(lost, OrdersNotTaken)
        assert lost.detail == "line lost"

    asyncio.run(go())


def test_what_is_given_out_when_the_node_stops_is_noted() -> None:
    async def go() -> None:
        ledger = Owing()
        async with listening(ledger) as (host, port):
            reader, writer = await asyncio.open_connection(host, port)
            ledger.owe(*ORDERS)
            assert await reader.readexactly(1) == b"\x05"
        assert [type(fault) for _, fault in ledger.noted] == [OrdersNotTaken] * 2
        writer.close()

    asyncio.run(go())
