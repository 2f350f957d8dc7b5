"""Table XML7 of a discharge paper."""

from __future__ import annotations

from collections.abc import Mapping

from mappings.bhyt import facts
from mappings.bhyt.sheet import FieldSource, nothing, told, told_all, told_code, told_day, told_number, told_time

SUBJECT = "Encounter"
SOURCES: Mapping[str, FieldSource] = {
    "MA_LK": facts.visit_number,
    "SO_LUU_TRU": facts.record_number,
    "MA_YTE": facts.patient_number,
    "MA_KHOA_RV": facts.department,
    "NGAY_VAO": facts.came_at,
    "NGAY_RA": facts.left_at,
    "MA_DINH_CHI_THAI": told_code("MA_DINH_CHI_THAI"),
    "NGUYENNHAN_DINHCHI": told("NGUYENNHAN_DINHCHI"),
    "THOIGIAN_DINHCHI": told_time("THOIGIAN_DINHCHI"),
    "TUOI_THAI": told("TUOI_THAI"),
    "CHAN_DOAN_RV": facts.diagnosis_text,
    "PP_DIEUTRI": told("PP_DIEUTRI"),
    "GHI_CHU": told_all("GHI_CHU", "LOI_DAN"),
    "MA_TTDV": facts.head_licence,
    "MA_BS": facts.doctor_licence,
    "TEN_BS": facts.doctor_name,
    "NGAY_CT": facts.left_on,
    "MA_CHA": facts.father_number,
    "MA_ME": facts.mother_number,
    "MA_THE_TAM": told_number("MA_THE_TAM"),
    "HO_TEN_CHA": facts.father_name,
    "HO_TEN_ME": facts.mother_name,
    "SO_NGAY_NGHI": told("SO_NGAY_NGHI"),
    "NGOAITRU_TUNGAY": told_day("NGOAITRU_TUNGAY"),
    "NGOAITRU_DENNGAY": told_day("NGOAITRU_DENNGAY"),
    "DU_PHONG": nothing,
}
