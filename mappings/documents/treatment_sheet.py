"""Phiếu theo dõi điều trị (tờ điều trị): what a doctor saw and ordered, entry by entry, of one day of a visit.

Form: 36/BV2 of TT 32/2023/TT-BYT, annex XXIX. Trigger: an entry, which is a document (MDM) or a report (ORU^R01) whose code
the table `paper-kind` takes here, final or corrected. One paper is one day of a visit; each further or corrected entry of
that day makes a new version. Told as fields of an entry: THOI_DIEM_DBLS, DIEN_BIEN_LS, Y_LENH, TO_SO, CHE_DO_AN,
CAP_CHAM_SOC; an entry without DIEN_BIEN_LS is its text. The doctor of each entry stands under its orders. Required: the
person and at least one entry; without one the paper waits for a person. Orders that no entry tells are not added.

Requirement: S3.15
"""

from __future__ import annotations

from collections.abc import Sequence

from mappings.documents import content, told, wording
from mappings.documents.content import Content
from mappings.documents.context import Context
from mappings.documents.faults import PaperIncomplete
from mappings.documents.record import Record
from mappings.documents.told import Told
from mappings.outcome import Resource


def subjects(resources: Sequence[Resource]) -> list[str]:
    """Give the days that a message has entries of."""
    return told.days(resources, "treatment_sheet")


def changed(resources: Sequence[Resource]) -> list[str]:
    """Give the days of entries a message speaks of, be it to take one back."""
    return told.changed_days(resources, "treatment_sheet")


def gather(record: Record, subject: Resource, context: Context) -> Content:
    """Collect the entries of a day; raises `PaperIncomplete` when there is none left."""
    entries = told.of_day(record, subject, record.part, "treatment_sheet")
    if not entries:
        raise PaperIncomplete("Diễn biến bệnh (DIEN_BIEN_LS)", "DIEN_BIEN_LS ← OBX DIEN_BIEN_LS · OBX-5")
    at = entries[0].at
    encounter = subject if subject["resourceType"] == "Encounter" else None
    patient = record.patient("treatment_sheet", subject) if encounter else subject
    diagnosis = content.diagnoses(record.diagnoses(encounter))
    cards = record.cards(at, at)
    doctors = [person for one in entries for person in one.written_by[:1]]
    numbers = dict.fromkeys(number for one in entries if (number := one.field("TO_SO")))
    return Content(
        event_at=at,
        patient=patient,
        encounter=encounter,
        professional=doctors[-1] if doctors else record.doctor(encounter),
        values={
            **content.furniture(record, encounter, context),
            **content.place(record, encounter),
            **content.person(record, patient, encounter, at),
            **content.card(record, patient, cards),
            "TO_SO": ", ".join(numbers),
            "CHAN_DOAN": diagnosis["CHAN_DOAN"],
            "NGAY_DIEU_TRI": wording.long_date(at).capitalize(),
        },
        entries={
            "person": [patient, *content.guardians(record, patient, at), *cards],
            "course": [resource for one in entries for resource in one.entries],
        },
        lines={"course": [_line(one) for one in entries]},
    )


def _line(entry: Told) -> dict[str, str]:
    care = [("Chế độ ăn", "CHE_DO_AN"), ("Chăm sóc cấp", "CAP_CHAM_SOC")]
    orders = [entry.field("Y_LENH"), *(f"{label}: {text}" for label, code in care if (text := entry.field(code)))]
    signed = told.names(entry.written_by[:1])
    return {
        "NGAY_GIO": wording.short_time(entry.at),
        "DIEN_BIEN": "\n".join(text for text in (entry.field("DIEN_BIEN_LS") or entry.text,) if text),
        "Y_LENH": "\n".join(text for text in (*orders, signed) if text),
    }
