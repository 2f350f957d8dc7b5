"""Phiếu hẹn khám lại: the appointment to come back, valid once; its XML is table 14 of QĐ 3176.

Requirement: S3.15
"""

from __future__ import annotations

from collections.abc import Sequence

from mappings.documents import content, wording
from mappings.documents.content import Content
from mappings.documents.context import Context
from mappings.documents.record import Record
from mappings.outcome import Resource

_CODES = frozenset({"FOLLOWUP", "KHAMLAI", "RECHECK"})
_INSURANCE = (*content.INSURANCE, "SO_GIAYHEN_KL", "SO_LUU_TRU")
"""Told fields of table 14, and of the insurance summary; they travel as entries."""
_INPATIENT = frozenset({"IMP", "ACUTE", "NONAC"})


def subjects(resources: Sequence[Resource]) -> list[str]:
    """Give the appointments that are for a re-examination: their type, reason or service says so."""
    return [f"Appointment/{r['id']}" for r in resources if r["resourceType"] == "Appointment" and _comes_back(r)]


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
    """Collect what the paper says about an appointment."""
    issued = wording.stamp(context.issued_at)
    encounter = record.encounter(subject, before=subject.get("created") or issued)
    patient = record.patient("reexamination", subject, encounter)
    period = encounter.get("period", {}) if encounter else {}
    start, end = period.get("start", ""), period.get("end", "")
    inpatient = (encounter or {}).get("class", {}).get("code") in _INPATIENT
    conditions = record.diagnoses(encounter)
    cards = record.cards(start or issued, end or issued)
    asked: Resource = next(iter(subject.get("requestedPeriod", [])), {})
    people = [part.get("actor") for part in subject.get("participant", [])]
    return Content(
        event_at=end or issued,
        patient=patient,
        encounter=encounter,
        professional=record.doctor(encounter) or next(record.of_type(people, "Practitioner"), None),
        values={
            **content.furniture(record, encounter, context, content.identifier(subject, "appointment")),
            **content.person(record, patient, encounter, issued),
            **content.card(record, patient, cards),
            **content.diagnoses(conditions),
            "NGAY_KHAM": wording.short_date(start),
            "NGAY_VAO": wording.short_date(start) if inpatient else "",
            "NGAY_RA": wording.short_date(end) if inpatient else "",
            "LOI_DAN": record.field("LOI_DAN", encounter),
            "NGAY_HEN_KL": wording.long_date(subject.get("start") or asked.get("start", "")),
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
            "appointment": [subject],
            "extras": record.fields(["LOI_DAN"], encounter),
        },
    )
