"""Who took part: in the document (participant, informationRecipient) and in a statement (author, performer, participant).

Standard: CDA R2 §4.2.2, §4.3.8
"""

from __future__ import annotations

from collections.abc import Iterator

from mappings.cda.read.codings import cd_to_codeable_concept, cd_to_coding
from mappings.cda.read.datatypes import addresses, ids, names, on_to_text, telecoms
from mappings.cda.read.draft import Draft
from mappings.cda.read.elements import TERMINOLOGY, Element, absent, compact
from mappings.cda.read.node import Node
from mappings.cda.read.people import (
    assigned_to_reference,
    location_to_reference,
    organization_to_reference,
    related_to_reference,
)
from mappings.cda.read.times import chosen, ivl_ts_to_period, start_of
from mappings.ids import resource_id

_RELATIVES = frozenset({"NOK", "ECON", "PRS", "GUARD", "CAREGIVER", "AGNT", "CON", "GUAR", "POLHOLD", "COVPTY"})


def _policy(node: Node, draft: Draft) -> str:
    """Make the Coverage of a card that the header names (HLD, POLHOLD): its number, days in force, who pays."""
    entity = node.first("associatedEntity")
    numbers = ids(entity)
    insurer = entity.first("scopingOrganization")
    payor = organization_to_reference(insurer, draft) if insurer else ""
    if not numbers or entity.first("associatedPerson"):
        return ""
    code = entity.first("code", "relationship")
    period = ivl_ts_to_period(node.first("time"), draft)
    made = compact(
        {
            "resourceType": "Coverage",
            "id": resource_id("Coverage", numbers[0].get("system", ""), numbers[0]["value"]),
            "identifier": numbers,
            "status": "active",
            "beneficiary": draft.subject,
            "relationship": cd_to_codeable_concept(code, draft) if code else None,
            "period": period,
            "payor": [{"reference": payor}] if payor else [absent()],
        }
    )
    reference = draft.tell(made)
    entity.becomes(reference)
    node.first("time").becomes(reference, "period")
    entity.take("classCode")
    node.take("typeCode")
    return reference


def header_participants(draft: Draft) -> list[str]:
    """Make whoever the header names beside those with an element of their own, and give the references."""
    found: list[str] = []
    for node in draft.root.all("participant"):
        entity = node.first("associatedEntity")
        kind, person = entity.peek("classCode"), entity.first("associatedPerson")
        reference = _policy(node, draft) if node.peek("typeCode") == "HLD" and draft.patient else ""
        if reference:
            found.append(reference)
            continue
        if kind in _RELATIVES and person:
            reference = related_to_reference(entity, person, draft)
            organization = entity.first("scopingOrganization")
            employer = organization_to_reference(organization, draft) if organization else ""
            found += [employer] if employer else []
        else:
            reference = assigned_to_reference(entity, draft)
        if not reference:
            continue
        entity.take("classCode")
        node.take("typeCode")
        _function(node, entity, reference, draft)
        if chosen("", node.first("time"), draft):
            node.first("time").give_up("when somebody was a participant; FHIR R4 keeps no time for it")
        found.append(reference)
    for node in draft.root.all("informationRecipient"):
        reference = assigned_to_reference(node.first("intendedRecipient"), draft)
        if reference:
            found.append(reference)
    return list(dict.fromkeys(found))


def _function(node: Node, entity: Node, reference: str, draft: Draft) -> None:
    """Keep the function: the general practitioner at the patient, the relationship class at the relative."""
    function = node.first("functionCode") or node.first("sdtc:functionCode")
    coding = cd_to_coding(function) if function else None
    who = draft.get(reference)
    if (
        coding
        and coding["code"] == "PCP"
        and draft.patient
        and reference.startswith(("Practitioner/", "Organization/"))
    ):
        patient = draft.get(draft.patient)
        keepers = patient.setdefault("generalPractitioner", [])
        if {"reference": reference} not in keepers:
            keepers.append({"reference": reference})
        function.becomes(draft.patient, "generalPractitioner")
    elif coding and reference.startswith("RelatedPerson/"):
        relationship = cd_to_codeable_concept(function, draft)
        if relationship and relationship not in who.setdefault("relationship", []):
            who["relationship"].append(relationship)
        function.becomes(reference, "relationship")
    elif function:
        function.give_up("the function of a participant; FHIR R4 has no element for it")
    if reference.startswith("RelatedPerson/") and entity["classCode"]:
        contact = {"coding": [{"system": f"{TERMINOLOGY}/v3-RoleClass", "code": entity["classCode"]}]}
        if contact not in who.setdefault("relationship", []):
            who["relationship"].append(contact)


