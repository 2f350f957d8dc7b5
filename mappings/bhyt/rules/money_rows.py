"""Rules of money in a row: quantity by price, the shares of fund and patient, other sources, and what is outside the scope.

A difference up to the tolerance is warned of; a larger one blocks. README §5 gives the formulas; QĐ 130 had no TYLE_TT_DV in
THANH_TIEN_BV, and a hospital that does not charge the patient the difference has a form of its own: any that holds is right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import ROUND_HALF_UP, Decimal

from mappings.bhyt import money
from mappings.bhyt.rules.case import HUNDRED, ZERO, Case, Line, number
from mappings.bhyt.rules.core import Hit, rule

CENT = Decimal("0.01")
Amount = Callable[[Case, Line], "tuple[Decimal | None, tuple[Decimal, ...]]"]


def rounded(amount: Decimal) -> Decimal:
    """Round to two decimals; what is beyond any amount of the format stays as it is."""
    return amount.quantize(CENT, ROUND_HALF_UP) if amount.adjusted() < 24 else amount


def expected_bv(case: Case, line: Line) -> tuple[Decimal, ...]:
    """Give what THANH_TIEN_BV may be; nothing when it cannot be worked out."""
    if line.quantity is None or line.price is None:
        return ()
    whole = line.quantity * line.price
    if "DON_GIA" in line.row:
        return (rounded(whole),)
    if line.rate_dv is None:
        return ()
    if line.rate_dv == HUNDRED:
        return (rounded(whole),)
    by_rate = rounded(whole * line.rate_dv / HUNDRED)
    if line.price_bh is None:
        return (by_rate,)
    not_charged = rounded(whole - line.quantity * line.price_bh * (HUNDRED - line.rate_dv) / HUNDRED)
    return (by_rate, not_charged, rounded(whole)) if case.decision == "130" else (by_rate, not_charged)


def expected_bh(case: Case, line: Line) -> tuple[Decimal, ...]:
    """Give what THANH_TIEN_BH may be; outside the scope it is nothing."""
    if line.row.get("PHAM_VI") == "2":
        return (ZERO,)
    price = line.price if "DON_GIA" in line.row else line.price_bh
    if line.quantity is None or price is None or line.rate_bh is None:
        return ()
    amount = line.quantity * price
    if line.rate_bh != HUNDRED:
        amount = amount * line.rate_bh / HUNDRED
    if "DON_GIA" not in line.row:
        if line.rate_dv is None:
            return ()
        if line.rate_dv != HUNDRED:
            amount = amount * line.rate_dv / HUNDRED
    return (rounded(amount),)


def _off(said: Decimal | None, wanted: tuple[Decimal, ...]) -> Decimal:
    """Give by how much an amount differs from the nearest that is right."""
    if said is None or not wanted or said in wanted:
        return ZERO
    return min(abs(said - one) for one in wanted)


def fund(case: Case, line: Line) -> tuple[Decimal | None, tuple[Decimal, ...]]:
    if line.other != ZERO or line.bh is None or line.level is None:
        return None, ()
    return line.fund, (rounded(line.bh * line.level / HUNDRED),)


def co_pay(case: Case, line: Line) -> tuple[Decimal | None, tuple[Decimal, ...]]:
    if line.other != ZERO or line.bh is None or line.fund is None:
        return None, ()
    return line.co_pay, (line.bh - line.fund,)


def self_pay(case: Case, line: Line) -> tuple[Decimal | None, tuple[Decimal, ...]]:
    if line.other != ZERO or line.bh is None or line.bv is None:
        return None, ()
    return line.self_pay, (line.bv - line.bh,)


def balance(case: Case, line: Line) -> tuple[Decimal | None, tuple[Decimal, ...]]:
    if line.self_pay is None or line.co_pay is None or line.fund is None or line.other is None:
        return None, ()
    return line.bv, (line.self_pay + line.co_pay + line.fund + line.other,)


def amount_bv(case: Case, line: Line) -> tuple[Decimal | None, tuple[Decimal, ...]]:
    return line.bv, expected_bv(case, line)


def amount_bh(case: Case, line: Line) -> tuple[Decimal | None, tuple[Decimal, ...]]:
    return line.bh, expected_bh(case, line)


_AMOUNTS: tuple[tuple[str, str, Amount], ...] = (
    ("bv", "THANH_TIEN_BV", amount_bv),
    ("bh", "THANH_TIEN_BH", amount_bh),
    ("fund", "T_BHTT", fund),
    ("co_pay", "T_BNCCT", co_pay),
    ("self_pay", "T_BNTT", self_pay),
    ("balance", "THANH_TIEN_BV", balance),
)


def _differences(case: Case, name: str) -> list[tuple[str, Hit, Decimal]]:
    """Give every amount of a table that is not what it should be, and by how much; worked out once."""
    memory: dict[str, list[tuple[str, Hit, Decimal]]] = case.__dict__.setdefault("_row_differences", {})
    if name not in memory:
        memory[name] = [
            (amount, Hit(name, line.n, field, "different"), difference)
            for line in (case.drugs if name == "XML2" else case.services)
            for amount, field, work_out in _AMOUNTS
            if (difference := _off(*work_out(case, line)))
        ]
    return memory[name]


def _differing(case: Case, name: str, wanted: str) -> Iterator[Hit]:
    tolerance = case.settings.row_tolerance
    return (hit for amount, hit, by in _differences(case, name) if amount == wanted and by > tolerance)


def _slightly_differing(case: Case, name: str) -> Iterator[Hit]:
    tolerance = case.settings.row_tolerance
    told: set[int] = set()
    for _, hit, by in _differences(case, name):
        if by <= tolerance and hit.row not in told:
            told.add(hit.row)
            yield hit


@rule("B2-001", "README §5: THANH_TIEN_BV of a medicine; block error 3", "XML2", errors=(3, 47))
def drug_amount(case: Case) -> Iterator[Hit]:
    return _differing(case, "XML2", "bv")


@rule("B2-002", "README §5: THANH_TIEN_BH of a medicine; block error 47", "XML2", errors=(3, 47))
def drug_amount_in_scope(case: Case) -> Iterator[Hit]:
    return _differing(case, "XML2", "bh")


@rule("B2-003", "README §5: T_NGUONKHAC is the sum of its four parts; block error 51", "XML2", errors=(51,))
def drug_other_sources(case: Case) -> Iterator[Hit]:
    return _other_sources(case, "XML2", case.drugs)


@rule("B2-004", "README §5: the shares add up to THANH_TIEN_BV; block error 41", "XML2", errors=(41,))
def drug_balance(case: Case) -> Iterator[Hit]:
    return _differing(case, "XML2", "balance")


@rule("B2-005", "README §5: T_BHTT = THANH_TIEN_BH × MUC_HUONG; block error 48", "XML2", errors=(48,))
def drug_fund_share(case: Case) -> Iterator[Hit]:
    return _differing(case, "XML2", "fund")


@rule("B2-006", "README §5: T_BNCCT = THANH_TIEN_BH − T_BHTT; block error 49", "XML2", errors=(49,))
def drug_co_payment(case: Case) -> Iterator[Hit]:
    return _differing(case, "XML2", "co_pay")


@rule("B2-007", "README §5: T_BNTT = THANH_TIEN_BV − THANH_TIEN_BH; block error 50", "XML2", errors=(50,))
def drug_self_payment(case: Case) -> Iterator[Hit]:
    return _differing(case, "XML2", "self_pay")


@rule(
    "B2-008",
    "README §5: other sources pay T_BNTT, then T_BNCCT, then T_BHTT, or a share; block error 51",
    "XML2",
    warns=True,
    errors=(51,),
)
def drug_order_of_sources(case: Case) -> Iterator[Hit]:
    return _order_of_sources(case, "XML2", case.drugs)


@rule("B2-009", "README §5: amounts to the đồng; tolerance of the block errors", "XML2", warns=True)
def drug_amount_by_a_little(case: Case) -> Iterator[Hit]:
    return _slightly_differing(case, "XML2")


@rule("B2-010", "list PHAM_VI: outside the scope the fund pays nothing; block error 40", "XML2", errors=(40, 48))
def drug_outside_scope_paid(case: Case) -> Iterator[Hit]:
    return _outside_paid(case, "XML2", case.drugs)


@rule("B2-011", "list NGUON_CTRA: not paid by the fund", "XML2", warns=True)
def drug_of_another_source_paid_by_the_fund(case: Case) -> Iterator[Hit]:
    for line in case.drugs:
        if line.row.get("NGUON_CTRA") in ("2", "3", "4") and line.fund:
            yield Hit("XML2", line.n, "T_BHTT", "present")


@rule("B2-012", "a row with no quantity", "XML2", errors=(3,))
def drug_without_quantity(case: Case) -> Iterator[Hit]:
    for line in case.drugs:
        if line.quantity is not None and line.quantity == 0:
            yield Hit("XML2", line.n, "SO_LUONG", "zero")


@rule("B2-013", "a medicine the fund pays has a price", "XML2", warns=True)
def drug_without_price(case: Case) -> Iterator[Hit]:
    for line in case.drugs:
        if line.price is not None and line.price == 0 and line.row.get("NGUON_CTRA") == "1":
            yield Hit("XML2", line.n, "DON_GIA", "zero")


@rule(
    "B3-001",
    "README §5: THANH_TIEN_BV with TYLE_TT_DV, or not charged, or as in QĐ 130; block error 52",
    "XML3",
    errors=(3, 52),
)
def service_amount(case: Case) -> Iterator[Hit]:
    return _differing(case, "XML3", "bv")


@rule("B3-002", "README §5: THANH_TIEN_BH of a service; block error 52", "XML3", errors=(3, 52))
def service_amount_in_scope(case: Case) -> Iterator[Hit]:
    return _differing(case, "XML3", "bh")


@rule("B3-003", "README §5: T_NGUONKHAC is the sum of its four parts; block error 56", "XML3", errors=(56,))
def service_other_sources(case: Case) -> Iterator[Hit]:
    return _other_sources(case, "XML3", case.services)


@rule("B3-004", "README §5: the shares add up to THANH_TIEN_BV; block error 45", "XML3", errors=(45,))
def service_balance(case: Case) -> Iterator[Hit]:
    return _differing(case, "XML3", "balance")


@rule("B3-005", "README §5: T_BHTT = THANH_TIEN_BH × MUC_HUONG; block error 53", "XML3", errors=(53,))
def service_fund_share(case: Case) -> Iterator[Hit]:
    return _differing(case, "XML3", "fund")


@rule("B3-006", "README §5: T_BNCCT = THANH_TIEN_BH − T_BHTT; block error 54", "XML3", errors=(54,))
def service_co_payment(case: Case) -> Iterator[Hit]:
    return _differing(case, "XML3", "co_pay")


@rule("B3-007", "README §5: T_BNTT = THANH_TIEN_BV − THANH_TIEN_BH; block error 55", "XML3", errors=(55,))
def service_self_payment(case: Case) -> Iterator[Hit]:
    return _differing(case, "XML3", "self_pay")


@rule(
    "B3-008",
    "README §5: other sources pay T_BNTT, then T_BNCCT, then T_BHTT, or a share; block error 56",
    "XML3",
    warns=True,
    errors=(56,),
)
def service_order_of_sources(case: Case) -> Iterator[Hit]:
    return _order_of_sources(case, "XML3", case.services)


@rule("B3-009", "README §5: amounts to the đồng; tolerance of the block errors", "XML3", warns=True)
def service_amount_by_a_little(case: Case) -> Iterator[Hit]:
    return _slightly_differing(case, "XML3")


@rule("B3-010", "list PHAM_VI: outside the scope the fund pays nothing; block error 44", "XML3", errors=(44, 53))
def service_outside_scope_paid(case: Case) -> Iterator[Hit]:
    return _outside_paid(case, "XML3", case.services)


@rule("B3-011", "a price the fund pays is not above the hospital's", "XML3", warns=True)
def insurance_price_above_the_hospitals(case: Case) -> Iterator[Hit]:
    for line in case.services:
        if line.price is not None and line.price_bh is not None and line.price_bh > line.price:
            yield Hit("XML3", line.n, "DON_GIA_BH", "range")


@rule("B3-012", "a row with no quantity; beds of the middle departments of a day have none", "XML3", errors=(3,))
def service_without_quantity(case: Case) -> Iterator[Hit]:
    for line in case.services:
        if line.quantity is not None and line.quantity == 0 and line.group not in ("14", "15", "16"):
            yield Hit("XML3", line.n, "SO_LUONG", "zero")


@rule("B3-013", "README §5: TYLE_TT_DV of exams, beds and operations", "XML3", warns=True)
def unusual_service_rate(case: Case) -> Iterator[Hit]:
    for line in case.services:
        if line.rate_dv is None or line.rate_dv == HUNDRED:
            continue
        allowed = _RATES.get(line.group)
        if allowed is not None and int(line.rate_dv) not in allowed:
            yield Hit("XML3", line.n, "TYLE_TT_DV", "range")


_RATES = {
    "13": (100, 30, 10, 0),
    "14": (100, 50, 33, 30),
    "15": (100, 50, 33, 30),
    "16": (100, 50, 33, 30),
    "8": (100, 80, 50),
    "18": (100, 80, 50),
    "10": (100,),
    "1": (100,),
    "2": (100,),
}


@rule("B3-014", "README §6: T_BHTT ≤ T_TRANTT for packages", "XML3")
def package_above_its_ceiling(case: Case) -> Iterator[Hit]:
    packages: dict[str, list[Line]] = {}
    for line in case.services:
        if package := line.row.get("GOI_VTYT", ""):
            packages.setdefault(package, []).append(line)
    for lines in packages.values():
        ceilings = [ceiling for one in lines if (ceiling := number(one.row.get("T_TRANTT", ""))) is not None]
        paid = sum((line.fund for line in lines if line.fund is not None), ZERO)
        if ceilings and paid > max(ceilings):
            yield Hit("XML3", lines[0].n, "T_TRANTT", "range")


def _other_sources(case: Case, name: str, lines: list[Line]) -> Iterator[Hit]:
    for line in lines:
        if line.other is None or (not line.other and not any(line.sources)):
            continue
        if None not in line.sources and line.other != sum((one for one in line.sources if one is not None), ZERO):
            yield Hit(name, line.n, "T_NGUONKHAC", "different")


def _order_of_sources(case: Case, name: str, lines: list[Line]) -> Iterator[Hit]:
    tolerance = case.settings.row_tolerance
    for line in lines:
        if not line.other or None in (line.bv, line.bh, line.level, line.self_pay, line.co_pay, line.fund):
            continue
        said = (line.self_pay, line.co_pay, line.fund)
        if not any(
            all(abs((a or ZERO) - b) <= tolerance for a, b in zip(said, way, strict=True)) for way in _ways(line)
        ):
            yield Hit(name, line.n, "T_NGUONKHAC", "different")


def _ways(line: Line) -> Iterator[tuple[Decimal, Decimal, Decimal]]:
    """Yield what is left to patient and fund: paid off in order, by a share of each, or (ARV) the co-payment alone."""
    bv, bh, level, other = line.bv or ZERO, line.bh or ZERO, line.level or ZERO, line.other or ZERO
    whole = money.split(bv, bh, level)
    shares = (whole.patient, whole.copayment, whole.fund)
    in_turn = money.split(bv, bh, level, other)
    yield in_turn.patient, in_turn.copayment, in_turn.fund
    if bv:
        kept = (bv - other) / bv
        yield rounded(shares[0] * kept), rounded(shares[1] * kept), rounded(shares[2] * kept)
    if other == shares[1]:
        yield shares[0], ZERO, shares[2]


def _outside_paid(case: Case, name: str, lines: list[Line]) -> Iterator[Hit]:
    for line in lines:
        if line.row.get("PHAM_VI") == "2" and line.fund:
            yield Hit(name, line.n, "T_BHTT", "present")
