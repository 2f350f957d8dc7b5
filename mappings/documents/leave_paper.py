"""Giấy chứng nhận nghỉ việc hưởng BHXH: the days off work an outpatient gets; its XML is table 11 of QĐ 3176.

Form: Mẫu số 07, Phụ lục II, TT 25/2025/TT-BYT, Điều 10, two identical copies. No form is known for the time before 1-7-2025.
Due: when a message about an outpatient's visit tells a leave (`SO_NGAY_NGHI` or `TU_NGAY`; ADT^A03, A04, A08). A stay has its
leave on the discharge paper.
Required: person, number of social insurance (of a sick child the parent's), employer, number in the book of examinations,
diagnosis with treatment, days with first and last day; of a child under 7 a parent. A missing one: `PaperIncomplete`, a task
for a person. Refused: a stay (`VisitUnfit`), more days than the law gives (`LeaveTooLong`: 30; 50 after the loss of a pregnancy
of 13 weeks; 180 with tuberculosis), a leave that does not begin on the day of the examination (`LeaveDatesWrong`).

The paper is dated by the examination, one issued again by its own day. The practitioner signs, then the facility; where the
head of the facility examined (`MA_TTDV`, else the settings), the facility alone. Requirement: S3.7, S3.15
"""

from __future__ import annotations

from collections.abc import Sequence

from mappings.documents import content, leave, wording
from mappings.documents.content import Content
from mappings.documents.context import Context
from mappings.documents.faults import VisitUnfit
from mappings.documents.record import Record, relation_codes, tells
from mappings.outcome import Resource

_SMALL = 7
"""Years; a child younger than this is named with a parent."""
_LEAVE = ("SO_NGAY_NGHI", "TU_NGAY", "DEN_NGAY")
_PERSON = ("MA_BHXH", "NGAYCAP_CCCD", "DON_VI", "NOI_LAM_VIEC", "HO_TEN_CHA", "HO_TEN_ME")
_NUMBERS = ("SO_KCB", "SO_SERI", "SO_CT", "MAU_SO", "MA_THE_TAM")
_PREGNANCY = ("MA_DINH_CHI_THAI", "NGUYENNHAN_DINHCHI", "TUOI_THAI")


def subjects(resources: Sequence[Resource]) -> list[str]:
    """Give the outpatient's visit whose message tells a leave."""
    rest = tells(resources, "SO_NGAY")  # of a pregnancy: a paper of its own, with the same names for its days
    if not (tells(resources, "SO_NGAY_NGHI") or (tells(resources, "TU_NGAY") and not rest)):
        return []
    return [
        f"Encounter/{one['id']}"
        for one in resources
        if one["resourceType"] == "Encounter" and one.get("class", {}).get("code") not in content.INPATIENT
    ]


def gather(record: Record, subject: Resource, context: Context) -> Content:
    """Collect what the paper says about a visit; raises `VisitUnfit` for a stay."""
    encounter = subject
    kind = encounter.get("class", {}).get("code", "")
    if kind in content.INPATIENT:
        raise VisitUnfit("PV1-2", kind)
    examined = encounter.get("period", {}).get("start", "")
    patient = record.patient("leave_paper", encounter)
    conditions = record.diagnoses(encounter)
    cards = record.cards(examined, examined)
    given = leave.told(record, encounter, _LEAVE, conditions, begins_on=examined)
    father, mother = (parent(record, patient, encounter, *one) for one in (("HO_TEN_CHA", "FTH"), ("HO_TEN_ME", "MTH")))
    years = wording.years_old(patient.get("birthDate", ""), examined)
    small = years is not None and years < _SMALL
    doctor = record.doctor(encounter)
    return Content(
        event_at=examined or wording.stamp(context.issued_at),
        patient=patient,
        encounter=encounter,
        professional=doctor,
        values={
            **content.furniture(record, encounter, context),
            **content.person(record, patient, encounter, examined),
            **content.pregnancy(record, encounter),
            "SO_KCB": record.field("SO_KCB", encounter),
            "SO_SERI": record.field("SO_SERI", encounter),
            "MA_BHXH": insurance_number(record, patient, encounter, cards),
            "NGAY_KHAM": wording.short_date(examined),
            "CHANDOAN_DIEUTRI": diagnosis_and_treatment(record, encounter, conditions),
            "SO_NGAY_NGHI": given.text() if given.is_whole() else "",
            "HO_TEN_CHA": father if small else "",
            "HO_TEN_ME": mother if small else "",
            "NGAY_CAP": content.dated(examined, context),
        },
        entries={
            "person": [
                patient,
                *content.guardians(record, patient, examined),
                *cards,
                *record.fields(_PERSON, encounter),
            ],
            "treatment": [
                encounter,
                *conditions,
                *record.fields(("PP_DIEUTRI", *_PREGNANCY, *_LEAVE, *_NUMBERS, *content.INSURANCE), encounter),
            ],
        },
        required=[*(["HO_TEN_ME"] if small and not father else []), *content.pregnancy_required(record, encounter)],
        unsigned=frozenset({"professional"}) if content.is_head(record, encounter, doctor, context) else frozenset(),
        leave=given,
    )


def insurance_number(record: Record, patient: Resource, encounter: Resource, cards: Sequence[Resource]) -> str:
    """Give the number of social insurance: told, else the person's own, with the card beside it."""
    own = record.field("MA_BHXH", encounter) or content.number(patient, record.systems.bhxh)
    card = content.card(record, patient, cards)["MA_THE_BHYT"]
    return " / ".join(dict.fromkeys(part for part in (own, card) if part))


def diagnosis_and_treatment(record: Record, encounter: Resource, conditions: Sequence[Resource]) -> str:
    """Write diagnoses, gestational age and treatment; nothing when one of diagnosis and treatment is missing."""
    diagnosis, treatment = content.diagnoses(conditions)["CHAN_DOAN"], record.field("PP_DIEUTRI", encounter)
    if not (diagnosis and treatment):
        return ""
    pregnancy = content.pregnancy(record, encounter)["DINH_CHI_THAI"]
    return "\n".join(part for part in (diagnosis, pregnancy, f"Phương pháp điều trị: {treatment}") if part)


def parent(record: Record, patient: Resource, encounter: Resource, field: str, role: str) -> str:
    """Give the name of a parent: told, else of the relative in this role."""
    known = (wording.name(one) for one in record.relatives(patient) if role in relation_codes(one))
    return record.field(field, encounter) or next((name for name in known if name), "")
