"""FT1: a charge, a credit or a payment on an account.

Becomes a ChargeItem with what a claim needs: the service, how many of it, at what price and total in đồng, who asked for it and
who did it when, for which diagnosis, and the cost group of the insurance file. A payment is an item that is not billable.

Standard: HL7 v2.5.1 §6.5.1
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from mappings import codes
from mappings.hl7v2 import faults
from mappings.hl7v2.actors import cwe_to_organization, pl_to_location, practitioners, reference, xon_to_organization
from mappings.hl7v2.codings import concept, cwe_to_codeable_concept, v2_coding
from mappings.hl7v2.cost_groups import group_of_services, group_to_extension, names_group
from mappings.hl7v2.datatypes import Element, code_of, compact, period, words
from mappings.hl7v2.draft import Draft, datetime_of
from mappings.hl7v2.identifiers import cx_to_identifier, ei_to_identifier
from mappings.hl7v2.money import cp_to_money
from mappings.hl7v2.quantities import cq_to_quantity, nm_to_decimal, quantity
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments import SEQUENCE
from mappings.hl7v2.site import replaceable
from mappings.ids import resource_id
from mappings.outcome import Resource

MAPPED = {
    2: "ChargeItem.identifier",
    3: "ChargeItem.identifier",
    4: "ChargeItem.occurrence",
    5: "ChargeItem.enteredDate",
    6: "ChargeItem.status",
    7: "ChargeItem.code.coding",
    8: "ChargeItem.code.text",
    9: "ChargeItem.note.text | ChargeItem.code.text",
    10: "ChargeItem.quantity",
    11: "ChargeItem.priceOverride",
    12: "ChargeItem.extension(unit-price)",
    13: "ChargeItem.performingOrganization | ChargeItem.costCenter",
    14: "ChargeItem.supportingInformation.identifier",
    15: "ChargeItem.extension(insurance-amount)",
    16: "ChargeItem.supportingInformation.reference",
    17: "ChargeItem.extension(cost-group)",
    18: "ChargeItem.extension(cost-group)",
    19: "ChargeItem.reason",
    20: "ChargeItem.performer.actor",
    21: "ChargeItem.performer.actor",
    23: "ChargeItem.supportingInformation.identifier",
    24: "ChargeItem.enterer",
    25: "ChargeItem.code.coding",
    26: "ChargeItem.code.coding",
    28: "ChargeItem.note.text",
    29: "ChargeItem.product",
    30: "ChargeItem.identifier",
    31: "ChargeItem.partOf",
    32: "ChargeItem.performingOrganization",
    33: "ChargeItem.requestingOrganization",
    34: "ChargeItem.product",
    35: "ChargeItem.product.text",
    37: "ChargeItem.costCenter",
    38: "ChargeItem.supportingInformation.identifier",
    39: "ChargeItem.supportingInformation.identifier",
    41: "ChargeItem.extension(cost-group)",
    42: "ChargeItem.supportingInformation.identifier",
    43: "ChargeItem.quantity",
}
IGNORED = {
    1: SEQUENCE,
    17: "fee schedule of the sender; only a cost group (MA_NHOM) in it is of use",
    18: "patient type; the visit tells it",
    22: "what the item costs the hospital itself; not part of the charge",
    27: "notice of insurance in the United States",
    36: "processing of claims in the United States",
    40: "taxonomy of providers in the United States",
    41: "revenue code of the sender; only a cost group (MA_NHOM) in it is of use",
}

# field, the kind of number, the resource that has it
_LEADS = (
    (23, "filler", "ServiceRequest"),
    (38, "referral", "ServiceRequest"),
    (39, "authorization", ""),
    (42, "prescription", "MedicationRequest"),
)


@replaceable
def ft1_to_charge_item(ft1: Segment, draft: Draft) -> Resource | None:
    """Make the ChargeItem; nothing when neither a service nor a kind of transaction is named.

    Known by FT1-2: the same number again is the same item.
    """
    context = draft.context
    kind = code_of(ft1[6].c(1)).upper()
    code = _code(ft1, draft, kind)
    if code is None:
        return None
    number = cx_to_identifier(ft1[2], context, of="transaction")
    batch = cx_to_identifier(ft1[3], context, of="transaction-batch")
    payment = cx_to_identifier(ft1[30], context, of="payment")
    amount = _amount(ft1, draft)
    price = cp_to_money(ft1, 12, draft)
    system = context.systems.local(context.facility, "transaction")
    item: dict[str, Any] = {
        "resourceType": "ChargeItem",
        "id": resource_id("ChargeItem", number["system"], number["value"])
        if number
        else resource_id("ChargeItem", system, draft.own_key(ft1)),
        "extension": [
            *group_to_extension(_group(ft1), draft),
            *_money("unit-price", price, draft),
            *_money("insurance-amount", cp_to_money(ft1, 15, draft), draft),
        ],
        "identifier": [one for one in (number, batch, payment) if one],
        "status": _status(ft1, draft, kind),
        "code": code,
        "subject": draft.subject,
        "context": reference(draft.encounter) if draft.encounter else {},
        **_occurrence(ft1, draft),
        "performer": _performers(ft1, draft),
        **_organizations(ft1, draft),
        "quantity": amount,
        "priceOverride": _total(ft1, draft, amount, price),
        "enterer": next(iter(practitioners(ft1[24].repetitions[:1], draft)), None),
        "enteredDate": draft.moment(ft1, 5),
        "reason": [found for cwe in ft1[19].repetitions if (found := cwe_to_codeable_concept(cwe, context))],
        "productCodeableConcept": _product(ft1, draft),
        "note": _notes(ft1, draft),
        "supportingInformation": _leads(ft1, draft),
    }
    return compact(item)


def _status(ft1: Segment, draft: Draft, kind: str) -> str:
    status = codes.table("v2-0017-status").target(kind)
    if not status:
        draft.notice(faults.CODE_UNKNOWN, ft1.where(6))
        if kind:
            ft1.give_back(6)
    return status or "unknown"


def _code(ft1: Segment, draft: Draft, kind: str) -> Element | None:
    """Take FT1-7 with FT1-25 and its modifiers; a payment without either is named by its kind."""
    context = draft.context
    found: list[Element] = []
    texts = [words(ft1[8].whole)]
    for cwe in (*ft1[7].repetitions, *ft1[25].repetitions, *ft1[26].repetitions):
        said = cwe_to_codeable_concept(cwe, context) or {}
        group = names_group(cwe)
        found += [one for one in said.get("coding", []) if one not in found and not _is_group(one, group)]
        texts.append(said.get("text", ""))
    text = next((one for one in texts if one), "") or (words(ft1[9].whole) if ft1.peek(9) else "")
    if not found and not text:
        coding = v2_coding("0017", kind)
        return {"coding": [coding]} if coding else None
    return compact({"coding": found, "text": text})


def _is_group(coding: Element, group: str) -> bool:
    of_list = str(coding["system"]).endswith(("ma-nhom", "qd130", "qd4750", "qd3176-field"))
    return of_list and coding["code"] == group


def _group(ft1: Segment) -> str:
    """Find MA_NHOM: named in FT1-17, FT1-18, FT1-41 or beside the service, else from the site's own table."""
    for n in (17, 18, 41):
        group = names_group(ft1.peek(n))
        if group:
            _ = ft1[n]
            return group
    services = [*ft1.peek(7).repetitions, *ft1.peek(25).repetitions]
    return next((group for cwe in services if (group := names_group(cwe))), "") or group_of_services(services)


