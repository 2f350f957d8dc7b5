"""Made-up records that papers can be composed of, one per paper, and the parts to build others from."""

from __future__ import annotations

from copy import deepcopy
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from mappings.documents import Context, Facility
from mappings.outcome import Resource
from mappings.systems import DEFAULT, ICD10, LOINC, UCUM

FACILITY = Facility(
    code="01999",
    name="Bệnh viện Đa khoa Sông Hồng",
    governing_body="SỞ Y TẾ HÀ NỘI",
    address="Số 1 đường Thử Nghiệm, phường Bồ Đề, Hà Nội",
    phone="024 0000 0000",
)
CONTEXT = Context(
    facility=FACILITY,
    systems=DEFAULT,
    issued_at=datetime(2026, 11, 5, 3, 15, 30, tzinfo=UTC),
    number="0192f6a0-1111-7abc-8def-0123456789ab",
)
_ROLE = "http://terminology.hl7.org/CodeSystem/v3-RoleCode"
_USE = "http://terminology.hl7.org/CodeSystem/diagnosis-role"
_PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
_ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
_PLACE = "http://terminology.hl7.org/CodeSystem/location-physical-type"
_FLAG = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"


def coded(system: str, code: str, display: str = "") -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code, **({"display": display} if display else {})}]}


def ref(resource_type: str, resource_id: str) -> dict[str, Any]:
    return {"reference": f"{resource_type}/{resource_id}"}


def patient() -> Resource:
    return {
        "resourceType": "Patient",
        "id": "bn1",
        "extension": [
            {
                "url": f"{DEFAULT.national}/StructureDefinition/vn-ext-ethnicity",
                "valueCodeableConcept": coded(f"{DEFAULT.national}/CodeSystem/vn-ethnicity-cs", "01", "Kinh"),
            },
            {
                "url": "http://hl7.org/fhir/StructureDefinition/patient-nationality",
                "extension": [{"url": "code", "valueCodeableConcept": coded("urn:iso:std:iso:3166", "VNM")}],
            },
        ],
        "identifier": [
            {"system": DEFAULT.local("01999", "patient"), "value": "BN0001"},
            {"system": DEFAULT.cccd, "value": "001186000001"},
        ],
        "name": [{"use": "official", "text": "Đặng Thị Thuỳ Ưởng", "family": "Đặng", "given": ["Thị", "Thuỳ", "Ưởng"]}],
        "gender": "female",
        "birthDate": "1986-03-12",
        "address": [{"use": "home", "text": "Thôn Đoài, xã Yên Sở, Hà Nội"}],
    }


def child() -> Resource:
    """A child of 20 months without any number but the hospital's."""
    found = patient()
    found["identifier"] = found["identifier"][:1]
    found["birthDate"] = "2025-03-01"
    found["gender"] = "male"
    found["name"] = [{"text": "Nguyễn Gia Bảo"}]
    return found


def mother() -> Resource:
    return {
        "resourceType": "RelatedPerson",
        "id": "me1",
        "patient": ref("Patient", "bn1"),
        "relationship": [coded(_ROLE, "MTH", "mother")],
        "name": [{"text": "Trần Thị Hoà"}],
    }


def coverage() -> Resource:
    return {
        "resourceType": "Coverage",
        "id": "bhyt1",
        "identifier": [{"system": DEFAULT.bhyt, "value": "GD4010112345678"}],
        "status": "active",
        "subscriberId": "GD4010112345678",
        "beneficiary": ref("Patient", "bn1"),
        "period": {"start": "2026-01-01", "end": "2026-12-31"},
        "payor": [{"display": "Bảo hiểm xã hội Việt Nam"}],
    }


def doctor(resource_id: str = "bs1", name: str = "Lê Quốc Vượng", licence: str = "000123/HNO-CCHN") -> Resource:
    return {
        "resourceType": "Practitioner",
        "id": resource_id,
        "identifier": [{"system": DEFAULT.licence, "value": licence}],
        "name": [{"text": name}],
    }


