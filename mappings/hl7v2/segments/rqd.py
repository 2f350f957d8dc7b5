"""RQD: one thing asked of the store.

Standard: HL7 v2.5.1 §4.11.1
"""

from __future__ import annotations

from typing import Any

from mappings.hl7v2.actors import cwe_to_organization
from mappings.hl7v2.codings import cwe_to_codeable_concept
from mappings.hl7v2.datatypes import Element, compact
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.quantities import cwe_to_unit, nm_to_decimal, quantity
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments import BILLING
from mappings.hl7v2.site import replaceable

MAPPED = {
    2: "SupplyRequest.item",
    3: "SupplyRequest.item",
    4: "SupplyRequest.item",
    5: "SupplyRequest.quantity",
    6: "SupplyRequest.quantity.unit",
    9: "SupplyRequest.deliverTo",
    10: "SupplyRequest.occurrence",
}
IGNORED = {1: "line of the requisition; the order has its own number", 7: BILLING, 8: BILLING}

_ABSENT: Element = {
    "extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}]
}


@replaceable
def rqd_to_supply_request(rqd: Segment, draft: Draft) -> dict[str, Any]:
    """Give item, quantity, date and place of a SupplyRequest; a quantity that is not told is said to be unknown."""
    context = draft.context
    codings: list[Element] = []
    text = ""
    for n in (2, 3, 4):
        item = cwe_to_codeable_concept(rqd[n], context)
        if item:
            codings += [coding for coding in item.get("coding", []) if coding not in codings]
            text = text or item.get("text", "")
    amount = nm_to_decimal(rqd[5].text)
    if amount is None and rqd.peek(5):
        rqd.give_back(5)
    if amount is None and rqd.peek(6):
        rqd.ignore(6, "unit without an amount")
    place = cwe_to_organization(rqd[9], draft) if rqd.peek(9) else None
    return compact(
        {
            "itemCodeableConcept": compact({"coding": codings, "text": text}),
            "quantity": _ABSENT if amount is None else quantity(amount, cwe_to_unit(rqd[6])),
            "occurrenceDateTime": draft.moment(rqd, 10),
            "deliverTo": place,
        }
    )
