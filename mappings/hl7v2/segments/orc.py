"""ORC: what is ordered, or what became of an order.

Standard: HL7 v2.5.1 §4.5.1; v2.8.2 §4.5.1
"""

from __future__ import annotations

from typing import Any

from mappings import codes
from mappings.hl7v2.actors import (
    cwe_to_organization,
    pl_to_location,
    practitioners,
    reference,
    role_reference,
    xon_to_organization,
)
from mappings.hl7v2.addresses import xad_to_address, xtn_to_contact_point
from mappings.hl7v2.codings import concept, cwe_to_codeable_concept, cwe_to_coding
from mappings.hl7v2.datatypes import Element, Subcomponents, code_of, compact, words
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.identifiers import cx_to_identifier, ei_to_identifier
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments import BILLING
from mappings.hl7v2.site import replaceable
from mappings.hl7v2.timing import tq_to_request
from mappings.ids import resource_id
from mappings.outcome import Resource
from mappings.systems import V2_TABLE

MAPPED = {
    1: "ServiceRequest.status | SupplyRequest.status | MedicationRequest.status | MedicationDispense.status"
    " | MedicationAdministration.status",
    2: "ServiceRequest.identifier | DiagnosticReport.identifier | SupplyRequest.identifier"
    " | MedicationRequest.identifier | MedicationDispense.identifier | MedicationAdministration.identifier"
    " | Immunization.identifier",
    3: "ServiceRequest.identifier | DiagnosticReport.identifier | SupplyRequest.identifier"
    " | MedicationRequest.identifier | MedicationDispense.identifier | MedicationAdministration.identifier"
    " | Immunization.identifier",
    4: "ServiceRequest.requisition | ServiceRequest.identifier | MedicationRequest.groupIdentifier"
    " | Immunization.identifier",
    5: "ServiceRequest.status | SupplyRequest.status | MedicationRequest.status | MedicationDispense.status"
    " | MedicationAdministration.status",
    7: "ServiceRequest.occurrence | ServiceRequest.priority | ServiceRequest.quantityQuantity | ServiceRequest.note"
    " | ServiceRequest.asNeeded | MedicationRequest.dosageInstruction.timing"
    " | MedicationDispense.dosageInstruction.timing | MedicationRequest.priority"
    " | MedicationRequest.dosageInstruction",
    8: "ServiceRequest.basedOn | MedicationRequest.basedOn",
    9: "ServiceRequest.authoredOn | SupplyRequest.authoredOn | Provenance.occurred | MedicationRequest.authoredOn"
    " | Immunization.recorded",
    10: "Provenance.agent.who | MedicationRequest.recorder | Immunization.performer.actor",
    11: "Provenance.agent.who",
    12: "ServiceRequest.requester | SupplyRequest.requester | MedicationRequest.requester"
    " | MedicationAdministration.performer.actor | Immunization.performer.actor",
    13: "Provenance.location",
    14: "ServiceRequest.extension(servicerequest-order-callback-phone-number)",
    15: "MedicationRequest.authoredOn",
    16: "ServiceRequest.extension(request-statusReason) | SupplyRequest.extension(request-statusReason)"
    " | MedicationRequest.statusReason",
    17: "Provenance.agent.onBehalfOf | Provenance.agent.who",
    18: "Provenance.agent.who",
    19: "Provenance.agent.who",
    21: "ServiceRequest.requester | SupplyRequest.requester | MedicationRequest.requester",
    22: "Organization.address",
    23: "Organization.telecom",
    24: "Practitioner.address",
    28: "ServiceRequest.meta.security | DiagnosticReport.meta.security | MedicationRequest.meta.security"
    " | MedicationDispense.meta.security | MedicationAdministration.meta.security | Immunization.meta.security",
    29: "ServiceRequest.locationCode | MedicationRequest.category",
    31: "ServiceRequest.basedOn.display",
    33: "ServiceRequest.identifier | MedicationRequest.identifier",
    37: "ServiceRequest.authoredOn",
    38: "ServiceRequest.identifier",
}
IGNORED = {
    6: "response flag; about the conversation",
    15: "effective time of the order control; ORC-9 dates the order",
    20: BILLING,
    25: "order status modifier; ORC-5 tells the status",
    26: BILLING,
    27: "expected availability; the report tells when it came",
    30: "how the enterer was authorised; kept in the ledger with the message",
    32: BILLING,
    34: "workflow of the order; agreed between the systems",
    35: "action on the order; ORC-1 tells it",
    36: "period of a status; the record keeps when it was told",
}