def authors(node: Node, draft: Draft, to: str = "") -> Iterator[tuple[str, str]]:
    """Give who wrote a statement and when: references (never a device's) and dateTimes, either may be `""`."""
    for author in node.all("author"):
        who = assigned_to_reference(author.first("assignedAuthor"), draft)
        moment = start_of(author.first("time"), draft)
        author.path = to
        yield who, moment


def author(node: Node, draft: Draft, *, device: bool = False) -> tuple[str, str]:
    """Give the first author of a statement and the time; what the others say is left."""
    found = ("", "")
    for n, one in enumerate(node.all("author")):
        if n:
            one.leave("one of several authors; FHIR R4 keeps one")
            continue
        who = assigned_to_reference(one.first("assignedAuthor"), draft)
        if who.startswith("Device/") and not device:
            who = ""
        found = who, start_of(one.first("time"), draft)
    return found


def performers(node: Node, draft: Draft) -> Iterator[tuple[Node, str, Element | None]]:
    """Give each performer with its reference and its function."""
    for performer in node.all("performer"):
        who = assigned_to_reference(performer.first("assignedEntity"), draft)
        if not who:
            continue
        performer.path = "performer"
        performer.take("typeCode")
        code = performer.first("functionCode") or performer.first("sdtc:functionCode")
        yield performer, who, cd_to_codeable_concept(code, draft) if code else None


def informant(node: Node, draft: Draft) -> str:
    """Give who told a statement; `""` when nobody is named."""
    for one in node.all("informant"):
        entity = one.first("relatedEntity")
        if entity:
            person = entity.first("relatedPerson")
            entity.take("classCode")
            return related_to_reference(entity, person, draft) if person else ""
        return assigned_to_reference(one.first("assignedEntity"), draft)
    return ""


def locations(node: Node, draft: Draft) -> list[str]:
    """Give the places of a statement (participant LOC)."""
    found = []
    for participant in node.all("participant"):
        role = participant.first("participantRole")
        if participant.peek("typeCode") in ("LOC", "DST", "ORG", "RML") and role.peek("classCode") in (
            "SDLOC",
            "TERR",
            "",
        ):
            reference = location_to_reference(role, draft)
            if reference:
                participant.take("typeCode")
                role.take("classCode")
                found.append(reference)
    return found


def person_of(participant: Node, draft: Draft) -> str:
    """Make the Practitioner or RelatedPerson of a participantRole that plays a person; `""` for anything else."""
    role = participant.first("participantRole")
    entity = role.first("playingEntity")
    if role.peek("classCode") in ("MANU", "SDLOC", "TERR", "SPEC") or entity.peek("classCode") not in ("PSN", ""):
        return ""
    if role.peek("classCode") in _RELATIVES:
        return related_to_reference(role, entity, draft)
    numbers, name = ids(role), names(entity, draft)
    if not numbers and not name:
        return ""
    if any(number in draft.patient_numbers for number in numbers):
        return draft.patient
    key = numbers[0] if numbers else {"system": "", "value": f"{draft.key}|{name!r}"}
    made = compact(
        {
            "resourceType": "Practitioner",
            "id": resource_id("Practitioner", key.get("system", ""), key["value"]),
            "identifier": numbers,
            "name": name,
            "telecom": telecoms(role, draft),
            "address": addresses(role, draft),
        }
    )
    role.becomes(draft.tell(made))
    role.take("classCode")
    participant.take("typeCode")
    return role.resource


def product_name(entity: Node, draft: Draft) -> Element | None:
    """Give what a playingEntity is: its code, else its name."""
    code = entity.first("code")
    found = cd_to_codeable_concept(code, draft) if code else None
    name = on_to_text(entity)
    if found is None and name:
        return {"text": name}
    if found is not None and name and name not in str(found):
        found["text"] = f"{found['text']} · {name}" if "text" in found else name
    return found
