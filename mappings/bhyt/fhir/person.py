"""Whom a visit is about: the Patient, known by MA_BN as in HL7 v2, and the insurance cards as Coverages.

Fields that many tables repeat (HO_TEN, NGAY_SINH, MA_THE_BHYT …) are read here once, from XML1 where it is there, else from
the tables that are, and written here for all of them (`identity`, `cards`). Does not look a card up.

Standard: QĐ 3176/QĐ-BYT; NĐ 188/2025/NĐ-CP (cards)
"""

from __future__ import annotations

import re
from datetime import date
from hashlib import sha256
from itertools import zip_longest
from typing import Any

from mappings import codes
from mappings.bhyt import facts
from mappings.bhyt.decisions import digits_to_day
from mappings.bhyt.fhir.case import Case
from mappings.bhyt.fhir.dossier import Dossier
from mappings.bhyt.fhir.forms import (
    code_in,
    compact,
    concept,
    date_to_digits,
    digits_to_date,
    digits_to_time,
    extension,
    is_code,
    parts,
    told_to_digits,
)
from mappings.bhyt.fhir.stay import row_to_encounter
from mappings.bhyt.rows import Row
from mappings.bhyt.sheet import number_of
from mappings.bhyt.tables import NAMES, code_list
from mappings.formats.faults import DateInvalid
from mappings.formats.identifiers import Kind, classify
from mappings.ids import resource_id
from mappings.outcome import Resource
from mappings.vietnam_units import units

_CARD = re.compile(r"([A-Z]{2})([1-5])[0-9]{2}[0-9A-Z]{10}")
_BIRTH_TIME = "http://hl7.org/fhir/StructureDefinition/patient-birthTime"
_NATIONALITY = "http://hl7.org/fhir/StructureDefinition/patient-nationality"
_V2_0203 = "http://terminology.hl7.org/CodeSystem/v2-0203"
_TYPES = {
    "PI": "Patient internal identifier",
    "NI": "National unique individual identifier",
    "PPN": "Passport number",
    "SB": "Social Beneficiary Identifier",
}
_SEX = {"1": "male", "2": "female", "3": "unknown"}
_SAID = ("MA_BN", "SO_CCCD", "HO_TEN", "NGAY_SINH", "MA_THE_BHYT")
INSURER = "Bảo hiểm xã hội Việt Nam"


def open_case(case: Case) -> None:
    """Make the Patient and the Encounter every table of the visit is about; of what no table names, nothing."""
    row = told_of(case)
    if any(row.get(field) for field in _SAID):
        case.patient = case.add(row_to_patient(case, row))
    if case.number:
        case.encounter = case.add(row_to_encounter(case, row))
        unsaid = (("status", "NGAY_VAO"), ("class", "MA_LOAI_KCB"))
        assumed = tuple(element for element, field in unsaid if not row.get(field))
        if assumed:
            case.assumed[case.encounter] = assumed


def told_of(case: Case) -> Row:
    """Give what the tables say of the person and the visit: XML1 alone, without it what any table has, the first first."""
    summary = case.visit.one("XML1")
    if summary:
        return summary
    told: dict[str, str] = {}
    for name in NAMES:
        for field, text in case.visit.one(name).items():
            told[field] = told.get(field) or text
    if not told.get("MA_BN") and told.get("MA_YTE"):
        told["MA_BN"] = told["MA_YTE"]
    return told


# ---- the person ----


def row_to_patient(case: Case, row: Row) -> Resource:
    """Make the Patient: known by MA_BN, else by the personal number, else by the card, else by this visit alone."""
    identifiers = _identifiers(case, row)
    if identifiers:
        known_by = (identifiers[0]["system"], identifiers[0]["value"])
    elif case.number:
        known_by = (case.local("visit"), case.number)
    else:
        known_by = (case.local("bhyt-row"), sha256(repr(sorted(row.items())).encode()).hexdigest())
    born = digits_to_time(row.get("NGAY_SINH", ""))
    phone = row.get("DIEN_THOAI", "")
    patient: dict[str, Any] = {
        "resourceType": "Patient",
        "id": resource_id("Patient", *known_by),
        "extension": _extensions(case, row),
        "identifier": identifiers,
        "name": [{"text": row["HO_TEN"]}] if row.get("HO_TEN") else [],
        "telecom": [{"system": "phone", "value": phone}] if phone else [],
        "gender": _SEX.get(row.get("GIOI_TINH", "")),
        "birthDate": born[:10],
        "address": _address(case, row),
    }
    if "T" in born and not row["NGAY_SINH"].endswith("0000"):
        patient["_birthDate"] = {"extension": [{"url": _BIRTH_TIME, "valueDateTime": born}]}
    return compact(patient)


