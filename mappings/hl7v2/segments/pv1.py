"""PV1: the visit.

Standard: HL7 v2.5.1 §3.4.3
"""

from __future__ import annotations

from typing import Any

from mappings import codes
from mappings.fhir import vocabulary
from mappings.hl7v2 import faults
from mappings.hl7v2.actors import pl_to_location, practitioners, reference, this_facility
from mappings.hl7v2.codings import coding, concept, cwe_to_codeable_concept, v2_coding
from mappings.hl7v2.datatypes import Element, Subcomponents, code_of, compact, period, words
from mappings.hl7v2.draft import Draft, datetime_of
from mappings.hl7v2.events import ASSIGNED, PLACES, PRIOR, PRIOR_TEMPORARY, TEMPORARY, Effect, effect_of
from mappings.hl7v2.identifiers import FACILITY_CODE, cx_to_identifier
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments import BILLING, SEQUENCE
from mappings.hl7v2.site import replaceable
from mappings.ids import resource_id
from mappings.outcome import Resource
from mappings.systems import V2_TABLE, V3_ACT_CODE

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
    18: "Encounter.type",
    19: "Encounter.identifier",
    20: "Coverage.type",
    36: "Encounter.hospitalization.dischargeDisposition",
    37: "Encounter.hospitalization.destination",
    38: "Encounter.hospitalization.dietPreference",
    40: "Location.operationalStatus",
    42: "Encounter.location.location",
    43: "Encounter.location.location",
    44: "Encounter.period.start",
    45: "Encounter.period.end",
    50: "Encounter.identifier",
    52: "Encounter.participant.individual",
    53: "Encounter.episodeOfCare.display",
    54: "EpisodeOfCare.identifier",
}
IGNORED = {
    1: SEQUENCE,
    12: "pre-admission test indicator; no use outside the sender",
    39: "servicing facility; the facility of the channel is used",
    41: "account status; billing",
    51: "visit indicator; the visit number is PV1-19",
} | dict.fromkeys((*range(21, 36), *range(46, 50)), BILLING)

_PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
# field, participation code, its display
_PEOPLE = (
    (7, "ATND", "attender"),
    (8, "REF", "referrer"),
    (9, "CON", "consultant"),
    (17, "ADM", "admitter"),
    (52, "PART", "Participation"),
)


@replaceable
def pv1_to_encounter(pv1: Segment, draft: Draft, pid: Segment) -> Resource | None:
    """Make the Encounter; nothing when the message only says that it is about no visit (`PV1||N`).

    Known by PV1-19, else PID-18, else the patient and PV1-44; without any of these by the message itself. What the message
    does not know of the visit's state is assumed.
    """
    context = draft.context
    effect = effect_of(draft.trigger)
    for name, n in effect.undone:
        if name == "PV1":
            pv1.withhold(n, UNDONE)
    admitted_at = draft.moment(pv1, 44)
    number = cx_to_identifier(pv1[19], context, of="visit")
    if number is None and pid.peek(18):
        number = cx_to_identifier(pid[18], context, of="account")
    about_nothing = code_of(pv1.peek(2).text) in ("", "N", "U") and not any(pv1.peek(n) for n in (3, 7, 10, 17, 36))
    if number is None and not admitted_at and about_nothing:
        pv1.ignore(2, "the message is about no visit")
        return None
    left_at = draft.moment(pv1, 45)
    stay = period(admitted_at, left_at)
    if left_at and "end" not in stay:
        pv1.give_back(45, "the visit would end before it begins")
    status, known = _status(pv1, draft, admitted_at, bool(left_at))
    code = _class(pv1, draft)
    moment = event_moment(draft) if effect.moved else ""
    identity = _id(pv1, draft, number, admitted_at)
    unsaid = [name for name, said in (("status", known), ("class", bool(pv1.peek(2)))) if not said]
    if unsaid:
        draft.assume(f"Encounter/{identity}", *unsaid)
    encounter: dict[str, Any] = {
        "resourceType": "Encounter",
        "id": identity,
        "identifier": _identifiers(pv1, draft, number),
        "status": status,
        "class": code,
        "classHistory": _class_history(effect, code, moment),
        "type": [
            found
            for found in (
                cwe_to_codeable_concept(pv1[4], context, "v2-0007"),
                cwe_to_codeable_concept(pv1[18], context, system=f"{V2_TABLE}0018"),
            )
            if found
        ],
        "serviceType": cwe_to_codeable_concept(pv1[10], context, system=f"{V2_TABLE}0069"),
        "subject": reference(draft.patient),
        "episodeOfCare": _episode(pv1, draft),
        "participant": _participants(pv1, draft),
        "period": stay,
        "account": [reference(draft.account)] if draft.account else [],
        "hospitalization": _hospitalization(pv1, draft),
        "location": _locations(pv1, draft, status, effect, moment),
        "serviceProvider": this_facility(draft),
    }
    return compact(encounter)


