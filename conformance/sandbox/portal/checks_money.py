"""Check amounts: each line of XML2 and XML3 by its formula, and the totals of XML1 against the lines, to the đồng.

Which of the numbers 3, 47, 52 and of 4, 5, 31, 34 stands for which amount is ours: the list names the groups only. Amounts
are rounded to two decimals, half up, line by line, and then added.

Standard: QĐ 4750/QĐ-BYT (corrected formulas), second-hand
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Final

from conformance.sandbox.portal.finding import Finding
from conformance.sandbox.portal.reading import Row, Visit
from conformance.sandbox.portal.shapes import code_list

_CENT: Final = Decimal("0.01")
_WIDE: Final = Context(prec=120)
"""Wide enough for the product of the longest numbers anybody may send."""
_SOURCES: Final = ("T_NGUONKHAC_NSNN", "T_NGUONKHAC_VTNN", "T_NGUONKHAC_VTTN", "T_NGUONKHAC_CL")
_SHARES: Final = ("T_BNTT", "T_BNCCT", "T_BHTT", "T_NGUONKHAC")
_DRUG_GROUPS: Final = frozenset({"4", "5", "6", "7", "17"})
_CODES: Final = {
    table: dict(zip(("group", "scope", "row", "amount", "fund", "copay", "self", "other"), numbers, strict=True))
    for table, numbers in (
        ("XML2", ("39", "40", "41", "47", "48", "49", "50", "51")),
        ("XML3", ("43", "44", "45", "52", "53", "54", "55", "56")),
    )
}
_SUPPLIES: Final = frozenset({"10", "11"})


def check_money(visit: Visit, tolerance: int) -> Iterator[Finding]:
    """Yield wrong lines and wrong totals."""
    for row in visit.rows("XML2", "XML3"):
        yield from _check_line(row, visit.decision, Decimal(tolerance))
    yield from _check_totals(visit, Decimal(tolerance))


def _check_line(row: Row, decision: str, tolerance: Decimal) -> Iterator[Finding]:
    codes = _CODES[row.table]

    def found(code: str, field: str, about: str = "") -> Finding:
        return Finding("block", code, row.table, row.number, field, about)

    def differs(field: str, *expected: Decimal) -> bool:
        amount = row.amount(field) or Decimal()
        return all(abs(amount - each) > tolerance for each in expected)

    full, covered = _amounts(row, decision)
    if differs("THANH_TIEN_BV", *full):
        yield found("3", "THANH_TIEN_BV")
    if differs("THANH_TIEN_BH", covered):
        yield found(codes["amount"], "THANH_TIEN_BH")
    if (row["MA_NHOM"] in _DRUG_GROUPS) != (row.table == "XML2") or row["MA_NHOM"] not in code_list("MA_NHOM"):
        yield found(codes["group"], "MA_NHOM")
    if row["PHAM_VI"] not in code_list("PHAM_VI"):
        yield found(codes["scope"], "PHAM_VI")
    if differs("THANH_TIEN_BV", row.sum_of(*_SHARES)):
        yield found(codes["row"], "THANH_TIEN_BV", " + ".join(_SHARES))
    if differs("T_NGUONKHAC", row.sum_of(*_SOURCES)):
        yield found(codes["other"], "T_NGUONKHAC", " + ".join(_SOURCES))
    yield from _check_shares(row, codes, tolerance)


def _check_shares(row: Row, codes: dict[str, str], tolerance: Decimal) -> Iterator[Finding]:
    """Check the fund's and the patient's shares; other sources are taken from the patient's first, the fund's last."""
    total, covered = row.amount("THANH_TIEN_BV") or Decimal(), row.amount("THANH_TIEN_BH") or Decimal()
    rate = row.amount("MUC_HUONG")
    fund = _rounded(covered * (rate if rate is not None else Decimal(100)) / 100)
    ceiling = row.amount("T_TRANTT")
    if ceiling:
        fund = min(fund, ceiling)
    shares = {"T_BHTT": ("fund", fund), "T_BNCCT": ("copay", covered - fund), "T_BNTT": ("self", total - covered)}
    other = row.amount("T_NGUONKHAC") or Decimal()
    for field, (code, expected) in shares.items():
        amount = row.amount(field) or Decimal()
        low = expected - other if other else expected
        if not low - tolerance <= amount <= expected + tolerance:
            yield Finding("block", codes[code], row.table, row.number, field)


def _amounts(row: Row, decision: str) -> tuple[tuple[Decimal, ...], Decimal]:
    """Return what THANH_TIEN_BV may be, and what THANH_TIEN_BH has to be."""
    count = row.amount("SO_LUONG") or Decimal()
    covered = _rate(row, "TYLE_TT_BH")
    if row.table == "XML2":
        price = row.amount("DON_GIA") or Decimal()
        return (_rounded(count * price),), _rounded(count * price * covered)
    own, fund, part = (
        row.amount("DON_GIA_BV") or Decimal(),
        row.amount("DON_GIA_BH") or Decimal(),
        _rate(row, "TYLE_TT_DV"),
    )
    if decision == "130":
        full: tuple[Decimal, ...] = (_rounded(count * own),)
    else:
        full = (_rounded(count * own * part), _rounded(count * own - count * fund * (1 - part)))
    return full, _rounded(count * fund * part * covered)


def _rate(row: Row, field: str) -> Decimal:
    rate = row.amount(field)
    return Decimal(1) if rate is None else rate / 100


def _check_totals(visit: Visit, tolerance: Decimal) -> Iterator[Finding]:
    head = visit.head
    if not head.values:
        return
    both = list(visit.rows("XML2", "XML3"))
    supplies = [row for row in visit.rows("XML3") if row["MA_NHOM"] in _SUPPLIES]
    totals = (
        ("4", "T_TONGCHI_BV", _sum(both, "THANH_TIEN_BV")),
        ("5", "T_TONGCHI_BH", _sum(both, "THANH_TIEN_BH")),
        ("12", "T_BHTT", _sum(both, "T_BHTT")),
        ("31", "T_THUOC", _sum(visit.rows("XML2"), "THANH_TIEN_BV")),
        ("34", "T_VTYT", _sum(supplies, "THANH_TIEN_BV")),
        ("", "T_BNTT", _sum(both, "T_BNTT")),
        ("", "T_BNCCT", _sum(both, "T_BNCCT")),
        ("", "T_NGUONKHAC", _sum(both, "T_NGUONKHAC")),
        ("", "T_BHTT_GDV", _sum((row for row in both if row["MA_PTTT"] == "1"), "T_BHTT")),
    )
    for code, field, expected in totals:
        if abs((head.amount(field) or Decimal()) - expected) > tolerance:
            yield Finding("block" if code else "content", code or "total", "XML1", 1, field)


def _sum(rows: Iterable[Row], field: str) -> Decimal:
    return sum((row.amount(field) or Decimal() for row in rows), Decimal())


def _rounded(amount: Decimal) -> Decimal:
    return amount.quantize(_CENT, ROUND_HALF_UP, _WIDE)
