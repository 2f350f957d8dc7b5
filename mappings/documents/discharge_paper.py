"""Giấy ra viện: what the patient takes home at the end of an inpatient stay; its XML is table 7 of QĐ 3176.

Form: Mẫu số 02, Phụ lục II, TT 25/2025/TT-BYT, Điều 7.
Due: when a stay ends (ADT^A03), however it ends.
Required: person, stay, diagnosis, treatment, practitioner; after a pregnancy that ended (`MA_DINH_CHI_THAI` 1) the gestational
age (`TUOI_THAI`), its method being part of the treatment. A missing one: `PaperIncomplete`, a task for a person. Days of leave
after the stay (`SO_NGAY_NGHI`) stand in the notes, and more of them than the law gives are refused (`LeaveTooLong`: 30; 50
after the loss of a pregnancy of 13 weeks; 180 with tuberculosis). Words such as "để dưỡng thai" are the doctor's (`GHI_CHU`).

The practitioner signs, then the facility. Requirement: S2.1, S3.7, S3.15
"""

from __future__ import annotations

from collections.abc import Sequence

from mappings.documents import content, leave, wording
from mappings.documents.content import Content
from mappings.documents.context import Context
from mappings.documents.leave import Leave
from mappings.documents.record import Record
from mappings.outcome import Resource

_LEAVE = ("SO_NGAY_NGHI", "NGOAITRU_TUNGAY", "NGOAITRU_DENNGAY")
_PERSON = ("NGHE_NGHIEP", "NGAYCAP_CCCD")
_INSURANCE = (
    *content.INSURANCE,
    "SO_LUU_TRU",
    "MA_KHOA_RV",
    "MA_DINH_CHI_THAI",
    "NGUYENNHAN_DINHCHI",
    "THOIGIAN_DINHCHI",
    "TUOI_THAI",
    *_LEAVE,
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
    given = leave.told(record, encounter, _LEAVE, conditions)
    pregnancy = content.pregnancy(record, encounter)
    treatment = record.field("PP_DIEUTRI", encounter)
    ended = pregnancy["DINH_CHI_THAI"] if content.pregnancy_required(record, encounter) else ""
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
            **pregnancy,
            "PP_DIEUTRI": "\n".join(part for part in (treatment, ended) if part) if treatment else "",
            "GHI_CHU": "\n".join(_notes(record, encounter, given)),
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
            "notes": record.fields(("GHI_CHU", *content.SEVERE), encounter),
            "extras": record.fields(["LOI_DAN"], encounter),
        },
        required=content.pregnancy_required(record, encounter),
        leave=given,
    )


def _notes(record: Record, encounter: Resource, given: Leave) -> list[str]:
    """Give the notes as told, and the leave where they do not speak of it."""
    told = record.field("GHI_CHU", encounter)
    days = f"Số ngày nghỉ: {given.text()}" if given.days and "nghỉ" not in told.casefold() else ""
    return [line for line in (told, days, *content.severe_diseases(record, encounter)) if line]