def organization() -> Resource:
    return {
        "resourceType": "Organization",
        "id": "cskcb",
        "identifier": [{"system": DEFAULT.facility, "value": "01999"}],
    }


def places() -> list[Resource]:
    return [
        {
            "resourceType": "Location",
            "id": "khoa",
            "name": "K03",
            "physicalType": coded(_PLACE, "wa", "Ward"),
        },
        {
            "resourceType": "Location",
            "id": "giuong",
            "name": "G05",
            "description": "Khoa Nội tổng hợp",
            "physicalType": coded(_PLACE, "bd", "Bed"),
            "partOf": ref("Location", "khoa"),
        },
    ]


def condition(resource_id: str, code: str, text: str) -> Resource:
    return {
        "resourceType": "Condition",
        "id": resource_id,
        "code": {**coded(ICD10, code), "text": text},
        "subject": ref("Patient", "bn1"),
        "encounter": ref("Encounter", "dt1"),
    }


def encounter(end: str = "2026-11-05T10:05:00+07:00") -> Resource:
    return {
        "resourceType": "Encounter",
        "id": "dt1",
        "identifier": [{"system": DEFAULT.local("01999", "visit"), "value": "DT26000042"}],
        "status": "finished",
        "class": {
            "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode",
            "code": "IMP",
            "display": "inpatient encounter",
        },
        "subject": ref("Patient", "bn1"),
        "participant": [
            {"type": [coded(_PARTICIPATION, "ATND", "attender")], "individual": ref("Practitioner", "bs1")}
        ],
        "period": {"start": "2026-11-01T08:30:00+07:00", **({"end": end} if end else {})},
        "diagnosis": [
            {"condition": ref("Condition", "cd0"), "use": coded(_USE, "AD")},
            {"condition": ref("Condition", "cd2"), "use": coded(_USE, "DD"), "rank": 2},
            {"condition": ref("Condition", "cd1"), "use": coded(_USE, "DD"), "rank": 1},
        ],
        "location": [{"location": ref("Location", "giuong"), "status": "completed"}],
        "serviceProvider": ref("Organization", "cskcb"),
    }


def field(code: str, text: str, visit: str = "dt1") -> Resource:
    return {
        "resourceType": "Observation",
        "id": f"f-{code.lower().replace('_', '-')}-{visit}",
        "status": "final",
        "code": coded(DEFAULT.field, code),
        "subject": ref("Patient", "bn1"),
        "encounter": ref("Encounter", visit),
        "effectiveDateTime": "2026-11-05T10:00:00+07:00",
        "valueString": text,
    }


def base() -> list[Resource]:
    """Person, card, visit, diagnoses, people and places of one inpatient stay."""
    return [
        patient(),
        coverage(),
        doctor(),
        organization(),
        *places(),
        encounter(),
        condition("cd0", "R50.9", "Sốt chưa rõ nguyên nhân"),
        condition("cd1", "J18.9", "Viêm phổi, tác nhân không xác định"),
        condition("cd2", "E11.9", "Đái tháo đường típ 2"),
    ]


def discharge() -> tuple[str, list[Resource]]:
    texts = [
        field("PP_DIEUTRI", "Kháng sinh: Ceftriaxon 2 g/ngày\nHạ sốt, bù dịch"),
        field("GHI_CHU", "Nghỉ ngoại trú 05 ngày."),
        field("LOI_DAN", "Uống nhiều nước, khám lại khi sốt"),
        field("NGHE_NGHIEP", "Giáo viên"),
        field("NGAYCAP_CCCD", "20210512"),
    ]
    return "Encounter/dt1", [*base(), *texts]