def _identifiers(case: Case, row: Row) -> list[Resource]:
    systems = case.systems
    found: list[tuple[str, str, str]] = [("PI", case.local("patient"), row.get("MA_BN", ""))]
    citizen = row.get("SO_CCCD", "")
    national = {
        Kind.CCCD: ("NI", systems.cccd),
        Kind.CMND: ("NI", systems.cmnd),
        Kind.PASSPORT: ("PPN", systems.passport),
    }.get(classify(citizen))
    if national:
        found.append((*national, citizen))
    found += [("SB", systems.bhyt, card) for card in dict.fromkeys(parts(row.get("MA_THE_BHYT", "")))]
    return [
        {"type": concept(kind, _V2_0203, _TYPES[kind]), "system": system, "value": value}
        for kind, system, value in found
        if value and classify(value) is not Kind.PLACEHOLDER
    ]


def _extensions(case: Case, row: Row) -> list[Resource]:
    found: list[Resource] = []
    group = codes.table("ma-dantoc").find(row.get("MA_DANTOC", ""))
    if group:
        coding = {"system": f"{case.systems.national}/CodeSystem/vn-ethnicity-cs", "code": group.target}
        value = {"coding": [coding | {"display": group.display}]}
        found.append({"url": case.national("vn-ext-ethnicity"), "valueCodeableConcept": value})
    country = row.get("MA_QUOCTICH", "")
    if is_code(country):
        codings = [{"system": case.code_system("MA_QUOCTICH"), "code": country}]
        if country == "000":
            codings.insert(0, {"system": "urn:iso:std:iso:3166", "code": "VN", "display": "Việt Nam"})
        inner = {"url": "code", "valueCodeableConcept": {"coding": codings}}
        found.append({"url": _NATIONALITY, "extension": [inner]})
    job = row.get("MA_NGHE_NGHIEP", "")
    if is_code(job):
        listed = code_list("MA_NGHE_NGHIEP")
        known = listed.find(job) if listed else None
        value = concept(job, case.code_system("MA_NGHE_NGHIEP"), known.vi if known else "")
        found.append({"url": case.national("vn-ext-occupation"), "valueCodeableConcept": value})
    return found


def _address(case: Case, row: Row) -> list[Resource]:
    """Give the residence: its words, province and ward as codes of the list of the day, and the old district's code."""
    day = digits_to_day(row.get("NGAY_RA", "")) or digits_to_day(row.get("NGAY_VAO", ""))
    ward = row.get("MAXA_CU_TRU", "")
    coded: list[Resource] = list(_units(row.get("MATINH_CU_TRU", ""), ward, day, case)) if day else []
    district = row.get("MAHUYEN_CU_TRU", "")
    if is_code(district):
        value = {"system": case.code_system("MAHUYEN_CU_TRU"), "code": district}
        coded.append({"url": case.structure("district"), "valueCoding": value})
    if is_code(ward) and day and not any(one["url"].endswith("vn-ext-ward") for one in coded):
        value = {"system": case.code_system("MAXA_CU_TRU"), "code": ward}
        coded.append({"url": case.structure("ward"), "valueCoding": value})
    address = compact({"extension": coded, "text": row.get("DIA_CHI", "")})
    return [address] if address else []


def _units(province: str, ward: str, day: date, case: Case) -> tuple[Resource, ...]:
    return units(province if province.isdigit() else "", "", ward, day, case.systems.national)


def identity(dossier: Dossier) -> dict[str, str]:
    """Give the fields of the person that many tables repeat, as the record has them."""
    sheet, patient = dossier.sheet, dossier.patient
    systems = dossier.systems
    own = systems.local(dossier.facility, "patient")
    try:
        born = facts.born_at(sheet)
    except DateInvalid:
        born = ""
    nation: Resource = next(iter(extension(patient, "/patient-nationality").get("extension", [])), {})
    return {
        "MA_BN": number_of(patient, lambda system: system == own)
        or number_of(patient, lambda system: system.endswith("/patient")),
        "HO_TEN": facts.full_name(sheet),
        "SO_CCCD": number_of(patient, lambda system: system == systems.cccd)
        or number_of(patient, lambda system: system in (systems.cmnd, systems.passport)),
        "NGAY_SINH": born,
        "GIOI_TINH": facts.sex(sheet),
        "MA_QUOCTICH": code_in(nation.get("valueCodeableConcept"), "/qd3176-ma-quoctich") or facts.nationality(sheet),
        "MA_DANTOC": facts.ethnicity(sheet),
        "MA_NGHE_NGHIEP": facts.occupation(sheet),
        "DIA_CHI": facts.residence(sheet),
        "DIEN_THOAI": next(
            (one["value"] for one in patient.get("telecom", []) if one.get("system") == "phone" and one.get("value")),
            "",
        ),
        **_residence(patient),
    }


