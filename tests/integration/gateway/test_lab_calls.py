"""Instruments are told of orders what they do not know yet: each change once, in order, whatever happens in between."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from connectors.faults import OrdersNotTaken, OrdersRefused
from gateway import lab_calls, relief, repair
from gateway.lab_calls import Call, CallDesk
from gateway.store import actions
from gateway.store import lab_calls as rows
from mappings.formats import astm
from mappings.formats.faults import IntakeFault
from mappings.hl7v2 import Context
from tests.conftest import HandClock
from tests.integration.gateway.desk import FACILITY, Desk
from tests.integration.gateway.test_laboratory import made, result


class Instrument:
    """What a channel's instrument AN-500 is told."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        (channel,) = desk.plan.channels
        self.channel = replace(channel, settings=replace(channel.settings, instrument="AN-500"))
        desk.plan = replace(desk.plan, channels=(self.channel,))
        desk.pipeline._plan = desk.plan

    def due(self, most: int = 20) -> list[Call]:
        room = CallDesk(self.channel, self.desk.keyring, Context(FACILITY, self.desk.plan.systems), "n1")
        return self.desk.store.write_now(lambda c: room.give_out(c, self.desk.clock.now(), most))

    def note(self, call: Call, fault: IntakeFault | None = None) -> None:
        room = CallDesk(self.channel, self.desk.keyring, Context(FACILITY, self.desk.plan.systems), "n1")
        self.desk.store.write_now(lambda c: room.note(c, call, fault, self.desk.clock.now()))

    def told(self) -> list[list[str]]:
        """Take everything that is due; give action, specimen and tests of each order, by message."""
        calls = self.due()
        for call in calls:
            self.note(call)
        return [said(call) for call in calls]


def said(call: Call) -> list[str]:
    message = astm.Message.parse(call.records)
    assert message.records[-1].name == "L"
    orders = [one for one in message.records if one.name == "O"]
    assert all(one[26].c(1) == "O" for one in orders)
    return [" ".join((one[12].c(1), one[3].c(1), *(test.c(4) for test in one[5].repetitions))) for one in orders]


def order(
    desk: Desk,
    *tests: str,
    control: str = "NW",
    number: str = "XN1",
    specimen: str = "S1",
    patient: str = "BN1",
    priority: str = "",
) -> str:
    desk.clock.forward(1)
    asked = []
    for test in tests or ("HGB",):
        timing = f"||||||^^^^^{priority}" if priority else ""
        asked += [
            f"ORC|{control}|{number}-{test}{timing}",
            f"OBR|1|{number}-{test}||{test}^{test}^L|||||||||||||||||||||LAB",
        ]
        asked += [f"SPM|1|{specimen}||BLD"]
    at = f"2026030508{desk.clock.now() % 60_000_000 // 1_000_000:02d}00"
    raw = "\r".join(
        [
            f"MSH|^~\\&|HIS|{FACILITY}|LT|{FACILITY}|{at}||OML^O21^OML_O21|{number}{desk.clock.now()}|P|2.5.1",
            f"PID|1||{patient}^^^{FACILITY}^PI||TRẦN^AN^VĂN||19900215|M",
            *asked,
            "",
        ]
    )
    return desk.send(raw.encode())


@pytest.fixture
def instrument(tmp_path: Path, clock: HandClock, migrated_file: Path) -> Instrument:
    shutil.copy(migrated_file, tmp_path / "ledger.db")
    return Instrument(made(tmp_path, f"sqlite:///{tmp_path / 'ledger.db'}", clock))


def test_an_order_is_told_once_with_whose_it_is(instrument: Instrument) -> None:
    order(instrument.desk)
    (call,) = instrument.due()
    message = astm.Message.parse(call.records)
    assert [one.name for one in message.records] == ["H", "P", "O", "L"]
    assert (message.value("P-3"), message.value("P-6.1"), message.value("H-10")) == ("BN1", "TRAN", "AN-500")
    assert said(call) == ["N S1 HGB"]
    assert instrument.due() == [], "given out for one try"
    instrument.note(call)
    order(instrument.desk)
    assert instrument.told() == [], "the same order again says nothing new"
    (act,) = instrument.desk.store.read_now(lambda c: actions.of_target(c, call.changes[0].row.id))
    assert (act.verb, act.reason) == ("disclose", "1 persons to AN-500 (orders)")


def test_what_comes_together_is_one_message_and_what_comes_later_is_added(instrument: Instrument) -> None:
    order(instrument.desk, "HGB", "2823-3")
    assert instrument.told() == [["N S1 HGB", "N S1 K"]]
    order(instrument.desk, "HGB", number="XN2")
    order(instrument.desk, "HGB", number="XN3", specimen="S2", patient="BN2")
    assert instrument.told() == [["A S1 HGB"], ["N S2 HGB"]]


def test_a_cancelled_order_is_cancelled_and_one_that_came_and_went_is_not_told(instrument: Instrument) -> None:
    order(instrument.desk)
    assert instrument.told() == [["N S1 HGB"]]
    order(instrument.desk, control="CA")
    assert instrument.told() == [["C S1 HGB"]]
    assert instrument.told() == []
    order(instrument.desk, number="XN2", specimen="S2")
    order(instrument.desk, number="XN2", specimen="S2", control="CA")
    assert instrument.told() == []