def referral() -> tuple[str, list[Resource]]:
    request = {
        "resourceType": "ServiceRequest",
        "id": "ct1",
        "identifier": [{"system": DEFAULT.local("01999", "referral"), "value": "CT26000007"}],
        "status": "active",
        "intent": "order",
        "category": [coded("http://snomed.info/sct", "3457005", "Patient referral")],
        "subject": ref("Patient", "bn1"),
        "encounter": ref("Encounter", "dt1"),
        "occurrencePeriod": {"start": "2026-11-05T10:05:00+07:00", "end": "2026-11-19"},
        "requester": ref("Practitioner", "bs1"),
        "performer": [ref("Organization", "den")],
        "reasonCode": [coded(DEFAULT.local("01999", "code-ma-lydo-ct"), "2")],
    }
    receiver = {
        "resourceType": "Organization",
        "id": "den",
        "identifier": [{"system": DEFAULT.facility, "value": "01998"}],
        "name": "Bệnh viện Trung ương Thử Nghiệm",
    }
    texts = [
        field("DAU_HIEU_LS", "Khó thở, SpO2 90%"),
        field("TOMTAT_KQ", "Bạch cầu 18.40 G/L"),
        field("PP_DIEUTRI", "Thở oxy, kháng sinh"),
        field("TEN_THUOC", "Ceftriaxon"),
        field("TINH_TRANG_CT", "Tỉnh, huyết áp 110/70 mmHg"),
        field("HUONG_DIEU_TRI", "Hồi sức tích cực"),
        field("MA_LYDO_CT", "2"),
        field("PHUONGTIEN_VC", "Xe cứu thương"),
        field("HOTEN_NGUOI_HT", "Vũ Thị Ngọc Ánh"),
        field("CHUCDANH_NGUOI_HT", "Điều dưỡng"),
        field("SO_CHUYENTUYEN", "412/2026"),
        field("NGHE_NGHIEP", "Giáo viên"),
    ]
    return "ServiceRequest/ct1", [*base(), request, receiver, *texts]


def reexamination() -> tuple[str, list[Resource]]:
    appointment = {
        "resourceType": "Appointment",
        "id": "hen1",
        "identifier": [{"system": DEFAULT.local("01999", "appointment"), "value": "HK26000003"}],
        "status": "booked",
        "appointmentType": coded("http://terminology.hl7.org/CodeSystem/v2-0276", "FOLLOWUP"),
        "start": "2026-11-19T08:00:00+07:00",
        "end": "2026-11-19T08:15:00+07:00",
        "participant": [
            {"actor": ref("Patient", "bn1"), "status": "accepted"},
            {"actor": ref("Practitioner", "bs1"), "status": "accepted"},
        ],
    }
    return "Appointment/hen1", [*base(), appointment, field("LOI_DAN", "Uống thuốc theo đơn")]


FORMED = frozenset(
    {
        "DEN_NGAY",
        "MA_GBT",
        "MA_GCS",
        "MA_LYDO_CT",
        "NGAY_SINH_CON",
        "NGAY_TV",
        "SO_NGAY",
        "SO_NGAY_NGHI",
        "TU_NGAY",
    }
)
"""Told fields that a paper does not take in any form."""


def outpatient() -> list[Resource]:
    record = base()
    visit = next(one for one in record if one["resourceType"] == "Encounter")
    visit["class"] = {**visit["class"], "code": "AMB", "display": "ambulatory"}
    return record


def record_summary() -> tuple[str, list[Resource]]:
    texts = [
        field("LYDO_VVIEN", "Sốt, ho"),
        field("QT_BENHLY", "Sốt 3 ngày, ho đờm; kháng sinh 5 ngày, hết sốt"),
        field("TIEN_SU_BENH", "Đái tháo đường"),
        field("DAU_HIEU_LAM_SANG", "Ran nổ đáy phổi phải"),
        field("TOMTAT_KQ", "Bạch cầu 18.40 G/L"),
        field("NOI_KHOA", "Ceftriaxon"),
        field("TT_RAVIEN", "2"),
        field("HUONG_DIEU_TRI", "Khám lại sau 1 tuần"),
        field("NGHE_NGHIEP", "Giáo viên"),
    ]
    return "Encounter/dt1", [*base(), *texts]


