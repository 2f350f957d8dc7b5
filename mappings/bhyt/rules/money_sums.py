"""Rules of money of a visit: the totals of XML1 are the sums of its rows, and there is something to claim."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal

from mappings.bhyt.rules.card import is_of_forces
from mappings.bhyt.rules.case import ZERO, Case, Line, number
from mappings.bhyt.rules.core import Hit, rule

Share = Callable[[Line], Decimal | None]


def _sum(lines: list[Line], share: Share) -> Decimal | None:
    """Add up; None when a row has no number there, which another rule tells."""
    total = ZERO
    for line in lines:
        one = share(line)
        if one is None:
            return None
        total += one
    return total


def _everything(case: Case) -> list[Line]:
    return [*case.drugs, *case.services]


def _sums(case: Case) -> Iterator[tuple[str, Decimal]]:
    """Yield each total of XML1 with what its rows give; nothing for those that cannot be worked out."""
    lines = _everything(case)
    wanted = {
        "T_THUOC": _sum(case.drugs, lambda line: line.bv),
        "T_VTYT": _sum([line for line in case.services if line.group in ("10", "11")], lambda line: line.bv),
        "T_TONGCHI_BV": _sum(lines, lambda line: line.bv),
        "T_TONGCHI_BH": _sum(lines, lambda line: line.bh),
        "T_BNTT": _sum(lines, lambda line: line.self_pay),
        "T_BNCCT": _sum(lines, lambda line: line.co_pay),
        "T_BHTT": _sum(lines, lambda line: line.fund),
        "T_NGUONKHAC": _sum(lines, lambda line: line.other),
        "T_BHTT_GDV": _fee_for_service(case),
    }
    for field, total in wanted.items():
        if total is not None:
            yield field, total


def _fee_for_service(case: Case) -> Decimal | None:
    if case.settings.fee_for_service_without_forces and is_of_forces(case):
        return ZERO
    return _sum([line for line in _everything(case) if line.row.get("MA_PTTT") == "1"], lambda line: line.fund)


def differences(case: Case) -> dict[str, Decimal]:
    """Give by how much each total differs from the sum of its rows; worked out once."""
    found: dict[str, Decimal] | None = case.__dict__.get("_differences")
    if found is None:
        sums = _sums(case) if case.one else ()
        said = ((field, number(case.one.get(field, "")), total) for field, total in sums)
        found = case.__dict__["_differences"] = {f: abs(value - total) for f, value, total in said if value is not None}
    return found


def _total(case: Case, field: str) -> Iterator[Hit]:
    if differences(case).get(field, ZERO) > case.settings.total_tolerance:
        yield Hit("XML1", 1, field, "different")


@rule("B1-120", "README §5: T_THUOC = Σ XML2.THANH_TIEN_BV", "XML1")
def total_of_drugs(case: Case) -> Iterator[Hit]:
    return _total(case, "T_THUOC")


@rule("B1-121", "README §5: T_VTYT = Σ XML3.THANH_TIEN_BV of groups 10, 11", "XML1")
def total_of_supplies(case: Case) -> Iterator[Hit]:
    return _total(case, "T_VTYT")


@rule("B1-122", "README §5: T_TONGCHI_BV = Σ XML2 + Σ XML3; block error 4", "XML1", errors=(4,))
def total_of_the_hospital(case: Case) -> Iterator[Hit]:
    return _total(case, "T_TONGCHI_BV")


@rule("B1-123", "README §5: T_TONGCHI_BH = Σ XML2 + Σ XML3; block error 4", "XML1", errors=(4,))
def total_in_scope(case: Case) -> Iterator[Hit]:
    return _total(case, "T_TONGCHI_BH")


@rule("B1-124", "README §5: T_BNTT = Σ XML2 + Σ XML3", "XML1")
def total_of_self_payment(case: Case) -> Iterator[Hit]:
    return _total(case, "T_BNTT")


@rule("B1-125", "README §5: T_BNCCT = Σ XML2 + Σ XML3", "XML1")
def total_of_co_payment(case: Case) -> Iterator[Hit]:
    return _total(case, "T_BNCCT")


@rule("B1-126", "README §5: T_BHTT = Σ T_BHTT; block errors 12, 31", "XML1", errors=(12, 31))
def total_of_the_fund(case: Case) -> Iterator[Hit]:
    return _total(case, "T_BHTT")


@rule("B1-127", "README §5: T_NGUONKHAC = Σ XML2 + Σ XML3", "XML1")
def total_of_other_sources(case: Case) -> Iterator[Hit]:
    return _total(case, "T_NGUONKHAC")


@rule(
    "B1-128",
    "README §5: T_BHTT_GDV = Σ T_BHTT where MA_PTTT is 1; one source leaves out CA, CY, QN",
    "XML1",
    errors=(12,),
)
def total_of_fee_for_service(case: Case) -> Iterator[Hit]:
    return _total(case, "T_BHTT_GDV")


@rule("B1-129", "README §6: T_BHTT empty or 0; block error 11", "XML1", errors=(11,))
def nothing_claimed(case: Case) -> Iterator[Hit]:
    if case.insured and case.coverage not in ("", "8") and number(case.one.get("T_BHTT", "")) == 0:
        yield Hit("XML1", 1, "T_BHTT", "zero")


@rule("B1-130", "QĐ 3276/2025: MA_DOITUONG_KCB 9 claims nothing", "XML1", errors=(12,))
def claimed_without_insurance(case: Case) -> Iterator[Hit]:
    if not case.insured and (number(case.one.get("T_BHTT", "")) or ZERO) > 0:
        yield Hit("XML1", 1, "T_BHTT", "present")


@rule(
    "B1-131",
    "README §5: THANH_TIEN_BV = T_BNTT + T_BNCCT + T_BHTT + T_NGUONKHAC; block errors 5, 34",
    "XML1",
    errors=(5, 34),
)
def totals_do_not_balance(case: Case) -> Iterator[Hit]:
    shares = [number(case.one.get(field, "")) for field in ("T_BNTT", "T_BNCCT", "T_BHTT", "T_NGUONKHAC")]
    whole = number(case.one.get("T_TONGCHI_BV", ""))
    if whole is None or None in shares:
        return
    if abs(whole - sum((one for one in shares if one is not None), ZERO)) > case.settings.total_tolerance:
        yield Hit("XML1", 1, "T_TONGCHI_BV", "different")


@rule("B1-132", "README §5: T_TONGCHI_BH is part of T_TONGCHI_BV", "XML1")
def more_in_scope_than_charged(case: Case) -> Iterator[Hit]:
    whole, scope = number(case.one.get("T_TONGCHI_BV", "")), number(case.one.get("T_TONGCHI_BH", ""))
    if whole is not None and scope is not None and scope > whole:
        yield Hit("XML1", 1, "T_TONGCHI_BH", "range")


@rule("B1-133", "README §5: T_BHTT_GDV is part of T_BHTT", "XML1", errors=(12,))
def more_for_service_than_claimed(case: Case) -> Iterator[Hit]:
    whole, share = number(case.one.get("T_BHTT", "")), number(case.one.get("T_BHTT_GDV", ""))
    if whole is not None and share is not None and share > whole:
        yield Hit("XML1", 1, "T_BHTT_GDV", "range")


@rule("B1-134", "README §5: totals to the đồng; block errors allow one", "XML1", warns=True)
def total_by_a_little(case: Case) -> Iterator[Hit]:
    for field, difference in differences(case).items():
        if ZERO < difference <= case.settings.total_tolerance:
            yield Hit("XML1", 1, field, "different")


@rule(
    "B1-135",
    "README §5: guide's form T_BHTT = T_TONGCHI_BH − T_BNCCT without other sources; block error 12",
    "XML1",
    errors=(12,),
)
def claim_is_not_scope_less_co_payment(case: Case) -> Iterator[Hit]:
    scope, co_pay, fund = (number(case.one.get(field, "")) for field in ("T_TONGCHI_BH", "T_BNCCT", "T_BHTT"))
    if number(case.one.get("T_NGUONKHAC", "")) != ZERO or scope is None or co_pay is None or fund is None:
        return
    if abs(scope - co_pay - fund) > case.settings.total_tolerance:
        yield Hit("XML1", 1, "T_BHTT", "different")
