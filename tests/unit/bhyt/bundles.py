"""Papers as document Bundles, made by hand: the smallest ones the insurance portal has a table for."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from mappings.systems import DEFAULT, ICD10, LOINC

HEAD = "000001/HNO-GPHN"


def coded(system: str, code: str, text: str = "") -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code}], **({"text": text} if text else {})}


def told(name: str, text: str = "", code: str = "") -> dict[str, Any]:
    value = {"valueCodeableConcept": coded("https://x.example", code, text)} if code else {"valueString": text}
    return {
        "resourceType": "Observation",
        "id": name.lower().replace("_", "-"),
        "status": "final",
        "code": coded(DEFAULT.field, name),
        "encounter": {"reference": "Encounter/e"},
        **value,
    }


def patient() -> dict[str, Any]:
    return {
        "resourceType": "Patient",
        "id": "p",
        "identifier": [
            {"system": DEFAULT.local("79999", "patient"), "value": "khác"},
            {"system": DEFAULT.local("01999", "patient"), "value": "BN1"},
        ],
        "extension": [
            {
                "url": f"{DEFAULT.national}/StructureDefinition/vn-ext-ethnicity",
                "valueCodeableConcept": {
                    "coding": [{"system": f"{DEFAULT.national}/CodeSystem/vn-ethnicity-cs", "code": "02"}]
                },
            },
            {
                "url": "http://hl7.org/fhir/StructureDefinition/patient-nationality",
                "extension": [{"url": "code", "valueCodeableConcept": coded("urn:iso:std:iso:3166", "VNM")}],
            },
        ],
        "name": [{"text": "Nông Thị <Mẫu> & Con"}],
        "gender": "female",
        "birthDate": "1980",
        "address": [{"text": "Bản Mẫu, xã Mẫu, Cao Bằng"}],
    }


def encounter() -> dict[str, Any]:
    return {
        "resourceType": "Encounter",
        "id": "e",
        "identifier": [{"system": DEFAULT.local("01999", "visit"), "value": "LK1"}],
        "status": "finished",
        "class": {"code": "IMP"},
        "period": {"start": "2026-11-01T01:30:00Z", "end": "2026-11-04T20:05:59Z"},
        "diagnosis": [
            {"condition": {"reference": "Condition/c2"}, "rank": 2},
            {"condition": {"reference": "Condition/c1"}, "rank": 1},
        ],
        "location": [{"location": {"reference": "Location/bed"}}],
        "hospitalization": {
            "dischargeDisposition": coded(f"{DEFAULT.national}/CodeSystem/vn-discharge-disposition-cs", "2")
        },
    }


def condition(number: int, code: str, text: str) -> dict[str, Any]:
    return {"resourceType": "Condition", "id": f"c{number}", "code": coded(ICD10, code, text)}


def common() -> list[dict[str, Any]]:
    ward = coded("http://terminology.hl7.org/CodeSystem/location-physical-type", "wa")
    return [
        patient(),
        encounter(),
        condition(1, "J18.9", "Viêm phổi"),
        condition(2, "E11.9", "Đái tháo đường típ 2"),
        {"resourceType": "Location", "id": "bed", "name": "G05", "partOf": {"reference": "Location/ward"}},
        {
            "resourceType": "Location",
            "id": "ward",
            "name": "Nội",
            "identifier": [{"system": DEFAULT.local("01999", "department"), "value": "K03"}],
            "physicalType": ward,
        },
        {
            "resourceType": "Coverage",
            "id": "old",
            "subscriberId": "GD4010000000001",
            "period": {"start": "2026-01-01", "end": "2026-06-30"},
        },
        {
            "resourceType": "Coverage",
            "id": "new",
            "subscriberId": "GD4010000000002",
            "period": {"start": "2026-07-01", "end": "2026-12-31"},
        },
        {
            "resourceType": "Practitioner",
            "id": "d",
            "identifier": [
                {"system": DEFAULT.staff, "value": "NV7"},
                {"system": DEFAULT.licence, "value": "000123/HNO-CCHN"},
            ],
            "name": [{"text": "Lê Mẫu"}],
        },
        {
            "resourceType": "Organization",
            "id": "f",
            "identifier": [{"system": DEFAULT.facility, "value": "01999"}],
            "name": "Bệnh viện Mẫu",
        },
    ]


def paper(name: str, *own: dict[str, Any]) -> dict[str, Any]:
    """Make the Bundle; what is the paper's own also stands in its section."""
    composition = {
        "resourceType": "Composition",
        "id": "k",
        "type": {"coding": [{"system": LOINC, "code": "x"}, {"system": DEFAULT.paper, "code": name}]},
        "subject": {"reference": "Patient/p"},
        "encounter": {"reference": "Encounter/e"},
        "date": "2026-11-05T03:15:00+07:00",
        "author": [{"reference": "Practitioner/d"}],
        "custodian": {"reference": "Organization/f"},
        "section": [{"entry": [{"reference": f"{one['resourceType']}/{one['id']}"} for one in own]}],
    }
    return {"resourceType": "Bundle", "entry": [{"resource": one} for one in (composition, *common(), *own)]}