def death_notice() -> tuple[str, list[Resource]]:
    record = base()
    record[0]["deceasedDateTime"] = "2026-11-05T09:45:00+07:00"
    texts = [
        field("SO_BAOTU", "57"),
        field("QUYEN_SO", "01/2026"),
        field("MA_GBT", "00057.GBT.01999.26"),
        field("NGAY_TV", "20261105094500"),
        field("NGUYENNHAN_TV", "Suy hô hấp"),
        field("NGUOI_GHIGIAY", "Lê Quốc Vượng"),
        field("NGUOI_THANTHICH", "Trần Văn Hoà"),
        field("NGAY_CAPGIAYBT", "20261105"),
    ]
    return "Encounter/dt1", [*record, *texts]


def leave_paper() -> tuple[str, list[Resource]]:
    texts = [
        field("SO_NGAY_NGHI", "3"),
        field("TU_NGAY", "20261101"),
        field("DEN_NGAY", "20261103"),
        field("SO_KCB", "1207"),
        field("MA_BHXH", "0119000310"),
        field("DON_VI", "Trường Tiểu học Sông Hồng"),
        field("PP_DIEUTRI", "Kháng sinh, nghỉ ngơi"),
    ]
    return "Encounter/dt1", [*outpatient(), *texts]


def maternity_rest_paper() -> tuple[str, list[Resource]]:
    texts = [
        field("SO_NGAY", "14"),
        field("TU_NGAY", "20261101"),
        field("DEN_NGAY", "20261114"),
        field("SO_CT", "88"),
        field("SO_SERI", "DT-000088"),
        field("MA_BHXH", "0119000310"),
        field("DON_VI", "Trường Tiểu học Sông Hồng"),
        field("TUOI_THAI", "11"),
    ]
    return "Encounter/dt1", [*outpatient(), *texts]


def birth_certificate() -> tuple[str, list[Resource]]:
    record = base()
    record[0].update(birthDate="2026-11-01", name=[{"text": "CB Trần Thị Hoà"}])
    texts = [
        field("MA_GCS", "00311.GCS.01999.26"),
        field("SO", "311"),
        field("QUYEN_SO", "03/2026"),
        field("NGAY_SINH_CON", "20261101083000"),
        field("NOI_SINH_CON", "Bệnh viện Đa khoa Sông Hồng"),
        field("NGAYSINH_NND", "19900214"),
        field("MA_DANTOC_NND", "3"),
        field("SO_CCCD_NND", "001190000310"),
        field("NOI_CU_TRU_NND", "Bản Nà Nghè, xã Chiềng Sinh, Sơn La"),
        field("MA_BHXH_NND", "0000000000"),
        field("SO_CON", "1"),
        field("CAN_NANG_CON", "3100"),
        field("NGUOI_DO_DE", "Lê Quốc Vượng"),
    ]
    return "Patient/bn1", [*record, mother(), *texts]


def result(resource_id: str, name: str, **value: Any) -> Resource:
    return {
        "resourceType": "Observation",
        "id": resource_id,
        "status": "final",
        "code": {**coded(LOINC, "2345-7"), "text": name},
        "subject": ref("Patient", "bn1"),
        "encounter": ref("Encounter", "dt1"),
        "effectiveDateTime": "2026-11-02T06:30:00+07:00",
        **value,
    }


