"""observation and organizer as Observation and DiagnosticReport: results, vital signs, social history, whatever is observed.

Standard: CDA R2 §4.3.6.1, §4.3.6.4
"""

from __future__ import annotations

import re

from mappings.cda import faults
from mappings.cda.read import own
from mappings.cda.read.attachments import ed_to_attachment
from mappings.cda.read.codings import cd_to_codeable_concept, ed_to_name, ed_to_text
from mappings.cda.read.datatypes import ids
from mappings.cda.read.devices import participant_devices
from mappings.cda.read.draft import Draft, Place
from mappings.cda.read.elements import Element, compact, concept, shown
from mappings.cda.read.node import Node
from mappings.cda.read.participants import authors, performers, product_name
from mappings.cda.read.people import related_to_reference
from mappings.cda.read.relations import claim, leave_rest, parts, references, relate
from mappings.cda.read.values import effective, reference_ranges, value_of
from mappings.hl7v2.vital_signs import PANELS, UNITS
from mappings.outcome import Resource
from mappings.systems import LOINC

STATES = {
    "completed": "final",
    "active": "preliminary",
    "new": "registered",
    "held": "registered",
    "suspended": "registered",
    "aborted": "cancelled",
    "cancelled": "cancelled",
    "nullified": "entered-in-error",
    "obsolete": "entered-in-error",
    "normal": "final",
}
_CATEGORIES = {
    "29762-2": "social-history",
    "8716-3": "vital-signs",
    "11502-2": "laboratory",
    "26436-6": "laboratory",
    "29545-1": "exam",
    "8709-8": "exam",
    "10210-3": "exam",
    "8710-6": "exam",
    "18748-4": "imaging",
}
_HOUR = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]")
NEGATED = "Không (negationInd)"
"""What stands before a statement that the sender negates."""
_SIGNS = UNITS.keys() | PANELS.keys()
_VITAL_PANELS = frozenset({"46680005", "74728-7"})
_RESULTS = frozenset({"30954-2", "11502-2", "26436-6", "18748-4"})
_RESULT_ORGANIZERS = frozenset({"2.16.840.1.113883.10.20.22.4.1", "2.16.840.1.113883.10.20.1.32"})


def observation_to_observation(node: Node, draft: Draft, place: Place) -> list[str]:
    """Make the Observation of something that was observed."""
    numbers = ids(node)
    code, value = node.first("code", "code"), node.all("value", "value[x]")
    said = cd_to_codeable_concept(code, draft) if code else None
    status = node.first("statusCode", "status")["code"]
    who = [one for _, one, _ in performers(node, draft) if not one.startswith("Device/")]
    written = list(authors(node, draft, "performer"))
    wrote = [one for one, _ in written if one and not one.startswith("Device/")]
    issued = next((moment for _, moment in written if "T" in moment), "")
    for each in node.all("author"):
        each.first("time").path = "issued"
        if not issued:
            each.first("time").give_back("value", "the day an observation was written down; FHIR R4 keeps the instant")
    method = node.first("methodCode", "method")
    made: Resource = {
        "resourceType": "Observation",
        "id": draft.known("Observation", numbers, node),
        "identifier": numbers,
        "status": STATES.get(status, "unknown") if status else "final",
        "category": _category(place.section, said),
        "code": said or _nameless(node, code, draft),
        "subject": draft.subject,
        **effective(node, draft),
        "issued": issued,
        "performer": references(who or wrote),
        **(value_of(value[0], draft) if value else {}),
        "interpretation": [
            found
            for one in node.all("interpretationCode", "interpretation")
            if (found := cd_to_codeable_concept(one, draft))
        ],
        "method": cd_to_codeable_concept(method, draft) if method else None,
        "referenceRange": reference_ranges(node, draft),
    }
    for extra in node.all("methodCode")[1:]:
        extra.leave("one of several methods; FHIR R4 keeps one")
    made = compact(made)
    made |= body_site(node, draft)
    if own.kind_of(node) == "Observation":
        _components(node, made, draft)
        if _HOUR.fullmatch(made.get("valueString", "")):
            made["valueTime"] = made.pop("valueString")
    _further(value[1:], made, draft)
    _text(node, made, draft)
    if not _about(node, made, draft):
        return []
    made |= _device(node, draft)
    specimen = specimens(node, draft)
    if specimen:
        made["specimen"] = specimen[0]
    _denied(node, made)
    _product(node, made, draft)
    node.take("classCode", "moodCode")
    if _says_nothing(made) and not any(True for _ in parts(node)):
        node.give_up("says nothing")
        return []
    reference = draft.add(made, node, place)
    if "focus" in made:
        leave_rest(node)
    return [reference, *relate(node, made, draft, place)]


