"""Table XML4 of a laboratory report: one row per result."""

from __future__ import annotations

from collections.abc import Mapping

from mappings.bhyt import facts, results
from mappings.bhyt.sheet import FieldSource, nothing

SUBJECT = "DiagnosticReport"
SOURCES: Mapping[str, FieldSource] = {
    "MA_LK": facts.visit_number,
    "STT": results.row_number,
    "MA_DICH_VU": results.service_code,
    "MA_CHI_SO": results.index_code,
    "TEN_CHI_SO": results.index_name,
    "GIA_TRI": results.value,
    "DON_VI_DO": results.unit,
    "MO_TA": results.findings,
    "KET_LUAN": results.conclusion,
    "NGAY_KQ": results.resulted_at,
    "MA_BS_DOC_KQ": results.reader_licence,
    "DU_PHONG": nothing,
}
