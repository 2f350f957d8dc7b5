"""XML2, a medicine of the visit: the charge, the order, the medicine, and that it was handed out or given.

The ChargeItem is the main resource. The Medication is known by what the line says of it, so the same medicine is one resource
in every visit. NGAY_TH_YL makes a MedicationAdministration in a ward, else a MedicationDispense.

Standard: QĐ 3176/QĐ-BYT XML2
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mappings.bhyt.fhir import charges, lines
from mappings.bhyt.fhir.case import Case, TableMap
from mappings.bhyt.fhir.dossier import Dossier
from mappings.bhyt.fhir.forms import code_in, concept, digits_to_time, extension, is_code, time_to_digits
from mappings.bhyt.rows import Row
from mappings.ids import resource_id
from mappings.outcome import Resource

_INPATIENT = frozenset({"IMP", "SS", "ACUTE", "NONAC"})
FORM = lines.Form(
    "DON_GIA",
    lines.SHARES,
    (),
    ("MA_PTTT", "NGUON_CTRA"),
    ("MA_PP_CHEBIEN", "MA_CSKCB_THUOC", "TT_THAU", "MA_DICH_VU", "VET_THUONG_TP"),
)
MAPPED = {
    **FORM.mapped,
    "MA_THUOC": "ChargeItem.code.coding | Medication.code.coding",
    "TEN_THUOC": "ChargeItem.code.text | Medication.code.text",
    "HAM_LUONG": "Medication.extension(strength)",
    "DANG_BAO_CHE": "Medication.form",
    "SO_DANG_KY": "Medication.extension(vn-ext-med-registration-number)",
    "DUONG_DUNG": "MedicationRequest.dosageInstruction.route",
    "LIEU_DUNG": "MedicationRequest.dosageInstruction.text",
    "CACH_DUNG": "MedicationRequest.dosageInstruction.patientInstruction",
    "NGAY_YL": "MedicationRequest.authoredOn",
}


def read(case: Case, rows: Sequence[Row]) -> list[Resource]:
    """Make the resources of the lines."""
    inside = case.encounter and case.get(case.encounter)["class"].get("code") in _INPATIENT
    found = []
    for n, row in enumerate(rows, 1):
        item = lines.line_to_charge_item(case, row, n, FORM)
        code = lines.code_and_words(case, "MA_THUOC", row.get("MA_THUOC", ""), row.get("TEN_THUOC", ""))
        item["code"] = code or lines.ABSENT
        medicine = {"reference": _medication(case, row, code)}
        item["productReference"] = medicine
        request = case.add(_request(case, row, n, item, medicine))
        item["supportingInformation"] = [{"reference": request}]
        done = digits_to_time(row.get("NGAY_TH_YL", ""))
        if done:
            made = _given(case, n, item, medicine, request, done) if inside else _handed(case, n, item, medicine, done)
            if not inside:
                made["authorizingPrescription"] = [{"reference": request}]
            item["service"] = [{"reference": case.add(made)}]
        case.add(item)
        found.append(item)
    return found


def _medication(case: Case, row: Row, code: Resource) -> str:
    """Make a medicine of what a line says of it, and refer to it from every line that says the same."""
    told = tuple([row.get(field, "") for field in ("MA_THUOC", "TEN_THUOC", "HAM_LUONG", "DANG_BAO_CHE", "SO_DANG_KY")])
    known = case.medicines.get(told)
    if known is not None:
        return known
    strength, form, registration = told[2:]
    extensions = []
    if strength:
        extensions.append({"url": case.structure("strength"), "valueString": strength})
    if registration:
        extensions.append({"url": case.national("vn-ext-med-registration-number"), "valueString": registration})
    made: dict[str, Any] = {
        "resourceType": "Medication",
        "id": resource_id("Medication", case.local("bhyt-medicine"), "|".join(told)),
    }
    if extensions:
        made["extension"] = extensions
    if code:
        made["code"] = code
    if form:
        made["form"] = {"text": form}
    found = case.medicines[told] = case.add(made)
    return found


def _request(case: Case, row: Row, n: int, item: Resource, medicine: Resource) -> Resource:
    dosage: dict[str, Any] = {}
    text, advice, route = row.get("LIEU_DUNG", ""), row.get("CACH_DUNG", ""), row.get("DUONG_DUNG", "")
    if text:
        dosage["text"] = text
    if advice:
        dosage["patientInstruction"] = advice
    if route and is_code(route):
        dosage["route"] = concept(route, case.code_system("DUONG_DUNG"))
    made: dict[str, Any] = {
        "resourceType": "MedicationRequest",
        "id": case.row_id("MedicationRequest", n),
        "status": "completed",
        "intent": "order",
        "medicationReference": medicine,
        "subject": case.subject,
    }
    if case.encounter:
        made["encounter"] = {"reference": case.encounter}
    ordered = digits_to_time(row.get("NGAY_YL", ""))
    if ordered:
        made["authoredOn"] = ordered
    doctor = next((one["actor"] for one in item.get("performer", ()) if "function" in one), None)
    if doctor:
        made["requester"] = doctor
    if dosage:
        made["dosageInstruction"] = [dosage]
    if "quantity" in item:
        made["dispenseRequest"] = {"quantity": item["quantity"]}
    return made


def _given(case: Case, n: int, item: Resource, medicine: Resource, request: str, done: str) -> Resource:
    made = {
        "resourceType": "MedicationAdministration",
        "id": case.row_id("MedicationAdministration", n),
        "status": "completed",
        "medicationReference": medicine,
        "subject": case.subject,
        "context": {"reference": case.encounter},
        "effectiveDateTime": done,
        "request": {"reference": request},
    }
    if "value" in item.get("quantity", {}):
        made["dosage"] = {"dose": item["quantity"]}
    return made


def _handed(case: Case, n: int, item: Resource, medicine: Resource, done: str) -> Resource:
    made = {
        "resourceType": "MedicationDispense",
        "id": case.row_id("MedicationDispense", n),
        "status": "completed",
        "medicationReference": medicine,
        "subject": case.subject,
        "whenHandedOver": done,
    }
    if case.encounter:
        made["context"] = {"reference": case.encounter}
    if "quantity" in item:
        made["quantity"] = item["quantity"]
    return made


def write(dossier: Dossier) -> list[tuple[Resource, dict[str, str]]]:
    """Give the lines that came as XML in their order; without any those of the charges of medicines."""
    items = dossier.rows("XML2", "ChargeItem")
    found = [(item, _line(dossier, item, n)) for n, item in enumerate(items, 1)]
    for n, item in enumerate(charges.of_visit(dossier, medicine=True), 1):
        row = _line(dossier, item, n)
        charges.complete_medicine(dossier, item, row)
        found.append((item, row))
    return found


def _line(dossier: Dossier, item: Resource, n: int) -> dict[str, str]:
    row = lines.charge_item_to_line(dossier, item, n, FORM)
    code = item["code"]
    row["MA_THUOC"] = code_in(code, "/qd3176-ma-thuoc")
    row["TEN_THUOC"] = code.get("text", "")
    medicine = dossier.record.follow(item.get("productReference")) or {}
    row["HAM_LUONG"] = extension(medicine, "/strength").get("valueString", "")
    row["DANG_BAO_CHE"] = medicine.get("form", {}).get("text", "")
    row["SO_DANG_KY"] = extension(medicine, "/vn-ext-med-registration-number").get("valueString", "")
    request = lines.requested(dossier, item)
    dosage: Resource = next(iter(request.get("dosageInstruction", ())), {})
    row["LIEU_DUNG"] = dosage.get("text", "")
    row["CACH_DUNG"] = dosage.get("patientInstruction", "")
    row["DUONG_DUNG"] = code_in(dosage.get("route"), "/qd3176-duong-dung")
    row["NGAY_YL"] = time_to_digits(request.get("authoredOn", ""))
    del row["NGUOI_THUC_HIEN"], row["NGAY_KQ"]
    return row


TABLE = TableMap("XML2", read, write, MAPPED)
