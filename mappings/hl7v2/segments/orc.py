"""ORC: the order a result answers.

Standard: HL7 v2.5.1 §4.5.1
"""

from __future__ import annotations

from mappings import codes
from mappings.hl7v2.actors import practitioners, xon_to_organization
from mappings.hl7v2.datatypes import (
    Element,
    code_of,
    compact,
    cwe_to_codeable_concept,
    cwe_to_coding,
    ei_to_identifier,
    xtn_to_contact_point,
)
from mappings.hl7v2.draft import Draft, datetime_of
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments import LEDGER
from mappings.systems import V2_TABLE

IGNORED = {
    6: "response flag; about the conversation",
    8: "parent order; reflex orders are not linked yet",
    10: LEDGER,
    11: LEDGER,
    13: "place where the order was entered",
    15: "effective time of the order control",
    17: LEDGER,
    18: LEDGER,
    19: LEDGER,
    20: "beneficiary notice",
    25: "order status modifier; ORC-5 tells the status",
    26: "beneficiary notice",
    27: "expected availability; the report tells when it came",
    30: LEDGER,
    31: "universal service of the parent",
    32: "advanced beneficiary notice",
    34: "workflow of the order",
    35: "workflow of the order",
    36: "workflow of the order",
    37: "workflow of the order",
    38: "filler group; the placer group is kept",
}

_CALLBACK = "http://hl7.org/fhir/StructureDefinition/servicerequest-order-callback-phone-number"


def orc_to_service_request(orc: Segment, draft: Draft) -> Element:
    """Give what ORC knows of the ServiceRequest: status, group, time, requester, security labels.

    Ordering facility (ORC-21 to ORC-24) becomes an Organization; without an ordering person it is the requester.
    """
    context = draft.context
    control = code_of(orc[1].text).upper()
    status = codes.table("v2-0038").target(code_of(orc[5].text).upper()) or codes.table("v2-0119").target(control)
    group = ei_to_identifier(orc[4], context, "group", "PGN")
    people = practitioners(orc[12].repetitions, draft)
    place = xon_to_organization(orc[21], draft, address=orc[22], telecom=orc[23]) if orc[21] else None
    if place is None:
        for n in (22, 23):
            if orc.peek(n):
                orc.give_back(n)
    callback = xtn_to_contact_point(orc[14], context)
    label = cwe_to_coding(orc[28], context, system=f"{V2_TABLE}0177")
    reason = cwe_to_codeable_concept(orc[16], context)
    setting = cwe_to_codeable_concept(orc[29], context, system=f"{V2_TABLE}0482")
    if orc.peek(24):
        orc.ignore(24, "address of the ordering provider; the facility's is kept")
    authored_at = draft.moment(orc, 9)
    if authored_at and control not in ("", "NW", "SN", "XO"):
        authored_at = ""
        orc.ignore(9, "time of the order event; only a new order's is the time of ordering")
    extensions = []
    if callback:
        extensions.append({"url": _CALLBACK, "valueContactPoint": callback})
    if reason:
        extensions.append(
            {"url": "http://hl7.org/fhir/StructureDefinition/request-statusReason", "valueCodeableConcept": reason}
        )
    return compact(
        {
            "meta": {"security": [label]} if label else {},
            "extension": extensions,
            "requisition": group,
            "status": status,
            "priority": codes.table("v2-0485").target(code_of(orc[7].c(6)).upper()),
            "occurrenceDateTime": datetime_of(orc[7].c(4), context) if orc[7].c(4) else "",
            "authoredOn": authored_at,
            "requester": people[0] if people else place,
            "locationCode": [setting] if setting else [],
        }
    )
