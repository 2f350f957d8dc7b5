"""XML1, the summary of a visit: person, cards, stay, diagnoses, and the settlement as a Claim.

What a paper asks for under the name of a field stands as that field's Observation (`Case.field`), so that papers find it
whether it came by XML or by HL7 v2. The Claim is the main resource of the row.

Standard: QĐ 3176/QĐ-BYT XML1
"""

from __future__ import annotations

from collections.abc import Sequence

from mappings.bhyt import facts
from mappings.bhyt.decisions import digits_to_day
from mappings.bhyt.fhir import claim, person, stay, xml2, xml3
from mappings.bhyt.fhir.case import Case, TableMap
from mappings.bhyt.fhir.dossier import Dossier
from mappings.bhyt.fhir.forms import (
    date_to_digits,
    digits,
    digits_to_date,
    digits_to_time,
    parts,
    quantity,
    time_to_digits,
)
from mappings.bhyt.money import treatment_days, visit_sums, written
from mappings.bhyt.rows import Row
from mappings.bhyt.sheet import told_time
from mappings.documents import wording
from mappings.ids import resource_id
from mappings.outcome import Resource
from mappings.systems import LOINC, UCUM

_VITAL_SIGNS = {
    "coding": [
        {
            "system": "http://terminology.hl7.org/CodeSystem/observation-category",
            "code": "vital-signs",
            "display": "Vital Signs",
        }
    ]
}
_WEIGHT = "29463-7"
_BLOOD_GROUP = {"system": LOINC, "code": "882-1", "display": "ABO and Rh group [Type] in Blood"}
_TEXTS = {
    "LY_DO_VV": "LY_DO_VV",
    "LY_DO_VNT": "LY_DO_VNT",
    "PP_DIEU_TRI": "PP_DIEUTRI",
    "GHI_CHU": "GHI_CHU",
    "MA_TTDV": "MA_TTDV",
}
"""Field of XML1 → the name papers ask for it by."""
_CODES = {
    "MA_LY_DO_VNT": "",
    "MA_PTTT_QT": "",
    "MA_DOITUONG_KCB": "MA_DOITUONG_KCB",
    "MA_TAI_NAN": "MA_TAI_NAN",
    "KET_QUA_DTRI": "KET_QUA_DTRI",
}
"""Coded field → the list that comes with the product."""
_FIELD = "Observation.value | Observation.component.value"
MAPPED = {
    "MA_LK": "Encounter.identifier | Claim.identifier",
    "STT": "Claim.identifier",
    "MA_BN": "Patient.identifier",
    "HO_TEN": "Patient.name",
    "SO_CCCD": "Patient.identifier",
    "NGAY_SINH": "Patient.birthDate",
    "GIOI_TINH": "Patient.gender",
    "NHOM_MAU": _FIELD,
    "MA_QUOCTICH": "Patient.extension(patient-nationality)",
    "MA_DANTOC": "Patient.extension(vn-ext-ethnicity)",
    "MA_NGHE_NGHIEP": "Patient.extension(vn-ext-occupation)",
    "DIA_CHI": "Patient.address.text",
    "MATINH_CU_TRU": "Patient.address.extension(vn-ext-province)",
    "MAHUYEN_CU_TRU": "Patient.address.extension(district)",
    "MAXA_CU_TRU": "Patient.address.extension(vn-ext-ward) | Patient.address.extension(ward)",
    "DIEN_THOAI": "Patient.telecom",
    "MA_THE_BHYT": "Coverage.subscriberId | Patient.identifier",
    "MA_DKBD": "Coverage.extension(vn-ext-primary-care-facility)",
    "GT_THE_TU": "Coverage.period.start",
    "GT_THE_DEN": "Coverage.period.end",
    "NGAY_MIEN_CCT": "Coverage.extension(copayment-exempt-from)",
    "LY_DO_VV": "Encounter.reasonCode",
    "LY_DO_VNT": _FIELD,
    "MA_LY_DO_VNT": _FIELD,
    "CHAN_DOAN_VAO": "Condition.code.text",
    "CHAN_DOAN_RV": "Condition.code.text",
    "MA_BENH_CHINH": "Condition.code.coding",
    "MA_BENH_KT": "Condition.code.coding",
    "MA_BENH_YHCT": "Condition.code.coding",
    "MA_PTTT_QT": _FIELD,
    "MA_DOITUONG_KCB": _FIELD,
    "MA_NOI_DI": "Encounter.hospitalization.origin",
    "MA_NOI_DEN": "Encounter.hospitalization.destination",
    "MA_TAI_NAN": _FIELD,
    "NGAY_VAO": "Encounter.period.start",
    "NGAY_VAO_NOI_TRU": _FIELD,
    "NGAY_RA": "Encounter.period.end",
    "GIAY_CHUYEN_TUYEN": "Claim.referral",
    "SO_NGAY_DTRI": "Encounter.length",
    "PP_DIEU_TRI": _FIELD,
    "KET_QUA_DTRI": _FIELD,
    "MA_LOAI_RV": "Encounter.hospitalization.dischargeDisposition",
    "GHI_CHU": _FIELD,
    **claim.MAPPED,
    "MA_LOAI_KCB": "Encounter.type | Encounter.class",
    "MA_KHOA": "Encounter.location.location",
    "MA_CSKCB": "Encounter.serviceProvider",
    "MA_KHUVUC": "Coverage.class",
    "CAN_NANG": "Observation.value",
    "CAN_NANG_CON": _FIELD,
    "NAM_NAM_LIEN_TUC": "Coverage.extension(five-years-insured-on)",
    "NGAY_TAI_KHAM": _FIELD,
    "MA_HSBA": "Encounter.identifier",
    "MA_TTDV": _FIELD,
}


