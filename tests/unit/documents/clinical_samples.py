"""Made-up records of reports, prescriptions and sheets of the record; the parts come from `samples`."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from mappings.documents import medicines
from mappings.documents import order_sheet as sheets
from mappings.outcome import Resource
from mappings.systems import DEFAULT, LOINC, UCUM
from tests.unit.documents.samples import base, coded, doctor, field, ref

SECTION = "http://terminology.hl7.org/CodeSystem/v2-0074"
_V2_TYPES = "http://terminology.hl7.org/CodeSystem/v2-0270"


def told(owner: str, code: str, text: str) -> Resource:
    """A field told inside a report, a document or an order."""
    return {**field(code, text), "id": f"{owner}-{code.lower().replace('_', '-')}"}


def report(
    resource_id: str, code: dict[str, Any], results: list[Resource], at: str = "2026-11-02T08:00:00+07:00"
) -> Resource:
    return {
        "resourceType": "DiagnosticReport",
        "id": resource_id,
        "identifier": [{"system": DEFAULT.local("01999", "filler"), "value": f"KQ-{resource_id}"}],
        "status": "final",
        "code": code,
        "subject": ref("Patient", "bn1"),
        "encounter": ref("Encounter", "dt1"),
        "effectiveDateTime": at,
        "issued": "2026-11-02T09:00:00+07:00",
        "resultsInterpreter": [ref("Practitioner", "bs1")],
        "result": [ref("Observation", one["id"]) for one in results],
    }


def written(
    resource_id: str, code: dict[str, Any], fields: list[Resource], at: str = "2026-11-02T08:00:00+07:00"
) -> Resource:
    return {
        "resourceType": "DocumentReference",
        "id": resource_id,
        "masterIdentifier": {"system": DEFAULT.local("01999", "document"), "value": resource_id},
        "status": "current",
        "docStatus": "final",
        "type": code,
        "subject": ref("Patient", "bn1"),
        "date": "2026-11-02T09:00:00+07:00",
        "author": [ref("Practitioner", "bs1")],
        "content": [{"attachment": {"contentType": "text/plain"}}],
        "context": {
            "encounter": [ref("Encounter", "dt1")],
            "period": {"start": at},
            "related": [ref("Observation", one["id"]) for one in fields],
        },
    }


def imaging_report() -> tuple[str, list[Resource]]:
    fields = [
        told("ha", "KY_THUAT", "Tư thế thẳng"),
        told("ha", "MO_TA", "Mờ đáy phổi phải"),
        told("ha", "KET_LUAN", "Viêm phổi phải"),
        told("ha", "DE_NGHI", "Chụp lại sau 07 ngày"),
    ]
    request = {
        "resourceType": "ServiceRequest",
        "id": "cdha",
        "identifier": [
            {"system": DEFAULT.local("01999", "order"), "value": "CD26000010"},
            {"system": DEFAULT.local("01999", "accession"), "value": "ACC10"},
        ],
        "status": "completed",
        "intent": "order",
        "priority": "routine",
        "subject": ref("Patient", "bn1"),
        "encounter": ref("Encounter", "dt1"),
        "authoredOn": "2026-11-02T07:40:00+07:00",
        "requester": ref("Practitioner", "bs1"),
    }
    study = {
        "resourceType": "ImagingStudy",
        "id": "ca1",
        "identifier": [{"system": DEFAULT.local("01999", "accession"), "value": "ACC10"}],
        "status": "available",
        "modality": [{"system": "http://dicom.nema.org/resources/ontology/DCM", "code": "DX"}],
        "subject": ref("Patient", "bn1"),
    }
    subject = report("ha", {"text": "Chụp X-quang ngực thẳng"}, fields) | {
        "category": [coded(SECTION, "RX", "Radiograph")],
        "basedOn": [ref("ServiceRequest", "cdha")],
        "performer": [ref("Practitioner", "ktv")],
    }
    subject["resultsInterpreter"] = [ref("Practitioner", "bscdha")]
    people = [doctor("bscdha", "Lưu Bích Ngọc", "000457/HNO-CCHN"), doctor("ktv", "Tạ Văn Sơn", "000790/HNO-CCHN")]
    return "DiagnosticReport/ha", [*base(), *people, request, study, subject, *fields]


def medicine(resource_id: str, name: str, quantity: str, *fields: Resource, **more: Any) -> Resource:
    return {
        "resourceType": "MedicationRequest",
        "id": resource_id,
        "identifier": [{"system": DEFAULT.local("01999", "order"), "value": f"DT1-{resource_id}"}],
        "status": "active",
        "intent": "order",
        "category": [
            coded("http://terminology.hl7.org/CodeSystem/medicationrequest-category", "discharge", "Discharge")
        ],
        "medicationCodeableConcept": {**coded(DEFAULT.local("01999", "code"), resource_id.upper()), "text": name},
        "subject": ref("Patient", "bn1"),
        "encounter": ref("Encounter", "dt1"),
        **({"supportingInformation": [ref("Observation", one["id"]) for one in fields]} if fields else {}),
        "authoredOn": "2026-11-05T09:30:00+07:00",
        "requester": ref("Practitioner", "bs1"),
        "groupIdentifier": {"system": DEFAULT.local("01999", "group"), "value": "DT1"},
        "dosageInstruction": [{"text": "Uống ngày 2 lần, mỗi lần 1 viên"}],
        "dispenseRequest": {"quantity": {"value": Decimal(quantity), "unit": "viên", "system": UCUM, "code": "{viên}"}},
        **more,
    }


def coded_as(request: Resource, code: str) -> Resource:
    """Give the order with the code of its prescription."""
    number = {"system": DEFAULT.local("01999", "prescription"), "value": code}
    return {**request, "identifier": [*request["identifier"], number]}


def prescribed() -> list[Resource]:
    """One prescription of every class."""
    fields = [
        told("m1", "HOAT_CHAT", "Amoxicillin"),
        field("CAN_NANG", "52 kg"),
    ]
    return [
        *base(),
        *fields,
        medicine("m1", "Moxilen 500 mg", "14", fields[0]),
        medicine("m2", "Panadol 500 mg", "6"),
        coded_as(medicine("m3", "Morphin sulfat 10 mg", "30"), "01999b3h8x1z-n"),
        coded_as(medicine("m4", "Diazepam 5 mg", "5"), "01999c5p4w7t-h"),
    ]


def prescription() -> tuple[str, list[Resource]]:
    record = prescribed()
    return f"Encounter/dt1#{medicines.group(record[-1])}", record


def order_sheet() -> tuple[str, list[Resource]]:
    orders: list[Resource] = [
        {
            "resourceType": "ServiceRequest",
            "id": f"yc{n}",
            "identifier": [{"system": DEFAULT.local("01999", "order"), "value": f"CD-{n}"}],
            "requisition": {"system": DEFAULT.local("01999", "group"), "value": "PCD7"},
            "status": "active",
            "intent": "order",
            "priority": priority,
            "code": {"text": name},
            "quantityQuantity": {"value": Decimal(n), "unit": "lần"},
            "subject": ref("Patient", "bn1"),
            "encounter": ref("Encounter", "dt1"),
            "authoredOn": "2026-11-02T06:10:00+07:00",
            "requester": ref("Practitioner", "bs1"),
        }
        for n, name, priority in ((2, "Tổng phân tích tế bào máu", "routine"), (10, "Điện tim", "stat"))
    ]
    (subject,) = sheets.subjects(orders)
    return subject, [*base(), *orders]


def procedure_report() -> tuple[str, list[Resource]]:
    fields = [
        told("pt", "CHAN_DOAN_TRUOC", "Viêm túi mật cấp"),
        told("pt", "CHAN_DOAN_SAU", "Viêm túi mật hoại tử"),
        told("pt", "LOAI_PTTT", "Loại I"),
        told("pt", "PP_VO_CAM", "Gây mê nội khí quản"),
        told("pt", "TRINH_TU", "Đặt 4 trocar\nCắt túi mật"),
        told("pt", "NGAY_RUT", "20261104"),
    ]
    procedure = {
        "resourceType": "Procedure",
        "id": "mo1",
        "status": "completed",
        "code": {"text": "Phẫu thuật nội soi cắt túi mật"},
        "subject": ref("Patient", "bn1"),
        "encounter": ref("Encounter", "dt1"),
        "performedDateTime": "2026-11-02T08:15:00+07:00",
        "performer": [
            {"function": coded("http://snomed.info/sct", "304292004", "Surgeon"), "actor": ref("Practitioner", "bs1")},
            {
                "function": coded("http://snomed.info/sct", "88189002", "Anesthesiologist"),
                "actor": ref("Practitioner", "gm"),
            },
        ],
    }
    subject = written("pt", coded(_V2_TYPES, "OP", "Operative report"), fields)
    return "DocumentReference/pt", [*base(), doctor("gm", "Cù Thị Lan", "000458/HNO-CCHN"), procedure, subject, *fields]


def consultation_minutes() -> tuple[str, list[Resource]]:
    fields = [
        told("hc", "THANH_VIEN", "BS Hà Thị Thu"),
        told("hc", "TOM_TAT_DIEN_BIEN", "Đau hạ sườn phải"),
        told("hc", "KET_LUAN_HC", "Có chỉ định mổ"),
        told("hc", "HUONG_DIEU_TRI_HC", "Mổ ngày 02/11"),
    ]
    subject = written("hc", coded("urn:oid:1.2.3", "27/BV2"), fields)
    subject["author"] = [ref("Practitioner", "tk")]
    subject["authenticator"] = ref("Practitioner", "bs1")
    return "DocumentReference/hc", [*base(), doctor("tk", "Hà Thị Thu", "000459/HNO-CCHN"), subject, *fields]


def treatment_sheet() -> tuple[str, list[Resource]]:
    morning = [
        told("s1", "DIEN_BIEN_LS", "Tỉnh, hết sốt"),
        told("s1", "Y_LENH", "Ceftriaxon 2 g"),
        told("s1", "TO_SO", "03"),
    ]
    evening = [told("s2", "DIEN_BIEN_LS", "Ổn định"), told("s2", "Y_LENH", "Theo dõi tiếp")]
    code = coded("urn:oid:1.2.3", "36/BV2")
    first, second = (
        written("s1", code, morning, "2026-11-02T08:00:00+07:00"),
        written("s2", code, evening, "2026-11-02T16:00:00+07:00"),
    )
    second["author"] = [ref("Practitioner", "truc")]
    people = [doctor("truc", "Hà Thị Thu", "000459/HNO-CCHN")]
    return "Encounter/dt1#2026-11-02", [*base(), *people, second, first, *morning, *evening]


def care_sheet() -> tuple[str, list[Resource]]:
    def vital(resource_id: str, loinc: str, name: str, value: str, unit: str) -> Resource:
        return {
            **told("x", "x", ""),
            "id": resource_id,
            "code": {**coded(LOINC, loinc), "text": name},
            "category": [
                coded("http://terminology.hl7.org/CodeSystem/observation-category", "vital-signs", "Vital Signs")
            ],
            "valueQuantity": {"value": Decimal(value), "unit": unit, "system": UCUM, "code": unit},
        }

    first = [
        vital("v1", "8867-4", "Mạch", "84", "/min"),
        told("cs1", "NHAN_DINH", "Tỉnh"),
        told("cs1", "CAP_CHAM_SOC", "1"),
    ]
    second = [vital("v2", "8867-4", "Mạch", "88", "/min"), told("cs2", "CAN_THIEP", "Thay băng")]
    for one in (first[0], second[0]):
        del one["valueString"]
    code = coded("urn:oid:1.2.3", "37/BV2")
    reports = [
        report("cs1", code, first, "2026-11-02T06:00:00+07:00"),
        report("cs2", code, second, "2026-11-02T14:00:00+07:00"),
    ]
    for one in reports:
        one["performer"] = one.pop("resultsInterpreter")
    return "Encounter/dt1#2026-11-02", [*base(), *reports, *first, *second]


CLINICAL: dict[str, tuple[str, list[Resource]]] = {
    "care_sheet": care_sheet(),
    "consultation_minutes": consultation_minutes(),
    "imaging_report": imaging_report(),
    "order_sheet": order_sheet(),
    "prescription": prescription(),
    "prescription_narcotic": prescription(),
    "prescription_psychotropic": prescription(),
    "procedure_report": procedure_report(),
    "treatment_sheet": treatment_sheet(),
}
