"""What the made-up hospital charges for, and the message in which its HIS says so when a visit ends.

Prices are of this hospital alone. What insurance makes of a charge is told once for the visit (`told`), as a HIS that fills
the insurance tables knows it.

Standard: HL7 v2.5.1 §6.4.3 (DFT^P03), §6.5.1 (FT1)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING

from conformance.scenarios.segments import components, instant, segment, xcn
from conformance.scenarios.tables import table

if TYPE_CHECKING:
    from conformance.scenarios.clinic import Doctor
    from conformance.scenarios.messages import Visit

MEDICINES = "4"
"""Cost group of medicines."""
_EXAMINATION, _EMERGENCY, _BED, _INTENSIVE_BED = "02.1896", "01.1895", "KX.1917", "K02.1912"
_KINDS = {"I": "03", "E": "01", "O": "01"}
"""PV1-2 → MA_LOAI_KCB."""
_WITHOUT_CARD = "0"
_SMALL = Decimal(351_000)
"""15 % of the base salary: what a visit costs below that is paid whole."""
_LEVELS = {"3": "95", "4": "80"}
"""Third character of a card → the part that the fund pays, in percent."""


@dataclass(frozen=True)
class Price:
    """One line of the hospital's price list."""

    code: str
    name: str
    group: str
    """MA_NHOM."""
    unit: str
    price: Decimal


@dataclass(frozen=True)
class Charge:
    """One thing a visit is charged for."""

    price: Price
    quantity: Decimal
    done_at: datetime
    ended_at: datetime | None = None
    """When its result was there, or the last day of a bed."""
    doer: Doctor | None = None
    order: str = ""
    """Filler number of the order."""


@cache
def price(code: str) -> Price:
    """Find a line of the price list by the code of the service or medicine."""
    row = next(row for row in table("prices") if row["code"] == code)
    return Price(row["code"], row["name"], row["group"], row["unit"], Decimal(row["price"]))


def stay(visit: Visit) -> list[Charge]:
    """The examination, or the days in bed, of a visit that ended."""
    end = visit.discharged_at
    assert end is not None
    came = visit.admitted_at
    if visit.patient_class != "I":
        code = _EMERGENCY if visit.patient_class == "E" else _EXAMINATION
        return [Charge(price(code), Decimal(1), came + timedelta(minutes=1), doer=visit.doctor)]
    if end - came < timedelta(hours=4):
        return []
    days = max((end.date() - came.date()).days, 1)
    code = _INTENSIVE_BED if visit.department == "K02" else _BED
    return [Charge(price(code), Decimal(days), came, end, visit.doctor)]


def bill(visit: Visit, at: datetime) -> tuple[str, ...]:
    """The FT1 segments of a visit, in the order of their times."""
    charged = sorted([*visit.charges, *stay(visit)], key=lambda one: one.done_at)
    return tuple(_ft1(visit, number, one, at) for number, one in enumerate(charged, start=1))


def _ft1(visit: Visit, number: int, charge: Charge, at: datetime) -> str:
    line = charge.price
    total = charge.quantity * line.price
    medicine = line.group == MEDICINES
    began, ended = instant(charge.done_at), instant(charge.ended_at) if charge.ended_at else ""
    fields = {
        1: str(number),
        2: f"VP-{visit.number}-{number:02d}",
        4: f"{began}^{ended}" if ended else began,
        5: instant(at),
        6: "CG",
        7: components(line.code, line.name, "MA_THUOC" if medicine else "MA_DVKT", line.group, "", "MA_NHOM"),
        10: f"{charge.quantity}",
        11: f"{total}",
        12: f"{line.price}",
        13: components(visit.department),
        15: f"{total if visit.person.card else 0}",
        19: components(visit.diagnosis.icd, visit.diagnosis.name, "I10"),
        20: xcn(charge.doer) if charge.doer else "",
        21: xcn(visit.doctor),
        23: components(charge.order, "LIS") if charge.order else "",
    }
    return segment("FT1", {key: text for key, text in fields.items() if text})


def level(card: str, total: Decimal) -> str:
    """The part that the fund pays for who has this card, in percent; cards of other forms do not show it."""
    if not card:
        return _WITHOUT_CARD
    if total < _SMALL:
        return "100"
    return _LEVELS.get(card[2], "100") if len(card) == 15 else "80"


def situation(visit: Visit) -> tuple[str, str, str]:
    """How the patient came, as insurance distinguishes it: field, code, meaning; known from the first minute."""
    kind = "2" if visit.patient_class == "E" else "1.1"
    return ("MA_DOITUONG_KCB", kind if visit.person.card else "9", "")


def told(visit: Visit, day: date) -> Sequence[tuple[str, str, str]]:
    """What the HIS tells of a visit's insurance: field, code, meaning."""
    insured = bool(visit.person.card)
    total = sum((one.quantity * one.price.price for one in (*visit.charges, *stay(visit))), Decimal())
    age = (day - visit.person.born).days // 365
    weight = 3.2 if age < 1 else 9 + 2 * age if age < 17 else 58 if visit.person.sex == "M" else 50
    return (
        situation(visit),
        ("MA_LOAI_KCB", _KINDS[visit.patient_class], ""),
        ("MUC_HUONG", level(visit.person.card, total), ""),
        ("PHAM_VI", "1" if insured else "2", ""),
        ("TYLE_TT_DV", "100", ""),
        ("TYLE_TT_BH", "100" if insured else "0", ""),
        ("MA_PTTT", "1", ""),
        ("NGUON_CTRA", "1" if insured else "4", ""),
        ("CAN_NANG", f"{weight:.2f}", ""),
        *((("MA_LOAI_RV", "1", ""),) if visit.disposition == "20" else ()),
        ("MA_HSBA", visit.number.replace("LK", "HS"), ""),
    )
