"""Table XML13 of a referral, under the names of QĐ 4750 and of QĐ 3176 (QĐ 130 has no such table).

Standard: QĐ 4750/QĐ-BYT, QĐ 3176/QĐ-BYT; second-hand
"""

from __future__ import annotations

from collections.abc import Mapping

from mappings.bhyt import facts
from mappings.bhyt.sheet import FieldSource, nothing, told, told_number

SUBJECT = "ServiceRequest"
SOURCES: Mapping[str, FieldSource] = {
    "MA_LK": facts.visit_number,
    "SO_HOSO": facts.file_number,
    "SO_CHUYENTUYEN": facts.register_number,
    "GIAY_CHUYEN_TUYEN": facts.referral_number,
    "MA_CSKCB": facts.facility,
    "MA_CSKCB_DI": told_number("MA_CSKCB_DI"),
    "MA_NOI_DI": told_number("MA_CSKCB_DI"),
    "MA_CSKCB_DEN": facts.receiver,
    "MA_NOI_DEN": facts.receiver,
    "HO_TEN": facts.full_name,
    "NGAY_SINH": facts.born_at,
    "GIOI_TINH": facts.sex,
    "MA_QUOCTICH": facts.nationality,
    "MA_DANTOC": facts.ethnicity,
    "MA_NGHE_NGHIEP": facts.occupation,
    "DIA_CHI": facts.residence,
    "MA_THE_BHYT": facts.card_numbers,
    "GT_THE_DEN": facts.card_ends,
    "NGAY_VAO": facts.came_at,
    "NGAY_VAO_NOI_TRU": facts.admitted_at,
    "NGAY_RA": facts.moved_at,
    "DAU_HIEU_LS": told("DAU_HIEU_LS"),
    "CHAN_DOAN_RV": facts.diagnosis_text,
    "QT_BENHLY": told("QT_BENHLY"),
    "TOMTAT_KQ": told("TOMTAT_KQ"),
    "PP_DIEUTRI": told("PP_DIEUTRI"),
    "MA_BENH_CHINH": facts.main_disease,
    "MA_BENH_KT": facts.other_diseases,
    "MA_BENH_YHCT": told_number("MA_BENH_YHCT"),
    "TEN_DICH_VU": told("TEN_DICH_VU"),
    "TEN_THUOC": told("TEN_THUOC"),
    "TINH_TRANG_CT": told("TINH_TRANG_CT"),
    "PP_DIEU_TRI": told("TINH_TRANG_CT"),
    "MA_LOAI_RV": facts.discharge_kind,
    "MA_LYDO_CT": facts.referral_reason,
    "HUONG_DIEU_TRI": told("HUONG_DIEU_TRI"),
    "PHUONGTIEN_VC": told("PHUONGTIEN_VC"),
    "HOTEN_NGUOI_HT": told("HOTEN_NGUOI_HT"),
    "CHUCDANH_NGUOI_HT": told("CHUCDANH_NGUOI_HT"),
    "MA_BAC_SI": facts.doctor_licence,
    "MA_TTDV": facts.head_licence,
    "DU_PHONG": nothing,
}
