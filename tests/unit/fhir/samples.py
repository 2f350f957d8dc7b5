"""Hand-made good resources, one document Bundle of the size of a real paper among them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

BASE = "https://facility.example/fhir"
DIV = '<div xmlns="http://www.w3.org/1999/xhtml"><p>Nhịp tim <b>82</b> &amp; đều</p></div>'


def coded(system: str, code: str, display: str) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code, "display": display}], "text": display}


def patient() -> dict[str, Any]:
    return {
        "resourceType": "Patient",
        "id": "p1",
        "text": {"status": "generated", "div": DIV},
        "identifier": [
            {"use": "official", "system": "https://facility.example/cccd", "value": "000000000001"},
            {"system": "https://facility.example/card", "value": "TE1010000000001", "period": {"start": "2026-01-01"}},
        ],
        "active": True,
        "name": [{"use": "official", "text": "Người Mẫu", "family": "Người", "given": ["Mẫu", "Một"]}],
        "telecom": [{"system": "phone", "value": "0900000000", "rank": 1}],
        "gender": "female",
        "birthDate": "1980-02-29",
        "address": [{"text": "1 Phố Mẫu", "line": ["1 Phố Mẫu"], "country": "VN"}],
        "contact": [{"relationship": [coded("https://facility.example/kin", "MTH", "mẹ")], "name": {"text": "Mẹ Mẫu"}}],
        "extension": [{"url": "https://facility.example/ethnic", "valueCodeableConcept": {"text": "Kinh"}}],
    }


def observation(number: int = 1) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "id": f"o{number}",
        "meta": {
            "profile": ["http://hl7.org/fhir/StructureDefinition/Observation"],
            "lastUpdated": "2026-11-01T08:00:00+07:00",
        },
        "identifier": [{"system": "https://facility.example/result", "value": f"R{number}"}],
        "status": "final",
        "category": [coded("http://terminology.hl7.org/CodeSystem/observation-category", "laboratory", "Laboratory")],
        "code": coded("http://loinc.org", "2345-7", "Glucose [Mass/volume] in Serum or Plasma"),
        "subject": {"reference": "Patient/p1", "display": "Người Mẫu"},
        "encounter": {"reference": "Encounter/e1"},
        "effectiveDateTime": "2026-11-01T07:30:00+07:00",
        "issued": "2026-11-01T08:00:00.123Z",
        "performer": [{"reference": "Practitioner/d1"}],
        "valueQuantity": {
            "value": Decimal("4.50"),
            "unit": "mmol/L",
            "system": "http://unitsofmeasure.org",
            "code": "mmol/L",
        },
        "interpretation": [coded("http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation", "N", "Normal")],
        "note": [{"text": "mẫu không vỡ hồng cầu, đã kiểm tra lại trên máy thứ hai"}],
        "referenceRange": [{"low": {"value": Decimal("3.9")}, "high": {"value": 6, "unit": "mmol/L"}, "text": "3.9–6"}],
    }


def medication_request() -> dict[str, Any]:
    return {
        "resourceType": "MedicationRequest",
        "id": "m1",
        "status": "active",
        "intent": "order",
        "medicationCodeableConcept": {"text": "Amoxicillin 500 mg"},
        "subject": {"reference": "Patient/p1"},
        "dosageInstruction": [
            {
                "timing": {"repeat": {"frequency": 2, "period": 1, "periodUnit": "d", "when": ["MORN"]}},
                "doseAndRate": [{"doseQuantity": {"value": 1, "unit": "viên"}}],
            }
        ],
    }


def condition() -> dict[str, Any]:
    return {
        "resourceType": "Condition",
        "id": "c1",
        "clinicalStatus": coded("http://terminology.hl7.org/CodeSystem/condition-clinical", "active", "Active"),
        "code": coded("http://hl7.org/fhir/sid/icd-10", "J18.9", "Viêm phổi"),
        "subject": {"reference": "Patient/p1"},
        "onsetAge": {"value": 46, "unit": "a", "system": "http://unitsofmeasure.org", "code": "a"},
    }


def encounter() -> dict[str, Any]:
    return {
        "resourceType": "Encounter",
        "id": "e1",
        "status": "finished",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"},
        "subject": {"reference": "Patient/p1"},
        "participant": [{"individual": {"reference": "Practitioner/d1"}}],
        "period": {"start": "2026-10-28T09:00:00+07:00", "end": "2026-11-02T10:00:00+07:00"},
        "diagnosis": [{"condition": {"reference": "Condition/c1"}, "rank": 1}],
    }


def composition() -> dict[str, Any]:
    return {
        "resourceType": "Composition",
        "id": "k1",
        "status": "final",
        "type": coded("http://loinc.org", "11502-2", "Laboratory report"),
        "subject": {"reference": "Patient/p1"},
        "encounter": {"reference": "Encounter/e1"},
        "date": "2026-11-02T10:00:00+07:00",
        "author": [{"reference": "Practitioner/d1"}],
        "title": "Phiếu kết quả xét nghiệm",
        "section": [
            {
                "title": "Kết quả",
                "text": {"status": "generated", "div": DIV},
                "entry": [{"reference": f"Observation/o{n}"} for n in range(1, 34)],
            }
        ],
    }


def document() -> dict[str, Any]:
    practitioner = {"resourceType": "Practitioner", "id": "d1", "name": [{"text": "Bác sĩ Mẫu"}]}
    resources = [
        composition(),
        patient(),
        encounter(),
        condition(),
        practitioner,
        medication_request(),
        *(observation(n) for n in range(1, 34)),
    ]
    return {
        "resourceType": "Bundle",
        "id": "b1",
        "identifier": {"system": "urn:ietf:rfc:3986", "value": "urn:uuid:0b06cb6c-6e2b-4e1a-b0a2-5a2f2a7f9a10"},
        "type": "document",
        "timestamp": "2026-11-02T10:00:00+07:00",
        "entry": [{"fullUrl": f"{BASE}/{r['resourceType']}/{r['id']}", "resource": r} for r in resources],
    }


SOUND = (patient, observation, medication_request, condition, encounter, composition, document)
