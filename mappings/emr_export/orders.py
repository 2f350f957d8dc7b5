"""Groups IV and V of `HoSoBenhAn`: medicines ordered, and services asked for."""

from __future__ import annotations

from typing import Any

from mappings.documents import content, statements, wording
from mappings.emr_export.visit import REFERRAL, Visit, day, joined, licence, local_code, moment, person, words
from mappings.outcome import Resource


def medicines(visit: Visit) -> dict[str, Any]:
    """Write medicine orders, one sheet per prescriber's order: group IV."""
    found = statements.in_time(visit.of("MedicationRequest"), "authoredOn")
    sheets: dict[str, list[Resource]] = {}
    for order in found:
        group = order.get("groupIdentifier", {}).get("value") or content.identifier(order, "order") or str(order["id"])
        sheets.setdefault(str(group), []).append(order)
    return {"danhsach": [_sheet(visit, number, orders) for number, orders in sheets.items()]}


def _sheet(visit: Visit, number: str, orders: list[Resource]) -> dict[str, Any]:
    doctor = visit.doctor(orders[0].get("requester"))
    return {
        "sophieu": number,
        "bacsichidinh": person(doctor),
        "mabacsichidinh": licence(doctor),
        "chandoansobo": joined(wording.concept(reason) for one in orders for reason in one.get("reasonCode", []))
        or words(visit.record.diagnoses(visit.encounter)),
        "doituongbn": visit.field("MA_DOITUONG_KCB"),
        "danhsach": [_medicine(visit, one) for one in orders],
    }


def _medicine(visit: Visit, order: Resource) -> dict[str, str]:
    amount = order.get("dispenseRequest", {}).get("quantity", {})
    medication = visit.record.follow(order.get("medicationReference")) or {}
    concept = order.get("medicationCodeableConcept") or medication.get("code")
    line = statements.medicine(0, visit.record, order)
    return {
        "machidinh": content.identifier(order, "order"),
        "cachdung": line["LIEU_DUNG"].replace("\n", "; "),
        "ngaykedonthuoc": day(order.get("authoredOn", "")),
        "donvitinh": wording.unit(amount),
        "mathuocvattu_bv": local_code(concept),
        "mathuocvattu_byt": _shared_code(concept),
        "soluongthuocvattu": wording.amount(amount),
        "tenthuocvattu": line["TEN_THUOC"],
        "ylenhthuocvattu_ghichu": joined(note.get("text", "") for note in order.get("note", [])),
    }


def _shared_code(concept: Resource | None) -> str:
    """Give the code in the ministry's catalogue, when there is one beside the hospital's."""
    codings = (concept or {}).get("coding", [])
    return next((str(c["code"]) for c in codings if c.get("code") and "/sid/" not in c.get("system", "")), "")


def requests(visit: Visit) -> dict[str, Any]:
    """Write services asked for, one sheet each: group V."""
    found = [
        one
        for one in visit.of("ServiceRequest")
        if REFERRAL not in {code for kind in one.get("category", []) for code in statements.codes(kind)}
        and one.get("status") != "revoked"
    ]
    return {"danhsach": [_request(visit, one) for one in statements.in_time(found, "authoredOn", "occurrenceDateTime")]}


def _request(visit: Visit, request: Resource) -> dict[str, Any]:
    doctor = visit.doctor(request.get("requester"))
    place = visit.record.place(visit.encounter)
    performer: Resource = next(visit.record.of_type(request.get("performer", []), "Organization"), {})
    taken = [one.get("collection", {}) for one in visit.record.of_type(request.get("specimen", []), "Specimen")]
    collectors = [person(one) for one in visit.record.of_type([one.get("collector") for one in taken], "Practitioner")]
    item = {
        "machidinh": local_code(request.get("code")),
        "ngaychidinh": day(statements.began(request, "authoredOn", "occurrenceDateTime")),
        "loaichidinh": joined(wording.concept(kind) for kind in request.get("category", [])),
        "noithuchienchidinh": performer.get("name", ""),
        "manoithuchienchidinh": content.identifier(performer),
        "soluong": wording.amount(request.get("quantityQuantity", {})),
        "tenchidinh": wording.concept(request.get("code")),
    }
    reasons = joined(wording.concept(reason) for reason in request.get("reasonCode", []))
    return {
        "sophieu": content.identifier(request, "order", "filler"),
        "bacsichidinh": person(doctor),
        "mabacsichidinh": licence(doctor),
        "chandoansobo": reasons or words(visit.record.diagnoses(visit.encounter)),
        "doituongbn": visit.field("MA_DOITUONG_KCB"),
        "danhsach": [item],
        "giolaymau": joined(moment(statements.began(one, "collectedDateTime", "collectedPeriod")) for one in taken),
        "nguoilaymau": joined(collectors),
        "giuong": place.get("bd", ""),
        "khoadieutri": place.get("wa", ""),
        "mucdochidinh": request.get("priority", ""),
        "noichidinh": place.get("wa", ""),
        "phong": place.get("ro", ""),
    }