def _money(name: str, amount: Element | None, draft: Draft) -> list[Element]:
    if amount is None:
        return []
    return [{"url": f"{draft.context.systems.own}/StructureDefinition/{name}", "valueMoney": amount}]


def _amount(ft1: Segment, draft: Draft) -> Element | None:
    """Take FT1-10, with the unit of FT1-43 when both say the same number; FT1-43 alone when FT1-10 is empty."""
    measured = cq_to_quantity(ft1.peek(43))
    number = nm_to_decimal(ft1[10].text)
    if ft1.peek(10) and number is None:
        ft1.give_back(10)
        draft.notice(faults.NUMBER_UNREADABLE, ft1.where(10))
    if number is None or (measured is not None and measured["value"] == number):
        _ = ft1[43]
        if measured is None and ft1.peek(43):
            ft1.give_back(43)
        return measured if measured is not None else None if number is None else quantity(number, {})
    if ft1.peek(43):
        ft1.ignore(43, "packs of the medicine; FT1-10 says how many were charged")
    return quantity(number, {})


def _total(ft1: Segment, draft: Draft, amount: Element | None, price: Element | None) -> Element | None:
    """Take FT1-11; without it the unit price times the quantity, when there is a price."""
    total = cp_to_money(ft1, 11, draft)
    if total is not None or price is None:
        return total
    return price | {"value": price["value"] * (amount["value"] if amount else Decimal(1))}


