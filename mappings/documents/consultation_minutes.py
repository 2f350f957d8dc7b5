"""Trích biên bản hội chẩn: what several doctors concluded about a patient.

Form: 27/BV2 of TT 32/2023/TT-BYT, annex XXIX. Trigger: a document (MDM) or a report (ORU^R01) whose code the table
`paper-kind` takes here, final or corrected; one paper each. Told as fields: CHU_TOA, THU_KY, THANH_VIEN, CHAN_DOAN_HC,
TOM_TAT_DIEN_BIEN, KET_LUAN_HC (or HOI_CHAN, KET_LUAN), HUONG_DIEU_TRI_HC. Who chaired is who authenticated the document
(TXA-22, TXA-10) or answers for the report (OBR-32), and signs; the field CHU_TOA names them where nobody did. Required: the
person, the time, the diagnosis, the summary, the conclusion; a missing item is named to a person, with where it should have
come from.

Requirement: S3.15
"""

from __future__ import annotations

from collections.abc import Sequence

from mappings.documents import content, told, wording
from mappings.documents.content import Content
from mappings.documents.context import Context
from mappings.documents.record import Record
from mappings.documents.told import Told
from mappings.outcome import Resource


def subjects(resources: Sequence[Resource]) -> list[str]:
    """Give the finished documents or reports of a consultation."""
    return told.subjects(resources, "consultation_minutes")


def gather(record: Record, subject: Resource, context: Context) -> Content:
    """Collect what the paper says about a consultation."""
    said = Told(record, subject)
    encounter = said.encounter
    patient = record.patient("consultation_minutes", subject, encounter)
    at = said.at or wording.stamp(context.issued_at)
    chair, writers = said.authors[:1], [one for one in said.written_by if one not in said.authors[:1]]
    period = (encounter or {}).get("period", {})
    conclusion = said.field("KET_LUAN_HC", "HOI_CHAN", "KET_LUAN") or said.conclusion
    cards = record.cards(at, at)
    return Content(
        event_at=at,
        patient=patient,
        encounter=encounter,
        professional=next(iter(chair), None),
        values={
            **content.furniture(record, encounter, context),
            **content.place(record, encounter),
            **content.person(record, patient, encounter, at),
            **content.card(record, patient, cards),
            "TU_NGAY": wording.short_date(period.get("start", "")),
            "DEN_NGAY": wording.short_date(period.get("end", "")),
            "CHAN_DOAN": said.field("CHAN_DOAN_HC") or content.diagnoses(record.diagnoses(encounter))["CHAN_DOAN"],
            "NGAY_HOI_CHAN": wording.long_time(at),
            "CHU_TOA": said.field("CHU_TOA") or told.names(chair),
            "THU_KY": said.field("THU_KY") or told.names(writers),
            "THANH_VIEN": said.field("THANH_VIEN"),
            "TOM_TAT_DIEN_BIEN": said.field("TOM_TAT_DIEN_BIEN") or said.text,
            "KET_LUAN_HC": conclusion,
            "HUONG_DIEU_TRI_HC": said.field("HUONG_DIEU_TRI_HC"),
            "NGAY_KY": wording.long_time(said.issued or at).capitalize(),
        },
        entries={
            "person": [patient, *content.guardians(record, patient, at), *cards],
            "consultation": said.entries,
        },
    )
