"""Table XML9 of a birth certificate: one row, for one child. Of twins each has a certificate of its own."""

from __future__ import annotations

from collections.abc import Mapping

from mappings.bhyt import facts
from mappings.bhyt.sheet import (
    FieldSource,
    Sheet,
    nothing,
    number_of,
    told,
    told_code,
    told_day,
    told_number,
    told_time,
)
from mappings.documents import wording
from mappings.documents.record import relation_codes
from mappings.formats import dates
from mappings.outcome import Resource

SUBJECT = "Patient"


def _relative(sheet: Sheet, *roles: str) -> Resource:
    """Give the relative in the first of the roles; of several the one with a name."""
    for role in roles:
        known = [one for one in sheet.record.relatives(sheet.patient) if role in relation_codes(one)]
        if known:
            return next((one for one in known if one.get("name")), known[0])
    return {}


def _carer(sheet: Sheet) -> Resource:
    return _relative(sheet, "MTH", "GUARD", "GRD")


def carer_social_number(sheet: Sheet) -> str:
    own = number_of(_carer(sheet), lambda system: system == sheet.systems.bhxh)
    return told_number("MA_BHXH_NND")(sheet) or own


def carer_card(sheet: Sheet) -> str:
    own = number_of(_carer(sheet), lambda system: system == sheet.systems.bhyt)
    return told_number("MA_THE_NND")(sheet) or own


def carer_name(sheet: Sheet) -> str:
    return told("HO_TEN_NND")(sheet) or wording.name(_carer(sheet))


def carer_born_on(sheet: Sheet) -> str:
    own = _carer(sheet).get("birthDate", "")
    return told_day("NGAYSINH_NND")(sheet) or dates.fhir_to_yyyymmdd(own)


def carer_people(sheet: Sheet) -> str:
    code = told_code("MA_DANTOC_NND")(sheet)
    return code.zfill(2) if code.isdigit() else code


def carer_number(sheet: Sheet) -> str:
    systems = sheet.systems
    known = (number_of(_carer(sheet), wanted.__eq__) for wanted in (systems.cccd, systems.passport, systems.cmnd))
    return told_number("SO_CCCD_NND")(sheet) or next((one for one in known if one), "")


def carer_residence(sheet: Sheet) -> str:
    return told("NOI_CU_TRU_NND")(sheet) or wording.address(_carer(sheet))


def father_name(sheet: Sheet) -> str:
    return told("HO_TEN_CHA")(sheet) or wording.name(_relative(sheet, "FTH"))


def child_sex(sheet: Sheet) -> str:
    return told_code("GIOI_TINH_CON")(sheet) or facts.sex(sheet)


def born_at(sheet: Sheet) -> str:
    return told_time("NGAY_SINH_CON")(sheet) or facts.born_at(sheet)


def birth_place(sheet: Sheet) -> str:
    own = (
        one.get("valueAddress", {}).get("text", "")
        for one in sheet.patient.get("extension", [])
        if one.get("url", "").endswith("patient-birthPlace")
    )
    return told("NOI_SINH_CON")(sheet) or next((text for text in own if text), "")


SOURCES: Mapping[str, FieldSource] = {
    "MA_LK": facts.visit_number,
    "MA_BHXH_NND": carer_social_number,
    "MA_THE_NND": carer_card,
    "HO_TEN_NND": carer_name,
    "NGAYSINH_NND": carer_born_on,
    "MA_DANTOC_NND": carer_people,
    "SO_CCCD_NND": carer_number,
    "NGAYCAP_CCCD_NND": told_day("NGAYCAP_CCCD_NND"),
    "NOICAP_CCCD_NND": told("NOICAP_CCCD_NND"),
    "NOI_CU_TRU_NND": carer_residence,
    "MA_QUOCTICH": facts.nationality,
    "MATINH_CU_TRU": told_code("MATINH_CU_TRU"),
    "MAHUYEN_CU_TRU": told_code("MAHUYEN_CU_TRU"),
    "MAXA_CU_TRU": told_code("MAXA_CU_TRU"),
    "HO_TEN_CHA": father_name,
    "MA_THE_TAM": told_number("MA_THE_TAM"),
    "HO_TEN_CON": told("HO_TEN_CON"),
    "GIOI_TINH_CON": child_sex,
    "SO_CON": told("SO_CON"),
    "LAN_SINH": told("LAN_SINH"),
    "SO_CON_SONG": told("SO_CON_SONG"),
    "CAN_NANG_CON": told("CAN_NANG_CON"),
    "NGAY_SINH_CON": born_at,
    "NOI_SINH_CON": birth_place,
    "TINH_TRANG_CON": told("TINH_TRANG_CON"),
    "SINHCON_PHAUTHUAT": told_code("SINHCON_PHAUTHUAT"),
    "SINHCON_DUOI32TUAN": told_code("SINHCON_DUOI32TUAN"),
    "GHI_CHU": told("GHI_CHU"),
    "NGUOI_DO_DE": told("NGUOI_DO_DE"),
    "NGUOI_GHI_PHIEU": told("NGUOI_GHI_PHIEU"),
    "NGAY_CT": facts.issued_on,
    "SO": told("SO"),
    "QUYEN_SO": told("QUYEN_SO"),
    "MA_TTDV": facts.head_licence,
    "DU_PHONG": nothing,
}
