"""Tóm tắt hồ sơ bệnh án: what happened in one stay; its XML is table 8 of QĐ 3176.

Form: Mẫu số 03, Phụ lục II, TT 25/2025/TT-BYT; a stay that ended before 1-7-2025 gets the form of TT 18/2022/TT-BYT.
Due: at the end of a stay, the treatment by day among them (ADT^A03); of any other visit when somebody asks for it.
Required: person, stay, both diagnoses, reason of the admission, course, results, treatment, state at the end. What the doctor
sums up comes in fields of its own (`QT_BENHLY`, `TOMTAT_KQ` …) and is never put together from single results. The admission
diagnosis may be told by its role (DG1-6 `A`), the reason by PV2-3, surgery by PR1. A missing one: `PaperIncomplete`, a task for
a person.

Signed by the facility alone. Requirement: S2.1, S3.15
"""

from __future__ import annotations

from collections.abc import Sequence

from mappings.documents import content, wording
from mappings.documents.content import Content
from mappings.documents.context import Context
from mappings.documents.record import Record
from mappings.outcome import Resource

_PERSON = ("NGHE_NGHIEP", "NGAYCAP_CCCD", "DON_VI", "NOI_LAM_VIEC", "HO_TEN_CHA", "HO_TEN_ME", "NGUOI_GIAM_HO")
_INSURANCE = (*content.INSURANCE, "MA_LOAI_KCB", "SO_LUU_TRU", "MA_THE_TAM")
"""Told fields of table 8, and of the insurance summary; they travel as entries."""
_COURSE = ("LYDO_VVIEN", "QT_BENHLY", "TIEN_SU_BENH", "DAU_HIEU_LAM_SANG", "DAU_HIEU_LS")
_TREATMENT = ("PP_DIEUTRI", "IS_NOI_KHOA", "NOI_KHOA", "IS_PHAU_THUAT_THU_THUAT", "PHAU_THUAT_THU_THUAT")
_STATE = ("TT_RAVIEN", "HUONG_DIEU_TRI")
_OUTCOMES = frozenset("12345678")
"""Codes of KET_QUA_DTRI."""
_CHILD = ("NGAY_SINHCON", "NGAY_CHETCON", "NGAY_CONCHET", "SO_CONCHET")
_NOTES = ("GHI_CHU", "LOI_DAN", *content.SEVERE, *_CHILD)


def subjects(resources: Sequence[Resource]) -> list[str]:
    """Give the stay that ended; an outpatient's visit makes none."""
    return [
        f"Encounter/{r['id']}"
        for r in resources
        if r["resourceType"] == "Encounter" and r.get("class", {}).get("code") in content.INPATIENT
    ]


def gather(record: Record, subject: Resource, context: Context) -> Content:
    """Collect what the paper says about a visit."""
    encounter = subject
    period = encounter.get("period", {})
    start, end = period.get("start", ""), period.get("end", "")
    patient = record.patient("record_summary", encounter)
    came, left = record.admission_diagnoses(encounter), record.diagnoses(encounter)
    cards = record.cards(start, end)
    operations = _operations(record, encounter)
    person = content.person(record, patient, encounter, end or start)

    def said(*codes: str) -> str:
        return next((text for code in codes if (text := record.field(code, encounter))), "")

    return Content(
        event_at=end or wording.stamp(context.issued_at),
        patient=patient,
        encounter=encounter,
        professional=record.doctor(encounter),
        values={
            **content.furniture(record, encounter, context),
            **content.place(record, encounter),
            **person,
            **content.card(record, patient, cards),
            "NGUOI_GIAM_HO": person["NGUOI_GIAM_HO"] or _told_guardians(record, encounter),
            "HINH_THUC": record.coded_field("MA_LOAI_KCB", encounter)[0].lstrip("0"),
            "NGAY_VAO": wording.long_time(start),
            "NGAY_RA": wording.long_time(end),
            "CHAN_DOAN_VAO": said("CHAN_DOAN_VAO") or content.diagnoses(came)["CHAN_DOAN"],
            "CHAN_DOAN": content.diagnoses(left)["CHAN_DOAN"],
            "LYDO_VVIEN": said("LYDO_VVIEN") or "; ".join(map(wording.concept, encounter.get("reasonCode", []))),
            "QT_BENHLY": said("QT_BENHLY"),
            "TIEN_SU_BENH": said("TIEN_SU_BENH"),
            "DAU_HIEU_LAM_SANG": said("DAU_HIEU_LAM_SANG", "DAU_HIEU_LS"),
            "TOMTAT_KQ": said("TOMTAT_KQ"),
            "PP_DIEUTRI": _treatment(record, encounter, operations),
            **_outcome(record, encounter),
            "HUONG_DIEU_TRI": said("HUONG_DIEU_TRI"),
            "GHI_CHU": "\n".join(_notes(record, encounter)),
        },
        entries={
            "person": [
                patient,
                *content.guardians(record, patient, end or start),
                *cards,
                *record.fields(_PERSON, encounter),
            ],
            "stay": [encounter, *record.fields(_INSURANCE, encounter)],
            "admission": [*came, *record.fields(["CHAN_DOAN_VAO"], encounter)],
            "diagnosis": [condition for condition in left if condition not in came],
            "course": record.fields(_COURSE, encounter),
            "results": record.fields(["TOMTAT_KQ"], encounter),
            "treatment": [*operations, *record.fields(_TREATMENT, encounter)],
            "outcome": record.fields(_STATE, encounter),
            "notes": record.fields(_NOTES, encounter),
        },
    )


