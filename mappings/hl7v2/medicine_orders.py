"""ORC as orders of medicines and vaccinations have it: numbers, status, who and when.

Statuses by table 0038 (ORC-5) before table 0119 (ORC-1): what the order has become says more than what was asked of it.

Standard: HL7 v2.5.1 §4.5.1, §4.5.1.1
"""

from __future__ import annotations

from typing import Any

from mappings import codes
from mappings.hl7v2 import faults
from mappings.hl7v2.actors import practitioners, xon_to_organization
from mappings.hl7v2.codings import concept, cwe_to_codeable_concept
from mappings.hl7v2.datatypes import Element, Subcomponents, code_of, compact
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.identifiers import cx_to_identifier, ei_to_identifier
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments.orc import confidentiality, parents_of
from mappings.hl7v2.segments.rxa import performers
from mappings.hl7v2.site import replaceable

_CATEGORIES = {"I": ("inpatient", "Inpatient"), "O": ("outpatient", "Outpatient")}
_NEW = frozenset({"", "NW", "SN", "XO", "OP", "RF", "RO"})
"""Controls whose time (ORC-9) is the time of ordering."""
_UNUSED = {
    6: "response flag; about the conversation",
    7: "timing of an order; what was done has its own time",
    8: "parent order",
    11: "who verified the order; requests of medicines have no such element",
    13: "place where the order was entered",
    14: "telephone for questions; requests of medicines have no such element",
    15: "time from which the order holds; its timing tells",
    16: "reason of the order control",
    17: "organisation that entered the order",
    18: "device the order was entered with",
    19: "who did what the order control says",
    20: "beneficiary notice",
    21: "ordering facility; the person is named",
    22: "address of the ordering facility",
    23: "telephone of the ordering facility",
    24: "address of the ordering provider",
    25: "modifier of the status; ORC-5 tells it",
    26: "beneficiary notice",
    27: "expected availability",
    29: "inpatient or outpatient",
    30: "how the order reached who entered it",
    31: "universal service of the parent",
    32: "beneficiary notice",
    33: "alternate number of the order",
    34: "workflow of the order",
    35: "workflow of the order",
    36: "workflow of the order",
    37: "workflow of the order",
    38: "filler group; the placer group is kept",
}


def leave_rest(orc: Segment, *taken: int) -> None:
    """Leave out on purpose what an order of a medicine or a vaccination has no use for; `taken` are the fields it uses."""
    for n in orc.fields:
        if n in _UNUSED and n not in taken:
            orc.ignore(n, _UNUSED[n])


PLACEHOLDERS = frozenset({"9999"})
"""What US registers write in ORC-3 where nothing was ordered."""


def numbers(orc: Segment | None, draft: Draft) -> list[Element]:
    """Give placer's and filler's number, those that there are, in this order."""
    if orc is None:
        return []
    found = []
    for n, of, kind in ((2, "order", "PLAC"), (3, "filler", "FILL")):
        number = ei_to_identifier(orc[n], draft.context, of, kind)
        if number and number["value"] in PLACEHOLDERS:
            orc.ignore(n, "stands where nothing was ordered")
        elif number:
            found.append(number)
    return found


def medication_status(control: str, status: str) -> str:
    """Give MedicationRequest.status."""
    return (
        codes.table("v2-0038-medication").target(status)
        or codes.table("v2-0119-medication").target(control)
        or ("unknown" if control or status else "active")
    )


def dispense_status(control: str, status: str, happened: bool) -> str:
    """Give MedicationDispense.status; an order still in process has dispenses that are complete when they `happened`."""
    found = codes.table("v2-0038-dispense").target(status)
    if found in ("", "in-progress", "preparation") and happened:
        found = ""
    return found or codes.table("v2-0119-dispense").target(control) or ("completed" if happened else "unknown")


def administration_status(control: str, said: str) -> str:
    """Give MedicationAdministration.status; `said` is what RXA says itself."""
    return said or codes.table("v2-0119-administration").target(control) or "completed"


def control_of(orc: Segment | None) -> tuple[str, str]:
    """Take order control and order status."""
    if orc is None:
        return "", ""
    return code_of(orc[1].text).upper(), code_of(orc[5].text).upper()


