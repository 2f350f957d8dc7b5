"""The formulas of the settlement, with amounts worked out by hand."""

from __future__ import annotations

import random
from datetime import date
from decimal import Decimal

import pytest

from mappings.bhyt import money

LEVEL_80 = Decimal(80)


def test_a_medicine_is_rounded_once_per_amount() -> None:
    assert money.medicine(Decimal("3"), Decimal("1333.333"), Decimal(100)) == (Decimal("4000.00"), Decimal("4000.00"))
    assert money.medicine(Decimal("0.5"), Decimal("1.01"), Decimal(50)) == (Decimal("0.51"), Decimal("0.25"))


@pytest.mark.parametrize(
    ("decision", "charged", "total"),
    [("3176", True, "63780.00"), ("4750", True, "63780.00"), ("130", True, "212600"), ("3176", False, "72600.0")],
)
def test_a_bed_shared_by_three(decision: str, charged: bool, total: str) -> None:
    found = money.service(
        Decimal(1),
        Decimal(212600),
        Decimal(200000),
        Decimal(30),
        Decimal(100),
        decision=decision,
        difference_charged=charged,
    )
    assert found == (Decimal(total), Decimal("60000.00"))


def test_a_line_is_shared_between_fund_and_patient() -> None:
    assert money.split(Decimal(100000), Decimal(80000), LEVEL_80) == money.Split(
        Decimal(64000), Decimal(16000), Decimal(20000), Decimal(0)
    )


@pytest.mark.parametrize(
    ("others", "left"),
    [("5000", (64000, 16000, 15000)), ("25000", (64000, 11000, 0)), ("40000", (60000, 0, 0)), ("100000", (0, 0, 0))],
)
def test_other_sources_pay_for_the_patient_first(others: str, left: tuple[int, int, int]) -> None:
    found = money.split(Decimal(100000), Decimal(80000), LEVEL_80, Decimal(others))
    assert found == (*map(Decimal, left), Decimal(others))


def test_nobody_pays_more_than_the_line() -> None:
    assert money.split(Decimal(100), Decimal(100), Decimal(100), Decimal(500)).others == Decimal(100)


def test_a_line_balances_whatever_it_holds() -> None:
    chance = random.Random(7)
    for _ in range(300):
        row = {
            "SO_LUONG": f"{chance.randint(0, 40)}.{chance.randint(0, 999):03}",
            "DON_GIA_BV": f"{chance.randint(0, 900000)}.{chance.randint(0, 999):03}",
            "DON_GIA_BH": f"{chance.randint(0, 900000)}",
            "TYLE_TT_DV": chance.choice(["100", "50", "30", "10"]),
            "TYLE_TT_BH": chance.choice(["100", "50", "0"]),
            "MUC_HUONG": chance.choice(["100", "95", "80", "40", "32"]),
            "T_NGUONKHAC_NSNN": chance.choice(["", "0", "1000", "99999999"]),
        }
        found = money.line_amounts("XML3", row)
        parts = ("T_BNTT", "T_BNCCT", "T_BHTT", "T_NGUONKHAC")
        assert sum(found[name] for name in parts) == found["THANH_TIEN_BV"]


def test_what_is_not_told_is_not_computed() -> None:
    row = {"SO_LUONG": "2", "DON_GIA": "1500"}
    assert money.line_amounts("XML2", row) == {}
    row["TYLE_TT_BH"] = "100"
    assert money.line_amounts("XML2", row) == {"THANH_TIEN_BV": Decimal(3000), "THANH_TIEN_BH": Decimal(3000)}
    assert money.line_amounts("XML2", row | {"SO_LUONG": "hai"}) == {}


def test_the_sums_of_a_visit() -> None:
    drug = {"THANH_TIEN_BV": "100.10", "THANH_TIEN_BH": "100.10", "T_BHTT": "80.08", "T_BNCCT": "20.02", "MA_PTTT": "1"}
    supply = {"MA_NHOM": "10", "THANH_TIEN_BV": "50", "THANH_TIEN_BH": "0", "T_BNTT": "50", "MA_PTTT": "2"}
    capitated = {"MA_NHOM": "13", "THANH_TIEN_BV": "10", "THANH_TIEN_BH": "10", "T_BHTT": "10", "MA_PTTT": "2"}
    assert money.visit_sums([drug], [supply, capitated]) == {
        "T_THUOC": Decimal("100.10"),
        "T_VTYT": Decimal(50),
        "T_TONGCHI_BV": Decimal("160.10"),
        "T_TONGCHI_BH": Decimal("110.10"),
        "T_BNTT": Decimal(50),
        "T_BNCCT": Decimal("20.02"),
        "T_BHTT": Decimal("90.08"),
        "T_NGUONKHAC": Decimal(0),
        "T_BHTT_GDV": Decimal("80.08"),
    }


@pytest.mark.parametrize(
    ("kind", "days"),
    [
        ("01", 0),
        ("07", 0),
        ("09", 0),
        ("02", 5),
        ("03", 5),
        ("04", 5),
        ("06", 5),
        ("05", None),
        ("08", None),
        ("10", None),
    ],
)
def test_days_of_treatment(kind: str, days: int | None) -> None:
    assert money.treatment_days(kind, date(2026, 2, 26), date(2026, 3, 2)) == days


@pytest.mark.parametrize(("amount", "text"), [("40400.00", "40400"), ("12.50", "12.5"), ("100", "100"), ("0.00", "0")])
def test_a_computed_amount_is_written_short(amount: str, text: str) -> None:
    assert money.written(Decimal(amount)) == text
