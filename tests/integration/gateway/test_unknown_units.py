"""A unit that no table knows: the result is kept as it was told, and the laboratory's people get to know the unit, once."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.intake import ChannelIntake
from gateway.store import codes, messages
from mappings.formats import json
from mappings.hl7v2 import Context
from mappings.hl7v2.faults import UNIT_UNKNOWN
from tests.conftest import HandClock
from tests.integration.gateway.desk import FACILITY, Desk, evn, message, pid
from tests.unit.lab.tables import HGB, HOA, layout, row, table

DAY = 24 * 3600
WHO = pid("BN000123", "Nguyễn^Hoa^Thị", "19800305")
OBX = "OBX|1|NM|HGB^Hemoglobin^L||{value}|{unit}|||||F"
RECORDS = (
    "H|\\^&|{n}||AN-500|||||||P|1|20261121080000",
    "P|1||BN000123||Nguyễn^Hoa^Thị||19800305|F",
    "O|1|M-0009||^^^HGB|R||||||||||||||||||||F",
    "R|1|^^^HGB|{value}|{unit}||||F||||20261121075500",
    "L|1|N",
    "",
)


@pytest.fixture
def desk(tmp_path: Path, clock: HandClock) -> Desk:
    accept = ("ADT", "ORU", "OUL", "ASTM", "RESULT")
    made = Desk(tmp_path / "site", f"sqlite:///{tmp_path / 'ledger.db'}", clock, accept=accept, produce=())
    (channel,) = made.plan.channels
    made.pipeline._channels = {channel.settings.name: replace(channel, layout=layout())}
    made.send(message("ADT^A01^ADT_A01", "A1", evn(), WHO, "PV1|1|I"))
    return made


def oru(desk: Desk, number: str, value: str, unit: str) -> None:
    desk.send(message("ORU^R01^ORU_R01", number, WHO, "OBR|1||F1|PANEL^P^L", OBX.format(value=value, unit=unit)))


def oul(desk: Desk, number: str, value: str, unit: str) -> None:
    specimen, order = "SPM|1|M-0009||BLD", "OBR|1||F1|PANEL^P^L"
    desk.send(message("OUL^R22^OUL_R22", number, WHO, specimen, order, OBX.format(value=value, unit=unit)))


def astm(desk: Desk, number: str, value: str, unit: str) -> None:
    desk.send("\r".join(RECORDS).format(n=number, value=value, unit=unit).encode())


def rows(desk: Desk, number: str, value: str, unit: str) -> None:
    (channel,) = desk.plan.channels
    context = Context(FACILITY, desk.plan.systems)
    door = ChannelIntake(replace(channel, layout=layout()), desk.store, desk.keyring, desk.clock, lambda: None, context)
    raw = table(row(HOA, int(number), HGB, f"{value.replace('.', ',')};{unit}"))
    assert asyncio.run(door.receive(raw, "folder drop")).positive
    desk.clock.forward(1)
    desk.work()


WAYS = {"oru": oru, "oul": oul, "astm": astm, "table": rows}


def notices(desk: Desk) -> list[tuple[str, str]]:
    """Give where the newest mapped message has the notice, and the unit that it names."""
    found = desk.store.read_now(lambda c: messages.listing(c, states=("mapped",), limit=1))[0]
    account = json.loads(desk.keyring.open(bytes(found.positions), f"coverage/{found.id}"))
    return [(where, detail) for code, where, detail in account["notices"] if code == UNIT_UNKNOWN]


def listed(desk: Desk) -> list[Any]:
    found = desk.store.read_now(lambda c: codes.listing(c))
    return [(one.code, one.display, one.messages) for one in found if "/sid/unit/" in one.system]


@pytest.mark.parametrize("way", WAYS)
def test_a_unit_that_no_table_knows_is_told_and_its_result_kept(
    desk: Desk, way: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "lienthong.pipeline"):
        WAYS[way](desk, "1", "13.50", "zorg/dL")
    (told,) = notices(desk)
    assert told[1] == "zorg/dL"
    assert ("R" if way == "astm" else "row[2]" if way == "table" else "OBX") in told[0]
    ((unit, display, count),) = listed(desk)
    assert (unit, count) == ("zorg/dL", 1)
    assert "Hoa" not in display
    (found,) = desk.of(desk.patient("BN000123"), "Observation")
    assert found["valueQuantity"] == {"value": found["valueQuantity"]["value"], "unit": "zorg/dL"}
    assert str(found["valueQuantity"]["value"]) == "13.50"
    (line,) = [one.getMessage() for one in caplog.records if "LT3127" in one.getMessage()]
    assert "his" in line
    assert "zorg" not in line


@pytest.mark.parametrize("way", WAYS)
def test_a_known_unit_is_told_of_by_nothing(desk: Desk, way: str) -> None:
    WAYS[way](desk, "1", "13.50", "g/dL")
    assert notices(desk) == []
    assert listed(desk) == []


def test_it_does_not_flood(desk: Desk, clock: HandClock, caplog: pytest.LogCaptureFixture) -> None:
    def lines() -> int:
        return sum("LT3127" in one.getMessage() for one in caplog.records)

    for number in range(2, 7):
        oru(desk, str(number), f"{number}.5", "zorg/dL")
    assert [one[2] for one in listed(desk)] == [5]
    assert lines() == 1
    oru(desk, "7", "7.5", "quux")
    assert lines() == 2
    clock.forward(DAY)
    oru(desk, "8", "8.5", "zorg/dL")
    assert lines() == 3


def test_what_can_be_no_unit_is_not_named_on_the_list(desk: Desk) -> None:
    """A shifted column may have a person's number or name where the unit is."""
    oru(desk, "1", "1.5", "001080012345")
    oru(desk, "2", "2.5", "Nguyễn Thị Hoa 05/03/1980 số 12 phố Huế")
    assert [one[0] for one in listed(desk)] == ["?"]


def test_a_unit_beside_a_text_is_no_matter(desk: Desk) -> None:
    desk.send(message("ORU^R01^ORU_R01", "1", WHO, "OBR|1||F1|PANEL^P^L", "OBX|1|ST|C^Color^L||đỏ|zorg|||||F"))
    assert notices(desk) == []
