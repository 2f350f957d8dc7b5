"""Phiếu phẫu thuật/thủ thuật: how one operation or procedure was done.

Form: 06/BV2 of TT 32/2023/TT-BYT, annex XXIX. Trigger: a document (MDM) or a report (ORU^R01) whose code the table
`paper-kind` takes here, final or corrected; one paper each. Told as fields: CHAN_DOAN_TRUOC, CHAN_DOAN_SAU, PP_PTTT,
LOAI_PTTT, PP_VO_CAM, BS_PTTT, BS_GAY_ME, TRINH_TU (or PHAU_THUAT), DAN_LUU, BAC, NGAY_RUT, NGAY_CAT_CHI, KHAC; what they do
not tell of method, diagnosis, surgeon and anaesthetist comes from the procedure (PR1) of the same day or code. Required: all
but drawing, drains and anaesthetist; a missing item is named to a person, with where it should have come from.

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

_SURGEON, _ANAESTHETIST = "304292004", "88189002"
_FIELDS = ("CHAN_DOAN_SAU", "LOAI_PTTT", "PP_VO_CAM", "DAN_LUU", "BAC", "KHAC")
_DAYS = ("NGAY_RUT", "NGAY_CAT_CHI")


def subjects(resources: Sequence[Resource]) -> list[str]:
    """Give the finished documents or reports of an operation or procedure."""
    return told.subjects(resources, "procedure_report")


def gather(record: Record, subject: Resource, context: Context) -> Content:
    """Collect what the paper says about an operation or procedure."""
    said = Told(record, subject)
    encounter = said.encounter
    patient = record.patient("procedure_report", subject, encounter)
    done = _procedure(record, said)
    at = _began(done) or said.at or wording.stamp(context.issued_at)
    surgeons = _performers(record, done, _SURGEON) or said.authors
    anaesthetists = _performers(record, done, _ANAESTHETIST)
    reasons = "; ".join(text for one in done.get("reasonCode", []) if (text := wording.concept(one)))
    stay = (encounter or {}).get("period", {}).get("start", "")
    cards = record.cards(at, at)
    pictures = [one for one in subject.get("content", []) if _is_picture(one)]
    return Content(
        event_at=at,
        patient=patient,
        encounter=encounter,
        professional=next(iter(surgeons), None),
        values={
            **content.furniture(record, encounter, context),
            **content.place(record, encounter),
            **content.person(record, patient, encounter, at),
            **content.card(record, patient, cards),
            "NGAY_VAO": wording.long_time(stay),
            "NGAY_PTTT": wording.long_time(at),
            "CHAN_DOAN_TRUOC": said.field("CHAN_DOAN_TRUOC") or reasons,
            "PP_PTTT": said.field("PP_PTTT") or wording.concept(done.get("code")),
            "BS_PTTT": said.field("BS_PTTT") or told.names(surgeons),
            "BS_GAY_ME": said.field("BS_GAY_ME") or told.names(anaesthetists),
            "LUOC_DO": f"{len(pictures):02d} hình kèm theo" if pictures else "",
            "TRINH_TU": said.field("TRINH_TU", "PHAU_THUAT") or said.text,
            **{code: said.field(code) for code in _FIELDS},
            **{code: wording.short_date(said.field(code)) for code in _DAYS},
            "NGAY_KY": wording.long_time(said.issued or at).capitalize(),
        },
        entries={
            "person": [patient, *content.guardians(record, patient, at), *cards],
            "procedure": [*([done] if done else []), *said.entries],
        },
    )


def _procedure(record: Record, said: Told) -> Resource:
    """Find the procedure of the visit: by its code, else the only one of that day; nothing when it is not clear."""
    visit = f"Encounter/{said.encounter['id']}" if said.encounter else ""
    done = [
        one
        for one in record.all("Procedure")
        if visit and one.get("encounter", {}).get("reference") == visit and one.get("status") == "completed"
    ]
    codes = {c.get("code") for report in said.reports for c in report.get("code", {}).get("coding", [])}
    codes |= {c.get("code") for c in (said.request or {}).get("code", {}).get("coding", [])}
    by_code = [one for one in done if codes & {c.get("code") for c in one.get("code", {}).get("coding", [])}]
    that_day = [one for one in done if told.day(_began(one)) == told.day(said.at)]
    return next((found[0] for found in (by_code, that_day) if len(found) == 1), {})


def _began(procedure: Resource) -> str:
    at: str = procedure.get("performedDateTime") or procedure.get("performedPeriod", {}).get("start", "")
    return at


def _performers(record: Record, procedure: Resource, role: str) -> list[Resource]:
    parts = [
        part
        for part in procedure.get("performer", [])
        if role in {c.get("code") for c in part.get("function", {}).get("coding", [])}
    ]
    return list(record.of_type([part.get("actor") for part in parts], "Practitioner"))


def _is_picture(one: Resource) -> bool:
    kind: str = one.get("attachment", {}).get("contentType", "")
    return kind.startswith("image/")