CALLBACK = "servicerequest-order-callback-phone-number"
_STATUS_REASON = "http://hl7.org/fhir/StructureDefinition/request-statusReason"
_ABSENT: Element = {
    "extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}]
}
_NEW = frozenset({"", "NW", "SN", "NA", "XO", "RO", "PA", "CH", "PR"})
"""Controls whose time is that of ordering; of any other it is the time of the event."""
_DATA_OPERATION = "http://terminology.hl7.org/CodeSystem/v3-DataOperation"
_ACTIVITIES = {
    "NW": ("CREATE", "create"), "SC": ("UPDATE", "revise"), "XO": ("UPDATE", "revise"), "XX": ("UPDATE", "revise"),
    "OC": ("CANCEL", "cancel"), "CA": ("CANCEL", "cancel"), "HD": ("HOLD", "hold"), "RL": ("RELEASE", "release"),
}  # fmt: skip
_TOLD = frozenset({10, 11, 13, 17, 18, 19})
"""Fields about how the order came about."""


def order_status(orc: Segment) -> str:
    """Give the status of the order: ORC-5, else what ORC-1 means for it; `""` when neither tells."""
    return codes.table("v2-0038").target(code_of(orc[5].text).upper()) or codes.table("v2-0119").target(
        code_of(orc[1].text).upper()
    )


@replaceable
def orc_to_service_request(orc: Segment, draft: Draft, person: Element | None = None) -> Element:
    """Give what ORC knows of the ServiceRequest.

    The ordering facility (ORC-21 to ORC-24) becomes an Organization: with an ordering person (ORC-12, else `person`) in a role
    there, without one the requester.
    """
    context = draft.context
    control = code_of(orc[1].text).upper()
    status = order_status(orc)
    if orc.peek(1) and not status:
        orc.ignore(1, "order control that does not change the order")
    if orc.peek(5) and codes.table("v2-0038").find(code_of(orc.peek(5).text).upper()) is None:
        orc.give_back(5, "not a status of table 0038")
    group, numbers = _groups(orc, draft)
    found: dict[str, Any] = {
        "status": status,
        "requisition": group,
        "identifier": numbers,
        "authoredOn": _authored(orc, control, draft),
    }
    if orc.peek(7):
        timing = tq_to_request(orc[7].repetitions, context)
        found |= timing
        if not timing:
            orc.give_back(7)
    found["requester"] = requester_of(orc, draft, person)
    if not orc.fields.isdisjoint(_RARE):
        _rare(orc, found, draft)
    return compact(found)


def _groups(orc: Segment, draft: Draft) -> tuple[Element, list[Element]]:
    """Give the placer's group, and the numbers that are not the order's own: filler's group, other placer numbers."""
    context = draft.context
    numbers: list[Element | None] = []
    group = orc[4]
    if group.c(1, 2) or group.c(2, 2) or (not group.c(1) and group.c(2)):
        placer = ei_to_identifier(Subcomponents(group, 1), context, "group", "PGN")
        numbers.append(ei_to_identifier(Subcomponents(group, 2), context, "filler-group", "FGN"))
    else:
        placer = ei_to_identifier(group, context, "group", "PGN")
    if not orc.fields.isdisjoint((33, 38)):
        numbers += [_placer(cx_to_identifier(cx, context, of="order")) for cx in orc[33].repetitions]
        numbers.append(ei_to_identifier(orc[38], context, "filler-group", "FGN"))
    return placer or {}, [number for number in numbers if number]


def _placer(identifier: Element | None) -> Element | None:
    row = codes.table("v2-0203").find("PLAC")
    return {**identifier, "type": {"coding": [row.coding()]}} if identifier and row else identifier


def _authored(orc: Segment, control: str, draft: Draft) -> str:
    """Give when it was ordered: ORC-37, else ORC-9 of an order that is new."""
    created = draft.moment(orc, 37) if orc.peek(37) else ""
    if orc.peek(9) and (created or control not in _NEW):
        if orc.fields.isdisjoint(_TOLD):
            orc.ignore(9, "time of the order event; only a new order's is the time of ordering")
        return created
    return created or draft.moment(orc, 9)


def requester_of(orc: Segment, draft: Draft, person: Element | None = None) -> Element:
    """Give who ordered: the person, in a role at the ordering facility when that is named; else the facility."""
    people = practitioners(orc[12].repetitions, draft) or ([person] if person else [])
    if orc.fields.isdisjoint((21, 22, 23, 24)):
        return people[0] if people else {}
    place = xon_to_organization(orc[21], draft, address=orc[22], telecom=orc[23]) if orc.peek(21) else None
    if place is None:
        for n in (22, 23):
            if orc.peek(n):
                orc.give_back(n, "of no named facility")
    if orc.peek(24):
        address = xad_to_address(orc[24], draft.context)
        if people and address:
            draft.get(people[0]["reference"]).setdefault("address", [address])
        else:
            orc.give_back(24, "of no named person")
    if people and place:
        return role_reference(draft, people[0], place, concept("OP", f"{V2_TABLE}0912", "Ordering Provider"))
    return people[0] if people else place or {}