def _residence(patient: Resource) -> dict[str, str]:
    address: Resource = next((one for one in patient.get("address", []) if one.get("use") != "old"), {})
    found = {
        one["url"].rpartition("/")[2]: one.get("valueCoding", {}).get("code", "")
        for one in address.get("extension", [])
    }
    return {
        "MATINH_CU_TRU": found.get("vn-ext-province", ""),
        "MAHUYEN_CU_TRU": found.get("district", ""),
        "MAXA_CU_TRU": found.get("vn-ext-ward") or found.get("ward", ""),
    }


# ---- the cards ----


def rows_to_coverages(case: Case, row: Row) -> list[str]:
    """Make a Coverage of every card and refer to them in their order.

    Facility of first care, begin and end belong to a card by their place in the `;` list; a list of another length belongs to
    none. What is printed on the newest card alone (area, five years, exemption) stays with the first.
    """
    cards = parts(row.get("MA_THE_BHYT", ""))
    if not cards or not all(cards) or not case.patient:
        return []
    places, starts, ends = (_beside(row.get(name, ""), cards) for name in ("MA_DKBD", "GT_THE_TU", "GT_THE_DEN"))
    found = []
    for n, (card, place, start, end) in enumerate(zip_longest(cards, places, starts, ends, fillvalue=""), 1):
        first = row if n == 1 else {}
        form = _CARD.fullmatch(card)
        classes = [_class(case, "benefit-level", "Mức hưởng BHYT", form[2])] if form else []
        if first.get("MA_KHUVUC"):
            classes.append(_class(case, "area", "Mã nơi sinh sống", first["MA_KHUVUC"]))
        coverage = {
            "resourceType": "Coverage",
            "id": resource_id("Coverage", case.systems.bhyt, f"{case.patient}|{card}"),
            "extension": _card_extensions(case, form[1] if form else "", place, first),
            "identifier": [{"type": concept("SB", _V2_0203, _TYPES["SB"]), "system": case.systems.bhyt, "value": card}],
            "status": "active",
            "subscriberId": card,
            "beneficiary": {"reference": case.patient},
            "period": compact({"start": digits_to_date(start), "end": digits_to_date(end)}),
            "payor": [{"display": INSURER}],
            "class": classes,
        }
        period = coverage["period"]
        if isinstance(period, dict) and "start" in period and "end" in period and period["end"] < period["start"]:
            del period["end"]
        found.append(case.add(compact(coverage)))
    return list(dict.fromkeys(found))


def _beside(text: str, cards: list[str]) -> list[str]:
    values = parts(text)
    return values if len(values) == len(cards) else [""] * len(cards)


def _class(case: Case, code: str, words: str, value: str) -> Resource:
    return {"type": concept(code, f"{case.systems.own}/CodeSystem/coverage-class", "", words), "value": value}


def _card_extensions(case: Case, group: str, place: str, row: Row) -> list[Resource]:
    found: list[Resource] = []
    if group:
        value = concept(group, f"{case.systems.national}/CodeSystem/vn-bhyt-card-type-cs")
        found.append({"url": case.national("vn-ext-bhyt-card-type"), "valueCodeableConcept": value})
    if place:
        found.append({"url": case.national("vn-ext-primary-care-facility"), "valueReference": case.organization(place)})
    exempt = digits_to_time(row.get("NGAY_MIEN_CCT", ""))
    if exempt:
        found.append({"url": case.structure("copayment-exempt-from"), "valueDateTime": exempt})
    five_years = digits_to_date(row.get("NAM_NAM_LIEN_TUC", ""))
    if five_years:
        found.append({"url": case.structure("five-years-insured-on"), "valueDate": five_years})
    return found


def cards(dossier: Dossier, coverages: list[Resource]) -> dict[str, str]:
    """Give the card fields of Coverages in their order."""
    if not coverages:
        return {}
    numbers = [one.get("subscriberId", "") for one in coverages]
    places = [
        dossier.facility_of(extension(one, "/vn-ext-primary-care-facility").get("valueReference")) for one in coverages
    ]
    starts = [date_to_digits(one.get("period", {}).get("start", "")) for one in coverages]
    ends = [date_to_digits(one.get("period", {}).get("end", "")) for one in coverages]
    first = coverages[0]
    area = (
        one.get("value", "") for one in first.get("class", []) if code_in(one.get("type"), "/coverage-class") == "area"
    )
    return {
        "MA_THE_BHYT": ";".join(numbers),
        "MA_DKBD": ";".join(places) if any(places) else "",
        "GT_THE_TU": ";".join(starts) if any(starts) else "",
        "GT_THE_DEN": ";".join(ends) if any(ends) else "",
        "MA_KHUVUC": next(area, ""),
        "NGAY_MIEN_CCT": told_to_digits(extension(first, "/copayment-exempt-from").get("valueDateTime", "")),
        "NAM_NAM_LIEN_TUC": date_to_digits(extension(first, "/five-years-insured-on").get("valueDate", "")),
    }
