"""The arithmetic of a settlement: amounts of a line, who pays them, sums of a visit, days of treatment. Decimal throughout.

Each amount is rounded to two decimals when it is made, and sums are made of rounded amounts. What has to be known and is not
gives nothing: no ratio, level or price is assumed. Does not say which ratio or level is due, nor whether told amounts are right
(`mappings/bhyt/rules` does).

Standard: QĐ 130, QĐ 4750 and QĐ 3176/QĐ-BYT, formulas of XML1, XML2 and XML3; second-hand. The share of other sources that pay
in proportion (case b) is not reproduced in the sources and not computed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import NamedTuple

from mappings.bhyt.rows import Row

_CENT = Decimal("0.01")
_HUNDRED = Decimal(100)
_NUMBER = re.compile(r"-?\d{1,15}(\.\d{1,6})?")
OTHER_SOURCES = ("T_NGUONKHAC_NSNN", "T_NGUONKHAC_VTNN", "T_NGUONKHAC_VTTN", "T_NGUONKHAC_CL")
"""State budget, aid from abroad, aid from within, the rest: their sum is T_NGUONKHAC."""
SUPPLIES = frozenset({"10", "11"})
"""MA_NHOM of supplies, the sum of which is T_VTYT."""
FEE_FOR_SERVICE = "1"
"""MA_PTTT of what is paid line by line."""


class Split(NamedTuple):
    """Who pays a line; together they are THANH_TIEN_BV."""

    fund: Decimal
    """T_BHTT."""
    copayment: Decimal
    """T_BNCCT."""
    patient: Decimal
    """T_BNTT."""
    others: Decimal
    """T_NGUONKHAC."""


def rounded(amount: Decimal) -> Decimal:
    """Round to two decimals, halves away from zero."""
    return amount.quantize(_CENT, ROUND_HALF_UP)


def number(text: str) -> Decimal | None:
    """Read an amount, quantity or percentage of a row; None for an empty field and for what is no number."""
    return Decimal(text) if _NUMBER.fullmatch(text) else None


def written(amount: Decimal) -> str:
    """Write an amount that was computed: no more decimals than it needs."""
    text = format(amount, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


# ---- one line ----


def medicine(quantity: Decimal, price: Decimal, ratio: Decimal) -> tuple[Decimal, Decimal]:
    """Give THANH_TIEN_BV and THANH_TIEN_BH of a line of XML2; `ratio` is TYLE_TT_BH in percent."""
    return rounded(quantity * price), rounded(quantity * price * ratio / _HUNDRED)


def service(
    quantity: Decimal,
    price: Decimal,
    insurance_price: Decimal,
    service_ratio: Decimal,
    ratio: Decimal,
    *,
    decision: str = "3176",
    difference_charged: bool = True,
) -> tuple[Decimal, Decimal]:
    """Give THANH_TIEN_BV and THANH_TIEN_BH of a line of XML3; `service_ratio` is TYLE_TT_DV, `ratio` TYLE_TT_BH, in percent.

    QĐ 130 knew no TYLE_TT_DV in THANH_TIEN_BV. Of a hospital that does not charge the patient what the ratio leaves over,
    `difference_charged` is false: then only the insurance's part of it is taken off.
    """
    insured = rounded(quantity * insurance_price * service_ratio / _HUNDRED * ratio / _HUNDRED)
    if decision == "130":
        return rounded(quantity * price), insured
    if not difference_charged:
        return rounded(quantity * price - quantity * insurance_price * (_HUNDRED - service_ratio) / _HUNDRED), insured
    return rounded(quantity * price * service_ratio / _HUNDRED), insured


def split(total: Decimal, insured: Decimal, level: Decimal, others: Decimal = Decimal(0)) -> Split:
    """Share a line out: `level` is MUC_HUONG in percent, `others` what other sources pay.

    Other sources are taken from what the patient pays alone first, then from the co-payment, then from the fund (case a).
    """
    fund = rounded(insured * level / _HUNDRED)
    copayment, patient = insured - fund, total - insured
    left = others
    paid: list[Decimal] = []
    for part in (patient, copayment, fund):
        taken = min(max(part, Decimal(0)), left)
        left -= taken
        paid.append(part - taken)
    return Split(paid[2], paid[1], paid[0], others - left)


_ASKED: dict[str, tuple[str, ...]] = {
    "XML2": ("SO_LUONG", "DON_GIA", "TYLE_TT_BH"),
    "XML3": ("SO_LUONG", "DON_GIA_BV", "DON_GIA_BH", "TYLE_TT_DV", "TYLE_TT_BH"),
}


def line_amounts(name: str, row: Row, decision: str = "3176") -> dict[str, Decimal]:
    """Compute the amounts of a row of XML2 or XML3 from its quantity, prices, ratios, level and other sources.

    Gives the fields that can be computed of what the row tells: without prices and ratios none, without MUC_HUONG only
    THANH_TIEN_BV and THANH_TIEN_BH. Other sources that are not told pay nothing.
    """
    asked = _ASKED[name]
    told = [value for field in asked if (value := number(row.get(field, ""))) is not None]
    if len(told) != len(asked):
        return {}
    if name == "XML3":
        total, insured = service(told[0], told[1], told[2], told[3], told[4], decision=decision)
    else:
        total, insured = medicine(told[0], told[1], told[2])
    found = {"THANH_TIEN_BV": total, "THANH_TIEN_BH": insured}
    level = number(row.get("MUC_HUONG", ""))
    if level is None:
        return found
    others = sum((number(row.get(field, "")) or Decimal(0) for field in OTHER_SOURCES), Decimal(0))
    shared = split(total, insured, level, others or number(row.get("T_NGUONKHAC", "")) or Decimal(0))
    return found | {
        "T_NGUONKHAC": shared.others,
        "T_BNTT": shared.patient,
        "T_BNCCT": shared.copayment,
        "T_BHTT": shared.fund,
    }


# ---- the visit ----


def visit_sums(medicines: Iterable[Row], services: Iterable[Row]) -> dict[str, Decimal]:
    """Compute the T_* fields of XML1 from the amounts that the rows of XML2 and XML3 tell; untold ones count nothing."""
    drugs, acts = list(medicines), list(services)
    both = [*drugs, *acts]
    return {
        "T_THUOC": _sum(drugs, "THANH_TIEN_BV"),
        "T_VTYT": _sum([row for row in acts if row.get("MA_NHOM") in SUPPLIES], "THANH_TIEN_BV"),
        "T_TONGCHI_BV": _sum(both, "THANH_TIEN_BV"),
        "T_TONGCHI_BH": _sum(both, "THANH_TIEN_BH"),
        "T_BNTT": _sum(both, "T_BNTT"),
        "T_BNCCT": _sum(both, "T_BNCCT"),
        "T_BHTT": _sum(both, "T_BHTT"),
        "T_NGUONKHAC": _sum(both, "T_NGUONKHAC"),
        "T_BHTT_GDV": _sum([row for row in both if row.get("MA_PTTT") == FEE_FOR_SERVICE], "T_BHTT"),
    }


def _sum(rows: Sequence[Mapping[str, str]], field: str) -> Decimal:
    return sum((number(row.get(field, "")) or Decimal(0) for row in rows), Decimal(0))


_NO_DAYS = frozenset({"01", "07", "09"})
_BY_DATES = frozenset({"02", "03", "04", "06"})


def treatment_days(kind: str, came: date, left: date) -> int | None:
    """Give SO_NGAY_DTRI by MA_LOAI_KCB; None where it does not follow from the dates of the visit.

    05 counts the days of medicines, 08 the days with a service; of 10 and the kinds of QĐ 1804/2026 no source tells.
    """
    if kind in _NO_DAYS:
        return 0
    return (left - came).days + 1 if kind in _BY_DATES else None
