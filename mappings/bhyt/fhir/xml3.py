"""XML3, a service, a bed day, a supply or a transport of the visit: the charge, its order, and what was done.

The ChargeItem is the main resource. Services have a ServiceRequest, operations and minor procedures a Procedure too, beds and
devices stand beside the charge. A supply is the product of the charge; one with a serial number is a Device in use.

Standard: QĐ 3176/QĐ-BYT XML3
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mappings.bhyt.fhir import charges, lines
from mappings.bhyt.fhir.case import Case, TableMap
from mappings.bhyt.fhir.dossier import Dossier
from mappings.bhyt.fhir.forms import code_in, digits_to_time, extension, is_code, parts, time_to_digits
from mappings.bhyt.rows import Row
from mappings.ids import resource_id
from mappings.outcome import Resource
from mappings.systems import ICD10

ICD9 = "http://hl7.org/fhir/sid/icd-9-cm"
_NOT_ORDERED = frozenset({"10", "11", "12", "14", "15", "16"})
"""MA_NHOM of supplies, transport and beds: charged, and no service that is ordered by itself."""
_PROCEDURES = frozenset({"8", "18"})
_PHYSICAL_TYPE = "http://terminology.hl7.org/CodeSystem/location-physical-type"
FORM = lines.Form(
    "DON_GIA_BV",
    ("DON_GIA_BH", "T_TRANTT", *lines.SHARES),
    ("TYLE_TT_DV",),
    ("MA_PTTT", "PP_VO_CAM", "VI_TRI_TH_DVKT"),
    ("GOI_VTYT", "MA_XANG_DAU", "TT_THAU", "VET_THUONG_TP", "TAI_SU_DUNG"),
)
MAPPED = {
    **FORM.mapped,
    "MA_DICH_VU": "ChargeItem.code.coding | ServiceRequest.code.coding",
    "MA_PTTT_QT": "ChargeItem.code.coding | Procedure.code.coding",
    "TEN_DICH_VU": "ChargeItem.code.text | ServiceRequest.code.text",
    "MA_VAT_TU": "ChargeItem.product.coding",
    "TEN_VAT_TU": "ChargeItem.product.text",
    "MA_GIUONG": "ChargeItem.supportingInformation | Location.identifier",
    "NGUOI_THUC_HIEN": "ChargeItem.performer.actor",
    "MA_BENH": "ChargeItem.reason",
    "MA_BENH_YHCT": "ChargeItem.reason",
    "NGAY_YL": "ServiceRequest.authoredOn | ChargeItem.extension(ordered-at)",
    "NGAY_KQ": "ChargeItem.occurrence",
    "MA_MAY": "ChargeItem.supportingInformation | Device.identifier",
    "MA_HIEU_SP": "ChargeItem.supportingInformation | Device.serialNumber",
}


def read(case: Case, rows: Sequence[Row]) -> list[Resource]:
    """Make the resources of the lines."""
    found = []
    for n, row in enumerate(rows, 1):
        item = lines.line_to_charge_item(case, row, n, FORM)
        code, product = _code(case, row), _product(case, row)
        item["code"] = code or (product if "coding" in product else lines.ABSENT)
        if product:
            item["productCodeableConcept"] = product
        reasons = lines.reasons(case, row, ICD10)
        if reasons:
            item["reason"] = reasons
        group = row.get("MA_NHOM", "")
        beside: list[Resource] = []
        if group in _NOT_ORDERED or not code:
            lines.ordered_at(case, row, item)
        else:
            beside.append({"reference": case.add(_request(case, row, n, item, reasons))})
        if group in _PROCEDURES and code:
            item["service"] = [{"reference": case.add(_procedure(case, n, item, beside, reasons))}]
        beside += [_bed(case, row, bed) for bed in parts(row.get("MA_GIUONG", "")) if bed]
        if row.get("MA_MAY"):
            beside.append({"reference": _machine(case, row["MA_MAY"])})
        if row.get("MA_HIEU_SP"):
            beside.append({"reference": _device(case, n, row["MA_HIEU_SP"], product)})
        if beside:
            item["supportingInformation"] = beside
        case.add(item)
        found.append(item)
    return found


def _code(case: Case, row: Row) -> Resource:
    """Give what was done: the service code, its international codes, its words."""
    made = lines.code_and_words(case, "MA_DICH_VU", row.get("MA_DICH_VU", ""), row.get("TEN_DICH_VU", ""))
    international = row.get("MA_PTTT_QT", "")
    if international:
        codings = [{"system": ICD9, "code": code} for code in parts(international) if is_code(code)]
        if codings:
            made["coding"] = [*made.get("coding", []), *codings]
    return made


def _product(case: Case, row: Row) -> Resource:
    return lines.code_and_words(case, "MA_VAT_TU", row.get("MA_VAT_TU", ""), row.get("TEN_VAT_TU", ""))


def _request(case: Case, row: Row, n: int, item: Resource, reasons: list[Resource]) -> Resource:
    made: dict[str, Any] = {
        "resourceType": "ServiceRequest",
        "id": case.row_id("ServiceRequest", n),
        "status": "completed",
        "intent": "order",
        "code": item["code"],
        "subject": case.subject,
    }
    if case.encounter:
        made["encounter"] = {"reference": case.encounter}
    ordered = digits_to_time(row.get("NGAY_YL", ""))
    if ordered:
        made["authoredOn"] = ordered
    people = item.get("performer", ())
    orderer = next((one["actor"] for one in people if "function" in one), None)
    if orderer:
        made["requester"] = orderer
    doers = [one["actor"] for one in people if "function" not in one]
    if doers:
        made["performer"] = doers
    if reasons:
        made["reasonCode"] = reasons
    return made


def _procedure(case: Case, n: int, item: Resource, orders: list[Resource], reasons: list[Resource]) -> Resource:
    made: dict[str, Any] = {
        "resourceType": "Procedure",
        "id": case.row_id("Procedure", n),
        "status": "completed",
        "code": item["code"],
        "subject": case.subject,
    }
    if orders:
        made["basedOn"] = list(orders)
    if case.encounter:
        made["encounter"] = {"reference": case.encounter}
    for when in ("DateTime", "Period"):
        if f"occurrence{when}" in item:
            made[f"performed{when}"] = item[f"occurrence{when}"]
    doers = [{"actor": one["actor"]} for one in item.get("performer", ()) if "function" not in one]
    if doers:
        made["performer"] = doers
    if reasons:
        made["reasonCode"] = reasons
    return made


def _bed(case: Case, row: Row, bed: str) -> Resource:
    department = row.get("MA_KHOA", "")
    path = f"wa:{department}/bd:{bed}" if department else f"bd:{bed}"
    made: dict[str, Any] = {
        "resourceType": "Location",
        "id": resource_id("Location", case.local("location"), path),
        "identifier": [{"system": case.local("location"), "value": path}],
        "name": bed,
        "mode": "instance",
        "physicalType": {"coding": [{"system": _PHYSICAL_TYPE, "code": "bd", "display": "Bed"}]},
    }
    if department:
        made["partOf"] = case.department(department)
    return {"reference": case.add(made), "display": bed}


def _machine(case: Case, number: str) -> str:
    """Give the Device a test or treatment was done with, known by MA_MAY as a whole."""
    return case.numbered("Device", case.local("device"), number)


def _device(case: Case, n: int, serial: str, product: Resource) -> str:
    """Make the Device that stayed in or with the patient, and that it is in use."""
    made: dict[str, Any] = {"resourceType": "Device", "id": case.row_id("Device", n), "serialNumber": serial}
    if product:
        made["type"] = product
    if case.patient:
        made["patient"] = {"reference": case.patient}
    device = case.add(made)
    case.add(
        {
            "resourceType": "DeviceUseStatement",
            "id": case.row_id("DeviceUseStatement", n),
            "status": "completed",
            "subject": case.subject,
            "device": {"reference": device},
        }
    )
    return device


def write(dossier: Dossier) -> list[tuple[Resource, dict[str, str]]]:
    """Give the lines that came as XML in their order; without any those of the other charges."""
    items = dossier.rows("XML3", "ChargeItem")
    found = [(item, _line(dossier, item, n)) for n, item in enumerate(items, 1)]
    for n, item in enumerate(charges.of_visit(dossier, medicine=False), 1):
        row = _line(dossier, item, n)
        charges.complete_service(dossier, item, row)
        found.append((item, row))
    return found


def _line(dossier: Dossier, item: Resource, n: int) -> dict[str, str]:
    row = lines.charge_item_to_line(dossier, item, n, FORM)
    code, product = item["code"], item.get("productCodeableConcept", {})
    row["MA_DICH_VU"] = code_in(code, "/qd3176-ma-dich-vu")
    row["MA_PTTT_QT"] = ";".join(c["code"] for c in code.get("coding", ()) if c.get("system") == ICD9)
    row["MA_VAT_TU"] = code_in(product, "/qd3176-ma-vat-tu")
    row["TEN_VAT_TU"] = product.get("text", "")
    row["TEN_DICH_VU"] = "" if code == product else code.get("text", "")
    diseases: list[str] = []
    traditional: list[str] = []
    for reason in item.get("reason", ()):
        for coding in reason.get("coding", ()):
            if coding.get("system") == ICD10:
                diseases.append(coding["code"])
            elif coding.get("system", "").endswith("/qd3176-ma-benh-yhct"):
                traditional.append(coding["code"])
    row["MA_BENH"], row["MA_BENH_YHCT"] = ";".join(diseases), ";".join(traditional)
    ordered = lines.requested(dossier, item).get("authoredOn") or extension(item, "/ordered-at").get(
        "valueDateTime", ""
    )
    row["NGAY_YL"] = time_to_digits(ordered)
    beds: list[str] = []
    for one in item.get("supportingInformation", ()):
        found = dossier.record.follow(one)
        if found is None:
            continue
        if found["resourceType"] == "Location":
            beds.append(found.get("name", ""))
        elif found["resourceType"] == "Device":
            if "serialNumber" in found:
                row["MA_HIEU_SP"] = found["serialNumber"]
            else:
                row["MA_MAY"] = next((i["value"] for i in found.get("identifier", ())), "")
    row["MA_GIUONG"] = ";".join(beds)
    return row


TABLE = TableMap("XML3", read, write, MAPPED)
