"""RQ1: price and maker of the thing RQD asks for.

Standard: HL7 v2.5.1 §4.11.2
"""

from __future__ import annotations

from typing import Any

from mappings.hl7v2.actors import cwe_to_organization
from mappings.hl7v2.datatypes import compact
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments import BILLING
from mappings.hl7v2.site import replaceable

MAPPED = {4: "SupplyRequest.supplier"}
IGNORED = {
    1: BILLING,
    2: "maker of the item; the item's code tells what is asked for",
    3: "maker's catalogue; the item's code tells what is asked for",
    5: "supplier's catalogue; the item's code tells what is asked for",
    6: BILLING,
    7: "whether another item may be sent; FHIR R4 has no element for it",
}


@replaceable
def rq1_to_supply_request(rq1: Segment, draft: Draft) -> dict[str, Any]:
    """Give the supplier."""
    supplier = cwe_to_organization(rq1[4], draft) if rq1.peek(4) else None
    return compact({"supplier": [supplier] if supplier else []})