def lab_report() -> tuple[str, list[Resource]]:
    glucose = result(
        "kq1",
        "Glucose máu",
        valueQuantity={"value": Decimal("4.50"), "unit": "mmol/L", "system": UCUM, "code": "mmol/L"},
        referenceRange=[{"low": {"value": Decimal("3.90")}, "high": {"value": Decimal("6.40")}}],
    )
    potassium = result(
        "kq2",
        "Kali máu",
        valueQuantity={"value": Decimal("2.80"), "unit": "mmol/L", "system": UCUM, "code": "mmol/L"},
        interpretation=[coded(_FLAG, "LL", "Critical low")],
        referenceRange=[{"text": "3.5 - 5.1"}],
        note=[{"text": "Đã báo bác sĩ lúc 07:00"}],
    )
    crp = result("kq3", "CRP", valueQuantity={"value": Decimal("0.30"), "comparator": "<", "unit": "mg/dL lạ"})
    group = result("kq4", "Nhóm máu", valueString="O Rh(D) dương")
    report = {
        "resourceType": "DiagnosticReport",
        "id": "pk1",
        "identifier": [
            {"system": DEFAULT.local("01999", "order"), "value": "CD26000009"},
            {"system": DEFAULT.local("01999", "filler"), "value": "XN26000009"},
        ],
        "basedOn": [ref("ServiceRequest", "cd9")],
        "status": "final",
        "category": [coded("http://terminology.hl7.org/CodeSystem/v2-0074", "CH", "Chemistry")],
        "code": {**coded(DEFAULT.local("01999", "code"), "HSM"), "text": "Hóa sinh máu"},
        "subject": ref("Patient", "bn1"),
        "encounter": ref("Encounter", "dt1"),
        "effectiveDateTime": "2026-11-02T06:30:00+07:00",
        "issued": "2026-11-02T07:05:00+07:00",
        "performer": [ref("Practitioner", "ktv")],
        "resultsInterpreter": [ref("Practitioner", "bsxn")],
        "specimen": [ref("Specimen", "bp1")],
        "result": [ref("Observation", one["id"]) for one in (glucose, potassium, crp, group)],
        "conclusion": "Kali máu giảm nặng",
    }
    request = {
        "resourceType": "ServiceRequest",
        "id": "cd9",
        "identifier": [{"system": DEFAULT.local("01999", "order"), "value": "CD26000009"}],
        "status": "completed",
        "intent": "order",
        "priority": "stat",
        "subject": ref("Patient", "bn1"),
        "encounter": ref("Encounter", "dt1"),
        "authoredOn": "2026-11-02T06:10:00+07:00",
        "requester": ref("Practitioner", "bs1"),
    }
    specimen = {
        "resourceType": "Specimen",
        "id": "bp1",
        "identifier": [{"system": DEFAULT.local("01999", "specimen"), "value": "SID0009"}],
        "type": {"text": "Máu toàn phần"},
        "subject": ref("Patient", "bn1"),
        "receivedTime": "2026-11-02T06:40:00+07:00",
        "collection": {"collectedDateTime": "2026-11-02T06:30:00+07:00"},
        "condition": [{"text": "Đạt yêu cầu"}],
    }
    people = [doctor("bsxn", "Phạm Thị Quỳnh", "000456/HNO-CCHN"), doctor("ktv", "Hồ Văn Ý", "000789/HNO-CCHN")]
    return "DiagnosticReport/pk1", [*base(), *people, glucose, potassium, crp, group, report, request, specimen]


def allergy() -> Resource:
    return {
        "resourceType": "AllergyIntolerance",
        "id": "du1",
        "clinicalStatus": coded("http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical", "active"),
        "category": ["medication"],
        "criticality": "high",
        "code": {"text": "Penicillin"},
        "patient": ref("Patient", "bn1"),
        "onsetDateTime": "2019-05",
        "reaction": [{"manifestation": [{"text": "Nổi mề đay"}, {"text": "Khó thở"}], "severity": "severe"}],
    }


def vaccination(resource_id: str, on: str, **more: Any) -> Resource:
    return {
        "resourceType": "Immunization",
        "id": resource_id,
        "status": "completed",
        "vaccineCode": {"text": "Viêm gan B"},
        "patient": ref("Patient", "bn1"),
        "encounter": ref("Encounter", "dt1"),
        "occurrenceDateTime": on,
        **more,
    }


