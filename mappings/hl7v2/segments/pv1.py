"""PV1: the visit.

Standard: HL7 v2.5.1 §3.4.3
"""

from __future__ import annotations

from typing import Any

from mappings import codes
from mappings.hl7v2 import faults
from mappings.hl7v2.actors import pl_to_location, practitioners, reference, this_facility
from mappings.hl7v2.datatypes import Element, code_of, compact, concept, cwe_to_codeable_concept, period, words
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.identifiers import cx_to_identifier
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments import BILLING, SEQUENCE
from mappings.ids import resource_id
from mappings.outcome import Resource
from mappings.systems import V2_TABLE

MAPPED = {
    2: "Encounter.class",
    3: "Encounter.location.location",
    4: "Encounter.type",
    5: "Encounter.hospitalization.preAdmissionIdentifier",
    6: "Encounter.location.location",
    7: "Encounter.participant.individual",
    8: "Encounter.participant.individual",
    9: "Encounter.participant.individual",
    10: "Encounter.serviceType",
    11: "Encounter.location.location",
    13: "Encounter.hospitalization.reAdmission",
    14: "Encounter.hospitalization.admitSource",
    15: "Encounter.hospitalization.specialArrangement",
    16: "Encounter.hospitalization.specialCourtesy",
    17: "Encounter.participant.individual",
    19: "Encounter.identifier",
    36: "Encounter.hospitalization.dischargeDisposition",
    37: "Encounter.hospitalization.destination",
    38: "Encounter.hospitalization.dietPreference",
    42: "Encounter.location.location",
    44: "Encounter.period.start",
    45: "Encounter.period.end",
    50: "Encounter.identifier",
    52: "Encounter.participant.individual",
}
IGNORED = {
    1: SEQUENCE,
    12: "pre-admission test indicator; no use outside the sender",
    18: "patient type of the sender; user-defined and without values in the standard",
    39: "servicing facility; the facility of the channel is used",
    40: "bed status; bed management",
    41: "account status; billing",
    43: "prior temporary location; earlier messages told it",
    51: "visit indicator; the visit number is PV1-19",
    53: "episode description; no episode of care is kept",
    54: "episode number; no episode of care is kept",
} | dict.fromkeys((*range(20, 36), *range(46, 50)), BILLING)

_PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
# field, participation code, its display
_PEOPLE = (
    (7, "ATND", "attender"),
    (8, "REF", "referrer"),
    (9, "CON", "consultant"),
    (17, "ADM", "admitter"),
    (52, "PART", "Participation"),
)
# field, Encounter.location.status
_PLACES = ((3, "active"), (6, "completed"), (11, "active"), (42, "reserved"))


def pv1_to_encounter(pv1: Segment, draft: Draft, pid: Segment) -> Resource | None:
    """Make the Encounter; nothing when the message only says that it is about no visit (`PV1||N`).

    Known by PV1-19, else PID-18, else the patient and PV1-44; without any of these by the message itself.
    """
    context = draft.context
    admitted_at = draft.moment(pv1, 44)
    number = cx_to_identifier(pv1[19], context, of="visit")
    if number is None and pid.peek(18):
        number = cx_to_identifier(pid[18], context, of="account")
    about_nothing = code_of(pv1.peek(2).text) in ("", "N", "U") and not any(pv1.peek(n) for n in (3, 7, 10, 17, 36))
    if number is None and not admitted_at and about_nothing:
        pv1.ignore(2, "the message is about no visit")
        return None
    left_at = draft.moment(pv1, 45)
    if draft.event == "A13" and left_at:
        pv1.ignore(45, "the discharge is cancelled")
        left_at = ""
    status = _status(pv1, draft, bool(left_at))
    encounter: dict[str, Any] = {
        "resourceType": "Encounter",
        "id": _id(pv1, draft, number, admitted_at),
        "identifier": _identifiers(pv1, draft, number),
        "status": status,
        "class": _class(pv1, draft),
        "type": _list(cwe_to_codeable_concept(pv1[4], context, "v2-0007")),
        "serviceType": cwe_to_codeable_concept(pv1[10], context, system=f"{V2_TABLE}0069"),
        "subject": reference(draft.patient),
        "participant": _participants(pv1, draft),
        "period": period(admitted_at, left_at),
        "hospitalization": _hospitalization(pv1, draft),
        "location": _locations(pv1, draft, status),
        "serviceProvider": this_facility(draft),
    }
    return compact(encounter)


def _id(pv1: Segment, draft: Draft, number: Element | None, admitted_at: str) -> str:
    if number:
        return resource_id("Encounter", number["system"], number["value"])
    system = draft.context.systems.local(draft.context.facility, "visit")
    if admitted_at:
        return resource_id("Encounter", system, f"{draft.patient}|{admitted_at}")
    return resource_id("Encounter", system, draft.own_key(pv1))


def _identifiers(pv1: Segment, draft: Draft, number: Element | None) -> list[Element]:
    found = [number] if number else []
    for cx in pv1[50].repetitions:
        other = cx_to_identifier(cx, draft.context, of="visit")
        if other and all(other["value"] != f["value"] or other["system"] != f["system"] for f in found):
            found.append(other)
    return found


