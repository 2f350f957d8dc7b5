"""encompassingEncounter and encounter as Encounter and Appointment.

Standard: CDA R2 §4.2.3.1, §4.3.6.2
"""

from __future__ import annotations

from collections.abc import Iterator

from mappings.cda.read.codings import cd_to_codeable_concept
from mappings.cda.read.datatypes import ids
from mappings.cda.read.draft import Draft, Place
from mappings.cda.read.elements import TERMINOLOGY, Element, compact, concept
from mappings.cda.read.node import Node
from mappings.cda.read.participants import author, locations, performers
from mappings.cda.read.people import assigned_to_reference, location_to_reference
from mappings.cda.read.relations import relate
from mappings.cda.read.times import chosen, ivl_ts_to_period, start_of
from mappings.outcome import Resource

_CLASSES = frozenset(["AMB", "EMER", "FLD", "HH", "IMP", "ACUTE", "NONAC", "OBSENC", "PRENC", "SS", "VR"])
_ACT_CODE = f"{TERMINOLOGY}/v3-ActCode"
_STATES = {
    "active": "in-progress",
    "completed": "finished",
    "aborted": "cancelled",
    "cancelled": "cancelled",
    "held": "onleave",
    "suspended": "onleave",
    "new": "planned",
    "nullified": "entered-in-error",
}


def encompassing_encounter_to_encounter(visit: Node, draft: Draft) -> str:
    """Make the Encounter that the document is about; `""` when nothing is said of it."""
    numbers = ids(visit)
    period = ivl_ts_to_period(visit.first("effectiveTime", "period"), draft)
    encounter: Resource = {
        "resourceType": "Encounter",
        "id": draft.known("Encounter", numbers, visit),
        "identifier": numbers,
        "status": "finished" if "end" in period else "in-progress" if period else "unknown",
        **_kind(visit.first("code", "class"), draft),
        "subject": draft.subject,
        "participant": list(_team(visit, draft)),
        "period": period,
    }
    encounter |= _stay(visit, draft)
    places = visit.first("location")
    facility = places.first("healthCareFacility")
    owner = facility.first("serviceProviderOrganization")
    place = location_to_reference(facility, draft) if facility else ""
    if place:
        managed = draft.get(place).get("managingOrganization")
        encounter["location"] = [{"location": {"reference": place}}]
        if managed:
            encounter["serviceProvider"] = managed
    elif owner.resource:
        encounter["serviceProvider"] = {"reference": owner.resource}
    if not (numbers or period or encounter.get("type") or encounter["participant"] or place):
        return ""
    reference = draft.tell(compact(encounter))
    visit.becomes(reference)
    return reference


def _kind(code: Node, draft: Draft) -> Element:
    """Give class and type: a code of HL7's encounter classes, or a translation to one, is the class."""
    said = cd_to_codeable_concept(code, draft) if code else None
    codings = (said or {}).get("coding", [])
    classes = [one for one in codings if one.get("system") == _ACT_CODE and one["code"] in _CLASSES]
    unknown = {"system": f"{TERMINOLOGY}/v3-NullFlavor", "code": "UNK", "display": "unknown"}
    others = [one for one in codings if one not in classes]
    kind = compact({"coding": others, "text": (said or {}).get("text", "")})
    return {"class": classes[0] if classes else unknown, "type": [kind] if kind else []}


def _team(visit: Node, draft: Draft) -> Iterator[Element]:
    responsible = visit.first("responsibleParty")
    for node, fixed in [*((one, "") for one in visit.all("encounterParticipant")), (responsible, "ATND")]:
        who = assigned_to_reference(node.first("assignedEntity"), draft) if node else ""
        if not who:
            continue
        code = node["typeCode"] or fixed
        when = chosen("", node.first("time"), draft)
        moment = when.get("DateTime")
        period = {"start": moment, "end": moment} if moment else when.get("Period")
        node.path = "participant"
        if not who.startswith(("Practitioner/", "RelatedPerson/")):
            node.give_up("an organization or device as participant of an encounter; FHIR R4 names people")
            continue
        yield compact(
            {"type": [concept("v3-ParticipationType", code)], "individual": {"reference": who}, "period": period}
        )


