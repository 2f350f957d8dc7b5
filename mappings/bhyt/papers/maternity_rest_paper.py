"""Table XML10 of a paper about the rest a pregnancy needs."""

from __future__ import annotations

from collections.abc import Mapping

from mappings.bhyt import facts
from mappings.bhyt.sheet import FieldSource, nothing, told, told_day

SUBJECT = "Encounter"
SOURCES: Mapping[str, FieldSource] = {
    "MA_LK": facts.visit_number,
    "SO_SERI": told("SO_SERI"),
    "SO_CT": told("SO_CT"),
    "SO_NGAY": told("SO_NGAY"),
    "DON_VI": told("DON_VI", "NOI_LAM_VIEC"),
    "CHAN_DOAN_RV": facts.diagnosis_text,
    "TU_NGAY": told_day("TU_NGAY"),
    "DEN_NGAY": told_day("DEN_NGAY"),
    "MA_TTDV": facts.head_licence,
    "TEN_BS": facts.doctor_name,
    "MA_BS": facts.doctor_licence,
    "NGAY_CT": facts.examined_on,
    "DU_PHONG": nothing,
}