_RARE = frozenset({14, 16, 28, 29})


def _rare(orc: Segment, found: dict[str, Any], draft: Draft) -> None:
    context = draft.context
    extensions: list[Element] = []
    for xtn in orc[14].repetitions:
        callback = xtn_to_contact_point(xtn, context)
        if callback:
            url = f"{context.systems.own}/StructureDefinition/{CALLBACK}"
            extensions.append({"url": url, "valueContactPoint": callback})
    reason = cwe_to_codeable_concept(orc[16], context)
    if reason:
        extensions.append({"url": _STATUS_REASON, "valueCodeableConcept": reason})
    labels = confidentiality(orc, draft)
    setting = cwe_to_codeable_concept(orc[29], context, "v2-0482")
    found["meta"] = {"security": labels} if labels else {}
    found["extension"] = extensions
    found["locationCode"] = [setting] if setting else []


def confidentiality(orc: Segment, draft: Draft) -> list[Element]:
    """Give the security labels of ORC-28."""
    if not orc.peek(28):
        return []
    return [
        label for cwe in orc[28].repetitions if (label := cwe_to_coding(cwe, draft.context, system=f"{V2_TABLE}0177"))
    ]


@replaceable
def orc_to_provenance(orc: Segment, draft: Draft, target: str, key: str) -> Resource | None:
    """Make the Provenance of what ORC says was done with the order; nothing when it does not say by whom.

    Standard: HL7 v2-to-FHIR, ORC[Provenance]
    """
    if orc.fields.isdisjoint(_TOLD):
        return None
    context = draft.context
    agents = _agents(orc, draft)
    if not agents:
        for n in _TOLD & orc.fields:
            orc.give_back(n)
        return None
    occurred = draft.moment(orc, 9)
    control = code_of(orc.peek(1).text).upper()
    activity = _ACTIVITIES.get(control)
    place = pl_to_location(orc[13], draft) if orc.peek(13) else None
    recorded = occurred if "T" in occurred else draft.sent_at if "T" in draft.sent_at else ""
    system = context.systems.local(context.facility, "order-event")
    return compact(
        {
            "resourceType": "Provenance",
            "id": resource_id("Provenance", system, f"{key}|{control}|{occurred or draft.message_key}"),
            "target": [reference(target)],
            "occurredDateTime": occurred,
            "recorded": recorded,
            "_recorded": {} if recorded else _ABSENT,
            "location": place or {},
            "activity": concept(activity[0], _DATA_OPERATION, activity[1]) if activity else {},
            "agent": agents,
        }
    )


def _agents(orc: Segment, draft: Draft) -> list[Element]:
    behalf = cwe_to_organization(orc[17], draft) if orc.peek(17) else None
    found: list[Element] = []
    for n, code, display in ((10, "enterer", "Enterer"), (11, "verifier", "Verifier"), (19, "performer", "Performer")):
        for person in practitioners(orc[n].repetitions, draft):
            agent = {"type": _part(code, display), "who": person}
            found.append({**agent, "onBehalfOf": behalf} if behalf and n == 10 else agent)
    if behalf and not any("onBehalfOf" in agent for agent in found):
        found.append({"type": _part("enterer", "Enterer"), "who": behalf})
    device = _entering_device(orc, draft) if orc.peek(18) else None
    if device:
        found.append({"type": _part("assembler", "Assembler"), "who": device})
    if found or orc.peek(13):
        found += [
            {"type": _part("author", "Author"), "who": person} for person in practitioners(orc[12].repetitions, draft)
        ]
    return found


def _part(code: str, display: str) -> Element:
    return concept(code, "http://terminology.hl7.org/CodeSystem/provenance-participant-type", display)


def _entering_device(orc: Segment, draft: Draft) -> Element | None:
    """Make the Device of ORC-18, known by its code and what that means here."""
    code, name = words(orc[18].c(1)), words(orc[18].c(2))
    if not code and not name:
        return None
    system = draft.context.systems.local(draft.context.facility, "device")
    target = draft.add(
        compact(
            {
                "resourceType": "Device",
                "id": resource_id("Device", system, code or name),
                "identifier": [{"system": system, "value": code}] if code else [],
                "deviceName": [{"name": name, "type": "other"}] if name else [],
            }
        )
    )
    return reference(target, name)


def parents_of(segment: Segment, n: int, draft: Draft) -> list[Element]:
    """Give the placer's and the filler's number of a parent order (EIP)."""
    if not segment.peek(n):
        return []
    found = []
    for eip in segment[n].repetitions:
        for part, of, kind in ((1, "order", "PLAC"), (2, "filler", "FILL")):
            number = ei_to_identifier(Subcomponents(eip, part), draft.context, of, kind)
            if number:
                found.append(number)
    return found