def _components(node: Node, made: Resource, draft: Draft) -> None:
    """Read the parts of an observation of ours: what stands inside without being a resource."""
    for relation, statement in list(parts(node)):
        if relation.peek("typeCode") != "COMP" or statement.name != "observation" or statement.first("id"):
            continue
        code, value = statement.first("code", "component.code"), statement.first("value", "component.value[x]")
        what = cd_to_codeable_concept(code, draft)
        if what is None:
            continue
        part: Element = {
            "code": what,
            **value_of(value, draft),
            "interpretation": [
                found for one in statement.all("interpretationCode") if (found := cd_to_codeable_concept(one, draft))
            ],
            "referenceRange": reference_ranges(statement, draft),
        }
        for inside, why in list(parts(statement)):
            reason = cd_to_codeable_concept(why.first("value"), draft)
            if inside.peek("typeCode") == "RSON" and reason:
                part["dataAbsentReason"] = reason
                claim(inside, why)
                why.first("code").take("code", "codeSystem", "codeSystemName", "displayName")
        claim(relation, statement)
        made.setdefault("component", []).append(compact(part))


def _says_nothing(made: Resource) -> bool:
    """Tell whether an observation has neither a code nor a value."""
    told = any(name.startswith("value") or name in ("note", "component", "derivedFrom") for name in made)
    return not told and "data-absent-reason" in str(made["code"])


def _category(section: str, code_of: Element | None = None) -> list[Element]:
    """Tell the category by the section; a code of the vital signs profiles is one wherever it stands."""
    signs = {one["code"] for one in (code_of or {}).get("coding", []) if one.get("system") == LOINC} & _SIGNS
    code = "vital-signs" if signs else _CATEGORIES.get(section)
    return [concept("observation-category", code)] if code else []


def _nameless(node: Node, code: Node, draft: Draft) -> Element:
    """Give what stands for the code of a statement without one: its text, else that it is unknown."""
    said = ed_to_name(node.first("text"), draft)
    code.take("nullFlavor")
    return {"text": said} if said else concept("data-absent-reason", "unknown")


def body_site(node: Node, draft: Draft) -> Element:
    """Make Observation.bodySite of the first targetSiteCode."""
    sites = node.all("targetSiteCode", "bodySite")
    for extra in sites[1:]:
        extra.leave("one of several sites; FHIR R4 keeps one")
    site = cd_to_codeable_concept(sites[0], draft) if sites else None
    return {"bodySite": site} if site else {}


def _further(values: list[Node], made: Resource, draft: Draft) -> None:
    """Keep further values of one observation as components with the same code."""
    for value in values:
        found = value_of(value, draft)
        if found:
            made.setdefault("component", []).append({"code": made["code"], **found})


def _text(node: Node, made: Resource, draft: Draft) -> None:
    """Keep the text of a statement as a note, unless a value or the code says the same; narrative alone is shown anyway."""
    text = node.first("text")
    said = ed_to_text(text, draft)
    if said and text.words and said not in (made.get("valueString"), made["code"].get("text")):
        made.setdefault("note", []).append({"text": said})
        text.path = "note"
    elif text:
        text.path = "Composition.section.text"
    derivation = node.first("derivationExpr", "note")
    words = ed_to_text(derivation, draft)
    if words:
        made.setdefault("note", []).append({"text": words})


def _about(node: Node, made: Resource, draft: Draft) -> bool:
    """Say about whom it is when that is not the patient; false when no element can say it."""
    subject = node.first("subject")
    if not subject:
        return True
    role = subject.first("relatedSubject")
    who = related_to_reference(role, role.first("subject"), draft) if role else ""
    if not who and role.first("code"):
        kind = cd_to_codeable_concept(role.first("code"), draft)
        focus = {"display": shown(kind)}
        if focus["display"]:
            made["focus"] = [focus]
            subject.path = "focus"
            return True
    if not who:
        node.give_up("about somebody else who is not named")
        draft.notice(faults.ABOUT_ANOTHER, node.where())
        return False
    made["focus"] = [{"reference": who}]
    return True


def _device(node: Node, draft: Draft) -> Element:
    found = participant_devices(node, draft)
    return {"device": {"reference": found[0]}} if found else {}


def _product(node: Node, made: Resource, draft: Draft) -> None:
    """Keep what an observation is about (participant CSM, PRD …) as a note-like component: what it is of."""
    for participant in node.all("participant"):
        entity = participant.down("participantRole", "playingEntity")
        if not entity or participant.first("participantRole").resource:
            continue
        found = product_name(entity, draft)
        if found:
            participant.take("typeCode")
            participant.path = "component"
            kind = participant.peek("typeCode")
            label = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "code": kind}]}
            if kind:
                made.setdefault("component", []).append({"code": label, "valueCodeableConcept": found})


def _denied(node: Node, made: Resource) -> None:
    """Say that what was looked for was not there: a negated value becomes words that say so, never the value itself."""
    if node["negationInd"] != "true":
        return
    said = made.pop("valueString", "") or shown(made.pop("valueCodeableConcept", None))
    value = next((name for name in made if name.startswith("value")), "")
    if value:
        made.setdefault("note", []).append({"text": NEGATED})
    elif said:
        made["valueString"] = f"{NEGATED}: {said}"
    else:
        made.pop("dataAbsentReason", None)
        made["valueBoolean"] = False


