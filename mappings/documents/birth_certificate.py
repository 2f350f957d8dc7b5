"""Giấy chứng sinh: the birth of one child; its XML is table 9 of QĐ 3176.

Form: Mẫu số 01, Phụ lục I, TT 22/2025/TT-BYT. A child born before 1-10-2025 gets its first certificate on the form of TT
17/2012 (as amended by TT 34/2015, TT 27/2019), and one issued again on the new form.
Due: by a message about the child, so that each child of a birth has its own. A newborn is admitted or registered (ADT^A01,
A04, A28): PV1-4 = N, or the mother is known (PID-21, NK1) and the visit began in the first 28 days, or one of the child's own
fields of table 9 is told (`MA_GCS`, `NGAY_SINH_CON`, `CAN_NANG_CON`). A change (A08, A31) makes it due only with such a field.
The mother's messages make none: they cannot tell one twin from the other. A birth told that is not the patient's own is refused
(`ItemsDisagree`).
Required: numbers of the book (`SO`, `QUYEN_SO`), mother or carer with birth, ethnic group, number, residence and number of
social insurance (ten noughts when told so), moment, place, sex and weight of the birth, number of children, who assisted.
Told fields come first, then NK1 (mother `MTH`, father `FTH`), then what PID says of the child. The code `MA_GCS` comes from the
HIS and stays the same when the certificate is issued again; one of another form is refused (`ItemMalformed`). A missing item:
`PaperIncomplete`, a task for a person.

A sender tells that it is issued again by `CAP_LAI` 1. Certificates of surrogacy (Mẫu 02) are not made.
Requirement: S3.15, S3.18
"""

from __future__ import annotations

from collections.abc import Sequence

from mappings import codes
from mappings.documents import content, wording
from mappings.documents.content import Content
from mappings.documents.context import Context
from mappings.documents.faults import ItemsDisagree
from mappings.documents.record import Record, relation_codes, tells, value_text
from mappings.outcome import Resource

_NEWBORN = 28
"""Days."""
_OWN = ("MA_GCS", "NGAY_SINH_CON", "CAN_NANG_CON")
_BIRTH_TIME = "http://hl7.org/fhir/StructureDefinition/patient-birthTime"
_NO_COUNTRY = frozenset({"", "000", "VN", "VNM", "704"})
_SEXES = {"1": "Nam", "2": "Nữ", "3": "Không xác định"}
_BOOK = ("MA_GCS", "SO", "QUYEN_SO", "CAP_LAI")
_CARER = (
    "HO_TEN_NND",
    "NGAYSINH_NND",
    "MA_DANTOC_NND",
    "MA_QUOCTICH",
    "SO_CCCD_NND",
    "NGAYCAP_CCCD_NND",
    "NOICAP_CCCD_NND",
    "NOI_CU_TRU_NND",
    "MA_BHXH_NND",
    "MA_THE_NND",
    "MATINH_CU_TRU",
    "MAHUYEN_CU_TRU",
    "MAXA_CU_TRU",
    "HO_TEN_CHA",
)
_CHILD = (
    "NGAY_SINH_CON",
    "NOI_SINH_CON",
    "SO_CON",
    "LAN_SINH",
    "SO_CON_SONG",
    "GIOI_TINH_CON",
    "CAN_NANG_CON",
    "TINH_TRANG_CON",
    "HO_TEN_CON",
    "SINHCON_PHAUTHUAT",
    "SINHCON_DUOI32TUAN",
    "GHI_CHU",
    "MA_THE_TAM",
    "NGUOI_THAN",
    "NGUOI_DO_DE",
    "NGUOI_GHI_PHIEU",
)


def subjects(resources: Sequence[Resource]) -> list[str]:
    """Give the newborn the message is about."""
    if not (_is_newborn(resources) or (tells(resources, *_OWN) and _is_child(resources))):
        return []
    return [f"Patient/{one['id']}" for one in resources if one["resourceType"] == "Patient"]