def _status(pv1: Segment, draft: Draft, left: bool) -> str:
    """Tell the status from the event; where the event says nothing from PV1-45 and the class, in an ADT message.

    A result or an appointment knows nothing about the visit's state: `unknown`, unless PV1-45 says it is over.
    """
    said = codes.table("v2-0003-encounter").target(draft.event) if draft.trigger.startswith("ADT^") else ""
    if said and not (said == "in-progress" and left and draft.event != "A13"):
        if said == "in-progress" and code_of(pv1.peek(2).text) == "P":
            return "planned"
        return said
    if left:
        return "finished"
    if draft.trigger.startswith("ADT^"):
        return codes.table("v2-0004-status").target(code_of(pv1.peek(2).text)) or "in-progress"
    return "unknown"


def _class(pv1: Segment, draft: Draft) -> Element:
    """Take PV1-2 as v3-ActCode; FHIR asks for a class, so none becomes ambulatory only when the sender says outpatient."""
    code = code_of(pv1[2].text)
    row = codes.table("v2-0004-class").find(code.upper())
    if row:
        return dict(row.coding())
    if code and code.upper() not in codes.table("v2-0004-class"):
        draft.notice(faults.CODE_UNKNOWN, pv1.where(2))
    if code:
        return compact({"system": f"{V2_TABLE}0004", "code": code, "display": words(pv1[2].c(2))})
    return {"system": "http://terminology.hl7.org/CodeSystem/v3-NullFlavor", "code": "UNK", "display": "unknown"}


def _participants(pv1: Segment, draft: Draft) -> list[Element]:
    found: list[Element] = []
    for n, code, display in _PEOPLE:
        for person in practitioners(pv1[n].repetitions, draft):
            entry = {"type": [concept(code, _PARTICIPATION, display)], "individual": person}
            if entry not in found:
                found.append(entry)
    return found


def _locations(pv1: Segment, draft: Draft, status: str) -> list[Element]:
    found: list[Element] = []
    for n, state in _PLACES:
        place = pl_to_location(pv1[n], draft)
        if place is None or any(place == entry["location"] for entry in found):
            continue
        if state == "active" and status in ("finished", "cancelled"):
            state = "completed"
        elif state == "active" and status == "planned":
            state = "planned"
        found.append({"location": place, "status": state})
    return found


def _hospitalization(pv1: Segment, draft: Draft) -> Element:
    context = draft.context
    before = cx_to_identifier(pv1[5], context, of="preadmission")
    arrangements = [
        found
        for cwe in pv1[15].repetitions
        if (found := cwe_to_codeable_concept(cwe, context, system=f"{V2_TABLE}0009"))
    ]
    courtesy = cwe_to_codeable_concept(pv1[16], context, system=f"{V2_TABLE}0099")
    diet = cwe_to_codeable_concept(pv1[38], context, system=f"{V2_TABLE}0114")
    destination = _destination(pv1, draft)
    return compact(
        {
            "preAdmissionIdentifier": before,
            "admitSource": cwe_to_codeable_concept(pv1[14], context, system=f"{V2_TABLE}0023"),
            "reAdmission": cwe_to_codeable_concept(pv1[13], context, system=f"{V2_TABLE}0092"),
            "dietPreference": _list(diet),
            "specialCourtesy": _list(courtesy),
            "specialArrangement": arrangements,
            "destination": destination,
            "dischargeDisposition": _disposition(pv1, draft),
        }
    )


def _destination(pv1: Segment, draft: Draft) -> Element | None:
    """Take PV1-37 (DLD): a facility code or a name of a place becomes a Location."""
    dld = pv1[37]
    name = words(dld.c(1, 2)) or words(dld.c(1))
    if not name:
        return None
    system = draft.context.systems.local(draft.context.facility, "destination")
    number = words(dld.c(1))
    target = draft.add(
        compact(
            {
                "resourceType": "Location",
                "id": resource_id("Location", system, number or name),
                "identifier": [{"system": system, "value": number}] if number else [],
                "name": name,
            }
        )
    )
    return reference(target, name)


def _disposition(pv1: Segment, draft: Draft) -> Element | None:
    """Take PV1-36: one digit is MA_LOAI_RV (1–5), anything else HL7 table 0112; the sender's code stays beside the FHIR one."""
    field = pv1[36]
    code = code_of(field.c(1))
    if not code:
        return cwe_to_codeable_concept(field, draft.context)
    if code in codes.table("ma-loai-rv") and field.c(3).strip().upper() in ("", "MA_LOAI_RV", "L"):
        row = codes.table("ma-loai-rv").find(code)
        own = {"system": f"{draft.context.systems.national}/CodeSystem/vn-discharge-disposition-cs", "code": code}
        return compact({"coding": [own, *([row.coding()] if row else [])], "text": words(field.c(2))})
    row = codes.table("v2-0112").find(code)
    found = cwe_to_codeable_concept(field, draft.context, system=f"{V2_TABLE}0112") or {}
    if row:
        return {**found, "coding": [*found.get("coding", []), row.coding()]}
    return found


def _list(element: Element | None) -> list[Element]:
    return [element] if element else []
