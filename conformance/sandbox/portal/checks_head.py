"""Check XML1 for the block errors that need no sums: person, card, dates, codes, period, contract.

The numbers and conditions are those of the list that was written for QĐ 4210 and is said to be the logic of the back end
still, with the code lists of today. For people without insurance (MA_DOITUONG_KCB 9) the card is not asked for, nor a claim
of them or of a withdrawal (8): ours. Whether MA_DKBD is in the list of facilities is judged by its form and province.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Final

from conformance.sandbox.portal.checks_structure import day, is_birth
from conformance.sandbox.portal.finding import Finding
from conformance.sandbox.portal.reading import Row, Visit
from conformance.sandbox.portal.shapes import code_list, read_csv
from conformance.sandbox.portal.switches import INPATIENT, Switches

_CARD: Final = re.compile(r"[A-Z]{2}[1-9]\d{2}[0-9A-Z]{10}")
_ANY_NUMBER: Final = re.compile(_CARD.pattern + "|[0-9]{10}|[0-9]{12}")
_VIETNAM: Final = timezone(timedelta(hours=7))
_UNINSURED: Final = "9"
_WITHDRAWAL: Final = "8"
_STENT: Final = "N06.02.020"
_MANY_STENTS: Final = ("CC", "TE", "QN", "CA", "CY")
"""Subject groups whose stents are not counted."""


def check_head(visit: Visit, switches: Switches, received_at: datetime) -> Iterator[Finding]:
    """Yield the block errors of XML1, in the order of their numbers."""
    head = visit.head
    found = [
        *_check_codes(head),
        *_check_person(head),
        *_check_stay(head, switches, received_at.astimezone(_VIETNAM)),
        *_check_contract(visit, switches),
        *_check_stents(visit),
    ]
    if head["MA_DOITUONG_KCB"] != _UNINSURED:
        found += _check_card(head, switches)
    if head["MA_DOITUONG_KCB"] not in (_UNINSURED, _WITHDRAWAL) and not (head.amount("T_BHTT") or 0):
        found.append(_block("11", "T_BHTT"))
    yield from sorted(found, key=lambda each: int(each.code))


def _check_codes(head: Row) -> Iterator[Finding]:
    ended = head["NGAY_RA"][:8]
    for code, field, listed in (
        ("1", "MA_DOITUONG_KCB", "MA_DOITUONG_KCB"),
        ("25", "KET_QUA_DTRI", "KET_QUA_DTRI"),
        ("26", "MA_LOAI_RV", "MA_LOAI_RV"),
        ("37", "MA_LOAI_KCB", "MA_LOAI_KCB"),
    ):
        codes = code_list(listed)
        if head[field] not in codes or codes[head[field]] > ended:
            yield _block(code, field)
    if head["MA_KHUVUC"] and head["MA_KHUVUC"] not in code_list("MA_KHUVUC"):
        yield _block("38", "MA_KHUVUC")
    if head["MA_TAI_NAN"] and not re.fullmatch(r"[0-8]", head["MA_TAI_NAN"]):
        yield _block("22", "MA_TAI_NAN")


def _check_person(head: Row) -> Iterator[Finding]:
    if not is_birth(head["NGAY_SINH"]):
        yield _block("15", "NGAY_SINH")
    if head["GIOI_TINH"] not in ("1", "2", "3"):
        yield _block("16", "GIOI_TINH")


def _check_card(head: Row, switches: Switches) -> Iterator[Finding]:
    names = ("MA_THE_BHYT", "MA_DKBD", "GT_THE_TU", "GT_THE_DEN")
    cards, places, starts, ends = ([part for part in head[name].split(";") if part] for name in names)
    provinces = {row["code"] for row in read_csv("provinces.csv")}
    form = _CARD if switches.card_numbers == "15" else _ANY_NUMBER
    if not cards or not all(form.fullmatch(card) for card in cards):
        yield _block("17", "MA_THE_BHYT")
    elif any(len(card) == 15 and (card[2] not in "12345" or card[3:5] not in provinces) for card in cards):
        yield _block("8", "MA_THE_BHYT")
    if not places or not all(re.fullmatch(r"[0-9A-Z]{5}", place) and place[:2] in provinces for place in places):
        yield _block("9", "MA_DKBD")
    if not starts or not all(len(each) == 8 and day(each) for each in starts):
        yield _block("18", "GT_THE_TU")
    # a card without a last day leaves the field empty
    if not all(len(each) == 8 and day(each) for each in ends):
        yield _block("19", "GT_THE_DEN")
    if len({len(each) for each in (cards, places, starts, ends) if each}) > 1:
        yield _block("20", "MA_THE_BHYT")
    exempt = head["NGAY_MIEN_CCT"]
    if exempt and (len(exempt) not in (8, 12) or day(exempt) is None):
        yield _block("21", "NGAY_MIEN_CCT")


def _check_stay(head: Row, switches: Switches, received_at: datetime) -> Iterator[Finding]:
    for code, field in (("23", "NGAY_VAO"), ("24", "NGAY_RA"), ("27", "NGAY_TTOAN")):
        unpaid = field == "NGAY_TTOAN" and not head[field]
        if not unpaid and (len(head[field]) != 12 or day(head[field]) is None):
            yield _block(code, field)
    year, month = head["NAM_QT"], head["THANG_QT"]
    if not re.fullmatch(r"20\d\d", year) or int(year) > received_at.year:
        yield _block("35", "NAM_QT")
    if not re.fullmatch(r"0?[1-9]|1[0-2]", month):
        yield _block("36", "THANG_QT")
    left = day(head["NGAY_RA"])
    if left is not None and left.year not in (received_at.year, *switches.open_years):
        yield _block("103", "NGAY_RA")


def _check_contract(visit: Visit, switches: Switches) -> Iterator[Finding]:
    head = visit.head
    if head["MA_CSKCB"] != visit.facility:
        yield _block("10", "MA_CSKCB")
    if head["NGAY_VAO"][:8] > switches.contract_until.get(visit.facility, "99999999"):
        yield _block("58", "NGAY_VAO")
    if visit.facility in switches.outpatient_only and head["MA_LOAI_KCB"] in INPATIENT:
        yield _block("60", "MA_LOAI_KCB")


def _check_stents(visit: Visit) -> Iterator[Finding]:
    stents = [row for row in visit.rows("XML3") if row["MA_VAT_TU"].startswith(_STENT)]
    if (
        sum((row.amount("SO_LUONG") or 0 for row in stents), 0) > 1
        and visit.head["MA_THE_BHYT"][:2] not in _MANY_STENTS
    ):
        yield Finding("block", "14", "XML3", stents[-1].number, "SO_LUONG")


def _block(code: str, field: str) -> Finding:
    return Finding("block", code, "XML1", 1, field)
