"""Made-up clinical resources that say as much as they can, one of each kind."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from mappings.outcome import Resource
from mappings.systems import ICD10, LOINC, SNOMED, UCUM

_CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
_VERIFIED = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
_ROLE = "http://terminology.hl7.org/CodeSystem/v3-RoleCode"
PATIENT = {"reference": "Patient/bn"}
DOCTOR = {"reference": "Practitioner/bs"}
MOTHER = {"reference": "RelatedPerson/me"}


def concept(system: str, code: str, text: str = "") -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code}], **({"text": text} if text else {})}


def said(text: str) -> dict[str, Any]:
    return {"text": text}


def ucum(value: str, code: str, unit: str = "") -> dict[str, Any]:
    return {"value": Decimal(value), "unit": unit or code, "system": UCUM, "code": code}


def people() -> list[Resource]:
    return [
        {
            "resourceType": "Patient",
            "id": "bn",
            "identifier": [{"system": "http://x/bn", "value": "BN1"}],
            "extension": [
                {
                    "url": "http://hl7.org/fhir/StructureDefinition/patient-birthPlace",
                    "valueAddress": {"city": "Hải Phòng"},
                },
                {
                    "url": "http://hl7.org/fhir/StructureDefinition/patient-religion",
                    "valueCodeableConcept": concept("http://x/ton-giao", "01", "Phật giáo"),
                },
            ],
            "name": [
                {"use": "official", "text": "Lý Bé", "family": "Lý", "given": ["Bé"]},
                {"use": "nickname", "text": "Tí"},
            ],
            "gender": "female",
            "birthDate": "2024-02-29",
            "telecom": [
                {"system": "email", "value": "be@example.org", "use": "home"},
                {"system": "url", "value": "http://x/y"},
            ],
            "maritalStatus": concept("http://terminology.hl7.org/CodeSystem/v3-MaritalStatus", "S"),
            "communication": [{"language": concept("urn:ietf:bcp:47", "vi"), "preferred": True}],
            "address": [
                {"use": "old", "text": "Số 9, Hà Nội", "city": "Hà Nội"},
                {
                    "use": "home",
                    "line": ["Số 1"],
                    "city": "Xã A",
                    "district": "Huyện B",
                    "state": "Tỉnh C",
                    "country": "VN",
                },
            ],
        },
        {
            "resourceType": "Practitioner",
            "id": "bs",
            "identifier": [{"system": "http://x/cchn", "value": "0001"}],
            "name": [{"text": "Lê Vượng", "family": "Lê", "given": ["Vượng"], "prefix": ["BS"]}],
        },
        {
            "resourceType": "PractitionerRole",
            "id": "vt",
            "practitioner": DOCTOR,
            "code": [concept("http://x/vai-tro", "BS", "Bác sĩ điều trị")],
        },
        {
            "resourceType": "RelatedPerson",
            "id": "me",
            "patient": PATIENT,
            "relationship": [concept(_ROLE, "MTH")],
            "name": [{"text": "Lý Thị Mẹ"}],
        },
        {
            "resourceType": "RelatedPerson",
            "id": "co",
            "patient": PATIENT,
            "relationship": [concept(_ROLE, "AUNT")],
            "name": [{"text": "Lý Thị Cô"}],
        },
        {
            "resourceType": "Coverage",
            "id": "the",
            "status": "active",
            "identifier": [{"system": "http://x/bhyt", "value": "TE1010100000001"}],
            "beneficiary": PATIENT,
            "period": {"start": "2026-01-01"},
            "payor": [{"display": "Bảo hiểm xã hội Việt Nam"}],
        },
        {"resourceType": "Consent", "id": "dy", "status": "active", "category": [concept(LOINC, "59284-0")]},
    ]


def problems() -> list[Resource]:
    return [
        {
            "resourceType": "Condition",
            "id": "benh",
            "clinicalStatus": concept(_CLINICAL, "resolved"),
            "verificationStatus": concept(_VERIFIED, "confirmed"),
            "category": [concept("http://terminology.hl7.org/CodeSystem/condition-category", "problem-list-item")],
            "severity": concept(SNOMED, "24484000", "nặng"),
            "code": concept(ICD10, "J45.9", "Hen phế quản"),
            "bodySite": [concept(SNOMED, "39607008")],
            "subject": PATIENT,
            "onsetDateTime": "2025-03",
            "abatementDateTime": "2026-01-10",
            "recordedDate": "2026-11-05T08:00:00+07:00",
            "recorder": DOCTOR,
            "asserter": MOTHER,
            "evidence": [{"code": [said("khò khè")], "detail": [{"reference": "Observation/mach"}]}],
            "note": [{"text": "theo dõi", "time": "2026-11-05", "authorReference": DOCTOR}],
        },
        {
            "resourceType": "AllergyIntolerance",
            "id": "di-ung",
            "clinicalStatus": concept("http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical", "active"),
            "type": "allergy",
            "category": ["medication", "food"],
            "criticality": "high",
            "code": concept("http://www.whocc.no/atc", "J01CA04", "Amoxicillin"),
            "patient": PATIENT,
            "onsetDateTime": "2025",
            "asserter": MOTHER,
            "reaction": [
                {
                    "manifestation": [concept(SNOMED, "247472004", "mề đay"), said("ngứa")],
                    "severity": "severe",
                    "onset": "2025-06-01",
                    "description": "sau 10 phút",
                }
            ],
        },
        {
            "resourceType": "FamilyMemberHistory",
            "id": "gia-dinh",
            "status": "completed",
            "patient": PATIENT,
            "relationship": concept(_ROLE, "FTH", "cha"),
            "name": "Lý Cha",
            "sex": concept("http://hl7.org/fhir/administrative-gender", "male"),
            "condition": [
                {"code": concept(ICD10, "E11.9"), "onsetAge": ucum("40", "a"), "outcome": said("ổn định")},
                {"code": said("tăng huyết áp"), "onsetString": "từ trẻ"},
            ],
        },
    ]


def findings() -> list[Resource]:
    vital = [concept("http://terminology.hl7.org/CodeSystem/observation-category", "vital-signs")]
    base = {"resourceType": "Observation", "status": "final", "subject": PATIENT}
    when = {"effectiveDateTime": "2026-11-05T07:00:00+07:00"}
    return [
        {
            **base,
            **when,
            "id": "mach",
            "category": vital,
            "code": concept(LOINC, "8867-4"),
            "valueQuantity": ucum("80", "/min"),
        },
        {
            **base,
            **when,
            "id": "ha",
            "category": vital,
            "code": concept(LOINC, "85354-9", "Huyết áp"),
            "component": [
                {"code": concept(LOINC, "8480-6"), "valueQuantity": ucum("120", "mm[Hg]")},
                {"code": concept(LOINC, "8462-4"), "dataAbsentReason": said("không đo được")},
            ],
        },
        {
            **base,
            "id": "vi-sinh",
            "status": "corrected",
            "code": said("Nuôi cấy"),
            "valueCodeableConcept": concept(SNOMED, "112283007"),
            "hasMember": [{"reference": "Observation/khang-sinh"}],
            "method": said("đĩa"),
            "bodySite": said("họng"),
            "issued": "2026-11-06T09:00:00+07:00",
            "performer": [DOCTOR],
            "device": {"display": "Máy A"},
            "derivedFrom": [{"identifier": {"system": "http://x/dv", "value": "7"}}],
            "interpretation": [concept("http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation", "POS")],
            "note": [{"text": "mọc nhanh"}],
        },
        {
            **base,
            "id": "khang-sinh",
            "code": said("Amoxicillin"),
            "valueQuantity": {**ucum("2", "mg/L"), "comparator": ">="},
            "referenceRange": [{"low": ucum("1", "mg/L"), "text": "≥ 1"}],
            "hasMember": [{"reference": "Observation/vi-sinh"}],
        },
        {
            **base,
            "id": "khoang",
            "code": said("khoảng"),
            "valueRange": {"low": ucum("1", "cm"), "high": ucum("2", "cm")},
        },
        {
            **base,
            "id": "ti-le",
            "code": said("hiệu giá"),
            "valueRatio": {"numerator": {"value": 1}, "denominator": {"value": 128}},
        },
        {**base, "id": "dem", "code": said("số lần"), "valueInteger": 3},
        {**base, "id": "gio", "code": said("giờ"), "valueTime": "08:30:00"},
        {**base, "id": "dung", "code": said("đúng"), "valueBoolean": True},
        {**base, "id": "ky", "code": said("kỳ"), "valuePeriod": {"start": "2026-01-01", "end": "2026-02-01"}},
        {**base, "id": "ngay", "code": said("ngày"), "valueDateTime": "2026-01-01"},
        {
            **base,
            "id": "song",
            "code": said("điện tim"),
            "valueSampledData": {"origin": ucum("0", "mV"), "period": Decimal(2), "dimensions": 1, "data": "1 -2 3"},
        },
        {**base, "id": "trong", "code": said("không có"), "dataAbsentReason": concept(f"{_ABSENT}", "not-asked")},
    ]


_ABSENT = "http://terminology.hl7.org/CodeSystem/data-absent-reason"


def reports() -> list[Resource]:
    return [
        {
            "resourceType": "DiagnosticReport",
            "id": "xq",
            "identifier": [{"system": "http://x/xq", "value": "XQ1"}],
            "status": "amended",
            "category": [concept("http://terminology.hl7.org/CodeSystem/v2-0074", "RAD")],
            "code": concept(LOINC, "36643-5", "X quang ngực"),
            "subject": PATIENT,
            "effectivePeriod": {"start": "2026-11-05T07:00:00+07:00", "end": "2026-11-05T07:10:00+07:00"},
            "issued": "2026-11-05T08:00:00+07:00",
            "performer": [DOCTOR],
            "resultsInterpreter": [DOCTOR],
            "imagingStudy": [{"reference": "ImagingStudy/anh"}],
            "conclusion": "Không thấy tổn thương",
            "conclusionCode": [concept(SNOMED, "17621005")],
            "basedOn": [{"reference": "ServiceRequest/chi-dinh"}],
            "presentedForm": [
                {"contentType": "application/pdf", "data": "JVBERi0=", "hash": "2jmj7l5rSw0yVb/vlWAYkK/YBwk="}
            ],
        },
        {
            "resourceType": "ImagingStudy",
            "id": "anh",
            "identifier": [{"system": "urn:dicom:uid", "value": "urn:oid:1.2.3.4"}],
            "status": "available",
            "subject": PATIENT,
            "started": "2026-11-05T07:00:00+07:00",
            "modality": [{"system": "http://dicom.nema.org/resources/ontology/DCM", "code": "DX"}],
            "description": "Ngực thẳng",
            "series": [
                {
                    "uid": "1.2.3.4.1",
                    "modality": {"system": "http://dicom.nema.org/resources/ontology/DCM", "code": "DX"},
                    "instance": [
                        {"uid": "1.2.3.4.1.1", "sopClass": {"system": "urn:ietf:rfc:3986", "code": "urn:oid:1.2.840.1"}}
                    ],
                }
            ],
        },
        {
            "resourceType": "Specimen",
            "id": "mau",
            "type": said("Máu"),
            "collection": {
                "collectedDateTime": "2026-11-05T06:00:00+07:00",
                "collector": DOCTOR,
                "bodySite": said("tay"),
            },
            "condition": [said("đạt")],
        },
        {
            "resourceType": "DocumentReference",
            "id": "giay",
            "status": "current",
            "masterIdentifier": {
                "system": "urn:ietf:rfc:3986",
                "value": "urn:uuid:0192f6a0-0000-7abc-8def-0123456789ab",
            },
            "type": said("Giấy cũ"),
            "date": "2026-11-05T06:00:00+07:00",
            "author": [DOCTOR],
            "description": "Giấy ra viện cũ",
            "content": [{"attachment": {"contentType": "application/pdf", "url": "https://example.org/giay.pdf"}}],
        },
        {"resourceType": "Binary", "id": "tep", "contentType": "image/png", "data": "iVBORw0="},
        {
            "resourceType": "Media",
            "id": "anh-chup",
            "status": "completed",
            "content": {"contentType": "image/jpeg", "url": "urn:x"},
        },
    ]


def medicines() -> list[Resource]:
    oral = concept(SNOMED, "26643006", "uống")
    return [
        {
            "resourceType": "Medication",
            "id": "thuoc",
            "code": concept("http://x/thuoc", "T1", "Amoxicillin 500 mg"),
            "form": said("viên nang"),
            "manufacturer": {"display": "Dược X"},
            "batch": {"lotNumber": "L1"},
            "ingredient": [
                {
                    "itemCodeableConcept": said("amoxicillin"),
                    "strength": {"numerator": ucum("500", "mg"), "denominator": {"value": Decimal(1)}},
                },
                {
                    "itemCodeableConcept": said("acid clavulanic"),
                    "strength": {"numerator": ucum("125", "mg"), "denominator": ucum("5", "mL")},
                },
            ],
        },
        {
            "resourceType": "MedicationRequest",
            "id": "don",
            "status": "stopped",
            "intent": "original-order",
            "priority": "urgent",
            "medicationReference": {"reference": "Medication/thuoc"},
            "subject": PATIENT,
            "authoredOn": "2026-11-05T10:00:00+07:00",
            "requester": DOCTOR,
            "groupIdentifier": {"system": "http://x/don", "value": "C1"},
            "reasonCode": [concept(ICD10, "J20.9")],
            "reasonReference": [{"reference": "Condition/benh"}],
            "dosageInstruction": [
                {
                    "sequence": 1,
                    "text": "Uống 1 viên x 3 lần/ngày",
                    "additionalInstruction": [said("sau ăn")],
                    "patientInstruction": "uống nhiều nước",
                    "timing": {
                        "repeat": {
                            "boundsPeriod": {"start": "2026-11-05", "end": "2026-11-12"},
                            "frequency": 3,
                            "period": Decimal(1),
                            "periodUnit": "d",
                        },
                        "code": concept("http://terminology.hl7.org/CodeSystem/v3-GTSAbbreviation", "TID"),
                    },
                    "asNeededCodeableConcept": said("sốt"),
                    "route": oral,
                    "site": said("miệng"),
                    "method": said("nuốt"),
                    "doseAndRate": [{"doseQuantity": {"value": Decimal(1), "unit": "viên"}}],
                    "maxDosePerPeriod": {"numerator": ucum("3", "g"), "denominator": ucum("1", "d")},
                },
                {
                    "sequence": 2,
                    "text": "sau đó 1 viên tối",
                    "timing": {"repeat": {"when": ["PC", "HS"], "offset": 30, "boundsDuration": ucum("5", "d")}},
                    "asNeededBoolean": True,
                    "doseAndRate": [{"doseRange": {"low": ucum("1", "g"), "high": ucum("2", "g")}}],
                },
            ],
            "dispenseRequest": {
                "validityPeriod": {"start": "2026-11-05", "end": "2026-11-10"},
                "numberOfRepeatsAllowed": 2,
                "quantity": {"value": Decimal(21), "unit": "viên"},
                "expectedSupplyDuration": ucum("7", "d"),
                "performer": {"reference": "Organization/facility"},
            },
            "substitution": {"allowedBoolean": False, "reason": said("dị ứng tá dược")},
            "note": [{"text": "đổi thuốc nếu dị ứng"}],
        },
        {
            "resourceType": "MedicationStatement",
            "id": "dang-dung",
            "status": "active",
            "medicationCodeableConcept": said("Salbutamol"),
            "subject": PATIENT,
            "effectivePeriod": {"start": "2025-01-01"},
            "dateAsserted": "2026-11-05",
            "informationSource": MOTHER,
            "dosage": [{"timing": {"repeat": {"timeOfDay": ["08:00:00", "20:00:00"]}}, "route": said("xịt")}],
        },
        {
            "resourceType": "MedicationAdministration",
            "id": "da-tiem",
            "status": "not-done",
            "statusReason": [said("từ chối")],
            "medicationReference": {"display": "Dịch truyền"},
            "subject": PATIENT,
            "effectiveDateTime": "2026-11-05T10:00:00+07:00",
            "performer": [{"actor": DOCTOR}],
            "request": {"reference": "MedicationRequest/don"},
            "dosage": {
                "route": said("tĩnh mạch"),
                "dose": ucum("500", "mL"),
                "rateRatio": {"numerator": ucum("125", "mL"), "denominator": ucum("1", "h")},
            },
        },
        {
            "resourceType": "MedicationDispense",
            "id": "da-phat",
            "status": "completed",
            "medicationReference": {"reference": "Medication/thuoc"},
            "subject": PATIENT,
            "quantity": {"value": Decimal(21), "unit": "viên"},
            "daysSupply": ucum("7", "d"),
            "whenHandedOver": "2026-11-05T11:00:00+07:00",
            "authorizingPrescription": [{"reference": "MedicationRequest/don"}],
            "substitution": {"wasSubstituted": True},
            "dosageInstruction": [{"text": "như đơn"}],
        },
        {
            "resourceType": "Immunization",
            "id": "tiem",
            "status": "not-done",
            "statusReason": said("hoãn vì sốt"),
            "vaccineCode": concept("http://hl7.org/fhir/sid/cvx", "08", "Viêm gan B"),
            "patient": PATIENT,
            "occurrenceDateTime": "2026-11-05",
            "recorded": "2026-11-05",
            "lotNumber": "LO1",
            "expirationDate": "2027-01-01",
            "manufacturer": {"display": "VABIOTECH"},
            "site": said("đùi trái"),
            "route": said("tiêm bắp"),
            "doseQuantity": ucum("0.5", "mL"),
            "location": {"display": "Trạm Y tế A"},
            "performer": [{"actor": DOCTOR}],
            "protocolApplied": [
                {
                    "series": "cơ bản",
                    "doseNumberPositiveInt": 2,
                    "seriesDosesPositiveInt": 3,
                    "targetDisease": [said("VGB")],
                }
            ],
            "reaction": [{"detail": {"reference": "Observation/mach"}}],
        },
    ]


def acts() -> list[Resource]:
    return [
        {
            "resourceType": "Procedure",
            "id": "mo",
            "status": "not-done",
            "statusReason": said("huyết áp cao"),
            "category": said("phẫu thuật"),
            "code": concept("http://x/pttt", "P1", "Cắt ruột thừa"),
            "subject": PATIENT,
            "performedPeriod": {"start": "2026-11-05T09:00:00+07:00", "end": "2026-11-05T10:00:00+07:00"},
            "performer": [{"function": said("phẫu thuật viên"), "actor": DOCTOR}],
            "location": {"display": "Phòng mổ 1"},
            "bodySite": [said("bụng")],
            "outcome": said("tốt"),
            "complication": [said("chảy máu")],
            "followUp": [said("cắt chỉ sau 7 ngày")],
            "focalDevice": [{"manipulated": {"display": "Dao siêu âm"}}],
            "reasonCode": [concept(ICD10, "K35.8")],
        },
        {
            "resourceType": "ServiceRequest",
            "id": "chi-dinh",
            "identifier": [{"system": "http://x/cd", "value": "CD1"}],
            "status": "completed",
            "intent": "plan",
            "priority": "stat",
            "category": [said("xét nghiệm")],
            "code": said("Chụp X quang"),
            "subject": PATIENT,
            "occurrenceDateTime": "2026-11-06",
            "authoredOn": "2026-11-05",
            "requester": DOCTOR,
            "performer": [DOCTOR],
            "orderDetail": [said("tư thế đứng")],
            "reasonCode": [said("ho")],
            "patientInstruction": "nhịn ăn",
        },
        {
            "resourceType": "CarePlan",
            "id": "ke-hoach",
            "status": "active",
            "intent": "plan",
            "title": "Chăm sóc",
            "subject": PATIENT,
            "period": {"start": "2026-11-05"},
            "created": "2026-11-05",
            "author": DOCTOR,
            "activity": [
                {
                    "detail": {
                        "status": "scheduled",
                        "description": "đo huyết áp",
                        "code": said("đo HA"),
                        "performer": [DOCTOR],
                    }
                },
                {"reference": {"reference": "ServiceRequest/chi-dinh"}},
            ],
            "goal": [{"reference": "Goal/dich"}],
            "addresses": [{"reference": "Condition/benh"}],
        },
        {
            "resourceType": "Goal",
            "id": "dich",
            "lifecycleStatus": "active",
            "achievementStatus": said("đang đạt"),
            "description": said("HA dưới 130"),
            "subject": PATIENT,
            "startDate": "2026-11-05",
            "target": [
                {
                    "measure": concept(LOINC, "8480-6"),
                    "detailQuantity": {**ucum("130", "mm[Hg]"), "comparator": "<"},
                    "dueDate": "2027-01-01",
                }
            ],
        },
        {
            "resourceType": "Appointment",
            "id": "hen",
            "status": "proposed",
            "serviceType": [said("khám lại"), said("siêu âm")],
            "start": "2026-12-05T08:00:00+07:00",
            "end": "2026-12-05T08:30:00+07:00",
            "comment": "mang theo giấy này",
            "participant": [{"actor": PATIENT, "status": "accepted"}, {"actor": DOCTOR, "status": "accepted"}],
        },
        {
            "resourceType": "Encounter",
            "id": "lan-truoc",
            "status": "finished",
            "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
            "type": [said("khám ngoại trú")],
            "subject": PATIENT,
            "period": {"start": "2026-10-01", "end": "2026-10-01"},
            "participant": [{"individual": DOCTOR}],
            "reasonCode": [said("ho")],
        },
        {
            "resourceType": "ClinicalImpression",
            "id": "nhan-dinh",
            "status": "completed",
            "subject": PATIENT,
            "effectiveDateTime": "2026-11-05",
            "date": "2026-11-05",
            "assessor": DOCTOR,
            "problem": [{"reference": "Condition/benh"}],
            "summary": "Ổn định, theo dõi tiếp",
            "finding": [
                {"itemCodeableConcept": said("phổi trong")},
                {"itemReference": {"reference": "Observation/mach"}},
            ],
            "prognosisCodeableConcept": [said("tốt")],
        },
        {
            "resourceType": "NutritionOrder",
            "id": "an",
            "status": "active",
            "intent": "order",
            "patient": PATIENT,
            "dateTime": "2026-11-05",
        },
    ]


def everything() -> list[Resource]:
    """Give one of each kind."""
    return [*people(), *problems(), *findings(), *reports(), *medicines(), *acts()]
