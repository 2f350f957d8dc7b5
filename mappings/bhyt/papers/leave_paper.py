"""Table XML11 of a certificate of days off work."""

from __future__ import annotations

from collections.abc import Mapping

from mappings.bhyt import facts
from mappings.bhyt.sheet import FieldSource, Sheet, nothing, number_of, told, told_code, told_day, told_number

SUBJECT = "Encounter"
_SMALL = 7
"""Years; a child younger than this is named with a parent."""


def social_number(sheet: Sheet) -> str:
    own = number_of(sheet.patient, lambda system: system == sheet.systems.bhxh)
    return told_number("MA_BHXH")(sheet) or own


def father(sheet: Sheet) -> str:
    """Give the father as the paper prints him: of a child under 7."""
    return facts.parent_name(sheet, "HO_TEN_CHA", "FTH", _SMALL)


def mother(sheet: Sheet) -> str:
    """Give the mother as the paper prints her: of a child under 7."""
    return facts.parent_name(sheet, "HO_TEN_ME", "MTH", _SMALL)


SOURCES: Mapping[str, FieldSource] = {
    "MA_LK": facts.visit_number,
    "SO_CT": told("SO_CT"),
    "SO_SERI": told("SO_SERI"),
    "SO_KCB": told("SO_KCB"),
    "DON_VI": told("DON_VI", "NOI_LAM_VIEC"),
    "MA_BHXH": social_number,
    "MA_THE_BHYT": facts.card_numbers,
    "CHAN_DOAN_RV": facts.diagnosis_text,
    "PP_DIEUTRI": told("PP_DIEUTRI"),
    "MA_DINH_CHI_THAI": told_code("MA_DINH_CHI_THAI"),
    "NGUYENNHAN_DINHCHI": told("NGUYENNHAN_DINHCHI"),
    "TUOI_THAI": told("TUOI_THAI"),
    "SO_NGAY_NGHI": told("SO_NGAY_NGHI"),
    "TU_NGAY": told_day("TU_NGAY"),
    "DEN_NGAY": told_day("DEN_NGAY"),
    "HO_TEN_CHA": father,
    "HO_TEN_ME": mother,
    "MA_TTDV": facts.head_licence,
    "MA_BS": facts.doctor_licence,
    "NGAY_CT": facts.examined_on,
    "MA_THE_TAM": told_number("MA_THE_TAM"),
    "MAU_SO": told("MAU_SO"),
    "DU_PHONG": nothing,
}