def _is_newborn(resources: Sequence[Resource]) -> bool:
    """Tell whether the message admits a newborn: it says so, or names the mother of a child of less than 28 days."""
    visits = [one for one in resources if one["resourceType"] == "Encounter"]
    kinds = [coding for one in visits for kind in one.get("type", []) for coding in kind.get("coding", [])]
    said = any(c.get("code") == "N" and c.get("system", "").endswith("/v2-0007") for c in kinds)
    births = [wording.day(one.get("birthDate", "")) for one in resources if one["resourceType"] == "Patient"]
    starts = [wording.day(one.get("period", {}).get("start", "")) for one in visits]
    ages = [(start - born).days for born in births for start in starts if born and start]
    young = bool(ages) and 0 <= ages[0] < _NEWBORN
    mothers = [one for one in resources if one["resourceType"] == "RelatedPerson" and "MTH" in relation_codes(one)]
    return said or (young and bool(mothers))


def _is_child(resources: Sequence[Resource]) -> bool:
    """Tell whether fields of a birth are told of the patient, not of the patient's child."""
    born = {one.get("birthDate", "") for one in resources if one["resourceType"] == "Patient"}
    births = [value_text(one) for one in resources if tells([one], "NGAY_SINH_CON")]
    if births and any(born):
        return any(wording.told_moment(text)[:10] in born for text in births)
    return any(one["resourceType"] == "RelatedPerson" and "MTH" in relation_codes(one) for one in resources)


def gather(record: Record, subject: Resource, context: Context) -> Content:
    """Collect what the paper says about a child; raises `ItemsDisagree` when the birth told is not the patient's."""
    child = record.patient("birth_certificate", subject)
    visit = _visit(record, child)
    mother, father = _relative(record, child, "MTH", "GUARD", "GRD"), _relative(record, child, "FTH")

    def said(*names: str) -> str:
        return next((text for name in names if (text := record.field(name, visit))), "")

    beside = child.get("_birthDate", {}).get("extension", [])
    timed = next((one["valueDateTime"] for one in beside if one.get("url") == _BIRTH_TIME), "")
    born = wording.told_moment(said("NGAY_SINH_CON")) or timed or child.get("birthDate", "")
    known = child.get("birthDate", "")
    if wording.day(born) and known and not born.startswith(known):
        raise ItemsDisagree("NGAY_SINH_CON", "PID-7")
    issued = wording.stamp(context.issued_at)
    again = context.reissue or said("CAP_LAI") == "1"
    return Content(
        event_at=issued if again else born or issued,
        patient=child,
        encounter=visit,
        professional=record.named("Practitioner", said("NGUOI_DO_DE")),
        values={
            **content.furniture(record, visit, context),
            "MA_GCS": said("MA_GCS"),
            "SO_GCS": said("SO"),
            "QUYEN_SO": said("QUYEN_SO"),
            **_carer(record, visit, mother),
            "HO_TEN_CHA": (said("HO_TEN_CHA") or wording.name(father)).upper(),
            "NGAY_SINH_CON": wording.long_time(born) if wording.instant(born) else "",
            "NOI_SINH_CON": said("NOI_SINH_CON") or _birth_place(child),
            "SO_CON": said("SO_CON").lstrip("0") or ("1" if child.get("multipleBirthBoolean") is False else ""),
            "GIOI_TINH_CON": _SEXES.get(record.coded_field("GIOI_TINH_CON", visit)[0], "") or wording.sex(child),
            "CAN_NANG_CON": _weight(said("CAN_NANG_CON")),
            "HO_TEN_CON": said("HO_TEN_CON"),
            "GHI_CHU": "\n".join(_notes(record, visit)),
            "NGUOI_THAN": said("NGUOI_THAN"),
            "NGUOI_DO_DE": said("NGUOI_DO_DE"),
            "NGUOI_GHI_PHIEU": said("NGUOI_GHI_PHIEU"),
        },
        entries={
            "header": record.fields(_BOOK, visit),
            "carer": [*record.relatives(child), *record.fields(_CARER, visit)],
            "child": [
                child,
                *([visit] if visit else []),
                *record.fields((*_CHILD, *(name for name in content.INSURANCE if name not in _CARER)), visit),
            ],
        },
        reissue=again,
    )