def read(case: Case, rows: Sequence[Row]) -> list[Resource]:
    """Make the resources of the summary; Patient and Encounter are there already."""
    found = []
    for n, row in enumerate(rows, 1):
        if n == 1:
            coverages = person.rows_to_coverages(case, row)
            stay.row_to_conditions(case, row)
            _fields(case, row)
            _weight(case, row)
        made = claim.row_to_claim(case, row, coverages, n)
        case.add(made)
        found.append(made)
    return found


def _fields(case: Case, row: Row) -> None:
    for field, name in _TEXTS.items():
        case.text_field(name, row.get(field, ""))
    for field, codes in _CODES.items():
        case.code_field(field, row.get(field, ""), codes)
    case.code_field("MA_BENH_YHCT", row.get("MA_BENH_YHCT", ""))
    admitted = digits_to_time(row.get("NGAY_VAO_NOI_TRU", ""))
    if admitted:
        case.field("NGAY_VAO_NOI_TRU", ("valueDateTime", admitted))
    blood = row.get("NHOM_MAU", "")
    if blood:
        case.field("NHOM_MAU", ("valueString", blood), also=[_BLOOD_GROUP])
    children = [quantity(one, "g", "g") for one in parts(row.get("CAN_NANG_CON", ""))]
    if all(children):
        case.field("CAN_NANG_CON", *(("valueQuantity", one) for one in children))
    again = [digits_to_date(one) for one in parts(row.get("NGAY_TAI_KHAM", ""))]
    if all(again):
        case.field("NGAY_TAI_KHAM", *(("valueDateTime", one) for one in again))


def _weight(case: Case, row: Row) -> None:
    value = quantity(row.get("CAN_NANG", ""), "kg", "kg")
    came = digits_to_time(row.get("NGAY_VAO", ""))
    if value and len(came) >= 10:
        case.add(
            {
                "resourceType": "Observation",
                "id": resource_id("Observation", case.local("bhyt-row"), f"{case.number}|CAN_NANG"),
                "status": "final",
                "category": [_VITAL_SIGNS],
                "code": {"coding": [{"system": LOINC, "code": _WEIGHT, "display": "Body weight"}], "text": "Cân nặng"},
                **case.about(),
                "effectiveDateTime": came,
                "valueQuantity": value,
            }
        )


def write(dossier: Dossier) -> list[tuple[Resource, dict[str, str]]]:
    """Give the one row: of the Claim that came as XML, else of what the record tells of the visit."""
    if dossier.encounter is None:
        return []
    settled = dossier.rows("XML1", "Claim")
    main = settled[0] if settled else {}
    coverages = claim.coverages(dossier, main) if main else _cards(dossier)
    row = {
        "STT": "1",
        **person.identity(dossier),
        **person.cards(dossier, coverages),
        **stay.stay(dossier),
        **stay.diagnoses(dossier),
        **claim.settlement(dossier, main),
        **{field: dossier.field(name) for field, name in _TEXTS.items() if field != "LY_DO_VV"},
        **{field: dossier.codes(field) for field in _CODES},
        "NHOM_MAU": dossier.field("NHOM_MAU"),
        "NGAY_VAO_NOI_TRU": _admitted(dossier, told=bool(main)),
        "CAN_NANG": _weighed(dossier),
        "CAN_NANG_CON": ";".join(_children(dossier)),
        "NGAY_TAI_KHAM": ";".join(_again(dossier)),
    }
    row["MA_TTDV"] = row["MA_TTDV"] or dossier.head
    if not main:
        _complete(dossier, row)
    return [(main, row)]


