"""Check amounts: each line of XML2 and XML3 by its formula, and the totals of XML1 against the lines, to the đồng.

Numbers as in the list of block errors: 47 and 52 amounts of a line, 4 totals against lines, 12 T_BHTT worked out again from
MUC_HUONG, 31 T_BHTT against lines, 34 the total against who pays it. 3 and 5 are the older forms of 47/52 and 34. Amounts are
rounded to two decimals, half up, line by line, and then added. Other sources are taken from the patient's shares first; that
they may be shared out in proportion is allowed.

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

    def found(code: str, field: str) -> Finding:
        return Finding("block", code, row.table, row.number, field)

    def differs(field: str, *expected: Decimal) -> bool:
        amount = row.amount(field) or Decimal()
        return all(abs(amount - each) > tolerance for each in expected)

    full, covered = _amounts(row, decision)
    if differs("THANH_TIEN_BV", *full):
        yield found(codes["amount"], "THANH_TIEN_BV")
    if differs("THANH_TIEN_BH", covered):
        yield found(codes["amount"], "THANH_TIEN_BH")
    if (row["MA_NHOM"] in _DRUG_GROUPS) != (row.table == "XML2") or row["MA_NHOM"] not in code_list("MA_NHOM"):
        yield found(codes["group"], "MA_NHOM")
    if row["PHAM_VI"] not in code_list("PHAM_VI"):
        yield found(codes["scope"], "PHAM_VI")
    if differs("THANH_TIEN_BV", row.sum_of(*_SHARES)):
        yield found(codes["row"], "THANH_TIEN_BV")
    if not 0 <= (row.amount("T_NGUONKHAC") or 0) <= (row.amount("THANH_TIEN_BV") or 0) + tolerance:
        yield found(codes["other"], "T_NGUONKHAC")
    if differs("T_NGUONKHAC", row.sum_of(*_SOURCES)):
        yield Finding("content", "sources", row.table, row.number, "T_NGUONKHAC")
    if not _in_package(row):
        yield from _check_shares(row, codes, tolerance)


def _in_package(row: Row) -> bool:
    return row["MA_NHOM"] in _SUPPLIES and bool(row["GOI_VTYT"])


def _check_shares(row: Row, codes: dict[str, str], tolerance: Decimal) -> Iterator[Finding]:
    """Check the fund's and the patient's shares; other sources are taken from the patient's first, the fund's last."""
    total, covered = row.amount("THANH_TIEN_BV") or Decimal(), row.amount("THANH_TIEN_BH") or Decimal()
    fund = _fund(row)
    shares = {"T_BHTT": ("fund", fund), "T_BNCCT": ("copay", covered - fund), "T_BNTT": ("self", total - covered)}
    other = row.amount("T_NGUONKHAC") or Decimal()
    for field, (code, expected) in shares.items():
        amount = row.amount(field) or Decimal()
        low = expected - other if other else expected
        if not low - tolerance <= amount <= expected + tolerance:
            yield Finding("block", codes[code], row.table, row.number, field)


def _fund(row: Row) -> Decimal:
    """Work T_BHTT of a line out from THANH_TIEN_BH, MUC_HUONG and the ceiling, before other sources."""
    fund = _rounded((row.amount("THANH_TIEN_BH") or Decimal()) * _rate(row, "MUC_HUONG"))
    ceiling = row.amount("T_TRANTT")
    return min(fund, ceiling) if ceiling else fund


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
    full = [_rounded(count * own * part), _rounded(count * own - count * fund * (1 - part))]
    if decision == "130":
        full.append(_rounded(count * own))
    return tuple(full), _rounded(count * fund * part * covered)


def _rate(row: Row, field: str) -> Decimal:
    rate = row.amount(field)
    return Decimal(1) if rate is None else rate / 100


def _check_totals(visit: Visit, tolerance: Decimal) -> Iterator[Finding]:
    head = visit.head
    if not head.values:
        return
    lines = list(visit.rows("XML2", "XML3"))
    supplies = [row for row in visit.rows("XML3") if row["MA_NHOM"] in _SUPPLIES]
    totals = [
        ("4", "T_TONGCHI_BV", _sum(lines, "THANH_TIEN_BV")),
        ("4", "T_TONGCHI_BH", _sum(lines, "THANH_TIEN_BH")),
        ("31", "T_BHTT", _sum(lines, "T_BHTT")),
        ("34", "T_TONGCHI_BV", head.sum_of(*_SHARES)),
        ("", "T_THUOC", _sum(visit.rows("XML2"), "THANH_TIEN_BV")),
        ("", "T_VTYT", _sum(supplies, "THANH_TIEN_BV")),
        ("", "T_BNTT", _sum(lines, "T_BNTT")),
        ("", "T_BNCCT", _sum(lines, "T_BNCCT")),
        ("", "T_NGUONKHAC", _sum(lines, "T_NGUONKHAC")),
        ("", "T_BHTT_GDV", _sum((row for row in lines if row["MA_PTTT"] == "1"), "T_BHTT")),
    ]
    if not any(row["GOI_VTYT"] or row.amount("T_NGUONKHAC") for row in lines):
        totals.insert(2, ("12", "T_BHTT", sum((_fund(row) for row in lines), Decimal())))
    for code, field, expected in totals:
        if abs((head.amount(field) or Decimal()) - expected) > tolerance:
            yield Finding("block" if code else "content", code or "total", "XML1", 1, field)


def _sum(rows: Iterable[Row], field: str) -> Decimal:
    return sum((row.amount(field) or Decimal() for row in rows), Decimal())


def _rounded(amount: Decimal) -> Decimal:
    return amount.quantize(_CENT, ROUND_HALF_UP, _WIDE)
