"""Phiếu hẹn khám lại: the appointment to come back, valid once; its XML is table 14 of QĐ 3176.

Form: Phụ lục V, TT 01/2025/TT-BYT, Điều 11; from 1-6-2026 the facility seals digitally in place of its stamp (TT 06/2026).
Due: with an appointment of that kind (SIU^S12), again when it is moved or changed (S13, S14), and at the end of a visit that
tells a day to come back (ADT^A03 with `NGAY_HEN_KL`). One visit has one slip: a sender that books the appointment does not tell
the day as well.
Required: person, visit, diagnosis, the day. A missing one: `PaperIncomplete`, a task for a person.

The practitioner signs; the facility stamps or seals. Requirement: S3.15
"""

from __future__ import annotations

from collections.abc import Sequence

from mappings.documents import content, wording
from mappings.documents.content import Content
from mappings.documents.context import Context
from mappings.documents.record import Record, tells
from mappings.outcome import Resource

_CODES = frozenset({"FOLLOWUP", "KHAMLAI", "RECHECK"})
_INSURANCE = (*content.INSURANCE, "SO_GIAYHEN_KL", "SO_LUU_TRU")
"""Told fields of table 14, and of the insurance summary; they travel as entries."""


def subjects(resources: Sequence[Resource]) -> list[str]:
    """Give the appointments for a re-examination, as type, reason or service says; else the visit that tells its day."""
    booked = [f"Appointment/{r['id']}" for r in resources if r["resourceType"] == "Appointment" and _comes_back(r)]
    if booked or not tells(resources, "NGAY_HEN_KL"):
        return booked
    ended = [r for r in resources if r["resourceType"] == "Encounter" and r.get("status") == "finished"]
    return [f"Encounter/{r['id']}" for r in ended]


def _comes_back(appointment: Resource) -> bool:
    kinds = [
        appointment.get("appointmentType", {}),
        *appointment.get("reasonCode", []),
        *appointment.get("serviceType", []),
        *appointment.get("serviceCategory", []),
    ]
    codes = {coding.get("code", "").upper() for kind in kinds for coding in kind.get("coding", [])}
    return bool(codes & _CODES) and appointment.get("status") not in ("cancelled", "entered-in-error", "noshow")


def gather(record: Record, subject: Resource, context: Context) -> Content:
    """Collect what the paper says about an appointment, or about a visit that told its day."""
    issued = wording.stamp(context.issued_at)
    booked = subject["resourceType"] == "Appointment"
    encounter = record.encounter(subject, before=subject.get("created") or issued) if booked else subject
    patient = record.patient("reexamination", subject, encounter)
    period = encounter.get("period", {}) if encounter else {}
    start, end = period.get("start", ""), period.get("end", "")
    inpatient = (encounter or {}).get("class", {}).get("code") in content.INPATIENT
    conditions = record.diagnoses(encounter)
    cards = record.cards(start or issued, end or issued)
    asked: Resource = next(iter(subject.get("requestedPeriod", [])), {})
    told = wording.told_moment(record.field("NGAY_HEN_KL", encounter))
    back = (subject.get("start") or asked.get("start", "") if booked else "") or told
    number = record.field("SO_GIAYHEN_KL", encounter) or (content.identifier(subject, "appointment") if booked else "")
    people = [part.get("actor") for part in subject.get("participant", [])]
    return Content(
        event_at=end or issued,
        patient=patient,
        encounter=encounter,
        professional=record.doctor(encounter) or next(record.of_type(people, "Practitioner"), None),
        values={
            **content.furniture(record, encounter, context, number),
            **content.person(record, patient, encounter, issued),
            **content.card(record, patient, cards),
            **content.diagnoses(conditions),
            "NGAY_KHAM": wording.short_date(start),
            "NGAY_VAO": wording.short_date(start) if inpatient else "",
            "NGAY_RA": wording.short_date(end) if inpatient else "",
            "LOI_DAN": record.field("LOI_DAN", encounter),
            "NGAY_HEN_KL": wording.long_date(back),
        },
        entries={
            "person": [
                patient,
                *content.guardians(record, patient, issued),
                *cards,
            ],
            "visit": [
                *([encounter] if encounter else []),
                *conditions,
                *record.fields(_INSURANCE, encounter),
            ],
            "appointment": [*([subject] if booked else []), *record.fields(["NGAY_HEN_KL"], encounter)],
            "extras": record.fields(["LOI_DAN"], encounter),
        },
    )