def _complete(dossier: Dossier, row: dict[str, str]) -> None:
    """Add to a visit that came by HL7 v2 what follows from its lines and dates; a sum only when every line tells its part.

    It is settled in the month it ended in, unless another was told.
    """
    row["MA_HSBA"] = row["MA_HSBA"] or facts.record_number(dossier.sheet)
    came, left = digits_to_day(row["NGAY_VAO"]), digits_to_day(row["NGAY_RA"])
    days = treatment_days(row["MA_LOAI_KCB"], came, left) if came and left else None
    if not row["SO_NGAY_DTRI"] and days is not None:
        row["SO_NGAY_DTRI"] = str(days)
    if left and not (row["NAM_QT"] or row["THANG_QT"]):
        told_year, told_month = dossier.codes("NAM_QT"), dossier.codes("THANG_QT")
        row["NAM_QT"], row["THANG_QT"] = told_year or str(left.year), told_month or str(left.month)
    row["NGAY_TTOAN"] = row["NGAY_TTOAN"] or told_time("NGAY_TTOAN")(dossier.sheet)
    medicines = [line for _, line in xml2.write(dossier)]
    services = [line for _, line in xml3.write(dossier)]
    both = [*medicines, *services]
    for field, amount in visit_sums(medicines, services).items() if both else ():
        needed = _PARTS.get(field, (field,))
        if all(line.get(part) for line in both for part in needed):
            row[field] = written(amount)


_PARTS = {
    "T_THUOC": ("THANH_TIEN_BV",),
    "T_VTYT": ("THANH_TIEN_BV", "MA_NHOM"),
    "T_TONGCHI_BV": ("THANH_TIEN_BV",),
    "T_TONGCHI_BH": ("THANH_TIEN_BH",),
    "T_BHTT_GDV": ("T_BHTT", "MA_PTTT"),
}
"""Sum of XML1 → what every line has to tell for it, where that is not the field of the same name."""


def _cards(dossier: Dossier) -> list[Resource]:
    period = (dossier.encounter or {}).get("period", {})
    found = dossier.record.cards(period.get("start", ""), period.get("end", ""))
    return list({card["subscriberId"]: card for card in found}.values())


def _admitted(dossier: Dossier, *, told: bool) -> str:
    """Give when treatment in the ward was ordered; of a visit that came as XML only what it said."""
    part = next(iter(dossier.record.field_parts("NGAY_VAO_NOI_TRU", dossier.encounter)), {})
    if "valueDateTime" in part:
        return time_to_digits(part["valueDateTime"])
    return "" if told else facts.admitted_at(dossier.sheet)


def _weighed(dossier: Dossier) -> str:
    """Give the last weight of the visit in kilograms, with its digits when it was told so."""
    found = [
        one
        for one in dossier.of_visit("Observation")
        if any(c.get("code") == _WEIGHT and c.get("system") == LOINC for c in one["code"].get("coding", []))
        and one.get("valueQuantity", {}).get("system") == UCUM
    ]
    last = max(found, key=lambda one: one.get("effectiveDateTime", ""), default=None)
    if last is None:
        return dossier.field("CAN_NANG")
    value = last["valueQuantity"]
    return {"kg": digits(value["value"]), "g": digits(value["value"] / 1000)}.get(value.get("code", ""), "")


def _children(dossier: Dossier) -> list[str]:
    parts_told = dossier.record.field_parts("CAN_NANG_CON", dossier.encounter)
    return [wording.amount(one.get("valueQuantity", {})) or one.get("valueString", "") for one in parts_told]


def _again(dossier: Dossier) -> list[str]:
    parts_told = dossier.record.field_parts("NGAY_TAI_KHAM", dossier.encounter)
    return [date_to_digits(one.get("valueDateTime", "")) or one.get("valueString", "") for one in parts_told]


TABLE = TableMap("XML1", read, write, MAPPED)
