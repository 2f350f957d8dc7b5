"""Table XML8 of a summary of the record.

What the doctor plans and advises has no field of its own there: it follows the notes.
"""

from __future__ import annotations

from collections.abc import Mapping

from mappings.bhyt import facts
from mappings.bhyt.sheet import FieldSource, Sheet, nothing, told, told_code, told_day, told_number
from mappings.documents import content, wording
from mappings.documents.record import icd10, relation_codes

SUBJECT = "Encounter"
_OUTCOMES = frozenset("12345678")


def admission_diagnosis(sheet: Sheet) -> str:
    """Give the diagnosis the visit began with: told, else of the conditions called so."""
    conditions = sheet.record.admission_diagnoses(sheet.encounter)
    texts = (wording.concept(condition.get("code")) or icd10(condition) for condition in conditions)
    return told("CHAN_DOAN_VAO")(sheet) or "; ".join(text for text in texts if text)


def treatment(sheet: Sheet) -> str:
    """Give what was told of the treatment: of medicines and of operations apart, then of the whole.

    Operations that only the record knows are named where nobody told of them in words.
    """
    parts = (("Nội khoa", "NOI_KHOA"), ("Phẫu thuật, thủ thuật", "PHAU_THUAT_THU_THUAT"))
    said = [(label, told(name)(sheet)) for label, name in parts]
    lines = [f"{label}: {text}" for label, text in said if text]
    whole = told("PP_DIEUTRI")(sheet)
    done = (procedure for procedure in sheet.record.all("Procedure") if _is_of(sheet, procedure.get("encounter")))
    names = "; ".join(filter(None, (wording.concept(one.get("code")) for one in done)))
    if names and not (said[1][1] or whole):
        lines.append(f"{parts[1][0]}: {names}")
    return "\n".join([*lines, *([whole] if whole else [])])


def _is_of(sheet: Sheet, visit: Mapping[str, str] | None) -> bool:
    return bool(visit and visit.get("reference") == f"Encounter/{sheet.visit.get('id', '')}")


def outcome(sheet: Sheet) -> str:
    """Give KET_QUA_DTRI: the code told under either of its names."""
    codes = (told_code(name)(sheet) for name in ("TT_RAVIEN", "KET_QUA_DTRI"))
    return next((code for code in codes if code in _OUTCOMES), "")


def notes(sheet: Sheet) -> str:
    """Give notes, plan and advice as told, and the words that open a single payment of social insurance."""
    texts = [told(name)(sheet) for name in ("GHI_CHU", "HUONG_DIEU_TRI", "LOI_DAN")]
    return "\n".join(text for text in [*texts, *content.severe_diseases(sheet.record, sheet.encounter)] if text)


def guardian(sheet: Sheet) -> str:
    named = (one for one in sheet.record.relatives(sheet.patient) if relation_codes(one) & {"GUARD", "GRD"})
    return told("NGUOI_GIAM_HO")(sheet) or next((wording.name(one) for one in named), "")


def father(sheet: Sheet) -> str:
    return told("HO_TEN_CHA")(sheet) or facts.father_name(sheet)


def mother(sheet: Sheet) -> str:
    return told("HO_TEN_ME")(sheet) or facts.mother_name(sheet)


def child_died_on(sheet: Sheet) -> str:
    return told_day("NGAY_CONCHET")(sheet) or told_day("NGAY_CHETCON")(sheet)


SOURCES: Mapping[str, FieldSource] = {
    "MA_LK": facts.visit_number,
    "MA_LOAI_KCB": facts.kind_of_care,
    "HO_TEN_CHA": father,
    "HO_TEN_ME": mother,
    "NGUOI_GIAM_HO": guardian,
    "DON_VI": told("DON_VI", "NOI_LAM_VIEC"),
    "NGAY_VAO": facts.came_at,
    "NGAY_RA": facts.left_at,
    "CHAN_DOAN_VAO": admission_diagnosis,
    "CHAN_DOAN_RV": facts.diagnosis_text,
    "QT_BENHLY": told("QT_BENHLY"),
    "TOMTAT_KQ": told("TOMTAT_KQ"),
    "PP_DIEUTRI": treatment,
    "NGAY_SINHCON": told_day("NGAY_SINHCON"),
    "NGAY_CONCHET": child_died_on,
    "SO_CONCHET": told("SO_CONCHET"),
    "KET_QUA_DTRI": outcome,
    "GHI_CHU": notes,
    "MA_TTDV": facts.head_licence,
    "NGAY_CT": facts.issued_on,
    "MA_THE_TAM": told_number("MA_THE_TAM"),
    "DU_PHONG": nothing,
}
