"""Giấy ra viện: what the patient takes home at the end of an inpatient stay; its XML is table 7 of QĐ 3176.

Requirement: S2.1, S3.15
"""

from __future__ import annotations

from collections.abc import Sequence

from mappings.documents import content, wording
from mappings.documents.content import Content
from mappings.documents.context import Context
from mappings.documents.record import Record
from mappings.outcome import Resource

_PERSON = ("NGHE_NGHIEP", "NGAYCAP_CCCD")
_INSURANCE = (
    *content.INSURANCE,
    "SO_LUU_TRU",
    "MA_KHOA_RV",
    "MA_DINH_CHI_THAI",
    "NGUYENNHAN_DINHCHI",
    "THOIGIAN_DINHCHI",
    "TUOI_THAI",
    "SO_NGAY_NGHI",
    "NGOAITRU_TUNGAY",
    "NGOAITRU_DENNGAY",
    "MA_THE_TAM",
)
"""Told fields of table 7, and of the insurance summary; they travel as entries."""


def subjects(resources: Sequence[Resource]) -> list[str]:
    """Give the visit that ended; however it ended, the paper is due."""
    return [f"Encounter/{r['id']}" for r in resources if r["resourceType"] == "Encounter"]


def gather(record: Record, subject: Resource, context: Context) -> Content:
    """Collect what the paper says about a visit."""
    encounter = subject
    period = encounter.get("period", {})
    start, end = period.get("start", ""), period.get("end", "")
    patient = record.patient("discharge_paper", encounter)
    conditions = record.diagnoses(encounter)
    cards = record.cards(start, end)
    return Content(
        event_at=end or wording.stamp(context.issued_at),
        patient=patient,
        encounter=encounter,
        professional=record.doctor(encounter),
        values={
            **content.furniture(record, encounter, context),
            **content.place(record, encounter),
            **content.person(record, patient, encounter, end or start),
            **content.card(record, patient, cards),
            **content.diagnoses(conditions),
            "NGAY_VAO": wording.long_time(start),
            "NGAY_RA": wording.long_time(end),
            "PP_DIEUTRI": record.field("PP_DIEUTRI", encounter),
            "GHI_CHU": record.field("GHI_CHU", encounter),
            "LOI_DAN": record.field("LOI_DAN", encounter),
        },
        entries={
            "person": [
                patient,
                *content.guardians(record, patient, end or start),
                *cards,
                *record.fields(_PERSON, encounter),
            ],
            "stay": [encounter, *record.fields(_INSURANCE, encounter)],
            "diagnosis": conditions,
            "treatment": record.fields(["PP_DIEUTRI"], encounter),
            "notes": record.fields(["GHI_CHU"], encounter),
            "extras": record.fields(["LOI_DAN"], encounter),
        },
    )
