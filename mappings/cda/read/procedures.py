"""procedure, act and observation that do something as Procedure; what is asked for or planned as ServiceRequest.

Standard: CDA R2 §4.3.6.5, §4.3.6.2
"""

from __future__ import annotations

from mappings.cda.read.codings import cd_to_codeable_concept, ed_to_name, ed_to_text
from mappings.cda.read.datatypes import ids
from mappings.cda.read.devices import participant_devices
from mappings.cda.read.draft import Draft, Place
from mappings.cda.read.elements import Element, compact, concept, shown
from mappings.cda.read.medications import INTENTS, PRIORITIES
from mappings.cda.read.node import Node
from mappings.cda.read.observations import specimens
from mappings.cda.read.participants import author, informant, locations, performers, person_of
from mappings.cda.read.relations import references, relate
from mappings.cda.read.times import chosen
from mappings.cda.read.values import value_of
from mappings.outcome import Resource

_DONE = {
    "completed": "completed",
    "active": "in-progress",
    "aborted": "stopped",
    "cancelled": "not-done",
    "held": "on-hold",
    "suspended": "on-hold",
    "new": "preparation",
    "nullified": "entered-in-error",
}
_ASKED = {
    "active": "active",
    "completed": "completed",
    "aborted": "revoked",
    "cancelled": "revoked",
    "held": "on-hold",
    "suspended": "on-hold",
    "new": "draft",
    "nullified": "entered-in-error",
}
_PEOPLE = ("Practitioner", "Patient/", "RelatedPerson/")


def procedure_to_procedure(node: Node, draft: Draft, place: Place) -> list[str]:
    """Make the Procedure of something that was done, is being done or was not done."""
    numbers = ids(node)
    code = node.first("code", "code")
    status = node.first("statusCode", "status")["code"]
    who, _ = author(node, draft)
    told = informant(node, draft)
    places = locations(node, draft)
    members = [
        compact({"function": function, "actor": {"reference": one}}) for _, one, function in performers(node, draft)
    ]
    devices = participant_devices(node, draft)
    for participant in node.all("participant"):
        if (
            participant.peek("typeCode") in ("LOC", "DEV", "PRD", "DST")
            or participant.first("participantRole").resource
        ):
            continue
        who_else = person_of(participant, draft)
        if who_else:
            members.append({"actor": {"reference": who_else}})
    made: Resource = {
        "resourceType": "Procedure",
        "id": draft.known("Procedure", numbers, node),
        "identifier": numbers,
        "status": "not-done"
        if node["negationInd"] == "true"
        else _DONE.get(status, "unknown")
        if status
        else "completed",
        "code": _what(node, code, draft),
        "subject": draft.subject,
        **chosen("performed", node.first("effectiveTime", "performed"), draft),
        "recorder": {"reference": who} if who.startswith(_PEOPLE) else None,
        "asserter": {"reference": told} if told.startswith(_PEOPLE) else None,
        "performer": members,
        "location": {"reference": places[0]} if places else None,
        "bodySite": _sites(node, draft),
        "focalDevice": [{"manipulated": {"reference": one}} for one in devices],
    }
    method, value = node.all("methodCode"), node.all("value", "outcome")
    for one in method:
        one.leave("the method of a procedure; FHIR R4 says it by the code")
    if value:
        _outcome(value, made, draft)
    text(node, made, draft)
    made = compact(made)
    node.take("classCode", "moodCode")
    reference = draft.add(made, node, place)
    for specimen in specimens(node, draft):
        taken = draft.get(specimen["reference"])
        if shown(made.get("code")):
            taken.setdefault("collection", {"method": {"text": shown(made["code"])}})
    return [reference, *relate(node, made, draft, place)]


def _what(node: Node, code: Node, draft: Draft) -> Element | None:
    found = cd_to_codeable_concept(code, draft) if code else None
    if found:
        return found
    said = ed_to_name(node.first("text"), draft)
    return {"text": said} if said else None


def _sites(node: Node, draft: Draft) -> list[Element]:
    return [
        found
        for name in ("targetSiteCode", "approachSiteCode")
        for one in node.all(name, "bodySite")
        if (found := cd_to_codeable_concept(one, draft))
    ]


def _outcome(values: list[Node], made: Resource, draft: Draft) -> None:
    """Keep the value that the class of an observation has in a procedure."""
    found = value_of(values[0], draft)
    if "valueCodeableConcept" in found:
        made["outcome"] = found["valueCodeableConcept"]
    elif "valueString" in found:
        made["outcome"] = {"text": found["valueString"]}
    elif found:
        values[0].give_up("a measured value in a procedure")


def text(node: Node, made: Resource, draft: Draft) -> None:
    """Keep the words of a statement as a note; a pointer into the narrative is shown there anyway."""
    words = node.first("text")
    said = ed_to_text(words, draft)
    if said and words.words and said != (made.get("code") or {}).get("text"):
        made.setdefault("note", []).append({"text": said})
        words.path = "note"
    elif words:
        words.path = "Composition.section.text"


def statement_to_service_request(node: Node, draft: Draft, place: Place) -> list[str]:
    """Make the ServiceRequest of what shall be done: asked for, planned, proposed or promised."""
    numbers = ids(node)
    code = node.first("code", "code")
    status = node.first("statusCode", "status")["code"]
    who, moment = author(node, draft, device=True)
    priority = node.first("priorityCode", "priority")
    rank = PRIORITIES.get(priority["code"], "")
    if priority and not rank:
        priority.give_back("code")
    elif priority:
        priority.take("codeSystem", "codeSystemName", "displayName")
    places = locations(node, draft)
    what = _what(node, code, draft)
    values = node.all("value", "orderDetail")
    made: Resource = {
        "resourceType": "ServiceRequest",
        "id": draft.known("ServiceRequest", numbers, node),
        "identifier": numbers,
        "status": _ASKED.get(status, "unknown") if status else "active",
        "intent": INTENTS.get(node.peek("moodCode"), "plan"),
        "priority": rank,
        "doNotPerform": True if node["negationInd"] == "true" else None,
        "code": what or concept("data-absent-reason", "unknown"),
        "subject": draft.subject,
        **chosen("occurrence", node.first("effectiveTime", "occurrence"), draft),
        "authoredOn": moment,
        "requester": {"reference": who} if who else None,
        "performer": references([one for _, one, _ in performers(node, draft)]),
        "locationReference": references(places),
        "bodySite": _sites(node, draft),
        "specimen": specimens(node, draft),
    }
    for value in values:
        found = value_of(value, draft)
        if "valueCodeableConcept" in found:
            made.setdefault("orderDetail", []).append(found["valueCodeableConcept"])
        elif "valueString" in found:
            made.setdefault("orderDetail", []).append({"text": found["valueString"]})
        elif found:
            value.give_up("a measured value in a request")
    for one in node.all("methodCode", "orderDetail"):
        how = cd_to_codeable_concept(one, draft)
        if how:
            made.setdefault("orderDetail", []).append(how)
    text(node, made, draft)
    devices = participant_devices(node, draft)
    made["supportingInfo"] = references(devices)
    for participant in node.all("participant"):
        if not participant.first("participantRole").resource and (who_else := person_of(participant, draft)):
            made["performer"] = [*made["performer"], {"reference": who_else}]
    made = compact(made)
    node.take("classCode", "moodCode")
    reference = draft.add(made, node, place)
    return [reference, *relate(node, made, draft, place)]