def _visit(record: Record, child: Resource) -> Resource | None:
    """Give the visit the birth was told in, else the first of the child."""
    about = f"Patient/{child['id']}"
    visits = [one for one in record.all("Encounter") if one.get("subject", {}).get("reference") == about]
    visits.sort(key=lambda one: (one.get("period", {}).get("start", "9"), one["id"]))
    told = (visit for visit in visits for name in _OWN if _tells_itself(record, name, visit))
    return next(told, visits[0] if visits else None)


def _tells_itself(record: Record, name: str, visit: Resource) -> bool:
    found = record.field_observation(name, visit) or {}
    return bool(found.get("encounter", {}).get("reference") == f"Encounter/{visit['id']}")


def _relative(record: Record, child: Resource, *roles: str) -> Resource:
    """Give the relative in the first of the roles; of several the one with a name."""
    for role in roles:
        known = [one for one in record.relatives(child) if role in relation_codes(one)]
        if known:
            return next((one for one in known if one.get("name")), known[0])
    return {}


def _carer(record: Record, visit: Resource | None, mother: Resource) -> dict[str, str]:
    """Give the rows about the mother or carer: told, else what is known of the relative."""
    systems = record.systems

    def said(*names: str) -> str:
        return next((text for name in names if (text := record.field(name, visit))), "")

    numbers = (content.number(mother, system) for system in (systems.cccd, systems.passport, systems.cmnd))
    number = said("SO_CCCD_NND") or next((one for one in numbers if one), "")
    day, place = said("NGAYCAP_CCCD_NND"), said("NOICAP_CCCD_NND")
    paper = [number, f"cấp ngày {wording.short_date(day)}" if day else "", f"tại {place}" if place else ""]
    return {
        "HO_TEN_NND": (said("HO_TEN_NND") or wording.name(mother)).upper(),
        "NGAYSINH_NND": wording.short_date(wording.told_moment(said("NGAYSINH_NND")) or mother.get("birthDate", "")),
        "DAN_TOC_NND": _people(record, visit),
        "SO_CCCD_NND": ", ".join(part for part in paper if part) if number else "",
        "NOI_CU_TRU_NND": said("NOI_CU_TRU_NND") or wording.address(mother),
        "MA_BHXH_NND": said("MA_BHXH_NND", "MA_THE_NND")
        or content.number(mother, systems.bhxh)
        or content.number(mother, systems.bhyt),
    }


def _people(record: Record, visit: Resource | None) -> str:
    """Give the ethnic group; of a foreigner that, with the country."""
    country, words = record.coded_field("MA_QUOCTICH", visit)
    if country.upper() not in _NO_COUNTRY:
        return f"Người nước ngoài ({words or country})"
    code, meaning = record.coded_field("MA_DANTOC_NND", visit)
    row = codes.table("ma-dantoc").find(code.zfill(2)) if code.isdigit() else None
    return (row.display if row else "") or meaning or code


def _birth_place(child: Resource) -> str:
    told = (
        one.get("valueAddress", {}).get("text", "")
        for one in child.get("extension", [])
        if one.get("url", "").endswith("patient-birthPlace")
    )
    return next((text for text in told if text), "")


def _weight(told: str) -> str:
    return f"{told} gam" if told.isdigit() else told


def _notes(record: Record, visit: Resource | None) -> list[str]:
    flags = {"SINHCON_PHAUTHUAT": "Sinh con phải phẫu thuật", "SINHCON_DUOI32TUAN": "Sinh con dưới 32 tuần tuổi"}
    lines = [words for name, words in flags.items() if record.coded_field(name, visit)[0] == "1"]
    return [*lines, *([text] if (text := record.field("GHI_CHU", visit)) else [])]