def _stay(visit: Node, draft: Draft) -> Element:
    out = visit.first("dischargeDispositionCode", "hospitalization.dischargeDisposition")
    out = out or visit.first("sdtc:dischargeDispositionCode", "hospitalization.dischargeDisposition")
    source = visit.first("sdtc:admissionReferralSourceCode", "hospitalization.admitSource")
    stay = compact(
        {
            "admitSource": cd_to_codeable_concept(source, draft) if source else None,
            "dischargeDisposition": cd_to_codeable_concept(out, draft) if out else None,
        }
    )
    return {"hospitalization": stay} if stay else {}


def encounter_to_encounter(node: Node, draft: Draft, place: Place) -> list[str]:
    """Make the Encounter of a visit that took place."""
    numbers = ids(node)
    code = node.first("code", "type")
    time = node.first("effectiveTime", "period")
    period = ivl_ts_to_period(time, draft)
    if time.peek("value") and period:
        period = {"start": period["start"]}
    status = node.first("statusCode", "status")["code"]
    recorder, recorded = author(node, draft)
    members = [
        compact(
            {
                "type": [function] if function else [concept("v3-ParticipationType", "PPRF")],
                "individual": {"reference": who},
            }
        )
        for performer, who, function in performers(node, draft)
        if who.startswith(("Practitioner/", "RelatedPerson/"))
    ]
    if recorder.startswith(("Practitioner/", "RelatedPerson/")):
        period_of = {"start": recorded, "end": recorded} if recorded else None
        entry = {
            "type": [concept("v3-ParticipationType", "AUT")],
            "individual": {"reference": recorder},
            "period": period_of,
        }
        members.append(compact(entry))
    made: Resource = {
        "resourceType": "Encounter",
        "id": draft.known("Encounter", numbers, node),
        "identifier": numbers,
        "status": _STATES.get(status, "unknown") if status else "finished",
        **_kind(code, draft),
        "subject": draft.subject,
        "participant": members,
        "period": period,
        "location": [{"location": {"reference": one}} for one in locations(node, draft)],
    }
    made |= _stay(node, draft)
    made = compact(made)
    node.take("classCode", "moodCode")
    if draft.encounter == f"Encounter/{made['id']}":
        present = draft.get(draft.encounter)
        for name, value in made.items():
            present.setdefault(name, value)
        node.becomes(draft.encounter)
        return [draft.encounter, *relate(node, present, draft, place)]
    reference = draft.add(made, node, place)
    return [reference, *relate(node, made, draft, place)]


def encounter_to_appointment(node: Node, draft: Draft, place: Place) -> list[str]:
    """Make the Appointment of a visit that was agreed on (APT) or asked for (ARQ).

    One without an end is a wish for a time: FHIR books no appointment without. Standard: FHIR R4 app-3
    """
    numbers = ids(node)
    code = node.first("code", "serviceType")
    kind = cd_to_codeable_concept(code, draft) if code else None
    time = node.first("effectiveTime", "start")
    start, end = start_of(time, draft), ivl_ts_to_period(time, draft).get("end", "")
    booked = node["moodCode"] == "APT"
    node.first("statusCode", "status").take("code")
    people: list[Element] = [{"actor": draft.subject, "status": "accepted" if booked else "needs-action"}]
    for _, who, function in performers(node, draft):
        if not who.startswith("Organization/"):
            people.append(
                compact({"type": [function] if function else [], "actor": {"reference": who}, "status": "needs-action"})
            )
    people += [{"actor": {"reference": one}, "status": "needs-action"} for one in locations(node, draft)]
    whole = "T" in start and "T" in end and start != end
    made: Resource = compact(
        {
            "resourceType": "Appointment",
            "id": draft.known("Appointment", numbers, node),
            "identifier": numbers,
            "status": "booked" if booked and whole else "proposed",
            "serviceType": [kind] if kind else [],
            "start": start if whole else "",
            "end": end if whole else "",
            "requestedPeriod": [] if whole or not (start or end) else [compact({"start": start, "end": end})],
            "participant": people,
        }
    )
    node.take("classCode")
    reference = draft.add(made, node, place)
    return [reference, *relate(node, made, draft, place)]
