"""Rules of the check-in, XML0: exactly one thing that costs, with its name, under a card that is in force."""

from __future__ import annotations

from collections.abc import Iterator

from mappings.bhyt.rules.case import Case, moment, number
from mappings.bhyt.rules.core import Hit, rule


@rule("B0-001", "README §6: exactly one of service, medicine, supply", "XML0", since="4750")
def check_in_of_one_thing(case: Case) -> Iterator[Hit]:
    for _, n, row in case.rows("XML0"):
        filled = [field for field in ("MA_DICH_VU", "MA_THUOC", "MA_VAT_TU") if row.get(field)]
        if len(filled) != 1:
            yield Hit("XML0", n, filled[1] if filled else "MA_DICH_VU", "many" if filled else "empty")


@rule("B0-002", "README §6: each of them with its name", "XML0")
def check_in_without_name(case: Case) -> Iterator[Hit]:
    for _, n, row in case.rows("XML0"):
        for code, name in (("MA_DICH_VU", "TEN_DICH_VU"), ("MA_THUOC", "TEN_THUOC"), ("MA_VAT_TU", "TEN_VAT_TU")):
            if row.get(code) and not row.get(name):
                yield Hit("XML0", n, name, "empty")


@rule("B0-003", "README §6: sent at the first cost of the visit", "XML0")
def check_in_ordered_before_entering(case: Case) -> Iterator[Hit]:
    for _, n, row in case.rows("XML0"):
        entered, ordered = moment(row.get("NGAY_VAO", "")), moment(row.get("NGAY_YL", ""))
        if entered and ordered and ordered < entered:
            yield Hit("XML0", n, "NGAY_YL", "early")


@rule("B0-004", "README §6: sent at once, not before", "XML0")
def check_in_of_the_future(case: Case) -> Iterator[Hit]:
    for _, n, row in case.rows("XML0"):
        if moment(row.get("NGAY_YL", "")) > case.minute:
            yield Hit("XML0", n, "NGAY_YL", "future")


@rule("B0-005", "README §6: not needed for emergencies", "XML0", warns=True)
def check_in_of_an_emergency(case: Case) -> Iterator[Hit]:
    for _, n, row in case.rows("XML0"):
        if row.get("MA_DOITUONG_KCB") == "2":
            yield Hit("XML0", n, "MA_DOITUONG_KCB", "present")


@rule("B0-006", "README §6: insured visits have a card", "XML0")
def check_in_without_card(case: Case) -> Iterator[Hit]:
    for _, n, row in case.rows("XML0"):
        if row.get("MA_DOITUONG_KCB") not in ("9", "", None) and not row.get("MA_THE_BHYT"):
            yield Hit("XML0", n, "MA_THE_BHYT", "empty")


@rule("B0-007", "README §6: the card is in force", "XML0")
def check_in_card_not_in_force(case: Case) -> Iterator[Hit]:
    for _, n, row in case.rows("XML0"):
        entered = row.get("NGAY_VAO", "")[:8]
        first, last = row.get("GT_THE_TU", ""), row.get("GT_THE_DEN", "")
        if number(entered) is not None and (first > entered or (last and last < entered)):
            yield Hit(
                "XML0", n, "GT_THE_TU" if first > entered else "GT_THE_DEN", "late" if first > entered else "early"
            )


@rule("B0-008", "QĐ 4750: admitted after entering", "XML0", since="4750")
def check_in_admitted_before_entering(case: Case) -> Iterator[Hit]:
    for _, n, row in case.rows("XML0"):
        admitted, entered = moment(row.get("NGAY_VAO_NOI_TRU", "")), moment(row.get("NGAY_VAO", ""))
        if admitted and entered and admitted < entered:
            yield Hit("XML0", n, "NGAY_VAO_NOI_TRU", "early")
