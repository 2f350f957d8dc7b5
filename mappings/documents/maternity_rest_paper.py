"""Giấy chứng nhận nghỉ dưỡng thai: the rest a pregnancy needs; its XML is table 10 of QĐ 3176.

Form: Mẫu số 11, Phụ lục II, TT 25/2025/TT-BYT. Its print was not seen: furniture and signatures are those of Mẫu số 07.
A paper about an examination before 1-7-2025 gets the form of TT 56/2017/TT-BYT, Phụ lục 6.
Due: when a message about a visit tells days of rest (`SO_NGAY`; ADT^A03, A04, A08).
Required: person, number of social insurance, employer, number of the paper, diagnosis, days with first and last day, on the
newer form gestational age. A missing one: `PaperIncomplete`, a task for a person. Days that do not agree: `LeaveDatesWrong`. No
limit is known for this form.

Dated and signed as the leave paper is. Requirement: S3.7, S3.15
"""

from __future__ import annotations

from collections.abc import Sequence

from mappings.documents import content, leave, wording
from mappings.documents.content import Content
from mappings.documents.context import Context
from mappings.documents.leave_paper import insurance_number
from mappings.documents.record import Record, tells
from mappings.outcome import Resource

_LEAVE = ("SO_NGAY", "TU_NGAY", "DEN_NGAY")
_PERSON = ("MA_BHXH", "NGAYCAP_CCCD", "NOICAP_CCCD", "DON_VI", "NOI_LAM_VIEC")
_NUMBERS = ("SO_SERI", "SO_CT")


def subjects(resources: Sequence[Resource]) -> list[str]:
    """Give the visit whose message tells days of rest."""
    if not tells(resources, "SO_NGAY"):
        return []
    return [f"Encounter/{one['id']}" for one in resources if one["resourceType"] == "Encounter"]


def gather(record: Record, subject: Resource, context: Context) -> Content:
    """Collect what the paper says about a visit."""
    encounter = subject
    period = encounter.get("period", {})
    inpatient = encounter.get("class", {}).get("code") in content.INPATIENT
    examined = period.get("end", "") if inpatient else period.get("start", "")
    issued = examined or wording.stamp(context.issued_at)
    patient = record.patient("maternity_rest_paper", encounter)
    conditions = record.diagnoses(encounter)
    cards = record.cards(issued, issued)
    given = leave.told(record, encounter, _LEAVE, conditions)
    doctor = record.doctor(encounter)
    person = content.person(record, patient, encounter, issued)
    place = record.field("NOICAP_CCCD", encounter)
    weeks = record.field("TUOI_THAI", encounter)
    return Content(
        event_at=issued,
        patient=patient,
        encounter=encounter,
        professional=doctor,
        values={
            **content.furniture(record, encounter, context),
            **person,
            "SO_CT": record.field("SO_CT", encounter),
            "SO_SERI": record.field("SO_SERI", encounter),
            "MA_BHXH": insurance_number(record, patient, encounter, cards),
            "NGAYCAP_CCCD": ", ".join(part for part in (person["NGAYCAP_CCCD"], place) if part),
            "CHAN_DOAN": content.diagnoses(conditions)["CHAN_DOAN"],
            "TUOI_THAI": f"{weeks} tuần" if weeks.isdigit() else weeks,
            "SO_NGAY": given.text() if given.is_whole() else "",
            "NGAY_CAP": content.dated(issued, context),
        },
        entries={
            "person": [
                patient,
                *content.guardians(record, patient, issued),
                *cards,
                *record.fields(_PERSON, encounter),
            ],
            "treatment": [
                encounter,
                *conditions,
                *record.fields(("TUOI_THAI", *_LEAVE, *_NUMBERS, *content.INSURANCE), encounter),
            ],
        },
        unsigned=frozenset({"professional"}) if content.is_head(record, encounter, doctor, context) else frozenset(),
        leave=given,
    )
