"""Phiếu chuyển cơ sở khám bệnh, chữa bệnh BHYT: the referral to another facility; its XML is table 13 of QĐ 3176.

Form: Phụ lục VI, TT 01/2025/TT-BYT; from 1-6-2026 the facility seals digitally in place of its stamp (TT 06/2026).
Due: with a referral (REF^I12, again I13).
Required: person, receiver, signs, diagnosis, state, reason, plan, moment, transport, practitioner. A missing one:
`PaperIncomplete`, a task for a person. What an insured person's referral wants beside (card, ethnic group, nationality,
results) is printed even when empty: emergencies are sent on without it.

The practitioner signs left, the facility right. Requirement: S3.14, S3.15
"""

from __future__ import annotations

from collections.abc import Sequence

from mappings.documents import content, wording
from mappings.documents.content import Content
from mappings.documents.context import Context
from mappings.documents.record import Record
from mappings.outcome import Resource

_REFERRAL = "3457005"
_SUMMARY = ("DAU_HIEU_LS", "QT_BENHLY", "TOMTAT_KQ", "PP_DIEUTRI", "TEN_THUOC", "TINH_TRANG_CT")
_INSURANCE = (*content.INSURANCE, "SO_HOSO", "SO_LUU_TRU", "GIAY_CHUYEN_TUYEN", "MA_CSKCB_DI", "TEN_DICH_VU")
"""Told fields of table 13, and of the insurance summary; they travel as entries."""
_TRANSFER = ("MA_LYDO_CT", "HUONG_DIEU_TRI", "PHUONGTIEN_VC", "HOTEN_NGUOI_HT", "CHUCDANH_NGUOI_HT", "GIA_TRI_01_NAM")
_PERSON = ("NGHE_NGHIEP", "NOI_LAM_VIEC", "DON_VI", "SO_CHUYENTUYEN")


def subjects(resources: Sequence[Resource]) -> list[str]:
    """Give the referral; of several requests those that say they are one, else those that name who shall take over."""
    requests = [r for r in resources if r["resourceType"] == "ServiceRequest" and r.get("status") != "revoked"]
    named = [r for r in requests if _is_referral(r)] or [r for r in requests if r.get("performer")]
    return [f"ServiceRequest/{r['id']}" for r in named]


def _is_referral(request: Resource) -> bool:
    return any(c.get("code") == _REFERRAL for one in request.get("category", []) for c in one.get("coding", []))


def gather(record: Record, subject: Resource, context: Context) -> Content:
    """Collect what the paper says about a referral."""
    encounter = record.encounter(subject)
    patient = record.patient("referral", subject, encounter)
    period = encounter.get("period", {}) if encounter else {}
    occurrence = subject.get("occurrencePeriod", {}).get("start") or subject.get("occurrenceDateTime", "")
    at = occurrence or period.get("end", "") or subject.get("authoredOn", "")
    start = period.get("start", "")
    conditions = record.diagnoses(encounter) or list(record.of_type(subject.get("reasonReference", []), "Condition"))
    receiver = next(record.of_type(subject.get("performer", []), "Organization"), None)
    requester = next(record.of_type([subject.get("requester")], "Practitioner"), None)
    cards = record.cards(start or at, at) or record.last_card()
    summary = {code: record.field(code, encounter) for code in _SUMMARY}
    transfer = {code: record.field(code, encounter) for code in _TRANSFER}
    escort = [transfer["HOTEN_NGUOI_HT"], transfer["CHUCDANH_NGUOI_HT"]]
    return Content(
        event_at=at or wording.stamp(context.issued_at),
        patient=patient,
        encounter=encounter,
        professional=requester or record.doctor(encounter),
        values={
            **content.furniture(record, encounter, context, content.identifier(subject, "referral")),
            **content.person(record, patient, encounter, at),
            **content.card(record, patient, cards),
            **content.diagnoses(conditions),
            **summary,
            **transfer,
            "SO_CHUYENTUYEN": record.field("SO_CHUYENTUYEN", encounter),
            "NOI_NHAN": receiver.get("name", "") or content.identifier(receiver) if receiver else "",
            "NOI_CHUYEN": context.facility.name,
            "TINH_TRANG_THE": _card_state(cards, at),
            "CAP_CMKT": record.field("CAP_CMKT", encounter) or "…",
            "DA_DIEU_TRI": wording.long_date(start),
            "NGAY_CHUYEN": wording.long_date(at),
            "MA_LYDO_CT": _reason(record, subject, encounter),
            "THOI_DIEM_CHUYEN": wording.long_time(at),
            "NGUOI_HO_TONG": ", ".join(part for part in escort if part),
        },
        entries={
            "header": [subject],
            "person": [
                patient,
                *content.guardians(record, patient, at),
                *cards,
                *record.fields(_PERSON, encounter),
            ],
            "summary": [*conditions, *record.fields(_SUMMARY, encounter)],
            "transfer": record.fields((*_TRANSFER, *_INSURANCE), encounter),
        },
    )


def _reason(record: Record, request: Resource, encounter: Resource | None) -> str:
    """Give the code of MA_LYDO_CT: 1, 2 or 3; from the paper's field, else from the request."""
    said = [record.coded_field("MA_LYDO_CT", encounter)[0]]
    said += [c.get("code", "") for one in request.get("reasonCode", []) for c in one.get("coding", [])]
    return next((code for code in said if code in ("1", "2", "3")), "")


def _card_state(cards: Sequence[Resource], at: str) -> str:
    """Tell whether the card is `expired` or its end is `unknown`; nothing without a card or with one in force."""
    ends = [coverage.get("period", {}).get("end", "") for coverage in cards]
    if not ends:
        return ""
    last, moved = wording.day(max(ends)), wording.day(at)
    if last is None:
        return "unknown"
    return "expired" if moved and last < moved else ""