def _occurrence(ft1: Segment, draft: Draft) -> Element:
    """Take FT1-4 (DR): a moment, or a period when it ends at another."""
    field = ft1[4]
    start, end = field.c(1), field.c(2)
    if not end:
        moment = draft.moment(ft1, 4)
        return {"occurrenceDateTime": moment} if moment else {}
    span = period(datetime_of(start, draft.context), datetime_of(end, draft.context))
    if not span:
        ft1.give_back(4)
        draft.notice(faults.DATE_UNREADABLE, ft1.where(4))
    return {"occurrencePeriod": span} if span else {}


def _performers(ft1: Segment, draft: Draft) -> list[Element]:
    orderer = v2_coding("0912", "OP") or {}
    role = concept(orderer["code"], orderer["system"], orderer["display"])
    found: list[Element] = [{"actor": person} for person in practitioners(ft1[20].repetitions, draft)]
    found += [{"function": role, "actor": person} for person in practitioners(ft1[21].repetitions, draft)]
    return found


def _organizations(ft1: Segment, draft: Draft) -> Element:
    """Take the facility that did it (FT1-32), else the department (FT1-13); what is left of the two bears the cost."""
    facility = xon_to_organization(ft1[32], draft)
    department = cwe_to_organization(ft1[13], draft)
    clinic = cwe_to_organization(ft1.peek(37), draft)
    centre = clinic if facility is None or department is None else department
    if clinic and centre is clinic:
        _ = ft1[37]
    elif clinic:
        ft1.ignore(37, "clinic; the department bears the cost")
    return {
        "performingOrganization": facility or department,
        "requestingOrganization": xon_to_organization(ft1[33], draft),
        "costCenter": centre,
    }


def _product(ft1: Segment, draft: Draft) -> Element:
    context = draft.context
    medicine, item = cwe_to_codeable_concept(ft1[29], context), cwe_to_codeable_concept(ft1[34], context)
    both = [found for found in (medicine, item) if found]
    model = words(ft1[35].text)
    text = " ".join(part for part in (next((one["text"] for one in both if one.get("text")), ""), model) if part)
    return compact({"coding": [one for found in both for one in found.get("coding", [])], "text": text})


def _notes(ft1: Segment, draft: Draft) -> list[Element]:
    texts = [words(ft1[9].whole)] if ft1.peek(8) or ft1.peek(7) else []
    again = cwe_to_codeable_concept(ft1[28], draft.context) or {}
    texts.append(again.get("text") or next((one["code"] for one in again.get("coding", [])), ""))
    return [{"text": text} for text in texts if text]


def _leads(ft1: Segment, draft: Draft) -> list[Element]:
    """Name what the charge goes back to by its number: order, referral, authorization, prescription, plan; and the place."""
    found: list[Element] = []
    for n, of, resource_type in _LEADS:
        number = (
            ei_to_identifier(ft1[n], draft.context, of, "FILL")
            if n == 23
            else cx_to_identifier(ft1[n], draft.context, of=of)
        )
        if number:
            found.append(compact({"type": resource_type, "identifier": number}))
    plan = code_of(ft1[14].c(1))
    if plan:
        system = draft.context.systems.local(draft.context.facility, "plan")
        found.append(
            compact(
                {
                    "type": "Coverage",
                    "identifier": {"system": system, "value": plan},
                    "display": words(ft1[14].c(2)),
                }
            )
        )
    place = pl_to_location(ft1[16], draft)
    return [*found, *([place] if place else [])]