UNDONE = "named only because the event takes it back"


def event_moment(draft: Draft) -> str:
    """Give when the event happened: EVN-6, else EVN-2; `""` when neither tells."""
    evn = draft.whole.first("EVN")
    if evn is None:
        return ""
    return datetime_of(evn.peek(6).text, draft.context) or datetime_of(evn.peek(2).text, draft.context)


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


def _status(pv1: Segment, draft: Draft, came_at: str, left: bool) -> tuple[str, bool]:
    """Tell the status, and whether the message knows it: from the event, else from PV1-45, else a guess from the class.

    Somebody registered (A04) whose visit began is there. A result or an appointment knows nothing about the visit's state.
    """
    adt = draft.trigger.startswith("ADT^")
    said = codes.table("v2-0003-encounter").target(draft.event) if adt else ""
    if left and said in ("", "in-progress", "planned"):
        return "finished", True
    if said == "planned" and draft.event == "A04" and came_at and _not_after(came_at, draft.sent_at):
        said = "in-progress"
    if said:
        return "planned" if said == "in-progress" and code_of(pv1.peek(2).text) == "P" else said, True
    if adt:
        return codes.table("v2-0004-status").target(code_of(pv1.peek(2).text)) or "in-progress", False
    return "unknown", False


def _not_after(moment: str, other: str) -> bool:
    """Compare two dateTimes as far as both are told."""
    told = min(len(moment), len(other), len("2026-11-03T08:00"))
    return moment[:told] <= other[:told]


def _class_history(effect: Effect, code: Element, moment: str) -> list[Element]:
    """Tell since when the visit has the class, and which one it had before, when the event changes it."""
    if not effect.was or not moment:
        return []
    before = concept(effect.was, V3_ACT_CODE, (vocabulary.members(V3_ACT_CODE) or {}).get(effect.was, ""))["coding"][0]
    return [{"class": before, "period": {"end": moment}}, {"class": code, "period": {"start": moment}}]


def _class(pv1: Segment, draft: Draft) -> Element:
    """Take PV1-2 as v3-ActCode; FHIR asks for a class, so none becomes ambulatory only when the sender says outpatient."""
    code = code_of(pv1[2].text)
    row = codes.table("v2-0004-class").find(code.upper())
    if row:
        return dict(row.coding())
    if code and code.upper() not in codes.table("v2-0004-class"):
        draft.notice(faults.CODE_UNKNOWN, pv1.where(2))
    if code:
        return coding(f"{V2_TABLE}0004", code, words(pv1[2].c(2)), draft.context)
    return {"system": "http://terminology.hl7.org/CodeSystem/v3-NullFlavor", "code": "UNK", "display": "unknown"}


def _participants(pv1: Segment, draft: Draft) -> list[Element]:
    found: dict[tuple[str, str], Element] = {}
    for n, code, display in _PEOPLE:
        if n not in pv1.fields:
            continue
        for person in practitioners(pv1[n].repetitions, draft):
            entry = {"type": [concept(code, _PARTICIPATION, display)], "individual": person}
            found.setdefault((code, person["reference"]), entry)
    return list(found.values())