def health_summary() -> tuple[str, list[Resource]]:
    about: Resource = {"subject": ref("Patient", "bn1"), "encounter": ref("Encounter", "dt1")}
    medicine = {
        "resourceType": "MedicationRequest",
        "id": "th1",
        "status": "active",
        "intent": "order",
        "medicationCodeableConcept": {"text": "Amlodipin 5 mg"},
        "authoredOn": "2026-11-05T09:00:00+07:00",
        "dosageInstruction": [
            {
                "text": "Sáng 1 viên",
                "route": {"text": "Uống"},
                "doseAndRate": [{"doseQuantity": {"value": Decimal("1"), "unit": "viên"}}],
            }
        ],
        "dispenseRequest": {"quantity": {"value": Decimal("30"), "unit": "viên"}},
        **about,
    }
    procedure = {
        "resourceType": "Procedure",
        "id": "tt1",
        "status": "completed",
        "code": {"text": "Chọc dịch màng phổi"},
        "performedDateTime": "2026-11-02T14:00:00+07:00",
        "performer": [{"actor": ref("Practitioner", "bs1")}],
        **about,
    }
    pulse: Resource = {
        "resourceType": "Observation",
        "id": "dh1",
        "status": "final",
        "category": [coded("http://terminology.hl7.org/CodeSystem/observation-category", "vital-signs", "Vital Signs")],
        "code": {**coded(LOINC, "8867-4", "Heart rate"), "text": "Mạch"},
        "effectiveDateTime": "2026-11-01T08:35:00+07:00",
        "valueQuantity": {"value": Decimal("96"), "unit": "lần/phút", "system": UCUM, "code": "/min"},
        **about,
    }
    past: Resource = {
        **condition("cd9", "K35.8", "Viêm ruột thừa cấp"),
        "clinicalStatus": coded("http://terminology.hl7.org/CodeSystem/condition-clinical", "resolved"),
        "onsetDateTime": "2010",
    }
    del past["encounter"]
    texts = [
        field("QT_BENHLY", "Sốt, ho đờm 3 ngày"),
        field("PP_DIEUTRI", "Kháng sinh, hạ sốt"),
        field("LOI_DAN", "Uống nhiều nước"),
        field("TIEN_SU_BENH", "Cắt ruột thừa năm 2010"),
        field("NGHE_NGHIEP", "Giáo viên"),
        field("KET_QUA_DTRI", "2"),
        field("NHOM_MAU", "O Rh+"),
    ]
    laboratory = [one for one in lab_report()[1] if one["id"] not in {known["id"] for known in base()}]
    statements = [medicine, procedure, pulse, past, allergy(), vaccination("tc1", "2024-03-01")]
    return "Encounter/dt1", [*base(), *laboratory, *statements, *texts]


def immunization_record() -> tuple[str, list[Resource]]:
    reaction = {
        "resourceType": "Observation",
        "id": "pu1",
        "status": "final",
        "code": coded(LOINC, "31044-1", "Immunization reaction"),
        "subject": ref("Patient", "bn1"),
        "partOf": [ref("Immunization", "tc2")],
        "effectiveDateTime": "2026-11-05T20:00:00+07:00",
        "valueCodeableConcept": {"text": "Sốt nhẹ"},
    }
    due = {
        **reaction,
        "id": "hen1",
        "code": coded(LOINC, "30980-7", "Date vaccine due"),
        "valueDateTime": "2026-12-05",
    }
    del due["valueCodeableConcept"]
    against = {
        **reaction,
        "id": "ccd1",
        "code": coded(LOINC, "30945-0", "Vaccination contraindication/precaution"),
        "valueCodeableConcept": {"text": "Dị ứng men bia"},
    }
    second = vaccination(
        "tc2",
        "2026-11-05T08:30:00+07:00",
        lotNumber="U1234AB",
        expirationDate="2027-08-31",
        manufacturer={"display": "Hãng Thử Nghiệm"},
        doseQuantity={"value": Decimal("0.50"), "unit": "mL", "system": UCUM, "code": "mL"},
        site={"text": "Đùi trái"},
        route={"text": "Tiêm bắp"},
        performer=[{"actor": ref("Practitioner", "bs1")}],
        protocolApplied=[{"doseNumberPositiveInt": 2, "seriesDosesPositiveInt": 3}],
        reaction=[{"date": "2026-11-05T20:00:00+07:00", "detail": ref("Observation", "pu1")}],
    )
    first = vaccination("tc1", "2026-10-05", primarySource=False)
    refused = vaccination("tc3", "2026-11-04", status="not-done", statusReason={"text": "Gia đình từ chối"})
    deleted = vaccination("tc4", "2026-11-03", status="entered-in-error")
    return "Patient/bn1", [*base(), second, first, refused, deleted, reaction, due, against]


