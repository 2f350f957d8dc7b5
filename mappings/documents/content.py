"""What a paper module hands over, and what many papers have in common: the person, the card, the visit, the diagnoses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mappings.documents import wording
from mappings.documents.context import Context
from mappings.documents.form import Column
from mappings.documents.leave import Leave
from mappings.documents.record import Record, icd10, relation_codes
from mappings.outcome import Resource

INSURANCE = (
    "MA_QUOCTICH",
    "MA_NGHE_NGHIEP",
    "MA_BENH_YHCT",
    "MA_DOITUONG_KCB",
    "NGAY_VAO_NOI_TRU",
    "KET_QUA_DTRI",
    "MA_LOAI_RV",
    "MA_KHOA",
    "MA_TTDV",
)
"""Told fields of the insurance summary of a visit, which goes with every paper (XML1 of QĐ 3176). Papers carry them as entries,
printed or not, so that what is signed holds everything its insurance rendition says."""

INPATIENT = frozenset({"IMP", "ACUTE", "NONAC", "SS"})
"""Classes of a stay, that of a day's treatment among them."""

_UNPRINTED = ("/bhyt-row", "urn:dicom:uid", "urn:ietf:rfc3986")
"""How systems of identifiers end that no paper shows."""
_CHILD = 16
_RELATIONS = {"FTH": "cha", "MTH": "mẹ", "GUARD": "người giám hộ", "GRD": "người giám hộ"}


@dataclass
class Content:
    """Everything one paper says, in the words of the form's keys."""

    event_at: str
    """FHIR date or dateTime that decides which edition of the form is in force."""
    patient: Resource
    encounter: Resource | None
    professional: Resource | None
    """The practitioner who answers for the paper and signs first."""
    values: dict[str, str]
    entries: Mapping[str, Sequence[Resource]] = field(default_factory=dict)
    """Key of a section → the resources it is made of."""
    lines: Mapping[str, Sequence[Mapping[str, str]]] = field(default_factory=dict)
    """Key of a section → the lines of its table."""
    category: str = ""
    """Chooses form number and title where one paper has several forms."""
    apart: frozenset[str] = frozenset()
    """Types of resources that do not travel with the paper, though what travels refers to them."""
    columns: Mapping[str, Sequence[Column]] = field(default_factory=dict)
    """Key of a section → the columns its table has beside those of the form, such as one for each time."""
    required: Sequence[str] = ()
    """Keys that this case demands beside the required rows of the form."""
    unsigned: frozenset[str] = frozenset()
    """Roles whose signature block stays empty in this case."""
    reissue: bool = False
    """True when the sender told that the paper is given out once more."""
    leave: Leave | None = None
    """Days off work the paper gives; checked against what the edition allows."""


def person(record: Record, patient: Resource, encounter: Resource | None, at: str) -> dict[str, str]:
    """Give the rows about the person, on the day of the event."""
    systems = record.systems
    numbers = {i.get("system", ""): i for i in reversed(patient.get("identifier", [])) if i.get("value")}
    papers = [numbers[system] for system in (systems.cccd, systems.cmnd, systems.passport) if system in numbers]
    issued = record.field("NGAYCAP_CCCD", encounter) or (papers[0].get("period", {}).get("start", "") if papers else "")
    birth: str = patient.get("birthDate", "")
    return {
        "HO_TEN": wording.name(patient).upper(),
        "NGAY_SINH": wording.short_date(birth),
        "NAM_SINH": birth[:4],
        "TUOI": wording.age(birth, at),
        "GIOI_TINH": wording.sex(patient),
        "DAN_TOC": wording.concept(extension(patient, "ethnicity")),
        "QUOC_TICH": wording.country(_nationality(patient)),
        "NGHE_NGHIEP": _occupation(record, patient, encounter),
        "NOI_LAM_VIEC": record.field("NOI_LAM_VIEC", encounter) or record.field("DON_VI", encounter),
        "SO_CCCD": papers[0]["value"] if papers else "",
        "NGAYCAP_CCCD": wording.short_date(issued) if papers else "",
        "DIA_CHI": wording.address(patient),
        "MA_BN": identifier(patient, "patient"),
        "NGUOI_GIAM_HO": "; ".join(named for one in guardians(record, patient, at) if (named := _guardian(one))),
    }


def extension(resource: Resource, suffix: str) -> Resource | None:
    """Give the coded value of the extension whose URL ends in `suffix`."""
    for one in resource.get("extension", []):
        if one.get("url", "").endswith(suffix):
            found: Resource | None = one.get("valueCodeableConcept") or one.get("valueCoding")
            return found or ({"text": one["valueString"]} if one.get("valueString") else None)
    return None


def _nationality(patient: Resource) -> Resource | None:
    for one in patient.get("extension", []):
        if one.get("url", "").endswith(("patient-nationality", "patient-citizenship")):
            inner = extension(one, "code")
            return inner or one.get("valueCodeableConcept") or one.get("valueCoding")
    return None


def _occupation(record: Record, patient: Resource, encounter: Resource | None) -> str:
    """Give the words of the occupation; its code only when nobody told the words."""
    told = record.field("NGHE_NGHIEP", encounter)
    code, meaning = record.coded_field("MA_NGHE_NGHIEP", encounter)
    return told or meaning or wording.concept(extension(patient, "occupation")) or code


def guardians(record: Record, patient: Resource, at: str) -> list[Resource]:
    """Give father, mother, guardian of a child; of anybody else only a guardian."""
    years = wording.years_old(patient.get("birthDate", ""), at)
    child = years is not None and years < _CHILD
    return [one for one in record.relatives(patient) if child or relation_codes(one) & {"GUARD", "GRD"}]