def _locations(pv1: Segment, draft: Draft, status: str, effect: Effect, moment: str) -> list[Element]:
    """Take the places with what the event says of each; a bed's own status (PV1-40) is kept with the bed or room."""
    found: list[Element] = []
    tracked = draft.event == "A10" and bool(pv1.peek(TEMPORARY))
    at = (TEMPORARY, PRIOR_TEMPORARY) if tracked else (ASSIGNED, PRIOR)
    for n, usual in PLACES.items():
        place = pl_to_location(pv1[n], draft) if n in pv1.fields else None
        if n == ASSIGNED:
            _bed(pv1, draft, place)
        state = effect.places.get(n, usual)
        if place is None or any(place == entry["location"] for entry in found):
            continue
        if state == "active" and status == "finished":
            state = "completed"
        elif state == "active" and status == "planned":
            state = "planned"
        if not state:
            pv1.ignore(n, UNDONE)
            continue
        since = {"active": {"start": moment}, "completed": {"end": moment}}.get(state, {}) if moment and n in at else {}
        found.append(compact({"location": place, "status": state, "period": since}))
    return found


def _bed(pv1: Segment, draft: Draft, place: Element | None) -> None:
    status = v2_coding("0116", code_of(pv1[40].c(1)).upper()) if pv1.peek(40) else None
    if place and status and (pv1.peek(3).c(2) or pv1.peek(3).c(3)):
        draft.get(place["reference"])["operationalStatus"] = status
    elif pv1.peek(40):
        pv1.give_back(40)


def _episode(pv1: Segment, draft: Draft) -> list[Element]:
    """Refer to the EpisodeOfCare of PV1-54 under the words of PV1-53."""
    if not (pv1.peek(53) or pv1.peek(54)):
        return []
    number = cx_to_identifier(pv1[54], draft.context, of="episode")
    if number is None:
        if pv1.peek(53):
            pv1.ignore(53, "words about an episode without a number; there is nothing to refer to")
        return []
    target = draft.add(
        {
            "resourceType": "EpisodeOfCare",
            "id": resource_id("EpisodeOfCare", number["system"], number["value"]),
            "identifier": [number],
            "status": "active",
            "patient": draft.subject,
        },
        pv1,
    )
    draft.assume(target, "status")
    return [reference(target, words(pv1[53].whole))]


@replaceable
def pv1_to_coverage(pv1: Segment, draft: Draft) -> Resource | None:
    """Make the Coverage of a financial class (PV1-20) that no IN1 tells more about."""
    kind = cwe_to_codeable_concept(pv1[20], draft.context, system=f"{V2_TABLE}0064")
    if kind is None:
        return None
    shown = kind.get("text") or kind["coding"][0].get("display") or kind["coding"][0]["code"]
    key = f"{draft.patient}|{code_of(pv1.peek(20).c(1))}"
    return {
        "resourceType": "Coverage",
        "id": resource_id("Coverage", draft.context.systems.local(draft.context.facility, "financial-class"), key),
        "status": "active",
        "type": kind,
        "beneficiary": draft.subject,
        "payor": [{"display": shown}],
    }


_HOSPITALIZED = frozenset({5, 13, 14, 15, 16, 36, 37, 38})


def _hospitalization(pv1: Segment, draft: Draft) -> Element:
    if pv1.fields.isdisjoint(_HOSPITALIZED):
        return {}
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
    """Take PV1-37 (DLD): a facility code or a name of a place becomes a Location, a code of HL7 table 0113 its type too."""
    dld = pv1[37]
    name = words(dld.c(1, 2)) or words(dld.c(1))
    if not name:
        return None
    system = draft.context.systems.local(draft.context.facility, "destination")
    number = words(dld.c(1))
    coded = number and " " not in number and not FACILITY_CODE.match(number)
    kind = cwe_to_codeable_concept(Subcomponents(dld, 1), draft.context, system=f"{V2_TABLE}0113") if coded else None
    target = draft.add(
        compact(
            {
                "resourceType": "Location",
                "id": resource_id("Location", system, number or name),
                "identifier": [{"system": system, "value": number}] if number else [],
                "name": name,
                "type": [kind] if kind else [],
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