def charge(charge_id: str, code: str, name: str, quantity: str, price: str, **more: Any) -> Resource:
    """A line of a bill, insured in full."""
    total = Decimal(quantity) * Decimal(price)
    money = {
        name: {"value": Decimal(amount), "currency": "VND"}
        for name, amount in (("unit-price", price), ("insurance-amount", f"{total}"))
    }
    return {
        "resourceType": "ChargeItem",
        "id": charge_id,
        "extension": [
            {"url": f"{DEFAULT.own}/StructureDefinition/{name}", "valueMoney": amount} for name, amount in money.items()
        ],
        "status": "billable",
        "code": coded(DEFAULT.local("01999", "service"), code, name),
        "subject": ref("Patient", "bn1"),
        "context": ref("Encounter", "dt1"),
        "occurrenceDateTime": "2026-11-03T09:00:00+07:00",
        "quantity": {"value": Decimal(quantity)},
        "priceOverride": {"value": total, "currency": "VND"},
    } | more


def insurance_record() -> tuple[str, list[Resource]]:
    subject, record = discharge()
    items = [
        charge("cp1", "03.1703", "Khám nội", "1", "42100"),
        charge("cp2", "22.0120.1370", "Tổng phân tích tế bào máu ngoại vi", "1", "40400"),
        charge("cp3", "40.30.1", "Amlodipin 5 mg", "10", "1250.5"),
    ]
    return subject, [*record, *items]


def insurance_check_in() -> tuple[str, list[Resource]]:
    """An outpatient visit that goes on: its first charge, and what the HIS told of the insurance when it began."""
    visit = encounter() | {"status": "in-progress", "class": {"system": _ACT_CODE, "code": "AMB"}}
    visit["period"] = {"start": "2026-11-01T08:30:00+07:00"}
    others = [one for one in base() if one["resourceType"] not in ("Encounter", "Observation")]
    first = charge("cp1", "03.1703", "Khám nội", "1", "42100", occurrenceDateTime="2026-11-01T08:40:00+07:00")
    return "Encounter/dt1", [visit, *others, field("MA_DOITUONG_KCB", "1.1"), first]


SAMPLES: dict[str, tuple[str, list[Resource]]] = {
    "birth_certificate": birth_certificate(),
    "death_notice": death_notice(),
    "discharge_paper": discharge(),
    "health_summary": health_summary(),
    "immunization_record": immunization_record(),
    "insurance_check_in": insurance_check_in(),
    "insurance_record": insurance_record(),
    "lab_report": lab_report(),
    "leave_paper": leave_paper(),
    "maternity_rest_paper": maternity_rest_paper(),
    "record_summary": record_summary(),
    "reexamination": reexamination(),
    "referral": referral(),
}
"""Paper → (subject, record)."""
NO_VISIT = frozenset({"immunization_record"})
"""Papers about a person, not about a visit."""


def sample(paper: str) -> tuple[str, list[Resource]]:
    """Give a copy to change."""
    return deepcopy(SAMPLES[paper])


def without(record: list[Resource], *kept_out: str) -> list[Resource]:
    """Leave resources out by `Type/id`."""
    return [resource for resource in record if f"{resource['resourceType']}/{resource['id']}" not in kept_out]
