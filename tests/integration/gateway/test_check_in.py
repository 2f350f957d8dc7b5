"""The check-in of a visit is made at its first cost, once, and again where the ward begins; of nobody else."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import Connection

from gateway.store import documents
from mappings.bhyt.visits import read_visits
from signing import joint
from tests.conftest import HandClock
from tests.integration.gateway.desk import Desk, message, pid

PRODUCE = ("insurance_check_in", "insurance_record")
_IN1 = {
    1: "1",
    2: "DN4^Bảo hiểm y tế^99HIS",
    3: "BHXH",
    4: "BHXH",
    12: "20260101",
    13: "20261231",
    36: "DN4010112345678",
}
CARD = "|".join(("IN1", *(_IN1.get(n, "") for n in range(1, 37))))


@pytest.fixture
def desk(tmp_path: Path, clock: HandClock) -> Desk:
    return Desk(tmp_path / "site", f"sqlite:///{tmp_path / 'ledger.db'}", clock, produce=PRODUCE)


class His:
    """A hospital's system that tells of one visit."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.kind = "O"
        self.ended = ""
        self._control_ids: Iterator[str] = (f"C{n}" for n in range(1000))

    def _send(self, trigger: str, *segments: str) -> None:
        fields = {1: "1", 2: self.kind, 3: "K01^P1^G1", 19: "LK1^^^01999^VN", 44: "20260921080000", 45: self.ended}
        pv1 = "|".join(("PV1", *(fields.get(n, "") for n in range(1, 46))))
        self.desk.send(message(trigger, next(self._control_ids), pid("BN1"), pv1, *segments, at="20260921083000"))

    def registers(
        self, situation: str = "1.1", card: str = CARD, trigger: str = "ADT^A04^ADT_A01", more: str = ""
    ) -> None:
        told = f"OBX|1|CE|MA_DOITUONG_KCB^^QD3176||{situation}^^MA_DOITUONG_KCB||||||F"
        self._send(trigger, *([told] if situation else []), *([more] if more else []), *([card] if card else []))

    def takes_in(self, at: str) -> None:
        self.kind = "I"
        words = "OBX|3|TX|LY_DO_VNT^^QD3176||Viêm phổi||||||F"
        self.registers(trigger="ADT^A06^ADT_A06", more=f"OBX|2|TX|NGAY_VAO_NOI_TRU^^QD3176||{at}||||||F\r{words}")

    def orders(self, number: str, at: str, code: str = "22.0120^Công thức máu^99HIS") -> None:
        orc = f"ORC|NW|{number}|||||||{at}|||^Lê^Vượng"
        self._send("OML^O21^OML_O21", orc, f"OBR|1|{number}||{code}")

    def charges(self, at: str) -> None:
        self._send("DFT^P03^DFT_P03", f"FT1|1|VP1||{at}|{at}|CG|02.1896^Khám Nội^MA_DVKT|||1|50000|50000")


def _signed(document_id: str, connection: Connection) -> list[Any]:
    return list(documents.renditions(connection, document_id, "gdbhyt"))


def check_ins(desk: Desk) -> list[Mapping[str, str]]:
    """The check-ins that were signed, in their order, empty where there is no XML0."""
    found: list[Mapping[str, str]] = []
    for row in reversed(desk.store.read_now(lambda c: documents.listing(c, papers=["insurance_check_in"]))):
        if row.state == "signed":
            kinds = desk.store.read_now(partial(_signed, row.id))
            if not kinds:
                found.append(defaultdict(str))
                continue
            body = desk.keyring.open(kinds[-1].body, f"{row.id}/{kinds[-1].kind}")
            assert len(joint.marks(body)) == 1
            (visit,) = read_visits(body)
            found.append(visit.one("XML0"))
    return found


def states(desk: Desk) -> list[tuple[str, int]]:
    rows = desk.store.read_now(lambda c: documents.listing(c, papers=["insurance_check_in"]))
    return [(row.state, row.fault_code) for row in reversed(rows)]