def _guardian(related: Resource) -> str:
    role = next((_RELATIONS[code] for code in _RELATIONS if code in relation_codes(related)), "")
    shown = wording.name(related)
    return f"{shown} ({role})" if role and shown else shown


def card(record: Record, patient: Resource, cards: Sequence[Resource]) -> dict[str, str]:
    """Give the rows about insurance cards; when no card is known at all, what the person's numbers say."""
    numbers = [coverage["subscriberId"] for coverage in cards]
    if not record.all("Coverage"):
        systems = (record.systems.bhyt, record.systems.bhxh)
        numbers = [found for system in systems if (found := number(patient, system))]
    periods = [coverage.get("period", {}) for coverage in cards]
    return {
        "MA_THE_BHYT": "; ".join(dict.fromkeys(numbers)),
        "GT_THE_TU": "; ".join(wording.short_date(period.get("start", "")) for period in periods),
        "GT_THE_DEN": "; ".join(wording.short_date(period.get("end", "")) for period in periods),
    }


def diagnoses(conditions: Sequence[Resource]) -> dict[str, str]:
    """Give the main diagnosis and the accompanying ones: words, then the ICD-10 code in brackets."""
    shown = [diagnosis(condition) for condition in conditions]
    main, others = (shown[0], shown[1:]) if shown else ("", [])
    return {
        "CHAN_DOAN": "\n".join([main, f"Kèm theo: {'; '.join(others)}"]) if others else main,
        "CHAN_DOAN_CHINH": main,
        "BENH_KEM_THEO": "; ".join(others),
    }


def diagnosis(condition: Resource) -> str:
    code = icd10(condition)
    said = wording.concept(condition.get("code"))
    if not code or said == code:
        return said
    return f"{said} ({code})"


SEVERE = {"IS_LAO_GIAI_DOAN_NANG": "Lao giai đoạn nặng", "IS_XO_GAN_GIAI_DOAN_MAT_BU": "Xơ gan giai đoạn mất bù"}
"""Told field → the words that open a single payment of social insurance."""


def severe_diseases(record: Record, encounter: Resource | None) -> list[str]:
    """Give the words that open a single payment of social insurance, where they were told."""
    return [said for code, said in SEVERE.items() if record.coded_field(code, encounter)[0] == "1"]


def pregnancy(record: Record, encounter: Resource | None) -> dict[str, str]:
    """Give gestational age and what was told of a pregnancy that ended; the method is the treatment's to say."""
    weeks = record.field("TUOI_THAI", encounter)
    age = f"{weeks} tuần" if weeks.isdigit() else weeks
    shown = f"Tuổi thai: {age}" if age else ""
    if _ended(record, encounter):
        cause = record.field("NGUYENNHAN_DINHCHI", encounter)
        at = wording.long_time(wording.told_moment(record.field("THOIGIAN_DINHCHI", encounter)))
        parts = [f"tuổi thai {age}" if age else "", cause, at]
        shown = "Đình chỉ thai nghén: " + "; ".join(part for part in parts if part)
    return {"TUOI_THAI": age, "DINH_CHI_THAI": shown}


def pregnancy_required(record: Record, encounter: Resource | None) -> list[str]:
    """Give the keys a paper must have when a pregnancy ended."""
    return ["TUOI_THAI"] if _ended(record, encounter) else []


def _ended(record: Record, encounter: Resource | None) -> bool:
    return record.coded_field("MA_DINH_CHI_THAI", encounter)[0] == "1"


def is_head(record: Record, encounter: Resource | None, doctor: Resource | None, context: Context) -> bool:
    """Tell whether the head of the facility is who examined: by the practice licence told or of the settings."""
    head = record.field("MA_TTDV", encounter) or context.facility.head_licence
    return bool(head and doctor and head in (i.get("value") for i in doctor.get("identifier", [])))


def place(record: Record, encounter: Resource | None) -> dict[str, str]:
    """Give department, room and bed."""
    found = record.place(encounter)
    return {"KHOA": found.get("wa", ""), "BUONG": found.get("ro", ""), "GIUONG": found.get("bd", "")}


def furniture(record: Record, encounter: Resource | None, context: Context, number: str = "") -> dict[str, str]:
    """Give what stands at the head of every paper; `number` is the paper's own, else the document's."""
    visits = encounter.get("identifier", []) if encounter else []
    return {
        "CO_QUAN_CHU_QUAN": context.facility.governing_body,
        "TEN_CSKCB": context.facility.name,
        "SO": number or context.number,
        "SO_HO_SO": record.field("SO_LUU_TRU", encounter) or (visits[0].get("value", "") if visits else ""),
    }


def number(resource: Resource, system: str) -> str:
    """Give the number somebody has in a system."""
    return next(
        (i["value"] for i in resource.get("identifier", []) if i.get("system") == system and i.get("value")), ""
    )


def dated(day: str, context: Context) -> str:
    """Write the date line of a paper that bears the day of the examination; one issued again bears the day of that."""
    on = wording.stamp(context.issued_at) if context.reissue or not day else day
    return wording.long_date(on).capitalize()


def identifier(resource: Resource, *kinds: str) -> str:
    """Give the value of the first identifier whose system ends in one of the kinds, else of the first number.

    UIDs and numbers of rows are no numbers for people.
    """
    found = [
        i for i in resource.get("identifier", []) if i.get("value") and not i.get("system", "").endswith(_UNPRINTED)
    ]
    for kind in kinds:
        for one in found:
            if one.get("system", "").endswith(f"/{kind}"):
                value: str = one["value"]
                return value
    return found[0]["value"] if found else ""