def _code(record: Record, encounter: Resource, field: str) -> str:
    return record.coded_field(field, encounter)[0]


def _outcome(record: Record, encounter: Resource) -> dict[str, str]:
    """Give the box of the state at the end, else the words it was told in."""
    told = [_code(record, encounter, field) for field in ("TT_RAVIEN", "KET_QUA_DTRI")]
    box = next((code for code in told if code in _OUTCOMES), "")
    words = "" if box else next((text for text in told if text), "")
    return {"TT_RAVIEN": box or words, "TT_RAVIEN_KHAC": words}


def _told_guardians(record: Record, encounter: Resource) -> str:
    roles = (("HO_TEN_CHA", "cha"), ("HO_TEN_ME", "mẹ"), ("NGUOI_GIAM_HO", "người giám hộ"))
    named = [(record.field(field, encounter), role) for field, role in roles]
    return "; ".join(f"{name} ({role})" for name, role in named if name)


def _operations(record: Record, encounter: Resource) -> list[Resource]:
    visit = f"Encounter/{encounter['id']}"
    found = [
        procedure
        for procedure in record.all("Procedure")
        if procedure.get("encounter", {}).get("reference") == visit
        and procedure.get("status") in ("completed", "unknown")
    ]
    return sorted(found, key=lambda one: (_performed_at(one), one["id"]))


def _performed_at(procedure: Resource) -> str:
    at: str = procedure.get("performedDateTime") or procedure.get("performedPeriod", {}).get("start", "")
    return at


def _treatment(record: Record, encounter: Resource, operations: Sequence[Resource]) -> str:
    """Write both boxes with their texts, then what was told of the treatment as a whole; nothing when nothing was told."""
    names = (wording.concept(one.get("code")) for one in operations)
    medical = record.field("NOI_KHOA", encounter)
    surgical = record.field("PHAU_THUAT_THU_THUAT", encounter) or "; ".join(name for name in names if name)
    whole = record.field("PP_DIEUTRI", encounter)
    crossed = [
        bool(medical) or _code(record, encounter, "IS_NOI_KHOA") == "1",
        bool(surgical) or _code(record, encounter, "IS_PHAU_THUAT_THU_THUAT") == "1",
    ]
    if not (any(crossed) or whole):
        return ""
    boxes = zip(crossed, ("Nội khoa", "Phẫu thuật, thủ thuật"), (medical, surgical), strict=True)
    lines = [f"{'☒' if cross else '☐'} {label}: {text}".rstrip() for cross, label, text in boxes]
    return "\n".join([*lines, *([whole] if whole else [])])


def _notes(record: Record, encounter: Resource) -> list[str]:
    """Give the notes: what was told, the words that open a single payment of social insurance, birth and death of a child."""
    day = {code: wording.short_date(wording.told_moment(record.field(code, encounter))) for code in _CHILD[:3]}
    dead = record.field("SO_CONCHET", encounter)
    lines = [record.field("GHI_CHU", encounter), *content.severe_diseases(record, encounter)]
    lines += [f"Ngày sinh con: {day['NGAY_SINHCON']}" if day["NGAY_SINHCON"] else ""]
    died = day["NGAY_CHETCON"] or day["NGAY_CONCHET"]
    lines += [f"Ngày con chết: {died}" if died else "", f"Số con chết: {dead}" if dead not in ("", "0") else ""]
    return [line for line in lines if line]