def told(desk: Desk, *names: str) -> list[tuple[str, ...]]:
    return [tuple(one[name] for name in names) for one in check_ins(desk)]


def test_the_first_order_checks_in_and_no_later_cost_does(desk: Desk) -> None:
    his = His(desk)
    his.registers()
    assert states(desk) == []
    his.orders("YL1", "20260921083500")
    assert told(desk, "MA_LK", "MA_THE_BHYT", "MA_DOITUONG_KCB", "MA_DICH_VU", "NGAY_YL") == [
        ("LK1", "DN4010112345678", "1.1", "22.0120", "202609210835")
    ]
    his.orders("YL2", "20260921084000")
    his.charges("20260921084500")
    assert states(desk) == [("signed", 0)]


def test_a_charge_does_where_nobody_orders(desk: Desk) -> None:
    his = His(desk)
    his.registers()
    his.charges("20260921084500")
    assert told(desk, "TEN_DICH_VU", "NGAY_YL") == [("Khám Nội", "202609210845")]


@pytest.mark.parametrize(("situation", "card"), [("9", ""), ("", ""), ("2", CARD)])
def test_who_is_not_insured_or_an_emergency_is_not_checked_in(desk: Desk, situation: str, card: str) -> None:
    his = His(desk)
    his.registers(situation, card)
    his.orders("YL1", "20260921083500")
    assert states(desk) == [("unchanged", 0)]


def test_a_card_that_is_shown_later_is_checked_in_at_the_next_cost_with_the_first(desk: Desk) -> None:
    his = His(desk)
    his.registers("9", "")
    his.orders("YL1", "20260921083500")
    his.registers("1.1", trigger="ADT^A08^ADT_A01")
    his.orders("YL2", "20260921090000")
    assert told(desk, "NGAY_YL") == [("202609210835",)]


def test_what_is_missing_waits_and_is_made_when_it_is_told(desk: Desk) -> None:
    his = His(desk)
    his.registers("")
    his.orders("YL1", "20260921083500")
    his.orders("YL2", "20260921084000")
    assert states(desk) == [("error", 3201)]
    his.registers("1.1", trigger="ADT^A08^ADT_A01")
    assert told(desk, "NGAY_YL") == [("202609210835",)]


def test_the_ward_checks_in_again_once(desk: Desk) -> None:
    his = His(desk)
    his.registers()
    his.orders("YL1", "20260921083500")
    his.takes_in("20260921100000")
    his.orders("YL2", "20260921102000", "18.0119^X-quang ngực^99HIS")
    his.orders("YL3", "20260921110000")
    assert told(desk, "NGAY_YL", "NGAY_VAO_NOI_TRU", "TEN_DICH_VU") == [
        ("202609210835", "", "Công thức máu"),
        ("202609211020", "202609211000", "X-quang ngực"),
    ]


def test_who_comes_straight_to_the_ward_is_checked_in_once(desk: Desk) -> None:
    his = His(desk)
    his.takes_in("20260921080000")
    his.orders("YL1", "20260921083500")
    his.orders("YL2", "20260921090000")
    assert told(desk, "NGAY_YL", "NGAY_VAO_NOI_TRU") == [("202609210835", "202609210800")]


@pytest.mark.parametrize(("ahead", "goes"), [("202609212040", True), ("202609212130", False)])
def test_a_clock_of_the_his_that_is_minutes_ahead_holds_nothing_up(desk: Desk, ahead: str, goes: bool) -> None:
    """It is 20:33 here; the portal is told of no order that is yet to be given."""
    his = His(desk)
    his.registers()
    his.orders("YL1", f"{ahead}00")
    assert told(desk, "NGAY_YL") == ([(ahead,)] if goes else [("",)])


def test_a_charge_after_the_end_checks_nobody_in(desk: Desk) -> None:
    his = His(desk)
    his.registers()
    his.ended = "20260921093000"
    his.registers(trigger="ADT^A03^ADT_A03")
    his.charges("20260921084500")
    his.ended = ""  # the message of the charges does not say that the visit ended
    his.charges("20260921084600")
    assert states(desk) == []
