"""Rules of the insurance card: as many of each as there are cards, each in its form, and in force while the visit lasts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from itertools import pairwise

from mappings import codes
from mappings.bhyt.rules.case import Case, day, gap, number, parts
from mappings.bhyt.rules.core import Hit, rule

CARD = re.compile(r"[A-Z]{2}[1-9]\d{2}[0-9A-Z]{10}")
_SHORT = re.compile(r"\d{10}|\d{12}")
TEMPORARY = re.compile(r"TE1\d{2}\d{10}")
_FIELDS = ("MA_THE_BHYT", "MA_DKBD", "GT_THE_TU", "GT_THE_DEN")
_FORCES = ("CA", "CY", "QN")
LEVELS = {"1": 100, "2": 100, "3": 95, "4": 80, "5": 100}
"""Benefit level by the third character of the card. Background knowledge, not from the sources of the formats."""


@rule("B1-030", "README §6: counts of the card lists equal; block error 20", "XML1", errors=(20,))
def unequal_counts(case: Case) -> Iterator[Hit]:
    counted = {field: len(parts(case.one.get(field, ""))) for field in _FIELDS}
    for field in _FIELDS[1:]:
        if counted["MA_THE_BHYT"] and counted[field] != counted["MA_THE_BHYT"]:
            yield Hit("XML1", 1, field, "unequal")


@rule(
    "B1-031", "README §3, portal look-up: card of 15 characters, 10 or 12 digits; block error 17", "XML1", errors=(17,)
)
def card_form(case: Case) -> Iterator[Hit]:
    if any(not _is_card(case, card.number) for card in case.cards):
        yield Hit("XML1", 1, "MA_THE_BHYT", "form")


def _is_card(case: Case, number: str) -> bool:
    return bool(CARD.fullmatch(number) or (case.settings.short_cards and _SHORT.fullmatch(number)))


@rule("B1-027", "README §3: the card of 15 characters; 10 and 12 digits are those of look-ups", "XML1", warns=True)
def card_is_a_short_number(case: Case) -> Iterator[Hit]:
    if case.settings.short_cards and any(_SHORT.fullmatch(card.number) for card in case.cards):
        yield Hit("XML1", 1, "MA_THE_BHYT", "form")


@rule("B1-032", "README §6: MA_DKBD has five characters each; block error 9", "XML1", errors=(9,))
def registered_facility_form(case: Case) -> Iterator[Hit]:
    if any(not re.fullmatch(r"[0-9A-Z]{5}", one) for one in parts(case.one.get("MA_DKBD", ""))):
        yield Hit("XML1", 1, "MA_DKBD", "form")


@rule("B1-033", "README §6: GT_THE_TU has eight digits each; block error 18", "XML1", errors=(18,))
def card_from_form(case: Case) -> Iterator[Hit]:
    if any(len(one) != 8 or not day(one) for one in parts(case.one.get("GT_THE_TU", ""))):
        yield Hit("XML1", 1, "GT_THE_TU", "no date")


@rule("B1-034", "README §6: GT_THE_DEN has eight digits each; block error 19", "XML1", errors=(19,))
def card_to_form(case: Case) -> Iterator[Hit]:
    if any(len(one) != 8 or not day(one) for one in parts(case.one.get("GT_THE_DEN", ""))):
        yield Hit("XML1", 1, "GT_THE_DEN", "no date")


@rule("B1-035", "block errors 18, 19", "XML1", errors=(18, 19))
def card_ends_before_it_starts(case: Case) -> Iterator[Hit]:
    if any(card.first and card.last and card.first > card.last for card in case.cards):
        yield Hit("XML1", 1, "GT_THE_DEN", "early")


@rule("B1-036", "block errors 17, 18, 19: a card is in force when the visit starts", "XML1", errors=(17, 18, 19))
def card_not_in_force(case: Case) -> Iterator[Hit]:
    entered = day(case.entered)
    missing = _uncovered(case)
    if missing and missing == entered:
        starts = any(card.first and card.first > missing for card in case.cards)
        yield Hit("XML1", 1, "GT_THE_TU" if starts else "GT_THE_DEN", "late" if starts else "early")


@rule("B1-028", "block error 19: a card that ends during the visit, and no other after it", "XML1", warns=True)
def card_ends_during_the_visit(case: Case) -> Iterator[Hit]:
    missing = _uncovered(case)
    if missing and missing != day(case.entered):
        yield Hit("XML1", 1, "GT_THE_DEN", "early")


def _uncovered(case: Case) -> date | None:
    """Give the first day of the visit that no card covers; None where the fields do not tell."""
    entered, left = day(case.entered), day(case.left)
    periods = [(card.first, card.last) for card in case.cards if card.first and card.last]
    if not entered or not left or entered > left or not periods or len(periods) < len(case.cards):
        return None
    return None if any(first > last for first, last in periods) else gap(periods, entered, left)


@rule("B1-037", "README §6: insured visits have a card; block error 17", "XML1", errors=(17,))
def card_absent(case: Case) -> Iterator[Hit]:
    if case.insured and case.coverage and not case.one.get("MA_THE_BHYT"):
        yield Hit("XML1", 1, "MA_THE_BHYT", "empty")


@rule("B1-038", "QĐ 3276/2025: MA_DOITUONG_KCB 9 is not an insured visit", "XML1", warns=True)
def card_without_insurance(case: Case) -> Iterator[Hit]:
    if not case.insured and case.one.get("MA_THE_BHYT"):
        yield Hit("XML1", 1, "MA_THE_BHYT", "present")


@rule("B1-039", "README §3: cards TE are of children under six", "XML1", warns=True)
def child_card_of_an_adult(case: Case) -> Iterator[Hit]:
    if case.age is not None and case.age > 6 and any(card.number.startswith("TE") for card in case.cards):
        yield Hit("XML1", 1, "MA_THE_BHYT", "different")


@rule("B1-040", "README §6: prefix of the card in the list; block error 8", "XML1", needs="CARD_PREFIX", errors=(8,))
def card_prefix(case: Case) -> Iterator[Hit]:
    for card in case.cards:
        if CARD.fullmatch(card.number) and not case.listed("CARD_PREFIX", card.number[:2]):
            yield Hit("XML1", 1, "MA_THE_BHYT", "unknown code")


@rule("B1-041", "README §6: province of the card in the list; block error 8", "XML1", errors=(8,))
def card_province(case: Case) -> Iterator[Hit]:
    known = codes.table("vn-province")
    for card in case.cards:
        two = card.number[3:5]
        if not CARD.fullmatch(card.number) or two in _OWN_NUMBERS:
            continue
        if case.lists["PROVINCE"].has(two) if "PROVINCE" in case.lists else any(row.code == two for row in known):
            continue
        yield Hit("XML1", 1, "MA_THE_BHYT", "unknown code")


_OWN_NUMBERS = frozenset({"97", "99"})
"""Cards of the army (97) and of others without a province (99), as seen. Not from the sources of the formats."""


@rule("B1-042", "README §6: MA_DKBD in the facility list; block error 9", "XML1", needs="MA_CSKCB", errors=(9,))
def registered_facility_unknown(case: Case) -> Iterator[Hit]:
    for one in parts(case.one.get("MA_DKBD", "")):
        if re.fullmatch(r"[0-9A-Z]{5}", one) and not case.lists["MA_CSKCB"].has(one):
            yield Hit("XML1", 1, "MA_DKBD", "unknown code")
            break


@rule("B1-043", "README §3: several cards are several numbers or periods", "XML1", warns=True)
def periods_of_cards_overlap(case: Case) -> Iterator[Hit]:
    periods = sorted((card.first, card.last) for card in case.cards if card.first and card.last)
    if any(later[0] <= earlier[1] for earlier, later in pairwise(periods)):
        yield Hit("XML1", 1, "GT_THE_TU", "overlap")


@rule("B1-044", "list MA_KHUVUC: letters printed on the card", "XML1", warns=True)
def area_without_card(case: Case) -> Iterator[Hit]:
    if case.one.get("MA_KHUVUC") and not case.one.get("MA_THE_BHYT"):
        yield Hit("XML1", 1, "MA_KHUVUC", "present")


@rule("B1-045", "README §3: NGAY_MIEN_CCT has 8 or 12 digits; block error 21", "XML1", errors=(21,))
def exemption_form(case: Case) -> Iterator[Hit]:
    value = case.one.get("NGAY_MIEN_CCT", "")
    if value and not (len(value) in (8, 12) and day(value) and value[8:10] < "24" and value[10:] < "60"):
        yield Hit("XML1", 1, "NGAY_MIEN_CCT", "no date")


@rule("B1-046", "block error 21: the exemption has begun", "XML1", errors=(21,))
def exemption_after_the_visit(case: Case) -> Iterator[Hit]:
    starts, left = day(case.one.get("NGAY_MIEN_CCT", "")), day(case.left)
    if starts and left and starts > left:
        yield Hit("XML1", 1, "NGAY_MIEN_CCT", "late")


@rule("B1-047", "README §9.5: third character of the card and MUC_HUONG; background knowledge", "XML2 XML3", warns=True)
def level_above_the_card(case: Case) -> Iterator[Hit]:
    if not case.cards or not case.ended or case.one.get("NGAY_MIEN_CCT"):
        return
    levels = (LEVELS.get(card.number[2], 100) if CARD.fullmatch(card.number) else 100 for card in case.cards)
    highest = max(levels, default=100)
    salary, total = case.settings.salary(case.ended), number(case.one.get("T_TONGCHI_BH", ""))
    if (
        highest == 100
        or case.one.get("NAM_NAM_LIEN_TUC")
        or (salary and total is not None and total < salary * 15 / 100)
    ):
        return
    for name, lines in (("XML2", case.drugs), ("XML3", case.services)):
        for line in lines:
            if line.level is not None and line.level > highest and line.fund:
                yield Hit(name, line.n, "MUC_HUONG", "range")


@rule(
    "B1-048",
    "README §9.5: a visit below 15 % of the base salary is paid whole; background knowledge",
    "XML1",
    warns=True,
)
def small_visit_with_co_payment(case: Case) -> Iterator[Hit]:
    salary = case.settings.salary(case.ended) if case.ended else None
    total, co_pay = number(case.one.get("T_TONGCHI_BH", "")), number(case.one.get("T_BNCCT", ""))
    right_place = case.coverage.startswith("1.") or case.coverage == "2"
    if salary and case.cards and right_place and total and co_pay and total < salary * 15 / 100:
        yield Hit("XML1", 1, "T_BNCCT", "present")


@rule("B1-049", "README §3: the temporary card of a newborn is TE1, province, ten digits", "XML7 XML8 XML9 XML11")
def temporary_card_form(case: Case) -> Iterator[Hit]:
    for name, n, row in case.rows("XML7", "XML8", "XML9", "XML11"):
        if (value := row.get("MA_THE_TAM", "")) and not TEMPORARY.fullmatch(value):
            yield Hit(name, n, "MA_THE_TAM", "form")


@rule("B1-029", "README §3: the card in papers and check-in", "XML0 XML6 XML9 XML11 XML12 XML13 XML14", errors=(17,))
def card_form_in_papers(case: Case) -> Iterator[Hit]:
    for name, n, row in case.rows("XML0", "XML6", "XML11", "XML12", "XML13", "XML14"):
        if any(not _is_card(case, one) for one in parts(row.get("MA_THE_BHYT", ""))):
            yield Hit(name, n, "MA_THE_BHYT", "form")
    for name, n, row in case.rows("XML9"):
        if (value := row.get("MA_THE_NND", "")) and not _is_card(case, value):
            yield Hit(name, n, "MA_THE_NND", "form")


def is_of_forces(case: Case) -> bool:
    return any(card.number.startswith(_FORCES) for card in case.cards)