@replaceable
def orc_to_medication_request(orc: Segment, draft: Draft) -> dict[str, Any]:
    """Give what ORC knows of the MedicationRequest; ORC-7 is read with the timings.

    Without an ordering person the ordering facility is the requester.
    """
    context = draft.context
    control, status = control_of(orc)
    if status and status not in codes.table("v2-0038-medication"):
        draft.notice(faults.CODE_UNKNOWN, orc.where(5))
    people = practitioners(orc[12].repetitions, draft)
    place = xon_to_organization(orc[21], draft, address=orc[22], telecom=orc[23]) if orc[21] else None
    if place is None:
        for n in (22, 23):
            if orc.peek(n):
                orc.give_back(n)
    recorders = practitioners(orc[10].repetitions[:1], draft)
    labels = confidentiality(orc, draft)
    authored_at = ""
    if control in _NEW:
        authored_at = draft.moment(orc, 9) or draft.moment(orc, 15)
        if orc.peek(9) and orc.peek(15):
            orc.ignore(15, "time from which the order holds; its timing tells")
    elif orc.peek(9):
        orc.ignore(9, "time of the order event; only a new order's is the time of ordering")
    setting = _CATEGORIES.get(code_of(orc[29].text).upper())
    if orc.peek(29) and setting is None:
        orc.give_back(29)
    alternates = [found for cx in orc[33].repetitions if (found := cx_to_identifier(cx, context, of="order"))]
    parents = [{"type": "MedicationRequest", "identifier": number} for number in parents_of(orc, 8, draft)[:1]]
    if orc.peek(8) and not parents:
        orc.give_back(8)
    leave_rest(orc, 7, 8, 15, 16, 29, 33, *((21, 22, 23) if place and not people else ()))
    if control not in _NEW and orc.peek(15):
        orc.ignore(15, _UNUSED[15])
    return compact(
        {
            "meta": {"security": labels} if labels else {},
            "identifier": [*numbers(orc, draft), *alternates],
            "status": medication_status(control, status),
            "statusReason": cwe_to_codeable_concept(orc[16], context),
            "category": [
                concept(setting[0], "http://terminology.hl7.org/CodeSystem/medicationrequest-category", setting[1])
            ]
            if setting
            else [],
            "authoredOn": authored_at,
            "requester": people[0] if people else place,
            "recorder": recorders[0] if recorders else {},
            "basedOn": parents,
            "groupIdentifier": ei_to_identifier(orc[4], context, "group", "PGN"),
        }
    )


@replaceable
def orc_to_immunization(orc: Segment, immunization: dict[str, Any], draft: Draft) -> None:
    """Add numbers, time of record, who ordered and entered, and security labels to the Immunization."""
    context = draft.context
    halves = (Subcomponents(orc[4], 1), Subcomponents(orc[4], 2))
    if not any(half.c(2) for half in halves):
        group = [ei_to_identifier(orc[4], context, "group", "PGN")]
    else:
        group = [ei_to_identifier(half, context, "group", "PGN") for half in halves]
    immunization["identifier"] = [
        *numbers(orc, draft),
        *(found for found in group if found),
        *immunization.get("identifier", []),
    ]
    if immunization.get("recorded"):
        if orc.peek(9):
            orc.ignore(9, "RXA-22 tells when it was recorded")
    else:
        immunization["recorded"] = draft.moment(orc, 9)
    immunization["performer"] = [
        *immunization.get("performer", []),
        *performers(orc, 12, "OP", draft),
        *performers(orc, 10, "EP", draft),
    ]
    leave_rest(orc)
    for n in (1, 5):
        if orc.peek(n):
            orc.ignore(n, "RXA tells whether it was done")
    labels = confidentiality(orc, draft)
    if labels:
        immunization["meta"] = {"security": labels}


@replaceable
def orc_to_medication_event(orc: Segment, draft: Draft, administered: bool) -> Element:
    """Give what ORC knows of a dispense or an administration without the order itself: `meta`, and who ordered.

    Who ordered is a performer of an administration, by table 0443; a dispense has no such element.
    """
    for n, reason in (
        (4, "group of the order"),
        (9, "time of the order event; what was done has its own time"),
        (10, "who entered the order"),
        *(() if administered else ((12, "who ordered; the order has it"),)),
    ):
        if orc.peek(n):
            orc.ignore(n, reason)
    leave_rest(orc)
    labels = confidentiality(orc, draft)
    return compact(
        {
            "meta": {"security": labels} if labels else {},
            "performer": performers(orc, 12, "OP", draft) if administered else [],
        }
    )
