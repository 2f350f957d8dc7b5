"""Giấy báo tử: what the family takes to register a death. It is not the cause-of-death sheet, which stays in the facility.

Form: Mẫu số 05, Phụ lục II, TT 25/2025/TT-BYT, Điều 9.
Due: when a visit ends in death (ADT^A03): the disposition says so (PV1-36), the person is dead (PID-29, PID-30), the outcome
is death (`KET_QUA_DTRI` 5 or 8) or the notice's own fields are told; and after a change (A08) that tells such fields.
Required: person, numbers in the book (`SO_BAOTU`, `QUYEN_SO`), arrival, time and cause of death, who writes. The cause is what
was told (`NGUYENNHAN_TV`, "không rõ" when undetermined), never a diagnosis of the visit. The code `MA_GBT` and all numbers come
from the HIS; none is made here, and a code of another form is refused (`ItemMalformed`). A missing item: `PaperIncomplete`, a
task for a person.

A sender tells that it is issued again by the first numbers (`SO_BAOTU_BD`, `QUYEN_SO_BD`). A relative signs, then who wrote it,
then the head of the facility. Requirement: S3.15
"""

from __future__ import annotations

from collections.abc import Sequence

from mappings.documents import content, numerals, wording
from mappings.documents.content import Content
from mappings.documents.context import Context
from mappings.documents.record import Record, tells
from mappings.outcome import Resource

_DISPOSITION = "http://terminology.hl7.org/CodeSystem/discharge-disposition"
_DEAD = frozenset({"5", "8"})
_BOOK = ("MA_GBT", "SO_BAOTU", "QUYEN_SO", "SO_BAOTU_BD", "QUYEN_SO_BD", "NGAY_CAPGIAYBT")
_PERSON = ("LOAI_GIAYTO", "SO_GIAYTO", "NGAY_CAP", "NGAYCAP_CCCD", "NOI_CAP", "NOICAP_CCCD")
_DEATH = ("NGAYGIO_VV", "NGAY_TV", "TINH_TRANG_TV", "NGUYENNHAN_TV")
_SIGNERS = ("NGUOI_THANTHICH", "NGUOI_GHIGIAY", "TTRUONG_DVI")
_TOLD = (*_BOOK, "NGAY_TV", "NGUYENNHAN_TV")


def subjects(resources: Sequence[Resource]) -> list[str]:
    """Give the visit that ended in death."""
    visits = [one for one in resources if one["resourceType"] == "Encounter"]
    dead = tells(resources, *_TOLD) or any(_is_dead(one) for one in resources)
    return [f"Encounter/{one['id']}" for one in visits if dead or _fatal(one)]


def _fatal(encounter: Resource) -> bool:
    disposition = encounter.get("hospitalization", {}).get("dischargeDisposition", {})
    return any(c.get("system") == _DISPOSITION and c.get("code") == "exp" for c in disposition.get("coding", []))


def _is_dead(resource: Resource) -> bool:
    if resource["resourceType"] == "Patient":
        return bool(resource.get("deceasedDateTime") or resource.get("deceasedBoolean"))
    codes = {c.get("code") for c in resource.get("valueCodeableConcept", {}).get("coding", [])}
    return bool(tells([resource], "KET_QUA_DTRI") and (codes & _DEAD or resource.get("valueString") in _DEAD))


def gather(record: Record, subject: Resource, context: Context) -> Content:
    """Collect what the paper says about a death."""
    encounter = subject
    patient = record.patient("death_notice", encounter)
    period = encounter.get("period", {})

    def said(*codes: str) -> str:
        return next((text for code in codes if (text := record.field(code, encounter))), "")

    died = wording.told_moment(said("NGAY_TV")) or patient.get("deceasedDateTime", "")
    came = wording.told_moment(said("NGAYGIO_VV")) or period.get("start", "")
    issued = wording.told_moment(said("NGAY_CAPGIAYBT")) or wording.stamp(context.issued_at)
    person = content.person(record, patient, encounter, died)
    first = [said("SO_BAOTU_BD"), said("QUYEN_SO_BD")]
    return Content(
        event_at=died or issued,
        patient=patient,
        encounter=encounter,
        professional=record.named("Practitioner", said("NGUOI_GHIGIAY")),
        values={
            **content.furniture(record, encounter, context),
            **person,
            "DIA_CHI_CSKCB": context.facility.address,
            "MA_GBT": said("MA_GBT"),
            "SO_BAOTU": said("SO_BAOTU"),
            "QUYEN_SO": said("QUYEN_SO"),
            "SO_BAOTU_BD": f"Số ban đầu: {first[0]}, quyển số: {first[1]}" if any(first) else "",
            "SO_DDCN": content.number(patient, record.systems.cccd),
            "GIAY_TO": _paper(record, patient, encounter),
            "NGAYGIO_VV": wording.long_time(came),
            "NGAY_TV": _time_of_death(died),
            "TINH_TRANG_TV": record.coded_field("TINH_TRANG_TV", encounter)[0],
            "NGUYENNHAN_TV": said("NGUYENNHAN_TV"),
            "NGAY_CAP": wording.long_date(issued).capitalize(),
            **{code: said(code) for code in _SIGNERS},
        },
        entries={
            "header": record.fields(_BOOK, encounter),
            "person": [patient, *content.guardians(record, patient, died), *record.fields(_PERSON, encounter)],
            "death": [encounter, *record.fields((*_DEATH, *content.INSURANCE, *_SIGNERS), encounter)],
        },
        reissue=any(first),
    )


def _time_of_death(died: str) -> str:
    """Write figures and words; an hour that is not known stays blank."""
    if not died:
        return ""
    day, moment = wording.day(died), wording.instant(died)
    clock = "" if moment else "… giờ … phút, "
    words = ""
    if day and len(died) >= len("2026-11-05"):
        hour = f"{numerals.in_words(moment.hour)} giờ {numerals.in_words(moment.minute)} phút, " if moment else ""
        words = f"\n(Bằng chữ: {hour}{numerals.day_in_words(day.year, day.month, day.day)})"
    return f"{clock}{wording.long_time(died)}{words}"


def _paper(record: Record, patient: Resource, encounter: Resource) -> str:
    """Write kind, number, day and place of the identity paper."""
    systems = record.systems
    kinds = {systems.cccd: "Căn cước công dân", systems.cmnd: "Chứng minh nhân dân", systems.passport: "Hộ chiếu"}
    held = next((system for system in kinds if content.number(patient, system)), "")
    number = record.field("SO_GIAYTO", encounter) or (content.number(patient, held) if held else "")
    if not number:
        return ""
    told = record.coded_field("LOAI_GIAYTO", encounter)
    kind = _KINDS.get(told[0], told[1]) if told[0] else kinds.get(held, "")
    day = record.field("NGAY_CAP", encounter) or record.field("NGAYCAP_CCCD", encounter)
    place = record.field("NOI_CAP", encounter) or record.field("NOICAP_CCCD", encounter)
    parts = [
        f"{kind} số {number}".strip(),
        f"cấp ngày {wording.short_date(day)}" if day else "",
        f"tại {place}" if place else "",
    ]
    return ", ".join(part for part in parts if part)


_KINDS = {"1": "Căn cước công dân", "2": "Chứng minh nhân dân", "3": "Hộ chiếu", "4": "Định danh cá nhân"}