def test_a_corrected_order_is_taken_back_and_told_anew(instrument: Instrument) -> None:
    order(instrument.desk, specimen="S1")
    assert instrument.told() == [["N S1 HGB"]]
    order(instrument.desk, specimen="S9", control="XO")
    assert instrument.told() == [["C S1 HGB", "N S9 HGB"]]


def test_what_the_instrument_does_not_do_and_what_is_done_is_not_told(instrument: Instrument) -> None:
    order(instrument.desk, "NA")
    assert instrument.told() == []
    order(instrument.desk, number="XN5", specimen="S5")
    instrument.desk.send(result("S5"))
    assert instrument.told() == [], "the result is there"
    order(instrument.desk, number="XN6", specimen="S6")
    assert instrument.told() == [["N S6 HGB"]]
    instrument.desk.send(result("S6"))
    assert instrument.told() == []


def test_a_silent_instrument_is_told_again_and_a_change_meanwhile_is_not_lost(instrument: Instrument) -> None:
    desk = instrument.desk
    order(desk)
    (call,) = instrument.due()
    instrument.note(call, OrdersNotTaken("i", "silent"))
    assert instrument.due() == []
    desk.clock.forward(6)
    (call,) = instrument.due()
    order(desk, control="CA")
    instrument.note(call)
    assert instrument.told() == [["C S1 HGB"]], "cancelled while it was being told"


def test_what_a_node_was_at_that_died_is_told_again(instrument: Instrument) -> None:
    desk = instrument.desk
    order(desk)
    assert len(instrument.due()) == 1
    desk.store.write_now(lambda c: relief.take_back(c, "n1", desk.clock.now()))
    assert instrument.told() == [["N S1 HGB"]]


def test_what_outlives_a_second_death_waits_for_a_person(instrument: Instrument) -> None:
    desk = instrument.desk
    order(desk)
    order(desk, number="XN2", specimen="S2")
    assert len(instrument.due()) == 2
    assert desk.store.write_now(lambda c: relief.take_back(c, "n1", desk.clock.now())) == []
    (first,) = instrument.due()  # one suspect at a time
    (deadly,) = desk.store.write_now(lambda c: relief.take_back(c, "n1", desk.clock.now()))
    assert instrument.told() == [["N S2 HGB" if "S1" in said(first)[0] else "N S1 HGB"]]
    (item,) = desk.store.read_now(repair.error_queue)
    assert (item.id, item.what, item.fault_code) == (deadly, "lab_call", 8109)
    desk.store.write_now(lambda c: repair.retry(c, deadly, "ktv", "profile mended", desk.clock))
    assert instrument.told() == [said(first)]
    assert {row.deaths for row in desk.store.read_now(rows.listing)} == {0}


def test_what_is_refused_waits_for_a_person(instrument: Instrument) -> None:
    desk = instrument.desk
    order(desk)
    order(desk, number="XN2", specimen="S2")
    first, second = instrument.due()
    instrument.note(first, OrdersRefused("10.0.0.1:1"))
    instrument.note(second)
    (item,) = desk.store.read_now(repair.error_queue)
    assert (item.what, item.about, item.fault_code) == ("lab_call", desk.plan.channels[0].settings.name, 2157)
    assert instrument.told() == []
    desk.store.write_now(lambda c: repair.retry(c, item.id, "ktv", "profile mended", desk.clock))
    assert instrument.told() == [["N S1 HGB"]]
    order(desk, number="XN3", specimen="S3")
    (third,) = instrument.due()
    instrument.note(third, OrdersRefused("10.0.0.1:1"))
    (item,) = desk.store.read_now(repair.error_queue)
    desk.store.write_now(lambda c: repair.close(c, item.id, "ktv", "done by hand", desk.clock))
    assert desk.store.read_now(repair.error_queue) == []


def test_after_a_week_away_a_person_is_asked(instrument: Instrument) -> None:
    desk = instrument.desk
    order(desk)
    desk.clock.forward(lab_calls.GIVE_UP // 1_000_000 + 1)
    assert instrument.due() == []
    (item,) = desk.store.read_now(repair.error_queue)
    assert (item.what, item.fault_code) == ("lab_call", 2156)


def test_no_more_than_asked_for_and_the_oldest_first(instrument: Instrument) -> None:
    for n in range(5):
        order(instrument.desk, number=f"XN{n}", specimen=f"S{n}")
    calls = instrument.due(2)
    assert [said(one) for one in calls] == [["N S0 HGB"], ["N S1 HGB"]]
    for one in calls:
        instrument.note(one)
    assert instrument.told() == [["N S2 HGB"], ["N S3 HGB"], ["N S4 HGB"]]
    name = instrument.channel.settings.name
    listed = instrument.desk.store.read_now(lambda c: rows.listing(c, name, ("told",)))
    assert [lab_calls.told_of(instrument.desk.keyring, row).specimen for row in listed] == [
        "S4",
        "S3",
        "S2",
        "S1",
        "S0",
    ]