def discharge_paper(*more: dict[str, Any]) -> dict[str, Any]:
    return paper(
        "discharge_paper",
        told("PP_DIEUTRI", "Kháng sinh\nTruyền dịch"),
        told("GHI_CHU", "Nghỉ 5 ngày"),
        told("LOI_DAN", "Uống đủ nước"),
        *more,
    )


def referral(*more: dict[str, Any]) -> dict[str, Any]:
    request = {
        "resourceType": "ServiceRequest",
        "id": "r",
        "identifier": [{"system": DEFAULT.local("01999", "referral"), "value": "CT7"}],
        "performer": [{"reference": "Organization/to"}],
        "reasonCode": [coded("https://x.example/MA_LYDO_CT", "2")],
    }
    to = {
        "resourceType": "Organization",
        "id": "to",
        "identifier": [{"system": DEFAULT.facility, "value": "01929"}],
    }
    names = ("DAU_HIEU_LS", "QT_BENHLY", "TINH_TRANG_CT", "HUONG_DIEU_TRI", "PHUONGTIEN_VC", "TOMTAT_KQ")
    texts = [told(name, f"Chữ của {name}") for name in names]
    return paper("referral", request, to, *texts, told("MA_NGHE_NGHIEP", "Nông dân", "61"), *more)


def reexamination(*more: dict[str, Any]) -> dict[str, Any]:
    appointment = {
        "resourceType": "Appointment",
        "id": "a",
        "identifier": [{"value": "HK3"}],
        "start": "2026-11-18T18:00:00Z",
    }
    return paper("reexamination", appointment, *more)


def lab_report(*more: dict[str, Any]) -> dict[str, Any]:
    results: list[dict[str, Any]] = [
        {
            "resourceType": "Observation",
            "id": "glu",
            "status": "final",
            "code": {
                "coding": [{"system": LOINC, "code": "2345-7"}, {"system": "https://x.example/lis", "code": "GLU"}],
                "text": "Đường huyết",
            },
            "valueQuantity": {"value": Decimal("4.50"), "unit": "mmol/L"},
            "issued": "2026-11-02T00:05:00Z",
            "note": [{"text": "Đã kiểm tra lại"}],
        },
        {
            "resourceType": "Observation",
            "id": "void",
            "status": "cancelled",
            "code": {"text": "Bỏ"},
        },
        {
            "resourceType": "Observation",
            "id": "gas",
            "status": "final",
            "code": {"text": "Khí máu"},
            "component": [
                {"code": {"text": "Độ pH"}, "valueQuantity": {"value": Decimal("7.400"), "comparator": ">"}},
                {"code": {"text": "Nhận xét dài"}, "valueString": "x" * 256},
            ],
        },
    ]
    report = {
        "resourceType": "DiagnosticReport",
        "id": "l",
        "code": coded("https://x.example/dvkt", "23.0075.1494"),
        "issued": "2026-11-02T08:00:00+07:00",
        "conclusion": "Bình thường",
        "performer": [{"reference": "Practitioner/d"}],
        "result": [{"reference": f"Observation/{one['id']}"} for one in [*results, *more]],
    }
    return paper("lab_report", report, *results, *more)


PAPERS = (discharge_paper, referral, reexamination, lab_report)