def specimens(node: Node, draft: Draft) -> list[Element]:
    """Make the Specimens of a result."""
    found = []
    for wrapper in node.all("specimen"):
        role = wrapper.first("specimenRole")
        entity = role.first("specimenPlayingEntity")
        numbers = ids(role)
        kind = product_name(entity, draft) if entity else None
        if not numbers and kind is None and not role.first("id").peek("extension"):
            continue
        made = compact(
            {
                "resourceType": "Specimen",
                "id": draft.known("Specimen", numbers, role),
                "identifier": numbers,
                "type": kind,
                "subject": draft.subject,
            }
        )
        reference = draft.tell(made)
        wrapper.take("typeCode")
        role.becomes(reference)
        entity.path = "type"
        found.append({"reference": reference})
    return found


def is_report(node: Node, place: Place) -> bool:
    """Tell whether an organizer is a report of results rather than a group of observations."""
    if node.first("code").peek("code") in _VITAL_PANELS or place.section == "8716-3":
        return False
    if any(one.peek("root") in _RESULT_ORGANIZERS for one in node.all("templateId")):
        return True
    return place.section in _RESULTS or node.peek("classCode") == "BATTERY"


def organizer_to_report(node: Node, draft: Draft, place: Place) -> list[str]:
    """Make the DiagnosticReport of a battery, and the Observations in it."""
    numbers = ids(node)
    code = node.first("code", "code")
    said = cd_to_codeable_concept(code, draft) if code else None
    status = node.first("statusCode", "status")["code"]
    state = STATES.get(status, "unknown") if status else "final"
    people = [one for _, one, _ in performers(node, draft)]
    wrote = [one for one, _ in authors(node, draft, "performer") if one]
    categories = _category(place.section)
    laboratory = [concept("v2-0074", "LAB", "Laboratory")] if categories and "laboratory" in str(categories) else []
    text = node.first("sdtc:text", "conclusion")
    made: Resource = compact(
        {
            "resourceType": "DiagnosticReport",
            "id": draft.known("DiagnosticReport", numbers, node),
            "identifier": numbers,
            "status": state,
            "category": laboratory,
            "code": said or concept("data-absent-reason", "unknown"),
            "subject": draft.subject,
            **effective(node, draft),
            "performer": references(
                [one for one in people or wrote if one.startswith(("Practitioner/", "Organization/"))]
            ),
            "specimen": specimens(node, draft),
            "conclusion": ed_to_text(text, draft),
            "basedOn": references(draft.orders),
        }
    )
    if own.kind_of(node) == "DiagnosticReport":
        _forms(node, made, draft)
    node.take("classCode", "moodCode")
    reference = draft.add(made, node, place)
    others = relate(node, made, draft, place)
    _inherit(made, draft)
    return [reference, *others]


def _forms(node: Node, made: Resource, draft: Draft) -> None:
    """Read the files that a report of ours has inside."""
    for relation, statement in list(parts(node)):
        if statement.name == "observationMedia" and not statement.first("id"):
            found = ed_to_attachment(statement.first("value"), draft, inline=True)
            if found:
                claim(relation, statement)
                statement.path = "presentedForm"
                made.setdefault("presentedForm", []).append(found)


def organizer_to_panel(node: Node, draft: Draft, place: Place) -> list[str]:
    """Make the Observation that groups the observations of an organizer; other statements in it stand for themselves."""
    numbers = ids(node)
    code = node.first("code", "code")
    said = cd_to_codeable_concept(code, draft) if code else None
    status = node.first("statusCode", "status")["code"]
    wrote = [one for one, _ in authors(node, draft, "performer") if one and not one.startswith("Device/")]
    people = [one for _, one, _ in performers(node, draft) if not one.startswith("Device/")]
    made: Resource = compact(
        {
            "resourceType": "Observation",
            "id": draft.known("Observation", numbers, node),
            "identifier": numbers,
            "status": STATES.get(status, "unknown") if status else "final",
            "category": _category(place.section),
            "code": said or _nameless(node, code, draft),
            "subject": draft.subject,
            **effective(node, draft),
            "performer": references(people or wrote),
        }
    )
    if not any(True for _ in parts(node)):
        node.leave("a group of nothing")
        return []
    node.take("classCode", "moodCode")
    if node.first("subject"):
        node.give_up("a group of observations about somebody else")
        draft.notice(faults.ABOUT_ANOTHER, node.where())
        return []
    reference = draft.add(made, node, place)
    others = relate(node, made, draft, place)
    _inherit(made, draft)
    return [reference, *others]


def _inherit(group: Resource, draft: Draft) -> None:
    """Give the members the time and the performers of their group where they have none. Standard: CDA R2 §4.4"""
    for one in (*group.get("result", ()), *group.get("hasMember", ())):
        member = draft.get(one["reference"])
        if not any(name.startswith("effective") for name in member):
            member.update({name: value for name, value in group.items() if name.startswith("effective")})
        if "performer" not in member and "performer" in group:
            member["performer"] = group["performer"]
