"""Phiếu chỉ định: what one doctor asked for at one time, for the patient to take to the departments that do it.

Form: none of TT 32/2023/TT-BYT, whose forms 08/BV2 to 26/BV2 carry request and result on one sheet; electronic practice
splits them, so this sheet is local. Trigger: an order (OMG^O19, OML^O21, OMI^O23, ORM^O01) that is no medicine. One paper is
one sheet of a visit: the orders with one group number (ORC-4), else each order alone; a change makes a new version. Required:
the person, at least one service in force, who ordered; what is missing is named to a person. Told as fields of an order:
NOI_THUC_HIEN, DON_GIA, THANH_TIEN; prices that nobody tells are left out.

Requirement: S3.15
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from mappings.documents import content, requested, wording
from mappings.documents.content import Content
from mappings.documents.context import Context
from mappings.documents.faults import PaperIncomplete
from mappings.documents.record import Record, is_field, owner, value_text
from mappings.ids import resource_id
from mappings.outcome import Resource

_GONE = frozenset({"revoked", "entered-in-error", "draft"})
_REFERRAL = "3457005"
_DIGITS = re.compile(r"(\d+)")
_URGENCY = ("stat", "asap", "urgent", "routine")


def subjects(resources: Sequence[Resource]) -> list[str]:
    """Give the sheets with an order in force in a message: `visit#sheet`, without a visit `person#sheet`."""
    return changed([one for one in resources if one.get("status") not in _GONE])


def is_in_force(resource: Resource) -> bool:
    """Tell whether a resource is an order of a service that nobody took back."""
    return _is_ordered(resource) and resource.get("status") not in _GONE


def changed(resources: Sequence[Resource]) -> list[str]:
    """Give the sheets a message speaks of, be it to take an order back."""
    found = [f"{owner(one)}#{_sheet(one)}" for one in resources if _is_ordered(one) and owner(one)]
    return list(dict.fromkeys(found))


def _is_ordered(resource: Resource) -> bool:
    if resource["resourceType"] != "ServiceRequest" or not resource.get("code"):
        return False
    codes = {c.get("code") for one in resource.get("category", []) for c in one.get("coding", [])}
    return _REFERRAL not in codes


def _sheet(request: Resource) -> str:
    """Name the sheet an order stands on."""
    requisition = request.get("requisition", {})
    if requisition.get("value"):
        return resource_id("requisition", requisition.get("system", ""), requisition["value"])
    return resource_id("requisition", "", request["id"])


def gather(record: Record, subject: Resource, context: Context) -> Content:
    """Collect what the sheet asks for; raises `PaperIncomplete` when no order on it is in force."""
    about = f"{subject['resourceType']}/{subject['id']}"
    orders = [
        one
        for one in record.all("ServiceRequest")
        if is_in_force(one) and _sheet(one) == record.part and owner(one) == about
    ]
    orders.sort(key=lambda one: (_natural(one), one["id"]))
    if not orders:
        raise PaperIncomplete("Dịch vụ (DICH_VU)", "DICH_VU ← OBR-4")
    encounter = subject if subject["resourceType"] == "Encounter" else None
    patient = subject if subject["resourceType"] == "Patient" else record.patient("order_sheet", encounter)
    first = orders[0]
    rows = requested.rows(record, first)
    at = first.get("authoredOn") or first.get("occurrenceDateTime") or wording.stamp(context.issued_at)
    cards = record.cards(at, at)
    diagnosis = content.diagnoses(record.diagnoses(encounter))["CHAN_DOAN"]
    reasons = list(dict.fromkeys(text for one in orders if (text := requested.reasons(record, one))))
    urgencies = [one.get("priority", "") for one in orders]
    number = first.get("requisition", {}).get("value") or rows["MA_CHI_DINH"]
    lines = [_line(record, n, one) for n, one in enumerate(orders, 1)]
    supporting = [found for one in orders for found in record.of_type(one.get("supportingInfo", []), "Observation")]
    return Content(
        event_at=at,
        patient=patient,
        encounter=encounter,
        professional=requested.orderer(record, first) or record.doctor(encounter),
        values={
            **content.furniture(record, encounter, context, number),
            **content.place(record, encounter),
            **content.person(record, patient, encounter, at),
            **content.card(record, patient, cards),
            **rows,
            "CHAN_DOAN": diagnosis or "; ".join(reasons),
            "UU_TIEN": next((urgency for urgency in _URGENCY if urgency in urgencies), ""),
            "TONG_TIEN": _total(lines),
            "NGAY_CHI_DINH": wording.long_time(at).capitalize(),
        },
        entries={
            "person": [patient, *content.guardians(record, patient, at), *cards],
            "orders": [*orders, *supporting],
        },
        lines={"orders": lines},
    )


def _natural(request: Resource) -> list[tuple[int, str]]:
    return [
        (int(part), "") if part.isdigit() else (0, part) for part in _DIGITS.split(content.identifier(request, "order"))
    ]


def _line(record: Record, n: int, request: Resource) -> dict[str, str]:
    def told(code: str) -> str:
        supporting = record.of_type(request.get("supportingInfo", []), "Observation")
        return next((value_text(one) for one in supporting if is_field(one, code)), "")

    amount = request.get("quantityQuantity", {})
    notes = [note["text"] for note in request.get("note", [])]
    return {
        "STT": str(n),
        "MA_DICH_VU": content.identifier(request, "order"),
        "TEN_DICH_VU": wording.concept(request.get("code")),
        "SO_LUONG": f"{wording.amount(amount)} {wording.unit(amount)}".strip(),
        "NOI_THUC_HIEN": told("NOI_THUC_HIEN"),
        "DON_GIA": told("DON_GIA"),
        "THANH_TIEN": told("THANH_TIEN"),
        "GHI_CHU": "\n".join([*(wording.concept(one) for one in request.get("orderDetail", [])), *notes]),
    }


def _total(lines: Sequence[dict[str, str]]) -> str:
    """Add the amounts when every line has one."""
    amounts = [line["THANH_TIEN"].replace(".", "") for line in lines]
    return f"{sum(map(int, amounts)):,}".replace(",", ".") if all(one.isdigit() for one in amounts) else ""
