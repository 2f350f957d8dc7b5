"""Table XML14 of an appointment for a re-examination."""

from __future__ import annotations

from collections.abc import Mapping

from mappings.bhyt import facts
from mappings.bhyt.sheet import FieldSource, nothing, told_code, told_number

SUBJECT = "Appointment"
SOURCES: Mapping[str, FieldSource] = {
    "MA_LK": facts.visit_number,
    "SO_GIAYHEN_KL": facts.appointment_number,
    "MA_CSKCB": facts.facility,
    "HO_TEN": facts.full_name,
    "NGAY_SINH": facts.born_at,
    "GIOI_TINH": facts.sex,
    "DIA_CHI": facts.residence,
    "MA_THE_BHYT": facts.card_numbers,
    "GT_THE_DEN": facts.card_ends,
    "NGAY_VAO": facts.came_at,
    "NGAY_VAO_NOI_TRU": facts.admitted_at,
    "NGAY_RA": facts.left_at,
    "NGAY_HEN_KL": facts.comes_back_at,
    "CHAN_DOAN_RV": facts.diagnosis_text,
    "MA_BENH_CHINH": facts.main_disease,
    "MA_BENH_KT": facts.other_diseases,
    "MA_BENH_YHCT": told_number("MA_BENH_YHCT"),
    "MA_DOITUONG_KCB": told_code("MA_DOITUONG_KCB"),
    "MA_BAC_SI": facts.doctor_licence,
    "MA_TTDV": facts.head_licence,
    "NGAY_CT": facts.issued_on,
    "DU_PHONG": nothing,
}
