"""Table XML1 as far as a paper knows it: the summary that every visit begins with, without its money.

The fields without a row here, the money among them, stay empty: the settlement of a visit is not a paper's to tell.
"""

from __future__ import annotations

from collections.abc import Mapping

from mappings.bhyt import facts, results
from mappings.bhyt.sheet import FieldSource, told, told_code, told_number

SOURCES: Mapping[str, FieldSource] = {
    "MA_LK": facts.visit_number,
    "STT": results.row_number,
    "MA_BN": facts.patient_number,
    "HO_TEN": facts.full_name,
    "NGAY_SINH": facts.born_at,
    "GIOI_TINH": facts.sex,
    "MA_QUOCTICH": facts.nationality,
    "MA_DANTOC": facts.ethnicity,
    "MA_NGHE_NGHIEP": facts.occupation,
    "DIA_CHI": facts.residence,
    "MA_THE_BHYT": facts.card_numbers,
    "GT_THE_DEN": facts.card_ends,
    "CHAN_DOAN_RV": facts.diagnosis_text,
    "MA_BENH_CHINH": facts.main_disease,
    "MA_BENH_KT": facts.other_diseases,
    "MA_BENH_YHCT": told_number("MA_BENH_YHCT"),
    "MA_DOITUONG_KCB": told_code("MA_DOITUONG_KCB"),
    "NGAY_VAO": facts.came_at,
    "NGAY_VAO_NOI_TRU": facts.admitted_at,
    "NGAY_RA": facts.left_at,
    "PP_DIEU_TRI": told("PP_DIEUTRI"),
    "KET_QUA_DTRI": told_code("KET_QUA_DTRI"),
    "MA_LOAI_RV": facts.discharge_kind,
    "MA_KHOA": told_code("MA_KHOA"),
    "MA_CSKCB": facts.facility,
    "MA_TTDV": facts.head_licence,
}
